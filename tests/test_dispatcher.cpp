// What dispatchers owe to porters beyond CPython's own tests: adopting, re-initialising, wrapping.
#include "support.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <cerrno>
#include <functional>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <unistd.h>

#include <doctest/doctest.h>

using asynchat::async_chat;
using asyncore::channel_map;
using asyncore::dispatcher;
using asyncore::dispatcher_with_send;
using asyncore::file_dispatcher;
using asyncore::socket_t;
using support::pipe_ends;

namespace {

std::string received(socket_t& sock) {
    std::string data(4096, '\0');
    data.resize(sock.recv(std::span(data)).count);
    return data;
}

void turn(bool use_poll = true) {
    asyncore::loop({.timeout = 0.0, .use_poll = use_poll, .count = 1});
}

using log_t = std::vector<std::string>;

struct noting : dispatcher {
    std::string name;
    log_t& log;
    noting(std::string its_name, log_t& its_log) : name(std::move(its_name)), log(its_log) {}
    noting(std::string its_name, log_t& its_log, socket_t sock)
        : dispatcher(std::move(sock)), name(std::move(its_name)), log(its_log) {}
    bool writable() override { return connecting; }
    void handle_connect() override { log.push_back(name + " connect"); }
    void handle_read() override { log.push_back(name + " read " + dispatcher::recv(100)); }
    void handle_close() override { close(); }
};

}  // namespace

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
        log_t log;
        auto [a, b] = socket_t::pair();
        auto [c, d] = socket_t::pair();
        noting x("x", log, std::move(a)), y("y", log, std::move(c));
        x.init(std::move(x.socket));
        b.send("1"), d.send("2");
        turn();
        CHECK(log == log_t{"x read 1", "y read 2"});
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
            log_t log;
            dispatcher listener;
            listener.create_socket();
            listener.bind({"127.0.0.1", 0});
            listener.listen(5);
            const auto where = listener.socket.getsockname();
            noting client("client", log);
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
            CHECK(log == log_t{"client connect"});
        }
    }
}

TEST_SUITE("streams") {
    /// One whose send() says by an exception that there is no room, as TLS libraries do.
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

    TEST_CASE("a send() that throws EAGAIN has sent nothing") {
        auto [a, b] = socket_t::pair();
        dispatcher x(socket_t(std::make_unique<stubborn>(std::move(a))));
        CHECK(x.send("hello") == 0);
        CHECK(x.connected);
    }
}

TEST_SUITE("handle_error()") {
    TEST_CASE("of a channel whose repr() fails says where the channel is") {
        struct shy : dispatcher {
            std::string logged;
            std::string repr() const override { throw std::runtime_error("no"); }
            void log_info(std::string_view message, std::string_view) override {
                if (logged.empty()) logged = message;
            }
        };
        shy channel;
        try {
            throw std::runtime_error("why");
        } catch (...) {
            channel.handle_error();
        }
        std::ostringstream address;
        address << static_cast<const void*>(static_cast<dispatcher*>(&channel));
        CHECK(channel.logged == "uncaptured exception, closing channel <repr() failed for object at " +
                                    address.str().substr(2) + "> (std::runtime_error:why )");
    }
}

TEST_SUITE("close_all()") {
    /// Its close() does something to another first.
    struct meddler : dispatcher {
        using dispatcher::dispatcher;
        std::function<void()> meddle;
        void close() override {
            if (meddle) meddle();
            dispatcher::close();
        }
    };

    TEST_CASE("closes who is taken out of the map meanwhile") {
        auto [a, b] = socket_t::pair();
        meddler x(std::move(a)), y(std::move(b));
        x.meddle = [&] { y.del_channel(); };
        asyncore::close_all();
        CHECK_FALSE(y.socket);
        CHECK(asyncore::socket_map.empty());
    }

    TEST_CASE("leaves who is destroyed meanwhile alone") {
        auto [a, b] = socket_t::pair();
        auto [c, d] = socket_t::pair();
        meddler x(std::move(a));
        auto y = std::make_unique<dispatcher>(std::move(b)), z = std::make_unique<dispatcher>(std::move(c));
        x.meddle = [&] { y.reset(); };
        asyncore::close_all();
        CHECK_FALSE(z->socket);
        CHECK(asyncore::socket_map.empty());
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
