#include "../channels.hpp"
#include "../support.hpp"

#include <asyncore/trigger/trigger.hpp>

#include <array>
#include <atomic>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::channel_map, asyncore::trigger;
using support::lines;

namespace {

/// Notes the pulls, and what thunks throw.
struct noting_trigger : trigger {
    using trigger::trigger;
    lines log;
    void handle_pull() override { log.emplace_back("pull"); }
    void handle_error() override { log.push_back(std::get<2>(asyncore::compact_traceback())); }
    auto note(std::string name) {
        return [this, name] { log.push_back(name); };
    }
};

void fail() { throw std::runtime_error("on purpose"); }

void turn(channel_map& map, bool use_poll = false) { asyncore::loop(0.0, use_poll, &map, 1); }

}  // namespace

TEST_CASE("trigger: many pulls before a turn are one wake-up") {
    for (const bool use_poll : support::both_deliveries) {
        channel_map map;
        noting_trigger bell(&map);
        turn(map, use_poll);
        CHECK(bell.log == lines{});
        for (int i = 0; i < 100'000; ++i) bell.pull();  // more than a socket has room for
        turn(map, use_poll);
        turn(map, use_poll);
        CHECK(bell.log == lines{"pull"});
        bell.pull();
        turn(map, use_poll);
        CHECK(bell.log.size() == 2);
    }
}

TEST_CASE(
    "trigger: a pull from another thread ends a wait, and its thunk runs in the loop's thread") {
    channel_map map;
    trigger bell(&map);
    std::thread::id ran_in;
    std::thread other([&] {
        bell.pull([&] {
            ran_in = std::this_thread::get_id();
            bell.close();
        });
    });
    asyncore::loop(std::nullopt, false, &map);
    other.join();
    CHECK(ran_in == std::this_thread::get_id());
}

TEST_CASE(
    "trigger: thunks run in the order of the pulls, and what a thunk pulls in the next turn") {
    channel_map map;
    noting_trigger bell(&map);
    bell.pull([&] {
        bell.log.emplace_back("first");
        bell.pull(bell.note("third"));
    });
    bell.pull(bell.note("second"));
    turn(map);
    CHECK(bell.log == lines{"pull", "first", "second"});
    turn(map);
    CHECK(bell.log == lines{"pull", "first", "second", "pull", "third"});
}

TEST_CASE("trigger: what a thunk throws goes to handle_error(), and no other thunk is lost") {
    channel_map map;
    noting_trigger bell(&map);
    bell.pull(fail);
    bell.pull(fail);
    bell.pull(bell.note("called"));
    for (int i = 0; i < 3; ++i) turn(map);
    CHECK(bell.log == lines{"pull", "on purpose", "pull", "on purpose", "pull", "called"});
    turn(map);
    CHECK(bell.log.size() == 6);
}

TEST_CASE("trigger: ExitNow leaves the loop, and the next loop calls the other thunks") {
    channel_map map;
    noting_trigger bell(&map);
    bell.pull([] { throw asyncore::ExitNow(); });
    bell.pull(bell.note("called"));
    CHECK_THROWS_AS(turn(map), asyncore::ExitNow);
    turn(map);
    CHECK(bell.log == lines{"pull", "pull", "called"});
}

TEST_CASE("trigger: without an override the map logs what a thunk throws") {
    channel_map map;
    lines log;
    map.log = [&](std::string_view line, std::string_view) { log.emplace_back(line); };
    trigger bell(&map);
    bell.pull(fail);
    turn(map);
    CHECK(log ==
          lines{"uncaptured exception in asyncore::trigger (std::runtime_error:on purpose)"});
}

TEST_CASE("trigger: a thunk that runs a nested loop has it call the next thunks") {
    channel_map map;
    noting_trigger bell(&map);
    bell.pull([&] {
        bell.log.emplace_back("begin");
        asyncore::loop(std::nullopt, false, &map, 1);
        bell.log.emplace_back("end");
    });
    bell.pull(bell.note("inner"));
    turn(map);
    CHECK(bell.log == lines{"pull", "begin", "pull", "inner", "end"});
}

TEST_CASE("trigger: a thunk may destroy the trigger, and the thunks after it are not called") {
    channel_map map;
    auto bell = std::make_unique<trigger>(&map);
    lines log;
    bell->pull([&] {
        log.emplace_back("called");
        bell.reset();
    });
    bell->pull([&] { log.emplace_back("not called"); });
    turn(map);
    CHECK(log == lines{"called"});
    CHECK(map.empty());
}

TEST_CASE("trigger: close() leaves the map and gives up what the thunks hold") {
    channel_map map;
    trigger bell(&map);
    const auto held = std::make_shared<int>();
    bell.pull([held] {});
    CHECK(held.use_count() == 2);
    bell.close();
    CHECK(held.use_count() == 1);
    bell.pull([held] {});
    CHECK(held.use_count() == 1);
    bell.pull();
    CHECK(map.empty());
    CHECK_THROWS_AS(bell.pull(nullptr), std::invalid_argument);
}

TEST_CASE("trigger: its descriptors are closed with it") {
    channel_map map;
    const int next = support::next_descriptor();
    { const trigger bell(&map); }
    CHECK(support::next_descriptor() == next);
}

TEST_CASE("trigger: a signal handler may pull, and errno stays as it was") {
    static trigger* pulled = nullptr;
    static volatile std::sig_atomic_t kept = 0;
    channel_map map;
    noting_trigger bell(&map);
    pulled = &bell;
    const auto before = std::signal(SIGUSR1, [](int) {
        errno = EDOM;
        pulled->pull();
        kept = errno == EDOM;
    });
    ::raise(SIGUSR1);
    ::raise(SIGUSR1);
    std::signal(SIGUSR1, before);
    turn(map);
    CHECK(bell.log == lines{"pull"});
    CHECK(kept == 1);
}

TEST_CASE(
    "trigger: several threads pull thunks, and each is called once, in the order of its thread") {
    channel_map map;
    trigger bell(&map);
    constexpr int threads = 4, pulls = 5000;
    std::array<int, threads> next{};  // without a lock: only the thread of the loop uses it
    int out_of_order = 0, ended = 0;
    std::vector<std::thread> all;
    for (auto& expected : next)
        all.emplace_back([&] {
            for (int i = 0; i < pulls; ++i)
                bell.pull([&, i] {
                    if (expected != i) ++out_of_order;
                    expected = i + 1;
                });
            bell.pull([&] {
                ++ended;
                if (ended == threads) bell.close();
            });
        });
    asyncore::loop(60.0, true, &map);
    for (auto& each : all) each.join();
    CHECK(next == std::array<int, threads>{pulls, pulls, pulls, pulls});
    CHECK(out_of_order == 0);
}

TEST_CASE(
    "trigger: what a thread wrote before a pull without a thunk can be read in handle_pull()") {
    static constexpr int most = 5000;
    struct counter : trigger {
        using trigger::trigger;
        std::array<std::atomic<int>, 4> counts{};
        void handle_pull() override {
            for (const auto& each : counts)
                if (each.load(std::memory_order_relaxed) < most) return;
            close();
        }
    };
    channel_map map;
    counter bell(&map);
    std::vector<std::thread> all;
    for (auto& count : bell.counts)
        all.emplace_back([&] {
            for (int i = 0; i < most; ++i) {
                count.fetch_add(1, std::memory_order_relaxed);
                bell.pull();
            }
        });
    asyncore::loop(std::nullopt, false, &map);  // a wake-up that is lost makes it wait for ever
    for (auto& each : all) each.join();
    CHECK(map.empty());
}

TEST_CASE(
    "trigger: a thread may pull a spawned trigger while the loop closes it and lets go of it") {
    for (int i = 0; i < 50; ++i) {
        channel_map map;
        auto bell = asyncore::spawn<trigger>(&map);
        std::thread other([mine = bell] {
            mine->pull([closed = mine.get()] { closed->close(); });
            for (int j = 0; j < 100; ++j) mine->pull([] {});
        });
        bell.reset();
        asyncore::loop(60.0, false, &map);
        other.join();
        CHECK(map.empty());
    }
}

TEST_CASE("trigger: a thunk that tells a thread to end may destroy the trigger at once") {
    for (int i = 0; i < 200; ++i) {
        channel_map map;
        auto bell = std::make_unique<trigger>(&map);
        std::thread other([&] { bell->pull([&] { bell.reset(); }); });
        asyncore::loop(60.0, false, &map);
        other.join();
    }
}

TEST_CASE("trigger: parent and child have a trigger of their own after a fork") {
    for (const bool exact : {false, true}) {
        CAPTURE(exact);
        channel_map map;
        map.exact = exact;
        noting_trigger bell(&map);
        bell.pull();
        turn(map);
        bell.pull();  // for the parent
        CHECK(support::in_child([&] {
            bell.log.clear();
            bell.pull(bell.note("in the child"));
            turn(map);
            if (bell.log != lines{"pull", "in the child"}) return false;
            bell.log.clear();
            turn(map);
            if (!bell.log.empty()) return false;
            bell.pull();
            turn(map);
            return bell.log == lines{"pull"};
        }));
        turn(map);
        CHECK(bell.log == lines{"pull", "pull"});
        turn(map);
        CHECK(bell.log.size() == 2);
    }
}

TEST_CASE("trigger: a child without descriptors (EMFILE) says so, and tries again") {
    channel_map map;
    noting_trigger bell(&map);
    turn(map);
    CHECK(support::in_child([&] {
        int said = 0;
        map.log = [&](std::string_view line, std::string_view) {
            said += line.starts_with("after a fork: ");
        };
        map.use("poll");  // which needs no descriptor of its own
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        const rlimit none{0, limit.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
        bell.log.clear();
        try {
            turn(map);
            turn(map);
        } catch (const std::system_error&) {
            // poll(2) refuses more entries than there may be descriptors.
        }
        if (said == 0 || !bell.log.empty()) return false;
        ::setrlimit(RLIMIT_NOFILE, &limit);
        bell.pull();
        asyncore::loop(30.0, false, &map, 1);
        return bell.log == lines{"pull"};
    }));
}
