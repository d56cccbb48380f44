// What neither CPython's tests nor a replayed script can say of dispatchers.
#include "channels.hpp"
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
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asynchat::async_chat;
using asyncore::address;
using asyncore::channel_map;
using asyncore::dispatcher;
using asyncore::dispatcher_with_send;
using asyncore::file_dispatcher;
using asyncore::socket_t;
using asyncore::platform::os_error;
using asyncore::platform::transfer;
using support::both_deliveries;
using support::lines;
using support::noting;
using support::pipe_ends;
using namespace std::chrono_literals;

namespace {

/// A stream on a socket, some of whose calls fail with an errno.
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

/// The errno that `call` throws; 0 if it throws none.
int error_of(const std::function<void()>& call) {
    try {
        call();
        return 0;
    } catch (const std::system_error& error) {
        return error.code().value();
    }
}

/// What is printed meanwhile.
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

/// Notes under its name, in a log that others share.
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

}  // namespace

TEST_SUITE("a socket of one's own") {
    TEST_CASE("init() takes it, non-blocking, into the map, and may be called again") {
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

    TEST_CASE("that has no peer is not connected, a broken one is polled by nobody") {
        for (const int error : {ENOTCONN, EINVAL, EIO}) {
            CAPTURE(error);
            channel_map map;
            dispatcher d(&map);
            auto layer = std::make_unique<failing>(socket_t::pair().first);
            layer->getpeername_error = error;
            // setblocking() asks the descriptor.
            CHECK(error_of([&] { d.init(socket_t(std::move(layer)), &map); }) ==
                  (error == EIO ? EIO : 0));
            CHECK(map.size() == (error == EIO ? 0 : 1));
            CHECK((error == EIO || !d.connected));
        }
    }

    TEST_CASE("close() passes over ENOTCONN and EBADF, and no other error") {
        for (const int error : {ENOTCONN, EBADF, EIO}) {
            CAPTURE(error);
            channel_map map;
            auto layer = std::make_unique<failing>(socket_t::pair().first);
            layer->close_error = error;
            dispatcher d(socket_t(std::move(layer)), &map);
            CHECK(error_of([&] { d.close(); }) == (error == EIO ? EIO : 0));
            CHECK(map.empty());
        }
    }

    TEST_CASE("replaced under the same descriptor keeps the place in the map") {
        channel_map map;
        auto [a, b] = socket_t::pair();
        dispatcher one(std::move(a), &map), two(std::move(b), &map);
        const auto before = map.keys();
        one.set_socket(socket_t(std::make_unique<failing>(std::move(one.socket))));
        CHECK(map.keys() == before);
        CHECK(map[one._fileno] == &one);
    }

    TEST_CASE("entering a map under None leaves others alone, and another map is another") {
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

    TEST_CASE("may have the number 0") {
        CHECK(support::in_child([] {
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

    TEST_CASE("repr() tells its state") {
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
    }
}

TEST_SUITE("connections") {
    TEST_CASE("accept() gives nothing where nobody waits, and throws where it cannot") {
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

    TEST_CASE("handle_accepted() says that nobody does, and closes") {
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

    TEST_CASE("a listener hears of nothing to write, and a connection of connect() but once") {
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

    TEST_CASE("connect(): at once, later, or not at all") {
        const support::TempDir folder;
        const address name(folder / "socket");
        channel_map map;
        noting nobody(&map), server(&map), first(&map), second(&map);
        nobody.create_socket(AF_UNIX);
        try {
            nobody.connect(name);
            FAIL("there is nobody");
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
        // One waits, and there is room for no more: EAGAIN, and nothing goes on.
        second.create_socket(AF_UNIX);
        CHECK(error_of([&] { second.connect(name); }) == EAGAIN);
        for (const auto* each : {&nobody, &second}) {
            CHECK(!each->connected);
            CHECK(!each->connecting);
            CHECK(each->log.empty());
        }
        socket_t holder(AF_INET, SOCK_STREAM);
        holder.bind({support::HOST, 0});  // and does not listen
        noting refused(&map);
        refused.create_socket();
        refused.connect(holder.getsockname());
        REQUIRE(support::wait_writable(refused._fileno, 30s));
        try {
            refused.handle_connect_event();
            FAIL("nobody listens");
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
}

TEST_SUITE("what is said") {
    TEST_CASE("warnings are not printed unless they are asked for") {
        dispatcher d;
        CHECK(printed([&] { d.log_info("nothing", "warning"); }) == "");
        CHECK(printed([&] { d.log_info("something", "error"); }) == "error: something\n");
    }

    TEST_CASE("what dispatcher_with_send sends, with debug") {
        channel_map map;
        asyncore::dispatcher_with_send d(&map);
        CHECK(d.writable());  // to hear of the connection
        auto [a, b] = socket_t::pair();
        d.init(std::move(a), &map);
        CHECK(!d.writable());
        CHECK(printed([&] { d.send("quiet"); }) == "");
        d.debug = true;
        CHECK(printed([&] { d.send("it's\n"); }) == "info: sending b\"it's\\n\"\n");
    }

    TEST_CASE("handle_error() of one whose repr() fails") {
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
}

TEST_SUITE("files") {
    TEST_CASE("a file_wrapper has no option but SO_ERROR") {
        support::pipe_ends ends;
        asyncore::file_wrapper file(ends.read.get());
        CHECK(file.getsockopt(SOL_SOCKET, SO_ERROR) == 0);
        for (const auto& [level, option] :
             {std::pair(SOL_SOCKET, SO_TYPE), std::pair(SOL_SOCKET + 1, SO_ERROR)})
            CHECK_THROWS_WITH_AS(file.getsockopt(level, option),
                                 "Only asyncore specific behaviour implemented.",
                                 asyncore::NotImplementedError);
        CHECK(error_of([] { asyncore::file_wrapper nothing(-1); }) == EBADF);
    }

    TEST_CASE("neither block nor are passed on") {
        channel_map map;
        support::pipe_ends ends;
        asyncore::platform::set_blocking(ends.read.get(), true);
        const asyncore::file_dispatcher d(ends.read.get(), &map);
        CHECK((::fcntl(d._fileno, F_GETFL) & O_NONBLOCK) != 0);
        CHECK((::fcntl(d._fileno, F_GETFD) & FD_CLOEXEC) != 0);
    }

    TEST_CASE("recv() gives as much as there is") {
        support::pipe_ends ends;
        asyncore::file_wrapper file(ends.read.get());
        REQUIRE(::write(ends.write.get(), "spam", 4) == 4);
        CHECK(file.recv(100) == "spam");
        CHECK(error_of([&] { file.recv(100); }) == EAGAIN);
        ends.write.reset();
        CHECK(file.recv(100).empty());
    }

    TEST_CASE("a pipe that has ended is readable, one that nobody reads is writable") {
        struct pipe : asyncore::file_dispatcher {
            using file_dispatcher::file_dispatcher;
            lines log;
            bool reads = true;
            bool readable() override { return reads; }
            bool writable() override { return !reads; }
            void handle_read() override { log.emplace_back("read"); }
            void handle_write() override { log.emplace_back("write"); }
            void handle_close() override { log.emplace_back("close"); }
        };
        for (const bool use_poll : both_deliveries) {
            channel_map map;
            support::pipe_ends one, two;
            pipe ended(one.read.get(), &map), broken(two.write.get(), &map);
            CHECK(ended.connected);
            broken.reads = false;
            while (::write(two.write.get(), "x", 1) == 1) {
            }
            one.write.reset();
            two.read.reset();
            asyncore::loop(0.0, use_poll, &map, 1);
            CHECK(ended.log == lines{use_poll ? "close" : "read"});
            CHECK(broken.log == lines{use_poll ? "close" : "write"});
        }
    }
}

TEST_SUITE("init() a second time") {
    TEST_CASE("an async_chat begins with empty buffers") {
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

    TEST_CASE("a dispatcher_with_send too; close() keeps them, as in Python") {
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

    TEST_CASE("with the socket that it has, a dispatcher keeps its place") {
        lines log;
        auto [a, b] = socket_t::pair();
        auto [c, d] = socket_t::pair();
        named x("x", log, std::move(a)), y("y", log, std::move(c));
        x.init(std::move(x.socket));
        b.send("1"), d.send("2");
        turn();
        CHECK(log == lines{"x read 1", "y read 2"});
    }

    TEST_CASE("with another map, it leaves the one") {
        auto [a, b] = socket_t::pair();
        channel_map other;
        dispatcher x(std::move(a));
        x.init(std::move(x.socket), &other);
        CHECK(asyncore::socket_map.empty());
        CHECK(other.get(x._fileno) == &x);
        x.close();
    }
}

TEST_SUITE("set_socket()") {
    TEST_CASE("a new socket under the number of the old one is heard") {
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
            client.socket.close();  // and is not taken out of the map
            client.create_socket();
            REQUIRE(client._fileno == number);
            log.clear();
            client.connect(where);
            for (int n = 0; n < 5 && log.empty(); ++n) turn(use_poll);
            CHECK(log == lines{"client connect"});
        }
    }
}

TEST_SUITE("streams") {
    /// One whose send() says by an exception that there is no room, as TLS libraries do.
    struct stubborn : asyncore::platform::stream {
        explicit stubborn(socket_t wrapped) : sock(std::move(wrapped)) {}
        socket_t sock;
        int fileno() const noexcept override { return sock.fileno(); }
        asyncore::platform::transfer recv(std::span<char> buffer) override {
            return sock.recv(buffer);
        }
        asyncore::platform::transfer send(std::string_view) override {
            throw std::system_error(EAGAIN, std::generic_category(), "want write");
        }
        int getsockopt(int level, int option) override { return sock.getsockopt(level, option); }
        void close() override { sock.close(); }
    };

    TEST_CASE("a send() that throws EAGAIN has sent nothing") {
        auto [a, b] = socket_t::pair();
        dispatcher x(socket_t(std::make_unique<stubborn>(std::move(a))));
        CHECK(x.send("hello") == 0);
        CHECK(x.connected);
    }
}

TEST_SUITE("file_dispatcher") {
    TEST_CASE("in two phases: overrides are called") {
        struct counting : file_dispatcher {
            int added = 0;
            std::string data;
            explicit counting(int fd) { init(fd); }
            void add_channel(channel_map* map) override {
                ++added;
                file_dispatcher::add_channel(map);
            }
            void handle_read() override { data += recv(100); }
        };
        pipe_ends pipe;
        counting reader(pipe.read.get());
        CHECK(reader.added == 1);
        CHECK(reader.connected);
        REQUIRE(::write(pipe.write.get(), "hello", 5) == 5);
        turn();
        CHECK(reader.data == "hello");
        const int before = reader._fileno;
        reader.init(pipe.read.get());
        CHECK(reader.added == 2);
        CHECK(asyncore::socket_map.size() == 1);
        CHECK((reader._fileno == before) == (asyncore::socket_map.get(before) != nullptr));
        reader.close();
    }
}
