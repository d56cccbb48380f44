// The seam between the loop and the system's ways to wait.
//
// A mechanism is one .cpp file with one subclass of `poller`.  A poller knows descriptors and events
// and never sees a channel: it returns data, and the loop calls the hooks.  So a hook that closes
// channels cannot change a list that the poller is walking.  Read poll_poller.cpp first; to add a
// mechanism, copy it.
#pragma once

#include <asyncore/platform/events.hpp>
#include <asyncore/platform/timeout.hpp>

#include <climits>
#include <memory>
#include <string_view>
#include <vector>

namespace asyncore::platform {

/// A descriptor that is ready, and what it is ready for.
struct ready {
    int fd;
    events what;
};

/// Waits for events on a set of descriptors.  Level-triggered: what is not consumed is reported
/// again.  Not thread-safe.  Owns no descriptor that it watches.
class poller {
public:
    virtual ~poller() = default;

    /// Watches `fd`, which is never negative, for `interest`, in place of what it was watched for
    /// before.  `none` forgets the descriptor, and never fails.
    ///
    /// Forget a descriptor before you close it: epoll and kqueue drop a closed descriptor in
    /// silence, and the next socket may get the same number.
    ///
    /// Throws: std::system_error if the system refuses `fd` (EBADF: it is closed).
    virtual void watch(int fd, events interest) = 0;

    /// Waits until a descriptor is ready or `limit` has passed.  Puts every ready descriptor into
    /// `found`, once each, in no particular order.  A signal does not end the wait.
    ///
    /// Throws: std::system_error for any failure but EINTR.
    void wait(timeout limit, std::vector<ready>& found);

    /// The descriptor of the poller itself, or -1 if the mechanism needs none.
    virtual int fileno() const noexcept { return -1; }

    /// The highest descriptor that this poller can watch.
    virtual int highest() const noexcept { return INT_MAX; }

    /// "select", "poll", "epoll" or "kqueue".
    virtual std::string_view name() const noexcept = 0;

    /// What wait() does one time or several: one system call, which waits for `limit` at most.  Adds to
    /// `found`, which is empty.
    /// Returns: false if wait() is to wait on: a signal ended this wait, or no descriptor that was
    ///          reported turned out to be ready.
    virtual bool wait_once(timeout limit, std::vector<ready>& found) = 0;
};

/// The mechanisms of this system, best first.
const std::vector<std::string_view>& poller_names();

/// A new poller.  An empty name means the mechanism in the environment's ASYNCORE_POLLER, or else the
/// best mechanism.
/// Throws: std::invalid_argument for a name that this system does not have.
std::unique_ptr<poller> make_poller(std::string_view name = {});

/// How many forks lie between the start of the program and this process.  A poller that was made while
/// the count was lower belongs to a parent process.
unsigned fork_count() noexcept;

}  // namespace asyncore::platform
