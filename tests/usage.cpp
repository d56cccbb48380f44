#include "usage.hpp"

#include <asyncore/channel_map.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef COUNTS_ALLOCATIONS
#include "allocations.hpp"
#endif

/// Of the stand-in for kqueue, where a program has it.
[[gnu::weak]] void kqueue_forget_closed_queues();

namespace support {

namespace {

namespace files = std::filesystem;

std::size_t threads_in_list() {
    const files::directory_iterator tasks("/proc/self/task");
    return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

std::atomic<long> all_waits{0}, row{0}, longest_row{0};

}  // namespace

void let_go() {
    asyncore::socket_map.sweep();
    if (kqueue_forget_closed_queues) kqueue_forget_closed_queues();
}

long allocations_now() noexcept {
#ifdef COUNTS_ALLOCATIONS
    return live_allocations;
#else
    return 0;
#endif
}

std::map<int, std::string> descriptors_now() {
    std::map<int, std::string> found;
    std::error_code ignored;
    for (const auto& each : files::directory_iterator("/proc/self/fd"))
        found[std::atoi(each.path().filename().c_str())] = files::read_symlink(each, ignored);
    // The iteration itself had a descriptor, which is closed by now.
    std::erase_if(found, [](const auto& each) { return ::fcntl(each.first, F_GETFD) < 0; });
    return found;
}

std::size_t threads_now(std::size_t expected) {
    for (int tries = 0; threads_in_list() > expected && tries < 1000; ++tries)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return threads_in_list();
}

waits waits_since_last_call() {
    row = 0;
    return {all_waits.exchange(0), longest_row.exchange(0)};
}

}  // namespace support

// The linker has every call of `name` in the program call __wrap_name; see meson.build.
#ifdef COUNTS_WAITS

namespace {

thread_local bool inside_poll = false;

int reported(int count) {
    ++support::all_waits;
    if (count > 0) support::longest_row = std::max(support::longest_row.load(), ++support::row);
    return count;
}

template <class Result>
Result moved(Result result) {
    if (result >= 0) support::row = 0;
    return result;
}

}  // namespace

extern "C" {

#define WAIT(name, parameters, arguments)                                                          \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters { return reported(__real_##name arguments); }
#define MOVE(result, name, parameters, arguments)                                                  \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters { return moved(__real_##name arguments); }

WAIT(select, (int end, fd_set* read, fd_set* write, fd_set* other, timeval* timeout),
     (end, read, write, other, timeout))

// Two questions are no waits: that of platform/ask_poll.cpp has two entries for one descriptor, and the
// stand-in for kqueue asks so whether a number is a queue.

int __real_poll(pollfd* list, nfds_t count, int timeout);
int __wrap_poll(pollfd* list, nfds_t count, int timeout) {
    inside_poll = true;
    const int ready = __real_poll(list, count, timeout);
    inside_poll = false;
    const bool asks = count == 2 && list[0].fd == list[1].fd;
    return asks ? ready : reported(ready);
}

// The stand-in for kqueue waits with this call.  The poll(2) of failing_calls.cpp calls it, too.
int __real_ppoll(pollfd* list, nfds_t count, const timespec* timeout, const sigset_t* mask);
int __wrap_ppoll(pollfd* list, nfds_t count, const timespec* timeout, const sigset_t* mask) {
    const int ready = __real_ppoll(list, count, timeout, mask);
    return inside_poll ? ready : reported(ready);
}

int __real_epoll_wait(int set, epoll_event* events, int most, int timeout);
int __wrap_epoll_wait(int set, epoll_event* events, int most, int timeout) {
    const int ready = __real_epoll_wait(set, events, most, timeout);
    const bool asks = most == 1 && timeout == 0;
    return asks ? ready : reported(ready);
}

MOVE(ssize_t, read, (int fd, void* to, size_t size), (fd, to, size))
MOVE(ssize_t, write, (int fd, const void* from, size_t size), (fd, from, size))
MOVE(ssize_t, recv, (int fd, void* to, size_t size, int flags), (fd, to, size, flags))
MOVE(ssize_t, recvfrom,
     (int fd, void* to, size_t size, int flags, sockaddr* name, socklen_t* length),
     (fd, to, size, flags, name, length))
MOVE(ssize_t, send, (int fd, const void* from, size_t size, int flags), (fd, from, size, flags))
MOVE(ssize_t, sendto,
     (int fd, const void* from, size_t size, int flags, const sockaddr* name, socklen_t length),
     (fd, from, size, flags, name, length))
MOVE(int, accept, (int fd, sockaddr* name, socklen_t* length), (fd, name, length))
MOVE(int, accept4, (int fd, sockaddr* name, socklen_t* length, int flags),
     (fd, name, length, flags))
MOVE(int, connect, (int fd, const sockaddr* name, socklen_t length), (fd, name, length))
MOVE(int, shutdown, (int fd, int how), (fd, how))
MOVE(int, close, (int fd), (fd))

}  // extern "C"

#endif
