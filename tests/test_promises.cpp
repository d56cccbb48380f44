// A channel that promises to report when the answers of its predicates change need not be asked on
// every turn (D14); see asked_every_turn_ in asyncore/channel.hpp.
#include "channels.hpp"
#include "support.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::channel_map;
using asyncore::socket_t;
using asyncore::platform::unique_fd;
using support::both_deliveries;

namespace {

/// Overrides no predicate, so spawn() makes the promise for it.
struct plain : asynchat::async_chat {
    using async_chat::async_chat;
    std::function<void()> act;
    std::size_t most = 0;  // bytes that one send() takes
    std::size_t received = 0;
    std::size_t send(std::string_view data) override {
        return async_chat::send(data.substr(0, most));
    }
    void handle_read() override {
        if (act) return std::exchange(act, nullptr)();
        received += recv(65536).size();
    }
    void handle_connect() override {}
};
struct plain_sender : asyncore::dispatcher_with_send {
    using dispatcher_with_send::dispatcher_with_send;
    void handle_connect() override {}
    void handle_read() override { recv(100); }
};

/// Has a hook of one channel call `act` on another channel, in a loop that checks all promises.
template <class Channel>
void check_reported(const std::function<void(Channel&)>& prepare,
                    const std::function<void(Channel&)>& act) {
    for (const bool use_poll : both_deliveries) {
        CAPTURE(use_poll);
        channel_map map;
        map.check_promises = true;
        map.mechanism();  // the first turn after a poller is made asks every channel
        auto [a, peer_a] = socket_t::pair();
        auto [b, peer_b] = socket_t::pair();
        const auto actor = asyncore::spawn<plain>(std::move(a), &map);
        const auto subject = asyncore::spawn<Channel>(std::move(b), &map);
        REQUIRE(!subject->asked_every_turn_);
        while (subject->socket.send("x").count == 1) {
        }  // so that it gets no event of its own
        prepare(*subject);
        actor->act = [&, &subject = *subject, &peer = peer_b] {
            std::string room(1 << 16, '\0');
            while (peer.recv(room).count > 0) {
            }
            act(subject);
        };
        peer_a.send("x");
        CHECK_NOTHROW(asyncore::loop(0.0, use_poll, &map, 3));
        CHECK(!actor->act);
    }
}

}  // namespace

TEST_CASE("promise: every method that changes a predicate's answer reports the change") {
    const auto nothing = [](auto&) {};
    const auto full = [](plain& c) { c.producer_fifo.append(asyncore::byte_buffer("queued")); };
    check_reported<plain>(nothing, [](plain& c) { c.push("x"); });
    check_reported<plain>(nothing, [](plain& c) { c.push_with_producer("x"); });
    check_reported<plain>(nothing, [](plain& c) { c.close_when_done(); });
    check_reported<plain>(full, [](plain& c) { c.discard_buffers(); });
    check_reported<plain>(full, [](plain& c) {
        c.most = 100;
        c.initiate_send();
    });
    check_reported<plain>(full, [](plain& c) { c.close(); });
    check_reported<plain>(nothing, [](plain& c) {
        try {
            c.connect("/nobody/there");
        } catch (const std::system_error&) {
        }
    });
    check_reported<plain>(
        [](plain& c) {
            c.connected = false;
            c.connecting = true;
        },
        [](plain& c) { c.handle_connect_event(); });
    check_reported<plain_sender>(nothing, [](plain_sender& c) {
        c.connected = false;
        c.interest_changed_();
    });
    check_reported<plain_sender>([](plain_sender& c) { c.out_buffer.append("queued"); },
                                 [](plain_sender& c) { c.initiate_send(); });
    check_reported<plain_sender>(nothing, [](plain_sender& c) {
        // This is more than the kernel takes: a short write.
        for (int i = 0; i < 100; ++i) c.send(std::string(65536, 'x'));
    });
    check_reported<plain_sender>(nothing, [](plain_sender& c) {
        c.del_channel();
        c.create_socket();
        c.bind({support::HOST, 0});
        c.listen(1);
    });
    const auto listener = [](plain& c) {
        c.del_channel();
        c.create_socket(AF_UNIX, SOCK_STREAM);
        c.connected = false;
        c.bind("");
    };
#ifdef __linux__
    check_reported<plain>(listener, [](plain& c) { c.listen(1); });
#endif
}

TEST_CASE("promise: a change that a hook makes in its own channel is seen in the same loop") {
    for (const bool use_poll : both_deliveries)
        for (const bool check : both_deliveries) {
            channel_map map;
            map.check_promises = check;
            map.mechanism();
            auto [a, b] = socket_t::pair();
            const auto one = asyncore::spawn<plain>(std::move(a), &map);
            const auto two = asyncore::spawn<plain>(std::move(b), &map);
            one->most = two->most = 1 << 20;
            one->act = [&] {
                one->recv(100);
                one->push(std::string(1 << 20, 'x'));
            };
            two->push("go");
            asyncore::loop(0.0, use_poll, &map, 2000);
            CHECK(two->received == 1 << 20);
            CHECK(one->producer_fifo.empty());
        }
}

TEST_CASE("promise: a change made outside of the loop is seen by the next turn") {
    const std::pair<const char*, std::function<void(channel_map&)>> turns[] = {
        {"poll", [](channel_map& map) { asyncore::poll(0.0, &map); }},
        {"poll2", [](channel_map& map) { asyncore::poll2(0.0, &map); }},
        {"loop", [](channel_map& map) { asyncore::loop(0.0, false, &map, 1); }}};
    for (const auto& [each, turn] : turns) {
        const std::string name = each;  // clang 14 captures no structured binding
        CAPTURE(name);
        channel_map map;
        map.check_promises = false;
        map.mechanism();
        auto [a, b] = socket_t::pair();
        const auto one = asyncore::spawn<plain>(std::move(a), &map);
        one->most = 100;
        turn(map);
        one->producer_fifo.append(asyncore::byte_buffer("queued"));
        turn(map);
        CHECK(one->producer_fifo.empty());
    }
}

TEST_CASE("promise: the checked mode throws for a broken promise") {
    struct liar : plain {
        using plain::plain;
        bool reads = true, writes = false;
        bool readable() override { return reads; }
        bool writable() override { return writes; }
    };
    const auto play = [](bool check, const std::function<void(liar&)>& prepare,
                         const std::function<void(liar&)>& first,
                         const std::function<void(liar&)>& then) {
        channel_map map;
        map.check_promises = check;
        map.mechanism();
        auto [a, peer_a] = socket_t::pair();
        auto [b, peer_b] = socket_t::pair();
        const auto subject = asyncore::spawn<liar>(std::move(a), &map);
        const auto actor = asyncore::spawn<plain>(std::move(b), &map);
        subject->asked_every_turn_ = false;
        prepare(*subject);
        if (first) {
            subject->act = [&, &subject = *subject] {
                subject.recv(100);
                first(subject);
            };
            peer_a.send("x");
        }
        actor->act = [&, &subject = *subject] {
            actor->recv(100);
            then(subject);
        };
        peer_b.send("x");
        asyncore::loop(0.0, false, &map, 4);
    };
    const auto nothing = [](liar&) {};
    const auto lie = [](liar& c) { c.writes = true; };
    CHECK_THROWS_AS(play(true, nothing, nullptr, lie), std::logic_error);
    CHECK_THROWS_AS(play(true, nothing, nullptr, [](liar& c) { c.reads = false; }),
                    std::logic_error);
    CHECK_NOTHROW(play(false, nothing, nullptr, lie));
    CHECK_NOTHROW(play(
        true, nothing, [](liar& c) { c.asked_every_turn_ = true; }, lie));
    // A listener is never watched for writing, so it may be writable.
    CHECK_NOTHROW(play(
        true, [](liar& c) { c.writes = c.accepting = true; }, nullptr, nothing));
}

TEST_CASE("promise: the checked mode survives a predicate that edits the map") {
    struct editor : plain {
        using plain::plain;
        std::function<void()> edit;
        bool readable() override {
            if (edit) std::exchange(edit, nullptr)();
            return true;
        }
    };
    channel_map map;
    map.check_promises = true;
    auto [a, peer_a] = socket_t::pair();
    auto [b, peer_b] = socket_t::pair();
    const auto first = asyncore::spawn<editor>(std::move(a), &map);
    const auto second = asyncore::spawn<editor>(std::move(b), &map);
    first->asked_every_turn_ = second->asked_every_turn_ = false;
    const auto turn_in_the_map = [&] { asyncore::loop(0.0, false, &map, 1); };
    turn_in_the_map();
    bool nested = false;
    // loop() asks every channel once, and so a promise is checked in its second turn.
    first->edit = [&] {
        first->edit = [&] {
            nested = true;
            turn_in_the_map();
            map.clear();
        };
    };
    asyncore::loop(0.0, false, &map, 2);
    CHECK(nested);
    CHECK(map.empty());
}

TEST_CASE("promise: ASYNCORE_CHECK in the environment turns on the checked mode") {
    CHECK(channel_map().check_promises == (std::getenv("ASYNCORE_CHECK") != nullptr));
}

TEST_CASE("promise: a channel that cannot report changes is asked on every turn") {
    struct foreign : asyncore::channel {
        int asked = 0;
        bool readable() override { return ++asked, false; }
        bool writable() override { return false; }
        void handle_read_event() override {}
        void handle_write_event() override {}
        void handle_expt_event() override {}
        void handle_close() override {}
        void handle_error() override {}
        void close() override {}
    } stranger;
    stranger.asked_every_turn_ = false;
    channel_map map;
    map.check_promises = false;
    map[0] = stranger;
    asyncore::loop(0.0, false, &map, 10);
    CHECK(stranger.asked == 10);
}

TEST_CASE("promise: a change is reported for both descriptors of one channel") {
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        map.check_promises = true;
        map.mechanism();
        auto [a, peer_a] = socket_t::pair();
        auto [b, peer_b] = socket_t::pair();
        const auto actor = asyncore::spawn<plain>(std::move(a), &map);
        const auto subject = asyncore::spawn<plain>(std::move(b), &map);
        const unique_fd twin(::dup(subject->_fileno));
        map[twin.get()] = subject;
        actor->act = [&] { subject->push("x"); };
        peer_a.send("x");
        CHECK_NOTHROW(asyncore::loop(0.0, use_poll, &map, 3));
        map.erase(twin.get());
    }
}

TEST_CASE("promise: a change is reported to both maps of one channel") {
    for (const bool use_poll : both_deliveries) {
        channel_map own, map;
        map.check_promises = true;
        map.mechanism();
        auto [a, peer_a] = socket_t::pair();
        auto [b, peer_b] = socket_t::pair();
        const auto actor = asyncore::spawn<plain>(std::move(a), &map);
        const auto subject = asyncore::spawn<plain>(std::move(b), &own);
        map.update(own);
        actor->act = [&] { subject->push("x"); };
        peer_a.send("x");
        CHECK_NOTHROW(asyncore::loop(0.0, use_poll, &map, 3));
    }
}
