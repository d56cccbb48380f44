// platform/sigpipe.hpp: a SIGPIPE that this thread causes is swallowed.
#include "support.hpp"

#include <asyncore/platform/sigpipe.hpp>

#include <cerrno>
#include <csignal>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::platform::no_sigpipe;
using support::counted_signal;
using support::in_child;
using support::pipe_ends;

namespace {
sigset_t just(int signal) {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, signal);
    return set;
}

bool is_blocked(int signal) {
    sigset_t blocked;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    return sigismember(&blocked, signal) == 1;
}

bool is_pending(int signal) {
    sigset_t pending;
    ::sigpending(&pending);
    return sigismember(&pending, signal) == 1;
}

/// Writes to a pipe without a reader.  Returns: the errno.
int write_in_vain() {
    pipe_ends ends;
    ends.read.reset();
    return ::write(ends.write.get(), "x", 1) < 0 ? errno : 0;
}

}  // namespace

TEST_CASE("sigpipe: a write to a pipe without a reader is EPIPE and does not end the process") {
    CHECK(in_child([] {
        std::signal(SIGPIPE, SIG_DFL);
        const no_sigpipe guard;
        return write_in_vain() == EPIPE;
    }));
    CHECK(!in_child([] {  // without the guard it does
        std::signal(SIGPIPE, SIG_DFL);
        return write_in_vain() == EPIPE;
    }));
}

TEST_CASE("sigpipe: the guard restores the signal mask and errno") {
    const counted_signal handler(SIGPIPE);
    {
        const no_sigpipe outer;
        {
            const no_sigpipe inner;
            CHECK(write_in_vain() == EPIPE);
        }
        CHECK(is_blocked(SIGPIPE));
        CHECK(!is_pending(SIGPIPE));
        CHECK(write_in_vain() == EPIPE);
        errno = EPIPE;
    }
    CHECK(errno == EPIPE);
    CHECK(handler.count() == 0);
    CHECK(!is_blocked(SIGPIPE));
    CHECK(write_in_vain() == EPIPE);
    CHECK(handler.count() == 1);
}

TEST_CASE("sigpipe: a SIGPIPE that was pending before stays pending") {
    const counted_signal handler(SIGPIPE);
    const auto set = just(SIGPIPE);
    REQUIRE(::pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0);
    SUBCASE("sigpipe: no SIGPIPE was pending before") {
        {
            const no_sigpipe guard;
            CHECK(write_in_vain() == EPIPE);
        }
        CHECK(!is_pending(SIGPIPE));
    }
    SUBCASE("sigpipe: one SIGPIPE was pending before") {
        ::raise(SIGPIPE);
        {
            const no_sigpipe guard;
            CHECK(write_in_vain() == EPIPE);
        }
        CHECK(is_pending(SIGPIPE));
    }
    const int expected = is_pending(SIGPIPE);
    CHECK(is_blocked(SIGPIPE));
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    CHECK(handler.count() == expected);
}
