#!/bin/sh
# Builds for release in build-bench/, and measures how cost grows with size; see doubling.py.
#
#     sh tests/bench/doubling.sh [--repeats N]
set -eu
cd "$(dirname "$0")/../.."
[ -d build-bench ] || meson setup build-bench --buildtype=release
ninja -C build-bench tests/bench/doubling
exec python3 tests/bench/doubling.py --build build-bench "$@"
