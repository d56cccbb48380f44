// asyncore/place_set.hpp: a set of places in the map's order.
#include <asyncore/place_set.hpp>

#include <vector>

#include <doctest/doctest.h>

using asyncore::place_set;

TEST_CASE("place_set: each() visits every place once and in order") {
    place_set set;
    CHECK(set.empty());
    for (const unsigned at : {700u, 3u, 64u, 63u, 3u, 65u}) set.add(at);
    std::vector<unsigned> found;
    set.each([&](unsigned at) { found.push_back(at); });
    CHECK(found == std::vector<unsigned>{3, 63, 64, 65, 700});
    CHECK(set.contains(64));
    CHECK(!set.contains(66));
    CHECK(!set.contains(100000));
    set.clear();
    CHECK(set.empty());
    CHECK(!set.contains(64));
    set.each([](unsigned) { FAIL("it is empty"); });
}
