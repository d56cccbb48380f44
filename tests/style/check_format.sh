#!/bin/sh
# check_format.sh ROOT: fails if clang-format 14 would change a source file.
set -eu
cd "$1"
. tests/style/llvm14.sh
llvm14 clang-format
# What a tool writes is compared byte by byte.
find platform asyncore asynchat docs tests \( -name '*.[ch]pp' -o -name '*.h' \) ! -name '*.golden.cpp' -print0 |
    xargs -0 "$tool" --dry-run -Werror
