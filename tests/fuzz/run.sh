#!/bin/sh
# Fuzzes with libFuzzer, under AddressSanitizer and UndefinedBehaviorSanitizer.  Needs clang.
#
#     sh tests/fuzz/run.sh [SECONDS [TARGET]...]
#
# Each TARGET (default: all) is fuzzed for SECONDS (default: 60).  The fuzzer begins with the corpus.
# Inputs that reach new code are added to the corpus, and inputs that are no longer needed leave it.
# An input that fails is kept as build-fuzz/TARGET-crash-..., and the next target follows.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/setup.sh"
seconds=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- address http loop parse send smtp

need clang++ clang
need_build_tools
install_missing

build=$root/build-fuzz
if [ ! -f "$build/build.ninja" ]; then
    CXX=clang++ meson setup "$build" "$root" -Db_sanitize=address,undefined -Db_lundef=false \
        -Dcpp_args=-fsanitize=fuzzer-no-link -Dcpp_link_args=-fsanitize=fuzzer-no-link
fi
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

failed=
for target; do
    corpus=$root/tests/fuzz/$target.corpus
    mkdir "$work/$target" "$work/$target.least"
    python3 "$root/tests/fuzz/corpus.py" unpack "$corpus" "$work/$target"
    ninja -C "$build" "tests/fuzz/libfuzzer_$target"
    "$build/tests/fuzz/libfuzzer_$target" -max_total_time="$seconds" -max_len=200 \
        -print_final_stats=1 -timeout=30 -artifact_prefix="$build/$target-" "$work/$target" || {
        failed="$failed $target"
        continue
    }
    "$build/tests/fuzz/libfuzzer_$target" -merge=1 "$work/$target.least" "$work/$target"
    python3 "$root/tests/fuzz/corpus.py" pack "$work/$target.least" "$corpus"
done
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
