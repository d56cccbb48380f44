#!/bin/sh
# check_tidy.sh ROOT [STAMP]: fails if clang-tidy 14 has anything to say about the library (see
# .clang-tidy).  It takes a minute; the file STAMP remembers when it last had nothing to say,
# and until a source file changes it is not asked again.
set -eu
cd "$1"
stamp=${2:-}
. tests/style/llvm14.sh
llvm14 clang-tidy
if [ "$(uname)" != Linux ]; then
    echo "skipped: every mechanism compiles only on Linux, where kqueue has a stand-in"
    exit 77
fi
if [ -e "$stamp" ] &&
    [ -z "$(find .clang-tidy platform asyncore asynchat tests/kqueue tests/style -newer "$stamp")" ]; then
    echo "no source file has changed since clang-tidy had nothing to say"
    exit 0
fi
[ -z "$stamp" ] || touch "$stamp.new"
# The bridge to Python needs Python's headers, and is left out.
# The sources of a folder are one unit: what takes clang-tidy's time are the headers of the system.
units=$(mktemp -d)
trap 'rm -r "$units"' EXIT
for folder in platform asyncore asynchat; do
    find "$folder" -name '*.cpp' -not -path '*/python/*' | sort | sed 's/.*/#include "&"/' >"$units/$folder.cpp"
done
find "$units" -name '*.cpp' |
    xargs -P "$(getconf _NPROCESSORS_ONLN)" -I FILE "$tool" --quiet \
        --config-file=.clang-tidy --checks=-bugprone-suspicious-include FILE -- -std=c++20 -I. \
        -isystem tests/kqueue -DASYNCORE_HAVE_EPOLL -DASYNCORE_HAVE_KQUEUE
[ -z "$stamp" ] || mv "$stamp.new" "$stamp"
