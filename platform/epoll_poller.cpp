// epoll(7).  The kernel keeps the set; a wait costs what is ready, not what is watched.
//
// Hazards:
// - A registered descriptor reports EPOLLHUP and EPOLLERR even when asked for nothing: a channel
//   that wants nothing must leave the set.
// - The kernel registers the open file, not the number.  A closed number leaves the set in silence
//   unless a duplicate keeps the file open; so a cached "already registered" may be wrong either
//   way, and ADD and MOD each fall back on the other.
// - Regular files are refused with EPERM; select(2) and poll(2) say that they are always ready.
#include <platform/error.hpp>
#include <platform/pollers.hpp>
#include <platform/unique_fd.hpp>

#include <algorithm>
#include <span>

#include <sys/epoll.h>

namespace asyncore::platform {

namespace {

static_assert(EPOLLIN == POLLIN && EPOLLPRI == POLLPRI && EPOLLOUT == POLLOUT &&
              EPOLLERR == POLLERR && EPOLLHUP == POLLHUP);

class epoll_poller final : public poller {
public:
    epoll_poller() : kernel_(::epoll_create1(EPOLL_CLOEXEC)) {
        if (kernel_.get() < 0) throw_errno("epoll_create1");
    }

    void watch(int fd, events interest) override {
        const auto at = static_cast<std::size_t>(fd);
        if (interest == events::none) return forget(fd);
        if (at >= registered_.size()) registered_.resize(at + 1, false);
        std::erase_if(files_, [fd](const ready& file) { return file.fd == fd; });

        const bool known = registered_[at];
        if (!control(known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, interest)) {
            if (errno == EPERM) {
                const auto sides = interest & (events::read | events::write);
                if (any(sides)) files_.push_back({fd, sides});
                return;
            }
            if (errno != ENOENT && errno != EEXIST) throw_errno("epoll_ctl");
            if (!control(known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, interest))
                throw_errno("epoll_ctl");
        }
        count_ += !known;
        registered_[at] = true;
    }

    std::string_view name() const noexcept override { return "epoll"; }

protected:
    bool wait_once(timeout limit, std::vector<ready>& found) override {
        make_room();
        const int wait = files_.empty() ? limit.milliseconds() : 0;
        const int count =
            ::epoll_wait(kernel_.get(), room_.get(), static_cast<int>(room_size_), wait);
        if (count < 0 && errno == EINTR) return false;
        if (count < 0) throw_errno("epoll_wait");
        for (const auto& event : std::span(room_.get(), static_cast<std::size_t>(count)))
            found.push_back({event.data.fd, static_cast<events>(event.events)});
        found.insert(found.end(), files_.begin(), files_.end());
        return true;
    }

private:
    bool control(int operation, int fd, events interest) {
        epoll_event event{};
        event.events = static_cast<std::uint32_t>(interest);
        event.data.fd = fd;
        return ::epoll_ctl(kernel_.get(), operation, fd, &event) == 0;
    }

    void forget(int fd) {
        const auto at = static_cast<std::size_t>(fd);
        std::erase_if(files_, [fd](const ready& file) { return file.fd == fd; });
        if (at >= registered_.size() || !registered_[at]) return;
        control(EPOLL_CTL_DEL, fd, events::none);  // fails if it is closed: gone all the same
        registered_[at] = false;
        --count_;
    }

    /// One wait reports all that is ready, so there must be room for all that is watched.  The
    /// room is not cleared: pages that no event reaches cost no memory.
    void make_room() {
        if (room_size_ >= count_ && room_size_ > 0) return;
        room_size_ = std::max<std::size_t>(64, count_ * 2);
        room_ = std::make_unique_for_overwrite<epoll_event[]>(room_size_);
    }

    unique_fd kernel_;
    std::vector<bool> registered_;  // by descriptor
    std::size_t count_ = 0;         // how many are
    std::vector<ready> files_;      // always ready: what EPERM said
    std::unique_ptr<epoll_event[]> room_;
    std::size_t room_size_ = 0;
};

}  // namespace

std::unique_ptr<poller> make_epoll_poller() { return std::make_unique<epoll_poller>(); }

}  // namespace asyncore::platform
