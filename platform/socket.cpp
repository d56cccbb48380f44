#include <asyncore/platform/socket.hpp>

#include <asyncore/platform/error.hpp>
#include <asyncore/platform/sigpipe.hpp>

#include <fcntl.h>
#include <netinet/in.h>

namespace asyncore::platform {

namespace {

#ifdef MSG_NOSIGNAL
constexpr int no_signal = MSG_NOSIGNAL;
#else
constexpr int no_signal = 0;  // macOS: SO_NOSIGPIPE, set in adopt()
#endif

void check(int status, const char* system_call) {
    if (status < 0) throw_errno(system_call);
}

void refuse(int flags) {
    if (flags != 0) throw std::invalid_argument("flags are not for a socket that is a stream");
}

#ifdef SOCK_CLOEXEC
constexpr int open_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;

unique_fd adopt(int fd) { return unique_fd(fd); }

int accept_socket(int fd, sockaddr* name, socklen_t* length) {
    return ::accept4(fd, name, length, open_flags);
}
#else
constexpr int open_flags = 0;

unique_fd adopt(int fd) {
    unique_fd owned(fd);
    if (fd < 0) return owned;
    check(::fcntl(fd, F_SETFD, FD_CLOEXEC), "fcntl");
    set_blocking(fd, false);
    const int on = 1;
    check(::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on), "setsockopt");
    return owned;
}

int accept_socket(int fd, sockaddr* name, socklen_t* length) { return ::accept(fd, name, length); }
#endif

sockaddr* generic(sockaddr_storage& name) { return reinterpret_cast<sockaddr*>(&name); }
const sockaddr* generic(const sockaddr_storage& name) {
    return reinterpret_cast<const sockaddr*>(&name);
}

/// The address that a getsockname(2)-like call fills in.
address ask_name(int (*call)(int, sockaddr*, socklen_t*), int fd, const char* name_of_call) {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    check(call(fd, generic(name), &length), name_of_call);
    return {generic(name), length};
}

/// Calls a method of a stream.
template <class Call>
auto through(const stream& layer, Call call) {
    std::optional<no_sigpipe> guard;
    if (layer.raises_sigpipe()) guard.emplace();
    return call();
}

}  // namespace

transfer transfer_result(ssize_t count) {
    if (count < 0) return {0, errno};
    return {static_cast<std::size_t>(count), 0};
}

bool is_nonblocking(int fd) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

void set_blocking(int fd, bool blocking) {
    const int flags = ::fcntl(fd, F_GETFL);
    check(flags, "fcntl");
    const int wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    if (wanted != flags) check(::fcntl(fd, F_SETFL, wanted), "fcntl");
}

socket::socket(int family, int type) : fd_(adopt(::socket(family, type | open_flags, 0))) {
    check(fd_.get(), "socket");
}

socket::socket(unique_fd fd) : fd_(std::move(fd)) {
    check(::fcntl(fd_.get(), F_SETFD, FD_CLOEXEC), "fcntl");
    set_blocking(fd_.get(), false);
}

socket::socket(std::unique_ptr<stream> layer) noexcept : layer_(layer.release()) {}

void socket::end_of_stream::operator()(stream* last) const noexcept {
    through(*last, [&] { delete last; });
}

std::pair<socket, socket> socket::pair(int type) {
    int fds[2];
    check(::socketpair(AF_UNIX, type | open_flags, 0, fds), "socketpair");
    std::pair<socket, socket> both;
    both.first.fd_ = adopt(fds[0]);
    both.second.fd_ = adopt(fds[1]);
    return both;
}

void socket::bind(const address& name) {
    const auto form = name.resolve(family());
    check(::bind(fileno(), generic(form.name), form.length), "bind");
}

socket create_server(const address& name, server_options options) {
    socket made(options.family, SOCK_STREAM);
    made.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reuse_port) made.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
    if (options.family == AF_INET6)
        made.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, options.dualstack_ipv6 ? 0 : 1);
    made.bind(name);
    made.listen(options.backlog);
    return made;
}

void socket::listen(int backlog) { check(::listen(fileno(), backlog), "listen"); }

std::pair<socket, address> socket::accept(int& error) {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    const auto [fd, why] = uninterrupted(
        fileno(), [&] { return ssize_t{accept_socket(fileno(), generic(name), &length)}; });
    error = why;
    if (why != 0) return {};
    std::pair<socket, address> conn;
    conn.first.fd_ = adopt(static_cast<int>(fd));
    conn.second = address(generic(name), length);
    return conn;
}

int socket::connect_ex(const address& name) {
    if (!*this) return EBADF;
    const auto form = name.resolve(family());
    return ::connect(fileno(), generic(form.name), form.length) == 0 ? 0 : errno;
}

transfer socket::recv(std::span<char> buffer, int flags) {
    if (layer_) {
        refuse(flags);
        return recv_through(buffer);
    }
    if (buffer.empty()) return {};  // as Python, which does not ask the kernel then
    return uninterrupted(fd_.get(),
                         [&] { return ::recv(fd_.get(), buffer.data(), buffer.size(), flags); });
}

transfer socket::recv_through(std::span<char> buffer) {
    const auto got = through(*layer_, [&] { return layer_->recv(buffer); });
    layer_->filled_ = got.count > 0 && got.count == buffer.size();
    layer_->received_ += got.count;
    return got;
}

transfer socket::send(std::string_view data, int flags) {
    if (layer_) {
        refuse(flags);
        return through(*layer_, [&] { return layer_->send(data); });
    }
    return uninterrupted(
        fd_.get(), [&] { return ::send(fd_.get(), data.data(), data.size(), flags | no_signal); });
}

transfer socket::recvfrom(std::span<char> buffer, address& from) {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    const auto got = transfer_result(
        ::recvfrom(fileno(), buffer.data(), buffer.size(), 0, generic(name), &length));
    if (got.error == 0) from = address(generic(name), length);
    return got;
}

transfer socket::sendto(std::string_view data, const address& to) {
    if (!*this) return {0, EBADF};
    const auto form = to.resolve(family());
    return transfer_result(
        ::sendto(fileno(), data.data(), data.size(), no_signal, generic(form.name), form.length));
}

void stream::shutdown(int how) { check(::shutdown(fileno(), how), "shutdown"); }

void socket::shutdown(int how) {
    if (layer_) return through(*layer_, [&] { layer_->shutdown(how); });
    check(::shutdown(fd_.get(), how), "shutdown");
}

int socket::getsockopt(int level, int option) {
    if (layer_) return layer_->getsockopt(level, option);
    int value = 0;
    socklen_t length = sizeof value;
    check(::getsockopt(fd_.get(), level, option, &value, &length), "getsockopt");
    return value;
}

void socket::setsockopt(int level, int option, int value) {
    check(::setsockopt(fileno(), level, option, &value, sizeof value), "setsockopt");
}

address stream::getsockname() const { return ask_name(::getsockname, fileno(), "getsockname"); }
address stream::getpeername() const { return ask_name(::getpeername, fileno(), "getpeername"); }

address socket::getsockname() const {
    if (layer_) return layer_->getsockname();
    return ask_name(::getsockname, fd_.get(), "getsockname");
}

address socket::getpeername() const {
    if (layer_) return layer_->getpeername();
    return ask_name(::getpeername, fd_.get(), "getpeername");
}

int socket::family() const {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    check(::getsockname(fileno(), generic(name), &length), "getsockname");
    return name.ss_family;
}

void socket::setblocking(bool blocking) { set_blocking(fileno(), blocking); }

void socket::close() {
    if (layer_) through(*layer_, [&] { layer_->close(); });
    fd_.reset();
}

}  // namespace asyncore::platform
