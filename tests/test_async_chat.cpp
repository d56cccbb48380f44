// What neither CPython's tests nor a replayed script can say of async_chat and its buffers.
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>
#include <asyncore/place_set.hpp>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
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
            if (auto next = producer_fifo.pop())
                ac_out_buffer = std::get<byte_buffer>(std::move(*next));
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

TEST_CASE_FIXTURE(with_peer,
                  "what a send() leaves in the queue is the queue's own, whatever it does") {
    struct meddling : chat {
        using chat::chat;
        std::function<std::size_t(meddling&)> meddle;
        std::size_t send(std::string_view data) override {
            sends.emplace_back(data);
            return meddle ? std::exchange(meddle, nullptr)(*this) : 0;
        }
    } channel(std::move(ends.first));
    // The queue borrows from `data` while it is pushed.
    std::string data = "abcdef";
    const std::string early(200, 'e');
    const auto push = [&](std::function<std::size_t(meddling&)> meddle) {
        channel.meddle = std::move(meddle);
        channel.push(data);
        data.assign("??????");
    };
    const auto write = [&](std::function<std::size_t(meddling&)> meddle) {
        channel.producer_fifo.append(byte_buffer(early));
        channel.meddle = std::move(meddle);
        channel.handle_write();
    };
    SUBCASE("pushes") {
        push([](meddling& c) { return c.push("X"), 1; });
        CHECK(channel.queued() == "bcdef|X");
    }
    SUBCASE("pushes a producer") {
        push([](meddling& c) {
            c.push_with_producer(asynchat::simple_producer("X"));
            return 1;
        });
        REQUIRE(channel.producer_fifo.size() == 2);
        CHECK(std::get<byte_buffer>(channel.producer_fifo.front()).view() == "bcdef");
    }
    SUBCASE("discards, and sent some") {
        push([](meddling& c) { return c.discard_buffers(), 2; });
        CHECK(channel.queued() == "");
        CHECK(channel.producer_fifo.empty());
    }
    SUBCASE("discards, pushes as much, and sent some") {
        push([](meddling& c) { return c.discard_buffers(), c.push("123456"), 2; });
        CHECK(channel.queued() == "cdef");
    }
    SUBCASE("discards, pushes, and sent nothing") {
        push([](meddling& c) { return c.discard_buffers(), c.push("123456"), 0; });
        CHECK(channel.queued() == "123456");
    }
    SUBCASE("discards, pushes, and sent all") {
        push([](meddling& c) { return c.discard_buffers(), c.push("1|2"), 6; });
        CHECK(channel.queued() == "");
        CHECK(channel.producer_fifo.empty());
    }
    SUBCASE("puts something before it, and sent nothing") {
        write([](meddling& c) { return c.producer_fifo.appendleft(byte_buffer("Z")), 0; });
        byte_buffer other(std::string(100, '!'));  // takes what memory is free
        CHECK(channel.queued() == "Z|" + early);
    }
    SUBCASE("fails") {
        struct quiet : meddling {
            using meddling::meddling;
            void handle_error() override {}
        } other(socket_t::pair().first);
        other.producer_fifo.append(byte_buffer(early));
        other.meddle = [](meddling&) -> std::size_t {
            throw asyncore::platform::os_error(EIO, "on purpose");
        };
        CHECK_NOTHROW(other.handle_write());
        CHECK(other.queued() == early);
        other.meddle = [](meddling&) -> std::size_t { throw std::runtime_error("on purpose"); };
        CHECK_THROWS_AS(other.handle_write(), std::runtime_error);
        CHECK(other.queued() == early);
    }
    SUBCASE("sends nothing of nothing, twice") {
        channel.connected = false;
        channel.push("");
        channel.push("");
        channel.connected = true;
        channel.handle_write();
        CHECK(channel.producer_fifo.size() == 1);
        channel.handle_write();
        CHECK(channel.producer_fifo.empty());
        CHECK(channel.sends == std::vector<std::string>{"", ""});
    }
}

TEST_CASE_FIXTURE(with_peer, "what push() could not send, since send() throws, is copied") {
    struct throwing : chat {
        using chat::chat;
        std::size_t send(std::string_view) override { throw std::runtime_error("on purpose"); }
    } channel(std::move(ends.first));
    std::string data = "abcdef";
    CHECK_THROWS_AS(channel.push(data), std::runtime_error);
    data.assign("??????");
    CHECK(channel.queued() == "abcdef");
}

TEST_CASE_FIXTURE(with_peer, "a producer that discards the queue") {
    struct discarding : asynchat::producer {
        chat& channel;
        explicit discarding(chat& its_channel) : channel(its_channel) {}
        std::string more() override { return channel.discard_buffers(), ""; }
    };
    chat channel(std::move(ends.first));
    CHECK_NOTHROW(channel.push_with_producer(std::make_shared<discarding>(channel)));
    CHECK(channel.producer_fifo.empty());
}

TEST_CASE_FIXTURE(with_peer, "with coalesce_, a push at another time is a piece of its own") {
    chat channel(std::move(ends.first));
    channel.coalesce_ = true;
    channel.most = 0;
    channel.push("1");
    channel.push("2");
    CHECK(channel.queued() == "1|2");
    CHECK(channel.sends == std::vector<std::string>{"1", "1"});
}

TEST_CASE_FIXTURE(with_peer, "with coalesce_, a read that failed is over") {
    struct throwing : chat {
        using chat::chat;
        void found_terminator() override { throw std::runtime_error("on purpose"); }
    } channel(std::move(ends.first));
    channel.coalesce_ = true;
    peer.send("a\n");
    CHECK_THROWS_AS(channel.handle_read(), std::runtime_error);
    channel.push("x");
    CHECK(received() == "x");
}

TEST_CASE_FIXTURE(with_peer, "with coalesce_, a read in a read sends nothing yet") {
    struct nesting : chat {
        using chat::chat;
        bool nested = false;
        void found_terminator() override {
            chat::found_terminator();
            if (std::exchange(nested, true)) return;
            handle_read();
            CHECK(sends.empty());
        }
    } channel(std::move(ends.first));
    channel.coalesce_ = true;
    channel.ac_in_buffer_size = 2;
    peer.send("a\nb\n");
    channel.handle_read();
    CHECK(channel.sends.size() == 1);
}

TEST_CASE("a large read after a small one") {
    for (const std::uint32_t size : {1u, 100000u, 1u, 100000u}) {
        auto [ours, theirs] = socket_t::pair();
        chat channel(std::move(ours));
        channel.ac_in_buffer_size = size;
        const std::string data(50000, 'x');
        REQUIRE(theirs.send(data).count == data.size());
        channel.handle_read();
        CHECK(channel._get_data() == data.substr(0, size));
    }
}

TEST_CASE_FIXTURE(with_peer, "a long delimiter, after the buffer was edited by hand") {
    struct plain : chat {
        using chat::chat;
        std::string got;
        void found_terminator() override { got += _get_data() + "!"; }
    } channel(std::move(ends.first));
    channel.set_terminator("0123456789");
    peer.send("a01");
    channel.handle_read();
    CHECK(channel.ac_in_buffer.view() == "01");
    channel.ac_in_buffer = "xyz";
    peer.send("0123456789");
    channel.handle_read();
    CHECK(channel.got == "axyz!");
}

TEST_CASE_FIXTURE(with_peer,
                  "a hook's data is valid for the call, whatever it does to the buffers") {
    struct discarding : chat {
        using chat::chat;
        std::string got;
        void collect_incoming_data(std::string_view data) override {
            _collect_incoming_data(data);
            discard_buffers();
            const byte_buffer one(std::string(200, '!')), two(std::string(200, '!'));
            got += data;
        }
        void found_terminator() override {}
    } channel(std::move(ends.first));
    channel.set_terminator("\r\n");
    const std::string line(100, 'x');
    peer.send("\r");
    channel.handle_read();
    CHECK(channel.ac_in_buffer.view() == "\r");
    peer.send(line + "\r\n");
    channel.handle_read();
    CHECK(channel.got == "\r" + line);
    CHECK(channel.incoming.empty());
}

TEST_CASE_FIXTURE(with_peer, "a hook that shortens the buffer") {
    struct shortening : chat {
        using chat::chat;
        void collect_incoming_data(std::string_view) override { ac_in_buffer = "x"; }
    } channel(std::move(ends.first));
    channel.set_terminator("abcd");
    peer.send("zabc");
    channel.handle_read();
    CHECK(channel.ac_in_buffer.view() == "x");  // CPython: 'x'[-3:]
}

TEST_CASE("a recv() that would block is no error") {
    struct failing : chat {
        using chat::chat;
        int error = 0, errors = 0;
        std::size_t recv(std::span<char>) override {
            throw asyncore::platform::os_error(error, "recv");
        }
        void handle_error() override { ++errors; }
    } channel(socket_t::pair().first);
    // Python: BlockingIOError.
    for (const int error : {EAGAIN, EWOULDBLOCK, EINPROGRESS, EALREADY}) {
        channel.error = error;
        channel.handle_read();
        CHECK(channel.errors == 0);
    }
    channel.error = EIO;
    channel.handle_read();
    CHECK(channel.errors == 1);
}

TEST_CASE("what is refused says why") {
    asynchat::async_chat channel;
    channel.ac_out_buffer_size = 0;
    CHECK_THROWS_WITH_AS(channel.push("x"), "ac_out_buffer_size is 0", std::invalid_argument);
    CHECK_THROWS_WITH_AS(channel.set_terminator(-1),
                         "the number of received bytes must be positive", std::invalid_argument);
    CHECK_THROWS_AS(asynchat::terminator_t(~std::uint64_t{0}), std::invalid_argument);
}

TEST_CASE("terminator_t is a value") {
    using asynchat::terminator_t;
    const terminator_t all[] = {
        {asynchat::none}, {0},      {1},         {1000},       {""},
        {"\n"},           {"\r\n"}, {"0123456"}, {"01234567"}, {"a long delimiter"}};
    for (const auto& a : all) {
        for (const auto& b : all) CHECK((a == b) == (&a == &b));
        const auto copy = a;
        CHECK(copy == a);
        terminator_t assigned("something else");
        assigned = a;
        CHECK(assigned == a);
        CHECK(int{a.is_none()} + int{a.is_number()} + int{a.is_delimiter()} == 1);
        CHECK(bool(a) == (a.number() != 0 || !a.delimiter().empty()));
    }
    CHECK(terminator_t().is_none());
    CHECK(!terminator_t(asynchat::none));
    CHECK(!terminator_t(0));
    CHECK(!terminator_t(""));
    CHECK(terminator_t(1));
    CHECK(terminator_t("x"));
    CHECK(terminator_t(5).is_number());
    CHECK(terminator_t("").is_delimiter());
    CHECK(asynchat::none == asynchat::none_t());
}

TEST_CASE("find_prefix_at_end()") {
    CHECK(asynchat::find_prefix_at_end("abc", "") == 0);
    CHECK(asynchat::find_prefix_at_end("", "\r\n") == 0);
    CHECK(asynchat::find_prefix_at_end("ab\r\n", "\r\n") == 0);  // a whole one is no prefix
    CHECK(asynchat::find_prefix_at_end("aaa", "aaa") == 2);
    CHECK(asynchat::find_prefix_at_end("ab", "xab") == 0);
}

TEST_CASE("fifo: as a deque") {
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
        // Long times of growth and of decay.
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
