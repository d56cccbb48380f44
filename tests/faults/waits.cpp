// The waits: select, poll and epoll_wait.  They fail, return early, or report descriptors that are not ready.
#include "call.hpp"
#include "report.hpp"

#include <cerrno>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

namespace {

using faults::effect;

/// While it lives, the report says that the server waits, and how long.
class wait {
public:
    explicit wait(long limit) noexcept : here_(faults::current_report()) {
        if (!here_) return;
        here_->wait_limit = limit;
        __atomic_store_n(&here_->in_wait, 1, __ATOMIC_RELEASE);
        __atomic_fetch_add(&here_->waits, 1, __ATOMIC_RELEASE);
    }
    ~wait() {
        if (here_) __atomic_store_n(&here_->in_wait, 0, __ATOMIC_RELEASE);
    }
    wait(const wait&) = delete;
    wait& operator=(const wait&) = delete;

private:
    faults::report* here_;
};

long milliseconds(const timeval* limit) {
    return limit ? limit->tv_sec * 1000 + limit->tv_usec / 1000 : -1;
}

/// The answer of poll or epoll_wait, whose flags have the same values.  `pretends` reports descriptors
/// as ready for some flags; `waits` is the real call.
template <class Pretends, class Waits>
int answer(faults::verdict found, long limit, Pretends pretends, Waits waits) {
    const wait meanwhile(limit);
    switch (found.what) {
    case effect::error:
        return errno = found.number, -1;
    case effect::early:
        return pretends(0);
    case effect::ready:
        return pretends(POLLIN | POLLOUT);
    case effect::urgent:
        return pretends(POLLPRI);
    default:
        return waits();
    }
}

// poll

/// Reports each descriptor as ready for what it is watched for among `wanted`.
int pretend(pollfd* watched, nfds_t count, short wanted) {
    int ready = 0;
    for (nfds_t i = 0; i < count; ++i) {
        watched[i].revents = static_cast<short>(watched[i].events & wanted);
        if (watched[i].fd < 0) watched[i].revents = 0;
        if (watched[i].revents != 0) ++ready;
    }
    return ready;
}

// select

void clear(fd_set* set) {
    if (set) FD_ZERO(set);
}

int size_of(int limit, const fd_set* set) {
    int count = 0;
    for (int fd = 0; set && fd < limit; ++fd)
        if (FD_ISSET(fd, set)) ++count;
    return count;
}

// epoll_wait: the kernel does not tell what it watches, so epoll_ctl notes it.

constexpr int most = 1024;
struct {
    int set = -1;
    epoll_event event{};
} registered[most];

void note(int set, int operation, int fd, const epoll_event* event) {
    if (fd < 0 || fd >= most) return;
    registered[fd].set = operation == EPOLL_CTL_DEL ? -1 : set;
    if (event) registered[fd].event = *event;
}

bool is_open(int fd) { return ::lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF; }

int pretend(int set, epoll_event* found, int room, std::uint32_t wanted) {
    int ready = 0;
    for (int fd = 0; fd < most && ready < room; ++fd) {
        const auto& known = registered[fd];
        if (known.set != set || !(known.event.events & wanted) || !is_open(fd)) continue;
        found[ready].events = known.event.events & wanted;
        found[ready++].data = known.event.data;
    }
    return ready;
}

}  // namespace

REPLACE(int, poll, (pollfd * watched, nfds_t count, int limit)) {
    static constinit faults::call here("poll");
    return answer(
        here.next(), limit, [&](short wanted) { return pretend(watched, count, wanted); },
        [&] { return REAL(poll)(watched, count, limit); });
}

REPLACE(int, select,
        (int limit, fd_set* readable, fd_set* writable, fd_set* urgent, timeval* timeout)) {
    static constinit faults::call here("select");
    const auto found = here.next();
    const wait meanwhile(milliseconds(timeout));
    if (found.what == effect::error) return errno = found.number, -1;
    if (found.what == effect::none) return REAL(select)(limit, readable, writable, urgent, timeout);
    if (found.what != effect::ready) {
        clear(readable);
        clear(writable);
    }
    if (found.what != effect::urgent) clear(urgent);
    return size_of(limit, readable) + size_of(limit, writable) + size_of(limit, urgent);
}

REPLACE(int, epoll_ctl, (int set, int operation, int fd, epoll_event* event)) {
    static constinit faults::call here("epoll_ctl");
    if (here.fails()) return -1;
    const int result = REAL(epoll_ctl)(set, operation, fd, event);
    if (result == 0) note(set, operation, fd, event);
    return result;
}

REPLACE(int, epoll_wait, (int set, epoll_event* events, int room, int limit)) {
    static constinit faults::call here("epoll_wait");
    return answer(
        here.next(), limit,
        [&](std::uint32_t wanted) { return pretend(set, events, room, wanted); },
        [&] { return REAL(epoll_wait)(set, events, room, limit); });
}
