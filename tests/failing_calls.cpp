// These definitions replace those of libc in the program that links them.
#include "failing_calls.hpp"

#include "allocations.hpp"

#include <cerrno>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

int accept_error = 0;
int epoll_fd = -1, epoll_error = 0;
int epoll_create_error = 0;

struct {
    int error = 0, times = 0, failed = 0;
} waits;

struct {
    bool on = false;
    std::size_t asked = 0, first = 0, width = 0, refused = 0;
} memory;

bool refuses() noexcept {
    if (!memory.on || memory.asked++ < memory.first || memory.refused >= memory.width) return false;
    ++memory.refused;
    return true;
}

/// Whether this wait is to fail.
bool fails() noexcept {
    if (waits.failed == waits.times) return false;
    ++waits.failed;
    errno = waits.error;
    return true;
}

}  // namespace

extern "C" int accept4(int fd, sockaddr* name, socklen_t* length, int flags) {
    if (accept_error == 0) return static_cast<int>(::syscall(SYS_accept4, fd, name, length, flags));
    errno = accept_error;
    return -1;
}

extern "C" int epoll_wait(int set, epoll_event* events, int most, int timeout) {
    return fails() ? -1 : ::epoll_pwait(set, events, most, timeout, nullptr);
}

extern "C" int poll(pollfd* list, nfds_t count, int timeout) {
    if (fails()) return -1;
    const timespec limit{timeout / 1000, timeout % 1000 * 1000000L};
    return ::ppoll(list, count, timeout < 0 ? nullptr : &limit, nullptr);
}

extern "C" int select(int end, fd_set* read, fd_set* write, fd_set* other, timeval* timeout) {
    if (fails()) return -1;
    timespec limit{};
    if (timeout) limit = {timeout->tv_sec, timeout->tv_usec * 1000L};
    return ::pselect(end, read, write, other, timeout ? &limit : nullptr, nullptr);
}

extern "C" int epoll_ctl(int set, int operation, int fd, epoll_event* event) noexcept {
    if (epoll_error == 0 || fd != epoll_fd)
        return static_cast<int>(::syscall(SYS_epoll_ctl, set, operation, fd, event));
    errno = epoll_error;
    return -1;
}

extern "C" int epoll_create1(int flags) noexcept {
    if (epoll_create_error == 0) return static_cast<int>(::syscall(SYS_epoll_create1, flags));
    errno = epoll_create_error;
    return -1;
}

namespace support {

failing_accept::failing_accept(int error) noexcept { accept_error = error; }
failing_accept::~failing_accept() { accept_error = 0; }

failing_epoll_ctl::failing_epoll_ctl(int fd, int error) noexcept {
    epoll_fd = fd;
    epoll_error = error;
}
failing_epoll_ctl::~failing_epoll_ctl() { epoll_error = 0; }

failing_epoll_create::failing_epoll_create(int error) noexcept { epoll_create_error = error; }
failing_epoll_create::~failing_epoll_create() { epoll_create_error = 0; }

failing_waits::failing_waits(int error, int times) noexcept { waits = {error, times, 0}; }
failing_waits::~failing_waits() { waits = {}; }
int failing_waits::failed() const noexcept { return waits.failed; }

scarce_memory::scarce_memory(std::size_t first, std::size_t width) noexcept {
    memory = {false, 0, first, width, 0};
}
void scarce_memory::on() noexcept {
    memory.on = true;
    refuses_allocation = refuses;
}
void scarce_memory::off() noexcept { memory.on = false; }
std::size_t scarce_memory::refused() const noexcept { return memory.refused; }
bool scarce_memory::lasts() const noexcept { return memory.width > 1000; }

}  // namespace support
