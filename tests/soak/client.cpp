#include "client.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace chaos {

namespace {

template <class Value>
void set(int fd, int level, int name, const Value& value) {
    if (::setsockopt(fd, level, name, &value, sizeof value) != 0)
        throw std::runtime_error(std::string("setsockopt: ") + std::strerror(errno));
}

sockaddr_in ipv4(const std::string& host, std::uint16_t port) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    ::inet_pton(AF_INET, host.c_str(), &name.sin_addr);
    return name;
}

}  // namespace

client::client(std::uint64_t number, manner how, std::unique_ptr<talk> what, dice choose,
               std::uint16_t port, const std::string& from, tally& all)
    : number_(number),
      how_(how),
      talk_(std::move(what)),
      choose_(choose),
      all_(all),
      turning_point_(choose_.between(0, talk_->size())),
      is_certain_(how != manner::reset && how != manner::leave && how != manner::drown &&
                  !(how == manner::urgent && talk_->urgent_ends())) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0) throw std::runtime_error(std::string("socket: ") + std::strerror(errno));
    set(fd_, IPPROTO_TCP, TCP_NODELAY, 1);
    // The port is chosen in connect(): an address of the client has as many as it has connections.
    set(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    if (how == manner::tiny_window || how == manner::drown) set(fd_, SOL_SOCKET, SO_RCVBUF, 2048);
    const auto here = ipv4(from, 0), there = ipv4("127.0.0.1", port);
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 ||
        (::connect(fd_, reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0 &&
         errno != EINPROGRESS))
        throw mismatch(std::string("cannot connect: ") + std::strerror(errno));
}

client::~client() { close(false); }

std::string client::name() const {
    return "client " + std::to_string(number_) + ", " +
           std::string(manner_names[static_cast<std::size_t>(how_)]) + ", after " +
           std::to_string(talk_->bytes_said()) + " of " + std::to_string(talk_->size()) +
           " bytes said and " + std::to_string(heard_) + " heard";
}

bool client::reads() const {
    if (how_ == manner::drown) return false;
    return how_ != manner::flood || talk_->said_all();
}

bool client::needs_ticks() const {
    return how_ == manner::slow_reader || how_ == manner::slow_writer || how_ == manner::silent;
}

unsigned client::interest() const {
    if (connecting_) return EPOLLOUT;
    const bool is_silent = how_ == manner::silent && clock::now() - began_ < 1s;
    const bool says =
        !is_silent && how_ != manner::slow_writer && !half_closed_ && !talk_->to_say().empty();
    return (reads() && how_ != manner::slow_reader ? EPOLLIN : 0U) | (says ? EPOLLOUT : 0U);
}

bool client::serve(unsigned events) {
    if (connecting_) return connected();
    if ((events & EPOLLIN) != 0 && !listen(how_ == manner::single_bytes ? 1 : 65536)) return false;
    if ((events & EPOLLOUT) != 0) {
        if (how_ == manner::single_bytes) return say(1);
        return say(choose_.one_in(4) ? choose_.small_or_large(65'536) : 262'144);
    }
    const bool is_over = (events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0;
    return !is_over || listen(65536);
}

bool client::tick() {
    if (connecting_) return true;
    if (how_ == manner::slow_reader) return listen(choose_.between(1, 2'000));
    if (how_ == manner::slow_writer && !half_closed_ && !talk_->to_say().empty())
        return say(choose_.between(1, 200));
    return true;
}

bool client::connected() {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) throw mismatch(std::string("cannot connect: ") + std::strerror(error));
    connecting_ = false;
    return after_saying();
}

bool client::say(std::size_t most) {
    const bool turns = how_ == manner::urgent || how_ == manner::early_half ||
                       how_ == manner::reset || how_ == manner::leave;
    if (turns)
        most = std::min(most, turning_point_ - std::min(turning_point_, talk_->bytes_said()));
    if (most == 0) return say_urgent();
    const auto data = talk_->to_say().substr(0, most);
    const auto sent = ::send(fd_, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent < 0) return broken(errno);
    last_ = clock::now();
    all_.bytes_said += static_cast<std::uint64_t>(sent);
    talk_->said(static_cast<std::size_t>(sent));
    return after_saying();
}

/// The urgent byte is not among what the server reads.
bool client::say_urgent() {
    if (!urgent_said_) {
        if (::send(fd_, "!", 1, MSG_OOB | MSG_NOSIGNAL) < 0) return broken(errno);
        urgent_said_ = true;
        turning_point_ = talk_->size();
    }
    return true;
}

/// Does what the manner tells at the turning point, and at the end of what is to be said.
bool client::after_saying() {
    const bool turns = talk_->bytes_said() >= turning_point_;
    if (turns && (how_ == manner::reset || how_ == manner::leave)) {
        if (choose_.one_in(2)) listen(65536);  // otherwise the rest is unread
        if (fd_ < 0) return false;
        close(how_ == manner::reset);
        return end();
    }
    const bool is_cut_off = turns && how_ == manner::early_half;
    const bool halves = is_cut_off || (talk_->said_all() && talk_->half_closes());
    if (halves && !half_closed_) {
        if (is_cut_off) is_certain_ = talk_->cut_off();
        if (::shutdown(fd_, SHUT_WR) != 0) return broken(errno);
        half_closed_ = true;
    }
    if (how_ == manner::drown && talk_->said_all())
        throw mismatch("the server took all, and never closed the connection");
    return true;
}

bool client::listen(std::size_t most) {
    static char buffer[65536];
    const auto got = ::recv(fd_, buffer, std::min(most, sizeof buffer), 0);
    if (got < 0) return broken(errno);
    last_ = clock::now();
    if (got == 0) return at_end_of_file();
    const auto count = static_cast<std::size_t>(got);
    heard_ += count;
    talk_->hear({buffer, count});
    all_.bytes_checked += count;
    return after_hearing();
}

/// A client that has heard all leaves, unless the server has to close first.
bool client::after_hearing() {
    if (!talk_->heard_all() || talk_->server_ends() || half_closed_) return true;
    if (how_ == manner::late_half || choose_.one_in(4)) {
        if (::shutdown(fd_, SHUT_WR) != 0) return broken(errno);
        half_closed_ = true;
        return true;
    }
    close(choose_.one_in(4));
    return end();
}

bool client::at_end_of_file() {
    const bool may_end = talk_->heard_all() && (talk_->server_ends() || half_closed_);
    if (!may_end && is_certain_) throw mismatch("the server closed the connection too early");
    return end();
}

bool client::broken(int error) {
    if (error == EAGAIN) return true;
    const bool is_over = error == ECONNRESET || error == EPIPE;
    if (is_over && !is_certain_) return end();
    throw mismatch(std::string("the connection broke: ") + std::strerror(error));
}

bool client::end() {
    close(false);
    ++all_.connections;
    ++all_.per_manner[static_cast<std::size_t>(how_)];
    return false;
}

void client::close(bool with_reset) {
    if (fd_ < 0) return;
    if (with_reset) set(fd_, SOL_SOCKET, SO_LINGER, linger{1, 0});
    ::close(fd_);
    fd_ = -1;
}

}  // namespace chaos
