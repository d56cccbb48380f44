// platform/poller.hpp: how long a wait lasts.
#include "failing_calls.hpp"
#include "pollers.hpp"

#include <asyncore/platform/poller.hpp>
#include <asyncore/platform/socket.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <thread>

#include <unistd.h>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using namespace std::chrono_literals;
using namespace support;
using clock_type = std::chrono::steady_clock;
using socket_t = asyncore::platform::socket;

namespace {

volatile std::sig_atomic_t count_of_alarms = 0;
int written_to_at_fifth = -1;

}  // namespace

TEST_CASE_FIXTURE(polling, "poller: an idle wait ends no earlier than its time-out") {
    auto [a, b] = socket_t::pair();
    SUBCASE("poller: an idle wait while a descriptor is watched") { watch(a, reads); }
    SUBCASE("poller: an idle wait while nothing is watched") {}
    for (const auto limit : {0ns, 1ns, 999ns, 100'000ns, 1'000'001ns, 20'000'000ns}) {
        CAPTURE(limit.count());
        const auto start = clock_type::now();
        CHECK(wait(limit).empty());
        CHECK(clock_type::now() - start >= limit);
    }
}

TEST_CASE_FIXTURE(polling, "poller: a ready descriptor ends a wait at once") {
    auto [a, b] = socket_t::pair();
    watch(a, writes);
    for (const timeout& limit : {timeout(0.0), timeout(1e6), timeout(std::nullopt)})
        CHECK(wait(limit) == answer{{a.fileno(), writes}});
}

TEST_CASE_FIXTURE(polling,
                  "poller: a wait without a time-out ends when a descriptor becomes ready") {
    auto [a, b] = socket_t::pair();
    watch(a, reads);
    std::thread sender([&b = b] { b.send("x"); });
    CHECK(wait(std::nullopt) == answer{{a.fileno(), reads}});
    sender.join();
}

TEST_CASE_FIXTURE(polling, "poller: EINTR neither shortens a wait nor starts it anew") {
    auto [a, b] = socket_t::pair();
    watch(a, reads);
    count_of_alarms = 0;
    const alarms every_millisecond([](int) { count_of_alarms = count_of_alarms + 1; });
    const auto start = clock_type::now();
    CHECK(wait(0.05).empty());
    CHECK(clock_type::now() - start >= 50ms);
    CHECK(count_of_alarms > 0);
}

TEST_CASE_FIXTURE(polling, "poller: EINTR does not end a wait without a time-out") {
    pipe_ends ends;
    watch(ends.read, reads);
    count_of_alarms = 0;
    written_to_at_fifth = ends.write.get();
    const alarms every_millisecond([](int) {
        count_of_alarms = count_of_alarms + 1;
        if (count_of_alarms == 5) static_cast<void>(!::write(written_to_at_fifth, "x", 1));
    });
    CHECK(wait(std::nullopt) == answer{{ends.read.get(), reads}});
    CHECK(count_of_alarms >= 5);
}

TEST_CASE_FIXTURE(polling, "poller: EINTR again and again, and at once, does not end a wait") {
    if (is("kqueue")) return;  // its stand-in waits by a call that no test has fail
    auto [a, b] = socket_t::pair();
    watch(a, reads);
    b.send("x");
    const failing_waits failing(EINTR, 25);
    CHECK(wait(std::nullopt) == answer{{a.fileno(), reads}});
    CHECK(failing.failed() == 25);
}
