#!/bin/sh
# check_exits.sh ROOT: fails if the library names a call that ends the process.  clang-tidy's check
# bugprone-exception-escape (see .clang-tidy) looks for exceptions that do: those that leave a destructor
# or a function that is noexcept.
set -eu
cd "$1"

# ends_process: the lines of its input that name such a call, without the comments.
ends_process() {
    sed 's|//.*||' | grep -nE '(^|[^_[:alnum:]])(abort|assert|terminate|exit|_exit|_Exit|quick_exit|__builtin_trap|__builtin_unreachable|unreachable|raise|kill)[[:space:]]*\('
}

# The check itself: it finds each kind, and takes neither a comment nor a longer name for one.
for call in 'std::abort();' 'if (a) assert(b);' 'std::terminate ();' '::_exit(1);' '__builtin_trap();'; do
    echo "$call" | ends_process >/dev/null || { echo "not found: $call"; exit 1; }
done
for call in '// abort() is not called' 'static_assert(a);' 'call_at_thread_exit(a);' 'throw SystemExit(1);'; do
    if echo "$call" | ends_process; then exit 1; fi
done

status=0
for file in platform/*.[ch]pp asyncore/*.[ch]pp asynchat/*.[ch]pp; do
    if ends_process <"$file"; then
        echo "$file ends the process"
        status=1
    fi
done
exit $status
