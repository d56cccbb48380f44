// Wakes the loop from another thread, and runs functions in its thread.  Python: trigger of medusa and
// ZEO.
#pragma once

#include <asyncore/trigger/wake_up.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

namespace asyncore {

/// A channel that other threads may pull.  It stays in its map, so loop() goes on until close().
///
/// A thread that may pull must not outlive the trigger.  A trigger that spawn() made lives as long as
/// such a thread holds its shared_ptr.
class trigger : public wake_up_channel {
public:
    /// Throws: std::system_error if the process has no descriptors left.
    explicit trigger(channel_map* map = nullptr);
    ~trigger() override;

    /// Wakes the loop, which then calls handle_pull(), once for all pulls so far.  Any thread may pull,
    /// and a signal handler too.  Python: pull_trigger().
    void pull() noexcept { wake_.send(); }
    /// Has the thread of the loop call `thunk`.  Any thread may pull, also inside a thunk; a signal
    /// handler must not.  Thunks are called in the order of the pulls.  A thunk that is pulled while
    /// thunks are called is called in the next turn.  A closed trigger drops the thunk.
    /// Python: pull_trigger(thunk).
    void pull(std::function<void()> thunk);

    /// Called in the thread of the loop, before the thunks.
    virtual void handle_pull() {}
    /// Called when a thunk or handle_pull() has thrown.  The next thunk follows in the next turn.  By
    /// default the map logs the exception.  `throw;` leaves the loop.
    void handle_error() override { wake_up_channel::handle_error(); }
    /// Leaves the map, and forgets the thunks that were not called.
    void close() override;

    bool readable() override;

private:
    void handle_wake_up_() override;
    bool has_thunks();
    std::function<void()> next_before(std::uint64_t end);

    wake_up sockets_;
    std::mutex mutex_;  // guards the members below
    std::deque<std::function<void()>> thunks_;
    std::uint64_t taken_ = 0;  // how many were taken out of thunks_
    bool is_closed_ = false;
};

}  // namespace asyncore
