// asynchat/terminator.hpp: how many bytes at the end may begin a terminator.
#include <asynchat/terminator.hpp>

#include <doctest/doctest.h>

TEST_CASE("find_prefix_at_end: a partial terminator is counted and a whole one is not") {
    CHECK(asynchat::find_prefix_at_end("abc", "") == 0);
    CHECK(asynchat::find_prefix_at_end("", "\r\n") == 0);
    CHECK(asynchat::find_prefix_at_end("ab\r\n", "\r\n") == 0);  // a whole terminator
    CHECK(asynchat::find_prefix_at_end("aaa", "aaa") == 2);
    CHECK(asynchat::find_prefix_at_end("ab", "xab") == 0);
}
