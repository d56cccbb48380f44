// asyncore/byte_buffer.hpp: bytes that are appended at the end and consumed at the front.
#include <asyncore/byte_buffer.hpp>

#include <cstring>
#include <string>
#include <utility>

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

TEST_CASE("byte_buffer: it is a string_view where one is wanted") {
    const byte_buffer buffer("spam");
    const std::string_view all = buffer;
    CHECK(all == "spam");
}

TEST_CASE("byte_buffer: a part of the buffer can be appended or assigned to it") {
    byte_buffer buffer("0123456789");
    for (int i = 0; i < 10; ++i) buffer += buffer.view().substr(0, 10);
    CHECK(buffer.size() == 110);
    CHECK(buffer.view().substr(95) == "567890123456789");
    buffer = buffer.view().substr(3, 4);
    CHECK(buffer.view() == "3456");
}

TEST_CASE("byte_buffer: held bytes stay as they are, whatever the buffer does") {
    byte_buffer buffer("abcdef");
    buffer.consume(2);
    const auto* const data = buffer.view().data();
    {
        const asyncore::held_bytes held(buffer);
        CHECK(held.view().data() == data);
        SUBCASE("append") {
            buffer += "gh";
            CHECK(buffer.view() == "cdefgh");
        }
        SUBCASE("append until the memory is used up") {
            for (int i = 0; i < 1000; ++i) buffer += "gh";
            CHECK(buffer.size() == 2004);
        }
        SUBCASE("clear, and append other bytes") {
            buffer.clear();
            buffer += "????";
            CHECK(buffer.view() == "????");
        }
        SUBCASE("consume all, and take the memory for another buffer") {
            buffer.consume(4);
            const byte_buffer other("????");
            CHECK(buffer.empty());
        }
        SUBCASE("assign") { buffer = "????"; }
        SUBCASE("adopt") { buffer.adopt("????"); }
        SUBCASE("move away") {
            byte_buffer other = std::move(buffer);
            CHECK(other.view() == "cdef");
            CHECK(other.view().data() != data);  // two threads never share a block
            CHECK(buffer.empty());
            other.clear();
            other += "????";
        }
        SUBCASE("unshare") {
            buffer.unshare();
            CHECK(buffer.view() == "cdef");
            CHECK(buffer.view().data() != data);
        }
        CHECK(held.view() == "cdef");
        CHECK(held.size() == 4);
    }
}

TEST_CASE("byte_buffer: a buffer of held bytes shares their memory") {
    byte_buffer buffer("abcdef");
    const auto* const data = buffer.view().data();
    byte_buffer rest;
    {
        const asyncore::held_bytes held(buffer);
        buffer.release();
        byte_buffer shared(held, 2);
        CHECK(shared.view() == "cdef");
        CHECK(shared.view().data() == data + 2);
        rest = std::move(shared);
    }
    CHECK(rest.view() == "cdef");
    rest.unshare();  // it is the only user, so nothing is copied
    CHECK(rest.view() == "cdef");
    CHECK(byte_buffer(asyncore::held_bytes(byte_buffer()), 0).empty());
}

TEST_CASE("read_block: an empty buffer takes the bytes that were read without a copy") {
    byte_buffer buffer;
    {
        asyncore::read_block block(100);
        CHECK(block.span().size() == 100);
        std::memcpy(block.span().data(), "abcdef", 6);
        SUBCASE("empty") {
            block.append_to(buffer, 6);
            CHECK(buffer.view().data() == block.span().data());
            asyncore::read_block nested(100);
            CHECK(nested.span().data() != block.span().data());
        }
        SUBCASE("not empty") {
            buffer += "ab";
            buffer.consume(2);
            buffer += "x";
            buffer.consume(0);
            block.append_to(buffer, 6);
            CHECK(buffer.view() == "xabcdef");
            buffer.consume(1);
        }
    }
    asyncore::read_block later(100);
    std::memset(later.span().data(), '?', 100);
    CHECK(buffer.view() == "abcdef");  // it keeps the block
}
