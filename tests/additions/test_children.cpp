// asyncore/children: how many children a listener has, and how long each may be silent, on a clock that the
// tests set.
#include "../channels.hpp"
#include "../sockets.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>
#include <asyncore/children/children.hpp>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using asyncore::socket_t;

namespace {

class echo : public asynchat::async_chat {
public:
    explicit echo(socket_t sock) : async_chat(std::move(sock)) { set_terminator("\n"); }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override { push(_get_data() + "\n"); }
    void log_info(std::string_view, std::string_view) override {}
};

class session : public asyncore::child<echo> {
public:
    using child::child;
    int timeouts = 0;
    bool stays = false, throws = false;
    void handle_timeout_() override {
        ++timeouts;
        if (throws) throw std::runtime_error("in handle_timeout_()");
        if (!stays) child::handle_timeout_();
    }
};

class server : public asyncore::limiting_listener<> {
public:
    std::vector<std::shared_ptr<session>> made;
    int refused = 0;

    server() {
        set_socket(support::listener());
        accepting = true;
    }
    void handle_accepted(socket_t sock, const asyncore::address&) override {
        made.push_back(asyncore::spawn<session>(std::move(sock)));
        children_.add(*made.back());
    }
    void handle_max_cons_per_ip_(socket_t sock, const asyncore::address& from) override {
        ++refused;
        sock.send("421 too many\n");
        limiting_listener::handle_max_cons_per_ip_(std::move(sock), from);
    }
    void log_info(std::string_view, std::string_view) override {}
};

/// A server, its clients, and its clock.
struct scene {
    std::shared_ptr<server> listener = asyncore::spawn<server>();
    asyncore::children& children = listener->children_;
    asyncore::children::clock::time_point now = asyncore::children::clock::now();
    std::vector<socket_t> clients;

    scene() {
        children.now = [this] { return now; };
    }
    ~scene() { asyncore::close_all(); }

    static void turns(int count = 5) { asyncore::loop({.timeout = 0.0, .count = count}); }
    void connect(int count = 1) {
        for (; count > 0; --count) clients.push_back(support::client_of(listener->socket));
        turns(count + 5);
    }
    void accepted(std::size_t count) {
        while (listener->made.size() < count) asyncore::loop({.timeout = 30.0, .count = 1});
    }
    void pass(std::chrono::seconds time) {
        now += time;
        turns();
    }
    bool is_open(std::size_t index) const { return listener->made[index]->_fileno >= 0; }
};

}  // namespace

TEST_CASE("children: are counted until they close, or are destroyed") {
    scene all;
    all.connect(3);
    all.accepted(3);
    CHECK(all.children.size() == 3);
    CHECK(all.children.size_of("127.0.0.1") == 3);
    all.listener->made[0]->close();
    all.listener->made[0]->close();
    CHECK(all.children.size() == 2);
    all.listener->made[1]->del_channel();
    CHECK(all.children.size() == 2);  // it may come back
    all.listener->made[1].reset();
    scene::turns();
    CHECK(all.children.size() == 1);
    all.clients.clear();
    while (all.children.size() > 0) asyncore::loop({.timeout = 30.0, .count = 1});
    CHECK(all.children.size_of("127.0.0.1") == 0);
}

TEST_CASE("children: a channel that is closed, or is added twice, is counted as it should") {
    scene all;
    auto [ours, theirs] = socket_t::pair();
    const auto closed = asyncore::spawn<session>(std::move(ours));
    all.children.add(*closed);
    all.children.add(*closed);
    CHECK(all.children.size() == 1);
    closed->close();
    all.children.add(*closed);
    CHECK(all.children.size() == 0);
}

TEST_CASE("children: may outlive the listener") {
    scene all;
    all.connect();
    all.accepted(1);
    const auto child = all.listener->made[0];
    all.listener->close();
    all.listener.reset();
    asyncore::socket_map.sweep();
    all.clients[0].send("still\n");
    REQUIRE(support::wait_readable(child->_fileno, 30s));
    scene::turns();
    CHECK(support::received(all.clients[0]) == "still\n");
    child->close();
}

TEST_CASE("max_cons: connections wait until a child closes") {
    scene all;
    all.children.max_cons = 2;
    all.connect(4);
    all.accepted(2);
    scene::turns(20);
    CHECK(all.listener->made.size() == 2);
    CHECK_FALSE(all.listener->readable());
    all.clients[3].send("hello\n");
    all.listener->made[0]->close();
    all.accepted(3);
    scene::turns();
    CHECK(all.listener->made.size() == 3);
    all.listener->made[1]->close();
    all.accepted(4);
    REQUIRE(support::wait_readable(all.listener->made[3]->_fileno, 30s));
    scene::turns();
    CHECK(support::received(all.clients[3]) == "hello\n");
}

TEST_CASE("max_cons_per_ip: further connections are told, and closed") {
    scene all;
    all.children.max_cons_per_ip = 2;
    all.connect(3);
    while (all.listener->refused == 0) asyncore::loop({.timeout = 30.0, .count = 1});
    CHECK(all.children.size() == 2);
    CHECK(support::received(all.clients[2]) == "421 too many\n");
    CHECK(support::received(all.clients[2]).empty());
    all.listener->made[0]->close();
    all.connect();
    all.accepted(3);
    CHECK(all.listener->refused == 1);
}

TEST_CASE("max_cons_per_ip: does not count peers without a host") {
    asyncore::children all;
    all.max_cons_per_ip = 1;
    auto [ours, theirs] = socket_t::pair();
    const auto unix_peer = asyncore::spawn<session>(std::move(ours));
    all.add(*unix_peer);
    CHECK_FALSE(all.is_full_for(""));
    unix_peer->close();
}

TEST_CASE("timeout: closes the children that were silent for so long, and no other") {
    scene all;
    all.children.timeout = 60s;
    all.connect(2);
    all.accepted(2);
    all.pass(40s);
    all.clients[1].send("hello\n");
    REQUIRE(support::wait_readable(all.listener->made[1]->_fileno, 30s));
    scene::turns();
    all.pass(19s);
    CHECK(all.is_open(0));
    all.pass(1s);
    CHECK_FALSE(all.is_open(0));
    CHECK(all.is_open(1));
    all.pass(40s);
    CHECK_FALSE(all.is_open(1));
    CHECK(all.listener->_fileno >= 0);
}

TEST_CASE("timeout: a child is not silent while its peer takes what waits") {
    scene all;
    all.children.timeout = 60s;
    all.connect();
    all.accepted(1);
    auto& child = *all.listener->made[0];
    while (child.producer_fifo.bytes() < 8 << 20) child.push(std::string(1 << 20, 'x'));
    std::string room(1 << 20, '\0');
    for (int i = 0; i < 10; ++i) {
        REQUIRE(all.clients[0].recv(room).count > 0);
        REQUIRE(support::wait_writable(child._fileno, 30s));
        scene::turns();
        all.pass(50s);
        REQUIRE(all.is_open(0));
    }
    all.pass(60s);
    CHECK_FALSE(all.is_open(0));
}

TEST_CASE("timeout: the loop wakes up for it by itself") {
    scene all;
    all.children.now = asyncore::children::clock::now;
    all.children.timeout = 20ms;
    all.connect();
    while (all.listener->made.empty()) asyncore::loop({.timeout = 30.0, .count = 1});
    // Nothing happens but the time-out: a turn without a limit ends only by what the child's end has
    // changed, or never.
    auto [ours, theirs] = socket_t::pair();
    struct teller : session {
        using session::session;
        socket_t* tell = nullptr;
        void handle_timeout_() override {
            session::handle_timeout_();
            tell->send("x");
        }
    };
    auto [ours2, theirs2] = socket_t::pair();
    const auto child = asyncore::spawn<teller>(std::move(ours2));
    child->tell = &theirs;
    all.children.add(*child);
    const auto watching = asyncore::spawn<echo>(std::move(ours));
    asyncore::loop({.timeout = std::nullopt, .count = 1});
    CHECK(child->_fileno == -1);
}

TEST_CASE("timeout: a hook that does not close has as much time again") {
    scene all;
    all.children.timeout = 60s;
    all.connect();
    all.accepted(1);
    all.listener->made[0]->stays = true;
    all.pass(60s);
    CHECK(all.listener->made[0]->timeouts == 1);
    all.pass(59s);
    CHECK(all.listener->made[0]->timeouts == 1);
    all.pass(1s);
    CHECK(all.listener->made[0]->timeouts == 2);
    CHECK(all.is_open(0));
}

TEST_CASE("timeout: an exception of the hook is the child's, and the others get their turn") {
    scene all;
    all.children.timeout = 60s;
    all.connect(3);
    all.accepted(3);
    all.listener->made[0]->throws = true;
    all.pass(60s);
    for (const std::size_t i : {0u, 1u, 2u}) CHECK_FALSE(all.is_open(i));
    CHECK(all.children.size() == 0);
}

TEST_CASE("timeout: a hook may destroy the listener, and other children") {
    struct deadly : session {
        using session::session;
        std::function<void()> kill;
        void handle_timeout_() override { kill(); }
    };
    asyncore::children::clock::time_point now{};
    auto listener = std::make_unique<server>();
    listener->children_.now = [&] { return now; };
    listener->children_.timeout = 1s;
    auto [ours1, theirs1] = socket_t::pair();
    auto [ours2, theirs2] = socket_t::pair();
    auto first = std::make_unique<deadly>(std::move(ours1));
    auto second = std::make_unique<session>(std::move(ours2));
    listener->children_.add(*first);
    listener->children_.add(*second);
    now += 1s;
    SUBCASE("the listener") {
        first->kill = [&] { listener.reset(); };
        listener->readable();
        CHECK_FALSE(listener);
    }
    SUBCASE("the child and its sibling") {
        first->kill = [&] {
            second.reset();
            first.reset();
        };
        listener->readable();
        CHECK(listener->children_.size() == 0);
    }
    asyncore::close_all();
}
