#include <asyncore/platform/descriptor_reserve.hpp>

#include <asyncore/platform/unique_fd.hpp>

#include <mutex>

#include <fcntl.h>
#include <sys/socket.h>

namespace asyncore::platform {

namespace {

std::mutex guard;
unique_fd reserve;

void refill() noexcept {
    if (reserve.get() < 0) reserve.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

void reserve_descriptor() noexcept {
    const not_cancelled meanwhile;
    const std::lock_guard lock(guard);
    refill();
}

bool drop_connection(int listener) noexcept {
    const not_cancelled meanwhile;
    const std::lock_guard lock(guard);
    if (reserve.get() < 0) refill();
    if (reserve.get() < 0) return false;
    reserve.reset();
    unique_fd(::accept(listener, nullptr, nullptr)).reset();
    refill();
    return true;
}

}  // namespace asyncore::platform
