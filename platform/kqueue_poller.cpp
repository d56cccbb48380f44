// kqueue(2), of the BSDs and macOS.  The kernel keeps the set, as epoll's does.
//
// Hazards:
// - Reading, writing and out-of-band data are separate filters, and each reports on its own: the
//   reports of one descriptor must be joined.
// - EV_EOF on the read filter means that the peer will send no more.  poll(2) reports that as POLLIN
//   alone, or as POLLHUP if our own side is shut down too; so poll(2) is asked which it is.
// - macOS reports EV_EOF on the filter of out-of-band data as well, on every wait.  It must not be
//   reported to a channel that does not read.
// - A closed descriptor leaves the set in silence; removing it then fails with ENOENT or EBADF.
//   So a filter is added again whenever it is wanted, though we believe that it is there.
// - A file is readable only before its end, and has no write filter.  Some devices have no filters
//   at all, or, on macOS, only with a low water mark.  A pipe whose reader is gone refuses the write
//   filter with EPIPE.  Only sockets have out-of-band data.  select(2) and poll(2) say that files
//   and such devices are always ready.
// - FreeBSD has no filter for out-of-band data: there nothing reports such data.
// - A child of fork(2) does not get the queue: in the child the number of the queue is free, and soon
//   belongs to another file.
#include <asyncore/platform/ask_poll.hpp>
#include <asyncore/platform/error.hpp>
#include <asyncore/platform/pollers.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <algorithm>
#include <array>
#include <span>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <sys/event.h>

namespace asyncore::platform {

namespace {

using filter = decltype(std::declval<struct ::kevent>().filter);

struct ::kevent change(int fd, filter which, bool wanted) {
    struct ::kevent entry {};
    entry.ident = static_cast<decltype(entry.ident)>(fd);
    entry.filter = which;
    // With a receipt for each, one call makes several changes and says how each of them went.
    entry.flags = EV_RECEIPT;
    entry.flags |= static_cast<decltype(entry.flags)>(wanted ? EV_ADD : EV_DELETE);
#ifdef EVFILT_EXCEPT
    if (which == EVFILT_EXCEPT) entry.fflags = NOTE_OOB;
#endif
    return entry;
}

constexpr events meaning(filter which) {
    if (which == EVFILT_READ) return events::read;
    return which == EVFILT_WRITE ? events::write : events::priority;
}

constexpr events from_kernel(const struct ::kevent& entry) {
    if (entry.flags & EV_ERROR) return events::invalid;
    const auto what = meaning(entry.filter);
    if (!(entry.flags & EV_EOF)) return what;
    // This may be a hang-up: wait_once() asks poll(2).
    return what == events::priority ? events::hangup : what | events::hangup;
}

struct changes {
    std::array<struct ::kevent, 3> list;
    int count = 0;

    void put(int fd, filter which, events before, events interest) {
        const bool wanted = any(interest & meaning(which));
        if (!wanted && !any(before & meaning(which))) return;
        list[static_cast<std::size_t>(count)] = change(fd, which, wanted);
        ++count;
    }
};

/// The changes that turn the filters for `before` into the filters for `interest`.
changes changes_for(int fd, events before, events interest, [[maybe_unused]] bool device) {
    changes all;
    all.put(fd, EVFILT_READ, before, interest);
#ifdef NOTE_LOWAT
    if (device && all.count == 1) {
        all.list[0].fflags = NOTE_LOWAT;
        all.list[0].data = 1;
    }
#endif
    all.put(fd, EVFILT_WRITE, before, interest);
#ifdef EVFILT_EXCEPT
    all.put(fd, EVFILT_EXCEPT, before, interest);
#endif
    return all;
}

mode_t mode_of(int fd) {
    struct stat status;
    return ::fstat(fd, &status) == 0 ? status.st_mode : 0;
}

class kqueue_poller final : public poller {
public:
    kqueue_poller() : kernel_(::kqueue()), forks_(fork_count()) {
        if (kernel_.get() < 0) throw_errno("kqueue");
        if (::fcntl(kernel_.get(), F_SETFD, FD_CLOEXEC) < 0) throw_errno("fcntl");
    }

    ~kqueue_poller() override {
        // In a child the number of the queue is free, or belongs to another file.
        if (forks_ != fork_count()) static_cast<void>(kernel_.release());
    }

    void watch(int fd, events interest) override {
        const auto index = static_cast<std::size_t>(fd);
        if (index >= registered_.size()) registered_.resize(index + 1, events::none);
        not_always(fd);
        const auto before = std::exchange(registered_[index], events::none);
        if (before != events::none) --count_;

        const auto mode = interest != events::none ? mode_of(fd) : 0;
        if (S_ISREG(mode) || S_ISDIR(mode)) {
            const auto sides = interest & (events::read | events::write);
            if (any(sides)) always_.push_back({fd, sides});
            return;
        }
        sync(fd, before, interest, S_ISCHR(mode));
        registered_[index] = interest;
        if (interest != events::none) ++count_;
    }

    std::string_view name() const noexcept override { return "kqueue"; }
    int fileno() const noexcept override { return kernel_.get(); }

    bool wait_once(timeout limit, std::vector<ready>& found) override {
        room_.resize(std::max<std::size_t>(64, count_ * 3));
        if (!always_.empty()) limit = 0.0;
        ::timespec ts{};
        if (!limit.forever()) ts = limit.timespec();
        const int count = ::kevent(kernel_.get(), nullptr, 0, room_.data(),
                                   static_cast<int>(room_.size()), limit.forever() ? nullptr : &ts);
        if (count < 0 && errno == EINTR) return false;
        if (count < 0) throw_errno("kevent");
        for (int i = 0; i < count; ++i) {
            const auto& entry = room_[static_cast<std::size_t>(i)];
            join(static_cast<int>(entry.ident), from_kernel(entry), found);
#ifdef EVFILT_EXCEPT
            if (entry.filter == EVFILT_EXCEPT && (entry.flags & EV_EOF))
                sync(static_cast<int>(entry.ident), events::priority, events::none, false);
#endif
        }
        for (const auto& each : always_) join(each.fd, each.what, found);
        ask_poll(found, events::hangup);
        return count == 0 || !found.empty();
    }

private:
    /// Adds the filters that are wanted and removes the filters that are not, in one call.
    void sync(int fd, events before, events interest, bool device) {
        auto [list, count] = changes_for(fd, before, interest, device);
        if (count == 0) return;
        const not_cancelled meanwhile;  // a thread is not cancelled while it forgets a descriptor
        count = ::kevent(kernel_.get(), list.data(), count, list.data(), count, nullptr);
        if (interest == events::none) return;
        if (count < 0) throw_errno("kevent");
        for (const auto& each : std::span(list).first(static_cast<std::size_t>(count)))
            if (each.data != 0 && any(interest & meaning(each.filter)))
                refused(fd, meaning(each.filter), static_cast<int>(each.data));
    }

    /// A filter could not be added.
    void refused(int fd, events what, int error) {
        const bool unsuited = error == EINVAL || error == ENODEV || error == ENOTSUP ||
                              error == EOPNOTSUPP || error == EPERM;
        if (!unsuited && error != EPIPE) {
            not_always(fd);
            sync(fd, events::read | events::write | events::priority, events::none, false);
            throw os_error(error, "kevent");
        }
        if (what == events::priority) return;        // such a descriptor has no out-of-band data
        if (error == EPIPE) what |= events::hangup;  // wait_once() asks poll(2) which event it is
        always_.push_back({fd, what});
    }

    void not_always(int fd) {
        std::erase_if(always_, [fd](const ready& each) { return each.fd == fd; });
    }

    /// Adds `what` to the entry of `fd` in `found`, and makes the entry if there is none.
    void join(int fd, events what, std::vector<ready>& found) {
        const auto index = static_cast<std::size_t>(fd);
        if (index >= places_.size()) places_.resize(index + 1, 0);
        if (places_[index] >= found.size() || found[places_[index]].fd != fd) {
            places_[index] = found.size();
            found.push_back({fd, events::none});
        }
        found[places_[index]].what |= what;
    }

    unique_fd kernel_;
    unsigned forks_;                  // fork_count() when the queue was made
    std::vector<events> registered_;  // by descriptor
    std::size_t count_ = 0;           // how many descriptors are registered
    std::vector<ready> always_;       // descriptors without a filter: they are always ready
    std::vector<struct ::kevent> room_;
    std::vector<std::size_t> places_;  // by descriptor: its place in the last `found`
};

}  // namespace

std::unique_ptr<poller> make_kqueue_poller() { return std::make_unique<kqueue_poller>(); }

}  // namespace asyncore::platform
