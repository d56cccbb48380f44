// platform/socket.hpp: bind, listen, accept, connect, and the names of both ends.
#include "sockets.hpp"

#include <asyncore/platform/socket.hpp>

#include <cerrno>
#include <stdexcept>
#include <utility>
#include <vector>

#include <sys/socket.h>

#include <doctest/doctest.h>

using asyncore::platform::address;
using socket_t = asyncore::platform::socket;
using support::client_of;
using support::error_of;
using support::has_error;
using support::HOST;
using support::listener;
using support::received;

namespace {

/// An address of this machine without a listener.  `holder` keeps it so.
address unused_address(socket_t& holder) {
    holder = socket_t(AF_INET, SOCK_STREAM);
    holder.bind({HOST, 0});
    return holder.getsockname();
}

}  // namespace

TEST_CASE("socket: a connection over IPv4 and IPv6 and Unix carries bytes and names both ends") {
    const support::TempDir folder;
    std::vector<std::pair<int, address>> names = {{AF_INET, {HOST, 0}},
                                                  {AF_UNIX, {folder / "socket"}}};
    if (support::IPV6_ENABLED()) names.push_back({AF_INET6, {"::1", 0}});
#ifdef __linux__
    names.push_back({AF_UNIX, {""}});  // the kernel chooses an abstract name
#endif
    for (const auto& each : names) {
        const int family = each.first;
        CAPTURE(each.second.repr());
        auto server = listener(family, each.second);
        auto client = client_of(server);
        int error = -1;
        auto [accepted, from] = server.accept(error);
        REQUIRE(error == 0);
        CHECK(from == client.getsockname());
        CHECK(from == accepted.getpeername());
        CHECK(client.getpeername() == server.getsockname());
        CHECK(accepted.getsockname() == server.getsockname());
        CHECK(client.family() == family);
        client.send("ping");
        CHECK(received(accepted) == "ping");
        accepted.send("pong");
        CHECK(received(client) == "pong");
        accepted.close();
        CHECK(received(client).empty());
    }
}

TEST_CASE(
    "socket: getsockname() knows the address of every socket and getpeername() needs a peer") {
    const support::TempDir folder;
    const auto server = listener();
    CHECK(server.getsockname().host() == HOST);
    CHECK(server.getsockname().port() != 0);
    CHECK(listener(AF_UNIX, {folder / "s"}).getsockname().path() == folder / "s");
    CHECK(socket_t(AF_UNIX, SOCK_STREAM).getsockname().repr() == "''");
    CHECK(socket_t(AF_INET, SOCK_STREAM).getsockname().repr() == "0.0.0.0:0");
    CHECK(error_of([&] { server.getpeername(); }) == ENOTCONN);
#ifdef __linux__
    CHECK(listener(AF_UNIX, {""}).getsockname().path().size() == 6);  // "\0" and five digits
#endif
}

TEST_CASE("socket: accept() without a waiting connection is EAGAIN") {
    auto server = listener();
    int error = 0;
    const auto [sock, from] = server.accept(error);
    CHECK(error == EAGAIN);
    CHECK(!sock);
    CHECK(!from);
}

TEST_CASE("socket: accept() on a socket that does not listen is EINVAL or EOPNOTSUPP") {
    int error = 0;
    CHECK(!socket_t(AF_INET, SOCK_STREAM).accept(error).first);
    CHECK(error == EINVAL);
    CHECK(!socket_t(AF_INET, SOCK_DGRAM).accept(error).first);
    CHECK(error == EOPNOTSUPP);
    CHECK(error_of([] { socket_t(AF_INET, SOCK_DGRAM).listen(1); }) == EOPNOTSUPP);
}

TEST_CASE("socket: accept() of a connection that the peer has reset gives a socket with an error") {
    auto server = listener();
    auto client = client_of(server);
    const auto name = client.getsockname();
    support::reset(client);
    int error = -1;
    auto [accepted, from] = server.accept(error);
    if (error != 0) {  // as on the BSDs
        CHECK(error == ECONNABORTED);
        return;
    }
    CHECK(from == name);
    CHECK(has_error(accepted.fileno()));
    char byte = 0;
    CHECK(accepted.recv({&byte, 1}).error == ECONNRESET);
    CHECK(error_of([&, &sock = accepted] { sock.getpeername(); }) == ENOTCONN);
}

TEST_CASE("socket: connect_ex() to an address without a listener is ECONNREFUSED or ENOENT") {
    socket_t holder, waiting(AF_INET, SOCK_STREAM);
    const auto name = unused_address(holder);
    CHECK(waiting.connect_ex(name) == EINPROGRESS);
    CHECK(has_error(waiting.fileno()));
    CHECK(waiting.getsockopt(SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
    CHECK(waiting.getsockopt(SOL_SOCKET, SO_ERROR) == 0);
    CHECK(support::blocking(socket_t(AF_INET, SOCK_STREAM)).connect_ex(name) == ECONNREFUSED);
    const support::TempDir folder;
    CHECK(socket_t(AF_UNIX, SOCK_STREAM).connect_ex({folder / "nothing"}) == ENOENT);
    support::write_file(folder / "file", "");
    CHECK(socket_t(AF_UNIX, SOCK_STREAM).connect_ex({folder / "file"}) == ECONNREFUSED);
}

TEST_CASE("socket: connect_ex() of a connected socket is EISCONN") {
    const auto server = listener();
    auto client = client_of(server);
    CHECK(client.connect_ex(server.getsockname()) == EISCONN);
}

TEST_CASE("socket: bind() refuses an address that is taken or foreign or of another family") {
    const auto server = listener();
    socket_t other(AF_INET, SOCK_STREAM);
    CHECK(error_of([&] { other.bind(server.getsockname()); }) == EADDRINUSE);
    CHECK(error_of([&] { other.bind({"192.0.2.1", 0}); }) == EADDRNOTAVAIL);
    CHECK(error_of([&] { other.bind({"::1", 0}); }) == EADDRNOTAVAIL);
    CHECK_THROWS_AS(other.bind({"/tmp/s"}), std::invalid_argument);
    CHECK_THROWS_AS(other.connect_ex({"/tmp/s"}), std::invalid_argument);
    CHECK_THROWS_AS(other.bind({}), std::invalid_argument);
}

TEST_CASE("socket: SO_REUSEADDR lets a listener take its address again at once") {
    socket_t server(AF_INET, SOCK_STREAM), again(AF_INET, SOCK_STREAM);
    server.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    server.bind({HOST, 0});
    server.listen(1);
    const auto name = server.getsockname();
    auto client = client_of(server);
    int error = 0;
    server.accept(error).first.close();  // this end closes first, and so it gets the TIME_WAIT
    CHECK(received(client).empty());
    client.close();
    server.close();
    CHECK(error_of([&] { again.bind(name); }) == EADDRINUSE);
    again.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    CHECK_NOTHROW(again.bind(name));
}
