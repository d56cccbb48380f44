// kqueue(2) on Linux, for tests: what the manual page says, on top of poll(2).
//
// - A queue is an epoll descriptor, so that close(2), close-on-exec and the number are real.
//   poll(2) does the waiting.  epoll only tells whether a number is still the file that was added,
//   and not another file under the same number, as kqueue does.
// - Linux decides when a descriptor is ready, through poll(2).  How that is reported (separate
//   filters, EV_EOF, receipts, order, errors) follows the manual page.
// - What this file cannot do is refused with EINVAL: EV_CLEAR, low water marks other than 1, and
//   filters other than the three.  A file that grows does not end a wait.
// - `fflags` never holds the socket's error, because on Linux reading SO_ERROR clears it.
#include <sys/event.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

// ---------------------------------------------------------------------------
// Asking Linux about a descriptor.
// ---------------------------------------------------------------------------

struct file {
    explicit file(int number) : fd(number), open(::fstat(number, &status) == 0) {}
    bool is(mode_t kind) const { return open && (status.st_mode & S_IFMT) == kind; }
    bool is_vnode() const { return is(S_IFREG) || is(S_IFDIR); }

    int option(int level, int name) const {
        int value = 0;
        socklen_t length = sizeof value;
        return ::getsockopt(fd, level, name, &value, &length) == 0 ? value : 0;
    }
    bool is_tcp() const {
        const int domain = option(SOL_SOCKET, SO_DOMAIN);
        return is(S_IFSOCK) && (domain == AF_INET || domain == AF_INET6) &&
               option(SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
    }
    int count(unsigned long request) const {
        int value = 0;
        return ::ioctl(fd, request, &value) == 0 ? value : 0;
    }
    ::tcp_info info() const {
        ::tcp_info value{};
        socklen_t length = sizeof value;
        ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &value, &length);
        return value;
    }

    /// Vnodes: from the current position to the end of the file.
    intptr_t left() const {
        return static_cast<intptr_t>(status.st_size - ::lseek(fd, 0, SEEK_CUR));
    }

    /// Sockets: bytes, or connections to accept.  Pipes: bytes.
    intptr_t to_read() const {
        if (is_vnode()) return left();
        if (!is(S_IFSOCK) || option(SOL_SOCKET, SO_ACCEPTCONN) == 0) return count(FIONREAD);
        return is_tcp() ? static_cast<intptr_t>(info().tcpi_unacked) : 1;
    }
    intptr_t to_write() const {
        if (is(S_IFIFO)) return ::fcntl(fd, F_GETPIPE_SZ) - count(FIONREAD);
        return std::max(option(SOL_SOCKET, SO_SNDBUF) - count(SIOCOUTQ), 0);
    }

    /// Whether our own side has half-closed.  poll(2) does not say.
    bool shut_for_writing() const {
        if (is_tcp()) {
            const auto state = info().tcpi_state;
            return state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2 || state == TCP_CLOSING ||
                   state == TCP_TIME_WAIT || state == TCP_LAST_ACK;
        }
        const bool stream = is(S_IFSOCK) && option(SOL_SOCKET, SO_DOMAIN) == AF_UNIX &&
                            option(SOL_SOCKET, SO_TYPE) == SOCK_STREAM;
        return stream && ::send(fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE;
    }

    int fd;
    struct stat status {};
    bool open;
};

/// The event of a registration for what poll(2) reported, as the manual describes its filter; or
/// none.
std::optional<struct kevent> look(struct kevent note, int revents) {
    const file here(static_cast<int>(note.ident));
    const bool gone = revents & (POLLHUP | POLLERR);
    note.flags = 0;
    note.fflags = 0;
    switch (note.filter) {
    case EVFILT_READ:
        note.data = here.to_read();
        if (here.is_vnode()) return note.data != 0 ? std::optional(note) : std::nullopt;
        if (!gone && !(revents & (POLLIN | POLLRDHUP))) return {};
        if (gone || (revents & POLLRDHUP)) note.flags = EV_EOF;
        return note;
    case EVFILT_WRITE:
        if (!gone && !(revents & POLLOUT)) return {};
        note.data = here.to_write();
        if (gone || here.shut_for_writing()) note.flags = EV_EOF;
        return note;
    default:
        if (!(revents & POLLPRI) && !gone && !(revents & POLLRDHUP)) return {};
        note.data = revents & POLLPRI ? 1 : 0;
        if (revents & POLLPRI) note.fflags = NOTE_OOB;
        else note.flags = EV_EOF;
        return note;
    }
}

short poll_flags(int filter) {
    if (filter == EVFILT_WRITE) return POLLOUT;
    return filter == EVFILT_READ ? POLLIN | POLLRDHUP : POLLPRI | POLLRDHUP;
}

// ---------------------------------------------------------------------------
// A queue.
// ---------------------------------------------------------------------------

using key = std::pair<uintptr_t, int>;  // ident and filter: one kevent at most

struct note {
    struct kevent wanted;
    bool enabled = true;
    std::uint64_t reported = 0;  // its last report; the least recent comes first
    dev_t device = 0;            // which file it is, since epoll does not know vnodes
    ino_t inode = 0;
    bool vnode = false, in_epoll = false;
};

class queue {
public:
    /// `earlier`: the queue that had the number before, if any.
    queue(int fd, queue* earlier) : before(earlier), fd_(fd) {}

    queue* before;  // kept, so that threads need no order between them

    /// Applies one change.  Returns: 0 or an errno.
    int apply(const struct kevent& change) {
        const std::lock_guard lock(mutex_);
        if (change.filter != EVFILT_READ && change.filter != EVFILT_WRITE &&
            change.filter != EVFILT_EXCEPT)
            return EINVAL;
        if (change.ident > INT_MAX) return EBADF;
        const file here(static_cast<int>(change.ident));
        if (!here.open) return EBADF;

        auto found = notes_.find({change.ident, change.filter});
        if (found != notes_.end() && !same_file(found->second)) {
            drop(change.ident);
            found = notes_.end();
        }
        if (change.flags & EV_DELETE) {
            if (found == notes_.end()) return ENOENT;
            erase(found);
            return 0;
        }
        if (change.flags & EV_ADD) {
            const int error = found == notes_.end() ? add(change, here) : allowed(change, here);
            if (error != 0) return error;
            found = notes_.find({change.ident, change.filter});
            found->second.wanted = change;
            found->second.enabled = true;
        }
        if (found == notes_.end()) return ENOENT;
        if (change.flags & EV_ENABLE) found->second.enabled = true;
        if (change.flags & EV_DISABLE) found->second.enabled = false;
        return 0;
    }

    /// Waits.  Returns: how many events it put into `out`; -1 with errno.
    int scan(struct kevent* out, int room, const struct timespec* limit) {
        using clock = std::chrono::steady_clock;
        if (limit && (limit->tv_sec < 0 || limit->tv_nsec < 0 || limit->tv_nsec >= 1000000000)) {
            errno = EINVAL;
            return -1;
        }
        constexpr std::chrono::seconds longest = std::chrono::hours(24);  // the manual: BUGS
        std::chrono::nanoseconds rest = longest;
        if (limit && limit->tv_sec < longest.count())
            rest = std::chrono::seconds(limit->tv_sec) + std::chrono::nanoseconds(limit->tv_nsec);
        const auto end = clock::now() + rest;
        for (;;) {
            bool at_once = false;
            auto polled = list(at_once);
            if (at_once) rest = rest.zero();
            const struct timespec ts {
                static_cast<time_t>(rest.count() / 1000000000),
                    static_cast<long>(rest.count() % 1000000000)
            };
            if (::ppoll(polled.data(), polled.size(), limit || at_once ? &ts : nullptr, nullptr) <
                0)
                return -1;
            const int count = collect(polled, out, room);
            if (count > 0) return count;
            rest = std::max(end - clock::now(), rest.zero());
            if (limit && rest == rest.zero()) return 0;
        }
    }

private:
    /// Whether the filter can be attached to the file.  Returns: 0 or an errno.
    static int allowed(const struct kevent& change, const file& here) {
        if (change.flags & EV_CLEAR) return EINVAL;
        if (change.filter == EVFILT_EXCEPT)
            return here.is(S_IFSOCK) && change.fflags == NOTE_OOB ? 0 : EINVAL;
        if (change.fflags != 0 && (change.fflags != NOTE_LOWAT || change.data != 1)) return EINVAL;
        if (change.filter == EVFILT_WRITE && here.is_vnode()) return EINVAL;
        // "If the device does not support returning number of bytes, it will not allow the filter
        // to be attached.  However, if the NOTE_LOWAT flag is specified …" (macOS)
        if (change.filter == EVFILT_READ && here.is(S_IFCHR) && change.fflags == 0) return EINVAL;
        // Not in the manual, but in the kernels of FreeBSD and macOS.
        pollfd end{here.fd, POLLOUT, 0};
        if (change.filter == EVFILT_WRITE && here.is(S_IFIFO) && ::poll(&end, 1, 0) == 1 &&
            (end.revents & POLLERR))
            return EPIPE;
        return 0;
    }

    int add(const struct kevent& change, const file& here) {
        if (const int error = allowed(change, here)) return error;
        epoll_event event{};
        const bool added = ::epoll_ctl(fd_, EPOLL_CTL_ADD, here.fd, &event) == 0;
        const bool in_epoll = added || errno == EEXIST;
        if (added) drop(change.ident);  // another file had the number, with another filter
        if (!in_epoll && errno != EPERM) return errno;
        if (!in_epoll && change.filter == EVFILT_WRITE) return EINVAL;
        auto& made = notes_[{change.ident, change.filter}];
        made.device = here.status.st_dev;
        made.inode = here.status.st_ino;
        made.vnode = here.is_vnode();
        made.in_epoll = in_epoll;
        return 0;
    }

    bool same_file(const note& which) const {
        const file here(static_cast<int>(which.wanted.ident));
        if (here.status.st_dev != which.device || here.status.st_ino != which.inode) return false;
        epoll_event event{};
        return here.open &&
               (!which.in_epoll || ::epoll_ctl(fd_, EPOLL_CTL_MOD, here.fd, &event) == 0);
    }

    using place = std::map<key, note>::iterator;

    place first(uintptr_t ident) { return notes_.lower_bound({ident, SHRT_MIN}); }
    place last(uintptr_t ident) { return notes_.upper_bound({ident, SHRT_MAX}); }

    /// The descriptor was closed: "will remove any kevents that reference the descriptor".
    void drop(uintptr_t ident) { notes_.erase(first(ident), last(ident)); }

    void erase(place which) {
        const auto ident = which->first.first;
        notes_.erase(which);
        if (first(ident) != last(ident)) return;
        epoll_event event{};
        ::epoll_ctl(fd_, EPOLL_CTL_DEL, static_cast<int>(ident), &event);
    }

    /// What to poll: an entry per descriptor.  Vnodes are not polled but looked at here.
    std::vector<pollfd> list(bool& at_once) {
        const std::lock_guard lock(mutex_);
        std::vector<pollfd> all;
        for (const auto& [id, each] : notes_) {
            if (!each.enabled) continue;
            const int fd = static_cast<int>(id.first);
            if (each.vnode) {
                at_once = at_once || look(each.wanted, 0);
                continue;
            }
            if (all.empty() || all.back().fd != fd) all.push_back({fd, 0, 0});
            all.back().events = static_cast<short>(all.back().events | poll_flags(id.second));
        }
        return all;
    }

    int collect(const std::vector<pollfd>& polled, struct kevent* out, int room) {
        const std::lock_guard lock(mutex_);
        std::vector<std::pair<note*, struct kevent>> found;
        for (const auto& each : polled)
            if (each.revents != 0) look_at(static_cast<uintptr_t>(each.fd), each.revents, found);
        std::set<uintptr_t> vnodes;
        for (const auto& [id, each] : notes_)
            if (each.vnode) vnodes.insert(id.first);
        for (const auto ident : vnodes) look_at(ident, 0, found);
        std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
            return a.first->reported < b.first->reported;
        });
        int count = 0;
        for (auto& [which, event] : found) {
            if (count == room) break;
            out[count++] = event;
            which->reported = ++reports_;
            if (which->wanted.flags & EV_DISPATCH) which->enabled = false;
            if (which->wanted.flags & EV_ONESHOT) erase(notes_.find({event.ident, event.filter}));
        }
        return count;
    }

    void look_at(uintptr_t ident, int revents,
                 std::vector<std::pair<note*, struct kevent>>& found) {
        if (first(ident) == last(ident)) return;
        if ((revents & POLLNVAL) || !same_file(first(ident)->second)) return drop(ident);
        for (auto at = first(ident); at != last(ident); ++at) {
            if (!at->second.enabled) continue;
            if (const auto event = look(at->second.wanted, revents))
                found.emplace_back(&at->second, *event);
        }
    }

    int fd_;
    std::mutex mutex_;  // not held while waiting
    std::map<key, note> notes_;
    std::uint64_t reports_ = 0;
};

// The queues by descriptor.  There is no lock, because ThreadSanitizer would take it for
// synchronisation between threads that share no queue.
constexpr std::size_t most = 1 << 16;
std::atomic<queue*> queues[most];

/// The queue of a descriptor, if that is open still.
queue* find(int kq) {
    epoll_event event;
    if (kq < 0 || kq >= static_cast<int>(most) || ::epoll_wait(kq, &event, 1, 0) < 0)
        return nullptr;
    return queues[kq].load(std::memory_order_acquire);
}

/// "The queue is not inherited by a child created with fork(2)."
void after_fork_in_child() {
    for (std::size_t at = 0; at < most; ++at) {
        const int fd = static_cast<int>(at);
        if (queues[at] && find(fd)) ::close(fd);  // if the number is still a queue
        queues[at] = nullptr;
    }
}

}  // namespace

int kqueue() {
    static const int registered = ::pthread_atfork(nullptr, nullptr, after_fork_in_child);
    static_cast<void>(registered);
    const int fd = ::epoll_create1(0);
    if (fd < 0) return -1;
    if (fd >= static_cast<int>(most)) {
        ::close(fd);
        errno = EMFILE;
        return -1;
    }
    queues[fd] = new queue(fd, queues[fd]);
    return fd;
}

int kevent(int kq, const struct kevent* changelist, int nchanges, struct kevent* eventlist,
           int nevents, const struct timespec* timeout) {
    queue* const here = find(kq);
    if (!here) {
        errno = EBADF;
        return -1;
    }
    int receipts = 0;
    for (int i = 0; i < nchanges; ++i) {
        struct kevent change = changelist[i];  // the two lists may be one array
        const int error = here->apply(change);
        if (error == 0 && !(change.flags & EV_RECEIPT)) continue;
        if (receipts == nevents) {
            errno = error;
            return error == 0 ? 0 : -1;
        }
        change.flags = EV_ERROR;
        change.data = error;
        eventlist[receipts++] = change;
    }
    if (receipts > 0 || nevents == 0) return receipts;
    return here->scan(eventlist, nevents, timeout);
}

/// Frees the queues that were closed, which this stand-in does not see.  No other thread may use any.
void kqueue_forget_closed_queues();
void kqueue_forget_closed_queues() {
    for (std::size_t at = 0; at < most; ++at) {
        queue* const last = queues[at];
        if (!last) continue;
        for (auto* each = last->before; each;) delete std::exchange(each, each->before);
        last->before = nullptr;
        if (!find(static_cast<int>(at))) delete queues[at].exchange(nullptr);
    }
}
