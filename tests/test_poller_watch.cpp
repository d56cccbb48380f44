// platform/poller.hpp: what is watched, and what becomes of it when a descriptor is closed,
// duplicated or reused.
#include "failing_calls.hpp"
#include "pollers.hpp"
#include "sockets.hpp"

#include <asyncore/platform/poller.hpp>
#include <asyncore/platform/socket.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <cerrno>
#include <chrono>
#include <limits>
#include <optional>
#include <stdexcept>
#include <system_error>

#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using namespace std::chrono_literals;
using namespace support;
using socket_t = asyncore::platform::socket;

TEST_CASE_FIXTURE(polling, "poller: watch() replaces the earlier interest") {
    auto [a, b] = tcp_pair();
    b.send("x");
    b.send("!", MSG_OOB);
    until(a.fileno(), POLLPRI);
    until(a.fileno(), POLLIN);
    for (const auto before : combinations)
        for (const auto after : combinations) {
            CAPTURE(before);
            CAPTURE(after);
            watch(a, before);
            watch(a, after);
            CHECK(wait() == (after == none ? answer{} : answer{{a.fileno(), after}}));
            watch(a, none);
        }
}

TEST_CASE_FIXTURE(polling, "poller: an interest of none forgets a descriptor and never fails") {
    auto [a, b] = socket_t::pair();
    b.close();  // a hang-up is reported for any interest but none
    watch(a, none);
    CHECK(wait().empty());
    watch(a, reads);
    CHECK(wait().size() == 1);
    watch(a, none);
    watch(a, none);
    CHECK(wait().empty());
    const int number = a.fileno();
    watch(a, reads);
    a.close();
    CHECK_NOTHROW(watch(number, none));
    CHECK(wait().empty());
    CHECK_NOTHROW(watch(1'000'000, none));
}

TEST_CASE_FIXTURE(polling, "poller: a closed descriptor is refused or reported as invalid") {
    auto [a, b] = socket_t::pair();
    const int number = a.fileno();
    a.close();
    if (kernel_keeps_the_set()) {
        try {
            watch(number, reads);
            FAIL("it was not refused");
        } catch (const std::system_error& refusal) {
            CHECK(refusal.code() == std::errc::bad_file_descriptor);
        }
        CHECK(wait().empty());
    } else {
        watch(number, reads);
        CHECK(wait() == answer{{number, events::invalid}});
        CHECK(wait(std::nullopt) == answer{{number, events::invalid}});
        watch(number, none);
    }
    // Either way the next descriptor with this number is not affected.
    const auto again = duplicate(b.fileno(), number);
    REQUIRE(again.get() == number);
    watch(again, writes | reads);
    CHECK(wait() == answer{{number, reads | writes | hangup}});
}

TEST_CASE_FIXTURE(polling,
                  "poller: a watched descriptor that was closed hides no other descriptor") {
    auto [a, b] = socket_t::pair();
    auto [c, d] = socket_t::pair();
    d.send("x");
    const int number = a.fileno();
    watch(a, reads | writes);
    watch(c, reads);
    a.close();
    // epoll and kqueue drop it in silence; select and poll report it; all report the other one.
    auto expected = answer{{c.fileno(), reads}};
    if (!kernel_keeps_the_set()) expected[number] = events::invalid;
    CHECK(wait() == expected);
    CHECK(wait(std::nullopt) == expected);
    CHECK_NOTHROW(watch(number, none));
    CHECK(wait() == answer{{c.fileno(), reads}});
}

TEST_CASE_FIXTURE(
    polling, "poller: descriptor reuse: a new socket under a closed number has its own interest") {
    auto [a, b] = socket_t::pair();
    auto [c, d] = socket_t::pair();
    const int number = a.fileno();
    watch(a, writes);
    bool forgotten = false;
    SUBCASE("poller: descriptor reuse after the old descriptor was forgotten") {
        watch(a, none), forgotten = true;
    }
    SUBCASE("poller: descriptor reuse when the old descriptor was not forgotten") {}
    a.close();
    const auto again = duplicate(c.fileno(), number);
    REQUIRE(again.get() == number);
    if (forgotten) CHECK(wait().empty());
    watch(again, reads);
    CHECK(wait().empty());
    d.send("x");
    CHECK(wait() == answer{{number, reads}});
    watch(again, none);
    CHECK(wait().empty());
}

TEST_CASE_FIXTURE(polling,
                  "poller: no stale event comes from a closed descriptor that has a duplicate") {
    auto [a, b] = socket_t::pair();
    auto [c, d] = socket_t::pair();
    const int number = a.fileno();
    const auto twin = duplicate(number, 0);
    watch(a, reads);
    watch(c, reads);
    a.close();
    b.send("x");  // which the twin can read
    unique_fd again;
    SUBCASE("poller: no stale event once the closed number is forgotten") {
        watch(number, none);
        CHECK(wait().empty());
        CHECK(wait(20ms).empty());
    }
    SUBCASE("poller: no stale event once the closed number is reused") {
        again = duplicate(c.fileno(), number);
        REQUIRE(again.get() == number);
        watch(again, reads);
        CHECK(wait().empty());
    }
    SUBCASE("poller: no stale event once the closed number is forgotten and reused") {
        watch(number, none);
        again = duplicate(c.fileno(), number);
        REQUIRE(again.get() == number);
        watch(again, reads);
        CHECK(wait().empty());
    }
    d.send("x");
    auto expected = answer{{c.fileno(), reads}};
    if (again.get() >= 0) expected[number] = reads;
    CHECK(wait() == expected);
}

TEST_CASE_FIXTURE(polling, "poller: descriptor reuse: the same file gets its new interest") {
    auto [a, b] = socket_t::pair();
    auto twin = duplicate(a.fileno(), 200);  // 200: the poller does not get this number
    const int number = twin.get();
    watch(twin, writes);
    twin.reset();
    watch(number, none);
    CHECK(wait().empty());
    const auto again = duplicate(a.fileno(), number);
    REQUIRE(again.get() == number);
    watch(again, reads);
    CHECK(wait().empty());
    b.send("x");
    CHECK(wait() == answer{{number, reads}});
    watch(again, none);
    CHECK(wait().empty());
}

TEST_CASE_FIXTURE(polling,
                  "poller: descriptors are watched and forgotten in any order of their numbers") {
    auto [a, b] = socket_t::pair();
    const auto high = duplicate(b.fileno(), 200), higher = duplicate(b.fileno(), 300);
    watch(higher, writes);
    watch(a, writes);
    watch(high, writes);
    CHECK(wait() == answer{{a.fileno(), writes}, {high.get(), writes}, {higher.get(), writes}});
    watch(higher, none);
    CHECK(wait() == answer{{a.fileno(), writes}, {high.get(), writes}});
    watch(a, none);
    CHECK(wait() == answer{{high.get(), writes}});
    watch(high, none);
    CHECK(wait().empty());
}

TEST_CASE_FIXTURE(polling, "poller: a duplicate is a descriptor of its own") {
    auto [a, b] = socket_t::pair();
    auto twin = duplicate(a.fileno(), 0);
    watch(a, reads);
    watch(twin, writes);
    CHECK(wait() == answer{{twin.get(), writes}});
    b.send("x");
    CHECK(wait() == answer{{a.fileno(), reads}, {twin.get(), writes}});
    watch(twin, none);
    CHECK(wait() == answer{{a.fileno(), reads}});
    watch(twin, reads);
    const int number = a.fileno();
    watch(a, none);  // before it is closed: the twin keeps the file open
    a.close();
    CHECK(wait() == answer{{twin.get(), reads}});
    CHECK_NOTHROW(watch(number, none));
    CHECK(wait() == answer{{twin.get(), reads}});
}

TEST_CASE_FIXTURE(polling, "poller: two pollers watch one descriptor independently") {
    polling other;
    auto [a, b] = socket_t::pair();
    watch(a, writes);
    CHECK(other.wait().empty());
    other.watch(a, reads);
    CHECK(wait() == answer{{a.fileno(), writes}});
    CHECK(other.wait().empty());
    other.watch(a, none);
    CHECK(wait() == answer{{a.fileno(), writes}});
}

TEST_CASE_FIXTURE(polling, "poller: only select refuses a descriptor of FD_SETSIZE or more") {
    support::raise_descriptor_limit(FD_SETSIZE + 100);
    pipe_ends ends;
    put(ends.write.get(), "x");
    const auto last = duplicate(ends.read.get(), FD_SETSIZE - 1);
    const auto beyond = duplicate(ends.read.get(), FD_SETSIZE);
    REQUIRE(last.get() == FD_SETSIZE - 1);
    REQUIRE(beyond.get() == FD_SETSIZE);
    watch(last, reads);
    CHECK(wait() == answer{{last.get(), reads}});
    if (is("select")) {
        for (const auto interest : {reads, writes, priority, all})
            CHECK_THROWS_WITH_AS(watch(beyond, interest),
                                 "descriptor 1024 is out of range in select()",
                                 std::invalid_argument);
        CHECK_THROWS_AS(watch(std::numeric_limits<int>::max(), reads), std::invalid_argument);
        CHECK_NOTHROW(watch(beyond, none));
        CHECK(wait() == answer{{last.get(), reads}});
        return;
    }
    watch(beyond, reads);
    CHECK(wait() == answer{{last.get(), reads}, {beyond.get(), reads}});
    watch(last, none);
    CHECK(wait() == answer{{beyond.get(), reads}});
}

TEST_CASE_FIXTURE(polling,
                  "poller: a watch() that the system refuses (ENOMEM) forgets the descriptor") {
    auto [a, b] = socket_t::pair();
    pipe_ends ends;
    watch(a, reads);
    watch(ends.read, reads);
    bool refused = false;
    {
        const failing_epoll_ctl failing(a.fileno(), ENOMEM);
        try {
            watch(a, all);
        } catch (const std::system_error& error) {
            refused = error.code().value() == ENOMEM;
        }
    }
    CHECK(refused == kernel_keeps_the_set());  // the stand-in for kqueue uses epoll
    b.send("x");
    put(ends.write.get(), "x");
    const auto pipe_reads = answer{{ends.read.get(), reads}};
    const auto both = answer{{a.fileno(), reads | writes}, {ends.read.get(), reads}};
    CHECK(wait() == (refused ? pipe_reads : both));
    watch(a, reads);
    CHECK(wait() == answer{{a.fileno(), reads}, {ends.read.get(), reads}});
}

TEST_CASE_FIXTURE(polling,
                  "poller: a socket or a pipe that epoll refuses (EPERM) is not always ready") {
    if (!is("epoll")) return;
    auto [a, b] = socket_t::pair();
    pipe_ends ends;
    for (const int fd : {a.fileno(), ends.read.get()}) {
        CAPTURE(fd);
        {
            const failing_epoll_ctl failing(fd, EPERM);
            CHECK_THROWS_AS(poller->watch(fd, reads), std::system_error);
        }
        CHECK(wait().empty());
        poller->watch(fd, reads);
    }
    put(ends.write.get(), "x");
    CHECK(wait() == answer{{ends.read.get(), reads}});
}

TEST_CASE_FIXTURE(
    polling, "poller: a closed descriptor whose file stays open does not stop a wait where the "
             "system refuses a new set") {
    if (is("kqueue")) return;  // its stand-in uses epoll, whose calls the test has fail
    auto [a, peer_a] = socket_t::pair();
    auto [b, peer_b] = socket_t::pair();
    watch(a, reads);
    watch(b, reads);
    const unique_fd duplicate(::dup(a.fileno()));
    const int number = a.fileno();
    a.close();
    watch(number, none);
    peer_a.send("x");
    const auto is_served = [this, &b = b, &peer_b = peer_b] {
        CHECK(wait().empty());
        peer_b.send("x");
        CHECK(wait() == answer{{b.fileno(), reads}});
        CHECK(received(b) == "x");
    };
    for (const int why : {ENOMEM, EBADF}) {
        CAPTURE(why);
        const failing_epoll_ctl failing(b.fileno(), why);
        is_served();
    }
    {
        const failing_epoll_create failing(EMFILE);
        is_served();
    }
    is_served();
    watch(b, none);
    CHECK(wait().empty());
}

TEST_CASE_FIXTURE(polling, "poller: two closed descriptors, of which one has a duplicate, do not "
                           "stop a wait") {
    auto [a, peer_a] = socket_t::pair();
    auto [b, peer_b] = socket_t::pair();
    auto [c, peer_c] = socket_t::pair();
    for (const auto* each : {&a, &b, &c}) watch(*each, reads);
    const unique_fd duplicate(::dup(a.fileno()));
    const int of_a = a.fileno(), of_b = b.fileno();
    a.close();
    b.close();
    watch(of_a, none);
    peer_a.send("x");
    const auto quiet = kernel_keeps_the_set() ? answer{} : answer{{of_b, events::invalid}};
    CHECK(wait() == quiet);
    watch(of_b, none);
    peer_c.send("x");
    CHECK(wait() == answer{{c.fileno(), reads}});
}

TEST_CASE_FIXTURE(polling, "poller: a descriptor for which kqueue has no filters is always ready") {
    if (!is("kqueue")) return;
    auto [a, b] = socket_t::pair();
    for (const int why : {EINVAL, ENODEV, EOPNOTSUPP}) {
        CAPTURE(why);
        const failing_epoll_ctl failing(a.fileno(), why);  // the stand-in for kqueue uses epoll
        watch(a, all);
        CHECK(wait() == answer{{a.fileno(), reads | writes}});
        watch(a, none);
        CHECK(wait().empty());
    }
}
