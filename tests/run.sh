#!/bin/sh
# Installs the packages that are missing, builds into build/, and runs the tests.
#
#   sh tests/run.sh                 every test
#   sh tests/run.sh --ci            what .ci/run runs: the tests without the suite long, built by gcc, with the
#                                   modules for Python where python3 is one of theirs, and then the programs
#                                   built by clang with AddressSanitizer and UndefinedBehaviorSanitizer,
#                                   without the suites smtpd, slow and long
#   sh tests/run.sh --build-only    no test: only the build
#   sh tests/run.sh --replay N      N random schedules, compared with CPython on every mechanism
#   sh tests/run.sh --faults [SECONDS]
#                                   fails each call of the example servers (tests/faults/README.md), for so
#                                   many seconds or to the end; the next run goes on where this one ended
#   sh tests/run.sh --hooks [sanitized]
#                                   plants every throw and every action into every hook, beside CPython and in
#                                   C++, on select, poll and epoll; "sanitized" does it under AddressSanitizer
#                                   and UndefinedBehaviorSanitizer, in a build by gcc
#   sh tests/run.sh --fuzz SECONDS  libFuzzer for so many seconds a target (tests/fuzz/run.sh)
#   sh tests/run.sh --soak SECONDS  chaos clients against the example servers, which are built with
#                                   AddressSanitizer and UndefinedBehaviorSanitizer (tests/soak/README.md)
#   sh tests/run.sh --coverage      which lines and branches of the library the tests reach, by clang
#                                   (tests/coverage/coverage.py); fails where a line is not reached
#   sh tests/run.sh --sanitize      the programs under AddressSanitizer and UndefinedBehaviorSanitizer,
#                                   built by gcc and by clang, and the tests that use threads under
#                                   ThreadSanitizer
#   sh tests/run.sh --repeat N      the programs, N times over
#   sh tests/run.sh --browser       the HTTP server with Chromium, which is installed if it is missing
#                                   (a run of every test uses Chromium only where it is installed)
#
# The last line of a run is "N passed, N failed, N skipped".  The exit status is 0 if no test failed.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
. tests/setup.sh

usage() {
    sed -n '2,/^set/s/^# \{0,1\}//p' tests/run.sh >&2
    exit 2
}

status=0  # of the script, when it ends
logs=     # of the runs so far

# run_tests FOLDER [MESON TEST OPTION ...]: runs the tests of a build.  It starts two tests a
# processor, because many tests wait for a clock.
run_tests() {
    folder=$1
    shift
    log=$folder/meson-logs/testlog.json
    rm -f "$log"
    echo "== $folder"
    meson test -C "$folder" --no-rebuild --print-errorlogs \
        --num-processes $(($(getconf _NPROCESSORS_ONLN) * 2)) "$@" || status=1
    logs="$logs $log"
}

# run_sanitized FOLDER [MESON TEST OPTION ...]: the tests of the programs.  The documents and the browser
# are left out: what they try beyond the programs is no code of this project.
run_sanitized() {
    run_tests "$@" --no-suite docs --no-suite browser --timeout-multiplier 5
}

# finish: prints the closing line for all runs together, and ends the script.
finish() {
    # shellcheck disable=SC2086  # one word a log
    python3 - $logs <<'END' || status=1
import json, sys
results = [json.loads(line)["result"] for log in sys.argv[1:] for line in open(log)]
passed = sum(result in ("OK", "EXPECTEDFAIL") for result in results)
skipped = results.count("SKIP")
failed = len(results) - passed - skipped
print(f"{passed} passed, {failed} failed, {skipped} skipped")
sys.exit(1 if failed or not passed else 0)
END
    exit "$status"
}

# build_sanitized COMPILER FOLDER [MESON OPTION ...]: with AddressSanitizer and
# UndefinedBehaviorSanitizer.  The check "vptr" is left out: it asks by a pipe whether memory can be
# read, and reports a fault of its own where a test leaves the process no descriptor.
build_sanitized() {
    configure_sanitized "$@"
    ninja -C "$root/$2"
}
configure_sanitized() {
    compiler=$1 folder=$2
    shift 2
    CXX=$compiler configure "$folder" -Db_sanitize=address,undefined -Dcpp_args=-fno-sanitize=vptr "$@"
}

# try_hooks FOLDER: see above.
try_hooks() {
    python3 tests/conformance/exhaustive.py --replay "$1/tests/replay" \
        --jobs "$(getconf _NPROCESSORS_ONLN)" || status=1
    for mechanism in select poll epoll; do
        ASYNCORE_HOOKS=all ASYNCORE_CHECK=1 ASYNCORE_POLLER=$mechanism "$1/tests/test_hooks" || status=1
    done
    exit "$status"
}

# build_for_python FOLDER [MESON OPTION ...]: a build that has the modules for Python, too, where python3 is one of
# theirs and has its headers.
build_for_python() {
    python=$(python3 - <<'END'
import os, sys, sysconfig
header = os.path.join(sysconfig.get_path("include"), "Python.h")
print(sys.executable if (3, 11) <= sys.version_info < (3, 14) and os.path.exists(header) else "")
END
    )
    [ -n "$python" ] || echo "the modules for Python are left out: they need CPython 3.11, 3.12 or 3.13, with its headers"
    build "$@" -Dpython="$python"
}

what=${1:-all}
case $what in
all | --ci | --build-only | --browser | --sanitize | --coverage) [ $# -le 1 ] || usage ;;
--faults) [ $# -le 2 ] || usage ;;
--hooks) [ $# -eq 1 ] || [ "$*" = "--hooks sanitized" ] || usage ;;
--replay | --repeat | --fuzz | --soak) [ $# -eq 2 ] || usage ;;
*) usage ;;
esac

[ "$what" != --fuzz ] || exec sh tests/fuzz/run.sh "$2"

need_build_tools
need python3 python3
need /usr/include/doctest/doctest.h doctest-dev
need /usr/include/openssl/ssl.h libssl-dev
need openssl openssl
case $what in
all | --ci)
    need curl curl
    need lftp lftp
    need swaks swaks
    need cmake cmake
    need /usr/lib/python3/dist-packages/coverage python3-coverage
    ;;
--browser) need chromium chromium ;;
esac
case $what in
--ci | --sanitize | --soak | --coverage)
    need g++ g++
    need clang++ clang
    ;;
esac
[ "$what" != --coverage ] || need llvm-cov llvm
[ "$what" != all ] || need /usr/lib/python3/dist-packages/pyftpdlib python3-pyftpdlib
if [ "$what" = --ci ]; then
    need "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" python3-dev
    need clang-format clang-format
    need clang-tidy clang-tidy
fi
install_missing
case $what in
--ci | --sanitize | --soak | --coverage)
    need_sanitizers_of_clang
    install_missing
    ;;
esac

case $what in
--ci)
    # Compilers take less time with little debug information, and clang half the time without optimization.
    CXX=g++ build_for_python build -Ddebug=false -Dcpp_args=-g1
    build_sanitized clang++ build-asan-clang -Db_lundef=false -Doptimization=0
    # What `sh tests/run.sh` and --sanitize run beyond this takes long, and is run by hand.
    run_tests build --no-suite long
    run_sanitized build-asan-clang --no-suite smtpd --no-suite slow --no-suite long
    ;;
--sanitize)
    build_sanitized g++ build-asan-gcc
    build_sanitized clang++ build-asan-clang -Db_lundef=false
    CXX=g++ build build-tsan -Db_sanitize=thread
    run_sanitized build-asan-gcc
    run_sanitized build-asan-clang
    # ThreadSanitizer delivers a signal only inside a call that it intercepts, and it does not
    # intercept select(2): the test that is left out would wait for ever.
    export TSAN_OPTIONS=halt_on_error=1
    run_tests build-tsan --timeout-multiplier 5 --test-args='-tce=poller:?EINTR?does?not?end?a?wait?without?a?time-out' \
        --suite test_additions --suite test_channel_map --suite test_asyncore --suite test_asynchat --suite test_poller \
        --suite test_platform
    ;;
--hooks)
    if [ $# -eq 2 ]; then
        build_sanitized g++ build-asan-gcc
        try_hooks build-asan-gcc
    fi
    build build
    try_hooks build
    ;;
--soak)
    configure_sanitized clang++ build-asan-clang -Db_lundef=false
    ninja -C build-asan-clang soak_programs
    exec python3 tests/soak/soak.py build-asan-clang/tests/soak --seconds "$2"
    ;;
--coverage)
    # What the build itself runs to try the compiler would write its counters into this folder.
    export LLVM_PROFILE_FILE=/dev/null
    # The counters are written while a program runs, so that one that is killed has counted, too.
    CXX=clang++ configure build-coverage -Ddebug=false -Doptimization=0 -Db_lundef=false \
        -Dcpp_args='-fprofile-instr-generate -fcoverage-mapping -mllvm -runtime-counter-relocation' \
        -Dcpp_link_args=-fprofile-instr-generate
    ninja -C build-coverage coverage_programs
    exec python3 tests/coverage/coverage.py build-coverage --run
    ;;
*) build build ;;
esac

case $what in
--build-only) exit 0 ;;
--replay) exec python3 tests/conformance/run.py --replay build/tests/replay --random "$2" ;;
--faults) exec python3 tests/faults/sweep.py build/tests/faults --check ${2:+--seconds "$2"} ;;
--repeat) run_tests build --no-suite docs --no-suite style --no-suite browser --repeat "$2" ;;
--browser) run_tests build --suite browser ;;
all) run_tests build ;;
esac
finish
