// System calls and memory that say no when they are told to: for programs that link failing_calls.cpp.
#pragma once

#include <cstddef>

namespace support {

/// While it lives, accept4(2) fails with this errno and takes no connection.
class failing_accept {
public:
    explicit failing_accept(int error) noexcept;
    ~failing_accept();
    failing_accept(const failing_accept&) = delete;
    failing_accept& operator=(const failing_accept&) = delete;
};

/// While it lives, epoll_ctl(2) fails with this errno for this descriptor.
class failing_epoll_ctl {
public:
    failing_epoll_ctl(int fd, int error) noexcept;
    ~failing_epoll_ctl();
    failing_epoll_ctl(const failing_epoll_ctl&) = delete;
    failing_epoll_ctl& operator=(const failing_epoll_ctl&) = delete;
};

/// Counts what operator new is asked for between on() and off(), and refuses some of it.
class scarce_memory {
public:
    /// `width` requests fail, after the first `first` have been granted.
    scarce_memory(std::size_t first, std::size_t width) noexcept;
    ~scarce_memory() { off(); }
    scarce_memory(const scarce_memory&) = delete;
    scarce_memory& operator=(const scarce_memory&) = delete;
    void on() noexcept;
    void off() noexcept;
    std::size_t refused() const noexcept;
};

}  // namespace support
