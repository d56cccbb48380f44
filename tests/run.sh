#!/bin/sh
# Installs what is missing, builds into build/, and runs every test.
#
#   sh tests/run.sh                 all tests, and some random replays
#   sh tests/run.sh --build-only    stops after the build
#   sh tests/run.sh --replay N      N random schedules against CPython, on every mechanism
#   sh tests/run.sh --sanitize      the programs under AddressSanitizer and UndefinedBehaviorSanitizer
#                                   with gcc and clang, and under ThreadSanitizer
#   sh tests/run.sh --repeat N      the programs N times over
#   sh tests/run.sh --browser       the HTTP server with Chromium, which is installed if need be (a
#                                   run of all tests takes it if it is there)
#
# The last line of a run is "N passed, N failed".
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/tests/setup.sh"

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

# run_tests FOLDER [MESON TEST OPTION ...]: runs them, and says how it went in one line.  Two a
# processor: many of them wait for a clock.
run_tests() {
    folder=$root/$1
    shift
    status=0
    meson test -C "$folder" --no-rebuild --print-errorlogs \
        --num-processes $(($(getconf _NPROCESSORS_ONLN) * 2)) "$@" || status=$?
    python3 - "$folder/meson-logs/testlog.json" <<'END' || status=1
import json, sys
results = [json.loads(line)["result"] for line in open(sys.argv[1])]
good = sum(result in ("OK", "EXPECTEDFAIL") for result in results)
skipped = results.count("SKIP")
print(f"{good} passed, {len(results) - good - skipped} failed, {skipped} skipped")
sys.exit(0 if results and good else 1)
END
    return "$status"
}

sanitize() {
    need clang++ clang
    need /usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.asan-x86_64.a libclang-rt-14-dev
    install_missing
    status=0
    # Whoever calls this looks at its status, and so a failure ends nothing by itself.
    CXX=g++ build build-asan-gcc -Db_sanitize=address,undefined || return 1
    CXX=clang++ build build-asan-clang -Db_sanitize=address,undefined -Db_lundef=false || return 1
    CXX=g++ build build-tsan -Db_sanitize=thread || return 1
    for each in build-asan-gcc build-asan-clang; do
        echo "== $each"
        run_tests "$each" --no-suite docs --no-suite browser --timeout-multiplier 5 || status=1
    done
    echo "== build-tsan"
    # ThreadSanitizer holds signals back until a call that it knows; select(2) alone is none.
    TSAN_OPTIONS=halt_on_error=1 run_tests build-tsan --timeout-multiplier 5 \
        --test-args='-tce=poller:?EINTR?does?not?end?a?wait?without?a?time-out' \
        --suite test_channel_map --suite test_asyncore --suite test_asynchat --suite test_poller \
        --suite test_platform || status=1
    return "$status"
}

what=${1:-all}
case $what in
all | --build-only | --browser) [ $# -le 1 ] || usage ;;
--sanitize) [ $# -eq 1 ] || usage ;;
--replay | --repeat) [ $# -eq 2 ] || usage ;;
*) usage ;;
esac

need_build_tools
need python3 python3
need /usr/include/doctest/doctest.h doctest-dev
if [ "$what" = all ]; then
    need curl curl
    need swaks swaks
    need cmake cmake
    need /usr/lib/python3/dist-packages/coverage python3-coverage
fi
if [ "$what" = --browser ]; then need chromium chromium; fi
install_missing

case $what in
--sanitize) sanitize && exit 0 || exit 1 ;;
esac

build build
case $what in
--build-only) exit 0 ;;
--replay) exec python3 "$root/tests/conformance/run.py" --replay "$root/build/tests/replay" --random "$2" ;;
--repeat) run_tests build --no-suite docs --no-suite slow --no-suite browser --repeat "$2" ;;
--browser) run_tests build --suite browser ;;
all) run_tests build ;;
esac
