// Most tests set the clock, and never wait.
#include "../channels.hpp"

#include <asyncore/timers/timers.hpp>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <thread>

#include <doctest/doctest.h>

using asyncore::channel_map, asyncore::socket_t, asyncore::timer;
using support::lines, support::noting;
using namespace std::chrono_literals;

namespace {

/// Timers on a map of their own, with a clock that stands still.
struct set_clock {
    channel_map map;
    asyncore::timers::clock::time_point now{1000h};
    asyncore::timers timers{&map, [this] { return now; }};
    lines log;

    /// A call that notes its name.
    auto note(std::string name) {
        return [this, name] { log.push_back(name); };
    }
    /// Lets time pass, and takes one turn.
    void pass(std::chrono::nanoseconds time, bool use_poll = false) {
        now += time;
        asyncore::loop(0.0, use_poll, &map, 1);
    }
};

struct noting_timers : asyncore::timers {
    using timers::timers;
    lines log;
    void handle_error() override { log.push_back(std::get<2>(asyncore::compact_traceback())); }
};

/// A channel with calls of its own.
struct timed : asyncore::timed<noting> {
    using asyncore::timed<noting>::timed;
    void handle_error() override { log.push_back(std::get<2>(asyncore::compact_traceback())); }
};

void fail() { throw std::runtime_error("on purpose"); }

}  // namespace

TEST_CASE("timers: a call is made once, when its time has come") {
    for (const bool use_poll : support::both_deliveries) {
        CAPTURE(use_poll);
        set_clock with;
        const auto timer = with.timers.call_later(1.5, with.note("called"));
        with.pass(1499ms, use_poll);
        CHECK(with.log == lines{});
        CHECK_FALSE(timer.cancelled());
        with.pass(1ms, use_poll);
        CHECK(with.log == lines{"called"});
        CHECK(timer.cancelled());
        with.pass(1h, use_poll);
        CHECK(with.log.size() == 1);
    }
}

TEST_CASE("timers: calls are made in the order of their times, then of their scheduling") {
    set_clock with;
    with.timers.call_later(2s, with.note("second"));
    with.timers.call_later(3s, with.note("third"));
    with.timers.call_later(1s, with.note("first"));
    with.timers.call_later(3s, with.note("fourth"));
    with.pass(1h);
    CHECK(with.log == lines{"first", "second", "third", "fourth"});
}

TEST_CASE("timers: the object is in its map while a call is scheduled, so loop() ends") {
    set_clock with;
    CHECK(with.map.empty());
    auto timer = with.timers.call_later(1s, with.note("called"));
    CHECK(with.map.size() == 1);
    timer.cancel();
    CHECK(with.map.empty());
    with.timers.call_later(0.0, with.note("called"));
    asyncore::loop(60.0, false, &with.map);
    CHECK(with.log == lines{"called"});
    CHECK(with.map.empty());
}

TEST_CASE("timers: loop() wakes for each call by the real clock, whatever its time-out") {
    for (const bool use_poll : support::both_deliveries) {
        channel_map map;
        asyncore::timers timers(&map);
        const auto start = channel_map::clock::now();
        int calls = 0;
        auto every = timers.call_every(1ms, [&] { ++calls; });
        timers.call_later(20ms, [&] { every.cancel(); });
        asyncore::loop(std::nullopt, use_poll, &map);
        const auto passed = channel_map::clock::now() - start;
        CHECK(passed >= 20ms);
        CHECK(calls >= 1);
        CHECK(calls * 1ms <= passed);
        CHECK(map.empty());
    }
}

TEST_CASE("timers: a turn in which a call is made counts as any other, and ends") {
    channel_map map;
    asyncore::timers timers(&map);
    auto [ours, theirs] = socket_t::pair();
    noting idle(std::move(ours), &map);
    bool called = false;
    timers.call_later(1ms, [&] { called = true; });
    asyncore::loop(60.0, false, &map, 1);
    CHECK(called);
}

TEST_CASE("timers: what a call changes in another channel counts for the next wait") {
    channel_map map;
    auto [ours, theirs] = socket_t::pair();
    noting paused(std::move(ours), &map);  // it is asked before the timers are
    paused.reads = false;
    asyncore::timers timers(&map);
    timers.call_later(1ms, [&] { paused.reads = true; });
    theirs.send("x");
    asyncore::loop(60.0, false, &map, 2);
    CHECK(paused.log == lines{"read"});
}

TEST_CASE("timers: data that came in time is read before the call that waits for it") {
    set_clock with;
    auto [ours, theirs] = socket_t::pair();
    timer idle = with.timers.call_later(10s, with.note("idle"));
    struct reader : noting {
        using noting::noting;
        timer* idle = nullptr;
        void handle_read() override {
            noting::handle_read();
            idle->reset();
        }
    } client(std::move(ours), &with.map);
    client.idle = &idle;
    theirs.send("x");
    with.pass(10s);
    CHECK(client.log == lines{"read"});
    CHECK(with.log == lines{});
    with.pass(10s);
    CHECK(with.log == lines{"idle"});
}

TEST_CASE("timers: cancel() and reset() of a call that was made, or of no call, do nothing") {
    set_clock with;
    timer none;
    CHECK(none.cancelled());
    none.cancel();
    none.reset();
    const auto made = with.timers.call_later(0.0, with.note("called"));
    with.pass(0s);
    made.cancel();
    made.reset();
    with.pass(1h);
    CHECK(with.log == lines{"called"});
    timer outlives;
    {
        asyncore::timers short_lived(&with.map);
        outlives = short_lived.call_later(1s, [] {});
    }
    CHECK(outlives.cancelled());
    outlives.cancel();
    CHECK(with.map.empty());
}

TEST_CASE("timers: reset() has the whole delay begin anew") {
    set_clock with;
    const auto idle = with.timers.call_later(10s, with.note("idle"));
    for (int i = 0; i < 5; ++i) {
        with.pass(9s);
        idle.reset();
    }
    CHECK(with.log == lines{});
    with.pass(10s);
    CHECK(with.log == lines{"idle"});
}

TEST_CASE("timers: call_every() does not drift, and leaves out the times that it missed") {
    set_clock with;
    std::vector<std::chrono::nanoseconds> times;
    const auto start = with.now;
    const auto every = with.timers.call_every(10s, [&] {
        times.push_back(with.now - start);
        with.now += 3s;  // the call takes long
    });
    for (int i = 0; i < 20; ++i) with.pass(1s);
    CHECK(times == std::vector<std::chrono::nanoseconds>{10s, 20s});
    with.pass(35s);  // from 26 s
    with.pass(6s);   // from 64 s
    CHECK(times == std::vector<std::chrono::nanoseconds>{10s, 20s, 61s, 70s});
    every.reset();
    with.pass(9s);
    CHECK(times.size() == 4);
    with.pass(1s);
    CHECK(times.size() == 5);
}

TEST_CASE("timers: call_every() with a period of zero is made once a turn") {
    set_clock with;
    const auto every = with.timers.call_every(0.0, with.note("called"));
    with.pass(0s);
    with.pass(0s);
    CHECK(with.log == lines{"called", "called"});
}

TEST_CASE("timers: a call may cancel itself and others, and schedule calls for a later turn") {
    set_clock with;
    timer every, other;
    every = with.timers.call_every(1s, [&] {
        with.log.emplace_back("every");
        every.cancel();
        other.cancel();
        with.timers.call_later(0.0, with.note("later"));
    });
    other = with.timers.call_later(1s, with.note("other"));
    with.pass(1s);
    CHECK(with.log == lines{"every"});
    with.pass(0s);
    CHECK(with.log == lines{"every", "later"});
    CHECK(with.timers.empty());
}

TEST_CASE("timers: a call that runs a nested loop has it make the next calls") {
    set_clock with;
    with.timers.call_later(1s, [&] {
        with.log.emplace_back("begin");
        asyncore::loop(60.0, false, &with.map);
        with.log.emplace_back("end");
    });
    with.timers.call_later(1s, with.note("inner"));
    with.pass(1s);
    CHECK(with.log == lines{"begin", "inner", "end"});
}

TEST_CASE("timers: a call may destroy the timers object") {
    channel_map map;
    auto timers = std::make_unique<asyncore::timers>(&map);
    lines log;
    timers->call_later(0.0, [&] {
        log.emplace_back("called");
        timers.reset();
    });
    timers->call_later(0.0, [&] { log.emplace_back("not called"); });
    asyncore::loop(0.0, false, &map);
    CHECK(log == lines{"called"});
}

TEST_CASE("timers: a spawned timers object lives while a call is scheduled") {
    channel_map map;
    bool called = false;
    asyncore::spawn<asyncore::timers>(&map)->call_later(1ms, [&] { called = true; });
    asyncore::loop(60.0, false, &map);
    CHECK(called);
}

TEST_CASE("timers: what a call throws goes to handle_error(), and the other calls are made") {
    set_clock with;
    noting_timers timers(&with.map, [&] { return with.now; });
    timers.call_later(1s, fail);
    const auto every = timers.call_every(1s, fail);
    timers.call_later(1s, with.note("called"));
    with.pass(1s);
    with.pass(0s);
    with.pass(0s);
    CHECK(timers.log == lines{"on purpose", "on purpose"});
    CHECK(with.log == lines{"called"});
    CHECK_FALSE(every.cancelled());
}

TEST_CASE("timers: without an override the map logs what a call throws") {
    set_clock with;
    with.map.log = [&](std::string_view line, std::string_view) { with.log.emplace_back(line); };
    with.timers.call_later(0.0, fail);
    with.pass(0s);
    CHECK(with.log == lines{"uncaptured exception in a timer (std::runtime_error:on purpose)"});
}

TEST_CASE("timers: ExitNow leaves the loop, and the calls that are due are made by the next") {
    set_clock with;
    with.timers.call_later(0.0, [] { throw asyncore::ExitNow(); });
    with.timers.call_later(0.0, with.note("called"));
    CHECK_THROWS_AS(with.pass(0s), asyncore::ExitNow);
    with.pass(0s);
    CHECK(with.log == lines{"called"});
}

TEST_CASE("timers: a call that was cancelled gives up what its function holds") {
    set_clock with;
    const auto held = std::make_shared<int>();
    const auto timer = with.timers.call_later(1h, [held] {});
    CHECK(held.use_count() == 2);
    timer.cancel();
    CHECK(held.use_count() == 1);
    with.timers.call_later(1h, [held] {});
    with.timers.close();
    CHECK(held.use_count() == 1);
    CHECK(with.map.empty());
    with.timers.call_later(0.0, with.note("used again"));
    with.pass(0s);
    CHECK(with.log == lines{"used again"});
}

TEST_CASE("timers: the destructor of a function may schedule and cancel calls") {
    struct at_end {
        std::function<void()> act;
        ~at_end() { act(); }
    };
    set_clock with;
    auto last = std::make_shared<at_end>();
    last->act = [&] { with.timers.call_later(1h, with.note("later")); };
    const auto timer = with.timers.call_later(1h, [held = std::exchange(last, nullptr)] {});
    timer.cancel();
    CHECK(with.timers.size() == 1);
    CHECK(with.map.size() == 1);
}

TEST_CASE("timers: wrong arguments") {
    set_clock with;
    CHECK_THROWS_AS(with.timers.call_later(-1.0, [] {}), std::invalid_argument);
    CHECK_THROWS_AS(with.timers.call_later(std::nullopt, [] {}), std::invalid_argument);
    CHECK_THROWS_AS(with.timers.call_later(1.0, nullptr), std::invalid_argument);
    CHECK(with.map.empty());
}

TEST_CASE("timers: a loop of the program's own asks how long to wait") {
    set_clock with;
    CHECK(with.timers.timeout().forever());
    const auto timer = with.timers.call_later(2500ms, with.note("called"));
    CHECK(with.timers.timeout().milliseconds() == 2500);
    with.now += 2s;
    CHECK(with.timers.timeout().milliseconds() == 500);
    with.now += 2s;
    CHECK(with.timers.timeout().zero());
    int turns = 0;
    for (; with.map; ++turns) asyncore::poll(with.timers.timeout(), &with.map);
    CHECK(turns == 1);
    CHECK(with.log == lines{"called"});

    channel_map map;
    asyncore::timers real(&map);
    real.call_later(5ms, with.note("by map.deadline()"));
    asyncore::poll(0.0, &map);
    CHECK(map.deadline() <= channel_map::clock::now() + 5ms);
    for (turns = 0; map; ++turns) asyncore::poll2(real.timeout(), &map);
    CHECK(turns <= 2);
    CHECK(with.log.size() == 2);
}

TEST_CASE("timed: close() and the destructor cancel the calls of the channel, and no other") {
    set_clock with;
    auto [a, b] = socket_t::pair();
    timed one(with.timers, std::move(a), &with.map);
    auto two = std::make_unique<timed>(with.timers, std::move(b), &with.map);
    one.call_later(1s, with.note("one"));
    two->call_later(1s, with.note("two"));
    two->call_every(1s, with.note("two"));
    with.timers.call_later(1s, with.note("nobody's"));
    CHECK(with.timers.size() == 4);
    one.close();
    CHECK(with.timers.size() == 3);
    two.reset();
    CHECK(with.timers.size() == 1);
    with.pass(1s);
    CHECK(with.log == lines{"nobody's"});
    one.call_later(1s, with.note("reconnect"));  // a channel that is closed may schedule a call
    with.pass(1s);
    CHECK(with.log == lines{"nobody's", "reconnect"});
}

TEST_CASE("timed: a channel that is throttled leaves the map, and its call brings it back") {
    set_clock with;
    auto [ours, theirs] = socket_t::pair();
    timed throttled(with.timers, std::move(ours), &with.map);
    theirs.send("x");
    throttled.del_channel();
    throttled.call_later(1s, [&] {
        throttled._fileno = throttled.socket.fileno();
        throttled.add_channel();
    });
    with.pass(0s);
    CHECK(throttled.log == lines{});
    with.pass(1s);
    with.pass(0s);
    CHECK(throttled.log == lines{"read"});
}

TEST_CASE("timed: what a call throws goes to handle_error() of its channel") {
    set_clock with;
    auto [ours, theirs] = socket_t::pair();
    timed one(with.timers, std::move(ours), &with.map);
    one.call_later(0.0, fail);
    with.pass(0s);
    CHECK(one.log == lines{"on purpose"});
}

TEST_CASE("timed: what the handle_error() of the channel throws leaves the loop") {
    struct raising : timed {
        using timed::timed;
        void handle_error() override { throw; }
    };
    set_clock with;
    auto [ours, theirs] = socket_t::pair();
    raising one(with.timers, std::move(ours), &with.map);
    one.call_later(0.0, fail);
    CHECK_THROWS_AS(with.pass(0s), std::runtime_error);
    with.map.log = [&](std::string_view line, std::string_view) { with.log.emplace_back(line); };
    with.timers.call_later(0.0, fail);
    with.pass(0s);
    CHECK(with.log.size() == 1);
}

TEST_CASE("timed: what a call throws that destroyed its channel goes to the timers object") {
    channel_map map;
    noting_timers timers(&map);
    auto [ours, theirs] = socket_t::pair();
    auto one = std::make_unique<timed>(timers, std::move(ours), &map);
    one->call_later(0.0, [&] {
        one.reset();
        fail();
    });
    asyncore::loop(0.0, false, &map);
    CHECK(timers.log == lines{"on purpose"});
}

TEST_CASE("timed: the timers object may be destroyed before the channel") {
    channel_map map;
    auto timers = std::make_unique<asyncore::timers>(&map);
    auto [ours, theirs] = socket_t::pair();
    timed one(*timers, std::move(ours), &map);
    const auto timer = one.call_later(1s, [] {});
    timers.reset();
    CHECK(timer.cancelled());
    one.close();
    CHECK(map.empty());
}

TEST_CASE("timed: a spawned channel that the map lets go of takes its calls with it") {
    set_clock with;
    auto [ours, theirs] = socket_t::pair();
    struct closer : timed {
        using timed::timed;
        void handle_close() override { del_channel(); }
    };
    auto child = asyncore::spawn<closer>(with.timers, std::move(ours), &with.map);
    child->call_later(1h, with.note("not called"));
    with.map.erase(child->_fileno);
    child.reset();
    with.map.sweep();
    CHECK(with.timers.empty());
    CHECK(with.map.empty());
}

TEST_CASE("timers: a hundred thousand calls are cancelled and reset one by one") {
    set_clock with;
    std::vector<timer> all;
    for (int i = 0; i < 100'000; ++i)
        all.push_back(with.timers.call_later(std::chrono::milliseconds(i * 7919 % 100'000), [] {}));
    for (std::size_t i = 0; i < all.size(); i += 2) all[i].cancel();
    CHECK(with.timers.size() == 50'000);
    for (std::size_t i = 1; i < all.size(); i += 2) all[i].reset();
    with.pass(100s);
    CHECK(with.timers.empty());
}

TEST_CASE("timers: each thread has timers on its own map") {
    std::vector<std::thread> threads;
    std::array<int, 4> calls{};
    for (auto& count : calls)
        threads.emplace_back([&count] {
            channel_map map;
            asyncore::timers timers(&map);
            timer every;
            every = timers.call_every(100us, [&] {
                ++count;
                if (count == 50) every.cancel();
            });
            asyncore::loop(60.0, false, &map);
        });
    for (auto& each : threads) each.join();
    CHECK(std::ranges::all_of(calls, [](int count) { return count == 50; }));
}
