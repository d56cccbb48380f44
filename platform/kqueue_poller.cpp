// kqueue(2), of the BSDs and macOS.  The kernel keeps the set, as epoll's does.
//
// Hazards:
// - Reading, writing and out-of-band data are separate filters, and each reports on its own: what
//   belongs to one descriptor must be put together again.
// - EV_EOF on the read filter means that the peer will send no more, which poll(2) reports as
//   POLLIN alone unless our own side is shut too (POLLHUP); poll(2) is asked which.
// - A closed descriptor leaves the set in silence; removing it then fails with ENOENT or EBADF.
// - A filter that cannot be registered comes back as an EV_ERROR entry, not as a failed call,
//   when there is room for it.
#include <platform/error.hpp>
#include <platform/pollers.hpp>
#include <platform/unique_fd.hpp>

#include <algorithm>

#include <fcntl.h>
#include <sys/types.h>

#include <sys/event.h>

namespace asyncore::platform {

namespace {

using filter = decltype(std::declval<struct ::kevent>().filter);

struct ::kevent change(int fd, filter which, unsigned flags) {
    struct ::kevent entry {};
    entry.ident = static_cast<decltype(entry.ident)>(fd);
    entry.filter = which;
    entry.flags = static_cast<decltype(entry.flags)>(flags);
#ifdef EVFILT_EXCEPT
    if (which == EVFILT_EXCEPT) entry.fflags = NOTE_OOB;
#endif
    return entry;
}

constexpr events from_kernel(const struct ::kevent& entry) {
    if (entry.flags & EV_ERROR) return events::invalid;
    auto what = events::priority;
    if (entry.filter == EVFILT_READ) what = events::read;
    if (entry.filter == EVFILT_WRITE) what = events::write;
    if (entry.flags & EV_EOF) what |= events::hangup;  // perhaps: wait_once() asks
    return what;
}

class kqueue_poller final : public poller {
public:
    kqueue_poller() : kernel_(::kqueue()) {
        if (kernel_.get() < 0) throw_errno("kqueue");
        if (::fcntl(kernel_.get(), F_SETFD, FD_CLOEXEC) < 0) throw_errno("fcntl");
    }

    void watch(int fd, events interest) override {
        const auto at = static_cast<std::size_t>(fd);
        if (at >= registered_.size()) registered_.resize(at + 1, events::none);
        const auto before = registered_[at];
        registered_[at] = events::none;  // if one of the next throws, we know the least
        sync(fd, EVFILT_READ, events::read, before, interest);
        sync(fd, EVFILT_WRITE, events::write, before, interest);
#ifdef EVFILT_EXCEPT
        sync(fd, EVFILT_EXCEPT, events::priority, before, interest);
#endif
        registered_[at] = interest;
        if (before == events::none && interest != events::none) ++count_;
        if (before != events::none && interest == events::none) --count_;
    }

    std::string_view name() const noexcept override { return "kqueue"; }

protected:
    bool wait_once(timeout limit, std::vector<ready>& found) override {
        room_.resize(std::max<std::size_t>(64, count_ * 3));
        ::timespec ts{};
        if (!limit.forever()) ts = limit.timespec();
        const int count = ::kevent(kernel_.get(), nullptr, 0, room_.data(),
                                   static_cast<int>(room_.size()), limit.forever() ? nullptr : &ts);
        if (count < 0 && errno == EINTR) return false;
        if (count < 0) throw_errno("kevent");
        for (int i = 0; i < count; ++i) merge(room_[static_cast<std::size_t>(i)], found);
        for (const auto& each : found) places_[static_cast<std::size_t>(each.fd)] = 0;
        ask_poll(found, events::hangup);
        return true;
    }

private:
    /// Adds or removes one filter.  Removing one that is gone is no error.
    void sync(int fd, filter which, events bit, events before, events interest) {
        const bool has = any(before & bit), wants = any(interest & bit);
        if (!wants && !has) return;
        const auto entry = change(fd, which, wants ? EV_ADD : EV_DELETE);
        if (::kevent(kernel_.get(), &entry, 1, nullptr, 0, nullptr) == 0) return;
        if (wants) throw_errno("kevent");
    }

    /// Joins the filters of one descriptor into one entry of `found`.
    void merge(const struct ::kevent& entry, std::vector<ready>& found) {
        const auto at = static_cast<std::size_t>(entry.ident);
        if (at >= places_.size()) places_.resize(at + 1, 0);
        if (places_[at] == 0) {
            found.push_back({static_cast<int>(entry.ident), events::none});
            places_[at] = found.size();
        }
        found[places_[at] - 1].what |= from_kernel(entry);
    }

    unique_fd kernel_;
    std::vector<events> registered_;   // by descriptor
    std::size_t count_ = 0;            // how many of them are not none
    std::vector<struct ::kevent> room_;
    std::vector<std::size_t> places_;  // by descriptor, during a wait: 1 + its place in `found`
};

}  // namespace

std::unique_ptr<poller> make_kqueue_poller() { return std::make_unique<kqueue_poller>(); }

}  // namespace asyncore::platform
