// platform/socket.hpp: flags, ownership and options.  Connections are in test_socket_connect.cpp,
// transfers in test_socket_transfer.cpp, streams in test_stream.cpp.
#include "sockets.hpp"

#include <asyncore/platform/socket.hpp>

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <doctest/doctest.h>

using namespace asyncore::platform;
using socket_t = asyncore::platform::socket;
using support::client_of;
using support::error_of;
using support::HOST;
using support::is_open;
using support::listener;

namespace {

bool has_flag(int fd, int get, int flag) { return (::fcntl(fd, get) & flag) != 0; }

/// Non-blocking and close-on-exec, as every socket of the library is.
bool is_ours(const socket_t& sock) {
    return has_flag(sock.fileno(), F_GETFD, FD_CLOEXEC) &&
           has_flag(sock.fileno(), F_GETFL, O_NONBLOCK);
}

}  // namespace

TEST_CASE("socket: a new socket is non-blocking and close-on-exec") {
    for (const int family : {AF_INET, AF_INET6, AF_UNIX})
        for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
            if (family == AF_INET6 && !support::IPV6_ENABLED()) continue;
            const socket_t sock(family, type);
            CHECK(is_ours(sock));
            CHECK(sock.family() == family);
        }
}

TEST_CASE("socket: both ends of a pair are non-blocking and close-on-exec") {
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
        auto [a, b] = socket_t::pair(type);
        CHECK(is_ours(a));
        CHECK(is_ours(b));
        CHECK(a.getsockopt(SOL_SOCKET, SO_TYPE) == type);
    }
}

TEST_CASE("socket: an accepted socket is non-blocking and close-on-exec") {
    auto server = listener();
    const auto client = client_of(server);
    int error = -1;
    const auto accepted = server.accept(error).first;
    CHECK(error == 0);
    CHECK(is_ours(accepted));
}

TEST_CASE("socket: a descriptor that is taken over becomes non-blocking and close-on-exec") {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    const socket_t a{unique_fd(fds[0])}, b{unique_fd(fds[1])};
    CHECK(a.fileno() == fds[0]);
    CHECK(is_ours(a));
    CHECK(is_ours(b));
    CHECK(error_of([] { socket_t{unique_fd()}; }) == EBADF);
}

TEST_CASE("socket: setblocking() changes O_NONBLOCK and no other flag") {
    auto [a, b] = socket_t::pair();
    a.setblocking(true);
    CHECK(!has_flag(a.fileno(), F_GETFL, O_NONBLOCK));
    CHECK(is_ours(b));
    a.setblocking(false);
    CHECK(is_ours(a));
    CHECK(error_of([] { set_blocking(-1, false); }) == EBADF);
    const support::TempDir folder;
    const unique_fd file(::open((folder / "f").c_str(), O_CREAT | O_RDWR | O_APPEND, 0600));
    for (const bool blocking : {false, true}) {
        set_blocking(file.get(), blocking);
        CHECK(has_flag(file.get(), F_GETFL, O_APPEND));  // no other flag changes
    }
}

TEST_CASE("socket: every call on a closed socket fails with EBADF") {
    socket_t gone(AF_INET, SOCK_STREAM);
    gone.close();
    gone.close();
    CHECK(!gone);
    CHECK(gone.fileno() == -1);
    CHECK(gone.layer() == nullptr);
    const address name(HOST, 1);
    char byte = 0;
    address from;
    int error = 0;
    CHECK(error_of([&] { gone.bind(name); }) == EBADF);
    CHECK(error_of([&] { gone.listen(1); }) == EBADF);
    CHECK(!gone.accept(error).first);
    CHECK(error == EBADF);
    CHECK(gone.connect_ex(name) == EBADF);
    CHECK(gone.recv({&byte, 1}).error == EBADF);
    CHECK(gone.send("x").error == EBADF);
    CHECK(gone.recvfrom({&byte, 1}, from).error == EBADF);
    CHECK(gone.sendto("x", name).error == EBADF);
    CHECK(error_of([&] { gone.shutdown(SHUT_RDWR); }) == EBADF);
    CHECK(error_of([&] { gone.getsockopt(SOL_SOCKET, SO_ERROR); }) == EBADF);
    CHECK(error_of([&] { gone.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1); }) == EBADF);
    CHECK(error_of([&] { gone.getsockname(); }) == EBADF);
    CHECK(error_of([&] { gone.getpeername(); }) == EBADF);
    CHECK(error_of([&] { gone.family(); }) == EBADF);
    CHECK(error_of([&] { gone.setblocking(true); }) == EBADF);
    CHECK(gone.detach().get() == -1);
}

TEST_CASE("socket: a move passes the descriptor on and detach() gives it away") {
    auto [a, b] = socket_t::pair();
    const int number = a.fileno(), other = b.fileno();
    CHECK(a);
    auto moved = std::move(a);
    CHECK(!a);  // NOLINT: that is what is tested
    CHECK(moved.fileno() == number);
    moved = std::move(b);
    CHECK(!is_open(number));
    CHECK(moved.fileno() == other);
    {
        const auto fd = moved.detach();
        CHECK(!moved);
        CHECK(fd.get() == other);
    }
    CHECK(!is_open(other));
}

TEST_CASE("socket: an unknown family or type throws") {
    CHECK(error_of([] { socket_t(AF_INET, 12345); }) != 0);
    CHECK(error_of([] { socket_t(12345, SOCK_STREAM); }) == EAFNOSUPPORT);
    CHECK(error_of([] { socket_t::pair(12345); }) != 0);
}

TEST_CASE("socket: setsockopt() sets what getsockopt() returns") {
    socket_t sock(AF_INET, SOCK_STREAM);
    CHECK(sock.getsockopt(SOL_SOCKET, SO_REUSEADDR) == 0);
    sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    CHECK(sock.getsockopt(SOL_SOCKET, SO_REUSEADDR) != 0);
    sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    CHECK(sock.getsockopt(IPPROTO_TCP, TCP_NODELAY) != 0);
    CHECK(sock.getsockopt(SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
}

TEST_CASE("socket: an unknown option is ENOPROTOOPT") {
    socket_t sock(AF_INET, SOCK_STREAM);
    CHECK(error_of([&] { sock.getsockopt(SOL_SOCKET, 12345); }) == ENOPROTOOPT);
    CHECK(error_of([&] { sock.setsockopt(SOL_SOCKET, 12345, 1); }) == ENOPROTOOPT);
}

TEST_CASE("create_server: it listens, and SO_REUSEADDR is set") {
    auto server = asyncore::platform::create_server({"127.0.0.1", 0});
    CHECK(server.getsockopt(SOL_SOCKET, SO_ACCEPTCONN) == 1);
    CHECK(server.getsockopt(SOL_SOCKET, SO_REUSEADDR) == 1);
    socket_t client(AF_INET, SOCK_STREAM);
    client.setblocking(true);
    CHECK(client.connect_ex(server.getsockname()) == 0);
}

TEST_CASE("create_server: a dual-stack listener takes connections of IPv4 and of IPv6") {
    std::optional<socket_t> server;
    try {
        server = asyncore::platform::create_server({"::", 0},
                                                   {.family = AF_INET6, .dualstack_ipv6 = true});
    } catch (const std::system_error& error) {
        MESSAGE("this system has no IPv6: " << error.what());
        return;
    }
    const auto port = server->getsockname().port();
    for (const char* host : {"127.0.0.1", "::1"}) {
        const address name(host, port);
        socket_t client(name.family(), SOCK_STREAM);
        client.setblocking(true);
        CHECK(client.connect_ex(name) == 0);
    }
}
