// The seam between the loop and the system's ways to wait.
//
// A mechanism is one .cpp file with one subclass of `poller`.  It knows descriptors and events and
// never sees a channel: it returns data, the loop calls hooks, so that a hook that closes channels
// cannot pull the ground from under it.  Read poll_poller.cpp first; to add one, copy it.
#pragma once

#include <asyncore/platform/timeout.hpp>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <poll.h>

namespace asyncore::platform {

/// What may happen to a descriptor: poll(2)'s flags, which are epoll(7)'s too.
enum class events : std::uint16_t {
    none = 0,
    read = POLLIN,       // bytes, a connection to accept, or end of file
    priority = POLLPRI,  // out-of-band data; what select(2) calls exceptional
    write = POLLOUT,     // room, or a connect that has ended, well or badly
    error = POLLERR,     // this and the next two are reported unasked, to who watches for more than
                         // out-of-band data
    hangup = POLLHUP,
    invalid = POLLNVAL,  // not an open descriptor
};

constexpr events operator|(events a, events b) {
    return static_cast<events>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr events operator&(events a, events b) {
    return static_cast<events>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
constexpr events& operator|=(events& a, events b) { return a = a | b; }
constexpr bool any(events what) { return what != events::none; }

struct ready {
    int fd;
    events what;
};

/// Waits for events on a set of descriptors.  Level-triggered: what is not consumed is reported
/// again.  Not thread-safe.  Owns no descriptor that it watches.
class poller {
public:
    virtual ~poller() = default;

    /// Sets what `fd`, which is never negative, is watched for, in place of what was said before;
    /// `none` forgets it, and never fails.
    ///
    /// Forget a descriptor before you close it: epoll and kqueue drop a closed one in silence, and
    /// its number may be the next socket's.
    ///
    /// Throws: std::system_error if the system refuses `fd` (EBADF: it is closed).
    virtual void watch(int fd, events interest) = 0;

    /// Waits until something is ready or `limit` has passed, and puts all that is ready into
    /// `found`, an entry per descriptor, in no particular order.  A signal does not end the wait.
    ///
    /// Throws: std::system_error for any failure but EINTR.
    void wait(timeout limit, std::vector<ready>& found);

    /// "select", "poll", "epoll" or "kqueue".
    virtual std::string_view name() const noexcept = 0;

protected:
    /// As wait(), but returns false when a signal arrived first.
    virtual bool wait_once(timeout limit, std::vector<ready>& found) = 0;
};

/// The mechanisms of this system, best first.
const std::vector<std::string_view>& poller_names();

/// A new poller.  An empty name means the environment's ASYNCORE_POLLER, or else the best.
/// Throws: std::invalid_argument for a name that this system does not have.
std::unique_ptr<poller> make_poller(std::string_view name = {});

/// Has poll(2) say, without waiting, what those of `found` are ready for that have any of
/// `doubtful` set; who turns out not to be leaves.  For mechanisms that cannot tell a hang-up or an
/// error from end of file.
void ask_poll(std::vector<ready>& found, events doubtful);

/// How many forks lie between the start of the program and this process.  An epoll or kqueue
/// descriptor made before the last of them belongs to the parent.
unsigned fork_count() noexcept;

}  // namespace asyncore::platform
