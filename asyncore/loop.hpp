// The loop.  Python: read() to loop(), and close_all().
#pragma once

#include <asyncore/channel_map.hpp>
#include <asyncore/errors.hpp>

#include <optional>

namespace asyncore {

/// How ready events become calls: as asyncore.poll() does it, or as asyncore.poll2() does.
enum class delivery { select, poll };

/// Each of these calls one hook.  An exception goes to obj.handle_error(), which runs inside the
/// catch block: `throw;` there is Python's bare `raise`, and leaves the loop.  ExitNow and its kind
/// (see _reraised_exception()) leave at once.
void read(channel& obj);
void write(channel& obj);
void _exception(channel& obj);

/// Calls the hooks for all of `flags`, one after the other, even when one of them closed the
/// channel (but not when a hook destroyed it).  A std::system_error whose number is in
/// _DISCONNECTED becomes a handle_close(), any other exception a handle_error().
///
/// Python:  flags are those of select.poll(): POLLIN is events::read, and so on.
void readwrite(channel& obj, platform::events flags);

/// One turn, delivered as Python's select() loop does: read() for each readable channel, then
/// write() for each writable channel, then _exception() for each channel with out-of-band data.
/// `timeout` is how long to wait when nothing is ready: a number of seconds, a std::chrono duration, or
/// std::nullopt for no limit.  With an empty map, poll() returns at once.
void poll(platform::timeout timeout = 0.0, channel_map* map = nullptr);

/// One turn, delivered as Python's poll2() does: readwrite() for one ready channel after the other.
void poll2(platform::timeout timeout = 0.0, channel_map* map = nullptr);
/// The same as poll2().
inline void poll3(platform::timeout timeout = 0.0, channel_map* map = nullptr) {
    poll2(timeout, map);
}

/// One turn of loop().  Differs from poll() and poll2(): a channel that promised to report changes is asked
/// only if it reported one.
void take_turn(platform::timeout timeout, channel_map& map, delivery how);

/// Takes turns until the map is empty, or until `count` turns were taken.  `use_poll` picks the delivery:
/// poll2() in place of poll().  Differs: D25 - it does not pick the mechanism, which is the map's.
///
/// May be called again from a hook.
/// Throws: what leaves a hook (ExitNow), handle_error() or a predicate; the map stays usable.
void loop(platform::timeout timeout = 30.0, bool use_poll = false, channel_map* map = nullptr,
          std::optional<long> count = std::nullopt);

/// The same with Python's keywords: loop({.timeout = 0.1, .count = 5}).
struct loop_arguments {
    platform::timeout timeout = 30.0;
    bool use_poll = false;
    channel_map* map = nullptr;
    std::optional<long> count = std::nullopt;
};
inline void loop(const loop_arguments& given) {
    loop(given.timeout, given.use_poll, given.map, given.count);
}

void loop(platform::timeout, bool, channel_map&, ...) = delete;  // loop({.map = &map})

/// Calls close() of every channel, and clears the map.  An error of close() leaves close_all(),
/// except EBADF, or any error with `ignore_all`.  ExitNow always leaves.
void close_all(channel_map* map = nullptr, bool ignore_all = false);

/// While an interrupt_on_sigint exists, a SIGINT makes the loop on `map` throw KeyboardInterrupt instead
/// of ending the process.  Differs: D23 - Python has that built in.
class interrupt_on_sigint {
public:
    explicit interrupt_on_sigint(channel_map* map = nullptr);
    ~interrupt_on_sigint();
    interrupt_on_sigint(const interrupt_on_sigint&) = delete;
    interrupt_on_sigint& operator=(const interrupt_on_sigint&) = delete;

private:
    channel_map& map_;
    const bool outer_;  // whether the map already watched SIGINT; then it watches on at the end
};

}  // namespace asyncore
