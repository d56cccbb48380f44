// One case for each entry of docs/differences.md, under its name.
#include "channels.hpp"
#include "failing_calls.hpp"
#include "support.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asynchat::async_chat;
using asyncore::channel_map;
using asyncore::dispatcher;
using asyncore::socket_t;
using asyncore::platform::timeout;
using support::both_deliveries;

namespace {

struct chat : async_chat {
    using async_chat::async_chat;
    std::vector<std::string> log;
    void collect_incoming_data(std::string_view data) override { log.emplace_back(data); }
    void found_terminator() override { log.emplace_back("found"); }
    void handle_close() override {
        log.emplace_back("close");
        async_chat::handle_close();
    }
    void handle_error() override { log.emplace_back("error"); }
};

/// The status of a child process that does `work`.
int status_of(void (*work)()) {
    const auto child = ::fork();
    if (child == 0) {
        // doctest installs handlers of its own, and SIGPIPE may be ignored.
        for (const int signal : {SIGINT, SIGALRM, SIGPIPE}) ::signal(signal, SIG_DFL);
        work();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

}  // namespace

TEST_CASE("D1 buffer sizes are 4096") {
    CHECK(async_chat().ac_in_buffer_size == 4096);
    CHECK(async_chat().ac_out_buffer_size == 4096);
    async_chat::default_ac_in_buffer_size = 65536;  // as a port of a Python 3 server sets it
    CHECK(async_chat().ac_in_buffer_size == 65536);
    async_chat::default_ac_in_buffer_size = 4096;
}

TEST_CASE("D2 del_channel removes only its own entry") {
    channel_map map;
    auto [a, b] = socket_t::pair();
    chat one(std::move(a), &map), two(std::move(b), &map);
    map[one._fileno] = &two;  // as in a protocol upgrade, where another channel takes over
    const int fd = one._fileno;
    one.del_channel();
    CHECK(map[fd] == &two);
}

TEST_CASE("D3 set_socket lets go of the socket that it replaces") {
    channel_map map;
    dispatcher d(&map);
    d.create_socket();
    const int first = d._fileno;
    d.create_socket();
    CHECK(map.size() == 1);
    CHECK(map[d._fileno] == &d);
    CHECK((d._fileno == first || ::fcntl(first, F_GETFD) < 0));
}

TEST_CASE("D4 an event never reaches another channel with the same descriptor") {
    struct first : chat {
        using chat::chat;
        std::unique_ptr<chat>* victim = nullptr;
        std::unique_ptr<chat>* heir = nullptr;
        socket_t peer;
        void found_terminator() override {
            const int fd = (*victim)->_fileno;
            (*victim)->close();
            auto [ours, theirs] = socket_t::pair();
            if (theirs.fileno() == fd) std::swap(ours, theirs);
            REQUIRE(ours.fileno() == fd);
            peer = std::move(theirs);
            peer.send("early\n");
            *heir = std::make_unique<chat>(std::move(ours), _map);
            (*heir)->set_terminator("\n");
        }
    };
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [a, peer_a] = socket_t::pair();
        auto [b, peer_b] = socket_t::pair();
        first one(std::move(a), &map);
        one.set_terminator("\n");
        auto two = std::make_unique<chat>(std::move(b), &map);
        std::unique_ptr<chat> heir;
        one.victim = &two;
        one.heir = &heir;
        peer_a.send("x\n");
        peer_b.send("x\n");
        asyncore::loop(0.0, use_poll, &map, 1);
        REQUIRE(heir);
        CHECK(heir->log.empty());
        asyncore::loop(0.0, use_poll, &map, 1);
        CHECK(heir->log == std::vector<std::string>{"early", "found"});
    }
}

TEST_CASE("D5 compact_traceback has no traceback") {
    CHECK_THROWS_AS(asyncore::compact_traceback(), std::logic_error);
    try {
        throw std::out_of_range("too far");
    } catch (...) {
        const auto [where, t, v, info] = asyncore::compact_traceback();
        CHECK(where == std::tuple<std::string, std::string, std::string>());
        CHECK(t == "std::out_of_range");
        CHECK(v == "too far");
        CHECK(info == "");
    }
}

TEST_CASE("D6 dispatcher_with_send::send returns the number of bytes it took") {
    channel_map map;
    auto [ours, theirs] = socket_t::pair();
    asyncore::dispatcher_with_send d(std::move(ours), &map);
    CHECK(d.send("hello") == 5);
}

TEST_CASE("D7 a file_wrapper that was not closed closes without a warning") {
    int fd = -1;
    const auto err = support::captured_stderr();
    {
        const asyncore::file_wrapper file(0);
        fd = file.fileno();
    }
    CHECK(::fcntl(fd, F_GETFD) < 0);
    CHECK(err.getvalue() == "");
}

TEST_CASE("D8 use_encoding is off and does nothing") {
    static_assert(!async_chat::use_encoding);
    CHECK(std::string(async_chat::encoding) == "latin-1");
}

TEST_CASE("D9 time-outs are rounded up") {
    CHECK(timeout(0.0004).milliseconds() == 1);  // int(0.0004 * 1000) is 0
    CHECK(timeout(0.001).milliseconds() == 1);
    CHECK(timeout(1e-9).timeval().tv_usec == 1);
    CHECK(timeout(std::nullopt).milliseconds() == -1);
}

TEST_CASE("D10 a time-out that is no time is refused under both deliveries") {
    channel_map map;
    for (const bool use_poll : both_deliveries) {
        CHECK_THROWS_AS(asyncore::loop(-1.0, use_poll, &map), std::invalid_argument);
        CHECK_THROWS_AS(asyncore::loop(std::nan(""), use_poll, &map), std::invalid_argument);
        CHECK_THROWS_AS(asyncore::loop(1e10, use_poll, &map), std::overflow_error);
    }
}

TEST_CASE("D11 incoming is joined bytes") {
    async_chat c;
    c._collect_incoming_data("one");
    c._collect_incoming_data("two");
    CHECK(c.incoming.view() == "onetwo");
    CHECK(c._get_data() == "onetwo");
    CHECK(c.incoming.empty());
}

TEST_CASE("D12 a terminator of another kind, set while counting, stands") {
    struct switching : chat {
        using chat::chat;
        void collect_incoming_data(std::string_view data) override {
            chat::collect_incoming_data(data);
            set_terminator("\n");
        }
    };
    channel_map map;
    auto [ours, theirs] = socket_t::pair();
    switching c(std::move(ours), &map);
    c.set_terminator(10);
    theirs.send("abc");
    asyncore::poll(0.0, &map);
    CHECK(c.get_terminator() == asynchat::terminator_t("\n"));
}

TEST_CASE("D13 accept survives the lack of descriptors, and connections that came to nothing") {
    SUBCASE("D13: accept() passes over a connection that came to nothing") {
        struct server : dispatcher {
            using dispatcher::dispatcher;
            int served = 0, errors = 0;
            void handle_accepted(socket_t, const asyncore::address&) override { ++served; }
            void handle_error() override { ++errors; }
        };
        channel_map map;
        server s(&map);
        s.create_socket();
        s.bind({"127.0.0.1", 0});
        s.listen(5);
        socket_t one(AF_INET, SOCK_STREAM);
        one.connect_ex(s.socket.getsockname());
        for (const int error : {EPROTO, EPERM, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH,
                                ENOPROTOOPT, ENOBUFS, ENOMEM}) {
            const support::failing_accept failing(error);
            asyncore::loop(30.0, false, &map, 1);
            CHECK(s.errors == 0);
            CHECK(s.accepting);
        }
        asyncore::loop(30.0, false, &map, 1);
        CHECK(s.served == 1);
    }
    SUBCASE("D13: EINVAL is an error of the listener only where it listens no more") {
        channel_map map;
        dispatcher s(&map);
        s.ignore_log_types = {"error"};
        s.create_socket();
        const support::failing_accept failing(EINVAL);
        CHECK_THROWS_AS(s.accept(), std::system_error);
        s.listen(5);
        CHECK(!s.accept());
        map.exact = true;
        CHECK_THROWS_AS(s.accept(), std::system_error);
    }
    SUBCASE("D13: a listener that accept() fails for rests, and is exact where the map is") {
        for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTO, EBADF, EAGAIN}) {
            CAPTURE(error);
            channel_map map;
            map.exact = true;
            dispatcher s(&map);
            s.ignore_log_types = {"error", "warning"};
            s.create_socket();
            s.bind({"127.0.0.1", 0});
            s.listen(5);
            socket_t one(AF_INET, SOCK_STREAM);
            one.connect_ex(s.socket.getsockname());
            map.exact = false;
            int turns = 0;
            {
                const support::failing_accept failing(error);
                const auto end = channel_map::clock::now() + std::chrono::milliseconds(300);
                for (; channel_map::clock::now() < end; ++turns)
                    asyncore::loop(0.01, true, &map, 1);
            }
            CHECK(s.accepting);
            CHECK(turns < 50);  // every turn slept, except the first few turns
            socket_t two(AF_INET, SOCK_STREAM);
            two.connect_ex(s.socket.getsockname());
            const support::failing_accept failing(error);
            map.exact = true;
            asyncore::loop(30.0, true, &map, 1);
            CHECK(s.accepting == (error == EAGAIN));
        }
    }
    static constexpr auto work = [] {
        struct server : dispatcher {
            using dispatcher::dispatcher;
            int served = 0;
            void handle_accepted(socket_t, const asyncore::address&) override { ++served; }
            std::string said;
            void log_info(std::string_view message, std::string_view type) override {
                said += std::string(type) + ": " + std::string(message);
            }
        };
        channel_map map;
        server s(&map);
        s.create_socket();
        s.bind({"127.0.0.1", 0});
        s.listen(5);
        socket_t one(AF_INET, SOCK_STREAM), two(AF_INET, SOCK_STREAM);
        one.connect_ex(s.socket.getsockname());
        asyncore::loop(1.0, false, &map, 1);
        if (s.served != 1) ::_exit(1);
        two.connect_ex(s.socket.getsockname());
        rlimit before{};
        ::getrlimit(RLIMIT_NOFILE, &before);
        auto none_left = before;
        none_left.rlim_cur = static_cast<rlim_t>(support::next_descriptor());
        ::setrlimit(RLIMIT_NOFILE, &none_left);
        asyncore::loop(1.0, false, &map, 1);
        ::setrlimit(RLIMIT_NOFILE, &before);
        if (!s.accepting || s.served != 1) ::_exit(2);
        if (s.said != "error: no descriptors left, a connection was dropped") ::_exit(4);
        // The loop does not spin: no connection waits any more, so the listener is not readable.
        std::vector<asyncore::platform::ready> found;
        auto poller = asyncore::platform::make_poller("poll");
        poller->watch(s._fileno, asyncore::platform::events::read);
        poller->wait(0.0, found);
        ::_exit(found.empty() ? 0 : 3);
    };
    CHECK(status_of(+work) == 0);
}

TEST_CASE("D14 predicates that a class does not override are not asked on every turn") {
    struct counting : chat {
        using chat::chat;
        int asked = 0;
        bool writable() override {
            ++asked;
            return chat::writable();
        }
    };
    channel_map map;
    auto [a, peer_a] = socket_t::pair();
    auto [b, peer_b] = socket_t::pair();
    const auto plain = asyncore::spawn<chat>(std::move(a), &map);
    const auto special = asyncore::spawn<counting>(std::move(b), &map);
    CHECK(!plain->asked_every_turn_);
    CHECK(special->asked_every_turn_);
    asyncore::loop(0.0, false, &map, 10);
    CHECK(special->asked == 10);

    // A channel whose answers follow its own queue is asked when the queue changes.
    plain->push(std::string(1 << 20, 'x'));
    asyncore::loop(0.0, false, &map, 3);
    const auto left = plain->producer_fifo.size();
    CHECK(left > 0);
    std::string room(1 << 20, '\0');
    while (peer_a.recv(std::span(room)).count > 0) {
    }
    asyncore::loop(0.0, false, &map, 3);
    CHECK(plain->producer_fifo.size() < left);

    // The checked mode finds a broken promise.
    struct liar : chat {
        using chat::chat;
        bool wants = true;
        bool readable() override { return wants; }
    };
    auto [c, peer_c] = socket_t::pair();
    const auto broken = asyncore::spawn<liar>(std::move(c), &map);
    broken->asked_every_turn_ = false;
    map.check_promises = true;
    struct breaker : chat {
        using chat::chat;
        liar* other = nullptr;
        void found_terminator() override { other->wants = false; }
    };
    auto [d, peer_d] = socket_t::pair();
    const auto cause = asyncore::spawn<breaker>(std::move(d), &map);
    cause->other = broken.get();
    cause->set_terminator("\n");
    peer_d.send("now\n");
    CHECK_THROWS_AS(asyncore::loop(0.0, false, &map, 5), std::logic_error);
    broken->interest_changed_();
    CHECK_NOTHROW(asyncore::loop(0.0, false, &map, 5));
}

TEST_CASE("D15 a scan survives a predicate that closes another channel") {
    struct closing_other : chat {
        using chat::chat;
        dispatcher* other = nullptr;
        bool readable() override {
            if (other) std::exchange(other, nullptr)->close();
            return true;
        }
    };
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [a, peer_a] = socket_t::pair();
        auto [b, peer_b] = socket_t::pair();
        closing_other one(std::move(a), &map);
        chat two(std::move(b), &map);
        one.other = &two;
        CHECK_NOTHROW(asyncore::loop(0.0, use_poll, &map, 2));
        CHECK(map.size() == 1);
    }
}

TEST_CASE("D16 what a channel throws after it destroyed itself leaves the loop") {
    struct self_destroying : chat {
        using chat::chat;
        std::unique_ptr<self_destroying>* self = nullptr;
        void found_terminator() override {
            self->reset();
            throw std::runtime_error("on purpose");
        }
    };
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [a, peer] = socket_t::pair();
        auto one = std::make_unique<self_destroying>(std::move(a), &map);
        one->self = &one;
        one->set_terminator("\n");
        peer.send("x\n");
        CHECK_THROWS_AS(asyncore::loop(0.0, use_poll, &map, 1), std::runtime_error);
        CHECK(map.empty());
    }
}

TEST_CASE("D17 a descriptor closed behind the library is a handle_close") {
    for (const bool use_poll : both_deliveries) {
        channel_map map;
        auto [a, peer] = socket_t::pair();
        chat one(std::move(a), &map);
        map.mechanism();  // a poller made later could get the closed number
        ::close(one._fileno);
        asyncore::loop(0.0, use_poll, &map, 1);
        CHECK(one.log == std::vector<std::string>{"close"});
        static_cast<void>(one.socket.detach().release());
    }
}

TEST_CASE("D18 nothing wanted and no time-out waits for ever") {
    static constexpr auto work = [] {
        struct idle : chat {
            using chat::chat;
            bool readable() override { return false; }
            bool writable() override { return false; }
        };
        channel_map map;
        auto [a, peer] = socket_t::pair();
        idle one(std::move(a), &map);
        ::alarm(1);  // ends this process, which waits, where Python raises TypeError
        asyncore::poll(std::nullopt, &map);
    };
    const int status = status_of(+work);
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGALRM);
}

TEST_CASE("D19 the terminator is none until it is set") {
    const async_chat c;
    CHECK(c.terminator.is_none());
}

TEST_CASE("D20 messages and repr name C++ types") {
    channel_map map;
    auto [a, peer] = socket_t::pair();
    asyncore::dispatcher_with_send d(std::move(a), &map);
    d.addr = {"127.0.0.1", 80};
    CHECK(d.repr().starts_with("<asyncore::dispatcher_with_send connected 127.0.0.1:80 at 0x"));
    const auto out = support::captured_stdout();
    try {
        throw asyncore::platform::os_error(EIO, "read");
    } catch (...) {
        d.handle_error();
    }
    CHECK(out.getvalue().starts_with("error: uncaptured exception, closing channel <asyncore::"));
    CHECK(out.getvalue().find("(std::system_error:read: Input/output error ") != std::string::npos);
}

TEST_CASE("D21 logging never throws") {
    static constexpr auto work = [] {
        int ends[2];
        if (::pipe(ends) != 0) ::_exit(1);
        ::close(ends[0]);
        ::dup2(ends[1], 1);
        ::dup2(ends[1], 2);
        dispatcher d;
        d.log_info("this cannot be written");
        d.log("nor can this");
    };
    CHECK(status_of(+work) == 0);

    channel_map map;
    dispatcher d(&map);
    map.log = [](std::string_view, std::string_view) { throw std::runtime_error("on purpose"); };
    CHECK_NOTHROW(d.log_info("this is lost"));
    map.log = nullptr;
    CHECK_NOTHROW(d.log("and so is this"));
    map.log = [](std::string_view, std::string_view) { throw asyncore::ExitNow(); };
    CHECK_THROWS_AS(d.log("this leaves the loop"), asyncore::ExitNow);
}

TEST_CASE("D22 a write to a pipe without a reader is EPIPE") {
    static constexpr auto work = [] {
        int ends[2];
        if (::pipe(ends) != 0) ::_exit(1);
        asyncore::file_wrapper file(ends[1]);
        ::close(ends[0]);
        if (file.write("x").error != EPIPE) ::_exit(2);
    };
    CHECK(status_of(+work) == 0);
}

TEST_CASE("D23 KeyboardInterrupt is opt-in") {
    CHECK(WTERMSIG(status_of([] { ::raise(SIGINT); })) == SIGINT);
    static constexpr auto work = [] {
        channel_map map;
        dispatcher d(&map);
        d.create_socket();
        d.bind({"127.0.0.1", 0});
        d.listen(1);
        const asyncore::interrupt_on_sigint guard(&map);
        ::raise(SIGINT);
        try {
            asyncore::loop(30.0, false, &map);
        } catch (const asyncore::KeyboardInterrupt&) {
            asyncore::loop(0.0, false, &map, 1);  // one SIGINT is one KeyboardInterrupt
            ::_exit(7);
        }
    };
    CHECK(WEXITSTATUS(status_of(+work)) == 7);
}

TEST_CASE("D24 push copies what it cannot send") {
    channel_map map;
    auto [ours, theirs] = socket_t::pair();
    chat c(std::move(ours), &map);
    c.connected = false;  // so that the data stays in the queue
    std::string data = "before";
    c.push(data);
    data = "AFTER!";
    CHECK(std::get<asyncore::byte_buffer>(c.producer_fifo.front()).view() == "before");
}

TEST_CASE("D25 only the select mechanism ends at FD_SETSIZE") {
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = std::max<rlim_t>(limit.rlim_cur, FD_SETSIZE + 10);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    channel_map map;
    auto [ours, theirs] = socket_t::pair();
    const int high = ::fcntl(ours.fileno(), F_DUPFD_CLOEXEC, FD_SETSIZE + 5);
    REQUIRE(high >= 0);
    chat c(socket_t(asyncore::platform::unique_fd(high)), &map);
    c.set_terminator("\n");
    theirs.send("hi\n");
    const bool too_high = map.mechanism() == "select";
    asyncore::poll(0.0, &map);
    CHECK(c.log ==
          (too_high ? std::vector<std::string>{"error"} : std::vector<std::string>{"hi", "found"}));
    if (!too_high) return;
    map.exact = true;
    map.interest_changed(c._fileno);
    CHECK_THROWS_AS(asyncore::poll(0.0, &map), std::invalid_argument);

    // A listener does not accept what it could not watch.
    channel_map other;
    dispatcher s(&other);
    s.ignore_log_types = {"error"};
    s.create_socket();
    s.bind({"127.0.0.1", 0});
    s.listen(5);
    std::vector<asyncore::platform::unique_fd> used;
    while (support::next_descriptor() < FD_SETSIZE) used.push_back(support::dev_null());
    socket_t client(AF_INET, SOCK_STREAM);
    client.connect_ex(s.socket.getsockname());
    CHECK(!s.accept());
    other.exact = true;
    socket_t again(AF_INET, SOCK_STREAM);
    again.connect_ex(s.socket.getsockname());
    CHECK(s.accept().has_value());
}

TEST_CASE("D26 a channel that the system refuses to watch is tried again") {
    struct noting : chat {
        using chat::chat;
        int reads = 0, error = 0;
        void handle_read() override { ++reads; }
        void handle_error() override {
            try {
                throw;
            } catch (const std::system_error& why) {
                error = why.code().value();
            }
            close();
        }
    };
    for (const bool exact : {false, true}) {
        channel_map map;
        map.exact = exact;
        std::string logged;
        map.log = [&](std::string_view line, std::string_view) { logged += line; };
        auto [a, peer_a] = socket_t::pair();
        auto [b, peer_b] = socket_t::pair();
        noting old(std::move(a), &map), late(std::move(b), &map);
        peer_a.send("x");
        const int number = late._fileno;
        // select and poll make no system call when a descriptor is watched.  (The stand-in for
        // kqueue uses epoll.)
        const bool refused = map.mechanism() == "epoll" || map.mechanism() == "kqueue";
        {
            const support::failing_epoll_ctl failing(number, ENOSPC);
            CHECK_NOTHROW(asyncore::loop(0.0, true, &map, 1));
        }
        CHECK(old.reads == 1);
        CHECK(late.error == (refused && exact ? ENOSPC : 0));
        CHECK(map.contains(number) != (refused && exact));
        CHECK(logged.empty() != (refused && !exact));
        if (exact) continue;
        old.close();
        peer_b.send("x");
        asyncore::loop(30.0, true, &map, 1);  // one turn, although the map's deadline passes in it
        CHECK(late.reads == 1);
    }
}

TEST_CASE("D27 a connect() that fails leaves nothing in progress") {
    struct client : dispatcher {
        using dispatcher::dispatcher;
        int connects = 0;
        void handle_connect() override { ++connects; }
        void handle_write() override {}
        void handle_close() override { close(); }
    };
    channel_map map;
    client c(&map);
    c.create_socket(AF_UNIX);
    CHECK_THROWS_AS(c.connect("/there is no such socket"), std::system_error);
    CHECK_FALSE(c.connecting);
    asyncore::loop(0.0, false, &map, 1);
    CHECK(c.connects == 0);
    // The backlog of a Unix listener is full: EAGAIN, and the kernel does not go on connecting.
    socket_t listener(AF_UNIX, SOCK_STREAM), first(AF_UNIX, SOCK_STREAM);
    listener.bind("");
    listener.listen(0);
    REQUIRE(first.connect_ex(listener.getsockname()) == 0);
    client second(&map);
    second.create_socket(AF_UNIX);
    CHECK_THROWS_AS(second.connect(listener.getsockname()), std::system_error);
    CHECK_FALSE(second.connecting);
}

TEST_CASE("D28 a queue that was emptied while it was sent from is just empty") {
    struct discarding : asynchat::producer {
        chat& owner;
        explicit discarding(chat& its_owner) : owner(its_owner) {}
        std::string more() override {
            owner.discard_buffers();
            return "";
        }
    };
    auto [a, b] = socket_t::pair();
    channel_map map;
    chat c(std::move(a), &map);
    CHECK_NOTHROW(c.push_with_producer(discarding(c)));
    CHECK(c.producer_fifo.empty());
    CHECK(c.connected);
    struct discarding_too : chat {
        using chat::chat;
        std::size_t send(std::string_view data) override {
            discard_buffers();
            return data.size();
        }
    };
    discarding_too d(std::move(b), &map);
    CHECK_NOTHROW(d.push("hello"));
    CHECK(d.producer_fifo.empty());
}
