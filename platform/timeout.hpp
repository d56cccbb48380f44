// How long to wait, and the forms that system calls take it in.
#pragma once

#include <chrono>
#include <optional>

#include <sys/time.h>
#include <time.h>

namespace asyncore::platform {

/// How long a wait may last.  Made from seconds (Python's float), from a std::chrono duration, or
/// from std::nullopt (Python's None): for ever.
class timeout {
public:
    timeout(std::nullopt_t) noexcept {}

    /// Throws: std::invalid_argument for a negative number or NaN, std::overflow_error for more
    ///         than 2^53 nanoseconds (104 days).  Differs: D10 - poll2() too refuses them.
    timeout(double seconds);

    template <class Rep, class Period>
    timeout(std::chrono::duration<Rep, Period> limit)
        : timeout(std::chrono::duration<double>(limit).count()) {}

    bool forever() const noexcept { return !limit_; }
    /// Whether the wait lasts `most` or less.
    bool within(std::chrono::nanoseconds most) const noexcept { return limit_ && *limit_ <= most; }
    bool zero() const noexcept { return limit_ == std::chrono::nanoseconds::zero(); }

    /// The shorter of this time-out and `most`.
    timeout at_most(std::chrono::nanoseconds most) const;

    /// The time that is left after `elapsed`, never less than zero.  For ever stays for ever.
    timeout after(std::chrono::nanoseconds elapsed) const;

    // The next three round up: a wait that ends early finds nothing ready, and the loop spins.

    /// For poll(2) and epoll_wait(2).  Differs: D9 - asyncore.poll2() truncates.
    int milliseconds() const noexcept;
    /// For select(2).  Call it only if forever() is false.
    ::timeval timeval() const noexcept;
    /// For kevent(2).  Call it only if forever() is false.
    ::timespec timespec() const noexcept;

private:
    std::optional<std::chrono::nanoseconds> limit_;
};

}  // namespace asyncore::platform
