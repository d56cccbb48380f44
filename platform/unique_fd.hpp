// The owner of one file descriptor.
#pragma once

#include <utility>

#include <pthread.h>
#include <unistd.h>

namespace asyncore::platform {

/// While a not_cancelled exists, its thread is not cancelled.  pthread_cancel() unwinds the stack as an
/// exception does, even from a function such as close(2) in code that must not throw.
class not_cancelled {
public:
    not_cancelled() noexcept { ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
    ~not_cancelled() { ::pthread_setcancelstate(before_, nullptr); }
    not_cancelled(const not_cancelled&) = delete;
    not_cancelled& operator=(const not_cancelled&) = delete;

private:
    int before_ = 0;
};

/// Owns a descriptor, or none (-1), and closes it in the destructor.
class unique_fd {
public:
    explicit unique_fd(int fd = -1) noexcept : fd_(fd) {}
    unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        reset(other.release());
        return *this;
    }
    ~unique_fd() { reset(); }

    int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

    /// Closes the old descriptor.  An error of close(2) is ignored: the descriptor is gone all the
    /// same.
    void reset(int fd = -1) noexcept {
        if (fd_ >= 0) {
            const not_cancelled meanwhile;
            ::close(fd_);
        }
        fd_ = fd;
    }

private:
    int fd_;
};

}  // namespace asyncore::platform
