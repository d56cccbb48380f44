// Python: Lib/test/mock_socket.py of 3.11, as much of it as the tests of smtpd use.
#pragma once

#include <asyncore/asyncore.hpp>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace mock_socket {

using asyncore::address;
using asyncore::socket_t;
using asyncore::platform::transfer;

/// A connection whose other end is the test.  It has the descriptor of an unconnected socket, so
/// that it can be in a map.
class MockSocket : public asyncore::platform::stream {
public:
    std::string last;  // what was sent last

    /// What recv() will give, a line a call.
    void queue_recv(std::string_view line) { lines_.push_back(std::string(line) + "\r\n"); }
    /// The same without the end of the line.
    void queue_part(std::string_view part) { lines_.emplace_back(part); }

    int fileno() const noexcept override { return unconnected_.fileno(); }

    transfer recv(std::span<char> buffer) override {
        if (lines_.empty()) return {0, EAGAIN};
        const auto data = lines_.front().substr(0, buffer.size());
        lines_.front().erase(0, data.size());
        if (lines_.front().empty()) lines_.pop_front();
        std::copy(data.begin(), data.end(), buffer.begin());
        return {data.size(), 0};
    }

    transfer send(std::string_view data) override {
        last = data;
        return {data.size(), 0};
    }

    int getsockopt(int, int) override { return 0; }

    /// Python's port is the text 'peer-port'; an address here has a number.
    address getpeername() const override { return {"peer-address", 1}; }

    void close() override { unconnected_.close(); }

private:
    socket_t unconnected_{AF_INET, SOCK_STREAM};
    std::deque<std::string> lines_;
};

/// The mock that `sock` works through.
inline MockSocket& mock(socket_t& sock) { return dynamic_cast<MockSocket&>(*sock.layer()); }

/// A server whose accept() always has a connection.  It listens, but no client connects.
template <class Server>
class mocked : public Server {
public:
    using Server::Server;

    std::optional<std::pair<socket_t, address>> accept() override {
        return std::pair(socket_t(std::make_unique<MockSocket>()), address("c"));
    }
};

}  // namespace mock_socket
