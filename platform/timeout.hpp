// How long to wait, and the forms in which system calls want to hear it.
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
    bool zero() const noexcept { return limit_ == std::chrono::nanoseconds::zero(); }

    /// What is left of it after `elapsed`: never less than zero, for ever stays for ever.
    timeout after(std::chrono::nanoseconds elapsed) const;

    /// poll(2)'s and epoll_wait(2)'s argument.  Rounded up, as are the next two: a wait that ends
    /// early finds nothing ready and spins.  Differs: D9 - asyncore.poll2() truncates.
    int milliseconds() const noexcept;
    /// select(2)'s.  Not for forever().
    ::timeval timeval() const noexcept;
    /// kevent(2)'s.  Not for forever().
    ::timespec timespec() const noexcept;

private:
    std::optional<std::chrono::nanoseconds> limit_;
};

}  // namespace asyncore::platform
