// asynchat/async_chat.hpp, where neither CPython's tests nor a replayed script can tell: what a
// hook, a send() or a producer may do to the buffers, and coalesce_.
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <array>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using asyncore::byte_buffer;
using asyncore::socket_t;

namespace {

/// Notes what is given to send(), and sends at most `most` bytes of it.
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

TEST_CASE(
    "async_chat: a class that lacks collect_incoming_data() or found_terminator() is told so") {
    with_peer ends;
    asynchat::async_chat bare(std::move(ends.ends.first));
    CHECK_THROWS_AS(bare.collect_incoming_data("x"), asyncore::NotImplementedError);
    CHECK_THROWS_AS(bare.found_terminator(), asyncore::NotImplementedError);
}

// ---------------------------------------------------------------------------
// Receiving.
// ---------------------------------------------------------------------------

TEST_CASE("async_chat: each channel reads up to its own ac_in_buffer_size") {
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

TEST_CASE("async_chat: a number that is less than what its hook was given counts from the end") {
    struct numbered : chat {
        using chat::chat;
        std::vector<std::string> pieces;
        int found = 0;
        void collect_incoming_data(std::string_view data) override {
            pieces.emplace_back(data);
            if (pieces.size() == 1) set_terminator(1);
        }
        void found_terminator() override { ++found; }
    };
    with_peer ends;
    numbered channel(std::move(ends.ends.first));
    channel.set_terminator(100);
    ends.peer.send("0123456789");
    channel.handle_read();
    CHECK(channel.terminator == asynchat::terminator_t(-9));
    ends.peer.send("abcde");
    channel.handle_read();
    // Python: data[:-9] is b'', and data[-9:] is all of it.
    CHECK(channel.pieces == std::vector<std::string>{"0123456789", "", "abcde"});
    CHECK(channel.found == 1);
}

TEST_CASE("async_chat: a recv() that throws EAGAIN is not an error") {
    struct failing : chat {
        using chat::chat;
        int error = 0, errors = 0;
        std::size_t recv(std::span<char>) override {
            throw asyncore::platform::os_error(error, "recv");
        }
        void handle_error() override { ++errors; }
    } channel(socket_t::pair().first);
    // All of these are Python's BlockingIOError.
    for (const int error : {EAGAIN, EWOULDBLOCK, EINPROGRESS, EALREADY}) {
        channel.error = error;
        channel.handle_read();
        CHECK(channel.errors == 0);
    }
    channel.error = EIO;
    channel.handle_read();
    CHECK(channel.errors == 1);
}

TEST_CASE_FIXTURE(
    with_peer,
    "async_chat: ac_in_buffer can be moved away in found_terminator() and keeps its bytes") {
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
    other.handle_read();  // into the memory that the first channel has read into
    CHECK(channel.rest.view() == "the rest");
}

TEST_CASE_FIXTURE(with_peer,
                  "async_chat: a partial terminator is forgotten when ac_in_buffer is replaced") {
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
                  "async_chat: a long delimiter is found after ac_in_buffer was replaced") {
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
                  "async_chat: a hook that shortens ac_in_buffer leaves what Python leaves") {
    struct shortening : chat {
        using chat::chat;
        void collect_incoming_data(std::string_view) override { ac_in_buffer = "x"; }
    } channel(std::move(ends.first));
    channel.set_terminator("abcd");
    peer.send("zabc");
    channel.handle_read();
    CHECK(channel.ac_in_buffer.view() == "x");  // CPython: 'x'[-3:]
}

TEST_CASE_FIXTURE(
    with_peer,
    "async_chat: a hook's data stays valid during the call though it discards the buffers") {
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

TEST_CASE("async_chat: an impossible buffer size or terminator is refused with the reason") {
    asynchat::async_chat channel;
    channel.ac_out_buffer_size = 0;
    CHECK_THROWS_WITH_AS(channel.push("x"), "ac_out_buffer_size is 0", std::invalid_argument);
    CHECK_THROWS_WITH_AS(channel.set_terminator(-1),
                         "the number of received bytes must be positive", std::invalid_argument);
    CHECK_THROWS_AS(asynchat::terminator_t(~std::uint64_t{0}), std::invalid_argument);
}

// ---------------------------------------------------------------------------
// Sending.
// ---------------------------------------------------------------------------

TEST_CASE_FIXTURE(with_peer,
                  "async_chat: a push() inside send() goes behind the rest of a short write") {
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
    // CPython 3.11: the queue is deque([b'bcdef', b'X']), and the peer has received b'aa'.
    CHECK(channel.queued() == "bcdef|X");
    CHECK(received() == "aa");
}

TEST_CASE_FIXTURE(
    with_peer,
    "async_chat: a send() that discards the queue and pushes leaves the queue as in Python") {
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
    // CPython 3.11: the queue is deque([b'cdef']): the rest replaces the first entry.
    CHECK(channel.sends == std::vector<std::string>{"abcdef", "X"});
    CHECK(channel.queued() == "cdef");
}

TEST_CASE_FIXTURE(
    with_peer,
    "async_chat: the queue owns what a short write left whatever send() does meanwhile") {
    struct meddling : chat {
        using chat::chat;
        std::function<std::size_t(meddling&)> meddle;
        std::size_t send(std::string_view data) override {
            sends.emplace_back(data);
            return meddle ? std::exchange(meddle, nullptr)(*this) : 0;
        }
    } channel(std::move(ends.first));
    // push() may lend `data` to the queue, so `data` is overwritten when push() returns.
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
    SUBCASE("async_chat: short write of 1 byte by a send() that pushes bytes") {
        push([](meddling& c) { return c.push("X"), 1; });
        CHECK(channel.queued() == "bcdef|X");
    }
    SUBCASE("async_chat: short write of 1 byte by a send() that pushes a producer") {
        push([](meddling& c) {
            c.push_with_producer(asynchat::simple_producer("X"));
            return 1;
        });
        REQUIRE(channel.producer_fifo.size() == 2);
        CHECK(std::get<byte_buffer>(channel.producer_fifo.front()).view() == "bcdef");
    }
    SUBCASE("async_chat: short write of 2 bytes by a send() that discards the queue") {
        push([](meddling& c) { return c.discard_buffers(), 2; });
        CHECK(channel.queued() == "");
        CHECK(channel.producer_fifo.empty());
    }
    SUBCASE("async_chat: short write of 2 bytes by a send() that discards the queue and pushes") {
        push([](meddling& c) { return c.discard_buffers(), c.push("123456"), 2; });
        CHECK(channel.queued() == "cdef");
    }
    SUBCASE("async_chat: write of 0 bytes by a send() that discards the queue and pushes") {
        push([](meddling& c) { return c.discard_buffers(), c.push("123456"), 0; });
        CHECK(channel.queued() == "123456");
    }
    SUBCASE("async_chat: full write by a send() that discards the queue and pushes") {
        push([](meddling& c) { return c.discard_buffers(), c.push("1|2"), 6; });
        CHECK(channel.queued() == "");
        CHECK(channel.producer_fifo.empty());
    }
    SUBCASE("async_chat: write of 0 bytes by a send() that puts an entry in front") {
        write([](meddling& c) { return c.producer_fifo.appendleft(byte_buffer("Z")), 0; });
        byte_buffer other(std::string(100, '!'));  // takes the memory that is free
        CHECK(channel.queued() == "Z|" + early);
    }
    SUBCASE("async_chat: a send() that throws leaves all bytes in the queue") {
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
    SUBCASE("async_chat: an empty entry is sent as an empty write") {
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

TEST_CASE_FIXTURE(with_peer, "async_chat: push() copies its bytes when send() throws") {
    struct throwing : chat {
        using chat::chat;
        std::size_t send(std::string_view) override { throw std::runtime_error("on purpose"); }
    } channel(std::move(ends.first));
    std::string data = "abcdef";
    CHECK_THROWS_AS(channel.push(data), std::runtime_error);
    data.assign("??????");
    CHECK(channel.queued() == "abcdef");
}

TEST_CASE_FIXTURE(with_peer, "async_chat: a producer may discard the queue in more()") {
    struct discarding : asynchat::producer {
        chat& channel;
        explicit discarding(chat& its_channel) : channel(its_channel) {}
        std::string more() override { return channel.discard_buffers(), ""; }
    };
    chat channel(std::move(ends.first));
    CHECK_NOTHROW(channel.push_with_producer(std::make_shared<discarding>(channel)));
    CHECK(channel.producer_fifo.empty());
}

TEST_CASE_FIXTURE(with_peer,
                  "async_chat: producer_fifo and an entry of it can be moved away during push()") {
    /// As in Python 2.5: takes the next entry out of the queue to send it piece by piece.
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

// ---------------------------------------------------------------------------
// coalesce_.
// ---------------------------------------------------------------------------

TEST_CASE_FIXTURE(with_peer, "coalesce_: without it each push() is one send()") {
    chat channel(std::move(ends.first));
    peer.send("a\nb\nc\n");
    channel.handle_read();
    CHECK(channel.sends == std::vector<std::string>{"a!", "b!", "c!"});
    CHECK(received() == "a!b!c!");
}

TEST_CASE_FIXTURE(with_peer, "coalesce_: all that is pushed during one read leaves in one send()") {
    chat channel(std::move(ends.first));
    channel.coalesce_ = true;
    channel.ac_out_buffer_size = 2;
    peer.send("a\nb\nc\nd");
    channel.handle_read();
    CHECK(channel.sends == std::vector<std::string>{"a!b!c!"});
    CHECK(received() == "a!b!c!");
    SUBCASE("coalesce_: a push() outside of a read is sent at once") {
        channel.push("1");
        channel.push("2");
        CHECK(channel.sends == std::vector<std::string>{"a!b!c!", "1", "2"});
    }
    SUBCASE("coalesce_: the next read sends what is pushed during it") {
        peer.send("\n");
        channel.handle_read();
        CHECK(received() == "d!");
    }
}

TEST_CASE_FIXTURE(with_peer,
                  "coalesce_: bytes and producers and close_when_done() keep their order") {
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

TEST_CASE_FIXTURE(with_peer, "coalesce_: a push() outside of a read is an entry of its own") {
    chat channel(std::move(ends.first));
    channel.coalesce_ = true;
    channel.most = 0;
    channel.push("1");
    channel.push("2");
    CHECK(channel.queued() == "1|2");
    CHECK(channel.sends == std::vector<std::string>{"1", "1"});
}

TEST_CASE_FIXTURE(with_peer, "coalesce_: after a read that threw push() sends at once") {
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

TEST_CASE_FIXTURE(with_peer, "coalesce_: a nested read sends nothing before the outer read ends") {
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

// ---------------------------------------------------------------------------
// Producers whose destructor is not harmless.
// ---------------------------------------------------------------------------

namespace {

/// Has nothing to send, and calls `act` when it is destroyed.
struct dying_producer : asynchat::producer {
    std::function<void()> act;
    explicit dying_producer(std::function<void()> what) : act(std::move(what)) {}
    ~dying_producer() override { act(); }
    std::string more() override { return ""; }
};

}  // namespace

TEST_CASE_FIXTURE(with_peer, "producer: the destructor of a producer may destroy the channel") {
    auto channel = std::make_unique<chat>(std::move(ends.first));
    channel->connected = false;  // so that the producer waits
    channel->push_with_producer(std::make_shared<dying_producer>([&] { channel.reset(); }));
    auto& alias = *channel;
    SUBCASE("initiate_send") {
        alias.connected = true;
        alias.initiate_send();
    }
    SUBCASE("discard_buffers") { alias.discard_buffers(); }
    SUBCASE("init") { alias.init(socket_t()); }
    CHECK(!channel);
}

TEST_CASE_FIXTURE(with_peer, "producer: the destructor of a producer may push") {
    chat channel(std::move(ends.first));
    channel.connected = false;
    channel.push_with_producer(std::make_shared<dying_producer>([&] { channel.push("bye"); }));
    channel.push("last");
    channel.connected = true;
    SUBCASE("del_first") {
        channel.producer_fifo.del_first();
        channel.initiate_send();
    }
    SUBCASE("initiate_send") { channel.initiate_send(); }
    while (!channel.producer_fifo.empty()) channel.initiate_send();
    CHECK(received() == "lastbye");
}

TEST_CASE_FIXTURE(with_peer,
                  "coalesce_: what an override of send() pushes during a read is not lost") {
    struct pushing : chat {
        using chat::chat;
        std::size_t send(std::string_view data) override {
            const auto count = chat::send(data);
            if (sends.size() == 1) push("pushed");
            return count;
        }
        void found_terminator() override {
            push(_get_data());
            initiate_send();
        }
    } channel(std::move(ends.first));
    channel.coalesce_ = true;
    peer.send("a\n");
    channel.handle_read();
    CHECK(received() == "apushed");
}

TEST_CASE("promise: a channel that takes its promise back in a hook is asked again") {
    asyncore::channel_map map;
    map.check_promises = false;
    auto [a, b] = socket_t::pair();
    auto [c, d] = socket_t::pair();
    struct acting : asynchat::async_chat {
        std::function<void()> act;
        acting(socket_t sock, asyncore::channel_map* in) : async_chat(std::move(sock), in) {}
        void handle_read() override { act(); }
    };
    const auto idle = asyncore::spawn<acting>(std::move(a), &map);
    const auto other = asyncore::spawn<acting>(std::move(c), &map);
    other->act = [&] {
        other->recv(10);
        idle->asked_every_turn_ = true;
        idle->close_when_done();
    };
    d.send("x");
    asyncore::loop(0.0, false, &map, 3);
    CHECK(!map.contains(idle->_fileno));
    CHECK(idle->_fileno == -1);
}

// ---------------------------------------------------------------------------
// A push() to many sessions, one of which has lost its peer.

namespace {

struct session : asynchat::async_chat {
    std::vector<session*>& sessions;
    bool closed_in_push = false;
    bool* pushing;
    session(socket_t sock, asyncore::channel_map* map, std::vector<session*>& all, bool* push_runs)
        : async_chat(std::move(sock), map), sessions(all), pushing(push_runs) {
        set_terminator("\n");
        sessions.push_back(this);
    }
    void collect_incoming_data(std::string_view) override {}
    void found_terminator() override {}
    void handle_close() override {
        closed_in_push = *pushing;
        std::erase(sessions, this);
        close();
    }
};

}  // namespace

TEST_CASE("broadcast: each session gets the line although one session has lost its peer") {
    bool later = false;
    SUBCASE("broadcast: over a copy of the list of sessions") {}
    SUBCASE("broadcast: with send_later_, over the list itself") { later = true; }
    asyncore::channel_map map;
    std::vector<session*> sessions;
    std::vector<socket_t> peers;
    std::vector<std::shared_ptr<session>> made;
    bool pushing = false;
    for (int i = 0; i < 5; ++i) {
        auto [ours, theirs] = socket_t::pair();
        made.push_back(asyncore::spawn<session>(std::move(ours), &map, sessions, &pushing));
        made.back()->send_later_ = later;
        peers.push_back(std::move(theirs));
    }
    peers[1].close();
    pushing = true;
    if (later) {
        for (auto* each : sessions) each->push("news\n");
    } else {
        const auto copy = sessions;
        for (auto* each : copy) each->push("news\n");
    }
    pushing = false;
    asyncore::loop(0.0, false, &map, 2);
    CHECK(sessions.size() == 4);
    CHECK(made[1]->closed_in_push == !later);
    for (const int i : {0, 2, 3, 4}) {
        std::array<char, 100> room;
        CHECK(peers[static_cast<std::size_t>(i)].recv(room).count == 5);
    }
}

TEST_CASE_FIXTURE(with_peer,
                  "async_chat: a producer that is null closes the channel, as in Python") {
    chat channel(std::move(ends.first));
    channel.push_with_producer(std::shared_ptr<asynchat::producer>());
    CHECK(!channel.socket);
}

TEST_CASE("queue_limit_: a channel may be destroyed while it sends, and while it is told") {
    struct dying : chat {
        using chat::chat;
        std::unique_ptr<dying>* owner = nullptr;
        bool while_it_sends = false;
        std::size_t send(std::string_view) override {
            if (while_it_sends) owner->reset();
            return 0;
        }
        void log_info(std::string_view, std::string_view) override { owner->reset(); }
    };
    for (const bool while_it_sends : {false, true}) {
        CAPTURE(while_it_sends);
        auto owner = std::make_unique<dying>(socket_t::pair().first);
        owner->owner = &owner;
        owner->while_it_sends = while_it_sends;
        owner->queue_limit_ = 1;
        owner->push("xx");
        CHECK(!owner);
    }
}

TEST_CASE("send_later_: a queue over its limit is reported by the turn that sends") {
    struct limited : session {
        using session::session;
        int over = 0;
        void handle_queue_limit_() override { ++over; }
    };
    asyncore::channel_map map;
    std::vector<session*> sessions;
    bool pushing = false;
    auto [ours, theirs] = socket_t::pair();
    limited chat(std::move(ours), &map, sessions, &pushing);
    chat.send_later_ = true;
    chat.queue_limit_ = 1000;
    chat.push(std::string(1000000, 'x'));
    CHECK(chat.over == 0);
    asyncore::loop(0.0, false, &map, 1);
    CHECK(chat.over == 1);
}

// ---------------------------------------------------------------------------
// A producer that is not done, and has no bytes yet.
// ---------------------------------------------------------------------------

namespace {

struct unfinished : asynchat::producer {
    std::string bytes;
    bool done = false;
    int asked = 0;
    std::string more() override {
        ++asked;
        return std::exchange(bytes, {});
    }
    bool not_done_yet_() override { return !done; }
};

/// Counts the events that it gets.  It keeps the promise of asked_every_turn_, as spawn() would have it.
struct waiting_chat : chat {
    int writes = 0;
    explicit waiting_chat(socket_t sock) : chat(std::move(sock)) { asked_every_turn_ = false; }
    void handle_write() override {
        ++writes;
        chat::handle_write();
    }
    void turns(int count = 1) { asyncore::loop({.timeout = 0.0, .count = count}); }
};

}  // namespace

TEST_CASE_FIXTURE(with_peer,
                  "not_done_yet_: the queue waits for more_to_send_(), and does not spin") {
    waiting_chat channel(std::move(ends.first));
    const auto source = std::make_shared<unfinished>();
    SUBCASE("sent at once") {}
    SUBCASE("sent later") { channel.send_later_ = true; }
    channel.push_with_producer(source);
    channel.push("behind");
    channel.close_when_done();
    channel.turns();
    const auto asked = source->asked;
    const auto writes = channel.writes;
    channel.turns(20);
    CHECK(source->asked == asked);
    CHECK(channel.writes == writes);
    CHECK_FALSE(channel.writable());

    source->bytes = "first";
    channel.more_to_send_();
    channel.turns(2);
    CHECK(received() == "first");
    CHECK_FALSE(channel.writable());

    source->done = true;
    channel.more_to_send_();
    channel.turns(3);
    CHECK(received() == "behind");
    CHECK(channel._fileno == -1);
}

TEST_CASE_FIXTURE(with_peer, "not_done_yet_: the channel reads while its queue waits") {
    waiting_chat channel(std::move(ends.first));
    channel.push_with_producer(std::make_shared<unfinished>());
    peer.send("a\nb\n");
    channel.turns();
    CHECK(channel.producer_fifo.size() == 3);
    CHECK(channel.sends.empty());
}

TEST_CASE_FIXTURE(with_peer, "not_done_yet_: what replaces the producer that waits is sent") {
    waiting_chat channel(std::move(ends.first));
    channel.send_later_ = true;
    channel.push_with_producer(std::make_shared<unfinished>());
    channel.turns(2);
    REQUIRE_FALSE(channel.writable());
    SUBCASE("bytes at the front") {
        channel.producer_fifo.popleft();
        channel.producer_fifo.append_bytes("raw");
    }
    SUBCASE("another producer after discard_buffers()") {
        channel.discard_buffers();
        channel.push_with_producer(asynchat::simple_producer("raw"));
    }
    channel.interest_changed_();
    channel.turns(2);
    CHECK(received() == "raw");
}

TEST_CASE_FIXTURE(with_peer,
                  "not_done_yet_: a producer that discards its own queue ends nothing else") {
    struct discarding : unfinished {
        chat* owner = nullptr;
        std::string more() override {
            owner->discard_buffers();
            return "";
        }
    };
    waiting_chat channel(std::move(ends.first));
    const auto source = std::make_shared<discarding>();
    source->owner = &channel;
    channel.push_with_producer(source);
    CHECK(channel.producer_fifo.empty());
    channel.push("next");
    CHECK(received() == "next");
}

TEST_CASE_FIXTURE(with_peer, "not_done_yet_: an override of writable() that is always true rests") {
    struct eager : waiting_chat {
        using waiting_chat::waiting_chat;
        bool writable() override { return true; }
    } channel(std::move(ends.first));
    channel.asked_every_turn_ = true;
    channel.push_with_producer(std::make_shared<unfinished>());
    channel.turns(10);
    CHECK(channel.writes == 10);
    CHECK(asyncore::socket_map.deadline() != asyncore::channel_map::never);
}

TEST_CASE_FIXTURE(with_peer, "not_done_yet_: more() may destroy the channel") {
    struct deadly : unfinished {
        std::unique_ptr<waiting_chat>* owner = nullptr;
        std::string more() override {
            owner->reset();
            return "";
        }
    };
    auto channel = std::make_unique<waiting_chat>(std::move(ends.first));
    const auto source = std::make_shared<deadly>();
    source->owner = &channel;
    channel->push_with_producer(source);
    CHECK_FALSE(channel);
}

TEST_CASE_FIXTURE(with_peer,
                  "async_chat: push() of a literal sends its zero bytes, of a variable its text") {
    chat c(std::move(ends.first));
    char text[8] = "text";
    c.push("ready\0");
    c.push(text);
    c.push_with_producer("a\0b");
    c.push_with_producer(text);
    c.push_with_producer(asynchat::simple_producer("x\0y"));
    c.push_with_producer(asynchat::simple_producer(text));
    while (!c.producer_fifo.empty()) c.initiate_send();
    const std::string_view wanted("ready\0texta\0btextx\0ytext", 24);
    CHECK(received() == wanted);
}
