#!/bin/sh
# check_layering.sh ROOT: includes go one way, from asynchat to asyncore to platform.
cd "$1" && ls platform/*.?pp asyncore/*.?pp asynchat/*.?pp >/dev/null || exit 2
all=$(find platform asyncore asynchat -name '*.?pp')
# shellcheck disable=SC2086  # one word a file
wrong=$(
    grep -nE '#include <(asyncore|asynchat)/' platform/*.?pp | grep -v '<asyncore/platform/'
    # The bridge to Python is above both modules.
    grep -rnE --include='*.?pp' --exclude-dir=python '#include <asynchat/' asyncore
    # The additions have folders of their own, which the two modules do not include.
    grep -nE '#include <(asyncore|asynchat)/[a-z_]+/' asyncore/*.?pp asynchat/*.?pp |
        grep -v '<asyncore/platform/'
    # The compiler could find a program's own folder platform/ by this name.
    grep -nE '#include <platform/' $all
    # There is one include root, and so no relative include.
    grep -nE '#include "' $all
)
[ -z "$wrong" ] && exit 0
echo "$wrong"
echo "includes go from asynchat to asyncore to platform, as <asynchat/NAME.hpp>, <asyncore/NAME.hpp>"
echo "and <asyncore/platform/NAME.hpp>"
exit 1
