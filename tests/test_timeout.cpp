// platform/timeout.hpp: how long to wait, in the forms of the system calls.
#include <asyncore/platform/timeout.hpp>

#include <chrono>
#include <climits>
#include <limits>
#include <optional>
#include <stdexcept>

#include <doctest/doctest.h>

using asyncore::platform::timeout;
using namespace std::chrono_literals;

TEST_CASE("timeout: each system call's form is rounded up") {
    struct {
        timeout limit;
        int milliseconds;
        long microseconds, nanoseconds;
    } const cases[] = {
        {0.0, 0, 0, 0},
        {-0.0, 0, 0, 0},
        {1e-10, 1, 1, 1},
        {1e-9, 1, 1, 1},
        {1e-6, 1, 1, 1000},
        {0.0009, 1, 900, 900000},
        {0.001, 1, 1000, 1000000},
        {0.0011, 2, 1100, 1100000},
        {0.5, 500, 500000, 500000000},
        {1ns, 1, 1, 1},
        {1001ns, 1, 2, 1001},
        {20ms, 20, 20000, 20000000},
    };
    for (const auto& each : cases) {
        CAPTURE(each.nanoseconds);
        CHECK(each.limit.milliseconds() == each.milliseconds);
        CHECK(each.limit.timeval().tv_sec == 0);
        CHECK(each.limit.timeval().tv_usec == each.microseconds);
        CHECK(each.limit.timespec().tv_sec == 0);
        CHECK(each.limit.timespec().tv_nsec == each.nanoseconds);
    }
}

TEST_CASE("timeout: more than a day is exact in every form") {
    const timeout limit(90000.25);
    CHECK(limit.milliseconds() == 90000250);
    CHECK(limit.timeval().tv_sec == 90000);
    CHECK(limit.timeval().tv_usec == 250000);
    CHECK(limit.timespec().tv_sec == 90000);
    CHECK(limit.timespec().tv_nsec == 250000000);
    CHECK(timeout(24h).timespec().tv_sec == 86400);
}

TEST_CASE("timeout: milliseconds end at INT_MAX") {
    CHECK(timeout(2147483.647).milliseconds() == INT_MAX);
    CHECK(timeout(2147484.0).milliseconds() == INT_MAX);
    CHECK(timeout(9007199.25).milliseconds() == INT_MAX);
    CHECK(timeout(9007199.25).timespec().tv_sec == 9007199);
}

TEST_CASE("timeout: std::nullopt waits for ever") {
    const timeout limit(std::nullopt);
    CHECK(limit.forever());
    CHECK(!limit.zero());
    CHECK(limit.milliseconds() == -1);
    CHECK(limit.after(100h).forever());
}

TEST_CASE("timeout: a negative number or NaN or more than 104 days is refused") {
    for (const double seconds : {-1.0, -1e-300, -std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN()}) {
        CAPTURE(seconds);
        CHECK_THROWS_AS(timeout{seconds}, std::invalid_argument);
    }
    CHECK_THROWS_AS(timeout(-1ns), std::invalid_argument);
    for (const double seconds : {9007199.26, 1e9, std::numeric_limits<double>::max(),
                                 std::numeric_limits<double>::infinity()}) {
        CAPTURE(seconds);
        CHECK_THROWS_AS(timeout{seconds}, std::overflow_error);
    }
    CHECK_THROWS_AS(timeout{std::chrono::hours::max()}, std::overflow_error);
}

TEST_CASE("timeout: after() says how much of it is left") {
    const timeout limit(0.5);
    CHECK(!limit.forever());
    CHECK(!limit.zero());
    CHECK(limit.after(0ns).milliseconds() == 500);
    CHECK(limit.after(200ms).milliseconds() == 300);
    CHECK(limit.after(499'999'999ns).milliseconds() == 1);
    CHECK(limit.after(500ms).zero());
    CHECK(limit.after(1h).zero());
    CHECK(timeout(0.0).zero());
}

TEST_CASE("timeout: within() says whether it is no longer than another time") {
    CHECK(timeout(1s).within(1s));
    CHECK(!timeout(1s).within(999ms));
    CHECK(!timeout(std::nullopt).within(24h));
}
