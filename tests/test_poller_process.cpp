// platform/poller.hpp: a poller and its process: descriptors, limits, forks, the environment.
#include "pollers.hpp"
#include "sockets.hpp"

#include <asyncore/platform/interrupt.hpp>
#include <asyncore/platform/poller.hpp>
#include <asyncore/platform/socket.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using namespace support;
using socket_t = asyncore::platform::socket;

namespace {

std::vector<int> open_descriptors() {
    std::vector<int> numbers;
    for (int fd = 0; fd < FD_SETSIZE; ++fd)
        if (::fcntl(fd, F_GETFD) >= 0) numbers.push_back(fd);
    return numbers;
}

/// Sets ASYNCORE_POLLER in the environment, or takes it out for null, while it lives.
class environment {
public:
    explicit environment(const char* name) {
        if (const char* now = std::getenv(variable)) before_ = now;
        if (name) ::setenv(variable, name, 1);
        else ::unsetenv(variable);
    }
    ~environment() {
        if (before_) ::setenv(variable, before_->c_str(), 1);
        else ::unsetenv(variable);
    }
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;

private:
    static constexpr const char* variable = "ASYNCORE_POLLER";
    std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("poller: its own descriptor is close-on-exec and is closed with it") {
    const auto before = open_descriptors();
    {
        const polling here;
        const auto now = open_descriptors();
        CHECK(now.size() == before.size() + (here.kernel_keeps_the_set() ? 1 : 0));
        for (const int fd : now)
            if (std::find(before.begin(), before.end(), fd) == before.end())
                CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("poller: a watch() or a wait that the system refuses throws") {
    const pipe_ends ends;
    const auto before = open_descriptors();
    polling here;
    if (!here.kernel_keeps_the_set()) return;
    const auto now = open_descriptors();
    REQUIRE(now.size() == before.size() + 1);
    int own = now.back();
    for (std::size_t i = 0; i < before.size(); ++i)
        if (now[i] != before[i]) {
            own = now[i];
            break;
        }
    REQUIRE(::close(own) == 0);
    CHECK_THROWS_AS(here.watch(ends.read, reads), std::system_error);
    CHECK_THROWS_AS(here.wait(), std::system_error);
    const platform::unique_fd file(
        ::open("/dev/null", O_RDONLY));  // which the poller does not close
    REQUIRE(file.get() == own);
    CHECK_THROWS_AS(here.wait(), std::system_error);
}

TEST_CASE("poller: with no descriptors left (EMFILE) making a poller or waiting with it throws") {
    CHECK(in_child([] {
        ::alarm(30);  // ends the child if it waits for ever
        const bool needs_one = polling().kernel_keeps_the_set();
        // The stand-in for kevent(2) waits by poll(2), the real kevent(2) does not.
        const bool counts = polling().is("poll"), perhaps = polling().is("kqueue");
        std::vector<pipe_ends> pipes(10);
        polling here;
        for (const auto& each : pipes) here.watch(each.read, reads);
        const rlimit few{5, 5};
        if (::setrlimit(RLIMIT_NOFILE, &few) < 0) return false;
        const auto throws = [](auto call) {
            try {
                call();
                return false;
            } catch (const std::system_error&) {
                return true;
            }
        };
        // poll(2) refuses more entries than there may be descriptors.
        return throws([] { polling(); }) == needs_one &&
               (throws([&] { here.wait(); }) == counts || perhaps);
    }));
}

TEST_CASE("interrupt: with no descriptors left (EMFILE) SIGINT cannot be caught") {
    CHECK(in_child([] {
        const rlimit no_descriptor{0, 0};
        if (::setrlimit(RLIMIT_NOFILE, &no_descriptor) < 0) return false;
        return error_of(catch_sigint) == EMFILE;
    }));
}

TEST_CASE("fork: fork_count() counts the forks between the start of the program and a process") {
    const auto before = fork_count();
    CHECK(in_child([before] {
        if (fork_count() != before + 1) return false;
        return in_child([before] { return fork_count() == before + 2; });
    }));
    CHECK(fork_count() == before);
}

TEST_CASE_FIXTURE(polling, "fork: a child's poller leaves the parent's poller alone") {
    auto [a, b] = socket_t::pair();
    watch(a, writes);
    CHECK(in_child([this, &a = a] {
        polling own;
        own.watch(a, writes);
        own.watch(a, none);
        // The parent's poller is destroyed here, and closes no descriptor that was reused since.
        std::vector<unique_fd> others;
        for (int i = 0; i < 10; ++i) others.push_back(duplicate(a.fileno(), 0));
        poller.reset();
        for (const auto& each : others)
            if (::fcntl(each.get(), F_GETFD) < 0) return false;
        own.watch(a, writes);
        return own.wait() == answer{{a.fileno(), writes}};
    }));
    CHECK(wait() == answer{{a.fileno(), writes}});
}

TEST_CASE("make_poller: makes every mechanism of this system by its name") {
    for (const auto name : poller_names()) CHECK(make_poller(name)->name() == name);
    CHECK(poller_names().size() >= 2);
}

TEST_CASE("make_poller: an unknown name is refused with the list of names") {
    for (const auto name : {"magic", "EPOLL", "poll ", " poll", "pol", "devpoll"}) {
        try {
            make_poller(name);
            FAIL("there is a poller of the name " << name);
        } catch (const std::invalid_argument& refusal) {
            const std::string text = refusal.what();
            CHECK(text.find(name) != text.npos);
            for (const auto known : poller_names()) CHECK(text.find(known) != text.npos);
        }
    }
}

TEST_CASE("make_poller: without a name it takes ASYNCORE_POLLER or else the best mechanism") {
    for (const auto name : poller_names()) {
        const environment here(std::string(name).c_str());
        CHECK(make_poller()->name() == name);
        CHECK(make_poller("poll")->name() == "poll");
    }
    for (const char* const nothing : {"", static_cast<const char*>(nullptr)}) {
        const environment here(nothing);
        CHECK(make_poller()->name() == poller_names().front());
    }
    const environment wrong("magic");
    CHECK_THROWS_AS(make_poller(), std::invalid_argument);
}
