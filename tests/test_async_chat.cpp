// What neither CPython's tests nor a replayed script can say of async_chat and its buffers.
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>
#include <asyncore/place_set.hpp>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using asyncore::byte_buffer;
using asyncore::place_set;
using asyncore::socket_t;

namespace {

/// Notes what is sent, and sends at most `most` bytes of it.
class chat : public asynchat::async_chat {
public:
    std::vector<std::string> sends;
    std::size_t most = 100000;

    explicit chat(socket_t sock) : async_chat(std::move(sock)) { set_terminator("\n"); }

    std::size_t send(std::string_view data) override {
        sends.emplace_back(data);
        return async_chat::send(data.substr(0, most));
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override { push(_get_data() + "!"); }

    std::string queued() {
        std::string all;
        for (std::size_t at = 0; at < producer_fifo.size(); ++at)
            all += (at > 0 ? "|" : "") + std::get<byte_buffer>(producer_fifo[at]).str();
        return all;
    }
};

struct with_peer {
    std::pair<socket_t, socket_t> ends = socket_t::pair();
    socket_t& peer = ends.second;

    std::string received() {
        std::array<char, 4096> room;
        const auto [count, error] = peer.recv(room);
        return error == 0 ? std::string(room.data(), count) : "";
    }
};

}  // namespace

TEST_CASE_FIXTURE(with_peer, "without coalesce_ each push is a send") {
    chat channel(std::move(ends.first));
    peer.send("a\nb\nc\n");
    channel.handle_read();
    CHECK(channel.sends == std::vector<std::string>{"a!", "b!", "c!"});
    CHECK(received() == "a!b!c!");
}

TEST_CASE_FIXTURE(with_peer, "coalesce_ sends once what was pushed during a read") {
    chat channel(std::move(ends.first));
    channel.coalesce_ = true;
    channel.ac_out_buffer_size = 2;
    peer.send("a\nb\nc\nd");
    channel.handle_read();
    CHECK(channel.sends == std::vector<std::string>{"a!b!c!"});
    CHECK(received() == "a!b!c!");
    SUBCASE("and at once what is pushed at another time") {
        channel.push("1");
        channel.push("2");
        CHECK(channel.sends == std::vector<std::string>{"a!b!c!", "1", "2"});
    }
    SUBCASE("and the rest of a message in the next read") {
        peer.send("\n");
        channel.handle_read();
        CHECK(received() == "d!");
    }
}

TEST_CASE_FIXTURE(with_peer, "coalesce_ keeps the order of bytes, producers and the end") {
    struct mixed : chat {
        using chat::chat;
        void found_terminator() override {
            push("1");
            push_with_producer(asynchat::simple_producer("22", 1));
            push("3");
            close_when_done();
        }
    } channel(std::move(ends.first));
    channel.coalesce_ = true;
    peer.send("\n");
    channel.handle_read();
    while (channel.connected) channel.handle_write();
    CHECK(channel.sends == std::vector<std::string>{"1", "2", "2", "3"});
    CHECK(received() == "1223");
}

TEST_CASE_FIXTURE(with_peer, "a send() that pushes") {
    struct pushing : chat {
        using chat::chat;
        std::size_t send(std::string_view data) override {
            if (sends.empty()) {
                sends.emplace_back("pushes");
                push("X");
            }
            return chat::send(data.substr(0, 1));
        }
    } channel(std::move(ends.first));
    channel.push("abcdef");
    // CPython 3.11: deque([b'bcdef', b'X']), and the peer has b'aa'.
    CHECK(channel.queued() == "bcdef|X");
    CHECK(received() == "aa");
}

TEST_CASE_FIXTURE(with_peer, "a send() that discards the queue, and pushes") {
    struct discarding : chat {
        using chat::chat;
        std::size_t send(std::string_view data) override {
            sends.emplace_back(data);
            if (data == "X") return 0;
            discard_buffers();
            push("X");
            return 2;
        }
    } channel(std::move(ends.first));
    channel.push("abcdef");
    // CPython 3.11: deque([b'cdef']): what is left takes the place of whatever is first.
    CHECK(channel.sends == std::vector<std::string>{"abcdef", "X"});
    CHECK(channel.queued() == "cdef");
}

TEST_CASE_FIXTURE(with_peer, "what is left to parse can be moved to another channel") {
    struct upgrading : chat {
        using chat::chat;
        byte_buffer rest;
        void found_terminator() override { rest = std::move(ac_in_buffer); }
    } channel(std::move(ends.first));
    peer.send("UPGRADE\nthe rest");
    channel.handle_read();
    CHECK(channel.ac_in_buffer.empty());
    with_peer others;
    chat other(std::move(others.ends.first));
    others.peer.send("quite another connection's\n");
    other.handle_read();  // into the space that the first has read into
    CHECK(channel.rest.view() == "the rest");
}

TEST_CASE_FIXTURE(with_peer, "the queue, or an entry of it, can be moved away while it is sent") {
    /// As 2.5's async_chat: takes what is next out of the queue to send it by and by.
    struct refilling : chat {
        using chat::chat;
        byte_buffer ac_out_buffer;
        asynchat::fifo taken;
        void initiate_send() override {
            if (auto next = producer_fifo.pop()) ac_out_buffer = std::get<byte_buffer>(std::move(*next));
            else return;
            taken = std::move(producer_fifo);
        }
    } channel(std::move(ends.first));
    channel.ac_out_buffer_size = 8;
    {
        std::string data = "to be sent, and kept";
        channel.push(data);
        data.assign(data.size(), '?');
    }
    CHECK(channel.ac_out_buffer.view() == "to be se");
    CHECK(channel.producer_fifo.empty());
    REQUIRE(channel.taken.size() == 2);
    CHECK(std::get<byte_buffer>(channel.taken[0]).view() == "nt, and ");
    CHECK(std::get<byte_buffer>(channel.taken[1]).view() == "kept");
}

TEST_CASE_FIXTURE(with_peer, "a long delimiter is not found in what was edited meanwhile") {
    struct plain : chat {
        using chat::chat;
        int found = 0;
        void found_terminator() override { ++found; }
    } channel(std::move(ends.first));
    channel.set_terminator("0123456789");
    peer.send("01234");
    channel.handle_read();
    REQUIRE(channel.ac_in_buffer.view() == "01234");
    channel.ac_in_buffer = "abcde";
    peer.send("56789");
    channel.handle_read();
    CHECK(channel.found == 0);
    CHECK(channel._get_data() == "abcde56789");
}

TEST_CASE("byte_buffer: bytes in at the end, out at the front") {
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

TEST_CASE("byte_buffer: a part of itself") {
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
    }
    SUBCASE("clear() forgets them") {
        buffer.clear();
        CHECK(buffer.empty());
        CHECK(!buffer.borrowed());
    }
}

TEST_CASE("place_set: in order, and each once") {
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
