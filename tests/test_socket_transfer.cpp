// platform/socket.hpp: recv, send, recvfrom, sendto, shutdown, and what they say when they cannot.
#include "sockets.hpp"

#include <asyncore/platform/socket.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

using asyncore::platform::address;
using asyncore::platform::is_nonblocking;
using asyncore::platform::uninterrupted;
using namespace std::chrono_literals;
using socket_t = asyncore::platform::socket;
using support::error_of;
using support::has_error;
using support::HOST;
using support::received;
using support::tcp_pair;

namespace {

volatile std::sig_atomic_t alarms_to_go = 0;
int end_to_use = -1;
address::kernel_form place_to_go;

/// Signal handlers that act when `alarms_to_go` reaches zero.
void write_at_last(int) {
    const int error = errno;
    alarms_to_go = alarms_to_go - 1;
    if (alarms_to_go == 0) static_cast<void>(!::write(end_to_use, "x", 1));
    errno = error;
}
void read_at_last(int) {
    const int error = errno;
    alarms_to_go = alarms_to_go - 1;
    static char room[1 << 16];
    if (alarms_to_go == 0)
        while (::read(end_to_use, room, sizeof room) > 0) {
        }
    errno = error;
}
void connect_at_last(int) {
    const int error = errno;
    alarms_to_go = alarms_to_go - 1;
    const auto* name = reinterpret_cast<const sockaddr*>(&place_to_go.name);
    if (alarms_to_go == 0) static_cast<void>(::connect(end_to_use, name, place_to_go.length));
    errno = error;
}

}  // namespace

TEST_CASE("socket: recv() is EAGAIN without data and 0 bytes without an error at end of file") {
    auto [a, b] = socket_t::pair();
    std::array<char, 4> buffer{};
    auto got = a.recv(buffer);
    CHECK(got.error == EAGAIN);
    CHECK(got.count == 0);
    CHECK(b.send("abcdef").count == 6);
    got = a.recv(buffer);
    CHECK(got.error == 0);
    CHECK(got.count == 4);
    CHECK(std::string(buffer.data(), 4) == "abcd");
    b.close();
    CHECK(a.recv(buffer).count == 2);
    for (int i = 0; i < 2; ++i) {
        got = a.recv(buffer);
        CHECK(got.error == 0);
        CHECK(got.count == 0);
    }
}

TEST_CASE("socket: recv() into an empty buffer does not ask the kernel") {
    socket_t sock(AF_INET, SOCK_STREAM);
    CHECK(sock.recv({}).error == 0);
    CHECK(sock.recv({}).count == 0);
    char byte = 0;
    CHECK(sock.recv({&byte, 1}).error == ENOTCONN);
    CHECK(sock.send("x").error == EPIPE);
}

TEST_CASE("socket: send() makes a short write and then fails with EAGAIN") {
    auto [a, b] = socket_t::pair();
    const std::string plenty(1 << 22, 'x');
    const auto sent = a.send(plenty);
    CHECK(sent.error == 0);
    CHECK(sent.count > 0);
    CHECK(sent.count < plenty.size());
    while (a.send(plenty).error == 0) {
    }
    CHECK(a.send("x").error == EAGAIN);
    CHECK(a.send("x").count == 0);
    std::string got(1 << 22, '\0');
    CHECK(b.recv(got).count > 0);
    CHECK(a.send("x").count == 1);
}

TEST_CASE("socket: send() of no bytes sends nothing") {
    auto [a, b] = socket_t::pair();
    CHECK(a.send("").error == 0);
    CHECK(a.send("").count == 0);
    char byte = 0;
    CHECK(b.recv({&byte, 1}).error == EAGAIN);
}

TEST_CASE("socket: send() to a closed peer is EPIPE without SIGPIPE") {
    CHECK(support::in_child([] {
        std::signal(SIGPIPE, SIG_DFL);
        auto [a, b] = socket_t::pair();
        b.close();
        return a.send("x").error == EPIPE && a.sendto("x", {"/tmp/s"}).error != 0;
    }));
}

TEST_CASE("socket: a reset by the peer is ECONNRESET once and then end of file") {
    auto [a, b] = tcp_pair();
    support::reset(b);
    CHECK(has_error(a.fileno()));
    char byte = 0;
    CHECK(a.recv({&byte, 1}).error == ECONNRESET);
    CHECK(a.recv({&byte, 1}).error == 0);
    CHECK(a.send("x").error == EPIPE);
}

TEST_CASE("socket: MSG_PEEK leaves the bytes and MSG_OOB transfers an out-of-band byte") {
    auto [a, b] = tcp_pair();
    b.send("x");
    CHECK(received(a, MSG_PEEK) == "x");
    CHECK(received(a) == "x");
    char byte = 0;
    CHECK(a.recv({&byte, 1}, MSG_OOB).error == EINVAL);
    b.send("ab!", MSG_OOB);
    CHECK(received(a) == "ab");
    CHECK(a.recv({&byte, 1}, MSG_OOB).count == 1);
    CHECK(byte == '!');
}

TEST_CASE("socket: half-close: shutdown(SHUT_WR) ends one direction only") {
    auto [a, b] = tcp_pair();
    a.shutdown(SHUT_WR);
    CHECK(received(b).empty());
    CHECK(a.send("x").error == EPIPE);
    b.send("still");
    CHECK(received(a) == "still");
    CHECK(error_of([] { socket_t(AF_INET, SOCK_STREAM).shutdown(SHUT_WR); }) == ENOTCONN);
    CHECK(error_of([&, &sock = b] { sock.shutdown(99); }) == EINVAL);
}

TEST_CASE("socket: recvfrom() says where a datagram came from") {
    socket_t a(AF_INET, SOCK_DGRAM), b(AF_INET, SOCK_DGRAM);
    a.bind({HOST, 0});
    b.bind({HOST, 0});
    std::array<char, 4> buffer{};
    address from;
    CHECK(b.recvfrom(buffer, from).error == EAGAIN);
    CHECK(!from);
    from = {"/tmp/before"};
    CHECK(b.recvfrom(buffer, from).error == EAGAIN);
    CHECK(from.path() == "/tmp/before");
    CHECK(a.sendto("ping", b.getsockname()).count == 4);
    REQUIRE(support::wait_readable(b.fileno(), 30s));
    CHECK(b.recvfrom(buffer, from).count == 4);
    CHECK(from == a.getsockname());
    CHECK(b.recvfrom(buffer, from).error == EAGAIN);  // the datagram is taken
    CHECK(a.sendto("", from).error == 0);
    CHECK(b.sendto(std::string(100'000, 'x'), from).error == EMSGSIZE);
    CHECK_THROWS_AS(a.sendto("x", {"/tmp/s"}), std::invalid_argument);
}

TEST_CASE("socket: recvfrom() gives an empty address for a peer without a name") {
    auto [a, b] = socket_t::pair(SOCK_DGRAM);
    a.send("x");
    char byte = 0;
    address from("/tmp/before");
    CHECK(b.recvfrom({&byte, 1}, from).count == 1);
    CHECK(!from);  // Python: None
}

TEST_CASE("socket: EINTR ends neither recv() nor send() nor accept()") {
    alarms_to_go = 5;
    SUBCASE("socket: EINTR does not end recv()") {
        auto [a, b] = socket_t::pair();
        auto reader = support::blocking(std::move(a));
        end_to_use = b.fileno();
        const support::alarms every_millisecond(write_at_last);
        char byte = 0;
        CHECK(reader.recv({&byte, 1}).count == 1);
    }
    SUBCASE("socket: EINTR does not end send()") {
        auto [a, b] = socket_t::pair();
        while (a.send("x").count == 1) {
        }
        auto writer = support::blocking(std::move(a));
        end_to_use = b.fileno();
        const support::alarms every_millisecond(read_at_last);
        CHECK(writer.send("x").count == 1);
    }
    SUBCASE("socket: EINTR does not end accept()") {
        auto server = support::blocking(support::listener());
        const socket_t client(AF_INET, SOCK_STREAM);
        place_to_go = server.getsockname().resolve(AF_INET);
        end_to_use = client.fileno();
        const support::alarms every_millisecond(connect_at_last);
        int error = -1;
        CHECK(server.accept(error).first);
        CHECK(error == 0);
    }
    CHECK(alarms_to_go <= 0);
}

TEST_CASE("uninterrupted: EINTR for ever is EAGAIN if the descriptor does not block") {
    auto [a, b] = socket_t::pair();
    int calls = 0;
    const auto interrupted_ten_times = [&]() -> ssize_t {
        if (++calls > 10) return 5;
        errno = EINTR;
        return -1;
    };
    CHECK(uninterrupted(a.fileno(), interrupted_ten_times).error == EAGAIN);
    CHECK(calls == 3);
    a.setblocking(true);
    CHECK(uninterrupted(a.fileno(), interrupted_ten_times).count == 5);
    CHECK(calls == 11);
    CHECK(!is_nonblocking(-1));
}
