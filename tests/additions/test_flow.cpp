// asyncore/flow and asynchat/flow: the marks of a queue, the pause of reading, the proxy that reads only as
// fast as the other side takes, and the limit on lines.
#include "../channels.hpp"
#include "../sockets.hpp"

#include <asynchat/asynchat.hpp>
#include <asynchat/flow/flow_control.hpp>
#include <asynchat/flow/line_limited.hpp>
#include <asyncore/asyncore.hpp>
#include <asyncore/flow/flow_control.hpp>
#include <asyncore/flow/pausable.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using asyncore::alive;
using asyncore::socket_t;

namespace {

void turns(int count = 1, bool use_poll = false) {
    asyncore::loop({.timeout = 0.0, .use_poll = use_poll, .count = count});
}

struct all_closed {
    ~all_closed() { asyncore::close_all(); }
};

/// Reads what is there, and no more than `most` bytes.
std::size_t taken(socket_t& sock, std::size_t most, std::string* into = nullptr) {
    std::string room(65536, '\0');
    std::size_t all = 0;
    while (all < most) {
        const auto got = sock.recv(std::span(room).first(std::min(room.size(), most - all)));
        if (got.count == 0) break;
        if (into) into->append(room, 0, got.count);
        all += got.count;
    }
    return all;
}

}  // namespace

// --- pausable

TEST_CASE("pausable: nothing is read between pause and resume, and the loop sleeps") {
    struct reader : asyncore::pausable<> {
        using pausable::pausable;
        int reads = 0;
        std::string got;
        void handle_read() override {
            ++reads;
            got += recv(100);
        }
        bool writable() override { return false; }
    };
    for (const bool use_poll : support::both_deliveries) {
        const all_closed after;
        auto [ours, theirs] = socket_t::pair();
        const auto channel = asyncore::spawn<reader>(std::move(ours));
        theirs.send("one");
        turns(1, use_poll);
        channel->pause_reading_();
        channel->pause_reading_();
        theirs.send("two");
        turns(5, use_poll);
        channel->resume_reading_();
        CHECK(channel->is_paused_());  // each pause has to be taken back
        turns(5, use_poll);
        CHECK(channel->got == "one");
        CHECK(channel->reads == 1);
        channel->resume_reading_();
        channel->resume_reading_();  // one too many does nothing
        turns(1, use_poll);
        CHECK(channel->got == "onetwo");
    }
}

TEST_CASE("pausable: a spawned channel keeps its promise, and is not asked on every turn") {
    const all_closed after;
    auto [ours, theirs] = socket_t::pair();
    const auto chat = asyncore::spawn<asyncore::pausable<asynchat::async_chat>>(std::move(ours));
    CHECK_FALSE(chat->asked_every_turn_);
    auto [ours2, theirs2] = socket_t::pair();
    const auto flow = asyncore::spawn<asynchat::flow_control<>>(std::move(ours2));
    CHECK_FALSE(flow->asked_every_turn_);
    struct clocked : asynchat::flow_control<> {
        using flow_control::flow_control;
        bool readable() override { return flow_control::readable(); }
    };
    auto [ours3, theirs3] = socket_t::pair();
    CHECK(asyncore::spawn<clocked>(std::move(ours3))->asked_every_turn_);
}

TEST_CASE("pausable: the end of a peer is found out when reading goes on") {
    struct reader : asyncore::pausable<asynchat::async_chat> {
        using pausable::pausable;
        std::string got;
        void collect_incoming_data(std::string_view data) override { got += data; }
    };
    for (const bool use_poll : support::both_deliveries) {
        const all_closed after;
        auto [ours, theirs] = socket_t::pair();
        const auto channel = asyncore::spawn<reader>(std::move(ours));
        channel->pause_reading_();
        turns(2, use_poll);
        theirs.send("last words");
        theirs.close();
        turns(5, use_poll);
        CHECK(channel->_fileno >= 0);
        CHECK(channel->got.empty());
        channel->resume_reading_();
        turns(3, use_poll);
        CHECK(channel->got == "last words");
        CHECK(channel->_fileno == -1);
    }
}

// --- The marks.

namespace {

template <class Base>
struct marked : Base {
    using Base::Base;
    std::vector<std::string> marks;
    void handle_high_water_() override {
        marks.emplace_back("high");
        Base::handle_high_water_();
    }
    void handle_low_water_() override {
        marks.emplace_back("low");
        Base::handle_low_water_();
    }
};

using marked_chat = marked<asynchat::flow_control<>>;
using marked_dispatcher = marked<asyncore::flow_control<>>;

std::size_t queued(const asynchat::async_chat& chat) { return chat.producer_fifo.bytes(); }
std::size_t queued(const asyncore::dispatcher_with_send& each) { return each.out_buffer.size(); }
void queue(asynchat::async_chat& chat, std::string_view data) { chat.push(data); }
void queue(asyncore::dispatcher_with_send& each, std::string_view data) { each.send(data); }

}  // namespace

TEST_CASE_TEMPLATE("flow_control: each mark is reported once, when it is passed", Channel,
                   marked_chat, marked_dispatcher) {
    const all_closed after;
    auto [ours, theirs] = socket_t::pair();
    const auto channel = asyncore::spawn<Channel>(std::move(ours));
    channel->high_water_ = 50000;
    channel->low_water_ = 20000;
    const std::string data(10000, 'x');
    while (queued(*channel) <= 50000) {
        CHECK(channel->marks.empty());
        queue(*channel, data);
    }
    CHECK(channel->marks == std::vector<std::string>{"high"});
    CHECK(channel->is_paused_());
    for (int i = 0; i < 5; ++i) queue(*channel, data);
    turns(5);
    CHECK(channel->marks.size() == 1);
    while (queued(*channel) > 20000) {
        CHECK(channel->marks.size() == 1);
        taken(theirs, 30000);
        turns();
    }
    CHECK(channel->marks == std::vector<std::string>{"high", "low"});
    CHECK_FALSE(channel->is_paused_());
    while (queued(*channel) <= 50000) queue(*channel, data);
    CHECK(channel->marks.size() == 3);
}

TEST_CASE("flow_control: counts what is queued by each form of push, sent later or not") {
    const all_closed after;
    auto [ours, theirs] = socket_t::pair();
    const auto channel = asyncore::spawn<marked_chat>(std::move(ours));
    while (queued(*channel) == 0) channel->push(std::string(4096, 'x'));
    channel->high_water_ = queued(*channel) + 99999;
    SUBCASE("push()") { channel->push(std::string(100000, 'x')); }
    SUBCASE("push_with_producer() of bytes") {
        channel->push_with_producer(std::string(100000, 'x'));
    }
    SUBCASE("send_later_") {
        channel->send_later_ = true;
        channel->push(std::string(50000, 'x'));
        channel->push_with_producer(std::string(50000, 'x'));
    }
    SUBCASE("in small pieces") {
        for (int i = 0; i < 10000; ++i) channel->push("0123456789");
    }
    CHECK(channel->marks.size() == 1);
    channel->discard_buffers();
    CHECK(channel->marks.size() == 2);
}

TEST_CASE("flow_control: a low mark above the high mark counts as the high mark") {
    const all_closed after;
    auto [ours, theirs] = socket_t::pair();
    const auto channel = asyncore::spawn<marked_chat>(std::move(ours));
    while (queued(*channel) == 0) channel->push(std::string(4096, 'x'));
    channel->high_water_ = 10000;
    REQUIRE(channel->low_water_ > 10000);
    for (int i = 0; i < 4; ++i) channel->push(std::string(4096, 'x'));
    CHECK(channel->marks == std::vector<std::string>{"high"});
}

TEST_CASE("flow_control: what a producer has not made does not count") {
    const all_closed after;
    auto [ours, theirs] = socket_t::pair();
    const auto channel = asyncore::spawn<marked_chat>(std::move(ours));
    channel->high_water_ = 1000;
    channel->push_with_producer(asynchat::simple_producer(std::string(1000000, 'x')));
    turns(10);
    CHECK(channel->marks.empty());
}

TEST_CASE("flow_control: queue_limit_ ends a channel whose queue grows all the same") {
    const all_closed after;
    auto [ours, theirs] = socket_t::pair();
    const auto channel = asyncore::spawn<marked_chat>(std::move(ours));
    channel->high_water_ = 10000;
    channel->low_water_ = 5000;
    channel->queue_limit_ = 20000;
    {
        const auto quiet = support::captured_stdout();
        while (channel->_fileno >= 0) channel->push(std::string(4096, 'x'));
    }
    CHECK(channel->marks == std::vector<std::string>{"high"});
    CHECK_FALSE(channel->is_paused_());
    channel->push("more");  // to a closed channel, as in Python
    CHECK_FALSE(channel->is_paused_());
}

TEST_CASE("flow_control: a hook may destroy its channel") {
    struct fragile : asynchat::flow_control<> {
        using flow_control::flow_control;
        std::unique_ptr<fragile>* owner = nullptr;
        bool at_high = true;
        void handle_high_water_() override {
            if (at_high) owner->reset();
        }
        void handle_low_water_() override { owner->reset(); }
    };
    for (const bool at_high : {true, false}) {
        auto [ours, theirs] = socket_t::pair();
        auto channel = std::make_unique<fragile>(std::move(ours));
        channel->owner = &channel;
        channel->at_high = at_high;
        const auto push = [&] {
            while (channel && !channel->is_above_high_water_())
                channel->push(std::string(10000, 'x'));
        };
        push();
        for (int i = 0; i < 1000 && channel; ++i) {
            taken(theirs, 100000);
            turns();
        }
        CHECK_FALSE(channel);
    }
}

// --- A proxy.

namespace {

/// One side of a proxy.  It notes how much was ever queued.
class chat_side : public asynchat::flow_control<> {
public:
    std::weak_ptr<chat_side> peer;
    std::size_t most = 0;
    int reads = 0;

    explicit chat_side(socket_t sock) : flow_control(std::move(sock)) {}
    void feed(const std::shared_ptr<chat_side>& other) {
        peer = other;
        other->fed_by_ = asyncore::self(*this);
    }
    void handle_read() override {
        ++reads;
        flow_control::handle_read();
    }
    void collect_incoming_data(std::string_view data) override {
        const auto other = peer.lock();
        if (!other) return;
        other->push(data);
        other->most = std::max(other->most, queued(*other));
    }
    void handle_close() override {
        close();
        const auto other = peer.lock();
        if (other && other->_fileno >= 0) other->close_when_done();
    }
    std::size_t bound() const { return high_water_ + ac_in_buffer_size; }
};

class dispatcher_side : public asyncore::flow_control<> {
public:
    std::weak_ptr<dispatcher_side> peer;
    std::size_t most = 0;
    int reads = 0;
    bool peer_is_gone = false;

    explicit dispatcher_side(socket_t sock) : flow_control(std::move(sock)) {}
    void feed(const std::shared_ptr<dispatcher_side>& other) {
        peer = other;
        other->fed_by_ = asyncore::self(*this);
    }
    void handle_read() override {
        ++reads;
        const auto data = recv(4096);
        const auto other = peer.lock();
        if (!other || data.empty()) return;
        other->send(data);
        other->most = std::max(other->most, queued(*other));
    }
    void initiate_send() override {
        const alive still_here(*this);
        flow_control::initiate_send();
        if (still_here && peer_is_gone && out_buffer.empty()) close();
    }
    void handle_close() override {
        close();
        const auto other = peer.lock();
        if (!other) return;
        other->peer_is_gone = true;
        if (other->out_buffer.empty()) other->close();
    }
    std::size_t bound() const { return high_water_ + 4096; }
};

/// A client and a server with a proxy between them.
template <class Side>
struct proxy {
    std::pair<socket_t, socket_t> client = support::tcp_pair(), server = support::tcp_pair();
    std::shared_ptr<Side> left = asyncore::spawn<Side>(std::move(client.second));
    std::shared_ptr<Side> right = asyncore::spawn<Side>(std::move(server.second));
    bool use_poll = false;

    explicit proxy(bool poll) : use_poll(poll) {
        client.first.setblocking(false);
        server.first.setblocking(false);
        left->feed(right);
        right->feed(left);
    }
    ~proxy() { asyncore::close_all(); }

    /// Takes turns until nothing moves any more.  Returns: how many bytes the writer gave.
    std::size_t stuff(socket_t& writer, std::size_t most) {
        const std::string data(65536, 'x');
        std::size_t given = 0;
        for (int idle = 0; idle < 50;) {
            const auto count =
                given < most ? writer.send(std::string_view(data).substr(0, most - given)).count
                             : 0;
            const auto reads = left->reads + right->reads;
            turns(1, use_poll);
            given += count;
            idle = count > 0 || left->reads + right->reads > reads ? 0 : idle + 1;
        }
        return given;
    }
};

}  // namespace

TEST_CASE_TEMPLATE("flow_control: a proxy reads only as fast as the slow side takes", Side,
                   chat_side, dispatcher_side) {
    for (const bool use_poll : support::both_deliveries) {
        proxy<Side> scene(use_poll);
        auto& client = scene.client.first;
        auto& server = scene.server.first;
        constexpr std::size_t all = 32 << 20;

        // The client takes nothing: the server can give no more than what the systems and one queue hold.
        auto given = scene.stuff(server, all);
        CHECK(given < all);
        CHECK(scene.right->is_paused_());
        const auto reads = scene.right->reads;
        turns(20, use_poll);
        CHECK(scene.right->reads == reads);

        // The other direction goes on meanwhile.
        client.send("hello");
        std::string got;
        for (int i = 0; i < 100 && got.size() < 5; ++i) {
            turns(1, use_poll);
            taken(server, 100, &got);
        }
        CHECK(got == "hello");

        // The client takes all of it, at a varying pace.
        std::mt19937 random(1);
        std::size_t received = 0;
        const std::string data(65536, 'x');
        while (received < all) {
            if (given < all)
                given += server.send(std::string_view(data).substr(0, all - given)).count;
            turns(1, use_poll);
            received += taken(client, random() % 300000);
        }
        CHECK(received == all);
        CHECK(scene.left->most <= scene.left->bound());
        CHECK(scene.left->most > scene.left->high_water_);
        CHECK_FALSE(scene.right->is_paused_());
    }
}

TEST_CASE_TEMPLATE("flow_control: a proxy delivers all when the fast side has closed", Side,
                   chat_side, dispatcher_side) {
    for (const bool use_poll : support::both_deliveries) {
        proxy<Side> scene(use_poll);
        const auto given = scene.stuff(scene.server.first, 64 << 20);
        REQUIRE(scene.right->is_paused_());
        scene.server.first.close();
        std::size_t received = 0;
        while (scene.left->_fileno >= 0) {
            turns(1, use_poll);
            received += taken(scene.client.first, 100000);
        }
        while (received < given) {
            REQUIRE(support::wait_readable(scene.client.first.fileno(), std::chrono::seconds(30)));
            received += taken(scene.client.first, 100000);
        }
        CHECK(received == given);
        CHECK(asyncore::socket_map.empty());
    }
}

TEST_CASE("flow_control: a side that closes, or is destroyed, resumes the other side's reading") {
    proxy<chat_side> scene(false);
    scene.stuff(scene.server.first, 64 << 20);
    REQUIRE(scene.right->is_paused_());
    SUBCASE("close()") { scene.left->close(); }
    SUBCASE("the destructor") {
        scene.left->del_channel();
        scene.left.reset();
        turns();
    }
    CHECK_FALSE(scene.right->is_paused_());
    const auto reads = scene.right->reads;
    turns(3);
    CHECK(scene.right->reads > reads);
}

TEST_CASE("flow_control: a reader that feeds two queues waits for the slower one") {
    const all_closed after;
    auto [in, source] = socket_t::pair();
    auto [out1, slow] = socket_t::pair();
    auto [out2, slower] = socket_t::pair();
    const auto reader = asyncore::spawn<chat_side>(std::move(in));
    const auto first = asyncore::spawn<chat_side>(std::move(out1));
    const auto second = asyncore::spawn<chat_side>(std::move(out2));
    first->fed_by_ = second->fed_by_ = reader;
    for (const auto& each : {first, second})
        while (!each->is_above_high_water_()) each->push(std::string(10000, 'x'));
    while (first->is_above_high_water_()) {
        taken(slow, 100000);
        turns();
    }
    CHECK(reader->is_paused_());
    while (second->is_above_high_water_()) {
        taken(slower, 100000);
        turns();
    }
    CHECK_FALSE(reader->is_paused_());
}

// --- Lines.

namespace {

class shell : public asynchat::async_chat {
public:
    std::vector<std::string> lines;
    explicit shell(socket_t sock) : async_chat(std::move(sock)) { set_terminator("\r\n"); }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override { lines.push_back(_get_data()); }
};

class answering : public asynchat::line_limited<shell> {
public:
    using line_limited::line_limited;
    void handle_line_limit_() override {
        _get_data();
        push("500 line too long\r\n");
    }
};

}  // namespace

TEST_CASE("line_limited: a line of the limit passes, a longer one ends the connection") {
    const all_closed after;
    auto [ours, theirs] = socket_t::pair();
    const auto channel = asyncore::spawn<asynchat::line_limited<shell>>(std::move(ours));
    channel->line_limit_ = 5;
    CHECK_FALSE(channel->asked_every_turn_);
    theirs.send("12345\r\n1234");
    turns();
    CHECK(channel->lines == std::vector<std::string>{"12345"});
    theirs.send("5");
    turns();
    CHECK(channel->_fileno >= 0);
    std::string logged;
    {
        const auto log = support::captured_stdout();
        theirs.send("6\r\nnext\r\n");
        turns();
        logged = log.getvalue();
    }
    CHECK(channel->_fileno == -1);
    CHECK(channel->lines.size() == 1);
    CHECK(logged == "error: a line has more than 5 bytes\n");
}

TEST_CASE(
    "line_limited: a hook that does not close drops the line, and the next line counts anew") {
    for (const std::size_t piece : {1u, 3u, 100u}) {
        const all_closed after;
        auto [ours, theirs] = socket_t::pair();
        const auto channel = asyncore::spawn<answering>(std::move(ours));
        channel->line_limit_ = 5;
        channel->ac_in_buffer_size = static_cast<std::uint32_t>(piece);
        theirs.send("12345\r\nthis is too long\r\nalso too long\r\nshort\r\n\r\n");
        turns(60);
        CHECK(channel->lines == std::vector<std::string>{"12345", "short", ""});
        std::string got;
        taken(theirs, 1000, &got);
        CHECK(got == "500 line too long\r\n500 line too long\r\n");
    }
}

TEST_CASE("line_limited: a number of bytes, and data without a terminator, have no limit") {
    const all_closed after;
    auto [ours, theirs] = socket_t::pair();
    const auto channel = asyncore::spawn<answering>(std::move(ours));
    channel->line_limit_ = 5;
    channel->set_terminator(20);
    theirs.send("01234567890123456789");
    turns();
    channel->set_terminator("\r\n");
    theirs.send("abc\r\n");
    turns();
    CHECK(channel->lines == std::vector<std::string>{"01234567890123456789", "abc"});
    channel->set_terminator(asynchat::none);
    theirs.send("0123456789");
    turns();
    CHECK(channel->incoming.view() == "0123456789");
}

TEST_CASE("line_limited: random lines in random pieces, against a model") {
    for (unsigned seed = 0; seed < 200; ++seed) {
        CAPTURE(seed);
        const all_closed after;
        std::mt19937 random(seed);
        auto [ours, theirs] = socket_t::pair();
        const auto channel = asyncore::spawn<answering>(std::move(ours));
        channel->line_limit_ = 1 + random() % 10;
        channel->ac_in_buffer_size = static_cast<std::uint32_t>(1 + random() % 20);
        std::vector<std::string> expected;
        std::string text;
        std::size_t refused = 0;
        for (int i = 0; i < 30; ++i) {
            const std::string line(random() % 15, 'x');
            text += line + "\r\n";
            if (line.size() <= channel->line_limit_) expected.push_back(line);
            else ++refused;
        }
        theirs.send(text);
        turns(static_cast<int>(text.size()) + 1);
        REQUIRE(channel->lines == expected);
        REQUIRE(taken(theirs, 10000) == refused * 19);
    }
}
