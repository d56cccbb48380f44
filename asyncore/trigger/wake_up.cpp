#include <asyncore/trigger/wake_up.hpp>

#include <asyncore/errors.hpp>
#include <asyncore/platform/poller.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace asyncore {

using namespace std::chrono_literals;

wake_up::wake_up() : ends_(platform::socket::pair()), forks_(platform::fork_count()) {}

void wake_up::send() noexcept {
    const bool is_under_way = is_sent_.exchange(true);
    if (is_under_way) return;
    const int error = errno;  // a signal handler leaves errno as it was
    const bool failed = ends_.second.send("x").error != 0;
    if (failed) is_sent_ = false;
    errno = error;
}

/// First the byte is taken, and then the flag.  A send() between the two sends no byte, and needs none:
/// the caller of take() looks for its work after that.
void wake_up::take() noexcept {
    std::array<char, 64> bytes;
    static_cast<void>(ends_.first.recv(bytes));
    is_sent_.exchange(false);
}

bool wake_up::is_inherited() const noexcept { return forks_ != platform::fork_count(); }

void wake_up::renew(const std::pair<platform::socket, platform::socket>& by) {
    const auto replace = [](const platform::socket& end, const platform::socket& other) {
        ::dup2(other.fileno(), end.fileno());
        ::fcntl(end.fileno(), F_SETFD, FD_CLOEXEC);
    };
    replace(ends_.first, by.first);
    replace(ends_.second, by.second);
    forks_ = platform::fork_count();
    is_sent_ = false;
    send();
}

/// After a fork, the entry leaves the map before new sockets get its descriptors, so that the poller
/// forgets the old socket.  The deadline of now has this turn ask the new entry.
bool wake_up_channel::readable() {
    if (!wake_.is_inherited()) return true;
    try {
        const auto fresh = platform::socket::pair();
        leave_();
        wake_.renew(fresh);
        enter_();
        map_.wake_at(channel_map::clock::now());
        return true;
    } catch (const std::system_error& why) {
        const bool is_allowed = map_.may_log(fault::watch);
        if (is_allowed) map_.log_info(std::string("after a fork: ") + why.what());
        map_.wake_at(channel_map::clock::now() + 100ms);
        return false;
    }
}

void wake_up_channel::handle_read_event() {
    wake_.take();
    handle_wake_up_();
}

void wake_up_channel::handle_error() {
    const auto& self = *this;
    const auto [nil, type, value, info] = compact_traceback();
    map_.log_info("uncaptured exception in " + type_name(typeid(self)) + " (" + type + ":" + value +
                  ")");
}

void wake_up_channel::enter_() {
    const int fd = wake_.fileno();
    if (map_.get(fd) != this) map_.set(fd, *this);
}

void wake_up_channel::leave_() noexcept {
    const int fd = wake_.fileno();
    if (map_.get(fd) == this) map_.erase(fd);
}

}  // namespace asyncore
