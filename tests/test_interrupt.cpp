// platform/interrupt.hpp: SIGINT as something that a poller can wait for.
#include "support.hpp"

#include <asyncore/platform/interrupt.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>

#include <fcntl.h>
#include <signal.h>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using namespace std::chrono_literals;
using support::counted_signal;

TEST_CASE("interrupt: SIGINT makes a descriptor readable until forget_sigint()") {
    const counted_signal handler(SIGINT);
    const int fd = catch_sigint();
    CHECK(!support::wait_readable(fd, 0ms));
    ::raise(SIGINT);
    CHECK(support::wait_readable(fd, 0ms));
    CHECK(support::wait_readable(fd, 0ms));
    for (int i = 0; i < 100; ++i) ::raise(SIGINT);
    forget_sigint();
    CHECK(!support::wait_readable(fd, 0ms));
    forget_sigint();
    ::raise(SIGINT);
    CHECK(support::wait_readable(fd, 0ms));
    release_sigint();
    CHECK(!support::wait_readable(fd, 0ms));
    CHECK(handler.count() == 0);
    ::raise(SIGINT);
    CHECK(handler.count() == 1);  // the handler that SIGINT had before is back
}

TEST_CASE("interrupt: more signals than the pipe holds neither block nor change errno") {
    const counted_signal handler(SIGINT);
    const int fd = catch_sigint();
    for (int i = 0; i < 100'000; ++i) ::raise(SIGINT);
    errno = ENOENT;
    ::raise(SIGINT);
    CHECK(errno == ENOENT);
    forget_sigint();
    CHECK(!support::wait_readable(fd, 0ms));
    release_sigint();
}

TEST_CASE("interrupt: the last release_sigint() restores the handler") {
    struct sigaction now {};
    std::signal(SIGINT, SIG_IGN);
    const int fd = catch_sigint();
    CHECK(catch_sigint() == fd);
    release_sigint();
    ::raise(SIGINT);
    CHECK(support::wait_readable(fd, 0ms));
    release_sigint();
    REQUIRE(::sigaction(SIGINT, nullptr, &now) == 0);
    const bool ignored = now.sa_handler == SIG_IGN;
    CHECK(ignored);
    std::signal(SIGINT, SIG_DFL);
}

TEST_CASE("interrupt: its pipe is non-blocking and close-on-exec") {
    const int fd = catch_sigint();
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    release_sigint();
}

TEST_CASE("interrupt: SIGINT ends a wait whenever it arrives") {
    const counted_signal handler(SIGINT);
    const int fd = catch_sigint();
    const support::alarms soon([](int) { ::raise(SIGINT); });
    bool heard = false;
    for (int i = 0; i < 1000 && !heard; ++i)  // poll(2) may fail with EINTR first
        heard = support::wait_readable(fd, 30s);
    CHECK(heard);
    release_sigint();
}
