// Sockets in the states that tests want them in.
#pragma once

#include "support.hpp"

#include <asyncore/platform/socket.hpp>

#include <chrono>
#include <functional>
#include <ostream>
#include <string>
#include <system_error>

#include <poll.h>
#include <sys/socket.h>

#include <doctest/doctest.h>

namespace support {

namespace platform = asyncore::platform;

/// The errno that `call` throws; 0 if it throws none.
inline int error_of(const std::function<void()>& call) {
    try {
        call();
        return 0;
    } catch (const std::system_error& failure) {
        CHECK(failure.code().category() == std::generic_category());
        return failure.code().value();
    }
}

inline platform::socket listener(int family, const platform::address& name) {
    platform::socket sock(family, SOCK_STREAM);
    sock.bind(name);
    sock.listen(5);
    return sock;
}
inline platform::socket listener() { return listener(AF_INET, {HOST, 0}); }

/// A client that has connected.
inline platform::socket client_of(const platform::socket& server) {
    auto client = blocking(platform::socket(server.family(), SOCK_STREAM));
    REQUIRE(client.connect_ex(server.getsockname()) == 0);
    client.setblocking(false);
    return client;
}

/// What one recv() gives, when there is something to read.
inline std::string received(platform::socket& sock, int flags = 0) {
    REQUIRE(wait_readable(sock.fileno(), std::chrono::seconds(30)));
    std::string data(1000, '\0');
    const auto got = sock.recv(data, flags);
    CHECK(got.error == 0);
    data.resize(got.count);
    return data;
}

/// Closes the connection with a reset.
inline void reset(platform::socket& sock) {
    const linger at_once{1, 0};
    REQUIRE(::setsockopt(sock.fileno(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    sock.close();
}

/// Whether poll(2) reports an error within 30 seconds.
inline bool has_error(int fd) {
    pollfd asked{fd, 0, 0};
    return ::poll(&asked, 1, 30000) == 1 && (asked.revents & POLLERR) != 0;
}

}  // namespace support
