// platform/socket.hpp: a socket that works through a stream, as TLS does.
#include "sockets.hpp"

#include <asyncore/platform/socket.hpp>

#include <cerrno>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <sys/socket.h>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using socket_t = asyncore::platform::socket;
using support::is_open;
using support::received;
using support::tcp_pair;

namespace {

/// Stands in for a socket, and swaps a with z, b with y and so on in what passes through it.
class swapped : public stream {
public:
    swapped(socket_t sock, std::string& log) : sock_(std::move(sock)), log_(log) {}
    ~swapped() override { log_ += "destroyed "; }
    int fileno() const noexcept override { return sock_.fileno(); }
    transfer recv(std::span<char> buffer) override {
        const auto got = sock_.recv(buffer);
        for (auto& c : buffer.first(got.count)) c = swap(c);
        return got;
    }
    transfer send(std::string_view data) override {
        std::string text(data);
        for (auto& c : text) c = swap(c);
        return sock_.send(text);
    }
    int getsockopt(int, int) override { return 42; }
    void close() override {
        log_ += "closed ";
        sock_.close();
    }

private:
    static char swap(char c) { return static_cast<char>('a' + 'z' - c); }
    socket_t sock_;
    std::string& log_;
};

/// Knows the names of both ends better than the system.
class proxied : public swapped {
public:
    using swapped::swapped;
    address getsockname() const override { return {"192.0.2.1", 1}; }
    address getpeername() const override { return {"192.0.2.2", 2}; }
};

}  // namespace

TEST_CASE("stream: a socket asks its stream") {
    std::string log;
    auto [a, b] = tcp_pair();
    const int number = a.fileno();
    const auto name = a.getsockname(), peer = a.getpeername();
    {
        socket_t sock(std::make_unique<swapped>(std::move(a), log));
        CHECK(sock);
        CHECK(sock.layer() != nullptr);
        CHECK(dynamic_cast<swapped*>(sock.layer()) != nullptr);
        CHECK(sock.fileno() == number);
        CHECK(sock.send("abc").count == 3);
        CHECK(received(b) == "zyx");
        b.send("xyz");
        CHECK(received(sock) == "cba");
        CHECK(sock.getsockopt(SOL_SOCKET, SO_ERROR) == 42);
        CHECK(sock.getsockname() == name);
        CHECK(sock.getpeername() == peer);
        CHECK(sock.family() == AF_INET);
        CHECK(sock.detach().get() == -1);
        sock.shutdown(SHUT_WR);
        CHECK(received(b).empty());
        CHECK(log.empty());
        sock.close();
        CHECK(log == "closed ");
        CHECK(!sock);
        CHECK(!is_open(number));
        CHECK(sock.send("x").error == EBADF);
    }
    CHECK(log == "closed destroyed ");
}

TEST_CASE("stream: a stream may answer getsockname() and getpeername() itself") {
    std::string log;
    const socket_t sock(std::make_unique<proxied>(socket_t::pair().first, log));
    CHECK(sock.getsockname().repr() == "192.0.2.1:1");
    CHECK(sock.getpeername().repr() == "192.0.2.2:2");
}

TEST_CASE("stream: flags of recv() and send() are refused") {
    std::string log;
    socket_t sock(std::make_unique<swapped>(socket_t::pair().first, log));
    char byte = 0;
    CHECK_THROWS_AS(sock.recv({&byte, 1}, MSG_PEEK), std::invalid_argument);
    CHECK_THROWS_AS(sock.send("x", MSG_OOB), std::invalid_argument);
}

TEST_CASE("stream: layers are wrapped in place and each is destroyed with its socket") {
    std::string log;
    auto [a, b] = socket_t::pair();
    auto sock = std::move(a);
    const int number = sock.fileno();
    sock = socket_t(std::make_unique<swapped>(std::move(sock), log));
    sock = socket_t(std::make_unique<swapped>(std::move(sock), log));
    CHECK(log.empty());
    CHECK(sock.fileno() == number);
    sock.send("abc");
    CHECK(received(b) == "abc");  // swapped twice
    sock = socket_t();
    CHECK(log == "destroyed destroyed ");
    CHECK(!is_open(number));
}
