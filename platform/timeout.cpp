#include <asyncore/platform/timeout.hpp>

#include <algorithm>
#include <climits>
#include <cmath>
#include <stdexcept>

namespace asyncore::platform {

using namespace std::chrono_literals;
using std::chrono::ceil;

timeout::timeout(double seconds) {
    if (std::isnan(seconds) || seconds < 0)
        throw std::invalid_argument("timeout must be non-negative");
    constexpr double exact = 9007199254740992.0;  // 2^53: up to here a double counts nanoseconds
    if (seconds * 1e9 > exact) throw std::overflow_error("timeout is too large");
    limit_ = ceil<std::chrono::nanoseconds>(std::chrono::duration<double>(seconds));
}

timeout timeout::after(std::chrono::nanoseconds elapsed) const {
    timeout rest(std::nullopt);
    if (limit_) rest.limit_ = std::max(*limit_ - elapsed, std::chrono::nanoseconds::zero());
    return rest;
}

timeout timeout::at_most(std::chrono::nanoseconds most) const {
    timeout shorter(std::nullopt);
    shorter.limit_ = std::max(std::min(limit_.value_or(most), most), 0ns);
    return shorter;
}

int timeout::milliseconds() const noexcept {
    if (!limit_) return -1;
    const auto count = ceil<std::chrono::milliseconds>(*limit_).count();
    return static_cast<int>(std::min<std::chrono::milliseconds::rep>(count, INT_MAX));
}

::timeval timeout::timeval() const noexcept {
    const auto count = ceil<std::chrono::microseconds>(*limit_).count();
    return {static_cast<time_t>(count / 1000000), static_cast<suseconds_t>(count % 1000000)};
}

::timespec timeout::timespec() const noexcept {
    const auto count = limit_->count();
    return {static_cast<time_t>(count / 1000000000), static_cast<long>(count % 1000000000)};
}

}  // namespace asyncore::platform
