// Calls that the loop makes later.  Python: call_later() and call_every() of pyftpdlib's ioloop.
#pragma once

#include <asyncore/channel_map.hpp>
#include <asyncore/platform/socket.hpp>
#include <asyncore/platform/timeout.hpp>

#include <chrono>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>

namespace asyncore {

class timers;
class timers_of;

/// A call that is scheduled.  Copies mean the same call.  Dropping a timer cancels nothing.
/// Python: what call_later() returns.
class timer {
public:
    /// No call: cancelled() is true.  Python: None.
    timer() = default;
    /// May be called again, from the call itself, and after the timers object was destroyed.
    void cancel() const noexcept;
    /// Has the whole delay begin anew.  Does nothing if the call is cancelled or was made.
    void reset() const;
    /// Whether the call is not scheduled: it was cancelled, or it was made.
    bool cancelled() const noexcept;

private:
    friend class timers;
    friend class timers_of;
    struct call;
    explicit timer(const std::shared_ptr<call>& made) noexcept : call_(made) {}
    std::weak_ptr<call> call_;
};

/// Calls functions at a later time, in the thread of the loop on its map.  The object is in the map only
/// while a call is scheduled, so loop() goes on until the last call was made or cancelled.
///
/// A call that is due is an event of this channel, which a turn serves with the other events: under the
/// select delivery, after the reads.  If a call throws, handle_error() is called of the channel that the
/// call is bound to (see timed), or else of this object.
class timers : public channel {
public:
    using clock = channel_map::clock;

    /// `now` is the clock, which a test can set.
    /// Throws: std::system_error if the process has no descriptor left.  The object needs one.
    explicit timers(channel_map* map = nullptr,
                    std::function<clock::time_point()> now = clock::now);
    /// Cancels all calls.
    ~timers() override;

    /// Calls `target` once, in `delay`: seconds, or a std::chrono duration.
    /// Throws: what platform::timeout throws for a number, and std::invalid_argument for std::nullopt
    ///         and for an empty function.
    timer call_later(platform::timeout delay, std::function<void()> target);
    /// Calls `target` after each `period`, until it is cancelled.  The times are multiples of the
    /// period after now, however long a call takes.  Times that were missed are left out.
    timer call_every(platform::timeout period, std::function<void()> target);

    std::size_t size() const noexcept { return queue_.size(); }
    bool empty() const noexcept { return queue_.empty(); }
    /// How long a loop of the program's own may wait: zero if a call is due, for ever if none is
    /// scheduled.  loop() needs no such help.
    platform::timeout timeout() const;

    /// Cancels all calls.  The object can be used again.
    void close() override;
    /// Called when a call has thrown that is bound to no channel, or that destroyed its channel.  By
    /// default the map logs the exception.  `throw;` leaves the loop.
    void handle_error() override;

    // What the loop calls.

    bool readable() override { return false; }
    bool writable() override;
    void handle_read_event() override {}
    /// Makes the calls that are due.
    void handle_write_event() override;
    void handle_expt_event() override {}
    void handle_close() override { close(); }

private:
    friend class timer;
    friend class timers_of;

    /// The order of the calls.  Calls that are due at the same time are made in the order of their
    /// serial numbers.
    struct due_time {
        clock::time_point when;
        std::uint64_t serial = 0;
        // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 sees the 0 that the compiler compares with.
        auto operator<=>(const due_time&) const = default;
    };
    using call = timer::call;
    using queue = std::map<due_time, std::shared_ptr<call>>;

    timer schedule(platform::timeout delay, std::function<void()> target, bool repeats,
                   timers_of* owner);
    void move(call& scheduled, clock::time_point when);
    void end(call& scheduled) noexcept;
    void enter();
    void leave() noexcept;
    void make(call& due);
    void end_and_call(call& due);
    clock::time_point next_time(const call& made) const;

    channel_map& map_;
    std::function<clock::time_point()> now_;
    platform::socket always_writable_;  // stands in the map, and is watched only when a call is due
    queue queue_;
    std::uint64_t serial_ = 0;     // of the call that was scheduled last
    bool is_of_an_owner_ = false;  // the handle_error() of a channel has thrown the exception
};

/// The calls that belong to one channel: it is a member of the channel, and cancels them when it is
/// destroyed.  See timed.
class timers_of {
public:
    timers_of(timers& with, channel& owner) noexcept : timers_(with), owner_(owner) {}
    ~timers_of() { cancel(); }
    timers_of(const timers_of&) = delete;
    timers_of& operator=(const timers_of&) = delete;

    // As the methods of timers.  If the call throws, handle_error() of the channel is called.

    timer call_later(platform::timeout delay, std::function<void()> target) {
        return timers_.schedule(delay, std::move(target), false, this);
    }
    timer call_every(platform::timeout period, std::function<void()> target) {
        return timers_.schedule(period, std::move(target), true, this);
    }
    /// Cancels all of them.
    void cancel() noexcept;

private:
    friend class timers;
    timers& timers_;
    channel& owner_;
    std::set<timer::call*> calls_;
};

/// A channel with calls of its own, which close() and the destructor cancel.  Python: AsyncChat of
/// pyftpdlib.
///
///     struct handler : asyncore::timed<asynchat::async_chat> {
///         handler(asyncore::timers& timers, asyncore::socket_t sock) : timed(timers, std::move(sock)) {
///             call_later(300, [this] { handle_timeout(); });
///         }
template <std::derived_from<channel> Base>
class timed : public Base {
public:
    /// `with` must live until the last call_later() or call_every() of this channel.
    template <class... Arguments>
    explicit timed(timers& with, Arguments&&... arguments)
        : Base(std::forward<Arguments>(arguments)...), timers_(with, *this) {}

    timer call_later(platform::timeout delay, std::function<void()> target) {
        return timers_.call_later(delay, std::move(target));
    }
    timer call_every(platform::timeout period, std::function<void()> target) {
        return timers_.call_every(period, std::move(target));
    }
    void close() override {
        timers_.cancel();
        Base::close();
    }

private:
    timers_of timers_;
};

}  // namespace asyncore
