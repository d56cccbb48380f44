#!/bin/sh
# check_layering.sh ROOT: includes go one way, asynchat to asyncore to platform.
cd "$1" && ls platform/*.?pp asyncore/*.?pp asynchat/*.?pp >/dev/null || exit 2
wrong=$(
    grep -nE '#include <(asyncore|asynchat)/' platform/*.?pp | grep -v '<asyncore/platform/'
    grep -nE '#include <asynchat/' asyncore/*.?pp
    # Under this name the compiler would find a folder platform/ of the user's.
    grep -nE '#include <platform/' platform/*.?pp asyncore/*.?pp asynchat/*.?pp
    # There is one include root, so there are no relative includes.
    grep -nE '#include "' platform/*.?pp asyncore/*.?pp asynchat/*.?pp
)
[ -z "$wrong" ] && exit 0
echo "$wrong"
echo "includes go asynchat -> asyncore -> platform, as <folder/file.hpp>"
exit 1
