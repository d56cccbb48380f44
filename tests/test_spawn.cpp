// The lifetime of a channel that spawn() made, and its pointer to itself.
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <doctest/doctest.h>

using asyncore::channel_map;
using asyncore::dispatcher;
using asyncore::self;
using asyncore::socket_t;
using asyncore::spawn;

namespace {

/// Counts the objects of its class.
struct counted : dispatcher {
    inline static int alive = 0;
    explicit counted(channel_map* map = nullptr) : dispatcher(map) { ++alive; }
    counted(socket_t sock, channel_map* map) : dispatcher(std::move(sock), map) { ++alive; }
    ~counted() override { --alive; }
    void handle_close() override { close(); }
};

/// Calls `act` when data comes.
struct acting : counted {
    using counted::counted;
    std::function<void()> act;
    void handle_read() override {
        recv(100);
        act();
    }
    bool writable() override { return false; }
};

/// A map with a channel that calls `act` in a turn.
struct turn_of {
    channel_map map;
    std::pair<socket_t, socket_t> ends = socket_t::pair();
    std::shared_ptr<acting> caller = spawn<acting>(std::move(ends.first), &map);
    explicit turn_of(std::function<void()> act) {
        caller->act = std::move(act);
        ends.second.send("x");
        asyncore::loop(1.0, false, &map, 1);
    }
};

}  // namespace

TEST_CASE(
    "spawn: a channel that is in no map is destroyed after the turn in which it was released") {
    const int before = counted::alive;
    int inside = 0;
    turn_of turn([&] {
        spawn<counted>();
        inside = counted::alive;
    });
    CHECK(inside == before + 2);
    CHECK(counted::alive == before + 1);
}

TEST_CASE("spawn: a channel whose close() drops its last pointer is not destroyed in close()") {
    struct data_channel : counted {
        std::shared_ptr<data_channel>& holder;
        explicit data_channel(std::shared_ptr<data_channel>& h) : holder(h) {}
        void close() override {
            holder = nullptr;
            dispatcher::close();
        }
    };
    std::shared_ptr<data_channel> holder;
    const int before = counted::alive;
    for (const bool has_socket : {false, true}) {
        holder = spawn<data_channel>(holder);
        if (has_socket) holder->set_socket(socket_t::pair().first);
        holder->close();
        CHECK(counted::alive == before + 1);
        asyncore::socket_map.sweep();
        CHECK(counted::alive == before);
    }
}

TEST_CASE("spawn: a turn on another map does not destroy a channel of the turn around it") {
    const int before = counted::alive;
    int inside = 0;
    turn_of turn([&] {
        spawn<counted>();
        turn_of nested([] {});
        inside = counted::alive;
    });
    CHECK(inside == before + 3);
    turn.map.clear();
    turn.caller.reset();
    turn.map.sweep();
    CHECK(counted::alive == before);
}

TEST_CASE("spawn: a released channel that enters a map again lives on") {
    channel_map map;
    const int before = counted::alive;
    auto held = spawn<counted>(socket_t::pair().first, &map);
    auto& channel = *held;
    channel.del_channel();
    held.reset();
    channel._fileno = channel.socket.fileno();
    channel.add_channel();
    map.sweep();
    CHECK(counted::alive == before + 1);
    CHECK(self(channel).get() == &channel);
    channel.close();
    map.sweep();
    CHECK(counted::alive == before);
}

TEST_CASE("spawn: a channel that a thread released for ever is destroyed when that thread ends") {
    const int before = counted::alive;
    std::thread([] { spawn<counted>(); }).join();
    CHECK(counted::alive == before);
}

TEST_CASE("spawn: a channel that another thread releases is destroyed by the thread of its map") {
    struct remembering : counted {
        std::thread::id& destroyed_in;
        remembering(socket_t sock, channel_map* map, std::thread::id& id)
            : counted(std::move(sock), map), destroyed_in(id) {}
        ~remembering() override { destroyed_in = std::this_thread::get_id(); }
    };
    std::thread::id destroyed_in;
    auto map = std::make_unique<channel_map>();
    auto held = spawn<remembering>(socket_t::pair().first, map.get(), destroyed_in);
    asyncore::loop(0.0, false, map.get(), 1);
    held->close();
    std::thread([held = std::move(held)]() mutable { held.reset(); }).join();
    CHECK(destroyed_in == std::thread::id());
    SUBCASE("spawn: the next loop of the map destroys what another thread released") {
        asyncore::loop(0.0, false, map.get(), 1);
    }
    SUBCASE("spawn: after the end of the map, another map destroys what another thread released") {
        map.reset();
        asyncore::socket_map.sweep();
    }
    CHECK(destroyed_in == std::this_thread::get_id());
}

TEST_CASE(
    "spawn: a channel that another thread releases after its map is gone dies with that thread") {
    const int before = counted::alive;
    auto map = std::make_unique<channel_map>();
    auto held = spawn<counted>(socket_t::pair().first, map.get());
    asyncore::loop(0.0, false, map.get(), 1);
    map.reset();
    std::thread([held = std::move(held)]() mutable { held.reset(); }).join();
    CHECK(counted::alive == before);
}

// --- The pointer to itself.

TEST_CASE("spawn: the predicates of the library's classes follow their state") {
    using asyncore::dispatcher, asyncore::follow_state;
    const auto of_library = &dispatcher::readable;
    CHECK(follow_state(of_library, of_library));
    CHECK_FALSE(follow_state(of_library, &asyncore::channel::writable));
}

TEST_CASE("self: the constructor of a spawned channel may give its pointer away") {
    struct receiver;
    struct sender : counted {
        std::weak_ptr<receiver> other;
        explicit sender(std::weak_ptr<receiver> to) : other(std::move(to)) {}
    };
    struct receiver : counted {
        std::shared_ptr<sender> other = spawn<sender>(self(*this));
        using counted::counted;
    };
    channel_map map;
    const auto made = spawn<receiver>(socket_t::pair().first, &map);
    CHECK(made->other->other.lock() == made);
    CHECK(made.use_count() == 2);  // of the map and of `made`
}

TEST_CASE("self: a channel that is a member of a spawned channel has no pointer") {
    struct owner : counted {
        dispatcher inner;
        bool inner_has_one = true;
        owner() {
            try {
                self(inner);
            } catch (const std::logic_error&) {
                inner_has_one = false;
            }
        }
    };
    CHECK_FALSE(spawn<owner>()->inner_has_one);
}

TEST_CASE("self: a channel that spawn() did not make is named in the exception") {
    dispatcher borrowed;
    CHECK_THROWS_WITH_AS(
        self(borrowed),
        "asyncore::dispatcher: spawn() did not make this channel, so it has no shared_ptr",
        std::logic_error);
    CHECK(borrowed.weak_from_this().expired());
}

namespace {

struct failing : counted {
    failing(socket_t sock, channel_map* map, std::shared_ptr<asyncore::channel>* give_to)
        : counted(std::move(sock), map) {
        if (give_to) *give_to = self(*this);
        throw std::runtime_error("no");
    }
};

}  // namespace

TEST_CASE("spawn: a constructor that throws leaves nothing behind") {
    const int before = counted::alive;
    channel_map map;
    CHECK_THROWS_WITH_AS(spawn<failing>(socket_t::pair().first, &map, nullptr), "no",
                         std::runtime_error);
    CHECK(map.empty());
    CHECK(counted::alive == before);
}

TEST_CASE("spawn: a constructor that throws after it gave its pointer away is named") {
    channel_map map;
    std::shared_ptr<asyncore::channel> escaped;
    std::string message, cause;
    try {
        spawn<failing>(socket_t::pair().first, &map, &escaped);
    } catch (const std::logic_error& error) {
        message = error.what();
        try {
            std::rethrow_if_nested(error);
        } catch (const std::runtime_error& nested) {
            cause = nested.what();
        }
    }
    CHECK(message.find("failing threw std::runtime_error:no after it gave 1 shared_ptr") !=
          std::string::npos);
    CHECK(cause == "no");
    // What escaped leads to a channel that wants nothing.
    REQUIRE(escaped);
    CHECK_FALSE(escaped->readable());
    CHECK_FALSE(escaped->writable());
    escaped->close();
    map[1000] = escaped;
    CHECK(map.size() == 1);
    map.clear();
}
