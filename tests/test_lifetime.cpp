// A hook may close or destroy its own channel or other channels, and may edit the map: none of it
// is undefined behaviour (AddressSanitizer checks that), no descriptor leaks, and the other
// channels are served.
//
// Each action is tried in each hook, with owned and with borrowed channels, under both deliveries,
// on the mechanism that ASYNCORE_POLLER names.
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::channel_map;
using asyncore::socket_t;

namespace {

/// How many descriptors this process has open, or 0 where the system does not tell.
std::ptrdiff_t open_descriptors() {
    const std::filesystem::path folder("/proc/self/fd");
    if (!std::filesystem::exists(folder)) return 0;
    const std::filesystem::directory_iterator entries(folder);
    return std::distance(begin(entries), end(entries));
}

/// Calls `act` once, at the first call of the hook that `at` names.
class actor : public asynchat::async_chat {
public:
    std::string at;
    std::function<void()> act;
    std::string got;

    actor(socket_t sock, channel_map* map) : async_chat(std::move(sock), map) {
        set_terminator("\n");
        ignore_log_types = {"warning", "error"};
    }
    // `act` may destroy this object, so each hook has an `alive` on the stack.
    bool readable() override {
        const asyncore::alive it(*this);
        did("readable");
        return it && async_chat::readable();
    }
    bool writable() override {
        const asyncore::alive it(*this);
        did("writable");
        return it && async_chat::writable();
    }
    std::size_t recv(std::span<char> buffer) override {
        const asyncore::alive it(*this);
        did("recv");
        return it ? async_chat::recv(buffer) : 0;
    }
    std::size_t send(std::string_view data) override {
        const asyncore::alive it(*this);
        did("send");
        return it ? async_chat::send(data) : 0;
    }
    void handle_read_event() override {
        const asyncore::alive it(*this);
        did("handle_read_event");
        if (it) async_chat::handle_read_event();
    }
    void handle_write_event() override {
        const asyncore::alive it(*this);
        did("handle_write_event");
        if (it) async_chat::handle_write_event();
    }
    void handle_read() override {
        const asyncore::alive it(*this);
        did("handle_read");
        if (it) async_chat::handle_read();
    }
    void handle_write() override {
        const asyncore::alive it(*this);
        did("handle_write");
        if (it) async_chat::handle_write();
    }
    void handle_expt() override { did("handle_expt"); }
    void handle_connect() override { did("handle_connect"); }
    void handle_close() override {
        const asyncore::alive it(*this);
        did("handle_close");
        if (it) async_chat::handle_close();
    }
    void handle_error() override {
        const asyncore::alive it(*this);
        did("handle_error");
        if (it) async_chat::handle_error();
    }
    void log_info(std::string_view, std::string_view) override { did("log_info"); }
    void collect_incoming_data(std::string_view data) override {
        got += data;
        did("collect_incoming_data");
    }
    void found_terminator() override {
        const asyncore::alive it(*this);
        did("found_terminator");
        if (it && at == "handle_error") throw std::runtime_error("on purpose");
        if (it && at == "log_info") throw std::runtime_error("on purpose");
    }

private:
    void did(std::string_view hook) {
        if (hook == at && act) std::exchange(act, nullptr)();
    }
};

/// A channel and the test's end of its connection.
struct pair {
    std::shared_ptr<actor> owned;
    std::unique_ptr<actor> borrowed;
    socket_t peer;

    actor* get() const { return owned ? owned.get() : borrowed.get(); }
    void drop(channel_map& map) {
        // An owned channel is destroyed when neither the test nor the map holds it.
        if (owned) map.erase(owned->_fileno);
        owned.reset();
        borrowed.reset();
    }
};

struct scene {
    channel_map map;
    std::array<pair, 3> pairs;  // a bystander, the actor, a bystander
    std::vector<pair> extra;
    bool use_poll;
    bool owned;
    bool bystanders_live = true;

    scene(bool own, bool poll_delivery) : use_poll(poll_delivery), owned(own) {
        for (auto& each : pairs) each = make();
    }
    pair make() {
        auto [ours, theirs] = socket_t::pair();
        auto made = make(std::move(ours));
        made.peer = std::move(theirs);
        return made;
    }
    pair make(socket_t ours) {
        pair made;
        if (owned) made.owned = asyncore::spawn<actor>(std::move(ours), &map);
        else made.borrowed = std::make_unique<actor>(std::move(ours), &map);
        return made;
    }
    void turns(long count) { asyncore::loop(0.0, use_poll, &map, count); }
};

using action = void (*)(scene&);

const std::map<std::string, action> actions{
    {"close itself", [](scene& s) { s.pairs[1].get()->close(); }},
    {"destroy itself", [](scene& s) { s.pairs[1].drop(s.map); }},
    {"close and destroy itself",
     [](scene& s) {
         s.pairs[1].get()->close();
         s.pairs[1].drop(s.map);
     }},
    {"del_channel itself", [](scene& s) { s.pairs[1].get()->del_channel(); }},
    {"close the bystanders",
     [](scene& s) {
         s.pairs[0].get()->close();
         s.pairs[2].get()->close();
         s.bystanders_live = false;
     }},
    {"destroy the bystanders",
     [](scene& s) {
         s.pairs[0].drop(s.map);
         s.pairs[2].drop(s.map);
         s.bystanders_live = false;
     }},
    {"reuse the descriptor",
     [](scene& s) {
         // The stale event must not reach the new channel, which has nothing to read.
         const int fd = s.pairs[2].get()->_fileno;
         s.pairs[2].get()->close();
         s.bystanders_live = false;
         auto [ours, theirs] = socket_t::pair();
         if (theirs.fileno() == fd) std::swap(ours, theirs);
         if (ours.fileno() != fd) {
             REQUIRE(::dup2(ours.fileno(), fd) == fd);
             ours = socket_t(asyncore::platform::unique_fd(fd));
         }
         s.extra.push_back(s.make(std::move(ours)));
         s.extra.back().peer = std::move(theirs);
         s.extra.back().get()->at = "recv";
         s.extra.back().get()->act = [] { FAIL("a stale event reached the new channel"); };
     }},
    {"replace its map entry",
     [](scene& s) {
         s.extra.push_back(s.make());
         auto& other = *s.extra.back().get();
         const int fd = s.pairs[1].get()->_fileno;
         s.map.erase(other._fileno);
         if (fd >= 0) s.map[fd] = &other;
     }},
    {"clear the map",
     [](scene& s) {
         s.map.clear();
         s.bystanders_live = false;
     }},
    {"close_all",
     [](scene& s) {
         asyncore::close_all(&s.map);
         s.bystanders_live = false;
     }},
    {"swap the map",
     [](scene& s) {
         channel_map other;
         s.map.swap(other);
         other.swap(s.map);
     }},
    {"nested loop", [](scene& s) { s.turns(1); }},
    {"nested loop that closes it",
     [](scene& s) {
         s.pairs[1].peer.close();
         s.turns(3);
     }},
    {"add a channel", [](scene& s) { s.extra.push_back(s.make()); }},
    {"discard_buffers and push",
     [](scene& s) {
         s.pairs[1].get()->discard_buffers();
         s.pairs[1].get()->push(std::string(10000, 'x'));
     }},
    {"throw ExitNow", [](scene&) { throw asyncore::ExitNow("on purpose"); }},
};

const std::vector<std::string> hooks{
    "readable",          "writable",     "recv",         "send",
    "handle_read_event", "handle_read",  "handle_write", "handle_write_event",
    "handle_connect",    "handle_close", "handle_error", "collect_incoming_data",
    "found_terminator",  "log_info",
};

/// Makes all three channels readable and writable at once, and has the middle one act in `hook`.
void play(const std::string& hook, action act, bool owned, bool use_poll) {
    scene s(owned, use_poll);
    auto& star = *s.pairs[1].get();
    bool acted = false;
    star.at = hook;
    star.act = [&] {
        acted = true;
        act(s);
    };
    if (hook == "handle_connect") {
        star.connected = false;
        star.connecting = true;
    }
    for (auto& each : s.pairs) {
        each.get()->producer_fifo.append(asyncore::byte_buffer("queued"));
        REQUIRE(each.peer.send("one\ntwo\nthree").error == 0);
    }
    if (hook == "handle_close") s.pairs[1].peer.close();
    try {
        for (int i = 0; i < 5; ++i) s.turns(1);
    } catch (const asyncore::ExitNow&) {
        s.turns(5);  // the map works as before
    }
    CHECK(acted);
    if (!s.bystanders_live) return;
    CHECK(s.pairs[0].get()->got == "onetwothree");
    CHECK(s.pairs[2].get()->got == "onetwothree");
    std::array<char, 100> sent{};
    CHECK(s.pairs[2].peer.recv(sent).count == 6);
}

}  // namespace

TEST_CASE("lifetime: a hook may close or destroy any channel and edit the map") {
    channel_map().mechanism();  // opens what a process opens only once
    for (const auto& each : actions)
        for (const auto& hook : hooks)
            for (const bool owned : {true, false})
                for (const bool use_poll : {false, true}) {
                    CAPTURE(each.first);
                    CAPTURE(hook);
                    CAPTURE(owned);
                    CAPTURE(use_poll);
                    const auto before = open_descriptors();
                    play(hook, each.second, owned, use_poll);
                    CHECK(open_descriptors() == before);
                }
}

TEST_CASE("lifetime: out-of-band data: handle_expt() may destroy its channel") {
    for (const bool use_poll : {false, true}) {
        channel_map map;
        asyncore::dispatcher listener(&map);
        listener.create_socket();
        listener.bind({"127.0.0.1", 0});
        listener.listen(1);
        socket_t client(AF_INET, SOCK_STREAM);
        client.connect_ex(listener.socket.getsockname());
        auto conn = listener.accept();
        REQUIRE(conn);
        listener.close();
        pair urgent;
        urgent.borrowed = std::make_unique<actor>(std::move(conn->first), &map);
        urgent.borrowed->at = "handle_expt";
        urgent.borrowed->act = [&] { urgent.borrowed.reset(); };
        REQUIRE(::send(client.fileno(), "!", 1, MSG_OOB) == 1);
        asyncore::loop(1.0, use_poll, &map, 1);
        CHECK(urgent.borrowed == nullptr);
        CHECK(map.empty());
    }
}

TEST_CASE("lifetime: a spawned channel lives as long as it is in a map or held") {
    channel_map map;
    auto [ours, theirs] = socket_t::pair();
    std::weak_ptr<actor> seen = asyncore::spawn<actor>(std::move(ours), &map);
    CHECK(map.size() == 1);
    REQUIRE(!seen.expired());  // the map owns it
    auto& made = *seen.lock();
    made.close();
    CHECK(map.empty());
    CHECK(made._fileno == -1);  // close() destroys nothing
    auto [more, peer] = socket_t::pair();
    asyncore::spawn<actor>(std::move(more), &map);
    asyncore::loop(0.0, false, &map, 1);
    CHECK(seen.expired());  // the turn has ended
}

TEST_CASE("lifetime: a channel that its own push() closes lives until push() returns") {
    channel_map map;
    auto [ours, theirs] = socket_t::pair();
    auto& chat = *asyncore::spawn<actor>(std::move(ours), &map);  // the map alone owns it
    theirs.close();
    chat.push(std::string(100000, 'x'));  // EPIPE, handle_close(), close()
    CHECK(map.empty());
    CHECK(chat._fileno == -1);
}

TEST_CASE("lifetime: a borrowed channel leaves every map when it is destroyed") {
    channel_map one, two;
    auto [ours, theirs] = socket_t::pair();
    {
        actor chat(std::move(ours), &one);
        two[7] = &chat;
        two[8] = &chat;
        one.update(two);
        CHECK(one.size() == 3);
        CHECK(two.size() == 2);
    }
    CHECK(one.empty());
    CHECK(two.empty());
}

TEST_CASE("lifetime: a map may be destroyed before its channels") {
    auto [ours, theirs] = socket_t::pair();
    auto map = std::make_unique<channel_map>();
    actor borrowed(std::move(ours), map.get());
    auto [more, peer] = socket_t::pair();
    auto held = asyncore::spawn<actor>(std::move(more), map.get());
    map.reset();
    CHECK(borrowed.connected);
    CHECK(held.use_count() == 1);
}
