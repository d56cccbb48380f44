// asyncore/dispatcher.hpp and dispatcher_with_send.hpp, where neither CPython's tests nor a
// replayed script can tell.
#include "channels.hpp"
#include "sockets.hpp"
#include "support.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asynchat::async_chat;
using asyncore::address;
using asyncore::channel_map;
using asyncore::dispatcher;
using asyncore::dispatcher_with_send;
using asyncore::socket_t;
using asyncore::platform::os_error;
using asyncore::platform::transfer;
using support::both_deliveries;
using support::error_of;
using support::in_child;
using support::lines;
using support::noting;
using namespace std::chrono_literals;

namespace {

/// A stream on a socket.  getpeername() and close() fail with the errno that they are given.
struct failing : asyncore::platform::stream {
    socket_t under;
    int getpeername_error = 0, close_error = 0;
    explicit failing(socket_t sock) : under(std::move(sock)) {}
    int fileno() const noexcept override { return under.fileno(); }
    transfer recv(std::span<char> buffer) override { return under.recv(buffer); }
    transfer send(std::string_view data) override { return under.send(data); }
    int getsockopt(int level, int option) override { return under.getsockopt(level, option); }
    address getpeername() const override {
        if (getpeername_error != 0) throw os_error(getpeername_error, "getpeername");
        return under.getpeername();
    }
    void close() override {
        under.close();
        if (close_error != 0) throw os_error(close_error, "close");
    }
};

/// What `call` prints.
std::string printed(const std::function<void()>& call) {
    const auto out = support::captured_stdout();
    call();
    return out.getvalue();
}

std::string received(socket_t& sock) {
    std::string data(4096, '\0');
    data.resize(sock.recv(std::span(data)).count);
    return data;
}

void turn(bool use_poll = true) {
    asyncore::loop({.timeout = 0.0, .use_poll = use_poll, .count = 1});
}

/// Notes hooks under its name, in a log that several channels share.
struct named : dispatcher {
    std::string name;
    lines& log;
    named(std::string its_name, lines& its_log) : name(std::move(its_name)), log(its_log) {}
    named(std::string its_name, lines& its_log, socket_t sock)
        : dispatcher(std::move(sock)), name(std::move(its_name)), log(its_log) {}
    bool writable() override { return connecting; }
    void handle_connect() override { log.push_back(name + " connect"); }
    void handle_read() override { log.push_back(name + " read " + dispatcher::recv(100)); }
    void handle_close() override { close(); }
};

/// A stream whose send() throws EAGAIN when there is no room, as TLS libraries do.
struct stubborn : asyncore::platform::stream {
    explicit stubborn(socket_t wrapped) : sock(std::move(wrapped)) {}
    socket_t sock;
    int fileno() const noexcept override { return sock.fileno(); }
    asyncore::platform::transfer recv(std::span<char> buffer) override { return sock.recv(buffer); }
    asyncore::platform::transfer send(std::string_view) override {
        throw std::system_error(EAGAIN, std::generic_category(), "want write");
    }
    int getsockopt(int level, int option) override { return sock.getsockopt(level, option); }
    void close() override { sock.close(); }
};

}  // namespace

TEST_CASE("dispatcher: init() enters the map with a non-blocking socket and may be repeated") {
    channel_map one, two;
    dispatcher d(&one);
    auto [a, b] = socket_t::pair();
    d.init(support::blocking(std::move(a)), &two);
    CHECK(d._map == &two);
    CHECK(one.empty());
    CHECK(two[d._fileno] == &d);
    CHECK(d.connected);
    CHECK((::fcntl(d._fileno, F_GETFL) & O_NONBLOCK) != 0);
    d.init(std::move(b), &one);
    CHECK(two.empty());
    CHECK(one[d._fileno] == &d);
    d.init(socket_t(AF_INET, SOCK_STREAM), &one);
    CHECK(one.size() == 1);
    CHECK(!d.connected);
    d.init({}, &one);
    CHECK(one.empty());
    CHECK(d._fileno == -1);
}

TEST_CASE("dispatcher: init() with its own socket keeps the place in the map") {
    lines log;
    auto [a, b] = socket_t::pair();
    auto [c, d] = socket_t::pair();
    named x("x", log, std::move(a)), y("y", log, std::move(c));
    x.init(std::move(x.socket));
    b.send("1"), d.send("2");
    turn();
    CHECK(log == lines{"x read 1", "y read 2"});
}

TEST_CASE("dispatcher: init() with another map leaves the first map") {
    auto [a, b] = socket_t::pair();
    channel_map other;
    dispatcher x(std::move(a));
    x.init(std::move(x.socket), &other);
    CHECK(asyncore::socket_map.empty());
    CHECK(other.get(x._fileno) == &x);
    x.close();
}

TEST_CASE("dispatcher: a socket without a peer is not connected after init()") {
    for (const int error : {ENOTCONN, EINVAL, EIO}) {
        CAPTURE(error);
        channel_map map;
        dispatcher d(&map);
        auto layer = std::make_unique<failing>(socket_t::pair().first);
        layer->getpeername_error = error;
        // (setblocking() uses the descriptor, and does not call the stream.)
        CHECK(error_of([&] { d.init(socket_t(std::move(layer)), &map); }) ==
              (error == EIO ? EIO : 0));
        CHECK(map.size() == (error == EIO ? 0 : 1));
        CHECK((error == EIO || !d.connected));
    }
}

TEST_CASE(
    "dispatcher: close() ignores ENOTCONN and EBADF, and no other error where the map is exact") {
    for (const int error : {ENOTCONN, EBADF, EIO}) {
        CAPTURE(error);
        channel_map map;
        auto layer = std::make_unique<failing>(socket_t::pair().first);
        layer->close_error = error;
        map.exact = true;
        dispatcher d(socket_t(std::move(layer)), &map);
        CHECK(error_of([&] { d.close(); }) == (error == EIO ? EIO : 0));
        CHECK(map.empty());
    }
}

TEST_CASE("dispatcher: set_socket() with the same descriptor keeps the place in the map") {
    channel_map map;
    auto [a, b] = socket_t::pair();
    dispatcher one(std::move(a), &map), two(std::move(b), &map);
    const auto before = map.keys();
    one.set_socket(socket_t(std::make_unique<failing>(std::move(one.socket))));
    CHECK(map.keys() == before);
    CHECK(map[one._fileno] == &one);
}

TEST_CASE("dispatcher: descriptor reuse: a new socket under the number of the old one is watched") {
    for (const bool use_poll : {false, true}) {
        lines log;
        dispatcher listener;
        listener.create_socket();
        listener.bind({"127.0.0.1", 0});
        listener.listen(5);
        const auto where = listener.socket.getsockname();
        named client("client", log);
        client.create_socket();
        client.connect(where);
        turn(use_poll);
        const int number = client._fileno;
        client.socket.close();  // and the channel stays in the map
        client.create_socket();
        REQUIRE(client._fileno == number);
        log.clear();
        client.connect(where);
        for (int n = 0; n < 5 && log.empty(); ++n) turn(use_poll);
        CHECK(log == lines{"client connect"});
    }
}

TEST_CASE("dispatcher: set_socket() with another map leaves both maps, and no other entry") {
    channel_map home, second, third;
    dispatcher d(socket_t::pair().first, &home), stranger(&third);
    const int old = d._fileno;
    second.set(old, d);
    third.set(old, stranger);
    auto [a, b] = socket_t::pair();
    const int first_fd = a.fileno(), second_fd = b.fileno();
    d.set_socket(std::move(a), &second);
    CHECK(home.empty());
    CHECK(second.keys() == std::vector{first_fd});
    third.set(first_fd, stranger);
    d.set_socket(std::move(b), &third);
    CHECK(third.get(old) == &stranger);
    CHECK(third.get(first_fd) == &stranger);
    CHECK(third.get(second_fd) == &d);
}

TEST_CASE("dispatcher: add_channel() under -1 or in another map changes no other entry") {
    channel_map map, other;
    dispatcher nothing(&map), d(&map);
    nothing.add_channel();
    CHECK(map[-1] == &nothing);
    d.create_socket();
    CHECK(map[-1] == &nothing);
    CHECK(map.size() == 2);
    d.add_channel(&other);
    CHECK(other[d._fileno] == &d);
    nothing.del_channel();
    CHECK(map.size() == 1);
}

TEST_CASE("dispatcher: a socket may have descriptor 0") {
    CHECK(in_child([] {
        ::close(0);
        channel_map map;
        dispatcher d(&map);
        d.create_socket();
        if (d._fileno != 0 || !d.socket || map.size() != 1) return false;
        d.create_socket();
        if (map.size() != 1) return false;
        d.del_channel();
        d.init(socket_t(AF_INET, SOCK_STREAM), &map);
        asyncore::loop(0.0, true, &map, 1);
        d.init({}, &map);
        return map.empty();
    }));
}

TEST_CASE("dispatcher: repr() tells the state") {
    channel_map map;
    dispatcher d(&map);
    d.create_socket();
    d.accepting = true;
    CHECK(d.repr().starts_with("<asyncore::dispatcher at 0x"));
    d.addr = {"127.0.0.1", 80};
    CHECK(d.repr().starts_with("<asyncore::dispatcher listening 127.0.0.1:80 at 0x"));
    d.accepting = false;
    CHECK(d.repr().starts_with("<asyncore::dispatcher 127.0.0.1:80 at 0x"));
    d.connected = true;
    CHECK(d.repr().starts_with("<asyncore::dispatcher connected 127.0.0.1:80 at 0x"));
    d.connected = false;
    d.accepting = true;
    d.addr = address("");  // of a Unix socket without a name
    CHECK(d.repr().starts_with("<asyncore::dispatcher '' at 0x"));
}

TEST_CASE("dispatcher: accept() is empty without a connection and throws without listen()") {
    channel_map map;
    dispatcher d(&map);
    d.create_socket();
    CHECK(error_of([&] { d.accept(); }) == EINVAL);
    CHECK(d.family_and_type == std::pair<int, int>(AF_INET, SOCK_STREAM));
    d.bind({support::HOST, 0});
    CHECK(d.addr == address(support::HOST, 0));
    d.listen(5);
    CHECK(!d.accept());
    CHECK_NOTHROW(d.handle_accept());
}

TEST_CASE("dispatcher: listen() takes any number") {
    for (const bool exact : {false, true})
        for (const int number : {-1, 0, 1, 127, 128, 1000}) {
            CAPTURE(number);
            channel_map map;
            map.exact = exact;
            dispatcher d(&map);
            d.create_socket();
            d.bind({support::HOST, 0});
            d.listen(number);
            CHECK(d.accepting);
            CHECK(d.backlog_ == number);
            CHECK(d.socket.getsockopt(SOL_SOCKET, SO_ACCEPTCONN) != 0);
        }
}

TEST_CASE("dispatcher: handle_error() closes a listener whose socket does not listen") {
    channel_map map;
    map.exact = false;
    map.log = nullptr;
    dispatcher d(socket_t::pair().first, &map);
    d.accepting = true;
    try {
        throw std::runtime_error("spam");
    } catch (...) {
        d.handle_error();
    }
    CHECK(map.empty());
    CHECK(!d.socket);
}

TEST_CASE("dispatcher: the default handle_accepted() warns and closes the connection") {
    channel_map map;
    noting d(&map);
    d.ignore_log_types = {};
    auto [a, b] = socket_t::pair();
    CHECK(printed([&, &a = a] { d.dispatcher::handle_accepted(std::move(a), {}); }) ==
          "warning: unhandled accepted event\n");
    std::array<char, 1> room;
    const auto got = b.recv(room);
    CHECK(got.error == 0);
    CHECK(got.count == 0);
}

TEST_CASE("dispatcher: EMFILE: a listener that was made outside drops the connection and goes on") {
    CHECK(in_child([] {
        struct adopting : noting {
            using noting::noting;
            int accepted = 0;
            void handle_accepted(socket_t, const asyncore::address&) override { ++accepted; }
            void log_info(std::string_view, std::string_view) override {}
        };
        socket_t sock(AF_INET, SOCK_STREAM);
        sock.bind({support::HOST, 0});
        sock.listen(5);
        const auto where = sock.getsockname();
        channel_map map;
        adopting listener(std::move(sock), &map);
        listener.accepting = true;
        socket_t one(AF_INET, SOCK_STREAM), two(AF_INET, SOCK_STREAM);
        one.connect_ex(where);
        asyncore::loop(30.0, true, &map, 1);
        two.connect_ex(where);
        rlimit before{};
        ::getrlimit(RLIMIT_NOFILE, &before);
        const rlimit none_left{static_cast<rlim_t>(support::next_descriptor()), before.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none_left);
        asyncore::loop(30.0, true, &map, 1);
        ::setrlimit(RLIMIT_NOFILE, &before);
        return listener.accepted == 1 && listener.accepting && listener.log.empty();
    }));
}

TEST_CASE("dispatcher: handle_connect() is called once and a listener gets no handle_write()") {
    channel_map map;
    noting d(&map);
    auto [a, b] = socket_t::pair();
    d.set_socket(std::move(a));
    d.accepting = true;
    d.handle_write_event();
    CHECK(d.log.empty());
    d.accepting = false;
    d.connected = d.connecting = true;
    d.handle_write_event();
    d.handle_read_event();
    CHECK(d.log == lines{"write", "read"});
    d.connected = false;
    d.handle_write_event();
    d.handle_read_event();
    CHECK(d.log == lines{"write", "read", "connect", "write", "read"});
}

TEST_CASE("dispatcher: connect() succeeds at once or later or throws") {
    const support::TempDir folder;
    const address name(folder / "socket");
    channel_map map;
    noting stranger(&map), server(&map), first(&map), second(&map);
    stranger.create_socket(AF_UNIX);
    try {
        stranger.connect(name);
        FAIL("there is no listener");
    } catch (const std::system_error& error) {
        CHECK(error.code().value() == ENOENT);
        CHECK(std::string(error.what()).starts_with("connect to '" + name.path() + "'"));
    }
    server.create_socket(AF_UNIX);
    server.bind(name);
    server.listen(0);
    first.create_socket(AF_UNIX);
    first.connect(name);
    CHECK(first.connected);
    CHECK(!first.connecting);
    CHECK(first.addr == name);
    CHECK(first.log == lines{"connect"});
    // The backlog is full: connect(2) fails with EAGAIN, and no connect is under way.
    second.create_socket(AF_UNIX);
    CHECK(error_of([&] { second.connect(name); }) == EAGAIN);
    for (const auto* each : {&stranger, &second}) {
        CHECK(!each->connected);
        CHECK(!each->connecting);
        CHECK(each->log.empty());
    }
    socket_t holder(AF_INET, SOCK_STREAM);
    holder.bind({support::HOST, 0});  // and it does not listen
    noting refused(&map);
    refused.create_socket();
    refused.connect(holder.getsockname());
    REQUIRE(support::wait_writable(refused._fileno, 30s));
    try {
        refused.handle_connect_event();
        FAIL("there is no listener");
    } catch (const std::system_error& error) {
        CHECK(error.code().value() == ECONNREFUSED);
        CHECK(std::string(error.what())
                  .starts_with("connect to " + holder.getsockname().repr() + ":"));
    }
    auto [a, b] = support::tcp_pair();
    noting again(std::move(a), &map);
    CHECK_NOTHROW(again.connect(again.addr));  // EISCONN
    CHECK(again.connected);
    CHECK(again.log == lines{"connect"});
}

TEST_CASE("threads: close() works in a thread that is being cancelled") {
    struct closing : noting {
        using noting::noting;
        void handle_read() override {
            ::pthread_cancel(::pthread_self());
            close();  // close(2) is a cancellation point, but not here
            ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
            log.emplace_back("closed");
        }
    };
    channel_map map;
    auto [a, b] = socket_t::pair();
    closing channel(std::move(a), &map);
    b.send("x");
    std::thread([&] { asyncore::loop(30.0, false, &map, 1); }).join();
    CHECK(channel.log == lines{"closed"});
    CHECK_FALSE(channel.socket);
}

TEST_CASE("dispatcher: a stream's send() that throws EAGAIN has sent nothing") {
    auto [a, b] = socket_t::pair();
    dispatcher x(socket_t(std::make_unique<stubborn>(std::move(a))));
    CHECK(x.send("hello") == 0);
    CHECK(x.connected);
}

TEST_CASE("dispatcher: the map gets all that its channels log, with the type") {
    channel_map map;
    std::vector<std::pair<std::string, std::string>> got;
    map.log = [&](std::string_view message, std::string_view type) {
        got.emplace_back(message, type);
    };
    dispatcher d(&map);
    d.log("a hit");
    d.log_info("something");
    d.log_info("nothing", "warning");
    d.log_info("a fault", "error");
    CHECK(got == decltype(got){{"a hit", "log"}, {"something", "info"}, {"a fault", "error"}});
}

TEST_CASE("dispatcher: log_info() prints errors and by default no warnings") {
    dispatcher d;
    CHECK(printed([&] { d.log_info("nothing", "warning"); }) == "");
    CHECK(printed([&] { d.log_info("something", "error"); }) == "error: something\n");
}

TEST_CASE("dispatcher: handle_error() works though repr() throws") {
    struct unspeakable : dispatcher {
        using dispatcher::dispatcher;
        bool exits = false;
        std::string repr() const override {
            if (exits) throw asyncore::ExitNow();
            throw std::runtime_error("on purpose");
        }
    };
    channel_map map;
    unspeakable d(&map);
    const auto fail = [&] {
        try {
            throw std::runtime_error("spam");
        } catch (...) {
            d.handle_error();
        }
    };
    std::ostringstream number;  // Python: %0x
    number << std::hex << reinterpret_cast<std::uintptr_t>(&d);
    CHECK(printed(fail) == "error: uncaptured exception, closing channel <repr() failed for "
                           "object at " +
                               number.str() + "> (std::runtime_error:spam )\n");
    d.exits = true;
    CHECK_THROWS_AS(fail(), asyncore::ExitNow);
}

TEST_CASE("compact_traceback: what another language has raised describes itself") {
    struct raised : std::runtime_error, asyncore::foreign_exception {
        raised() : std::runtime_error("in C++") {}
        asyncore::traceback compact_traceback() const override {
            return {{}, "ValueError", "in Python", "[a line]"};
        }
    };
    channel_map map;
    lines said;
    map.log = [&](std::string_view line, std::string_view) { said.emplace_back(line); };
    dispatcher d(&map);
    d.ignore_log_types = {"warning"};
    try {
        throw raised();
    } catch (...) {
        d.handle_error();
    }
    REQUIRE(said.size() == 1);
    CHECK(said[0].ends_with("(ValueError:in Python [a line])"));
}

TEST_CASE("async_chat: init() with a new socket empties the buffers") {
    struct silent : async_chat {
        using async_chat::async_chat;
        void collect_incoming_data(std::string_view) override {}
        void found_terminator() override {}
    };
    auto [a, b] = socket_t::pair();
    auto [c, d] = socket_t::pair();
    silent chat(std::move(a));
    chat.set_terminator("\r\n");
    b.send("\r");
    turn();
    chat.producer_fifo.append(asyncore::byte_buffer("for the first"));
    chat.incoming.append("old");
    REQUIRE(chat.ac_in_buffer.size() == 1);
    chat.init(std::move(c));
    CHECK(chat.ac_in_buffer.empty());
    CHECK(chat.incoming.empty());
    CHECK(chat.producer_fifo.empty());
    turn();
    CHECK(received(d) == "");
}

TEST_CASE("dispatcher_with_send: close() keeps out_buffer as in Python and init() empties it") {
    auto [a, b] = socket_t::pair();
    auto [c, d] = socket_t::pair();
    dispatcher_with_send sender(std::move(a));
    sender.out_buffer += "for the first";
    sender.close();
    CHECK(sender.out_buffer.view() == "for the first");
    sender.init(std::move(c));
    CHECK(sender.out_buffer.empty());
    turn();
    CHECK(received(d) == "");
}

TEST_CASE("dispatcher_with_send: with debug set send() logs the data") {
    channel_map map;
    asyncore::dispatcher_with_send d(&map);
    CHECK(d.writable());  // so that handle_connect() is called
    auto [a, b] = socket_t::pair();
    d.init(std::move(a), &map);
    CHECK(!d.writable());
    CHECK(printed([&] { d.send("quiet"); }) == "");
    d.debug = true;
    CHECK(printed([&] { d.send("it's\n"); }) == "info: sending b\"it's\\n\"\n");
}

TEST_CASE(
    "dispatcher: a class that does not override writable() is named while promises are checked") {
    struct reader : dispatcher {
        using dispatcher::dispatcher;
        std::string error;
        void handle_read() override { recv(100); }
        void handle_error() override {
            error = std::get<2>(asyncore::compact_traceback());
            close();
        }
    };
    asyncore::channel_map map;
    auto [ours, theirs] = socket_t::pair();
    reader spinning(std::move(ours), &map);
    map.check_promises = true;
    asyncore::loop(0.0, false, &map, 1000);
    CHECK(spinning.error.find("override writable()") != std::string::npos);
    CHECK(map.empty());
}
