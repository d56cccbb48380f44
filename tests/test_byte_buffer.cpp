// asyncore/byte_buffer.hpp: bytes that are appended at the end and consumed at the front.
#include <asyncore/byte_buffer.hpp>

#include <string>

#include <doctest/doctest.h>

using asyncore::byte_buffer;

TEST_CASE("byte_buffer: bytes are appended at the end and consumed at the front") {
    byte_buffer buffer;
    std::string model;
    for (int i = 0; i < 2000; ++i) {
        const std::string more(static_cast<std::size_t>(i % 300), static_cast<char>('a' + i % 26));
        buffer += more;
        model += more;
        const auto used = static_cast<std::size_t>(i % 7 * 60);
        buffer.consume(used);
        model.erase(0, used);
        REQUIRE(buffer.view() == model);
    }
}

TEST_CASE("byte_buffer: a part of the buffer can be appended or assigned to it") {
    byte_buffer buffer("0123456789");
    for (int i = 0; i < 10; ++i) buffer += buffer.view().substr(0, 10);
    CHECK(buffer.size() == 110);
    CHECK(buffer.view().substr(95) == "567890123456789");
    buffer = buffer.view().substr(3, 4);
    CHECK(buffer.view() == "3456");
}

TEST_CASE("byte_buffer: borrowed and lent bytes") {
    std::string owner = "abcdef";
    byte_buffer buffer;
    buffer.borrow(owner);
    CHECK(buffer.borrowed());
    buffer.consume(2);
    CHECK(buffer.view().data() == owner.data() + 2);
    SUBCASE("own() copies") {
        buffer.own();
        CHECK(!buffer.borrowed());
        owner.assign("??????");
        CHECK(buffer.view() == "cdef");
    }
    SUBCASE("append() copies") {
        buffer += "gh";
        CHECK(buffer.view() == "cdefgh");
        CHECK(owner == "abcdef");
    }
    SUBCASE("lend() and settle()") {
        buffer.own();
        const auto* data = buffer.view().data();
        auto storage = buffer.lend();
        CHECK(buffer.borrowed());
        buffer.consume(1);
        SUBCASE("take the memory back") {
            buffer.settle(storage);
            CHECK(!storage);
            CHECK(buffer.view().data() == data + 1);
        }
        SUBCASE("or copy, where the bytes lie elsewhere") {
            buffer.release();
            buffer.borrow(owner);
            buffer.settle(storage);
            CHECK(storage);
            CHECK(buffer.view().data() != owner.data());
            CHECK(buffer.view() == "abcdef");
        }
        SUBCASE("or copy, where they lie before or behind all that is on the heap") {
            static char low[] = "static";
            char high[] = "stack";
            for (const char* bytes : {low, high}) {
                buffer.release();
                buffer.borrow(bytes);
                buffer.settle(storage);
                CHECK(storage);
                CHECK(!buffer.borrowed());
                CHECK(buffer.view().data() != bytes);
                CHECK(buffer.view() == bytes);
            }
        }
    }
    SUBCASE("clear() forgets them") {
        buffer.clear();
        CHECK(buffer.empty());
        CHECK(!buffer.borrowed());
    }
}
