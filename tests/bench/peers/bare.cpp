// The limit: a server without a library, with one epoll descriptor and an object for a connection.
//
// It sends each line when it finds it; with --coalesce, it sends once for all lines of a read.

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.hpp"

namespace {

constexpr int max_events = 1024;

peer::options options;
int poller = -1;

void watch(int operation, int fd, unsigned events, void* what) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = what;
    if (::epoll_ctl(poller, operation, fd, &event) != 0) peer::die("epoll_ctl");
}

class connection {
public:
    explicit connection(int fd) : fd_(fd) { watch(EPOLL_CTL_ADD, fd_, EPOLLIN, this); }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection() { ::close(fd_); }

    /// False when the connection is over.
    bool on_event(unsigned events, std::vector<char>& buffer) {
        if (!unsent_.empty()) return (events & (EPOLLERR | EPOLLHUP)) == 0 && flush();
        const auto n = ::recv(fd_, buffer.data(), buffer.size(), 0);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        if (n == 0) return false;
        const std::string_view data(buffer.data(), static_cast<std::size_t>(n));
        const auto reply = [this](std::string_view bytes) { return send(bytes); };
        return options.sink ? messages_.feed(data, reply)
                            : lines_.feed(data, options.coalesce, reply);
    }

private:
    bool send(std::string_view bytes) {
        if (unsent_.empty()) {
            const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN) return false;
            if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
            if (bytes.empty()) return true;
            watch(EPOLL_CTL_MOD, fd_, EPOLLOUT, this);  // it reads again when all is sent
        }
        unsent_ += bytes;
        return true;
    }

    bool flush() {
        const auto n = ::send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN;
        unsent_.erase(0, static_cast<std::size_t>(n));
        if (unsent_.empty()) watch(EPOLL_CTL_MOD, fd_, EPOLLIN, this);
        return true;
    }

    int fd_;
    std::string unsent_;
    peer::line_splitter lines_;
    peer::message_counter messages_;
};

int listen_on(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) peer::die("socket");
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const auto address = peer::loopback(port);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        peer::die("bind");
    if (::listen(fd, peer::backlog) != 0) peer::die("listen");
    return fd;
}

void accept_all(int listener) {
    for (;;) {
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        new connection(fd);  // epoll's event data owns it
    }
}

}  // namespace

int main(int argc, char** argv) {
    options = peer::parse(argc, argv);
    peer::raise_descriptor_limit();
    poller = ::epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) peer::die("epoll_create1");
    const int listener = listen_on(options.port);
    watch(EPOLL_CTL_ADD, listener, EPOLLIN, nullptr);
    peer::announce(listener);

    std::vector<char> buffer(options.buffer);
    std::vector<epoll_event> events(max_events);
    for (;;) {
        const int n = ::epoll_wait(poller, events.data(), max_events, -1);
        if (n < 0 && errno != EINTR) peer::die("epoll_wait");
        for (int i = 0; i < n; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            auto* const served = static_cast<connection*>(event.data.ptr);
            if (served == nullptr) {
                accept_all(listener);
            } else if (!served->on_event(event.events, buffer)) {
                delete served;
            }
        }
    }
}
