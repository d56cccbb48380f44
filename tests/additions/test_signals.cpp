#include "../channels.hpp"
#include "../support.hpp"

#include <asyncore/signals/signals.hpp>

#include <array>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::channel_map;
using support::lines;

namespace {

struct noting_signals : asyncore::signals {
    using signals::signals;
    std::vector<int> caught;
    lines errors;
    bool fails = false;
    void handle_signal(int signal) override {
        caught.push_back(signal);
        if (fails) throw std::runtime_error("on purpose");
    }
    void handle_error() override { errors.push_back(std::get<2>(asyncore::compact_traceback())); }
};

using numbers = std::vector<int>;

void turn(channel_map& map, bool use_poll = false) { asyncore::loop(0.0, use_poll, &map, 1); }

/// Whether the process does at a signal what it does by default.
bool is_default(int signal) {
    struct sigaction action {};
    REQUIRE(::sigaction(signal, nullptr, &action) == 0);
    return action.sa_handler == SIG_DFL;
}

volatile std::sig_atomic_t counted = 0;
void count(int) { counted = counted + 1; }

}  // namespace

TEST_CASE("signals: a signal becomes a hook, once for all that merged, in the order of numbers") {
    for (const bool use_poll : support::both_deliveries) {
        channel_map map;
        noting_signals channel({SIGTERM, SIGHUP, SIGUSR1}, &map);
        turn(map, use_poll);
        CHECK(channel.caught == numbers{});
        for (const int signal : {SIGTERM, SIGUSR1, SIGHUP, SIGUSR1}) ::raise(signal);
        turn(map, use_poll);
        CHECK(channel.caught == numbers{SIGHUP, SIGUSR1, SIGTERM});
        turn(map, use_poll);
        CHECK(channel.caught.size() == 3);
    }
}

TEST_CASE("signals: a signal that another thread catches ends a wait of the loop") {
    struct last : noting_signals {
        using noting_signals::noting_signals;
        void handle_signal(int signal) override {
            noting_signals::handle_signal(signal);
            close();
        }
    };
    channel_map map;
    last channel({SIGUSR1}, &map);
    std::thread other([] { ::raise(SIGUSR1); });
    asyncore::loop(std::nullopt, false, &map);
    other.join();
    CHECK(channel.caught == numbers{SIGUSR1});
    CHECK(map.empty());
}

TEST_CASE("signals: several objects on several maps each hear of a signal") {
    channel_map map, other_map;
    noting_signals one({SIGUSR1}, &map), two({SIGUSR1, SIGUSR2}, &other_map);
    auto three = std::make_unique<noting_signals>(std::initializer_list<int>{SIGUSR1}, &map);
    ::raise(SIGUSR1);
    ::raise(SIGUSR2);
    turn(map);
    CHECK(one.caught == numbers{SIGUSR1});
    CHECK(three->caught == numbers{SIGUSR1});
    three.reset();
    turn(other_map);
    CHECK(two.caught.size() == 2);
    ::raise(SIGUSR1);
    turn(map);
    CHECK(one.caught.size() == 2);
}

TEST_CASE("signals: the last object restores what the signal did before") {
    const auto before = std::signal(SIGUSR1, count);
    counted = 0;
    channel_map map;
    {
        noting_signals one({SIGUSR1, SIGUSR2}, &map);
        auto two = std::make_unique<noting_signals>(std::initializer_list<int>{SIGUSR1}, &map);
        one.close();
        ::raise(SIGUSR1);
        CHECK(counted == 0);
        two.reset();
        ::raise(SIGUSR1);
        CHECK(counted == 1);
        CHECK(is_default(SIGUSR2));
    }
    ::raise(SIGUSR1);
    CHECK(counted == 2);
    std::signal(SIGUSR1, before);
}

TEST_CASE("signals: a constructor that throws restores what the signals did before") {
    channel_map map;
    using signals = noting_signals;
    const auto made = [&](std::initializer_list<int> caught) {
        const signals channel(caught, &map);
    };
    CHECK_THROWS_AS(made({SIGUSR1, SIGKILL}), std::system_error);
    CHECK_THROWS_AS(made({SIGUSR1, SIGSEGV}), std::invalid_argument);
    CHECK_THROWS_AS(made({SIGUSR1, 0}), std::invalid_argument);
    CHECK_THROWS_AS(made({SIGUSR1, 65}), std::invalid_argument);
    CHECK(is_default(SIGUSR1));
    CHECK(map.empty());
    CHECK_NOTHROW(made({SIGUSR1, SIGUSR1}));
    CHECK(is_default(SIGUSR1));
}

TEST_CASE("signals: what a hook throws goes to handle_error(), and no other signal is lost") {
    channel_map map;
    noting_signals channel({SIGUSR1, SIGUSR2}, &map);
    channel.fails = true;
    ::raise(SIGUSR1);
    ::raise(SIGUSR2);
    turn(map);
    turn(map);
    CHECK(channel.caught.size() == 2);
    CHECK(channel.errors == lines{"on purpose", "on purpose"});
}

TEST_CASE("signals: a hook that runs a nested loop has it serve the next signals") {
    struct nesting : noting_signals {
        using noting_signals::noting_signals;
        void handle_signal(int signal) override {
            noting_signals::handle_signal(signal);
            if (caught.size() == 1) asyncore::loop(std::nullopt, false, &map_, 1);
            caught.push_back(-signal);
        }
    };
    channel_map map;
    nesting channel({10, 12}, &map);
    ::raise(10);
    ::raise(12);
    turn(map);
    CHECK(channel.caught == numbers{10, 12, -12, -10});
}

TEST_CASE("signals: a hook may destroy its channel") {
    static std::unique_ptr<asyncore::signals> only;
    struct ending : asyncore::signals {
        using signals::signals;
        void handle_signal(int) override { only.reset(); }
    };
    channel_map map;
    only = std::make_unique<ending>(std::initializer_list<int>{SIGUSR1, SIGUSR2}, &map);
    ::raise(SIGUSR1);
    ::raise(SIGUSR2);
    turn(map);
    CHECK(map.empty());
}

TEST_CASE("signals: without overrides the map logs a signal, and what a hook throws") {
    channel_map map;
    lines log;
    map.log = [&](std::string_view line, std::string_view) { log.emplace_back(line); };
    struct failing : asyncore::signals {
        using signals::signals;
        void handle_signal(int signal) override {
            signals::handle_signal(signal);
            throw std::runtime_error("on purpose");
        }
    };
    const failing channel({SIGUSR1}, &map);
    ::raise(SIGUSR1);
    turn(map);
    REQUIRE(log.size() == 2);
    CHECK(log[0] == "unhandled signal " + std::to_string(SIGUSR1));
    CHECK(log[1].ends_with("failing (std::runtime_error:on purpose)"));
}

TEST_CASE(
    "signals: the newest of signals and interrupt_on_sigint gets SIGINT, in any order of ends") {
    CHECK(support::in_child([] {
        ::alarm(30);
        std::signal(SIGINT, count);
        counted = 0;
        channel_map map;
        auto [ours, theirs] = asyncore::socket_t::pair();
        const support::noting idle(std::move(ours), &map);
        const auto interrupts = [&] {
            try {
                turn(map);
                return false;
            } catch (const asyncore::KeyboardInterrupt&) {
                return true;
            }
        };
        auto outer = std::make_unique<asyncore::interrupt_on_sigint>(&map);
        auto channel = std::make_unique<noting_signals>(std::initializer_list<int>{SIGINT}, &map);
        ::raise(SIGINT);
        if (interrupts() || channel->caught != numbers{SIGINT}) return false;
        channel.reset();
        ::raise(SIGINT);
        if (!interrupts()) return false;
        outer.reset();

        channel = std::make_unique<noting_signals>(std::initializer_list<int>{SIGINT}, &map);
        auto inner = std::make_unique<asyncore::interrupt_on_sigint>(&map);
        ::raise(SIGINT);
        if (!interrupts() || !channel->caught.empty()) return false;
        channel.reset();  // out of order
        ::raise(SIGINT);
        if (!interrupts()) return false;
        inner.reset();
        ::raise(SIGINT);
        return counted == 1 && !interrupts();
    }));
}

TEST_CASE("signals: a signal that no object catches any more does what it did by default") {
    const auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::alarm(30);
        channel_map map;
        auto channel = std::make_unique<noting_signals>(std::initializer_list<int>{SIGUSR1}, &map);
        struct sigaction ours {};
        ::sigaction(SIGUSR1, nullptr, &ours);
        std::signal(SIGUSR1, SIG_IGN);  // other code takes the signal
        channel.reset();
        ::sigaction(SIGUSR1, &ours, nullptr);  // and gives it back too late
        ::raise(SIGUSR1);
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGUSR1);
}

TEST_CASE("signals: parent and child each hear of their own signals after a fork") {
    channel_map map;
    noting_signals channel({SIGUSR1, SIGUSR2}, &map);
    turn(map);
    CHECK(support::in_child([&] {
        ::raise(SIGUSR1);
        turn(map);
        if (channel.caught != numbers{SIGUSR1}) return false;
        ::raise(SIGUSR2);
        turn(map);
        const noting_signals another({SIGUSR2}, &map);
        ::raise(SIGUSR2);
        turn(map);
        return channel.caught == numbers{SIGUSR1, SIGUSR2, SIGUSR2} &&
               another.caught == numbers{SIGUSR2};
    }));
    turn(map);
    turn(map);
    CHECK(channel.caught == numbers{});
    ::raise(SIGUSR2);
    turn(map);
    CHECK(channel.caught == numbers{SIGUSR2});
}

TEST_CASE("signals: objects come and go in a thread while signals are caught in another") {
    channel_map map;
    noting_signals always({SIGUSR1}, &map);
    std::thread other([] {
        for (int i = 0; i < 2000; ++i) ::raise(SIGUSR1);
    });
    for (int i = 0; i < 200; ++i) {
        channel_map short_lived;
        const noting_signals channel({SIGUSR1, SIGUSR2}, &short_lived);
        turn(short_lived);
    }
    other.join();
    turn(map);
    CHECK(always.caught == numbers{SIGUSR1});
}
