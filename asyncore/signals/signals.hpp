// Signals as hooks of a channel.  Python: signal.signal() and signal.set_wakeup_fd().
#pragma once

#include <asyncore/trigger/wake_up.hpp>

#include <cstdint>
#include <initializer_list>

namespace asyncore {

class signal_receiver;

/// Catches signals of the process while the object exists, and calls handle_signal() in the thread of
/// its loop.  The object stays in its map, so loop() goes on until close().
///
/// Several objects, on one map or more, may catch the same signal: each hears of it.  While at least one
/// object catches a signal, the signal does not do what it did before; afterwards it does that again.
/// System calls of other threads are restarted after the signal.
class signals : public wake_up_channel {
public:
    /// Throws: std::system_error for a signal that cannot be caught, std::invalid_argument for
    ///         SIGSEGV and its kind, which no loop can wait for.
    explicit signals(std::initializer_list<int> caught, channel_map* map = nullptr);
    ~signals() override;

    /// Called once for all signals of this number since the last call, as the system itself merges
    /// them.  Different signals are served in the order of their numbers.  By default the map logs it.
    virtual void handle_signal(int signal);
    /// Called when handle_signal() has thrown.  The next signal follows in the next turn.  By default the
    /// map logs the exception.  `throw;` leaves the loop.
    void handle_error() override { wake_up_channel::handle_error(); }
    /// Leaves the map, and catches no signal any more.
    void close() override;

    bool readable() override;

private:
    signals(signal_receiver& mine, channel_map* map);
    void handle_wake_up_() override;

    signal_receiver& receiver_;
    std::uint64_t unserved_ = 0;  // a bit for each signal that handle_wake_up_() has to serve yet
};

}  // namespace asyncore
