// The entries of docs/differences.md that are marked "hardened": each in a map that is hardened, and in
// a map that does exactly what Python does.
#include "channels.hpp"
#include "failing_calls.hpp"
#include "support.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/socket.h>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using asynchat::async_chat;
using asyncore::address;
using asyncore::channel_map;
using asyncore::dispatcher;
using asyncore::socket_t;
using support::both_deliveries;

namespace {

/// Calls `play(map, use_poll)` under each delivery, with a map that is hardened or exact.
template <class Play>
void in_a_map(bool exact, Play play) {
    for (const bool use_poll : both_deliveries) {
        CAPTURE(use_poll);
        channel_map map;
        map.exact = exact;
        play(map, use_poll);
    }
}

/// Takes turns that do not sleep.
void turns(channel_map& map, bool use_poll, long count) {
    asyncore::loop(0.0, use_poll, &map, count);
}

/// A listener that does in handle_accepted() what it is told.
struct listener : dispatcher {
    std::function<void(socket_t)> accepted = [](socket_t) {};
    int errors = 0;
    explicit listener(channel_map* map) : dispatcher(map) {
        ignore_log_types = {"error", "warning"};
        create_socket();
        bind({support::HOST, 0});
        listen(5);
    }
    void handle_accepted(socket_t sock, const address&) override { accepted(std::move(sock)); }
    void handle_error() override {
        ++errors;
        dispatcher::handle_error();
    }
};

/// Reads what comes, and counts hooks.
struct counting : dispatcher {
    std::string got;
    int reads = 0, writes = 0, expts = 0, closes = 0;
    bool reading = true, writing = false;
    counting(socket_t sock, channel_map* map) : dispatcher(std::move(sock), map) {}
    explicit counting(channel_map* map) : dispatcher(map) {}
    bool readable() override { return reading; }
    bool writable() override { return writing; }
    void handle_read() override {
        ++reads;
        got += dispatcher::recv(100);
    }
    void handle_write() override { ++writes; }
    void handle_expt() override { ++expts; }
    void handle_close() override {
        ++closes;
        close();
    }
};

}  // namespace

TEST_CASE("D29 a wait that fails is tried again") {
    // The stand-in for kqueue waits by a call that no test has fail.
    if (channel_map().mechanism() == "kqueue") return;
    for (const int error : {ENOMEM, EBADF, EINVAL}) {
        CAPTURE(error);
        in_a_map(false, [&](channel_map& map, bool use_poll) {
            int lines = 0;
            map.log = [&](std::string_view, std::string_view) { ++lines; };
            auto [ours, theirs] = socket_t::pair();
            counting c(std::move(ours), &map);
            turns(map, use_poll, 1);
            theirs.send("x");
            const support::failing_waits failing(error, 5);
            asyncore::loop(30.0, use_poll, &map, 1);  // one turn, in which it goes on
            CHECK(c.got == "x");
            CHECK(lines <= 1);
        });
        in_a_map(true, [&](channel_map& map, bool use_poll) {
            // The mechanism "select" looks for a closed descriptor (EBADF) in both settings.
            if (error == EBADF && map.mechanism() == "select") return;
            auto [ours, theirs] = socket_t::pair();
            const counting c(std::move(ours), &map);
            const support::failing_waits failing(error, 1);
            CHECK_THROWS_AS(turns(map, use_poll, 1), std::system_error);
        });
    }
    in_a_map(false, [](channel_map& map, bool use_poll) {
        map.log = nullptr;
        auto [ours, theirs] = socket_t::pair();
        const counting c(std::move(ours), &map);
        const support::failing_waits failing(ENOMEM, 1 << 20);
        const auto start = channel_map::clock::now();
        CHECK_THROWS_AS(asyncore::loop(60.0, use_poll, &map, 1), std::system_error);
        CHECK(channel_map::clock::now() - start > 10s);
        CHECK(failing.failed() < 200);
    });
}

TEST_CASE("D30 an out-of-band byte that no hook receives is reported once") {
    for (const bool inlined : {false, true}) {
        CAPTURE(inlined);
        in_a_map(false, [&](channel_map& map, bool use_poll) {
            auto [ours, theirs] = support::tcp_pair();
            if (inlined) ours.setsockopt(SOL_SOCKET, SO_OOBINLINE, 1);
            counting c(std::move(ours), &map);
            theirs.send("a");
            theirs.send("!", MSG_OOB);
            while (c.expts == 0) asyncore::loop(30.0, use_poll, &map, 1);
            turns(map, use_poll, 20);
            CHECK(c.expts == 1);
            while (c.got.size() < (inlined ? 2 : 1)) asyncore::loop(30.0, use_poll, &map, 1);
            CHECK(c.got == (inlined ? "a!" : "a"));
            // The next byte is reported again.
            theirs.send("!", MSG_OOB);
            while (c.expts == 1) asyncore::loop(30.0, use_poll, &map, 1);
            turns(map, use_poll, 20);
            CHECK(c.expts == 2);
        });
    }
    in_a_map(true, [](channel_map& map, bool use_poll) {
        auto [ours, theirs] = support::tcp_pair();
        counting c(std::move(ours), &map);
        theirs.send("!", MSG_OOB);
        while (c.expts == 0) asyncore::loop(30.0, use_poll, &map, 1);
        turns(map, use_poll, 20);
        CHECK(c.expts == 21);
    });
}

TEST_CASE("D31 a hang-up does not end a channel that has data to read") {
    const std::string data(1000, 'x');
    for (const bool exact : {false, true})
        in_a_map(exact, [&](channel_map& map, bool use_poll) {
            auto [ours, theirs] = socket_t::pair();
            counting c(std::move(ours), &map);
            theirs.send(data);
            theirs.close();
            turns(map, use_poll, 20);
            // Python's poll2() reads once, 100 bytes here.
            CHECK(c.got.size() == (exact && use_poll ? 100 : data.size()));
            CHECK(c.closes >= 1);
            CHECK(map.empty());
        });
    // A hook that reads nothing, and a channel that does not want to, are closed at once.
    in_a_map(false, [&](channel_map& map, bool use_poll) {
        struct idle : counting {
            using counting::counting;
            void handle_read() override { ++reads; }
        };
        if (!use_poll) return;
        for (const bool reading : {true, false}) {
            auto [ours, theirs] = socket_t::pair();
            idle c(std::move(ours), &map);
            c.reading = reading;
            c.writing = true;
            theirs.send(data);
            theirs.close();
            turns(map, use_poll, 1);
            CHECK(c.closes == 1);
        }
    });
}

TEST_CASE("D32 an exception while a connection is made does not close the listener") {
    for (const bool exact : {false, true})
        in_a_map(exact, [&](channel_map& map, bool use_poll) {
            listener l(&map);
            int served = 0;
            l.accepted = [&](const socket_t&) {
                ++served;
                if (served == 1) throw std::runtime_error("no handler");
                if (served == 2) throw std::system_error(ECONNRESET, std::generic_category());
                if (served == 3) throw 3;
            };
            const auto where = l.socket.getsockname();
            std::array<socket_t, 4> clients;
            for (auto& each : clients) {
                each = socket_t(AF_INET, SOCK_STREAM);
                each.connect_ex(where);
                if (l.accepting) asyncore::loop(30.0, use_poll, &map, 1);
            }
            CHECK(served == (exact ? 1 : 4));
            CHECK(l.errors == (exact ? 1 : 3));
            CHECK(l.accepting != exact);
        });
    // ExitNow leaves the loop, as ever.
    in_a_map(false, [](channel_map& map, bool use_poll) {
        listener l(&map);
        l.accepted = [](const socket_t&) { throw asyncore::ExitNow(); };
        socket_t client(AF_INET, SOCK_STREAM);
        client.connect_ex(l.socket.getsockname());
        CHECK_THROWS_AS(asyncore::loop(30.0, use_poll, &map, 1), asyncore::ExitNow);
    });
}

TEST_CASE("D33 a channel that has no peer does not spin") {
    for (const bool exact : {false, true}) {
        // The peer was gone before the socket was adopted.
        in_a_map(exact, [&](channel_map& map, bool use_poll) {
            counting c(socket_t(AF_INET, SOCK_STREAM), &map);
            c.reading = false;
            c.writing = true;
            turns(map, use_poll, 20);
            CHECK(c.writes == (use_poll ? 1 : exact ? 20 : 0));
            CHECK(c.closes == (exact && !use_poll ? 0 : 1));
        });
        // The channel connects some turns later.
        in_a_map(exact, [&](channel_map& map, bool use_poll) {
            if (use_poll) return;  // as Python's poll2(), which closes it
            listener l(&map);
            counting c(&map);
            c.reading = false;
            c.writing = true;
            c.create_socket();
            turns(map, use_poll, 20);
            CHECK(c.writes == (exact ? 20 : 0));
            CHECK(c.closes == 0);
            c.connect(l.socket.getsockname());
            for (int i = 0; i < 100 && !c.connected; ++i) asyncore::loop(30.0, use_poll, &map, 1);
            CHECK(c.connected);
        });
    }
}

TEST_CASE("D34 a short accept queue is made longer") {
    for (const bool exact : {false, true})
        in_a_map(exact, [&](channel_map& map, bool) {
            listener l(&map);
            CHECK(l.backlog_ == 5);
            // The kernel has room for one more than the number that it is given.
            std::array<socket_t, 40> clients;
            int connected = 0;
            for (auto& each : clients) {
                each = socket_t(AF_INET, SOCK_STREAM);
                each.connect_ex(l.socket.getsockname());
                connected += support::wait_writable(each.fileno(), exact ? 20ms : 30000ms);
            }
            CHECK(connected == (exact ? 6 : 40));
        });
}

TEST_CASE("D35 an empty datagram is no end of file") {
    for (const bool exact : {false, true})
        in_a_map(exact, [&](channel_map& map, bool use_poll) {
            counting c(&map);
            c.create_socket(AF_INET, SOCK_DGRAM);
            c.bind({support::HOST, 0});
            const auto where = c.socket.getsockname();
            socket_t peer(AF_INET, SOCK_DGRAM);
            for (const auto* data : {"a", "", "b"}) {
                peer.sendto(data, where);
                if (c._fileno >= 0) asyncore::loop(30.0, use_poll, &map, 1);
            }
            CHECK(c.got == (exact ? "a" : "ab"));
            CHECK(c.closes == (exact ? 1 : 0));
        });
}

TEST_CASE("D36 an error of close() does not leave the loop") {
    struct broken : asyncore::platform::stream {
        explicit broken(socket_t wrapped) : under(std::move(wrapped)) {}
        socket_t under;
        int fileno() const noexcept override { return under.fileno(); }
        asyncore::platform::transfer recv(std::span<char> buffer) override {
            return under.recv(buffer);
        }
        asyncore::platform::transfer send(std::string_view data) override {
            return under.send(data);
        }
        int getsockopt(int level, int option) override { return under.getsockopt(level, option); }
        void close() override {
            under.close();
            throw std::system_error(EIO, std::generic_category(), "close");
        }
    };
    for (const bool exact : {false, true})
        in_a_map(exact, [&](channel_map& map, bool use_poll) {
            auto [ours, theirs] = socket_t::pair();
            counting c(socket_t(std::make_unique<broken>(std::move(ours))), &map);
            c.ignore_log_types = {"error", "warning"};
            theirs.close();
            const auto run = [&] { turns(map, use_poll, 1); };
            if (exact) CHECK_THROWS_AS(run(), std::system_error);
            else CHECK_NOTHROW(run());
            CHECK(map.empty());
        });
}

TEST_CASE("D37 a channel whose events move no byte rests") {
    struct deaf : async_chat {
        using async_chat::async_chat;
        int asked = 0;
        std::size_t recv(std::span<char>) override {
            ++asked;
            throw std::system_error(EAGAIN, std::generic_category());
        }
        std::size_t send(std::string_view) override {
            ++asked;
            return 0;
        }
    };
    for (const bool exact : {false, true})
        for (const bool writes : {false, true})
            in_a_map(exact, [&](channel_map& map, bool use_poll) {
                auto [ours, theirs] = socket_t::pair();
                deaf c(std::move(ours), &map);
                if (writes) c.producer_fifo.append_bytes("x");
                else theirs.send("x");
                turns(map, use_poll, 30);
                CHECK(c.asked == (exact ? 30 : 10));
                if (!exact) CHECK(map.deadline() != channel_map::never);
            });
    // getpeername(2) failed for a moment when the channel got its socket.
    for (const bool exact : {false, true})
        in_a_map(exact, [&](channel_map& map, bool use_poll) {
            auto [ours, theirs] = socket_t::pair();
            async_chat c(std::move(ours), &map);
            c.connected = false;
            c.push("x");
            turns(map, use_poll, 30);
            CHECK(c.connected == !exact);
            std::string data(10, '\0');
            CHECK(theirs.recv(data).count == (exact ? 0 : 1));
        });
}

TEST_CASE("hardened: what another language raises in a wait is no failure of the wait") {
    struct raised : std::runtime_error, asyncore::foreign_exception {
        raised() : std::runtime_error("of a handler") {}
        asyncore::traceback compact_traceback() const override { return {}; }
    };
    struct raising_poller : asyncore::platform::poller {
        void watch(int, asyncore::platform::events) override {}
        std::string_view name() const noexcept override { return "raising"; }
        bool wait_once(asyncore::platform::timeout,
                       std::vector<asyncore::platform::ready>&) override {
            throw raised();
        }
    };
    struct foreign_map : channel_map {
        std::unique_ptr<asyncore::platform::poller> new_poller_(std::string_view) override {
            return std::make_unique<raising_poller>();
        }
    };
    for (const bool use_poll : both_deliveries) {
        CAPTURE(use_poll);
        foreign_map map;
        map.exact = false;
        auto [ours, theirs] = socket_t::pair();
        const counting c(std::move(ours), &map);
        CHECK_THROWS_AS(asyncore::loop(60.0, use_poll, &map, 1), raised);
    }
}

TEST_CASE("hardened: rest() and stop_reading() of a descriptor without an entry change nothing") {
    channel_map map;
    map.rest(5);
    map.stop_reading(5);
    CHECK(map.deadline() == channel_map::never);
}

TEST_CASE("hardened: a descriptor that is refused (EBADF) though it is open is watched soon") {
    in_a_map(false, [](channel_map& map, bool use_poll) {
        map.log = nullptr;
        auto [ours, theirs] = socket_t::pair();
        counting c(std::move(ours), &map);
        {
            const support::failing_epoll_ctl failing(c._fileno, EBADF);
            turns(map, use_poll, 1);
        }
        theirs.send("x");
        asyncore::loop(30.0, use_poll, &map, 1);
        CHECK(c.got == "x");
        CHECK(c.closes == 0);
    });
}

TEST_CASE("hardened: a connection that failed before it was accepted is no error in either map") {
    for (const bool exact : {false, true})
        in_a_map(exact, [&](channel_map& map, bool) {
            listener l(&map);
            const support::failing_accept failing(ECONNABORTED);
            CHECK(!l.accept());
            CHECK(l.accepting);
        });
}

TEST_CASE("hardened: the map's deadline is honoured within one turn") {
    in_a_map(false, [](channel_map& map, bool use_poll) {
        auto [ours, theirs] = socket_t::pair();
        const counting c(std::move(ours), &map);
        const auto start = channel_map::clock::now();
        map.wake_at(start + 20ms);
        CHECK(map.deadline() == start + 20ms);
        asyncore::loop(0.1, use_poll, &map, 1);
        CHECK(channel_map::clock::now() - start >= 100ms);
        CHECK(map.deadline() == channel_map::never);
    });
}

TEST_CASE("hardened: ASYNCORE_EXACT in the environment makes maps exact") {
    const char* const value = std::getenv("ASYNCORE_EXACT");
    CHECK(channel_map().exact == (value && value != std::string("0")));
    CHECK(support::in_child([] {
        ::setenv("ASYNCORE_EXACT", "0", 1);
        if (channel_map().exact) return false;
        ::setenv("ASYNCORE_EXACT", "1", 1);
        if (!channel_map().exact) return false;
        ::unsetenv("ASYNCORE_EXACT");
        return !channel_map().exact;
    }));
}

TEST_CASE("hardened: a queue that its peer does not read is limited") {
    struct chat : async_chat {
        using async_chat::async_chat;
        void handle_queue_limit_() override {
            full = true;
            async_chat::handle_queue_limit_();
        }
        bool full = false;
    };
    for (const bool coalesce : {false, true})
        in_a_map(false, [&](channel_map& map, bool) {
            auto [ours, theirs] = socket_t::pair();
            chat c(std::move(ours), &map);
            c.ignore_log_types = {"error", "warning"};
            c.coalesce_ = coalesce;
            c.queue_limit_ = 100000;
            const std::string line(1000, 'x');
            int pushes = 0;
            while (!c.full) {
                CHECK(c.producer_fifo.bytes() <= c.queue_limit_);
                c.push(line);
                ++pushes;
            }
            CHECK(pushes > 100);
            CHECK(map.empty());
            // A peer that reads may get any amount.
            auto [more, reader] = socket_t::pair();
            chat d(std::move(more), &map);
            d.queue_limit_ = 100000;
            std::string room(1 << 20, '\0');
            for (int i = 0; i < 1000; ++i) {
                d.push(line);
                while (reader.recv(room).count > 0) {
                }
            }
            CHECK(!d.full);
        });
}

TEST_CASE("hardened: finish_sending_ sends the queue to a peer that has shut down its side "
          "(half-close)") {
    struct chat : async_chat {
        using async_chat::async_chat;
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override {
            push_with_producer(asynchat::simple_producer(std::string(2000000, 'y')));
        }
        int reads = 0;
        void handle_read() override {
            ++reads;
            async_chat::handle_read();
        }
    };
    for (const bool finish : {false, true})
        in_a_map(false, [&](channel_map& map, bool use_poll) {
            auto [ours, theirs] = socket_t::pair();
            chat c(std::move(ours), &map);
            c.set_terminator("\n");
            c.finish_sending_ = finish;
            theirs.send("ask\n");
            theirs.shutdown(SHUT_WR);
            std::size_t got = 0;
            std::string room(65536, '\0');
            while (map) {
                turns(map, use_poll, 1);
                got += theirs.recv(room).count;
                map.rest(c._fileno);  // a rest keeps what is masked
                map.interest_changed(c._fileno);
            }
            for (auto more = theirs.recv(room); more.count > 0; more = theirs.recv(room))
                got += more.count;
            CHECK((got == 2000000) == finish);
            CHECK(c.reads == 2);  // the end of file is reported once
        });
}
