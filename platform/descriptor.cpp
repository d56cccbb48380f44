#include <asyncore/platform/descriptor.hpp>

#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace asyncore::platform {

namespace {

/// The value of an option of a socket, or -1 if there is no answer.
int option_of(int fd, int option) noexcept {
    int value = 0;
    socklen_t length = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

}  // namespace

bool is_open(int fd) noexcept { return ::fcntl(fd, F_GETFD) >= 0 || errno != EBADF; }

std::size_t unread_bytes(int fd) noexcept {
    int count = 0;
    return ::ioctl(fd, FIONREAD, &count) == 0 && count > 0 ? static_cast<std::size_t>(count) : 0;
}

bool is_file_or_device(int fd) noexcept {
    struct stat file {};
    if (::fstat(fd, &file) != 0) return false;
    const auto type = file.st_mode & S_IFMT;
    return type == S_IFREG || type == S_IFDIR || type == S_IFCHR || type == S_IFBLK;
}

/// Asks twice, so that one getsockopt(2) that fails does not make the library give up a listener.
bool is_listener(int fd) noexcept {
    return option_of(fd, SO_ACCEPTCONN) == 1 || option_of(fd, SO_ACCEPTCONN) == 1;
}

bool is_datagram(int fd) noexcept { return option_of(fd, SO_TYPE) == SOCK_DGRAM; }

bool has_peer(int fd) noexcept {
    sockaddr_storage name{};
    socklen_t length = sizeof name;
    return ::getpeername(fd, reinterpret_cast<sockaddr*>(&name), &length) == 0;
}

bool is_unconnected(int fd) noexcept {
    return !has_peer(fd) && errno == ENOTCONN && !is_datagram(fd);
}

bool has_urgent(int fd) noexcept {
    pollfd asked{fd, POLLPRI, 0};
    return ::poll(&asked, 1, 0) == 1 && (asked.revents & POLLPRI) != 0;
}

void drop_urgent(int fd) noexcept {
    char byte = 0;
    [[maybe_unused]] const auto count = ::recv(fd, &byte, 1, MSG_OOB | MSG_DONTWAIT);
}

}  // namespace asyncore::platform
