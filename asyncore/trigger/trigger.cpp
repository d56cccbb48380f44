#include <asyncore/trigger/trigger.hpp>

#include <stdexcept>
#include <utility>

namespace asyncore {

trigger::trigger(channel_map* map) : wake_up_channel(sockets_, map) { enter_(); }

trigger::~trigger() { trigger::close(); }

/// The lock is held to the end: then the thread of the loop cannot call the thunk, and destroy the
/// trigger, while this method still uses it.
void trigger::pull(std::function<void()> thunk) {
    if (!thunk) throw std::invalid_argument("a thunk needs a function");
    const std::lock_guard lock(mutex_);
    if (is_closed_) return;
    thunks_.push_back(std::move(thunk));
    wake_.send();
}

void trigger::close() {
    std::deque<std::function<void()>> forgotten;  // destroyed without the lock
    {
        const std::lock_guard lock(mutex_);
        is_closed_ = true;
        forgotten.swap(thunks_);
    }
    leave_();
}

/// After a thunk threw, and in a nested loop that a thunk runs, thunks may wait although their wake-up
/// was taken.  So this sends another wake-up.
bool trigger::readable() {
    if (has_thunks()) wake_.send();
    return wake_up_channel::readable();
}

bool trigger::has_thunks() {
    const std::lock_guard lock(mutex_);
    return !thunks_.empty();
}

void trigger::handle_wake_up_() {
    const alive still_here(*this);
    handle_pull();
    if (!still_here) return;
    const auto end = [this] {
        const std::lock_guard lock(mutex_);
        return taken_ + thunks_.size();
    }();
    while (still_here) {
        const auto thunk = next_before(end);
        if (!thunk) return;
        thunk();
    }
}

/// The next thunk, if fewer than `end` were taken before it; else an empty function.
std::function<void()> trigger::next_before(std::uint64_t end) {
    const std::lock_guard lock(mutex_);
    if (taken_ >= end || thunks_.empty()) return nullptr;
    auto first = std::move(thunks_.front());
    thunks_.pop_front();
    ++taken_;
    return first;
}

}  // namespace asyncore
