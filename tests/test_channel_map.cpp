// asyncore/channel_map.hpp: the map as a dict, and which channels a turn asks and serves.
#include "support.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>
#include <asyncore/turn.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::channel_map;
using asyncore::dispatcher;
using asyncore::socket_t;

namespace {

/// Notes its name when it is read from.  It is writable if `wants_write`.
struct named : dispatcher {
    std::string name;
    std::vector<std::string>& log;
    bool wants_write = false;
    std::shared_ptr<int> held;

    named(std::string its_name, std::vector<std::string>& its_log, socket_t sock, channel_map* map)
        : dispatcher(std::move(sock), map), name(std::move(its_name)), log(its_log) {}
    bool writable() override { return wants_write; }
    void handle_read() override {
        log.push_back("read " + name);
        recv(100);
    }
    void handle_write() override { log.push_back("write " + name); }
    void handle_close() override {
        log.push_back("close " + name);
        close();
    }
};

/// A channel that is not a dispatcher: the least that a map needs.
struct foreign : asyncore::channel {
    int fd;
    std::vector<std::string>& log;
    foreign(int its_fd, std::vector<std::string>& its_log) : fd(its_fd), log(its_log) {}
    bool readable() override { return true; }
    bool writable() override { return false; }
    void handle_read_event() override {
        char byte = 0;
        log.push_back(::read(fd, &byte, 1) == 1 ? std::string("got ") + byte : "nothing");
    }
    void handle_write_event() override {}
    void handle_expt_event() override {}
    void handle_close() override { log.push_back("close"); }
    void handle_error() override { throw; }
    void close() override {}
};

struct fixture {
    std::vector<std::string> log;
    channel_map map;
    std::vector<socket_t> peers;
    std::vector<std::shared_ptr<named>> made;

    named& add(const std::string& name) {
        auto [ours, theirs] = socket_t::pair();
        peers.push_back(std::move(theirs));
        made.push_back(asyncore::spawn<named>(name, log, std::move(ours), &map));
        return *made.back();
    }
};

}  // namespace

TEST_CASE_FIXTURE(fixture, "channel_map: it behaves as Python's dict") {
    CHECK(!map);
    CHECK(map.empty());
    auto &a = add("a"), &b = add("b");
    CHECK(map);
    CHECK(map.size() == 2);
    CHECK(map.contains(a._fileno));
    CHECK(map[b._fileno] == &b);
    CHECK(map.get(9999) == nullptr);
    CHECK(map.get(-7) == nullptr);
    CHECK(map.keys() == std::vector<int>{a._fileno, b._fileno});
    std::vector<int> walked;
    for (const auto& [fd, value] : map) {
        walked.push_back(fd);
        CHECK(map[fd] == &value);
    }
    CHECK(walked == map.keys());

    channel_map other;
    other.update(map);
    CHECK(other.size() == 2);
    CHECK(map.erase(a._fileno));
    CHECK(!map.erase(a._fileno));
    CHECK(map.size() == 1);
    CHECK(map.keys() == std::vector<int>{b._fileno});
    other.erase(b._fileno);
    map.swap(other);
    CHECK(map.keys() == std::vector<int>{a._fileno});
    CHECK(other.keys() == std::vector<int>{b._fileno});
    map.update(other);
    map.erase(b._fileno);
    CHECK(map.keys() == std::vector<int>{a._fileno});
    map.clear();
    CHECK(map.empty());
    CHECK(!map.contains(a._fileno));
}

TEST_CASE_FIXTURE(
    fixture, "channel_map: a number that is no descriptor is refused except -1 (Python's None)") {
    auto& a = add("a");
    CHECK_THROWS_AS(map.set(-2, a), std::invalid_argument);
    CHECK_THROWS_AS(map.set(1 << 30, a), std::invalid_argument);
    map.set(-1, a);
    CHECK(map.size() == 2);
    CHECK_THROWS_AS(asyncore::poll(0.0, &map), asyncore::platform::not_a_descriptor);
    map.erase(-1);
    CHECK_NOTHROW(asyncore::poll(0.0, &map));
}

TEST_CASE_FIXTURE(fixture, "channel_map: a null pointer is refused") {
    CHECK_THROWS_AS(map[3] = nullptr, std::invalid_argument);
    CHECK_THROWS_AS(map[3] = std::shared_ptr<named>(), std::invalid_argument);
    CHECK(map.empty());
}

TEST_CASE_FIXTURE(fixture, "channel_map: a channel need not be a dispatcher") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    foreign reader(ends[0], log);
    map[ends[0]] = reader;
    REQUIRE(::write(ends[1], "!", 1) == 1);
    asyncore::loop(0.0, false, &map, 1);
    CHECK(log == std::vector<std::string>{"got !"});
    ::close(ends[1]);
    asyncore::loop(0.0, true, &map, 1);  // a hang-up, and the pipe may be readable too
    CHECK(log.back() == "close");
    map.erase(ends[0]);
    ::close(ends[0]);
}

TEST_CASE_FIXTURE(fixture,
                  "channel_map: a channel that is no dispatcher is written to after a hang-up") {
    struct writing : foreign {
        using foreign::foreign;
        bool readable() override { return false; }
        bool writable() override { return true; }
        void handle_write_event() override { log.push_back("write"); }
    };
    const socket_t unconnected(AF_INET, SOCK_STREAM);
    const int fd = unconnected.fileno();
    writing writer(fd, log);
    map[fd] = writer;
    asyncore::loop(0.0, false, &map, 1);
    CHECK(log == std::vector<std::string>{"write"});
    CHECK(map[fd]->writable());
    map.erase(fd);
}

TEST_CASE("spawn: a class with a second enable_shared_from_this is refused") {
    struct twice : dispatcher, std::enable_shared_from_this<twice> {};
    static_assert(asyncore::shared_from_channel<named>);
    static_assert(!asyncore::shared_from_channel<twice>);
}

TEST_CASE_FIXTURE(fixture,
                  "channel_map: channels are served in the order in which they entered the map") {
    for (const char* name : {"a", "b", "c", "d", "e"}) add(name);
    // A channel that leaves and enters again is the last.
    auto& b = *made[1];
    map.erase(b._fileno);
    map[b._fileno] = made[1];
    // An entry that is set again keeps its place.
    map[made[0]->_fileno] = made[0];
    std::vector<std::size_t> order{4, 2, 0, 1, 3};
    for (const auto i : order) peers[i].send("x");
    for (auto& each : made) each->wants_write = true;
    asyncore::poll(0.0, &map);
    CHECK(log == std::vector<std::string>{"read a", "read c", "read d", "read e", "read b",
                                          "write a", "write c", "write d", "write e", "write b"});
    log.clear();
    for (const auto i : order) peers[i].send("x");
    asyncore::poll2(0.0, &map);
    CHECK(log == std::vector<std::string>{"read a", "write a", "read c", "write c", "read d",
                                          "write d", "read e", "write e", "read b", "write b"});
}

TEST_CASE_FIXTURE(fixture, "channel_map: fairness: one turn serves every ready channel") {
    constexpr std::size_t count = 300;
    for (std::size_t i = 0; i < count; ++i) add(std::to_string(i));
    for (auto& peer : peers) peer.send("x");
    asyncore::poll(0.0, &map);
    CHECK(log.size() == count);
}

TEST_CASE_FIXTURE(fixture, "channel_map: an edit without add_channel() is seen by the next turn") {
    auto &a = add("a"), &b = add("b");
    peers[0].send("x");
    peers[1].send("x");
    map.erase(a._fileno);
    asyncore::loop(0.0, false, &map, 1);
    CHECK(log == std::vector<std::string>{"read b"});
    log.clear();
    map[a._fileno] = &a;
    asyncore::loop(0.0, true, &map, 1);
    CHECK(log == std::vector<std::string>{"read a"});
    log.clear();
    // Another channel under the same descriptor is served from now on.
    auto& c = add("c");
    map.erase(c._fileno);
    map[b._fileno] = &c;
    peers[1].send("x");
    c.wants_write = true;
    asyncore::loop(0.0, false, &map, 1);
    CHECK(std::count(log.begin(), log.end(), "write c") == 1);
}

TEST_CASE_FIXTURE(
    fixture, "channel_map: descriptor reuse: a channel that replaces the served one is asked") {
    struct chat : asynchat::async_chat {
        using async_chat::async_chat;
        std::function<void()> act;
        void handle_read() override { act(); }
    };
    auto [ours, theirs] = socket_t::pair();
    auto others = socket_t::pair();
    auto first = asyncore::spawn<chat>(std::move(ours), &map);
    std::shared_ptr<chat> second;
    first->act = [&] {
        const int fd = first->_fileno;
        first->close();
        REQUIRE(::dup(others.first.fileno()) == fd);
        second = asyncore::spawn<chat>(socket_t(asyncore::platform::unique_fd(fd)), &map);
        asyncore::loop(0.0, false, &map, 1);
        second->producer_fifo.append(asyncore::byte_buffer("x"));
        second->interest_changed_();
    };
    theirs.send("!");
    asyncore::loop(0.0, false, &map, 2);
    std::array<char, 8> got{};
    CHECK(others.second.recv(got).count == 1);
}

TEST_CASE_FIXTURE(fixture, "channel_map: a channel without an interest is not told of a hang-up") {
    struct silent : named {
        using named::named;
        bool readable() override { return false; }
    };
    auto [ours, theirs] = socket_t::pair();
    silent s("s", log, std::move(ours), &map);
    theirs.close();  // epoll would report the hang-up for any interest
    for (const bool use_poll : {false, true}) asyncore::loop(0.0, use_poll, &map, 3);
    CHECK(log.empty());
}

TEST_CASE_FIXTURE(fixture, "channel_map: a listener that is only writable is not watched") {
    struct idle : dispatcher {
        using dispatcher::dispatcher;
        bool readable() override { return false; }
        void handle_error() override { throw; }
    } listener(&map);
    listener.create_socket();
    listener.bind({"127.0.0.1", 0});
    listener.listen(1);
    listener.socket.shutdown(SHUT_RDWR);  // poll(2) and epoll(7) report it as a hang-up
    for (const bool use_poll : {false, true}) {
        asyncore::turn turn(map, use_poll ? asyncore::delivery::poll : asyncore::delivery::select);
        turn.ask_and_tell();
        turn.wait(0.0);
        CHECK(turn.ready().empty());
    }
}

TEST_CASE_FIXTURE(fixture, "channel_map: a predicate that throws leaves the map as it was") {
    struct thrower : named {
        using named::named;
        bool throws = true;
        bool readable() override {
            if (throws) throw std::runtime_error("on purpose");
            return true;
        }
    };
    auto [ours, theirs] = socket_t::pair();
    thrower t("t", log, std::move(ours), &map);
    add("a");
    for (auto& peer : peers) peer.send("x");
    CHECK_THROWS_AS(asyncore::loop(0.0, false, &map, 1), std::runtime_error);
    t.throws = false;
    asyncore::loop(0.0, false, &map, 1);
    CHECK(log == std::vector<std::string>{"read a"});
}

TEST_CASE_FIXTURE(
    fixture, "channel_map: no entry is left behind by thousands of channels that come and go") {
    std::mt19937 random(1);
    for (int i = 0; i < 5000; ++i) {
        add(std::to_string(i));
        peers.back().send("x");
        if (made.size() < 20) continue;
        const auto victim = static_cast<std::ptrdiff_t>(random() % made.size());
        made[static_cast<std::size_t>(victim)]->close();
        made.erase(made.begin() + victim);
        peers.erase(peers.begin() + victim);
        asyncore::loop(0.0, i % 2 == 0, &map, 1);
        REQUIRE(map.size() == made.size());
    }
    for (const auto& each : made) CHECK(map[each->_fileno] == each.get());
}

TEST_CASE_FIXTURE(fixture,
                  "channel_map: every place is right after many channels have left at once") {
    for (int i = 0; i < 100; ++i) add(std::to_string(i));
    SUBCASE("channel_map: many channels leave outside of a turn") {}
    SUBCASE("channel_map: many channels leave during a turn") {
        asyncore::loop(0.0, true, &map, 1);
        peers.erase(peers.begin(), peers.begin() + 90);
        asyncore::loop(0.0, true, &map, 1);
    }
    for (int i = 0; i < 90; ++i) made[static_cast<std::size_t>(i)]->close();
    made.erase(made.begin(), made.begin() + 90);
    add("new");
    log.clear();
    for (auto& each : peers) each.send("x");
    asyncore::loop(0.0, true, &map, 1);
    CHECK(log.size() == 11);
    CHECK(log.back() == "read new");
}

TEST_CASE_FIXTURE(
    fixture,
    "channel_map: a channel that left outside of a turn is destroyed when the next loop begins") {
    add("a");
    const auto token = std::make_shared<int>();
    made.back()->held = token;
    made.clear();
    asyncore::close_all(&map);
    CHECK(token.use_count() == 2);  // close() never destroys
    SUBCASE("channel_map: loop() destroys channels that left before") {
        asyncore::loop(0.0, false, &map, 1);
    }
    SUBCASE("channel_map: poll() destroys channels that left before") { asyncore::poll(0.0, &map); }
    SUBCASE("channel_map: poll2() destroys channels that left before") {
        asyncore::poll2(0.0, &map);
    }
    CHECK(token.use_count() == 1);
}

TEST_CASE("channel_map: a destructor may make channels while the map is destroyed") {
    struct breeding : dispatcher {
        int generations;
        breeding(socket_t sock, channel_map* map, int left)
            : dispatcher(std::move(sock), map), generations(left) {}
        ~breeding() override {
            for (int n = 0; n < 3 && generations > 0; ++n)
                asyncore::spawn<breeding>(socket_t::pair().first, _map, generations - 1)->close();
        }
    };
    const int before = support::next_descriptor();
    {
        channel_map map;
        asyncore::spawn<breeding>(socket_t::pair().first, &map, 2);
    }
    CHECK(support::next_descriptor() == before);
}

TEST_CASE_FIXTURE(fixture, "fork: parent and child each serve their own channels") {
    auto& a = add("a");
    asyncore::loop(0.0, false, &map, 1);  // now the map has a poller
    const auto child = ::fork();
    if (child == 0) {
        // The child closes the parent's connection and serves its own.
        a.close();
        auto& b = add("b");
        peers.back().send("x");
        asyncore::loop(0.0, false, &map, 1);
        static_cast<void>(b);
        ::_exit(log == std::vector<std::string>{"read b"} ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    peers[0].send("x");
    asyncore::loop(0.0, false, &map, 1);
    CHECK(log == std::vector<std::string>{"read a"});
}

TEST_CASE("threads: one loop per thread works on a map per thread") {
    std::atomic<int> served{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&served] {
            std::vector<std::string> log;
            channel_map map;
            auto [ours, theirs] = socket_t::pair();
            asyncore::spawn<named>("n", log, std::move(ours), &map);
            for (int turn = 0; turn < 200; ++turn) {
                theirs.send("x");
                asyncore::loop(1.0, turn % 2 == 0, &map, 1);
            }
            theirs.close();
            asyncore::loop(1.0, false, &map);
            served += static_cast<int>(std::count(log.begin(), log.end(), "read n"));
        });
    for (auto& each : threads) each.join();
    CHECK(served == 4 * 201);  // one more for the end of file
}

TEST_CASE_FIXTURE(fixture,
                  "threads: pthread_cancel() in a hook ends the thread and not the process") {
    struct cancelled : named {
        using named::named;
        void handle_read() override { ::pthread_cancel(::pthread_self()), ::pthread_testcancel(); }
    };
    auto [ours, theirs] = socket_t::pair();
    asyncore::spawn<cancelled>("c", log, std::move(ours), &map);
    theirs.send("x");
    std::thread([this] { asyncore::loop(1.0, false, &map, 1); }).join();
    CHECK(log.empty());  // handle_error() was not called, and the process goes on
}

TEST_CASE_FIXTURE(fixture, "channel_map: use() changes the mechanism") {
    for (const auto name : asyncore::platform::poller_names()) {
        map.use(std::string(name));
        CHECK(map.mechanism() == name);
        log.clear();
        add("a");
        peers.back().send("x");
        asyncore::loop(0.0, false, &map, 1);
        CHECK(log == std::vector<std::string>{"read a"});
    }
    map.use("magic");
    CHECK_THROWS_WITH_AS(asyncore::loop(0.0, false, &map, 1), doctest::Contains("\"magic\""),
                         std::invalid_argument);
}
