// asyncore/loop.hpp, where neither CPython's tests nor a replayed script can tell: which events
// reach which channel, and which exceptions leave the loop.
#include "channels.hpp"
#include "support.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::channel_map;
using asyncore::socket_t;
using asyncore::platform::os_error;
using asyncore::platform::unique_fd;
using support::both_deliveries;
using support::lines;
using support::noting;
using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

volatile std::sig_atomic_t caught = 0;

/// Calls `act` when it has read.
struct acting : noting {
    using noting::noting;
    std::function<void()> act;
    void handle_read() override {
        noting::handle_read();
        act();
    }
};

}  // namespace

TEST_CASE("loop: an empty map returns at once") {
    channel_map map;
    const auto start = clock_type::now();
    asyncore::poll(30.0, &map);
    asyncore::poll2(30.0, &map);
    asyncore::loop(30.0, false, &map);
    CHECK(clock_type::now() - start < 10s);
}

TEST_CASE("loop: a closed descriptor is a handle_close() at once") {
    struct throwing : noting {
        using noting::noting;
        void handle_close() override {
            noting::handle_close();
            throw std::runtime_error("on purpose");
        }
    };
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [a, b] = socket_t::pair();
        throwing d(std::move(a), &map);
        map.mechanism();  // a poller made later could get the closed number
        ::close(d._fileno);
        const auto start = clock_type::now();
        CHECK_NOTHROW(asyncore::loop(30.0, use_poll, &map, 1));
        CHECK(clock_type::now() - start < 10s);
        CHECK(d.log == lines{"close", "error"});
        static_cast<void>(d.socket.detach().release());
    }
}

TEST_CASE("loop: a closed descriptor is a handle_close() on every turn") {
    struct plain : asynchat::async_chat {
        using async_chat::async_chat;
        int closes = 0;
        void handle_close() override { ++closes; }
    };
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [a, b] = socket_t::pair();
        const auto d = asyncore::spawn<plain>(std::move(a), &map);
        map.mechanism();
        ::close(d->_fileno);
        asyncore::loop(0.0, use_poll, &map, 3);
        CHECK(d->closes == 3);
        static_cast<void>(d->socket.detach().release());
    }
}

TEST_CASE("loop: a channel is told of what it asked for and of no more") {
    for (const bool use_poll : both_deliveries) {
        CAPTURE(use_poll);
        channel_map map;
        auto [a, b] = support::tcp_pair();
        noting writer(std::move(a), &map);
        writer.reads = false;
        writer.writes = true;
        b.send("x");
        b.send("!", MSG_OOB);
        REQUIRE(support::wait_readable(writer._fileno, 30s));
        // Only the select delivery tells a writable channel of out-of-band data.
        asyncore::loop(0.0, use_poll, &map, 1);
        CHECK(writer.log == (use_poll ? lines{"write"} : lines{"write", "expt"}));
    }
    channel_map map;
    auto [a, b] = socket_t::pair();
    noting writer(std::move(a), &map);
    writer.reads = false;
    writer.writes = true;
    b.close();
    asyncore::loop(0.0, false, &map, 1);
    CHECK(writer.log == lines{"write"});
}

TEST_CASE("loop: a socket error does not call handle_write() of a channel that is not writable") {
    channel_map map;
    auto [a, b] = support::tcp_pair();
    noting reader(std::move(a), &map);
    const linger at_once{1, 0};
    REQUIRE(::setsockopt(b.fileno(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    b.close();
    REQUIRE(support::wait_readable(reader._fileno, 30s));
    asyncore::loop(0.0, false, &map, 1);
    CHECK(reader.log == lines{"read"});
}

TEST_CASE("loop: a stale event does not reach a channel that replaced the entry") {
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [a, peer_a] = socket_t::pair();
        auto [b, peer_b] = socket_t::pair();
        acting one(std::move(a), &map);
        noting two(std::move(b), &map), heir(&map);
        one.act = [&] { map[two._fileno] = &heir; };
        peer_a.send("x");
        peer_b.send("x");
        asyncore::loop(0.0, use_poll, &map, 1);
        CHECK(two.log.empty());
        CHECK(heir.log.empty());
        heir.socket = std::move(two.socket);
        asyncore::loop(0.0, use_poll, &map, 1);
        CHECK(heir.log == lines{"read"});
    }
}

TEST_CASE("loop: a stale event for a descriptor that has no entry is dropped") {
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [quiet, silent] = socket_t::pair();
        auto [a, b] = socket_t::pair();
        noting bystander(std::move(quiet), &map), d(std::move(a), &map);
        asyncore::loop(0.0, use_poll, &map, 1);
        const unique_fd twin(::dup(d._fileno));  // so that epoll(7) still reports the closed number
        ::close(d._fileno);
        d.del_channel();
        static_cast<void>(d.socket.detach().release());
        b.send("x");
        silent.send("x");
        asyncore::loop(0.0, use_poll, &map, 1);
        CHECK(bystander.log == lines{"read"});
        CHECK(d.log.empty());
    }
}

TEST_CASE("loop: a channel that has left the map is not watched though its descriptor is open") {
    struct leaving : noting {
        using noting::noting;
        bool leaves = false, first = false;
        bool readable() override {
            if (leaves && first) del_channel();
            return true;
        }
        bool writable() override {
            if (leaves && !first) del_channel();
            return true;
        }
    };
    const auto check_quiet = [](channel_map& map, bool use_poll) {
        const auto start = clock_type::now();
        asyncore::loop(0.02, use_poll, &map, 1);
        CHECK(clock_type::now() - start >= 20ms);
    };
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [quiet, silent] = socket_t::pair();
        noting bystander(std::move(quiet), &map);
        for (const bool first : {false, true}) {
            auto [a, b] = socket_t::pair();
            leaving d(std::move(a), &map);
            d.leaves = true;
            d.first = first;
            b.send("x");
            asyncore::loop(0.0, use_poll, &map, 1);
            CHECK(map.size() == 1);
            check_quiet(map, use_poll);
            CHECK(d.log.empty());
        }
        unique_fd twin;
        {
            auto [a, b] = socket_t::pair();
            noting d(std::move(a), &map);
            d.writes = true;
            twin.reset(::dup(d._fileno));
            asyncore::loop(0.0, use_poll, &map, 1);
        }
        CHECK(map.size() == 1);
        check_quiet(map, use_poll);
        CHECK(bystander.log.empty());
    }
}

TEST_CASE("loop: a channel that replaces an entry is watched for its own interest") {
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [a, b] = socket_t::pair();
        noting one(std::move(a), &map), two(&map);
        const int fd = one._fileno;
        asyncore::loop(0.0, use_poll, &map, 1);
        map[fd] = &two;  // it has the same interest
        two.socket = std::move(one.socket);
        b.send("x");
        asyncore::loop(0.0, use_poll, &map, 1);
        CHECK(two.log == lines{"read"});
        noting silent(&map);
        silent.reads = false;
        map[fd] = &silent;
        b.close();  // a hang-up is reported for any interest
        asyncore::loop(0.0, use_poll, &map, 2);
        CHECK(silent.log.empty());
    }
}

TEST_CASE("loop: every channel is still asked after many channels have left") {
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        map.mechanism();
        std::vector<std::unique_ptr<noting>> many;
        for (int i = 0; i < 200; ++i) {
            many.push_back(std::make_unique<noting>(&map));
            many.back()->reads = false;
            map[1000 + i] = many.back().get();
        }
        auto [a, peer_a] = socket_t::pair();
        auto [b, peer_b] = socket_t::pair();
        noting bystander(std::move(b), &map);
        acting one(std::move(a), &map);
        one.act = [&] {
            many.clear();
            bystander.writes = true;
        };
        peer_a.send("x");
        asyncore::loop(0.0, use_poll, &map, 3);
        CHECK(bystander.log == lines{"write", "write"});
    }
}

TEST_CASE(
    "loop: ExitNow and KeyboardInterrupt and SystemExit leave the loop under both deliveries") {
    struct leaving : noting {
        using noting::noting;
        std::function<void()> leave;
        void handle_read() override { leave(); }
    };
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [a, b] = socket_t::pair();
        leaving d(std::move(a), &map);
        b.send("x");
        const auto turn = [&] { asyncore::loop(0.0, use_poll, &map, 1); };
        d.leave = [] { throw asyncore::ExitNow(); };
        CHECK_THROWS_AS(turn(), asyncore::ExitNow);
        d.leave = [] { throw asyncore::KeyboardInterrupt(); };
        CHECK_THROWS_AS(turn(), asyncore::KeyboardInterrupt);
        d.leave = [] { throw asyncore::SystemExit{3}; };
        CHECK_THROWS_AS(turn(), asyncore::SystemExit);
        CHECK(d.log.empty());
        d.leave = [] { throw 3; };
        CHECK_NOTHROW(turn());
        CHECK(d.log == lines{"error"});
    }
}

TEST_CASE("loop: a channel that destroys another channel goes on reading") {
    struct destroying : asynchat::async_chat {
        using async_chat::async_chat;
        std::unique_ptr<noting> other;
        lines log;
        void collect_incoming_data(std::string_view data) override { log.emplace_back(data); }
        void found_terminator() override { other.reset(); }
    };
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [a, b] = socket_t::pair();
        destroying d(std::move(a), &map);
        d.other = std::make_unique<noting>(&map);
        d.set_terminator("\n");
        b.send("one\ntwo\n");
        asyncore::loop(0.0, use_poll, &map, 1);
        CHECK(d.log == lines{"one", "two"});
    }
}

TEST_CASE("loop: nested loop: a loop in a predicate serves no event twice") {
    struct looping : noting {
        using noting::noting;
        bool use_poll = false, looped = false;
        bool readable() override {
            if (!std::exchange(looped, true)) asyncore::loop(0.0, use_poll, _map, 1);
            return noting::readable();
        }
    };
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [a, peer_a] = socket_t::pair();
        auto [b, peer_b] = socket_t::pair();
        noting first(std::move(a), &map);
        looping second(std::move(b), &map);
        second.use_poll = use_poll;
        peer_a.send("x");
        asyncore::loop(0.0, use_poll, &map, 1);
        CHECK(first.log == lines{"read"});
    }
}

TEST_CASE("loop: nested loop: a channel that closed itself lives until the outermost turn ends") {
    struct closer : noting {
        using noting::noting;
        std::shared_ptr<int> token = std::make_shared<int>();
        long* uses;
        void handle_read() override {
            auto& after_the_loop = *uses;
            auto& map = *_map;
            const auto copy = token;
            close();
            asyncore::loop(0.0, false, &map, 2);
            after_the_loop = copy.use_count();
        }
    };
    channel_map map;
    auto [a, b] = socket_t::pair();
    auto [quiet, silent] = socket_t::pair();
    noting bystander(std::move(quiet), &map);
    long uses = 0;
    std::shared_ptr<int> token;
    {
        const auto d = asyncore::spawn<closer>(std::move(a), &map);
        d->uses = &uses;
        token = d->token;
    }
    b.send("x");
    asyncore::loop(0.0, false, &map, 1);
    CHECK(uses == 3);  // of the channel, of its hook and of this test
    CHECK(token.use_count() == 1);
}

TEST_CASE("close_all: an exception in close() ends it unless it is EBADF or ignore_all is set") {
    struct closer : noting {
        using noting::noting;
        std::function<void()> fail;
        void close() override {
            log.emplace_back("close");
            if (fail) fail();
        }
    };
    const auto closes_all = [](const std::function<void()>& fail, bool ignore_all) {
        channel_map map;
        closer first(&map), second(&map);
        first.fail = fail;
        map[5] = &first;
        map[6] = &second;
        const auto all_closed = [&] { return map.empty() && second.log == lines{"close"}; };
        try {
            asyncore::close_all(&map, ignore_all);
            return all_closed();
        } catch (...) {
            CHECK(!all_closed());
            return false;
        }
    };
    const auto closed = [] { throw os_error(EBADF, "close"); };
    const auto broken = [] { throw os_error(EIO, "close"); };
    const auto other = [] { throw std::runtime_error("on purpose"); };
    const auto exits = [] { throw asyncore::ExitNow(); };
    for (const bool ignore_all : {false, true}) {
        CAPTURE(ignore_all);
        CHECK(closes_all(closed, ignore_all));
        CHECK(closes_all(broken, ignore_all) == ignore_all);
        CHECK(closes_all(other, ignore_all) == ignore_all);
        CHECK(!closes_all(exits, ignore_all));
    }
}

TEST_CASE("close_all: it closes a channel that another channel's close() took out of the map") {
    struct closer : noting {
        using noting::noting;
        std::function<void()> act;
        bool closed = false;
        void close() override {
            closed = true;
            if (act) act();
            noting::close();
        }
    };
    channel_map map;
    auto [a, b] = socket_t::pair();
    const auto one = asyncore::spawn<closer>(std::move(a), &map);
    const auto two = asyncore::spawn<closer>(std::move(b), &map);
    one->act = [&] { map.erase(two->_fileno); };
    asyncore::close_all(&map);
    CHECK(two->closed);
    CHECK(map.empty());
}

TEST_CASE("interrupt_on_sigint: watch_interrupt(-1) is allowed on a map that watches none") {
    channel_map map;
    map.mechanism();
    CHECK_NOTHROW(map.watch_interrupt(-1));
    CHECK_FALSE(map.watches_interrupt());
}

TEST_CASE("interrupt_on_sigint: the end of the guard needs no poller, and none of this process") {
    channel_map map;
    {
        const asyncore::interrupt_on_sigint guard(&map);
        CHECK(map.watches_interrupt());
        map.use("poll");
    }
    CHECK_FALSE(map.watches_interrupt());
    std::optional<asyncore::interrupt_on_sigint> guard(&map);
    CHECK(support::in_child([&] {
        guard.reset();
        return !map.watches_interrupt();
    }));
    CHECK(map.watches_interrupt());
}

TEST_CASE("interrupt_on_sigint: where the map has no poller, SIGINT is left alone") {
    struct sigaction before {
    }, after{};
    ::sigaction(SIGINT, nullptr, &before);
    channel_map map;
    map.use("no such mechanism");
    CHECK_THROWS_AS(asyncore::interrupt_on_sigint{&map}, std::invalid_argument);
    ::sigaction(SIGINT, nullptr, &after);
    CHECK((after.sa_handler == before.sa_handler));
}

TEST_CASE("loop: poll3() is poll2()") {
    channel_map map;
    auto [a, b] = socket_t::pair();
    noting d(std::move(a), &map);
    b.send("x");
    asyncore::poll3(0.0, &map);
    CHECK(d.log == lines{"read"});
}

TEST_CASE("loop: a channel may serve all events of a turn itself (readwrite_)") {
    using asyncore::platform::events;
    struct serving : noting {
        using noting::noting;
        bool is_reader = true;
        std::vector<events> served;
        bool readwrite_(events what) override {
            served.push_back(what);
            if (is_reader && any(what & events::read)) handle_read();
            return true;
        }
    };
    const auto served = [](bool is_reader) {
        channel_map map;
        map.exact = false;
        auto [a, b] = socket_t::pair();
        serving d(std::move(a), &map);
        d.is_reader = is_reader;
        b.send("x");
        b.close();
        asyncore::loop(0.0, true, &map, 1);
        return d.served;
    };
    // A hang-up ends a channel when it has read what came before.
    CHECK((served(true) == std::vector{events::read}));
    CHECK((served(false) == std::vector{events::read, events::hangup}));
    channel_map map;
    serving d(socket_t::pair().first, &map);
    asyncore::readwrite(d, events::read | events::write);
    CHECK((d.served == std::vector{events::read | events::write}));
}

TEST_CASE("loop: an event without an entry, and a wake-up without a SIGINT, are dropped") {
    constexpr int wake_up = 1 << 20, unknown = wake_up + 1;
    struct inventing_poller : asyncore::platform::poller {
        void watch(int, asyncore::platform::events) override {}
        std::string_view name() const noexcept override { return "inventing"; }
        bool wait_once(asyncore::platform::timeout,
                       std::vector<asyncore::platform::ready>& found) override {
            found = {{wake_up, asyncore::platform::events::read},
                     {unknown, asyncore::platform::events::read}};
            return true;
        }
    };
    struct inventing_map : channel_map {
        std::unique_ptr<asyncore::platform::poller> new_poller_(std::string_view) override {
            return std::make_unique<inventing_poller>();
        }
    };
    for (const bool use_poll : both_deliveries) {
        inventing_map map;
        noting d(socket_t::pair().first, &map);
        map.watch_interrupt(wake_up);
        CHECK_NOTHROW(asyncore::loop(std::nullopt, use_poll, &map, 1));
        CHECK(d.log.empty());
    }
}

TEST_CASE("interrupt_on_sigint: SIGINT ends a wait of every mechanism until the guard ends") {
    CHECK(support::in_child([] {
        ::alarm(30);
        std::signal(SIGINT, [](int) { caught = caught + 1; });
        channel_map map;
        auto [a, b] = socket_t::pair();
        noting d(std::move(a), &map);
        const auto interrupts = [](channel_map& where) {
            try {
                asyncore::loop(0.0, false, &where, 1);
                return false;
            } catch (const asyncore::KeyboardInterrupt&) {
                return true;
            }
        };
        if (interrupts(map)) return false;  // now the map has a poller
        {
            const asyncore::interrupt_on_sigint guard(&map);
            ::raise(SIGINT);
            if (!interrupts(map)) return false;
        }
        {
            channel_map other;
            noting in_other(std::move(b), &other);
            const asyncore::interrupt_on_sigint guard(&other);
            ::raise(SIGINT);
            if (interrupts(map) || !interrupts(other)) return false;
        }
        {
            const asyncore::interrupt_on_sigint guard(&map);
            for (const auto name : asyncore::platform::poller_names()) {
                map.use(std::string(name));
                ::raise(SIGINT);
                try {
                    asyncore::loop(std::nullopt, false, &map, 1);
                    return false;
                } catch (const asyncore::KeyboardInterrupt&) {
                }
            }
            ::raise(SIGINT);  // no wait follows: the end of the guard forgets it
        }
        if (caught != 0) return false;
        ::raise(SIGINT);
        asyncore::loop(0.0, false, &map, 2);
        return caught == 1;
    }));
}

TEST_CASE("wake_at: the turn asks the channels anew at the deadline and goes on to wait") {
    using clock = channel_map::clock;
    struct timer : noting {
        using noting::noting;
        std::function<void()> due;
        clock::time_point when = clock::now() + std::chrono::milliseconds(20);
        int calls = 0;
        bool readable() override {
            if (calls < 3 && clock::now() >= when) {
                ++calls;
                when += std::chrono::milliseconds(1);
                if (calls == 3) due();
            }
            if (calls < 3) _map->wake_at(when);
            return false;
        }
        bool writable() override { return false; }
    };
    channel_map map;
    auto [a, peer_a] = socket_t::pair();
    auto [b, peer_b] = socket_t::pair();
    timer clock_channel(std::move(a), &map);
    noting reader(std::move(b), &map);
    clock_channel.due = [&, &peer = peer_b] { peer.send("x"); };
    asyncore::loop(60.0, false, &map, 1);
    CHECK(clock_channel.calls == 3);
    CHECK(reader.log == lines{"read"});
    CHECK(map.deadline() == channel_map::never);
}

TEST_CASE("wake_at: a deadline that is always over does not keep what is ready from being served") {
    struct busy : noting {
        using noting::noting;
        bool readable() override {
            _map->wake_at(channel_map::clock::now());
            return false;
        }
        bool writable() override { return false; }
    };
    channel_map map;
    auto [a, peer_a] = socket_t::pair();
    auto [b, peer_b] = socket_t::pair();
    busy always(std::move(a), &map);
    noting reader(std::move(b), &map);
    peer_b.send("x");
    asyncore::loop(60.0, false, &map, 1);
    CHECK(reader.log == lines{"read"});
}

TEST_CASE("wake_at: a channel that closes at the deadline, as the last of its map, ends the loop") {
    struct limited : noting {
        using noting::noting;
        const channel_map::clock::time_point when =
            channel_map::clock::now() + std::chrono::milliseconds(20);
        bool readable() override {
            if (channel_map::clock::now() < when) _map->wake_at(when);
            else close();
            return true;
        }
        bool writable() override { return false; }
    };
    for (const bool use_poll : {false, true}) {
        channel_map map;
        auto [a, peer_a] = socket_t::pair();
        limited channel(std::move(a), &map);
        asyncore::loop(std::nullopt, use_poll, &map);  // for ever, if the turn goes on to wait
        CHECK(map.empty());
    }
}
