// platform/unique_fd.hpp: the owner of one file descriptor.
#include "support.hpp"

#include <asyncore/platform/unique_fd.hpp>

#include <utility>

#include <doctest/doctest.h>

using asyncore::platform::unique_fd;
using support::dev_null;
using support::is_open;

TEST_CASE("unique_fd: the destructor closes the descriptor") {
    int number = -1;
    {
        const auto fd = dev_null();
        number = fd.get();
        CHECK(is_open(number));
    }
    CHECK(!is_open(number));
}

TEST_CASE("unique_fd: a new one holds no descriptor") {
    unique_fd fd;
    CHECK(fd.get() == -1);
    fd.reset();
    CHECK(fd.release() == -1);
}

TEST_CASE("unique_fd: a move passes the descriptor on and closes what the target had") {
    auto a = dev_null();
    const int number = a.get();
    auto b = std::move(a);
    CHECK(a.get() == -1);  // NOLINT: that is what is tested
    CHECK(b.get() == number);
    auto c = dev_null();
    const int old = c.get();
    c = std::move(b);
    CHECK(!is_open(old));
    CHECK(c.get() == number);
    auto& same = c;
    c = std::move(same);
    CHECK(c.get() == number);
    CHECK(is_open(number));
}

TEST_CASE("unique_fd: release() gives the descriptor away and reset() takes another") {
    auto fd = dev_null();
    const int number = fd.release();
    CHECK(fd.get() == -1);
    CHECK(is_open(number));
    fd.reset(number);
    const int other = dev_null().release();
    fd.reset(other);
    CHECK(!is_open(number));
    CHECK(fd.get() == other);
}
