// What happens when a process forks in the middle of a turn.
#include "channels.hpp"
#include "support.hpp"

#include <asyncore/asyncore.hpp>

#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::channel_map;
using asyncore::socket_t;
using support::both_deliveries;
using support::in_child;
using support::lines;
using support::noting;

TEST_CASE("fork: parent and child both go on after a fork in a hook") {
    for (const bool use_poll : both_deliveries)
        CHECK(in_child([use_poll] {
            struct forking : noting {
                using noting::noting;
                pid_t child = -1;
                void handle_read() override {
                    noting::handle_read();
                    child = ::fork();
                }
            };
            channel_map map;
            auto [a, peer_a] = socket_t::pair();
            auto [b, peer_b] = socket_t::pair();
            forking fork(std::move(a), &map);
            noting other(std::move(b), &map);
            peer_a.send("x");
            asyncore::loop(30.0, use_poll, &map, 1);
            ::alarm(60);
            if (fork.child != 0) {
                int status = 0;
                ::waitpid(fork.child, &status, 0);
                if (status != 0) return false;
            }
            // The child runs this first, and waits for ever if its poller does not know `other`.
            peer_b.send("y");
            asyncore::loop(std::nullopt, use_poll, &map, 1);
            return other.log == lines{"read"};
        }));
}

TEST_CASE(
    "fork: a child without descriptors (EMFILE) can destroy its channels and the parent's go on") {
    CHECK(in_child([] {
        channel_map map;
        auto [a, b] = socket_t::pair();
        auto channel = std::make_unique<noting>(std::move(a), &map);
        asyncore::loop(0.0, true, &map, 1);
        const bool good = in_child([&] {
            const rlimit none{0, 0};
            ::setrlimit(RLIMIT_NOFILE, &none);
            CHECK_NOTHROW(channel.reset());
            return map.empty();
        });
        b.send("x");
        asyncore::loop(0.0, true, &map, 1);
        return good && channel->log == lines{"read"};
    }));
}

TEST_CASE("fork: SIGINT in a child does not interrupt the parent") {
    CHECK(in_child([] {
        channel_map map;
        auto [a, b] = socket_t::pair();
        noting channel(std::move(a), &map);
        const asyncore::interrupt_on_sigint interruptible(&map);
        const auto interrupted = [&] {
            try {
                asyncore::loop(0.0, false, &map, 1);
                return false;
            } catch (const asyncore::KeyboardInterrupt&) {
                return true;
            }
        };
        if (interrupted()) return false;
        if (!in_child([&] { return ::raise(SIGINT), interrupted(); })) return false;
        if (interrupted()) return false;
        { const asyncore::interrupt_on_sigint inner(&map); }
        ::raise(SIGINT);  // the outer guard still works
        return interrupted();
    }));
}

TEST_CASE("fork: a descriptor that the child has closed is reported there") {
    CHECK(in_child([] {
        channel_map map;
        auto one = socket_t::pair(), two = socket_t::pair();
        noting gone(std::move(one.first), &map), other(std::move(two.first), &map);
        asyncore::loop(0.0, true, &map, 1);
        return in_child([&] {
            ::close(gone._fileno);
            two.second.send("x");
            asyncore::loop(0.0, true, &map, 2);
            // select and poll report the descriptor in each turn.
            return !gone.log.empty() && gone.log.front() == "close" && other.log == lines{"read"};
        });
    }));
}

TEST_CASE("fork: a child that gets no pipe (EMFILE) keeps the one of its parent for SIGINT") {
    CHECK(in_child([] {
        channel_map map;
        const asyncore::interrupt_on_sigint interruptible(&map);
        auto [a, b] = socket_t::pair();
        const noting channel(std::move(a), &map);
        const rlimit none{0, 0};
        if (::setrlimit(RLIMIT_NOFILE, &none) != 0) return false;
        if (!in_child([] { return ::raise(SIGINT) == 0; })) return false;
        map.use("select");  // which needs no descriptor of its own
        try {
            asyncore::loop(0.0, false, &map, 1);
            return false;
        } catch (const asyncore::KeyboardInterrupt&) {
            return true;
        }
    }));
}
