#!/bin/sh
# The benchmark in one command.  It installs what is missing (Debian, as root), builds everything for
# release in build-bench/, measures, and writes docs/performance.md and the folder beside it.
#
#     sh tests/bench/run.sh [--quick] [--case NAME]... [--server NAME]...   (--help lists all options)
#
# Where a package cannot be installed, the result names what was left out.
set -eu
cd "$(dirname "$0")/../.."

packages='libevent-dev libuv1-dev libev-dev libasio-dev python3-matplotlib strace valgrind'
missing=
for package in $packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        missing="$missing $package"
done
if [ -n "$missing" ]; then
    echo "installing:$missing"
    # $missing is not quoted: each package is a word.
    { apt-get update -q && apt-get install -qy $missing; } || echo "going on without:$missing"
fi

[ -d build-bench ] || meson setup build-bench --buildtype=release
ninja -C build-bench bench_programs
exec /usr/bin/python3 tests/bench/bench.py --build build-bench "$@"
