#!/bin/sh
# check_layering.sh ROOT: includes go one way, from asynchat to asyncore to platform.
cd "$1" && ls platform/*.?pp asyncore/*.?pp asynchat/*.?pp >/dev/null || exit 2
wrong=$(
    grep -nE '#include <(asyncore|asynchat)/' platform/*.?pp | grep -v '<asyncore/platform/'
    grep -nE '#include <asynchat/' asyncore/*.?pp
    # The compiler could find a program's own folder platform/ by this name.
    grep -nE '#include <platform/' platform/*.?pp asyncore/*.?pp asynchat/*.?pp
    # There is one include root, and so no relative include.
    grep -nE '#include "' platform/*.?pp asyncore/*.?pp asynchat/*.?pp
)
[ -z "$wrong" ] && exit 0
echo "$wrong"
echo "includes go from asynchat to asyncore to platform, as <asynchat/NAME.hpp>, <asyncore/NAME.hpp>"
echo "and <asyncore/platform/NAME.hpp>"
exit 1
