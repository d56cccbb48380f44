// System calls and allocations that fail on demand, for programs that link failing_calls.cpp and
// allocations.cpp.
#pragma once

#include <cstddef>

namespace support {

/// While it lives, accept4(2) fails with `error` and accepts no connection.
class failing_accept {
public:
    explicit failing_accept(int error) noexcept;
    ~failing_accept();
    failing_accept(const failing_accept&) = delete;
    failing_accept& operator=(const failing_accept&) = delete;
};

/// While it lives, epoll_ctl(2) fails with `error` for `fd`.
class failing_epoll_ctl {
public:
    failing_epoll_ctl(int fd, int error) noexcept;
    ~failing_epoll_ctl();
    failing_epoll_ctl(const failing_epoll_ctl&) = delete;
    failing_epoll_ctl& operator=(const failing_epoll_ctl&) = delete;
};

/// While it lives, epoll_create1(2) fails with `error`.
class failing_epoll_create {
public:
    explicit failing_epoll_create(int error) noexcept;
    ~failing_epoll_create();
    failing_epoll_create(const failing_epoll_create&) = delete;
    failing_epoll_create& operator=(const failing_epoll_create&) = delete;
};

/// While it lives, the next `times` calls of epoll_wait(2), poll(2) and select(2) fail with `error`.
class failing_waits {
public:
    failing_waits(int error, int times) noexcept;
    ~failing_waits();
    failing_waits(const failing_waits&) = delete;
    failing_waits& operator=(const failing_waits&) = delete;
    /// How many calls have failed.
    int failed() const noexcept;
};

/// Counts the calls of operator new between on() and off(), and has some of them fail.
class scarce_memory {
public:
    /// The first `first` calls succeed, and the next `width` calls fail.
    scarce_memory(std::size_t first, std::size_t width) noexcept;
    ~scarce_memory() { off(); }
    scarce_memory(const scarce_memory&) = delete;
    scarce_memory& operator=(const scarce_memory&) = delete;
    void on() noexcept;
    void off() noexcept;
    std::size_t refused() const noexcept;
    /// Whether calls will go on to fail.
    bool lasts() const noexcept;
};

}  // namespace support
