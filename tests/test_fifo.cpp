// asynchat/fifo.hpp: the queue of what is to be sent.
#include <asynchat/fifo.hpp>

#include <deque>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include <doctest/doctest.h>

using asyncore::byte_buffer;

TEST_CASE("fifo: behaves as std::deque over 20000 random operations") {
    asynchat::fifo queue;
    std::deque<std::string> model;
    CHECK_THROWS_AS(queue.popleft(), std::out_of_range);
    CHECK(!queue.pop());
    std::mt19937 random(1);
    const auto text = [](const asynchat::fifo::entry& each) {
        return std::get<byte_buffer>(each).str();
    };
    for (int i = 0; i < 20000; ++i) {
        const auto what = random() % 16;
        const auto data = std::to_string(i);
        // The queue grows for 1000 rounds, then shrinks for 1000.
        if (what < (i / 1000 % 2 != 0 ? 4u : 9u)) {
            queue.append(byte_buffer(data));
            model.push_back(data);
        } else if (what < 11) {
            queue.appendleft(byte_buffer(data));
            model.push_front(data);
        } else if (!model.empty()) {
            REQUIRE(text(queue.popleft()) == model.front());
            model.pop_front();
        }
        REQUIRE(queue.size() == model.size());
        REQUIRE(queue.empty() == model.empty());
        if (model.empty()) continue;
        REQUIRE(text(queue.front()) == model.front());
        REQUIRE(text(queue.back()) == model.back());
        REQUIRE(text(queue[model.size() / 2]) == model[model.size() / 2]);
    }
    asynchat::fifo other;
    other.append(byte_buffer("x"));
    other = std::move(queue);
    CHECK(other.size() == model.size());
    while (!model.empty()) {
        REQUIRE(text(*other.pop()) == model.front());
        model.pop_front();
    }
    CHECK(!other);
    other.appendleft(byte_buffer("y"));
    CHECK(text(other.front()) == "y");
    other.clear();
    CHECK(other.is_empty());
    asynchat::fifo fresh;
    fresh.appendleft(byte_buffer("z"));
    CHECK(text(fresh.first()) == "z");
}

TEST_CASE("fifo: a queue that is moved takes its entries along") {
    asynchat::fifo queue;
    queue.push(byte_buffer("x"));
    asynchat::fifo other(std::move(queue));
    CHECK(std::get<byte_buffer>(other.front()).str() == "x");
    CHECK(queue.empty());
    queue.push(byte_buffer("y"));
    CHECK(other.size() == 1);
    queue = asynchat::fifo();
    CHECK(queue.empty());
}

TEST_CASE("fifo: bytes() counts bytes, and not what producers will make") {
    asynchat::fifo queue;
    CHECK(queue.bytes() == 0);
    queue.append(byte_buffer("spam"));
    queue.append(std::make_shared<asynchat::simple_producer>("eggs"));
    queue.append(asynchat::none);
    queue.append(byte_buffer("!"));
    CHECK(queue.bytes() == 5);
}
