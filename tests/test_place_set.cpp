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

TEST_CASE("place_set: take_each() takes out what it visits, and what is added behind it") {
    place_set set;
    for (const unsigned at : {700u, 3u, 64u, 63u}) set.add(at);
    std::vector<unsigned> visited;
    set.take_each(700, [&](unsigned at) {
        CHECK(!set.contains(at));
        visited.push_back(at);
        if (at == 63) {
            for (const unsigned more : {0u, 63u, 65u, 900u}) set.add(more);
        }
    });
    CHECK(visited == std::vector<unsigned>{3, 63, 64, 65});
    std::vector<unsigned> left;
    set.each([&](unsigned at) { left.push_back(at); });
    CHECK(left == std::vector<unsigned>{0, 63, 700, 900});
    set.take_each(1000, [](unsigned) {});
    CHECK(set.empty());
    set.take_each(1000, [](unsigned) { FAIL("it is empty"); });
}
