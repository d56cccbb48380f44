// How another thread, or a signal handler, ends the wait of a loop: it sends a byte to a socket that the
// loop watches.
#pragma once

#include <asyncore/channel_map.hpp>
#include <asyncore/platform/socket.hpp>

#include <atomic>
#include <utility>

namespace asyncore {

/// A pair of connected sockets.  Wake-ups that come before the loop takes them count as one.
class wake_up {
public:
    /// Throws: std::system_error if the process has no descriptors left.
    wake_up();
    /// The descriptor that is readable after send().
    int fileno() const noexcept { return ends_.first.fileno(); }
    /// Any thread may call it, and a signal handler too.
    void send() noexcept;
    /// Takes the wake-ups so far.  After that, the calling thread can read what another thread wrote
    /// before its send().
    void take() noexcept;

    /// Whether the process is a child that fork(2) made, and shares the sockets with its parent.
    bool is_inherited() const noexcept;
    /// Puts new sockets in the place of these, under the same descriptors, and calls send(): a
    /// wake-up since the fork went to the parent.
    void renew(const std::pair<platform::socket, platform::socket>& by);

private:
    std::pair<platform::socket, platform::socket> ends_;
    std::atomic<bool> is_sent_ = false;
    unsigned forks_;
    static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler uses it");
};

/// A channel that waits for a wake_up.  In a child of fork(2) the first turn renews the wake_up.
class wake_up_channel : public channel {
public:
    bool readable() override;
    bool writable() override { return false; }
    void handle_read_event() override;
    void handle_write_event() override {}
    void handle_expt_event() override {}
    void handle_close() override { close(); }
    /// Called when a hook has thrown.  By default the map logs the exception.  `throw;` leaves the loop.
    void handle_error() override;

protected:
    wake_up_channel(wake_up& wake, channel_map* map) : wake_(wake), map_(map_or_default(map)) {}
    /// Called in the thread of the loop after one wake-up or more, and perhaps without one.
    virtual void handle_wake_up_() = 0;
    void enter_();
    /// The destructor of a derived class calls it before the wake_up is destroyed.
    void leave_() noexcept;

    wake_up& wake_;
    channel_map& map_;
};

}  // namespace asyncore
