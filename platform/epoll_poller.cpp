// epoll(7).  The kernel keeps the set; a wait costs what is ready, not what is watched.
//
// Hazards:
// - A registered descriptor reports EPOLLHUP and EPOLLERR even when it is watched for nothing: a
//   channel that wants nothing must leave the set.
// - The kernel registers the open file, not the number.  A closed descriptor leaves the set in
//   silence, so a cached "already registered" may be wrong, and ADD and MOD each fall back on the
//   other.
// - If a duplicate keeps the file open, the closed descriptor stays in the set, can no longer be
//   removed, and reports on every wait.  We call it a ghost.  Each registration carries a serial
//   number of ours, so a ghost is known by its old serial number.  The poller gets rid of a ghost only
//   by moving to a new set.
// - Regular files are refused with EPERM; select(2) and poll(2) say that they are always ready.  A socket or
//   a pipe that is refused is not always ready: the loop would spin.
#include <asyncore/platform/descriptor.hpp>
#include <asyncore/platform/error.hpp>
#include <asyncore/platform/pollers.hpp>
#include <asyncore/platform/unique_fd.hpp>

#include <algorithm>
#include <chrono>
#include <span>
#include <thread>

#include <sys/epoll.h>
#include <sys/stat.h>

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
        const auto index = static_cast<std::size_t>(fd);
        std::erase_if(always_, [fd](const ready& file) { return file.fd == fd; });
        if (index >= registered_.size()) {
            if (interest == events::none) return;
            registered_.resize(index + 1);
        }
        if (interest == events::none) return forget(fd);

        const bool known = registered_[index].interest != events::none;
        registration wanted{interest, known ? registered_[index].serial : ++last_serial_};
        const int error = add_or_modify(fd, known, wanted);
        if (error != 0 && known) forget(fd);
        if (error == EPERM && is_file_or_device(fd)) return watch_always(fd, interest);
        if (error != 0) throw os_error(error, "epoll_ctl");
        if (!known) ++count_;
        registered_[index] = wanted;
    }

    std::string_view name() const noexcept override { return "epoll"; }
    int fileno() const noexcept override { return kernel_.get(); }

    bool wait_once(timeout limit, std::vector<ready>& found) override {
        make_room();
        const int wait = always_.empty() ? limit.milliseconds() : 0;
        const int count =
            ::epoll_wait(kernel_.get(), room_.get(), static_cast<int>(room_size_), wait);
        if (count < 0 && errno == EINTR) return false;
        if (count < 0) fail(errno);
        const bool ghosts = collect(static_cast<std::size_t>(count), found);
        found.insert(found.end(), always_.begin(), always_.end());
        if (!ghosts) return true;
        const bool left = leave_ghosts();
        if (!found.empty()) return true;
        if (left) return false;  // only ghosts reported: wait() waits on
        // The ghosts report on every wait, so without a pause this thread would spin.
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return true;
    }

private:
    struct registration {
        events interest = events::none;  // none: the descriptor is not registered
        std::uint32_t serial = 0;
    };

    /// Throws the error of a wait.  The program may have closed the set by its number, and another file
    /// may have that number by now.  Then this object must not close the number.
    [[noreturn]] void fail(int error) {
        struct stat file {};
        const bool is_set = ::fstat(kernel_.get(), &file) == 0 && (file.st_mode & S_IFMT) == 0;
        if ((error == EBADF || error == EINVAL) && !is_set) static_cast<void>(kernel_.release());
        throw os_error(error, "epoll_wait");
    }

    /// Returns: 0 or an errno.
    int control(int operation, int fd, registration wanted) {
        epoll_event event{};
        event.events = static_cast<std::uint32_t>(wanted.interest);
        event.data.u64 = std::uint64_t{wanted.serial} << 32 | static_cast<std::uint32_t>(fd);
        return ::epoll_ctl(kernel_.get(), operation, fd, &event) == 0 ? 0 : errno;
    }

    /// If another file has the number `fd` by now, gives `wanted` a new serial number.
    /// Returns: 0 or an errno.
    int add_or_modify(int fd, bool known, registration& wanted) {
        const int error = control(known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, wanted);
        if (error != ENOENT && error != EEXIST) return error;
        if (known) wanted.serial = ++last_serial_;
        return control(known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, wanted);
    }

    void watch_always(int fd, events interest) {
        const auto sides = interest & (events::read | events::write);
        if (any(sides)) always_.push_back({fd, sides});
    }

    void forget(int fd) {
        auto& gone = registered_[static_cast<std::size_t>(fd)];
        if (gone.interest == events::none) return;
        // An error means that the descriptor is closed: its registration is gone, or a ghost.
        control(EPOLL_CTL_DEL, fd, {});
        gone = {};
        --count_;
    }

    /// Returns: whether a ghost reported.
    bool collect(std::size_t count, std::vector<ready>& found) {
        bool ghosts = false;
        for (const auto& event : std::span(room_.get(), count)) {
            const auto fd = static_cast<std::uint32_t>(event.data.u64);
            const auto serial = static_cast<std::uint32_t>(event.data.u64 >> 32);
            const auto& known = registered_[fd];
            if (known.interest != events::none && known.serial == serial)
                found.push_back({static_cast<int>(fd), static_cast<events>(event.events)});
            else ghosts = true;
        }
        return ghosts;
    }

    /// Moves to a new set, which a closed descriptor cannot enter.
    /// Returns: false if the system had no room for a new set.  Then the old set stays.
    bool leave_ghosts() {
        unique_fd made(::epoll_create1(EPOLL_CLOEXEC));
        if (made.get() < 0) return false;
        std::swap(kernel_, made);
        for (std::size_t fd = 0; fd < registered_.size(); ++fd) {
            if (registered_[fd].interest == events::none) continue;
            const int error = control(EPOLL_CTL_ADD, static_cast<int>(fd), registered_[fd]);
            if (error == 0 || (error == EBADF && !is_open(static_cast<int>(fd)))) continue;
            std::swap(kernel_, made);
            return false;
        }
        return true;
    }

    /// One wait reports every ready descriptor, so there must be room for every watched one.  The
    /// room is not cleared: pages that no event reaches cost no memory.
    void make_room() {
        if (room_size_ >= count_ && room_size_ > 0) return;
        const auto size = std::max<std::size_t>(64, count_ * 2);
        room_ = std::make_unique_for_overwrite<epoll_event[]>(size);
        room_size_ = size;
    }

    unique_fd kernel_;
    std::vector<registration> registered_;  // by descriptor
    std::uint32_t last_serial_ = 0;
    std::size_t count_ = 0;      // how many descriptors are registered
    std::vector<ready> always_;  // files and devices that are always ready
    std::unique_ptr<epoll_event[]> room_;
    std::size_t room_size_ = 0;
};

}  // namespace

std::unique_ptr<poller> make_epoll_poller() { return std::make_unique<epoll_poller>(); }

}  // namespace asyncore::platform
