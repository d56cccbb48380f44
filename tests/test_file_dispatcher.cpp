// asyncore/file_dispatcher.hpp: descriptors that are not sockets.
#include "channels.hpp"
#include "sockets.hpp"
#include "support.hpp"

#include <asyncore/asyncore.hpp>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::channel_map;
using asyncore::file_dispatcher;
using support::both_deliveries;
using support::error_of;
using support::lines;
using support::pipe_ends;

TEST_CASE("file_wrapper: getsockopt() knows SO_ERROR only") {
    pipe_ends ends;
    asyncore::file_wrapper file(ends.read.get());
    CHECK(file.getsockopt(SOL_SOCKET, SO_ERROR) == 0);
    for (const auto& [level, option] :
         {std::pair(SOL_SOCKET, SO_TYPE), std::pair(SOL_SOCKET + 1, SO_ERROR)})
        CHECK_THROWS_WITH_AS(file.getsockopt(level, option),
                             "Only asyncore specific behaviour implemented.",
                             asyncore::NotImplementedError);
    CHECK(error_of([] { asyncore::file_wrapper nothing(-1); }) == EBADF);
}

TEST_CASE("file_wrapper: recv() returns the bytes that there are and else throws EAGAIN") {
    pipe_ends ends;
    asyncore::file_wrapper file(ends.read.get());
    REQUIRE(::write(ends.write.get(), "spam", 4) == 4);
    CHECK(file.recv(100) == "spam");
    CHECK(error_of([&] { file.recv(100); }) == EAGAIN);
    ends.write.reset();
    CHECK(file.recv(100).empty());
}

TEST_CASE("file_dispatcher: the descriptor becomes non-blocking and close-on-exec") {
    channel_map map;
    pipe_ends ends;
    asyncore::platform::set_blocking(ends.read.get(), true);
    const file_dispatcher d(ends.read.get(), &map);
    CHECK((::fcntl(d._fileno, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(d._fileno, F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("file_dispatcher: a pipe's hang-up is a read or write by select and a close by poll") {
    struct pipe : file_dispatcher {
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
        pipe_ends one, two;
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

TEST_CASE("file_dispatcher: init() calls an overridden add_channel()") {
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
    asyncore::loop({.timeout = 0.0, .use_poll = true, .count = 1});
    CHECK(reader.data == "hello");
    const int before = reader._fileno;
    reader.init(pipe.read.get());
    CHECK(reader.added == 2);
    CHECK(asyncore::socket_map.size() == 1);
    CHECK((reader._fileno == before) == (asyncore::socket_map.get(before) != nullptr));
    reader.close();
}

TEST_CASE("file_wrapper: read() is recv(), and write() is send()") {
    pipe_ends ends;
    asyncore::file_wrapper file(ends.read.get()), to(ends.write.get());
    CHECK(to.write("spam").count == 4);
    std::array<char, 3> room{};
    CHECK(file.read(room).count == 3);
    CHECK(std::string(room.data(), room.size()) == "spa");
    CHECK(file.read(10) == "m");
}
