// libev: a read watcher and a write watcher for each connection, level-triggered.

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.hpp"

namespace {

peer::options options;
std::vector<char> buffer;

class connection {
public:
    connection(struct ev_loop* loop, int fd) : loop_(loop), fd_(fd) {
        ev_io_init(&reader_, on_readable, fd, EV_READ);
        ev_io_init(&writer_, on_writable, fd, EV_WRITE);
        reader_.data = writer_.data = this;
        ev_io_start(loop_, &reader_);
    }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection() {
        ev_io_stop(loop_, &reader_);
        ev_io_stop(loop_, &writer_);
        ::close(fd_);
    }

private:
    static void on_readable(struct ev_loop*, ev_io* watcher, int) {
        auto* const self = static_cast<connection*>(watcher->data);
        if (!self->read()) delete self;
    }

    static void on_writable(struct ev_loop*, ev_io* watcher, int) {
        auto* const self = static_cast<connection*>(watcher->data);
        if (!self->flush()) delete self;
    }

    bool read() {
        const auto n = ::recv(fd_, buffer.data(), buffer.size(), 0);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        if (n == 0) return false;
        const std::string_view data(buffer.data(), static_cast<std::size_t>(n));
        const auto reply = [this](std::string_view bytes) { return send(bytes); };
        return options.sink ? messages_.feed(data, reply)
                            : lines_.feed(data, options.coalesce, reply);
    }

    bool send(std::string_view bytes) {
        if (unsent_.empty()) {
            const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0 && errno != EAGAIN) return false;
            if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
            if (bytes.empty()) return true;
            ev_io_stop(loop_, &reader_);
            ev_io_start(loop_, &writer_);
        }
        unsent_ += bytes;
        return true;
    }

    bool flush() {
        const auto n = ::send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN;
        unsent_.erase(0, static_cast<std::size_t>(n));
        if (!unsent_.empty()) return true;
        ev_io_stop(loop_, &writer_);
        ev_io_start(loop_, &reader_);
        return true;
    }

    struct ev_loop* loop_;
    int fd_;
    ev_io reader_;
    ev_io writer_;
    std::string unsent_;
    peer::line_splitter lines_;
    peer::message_counter messages_;
};

void on_connection(struct ev_loop* loop, ev_io* watcher, int) {
    for (;;) {
        const int fd = ::accept4(watcher->fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        const int on = 1;
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        new connection(loop, fd);  // it deletes itself
    }
}

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

}  // namespace

int main(int argc, char** argv) {
    options = peer::parse(argc, argv);
    options.coalesce = true;  // a program for libev usually sends once for a read
    peer::raise_descriptor_limit();
    buffer.resize(options.buffer);

    struct ev_loop* const loop = ev_default_loop(EVFLAG_AUTO);
    if (loop == nullptr) peer::die("ev_default_loop");
    const int listener = listen_on(options.port);
    ev_io accepter;
    ev_io_init(&accepter, on_connection, listener, EV_READ);
    ev_io_start(loop, &accepter);
    peer::announce(listener);
    ev_run(loop, 0);
}
