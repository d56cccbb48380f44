#!/bin/sh
# Builds the Python modules asyncore and asynchat for one Python, and runs all of their tests.
#
#   sh asyncore/python/run.sh [PYTHON]           for python3, or the one that is named: 3.11, 3.12 or 3.13
#   sh asyncore/python/run.sh [PYTHON] OPTION... what tests/python/run.py takes: --suite NAME, --only PATTERN
#   sh asyncore/python/run.sh [PYTHON] --sanitize
#                                                the safety tests under AddressSanitizer
#   sh asyncore/python/run.sh [PYTHON] --build-only
#
# The build stands in build-python-311/ or the like.  The last line is "N passed, N failed, N skipped".
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
. tests/setup.sh

python=python3
case ${1:-} in
'' | -*) ;;
*)
    python=$1
    shift
    ;;
esac

need_build_tools
need "$python" python3
install_missing
python=$("$python" -c 'import sys; print(sys.executable)')
version=$("$python" -c 'import sys; print("%d%d" % sys.version_info[:2])')
case $version in
311 | 312 | 313) ;;
*)
    echo "asyncore-cpp needs CPython 3.11, 3.12 or 3.13, and $python is another one" >&2
    exit 1
    ;;
esac
# Debian's Python has its headers, its venv and its tests in packages of their own.
if [ "$python" = /usr/bin/python3 ] || [ "$python" = "/usr/bin/python3.${version#3}" ]; then
    headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    need "$headers/Python.h" "python3.${version#3}-dev"
    "$python" -c 'import ensurepip' 2>/dev/null || missing="$missing python3.${version#3}-venv"
    "$python" -c 'import test.test_ftplib' 2>/dev/null || missing="$missing libpython3.${version#3}-testsuite"
    install_missing
fi

case ${1:-} in
--sanitize)
    folder=build-python-$version-asan
    build "$folder" -Dprograms=false -Dpython="$python" -Db_sanitize=address -Db_lundef=false
    ninja -C "$folder" python-tests
    # Python itself is not built for it: its library is loaded first, with that of C++, whose throw it replaces; and
    # what Python never frees is no leak.
    LD_PRELOAD="$(c++ -print-file-name=libasan.so) $(c++ -print-file-name=libstdc++.so)" PYTHONMALLOC=malloc \
        ASAN_OPTIONS=detect_leaks=0 exec "$python" tests/python/run.py --build "$folder" --suite own
    ;;
esac
build "build-python-$version" -Dprograms=false -Dpython="$python"
ninja -C "build-python-$version" python-tests
[ "${1:-}" != --build-only ] || exit 0
exec "$python" tests/python/run.py --build "build-python-$version" "$@"
