// One turn of the loop: ask, tell, wait, serve.
#pragma once

#include <asyncore/channel_map.hpp>
#include <asyncore/loop.hpp>
#include <asyncore/spares.hpp>
#include <asyncore/spawned.hpp>

#include <vector>

namespace asyncore {

/// One turn.  It lives on the stack of poll() or poll2(), and what it found is its own, so a hook
/// may run a turn inside it.
class turn {
public:
    /// Something happened to the channel whose entry had this place and this serial number.
    struct event {
        place at;
        std::uint64_t serial;
        platform::events wanted, found;  // what the channel wanted to do, and what it can do
    };

    turn(channel_map& map, delivery how) : map_(map), how_(how) {
        released::begin_turn();
        ++map_.turns_;
        // In a nested turn, the channel whose hook runs the turn is asked too if it reports a change.
        map_.served_ = channel_map::no_descriptor;
    }
    ~turn();
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

    /// Asks the channels readable() and writable(), and tells the poller each new answer.
    /// Throws: what a predicate throws.  In an exact map also the error if the poller cannot be made; in
    ///         another map, wait() tries again to make the poller.
    void ask_and_tell();

    /// Sleeps in the poller until something is ready or `limit` has passed.  At the map's deadline it
    /// wakes, asks channels anew, and sleeps again.  Differs: D18 - without a limit it sleeps even if no
    /// channel wants anything.
    /// Throws: KeyboardInterrupt after a SIGINT, what poller::wait() throws, and at the map's deadline what
    ///         ask_and_tell() throws.
    void wait(platform::timeout limit);

    /// What the wait found, in the order of the map.
    const std::vector<event>& ready() const noexcept { return memory_->ready; }

    /// Calls `call` with the channel of the event, then asks the channel again while it is in the
    /// processor's cache.  Differs: D4 - drops an event whose channel left the map after the wait.
    template <class Call>
    void serve(const event& each, Call call) {
        if (!stands(each)) return;
        auto& entry = map_.entries_[each.at];
        map_.served_ = entry.fd;
        try {
            call(*entry.value);
        } catch (...) {
            map_.served_ = channel_map::no_descriptor;
            map_.ask_once_.add(each.at);
            throw;
        }
        map_.served_ = channel_map::no_descriptor;
        ask_again(each);
    }

    /// Whether the channel of the event is still in the map, and in the same entry.
    bool stands(const event& each) const noexcept {
        return map_.entries_[each.at].serial == each.serial;
    }
    /// Differs: D30 - an out-of-band byte that the hooks did not receive is dropped or masked, so that
    /// the poller does not report it again and again.
    void settle_urgent(const event& each);
    struct progress {
        std::size_t unread = 0;    // bytes that wait to be read
        std::size_t received = 0;  // bytes that came through the stream of the channel
    };
    /// How far the channel of the event has read.  Zeros if the channel left the map, or if the map is
    /// exact.
    progress progress_of(const event& each) const;

private:
    /// What a turn fills with events.  A finished turn gives it to the spares, for the next turn.
    struct memory {
        using value_type = event;
        std::vector<platform::ready> reported;  // by the poller, in no particular order
        place_set order;                        // the places of what was reported: sorts it
        std::vector<event> ready;               // what was reported, in the order of the map
        std::size_t capacity() const noexcept { return ready.capacity(); }
    };
    using memories = spares<memory, SIZE_MAX - 32>;  // of any size

    bool promises(place at) const;
    void ask_changed();
    void wake();
    void ask(place at);
    void add_noted();
    platform::events through(platform::stream& layer, place at);
    platform::events heard_through(place at, platform::events found);
    platform::events unmasked(place at, platform::events interest);
    void refused(place at, const std::exception& why);
    void sleep(platform::timeout limit);
    void sort_reported();
    void wait_on_poller(platform::timeout limit);
    std::chrono::nanoseconds recover(const std::exception& why);
    void tell(place at, platform::events interest);
    void ask_again(const event& each);
    void check() const;

    channel_map& map_;
    const delivery how_;
    bool has_waited_ = false;  // the wait is over, and this turn serves what it found
    std::unique_ptr<memory> memory_ = memories::take();
    std::vector<event> noted_;  // what is known before the wait: closed descriptors, pending bytes
};

}  // namespace asyncore
