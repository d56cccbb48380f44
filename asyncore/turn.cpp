// The steps of a turn.  What a deadline or a fault adds to them is in hardening.cpp.
//
// A predicate is the user's: it may edit the map, and run a turn of its own.  So nothing here keeps
// a reference to an entry across a call of a predicate.
#include <asyncore/turn.hpp>

#include <asyncore/errors.hpp>
#include <asyncore/platform/error.hpp>
#include <asyncore/platform/interrupt.hpp>
#include <asyncore/platform/socket.hpp>

#include <chrono>
#include <thread>
#include <typeinfo>

namespace asyncore {

using platform::events;

turn::~turn() {
    memory_->ready.clear();
    memory_->order.clear();
    memories::give(std::move(memory_));
    --map_.turns_;
    map_.released_elsewhere_->collect();
    if (map_.turns_ == 0) map_.squeeze();
    released::end_turn();  // last: the destructors are the user's, and may edit the map
}

// --- Ask and tell.

void turn::ask_and_tell() {
    // Made here, a poller that cannot be made leaves the loop, and is not the error of one channel.
    if (map_.exact) map_.poller();
    ask_changed();
    map_.ask_always_.each([this](place at) {
        if (map_.entries_[at].value) ask(at);
    });
    if (map_.check_promises) check();
}

/// Asks the channels whose answers may have changed.
void turn::ask_changed() {
    try {
        // A channel that a predicate adds is asked in the next turn.
        const auto end = static_cast<place>(map_.entries_.size());
        map_.ask_once_.take_each(end, [this](place at) {
            if (!map_.entries_[at].value || map_.ask_always_.contains(at)) return;
            if (promises(at)) ask(at);
            else map_.ask_always_.add(at);
        });
    } catch (...) {
        map_.ask_all();
        throw;
    }
}

/// Whether a channel need not be asked until it reports a change.
bool turn::promises(place at) const {
    const auto& entry = map_.entries_[at];
    return !entry.value->asked_every_turn_ && entry.value->reports_changes_to_(map_, entry.fd);
}

/// Asks one channel what it wants.  The interest names the sets into which Python's poll() or
/// poll2() would put the descriptor.
void turn::ask(place at) {
    const auto& entries = map_.entries_;
    const auto serial = entries[at].serial;
    auto& asked = *entries[at].value;
    const bool readable = asked.readable();
    if (entries[at].serial != serial) return;  // Differs: D15 - it left the map, or is destroyed
    const bool writable = asked.writable();
    if (entries[at].serial != serial) return;

    auto interest = events::none;
    if (readable) interest |= events::read;
    if (writable && !asked.accepting) interest |= events::write;
    // As in CPython's poll(), a channel that is only writable is watched for out-of-band data too.  But
    // a listener is not: it never has such data, and poll(2) and epoll(7) would report its hang-up,
    // unasked and for ever.
    if (readable || (any(interest) && how_ == delivery::select)) interest |= events::priority;
    if (any(entries[at].masked)) interest = unmasked(at, interest);
    auto& entry = map_.entries_[at];
    entry.wanted = interest;
    if (auto* const layer = asked.stream_()) interest = through(*layer, at);
    if (interest != entry.told) tell(at, interest);
}

/// What the descriptor of a stream must be ready for, so that the channel can do what it wants.
[[gnu::noinline]] events turn::through(platform::stream& layer, place at) {
    const auto& entry = map_.entries_[at];
    auto needed = entry.wanted & events::priority;
    if (any(entry.wanted & events::write)) needed |= layer.send_needs();
    if (!any(entry.wanted & events::read)) return needed;
    if (layer.pending() > 0) {
        if (has_waited_) map_.ask_once_.add(at);  // the next turn notes it
        else noted_.push_back({at, entry.serial, entry.wanted, events::read});
    }
    return needed | layer.recv_needs();
}

/// What a channel can do whose descriptor is ready for `found`.  With a stream the two may differ: a TLS
/// session may have to write before it can read.
[[gnu::noinline]] events turn::heard_through(place at, events found) {
    auto* const layer = map_.entries_[at].value->stream_();
    if (!layer) return found;
    const auto wanted = map_.entries_[at].wanted;
    auto heard = found & ~(events::read | events::write);
    if (any(wanted & events::read) && any(found & layer->recv_needs())) heard |= events::read;
    if (any(wanted & events::write) && any(found & layer->send_needs())) heard |= events::write;
    return heard;
}

/// Tells the poller a new interest.  An interest of `none` takes the descriptor out of the poller's set:
/// epoll and poll report a hang-up even for a descriptor that is watched for nothing, on every wait.
void turn::tell(place at, events interest) {
    auto& entry = map_.entries_[at];
    if (entry.fd < 0) throw platform::not_a_descriptor("a channel in the map has no descriptor");
    try {
        map_.poller().watch(entry.fd, interest);
        entry.told = interest;
    } catch (const std::exception& why) {
        refused(at, why);
    }
}

/// Verifies that a channel that was not asked would have answered as it did last.
void turn::check() const {
    for (place at = 0; at < map_.entries_.size(); ++at) {
        const auto [value, serial, fd, wanted, told, found, masked] = map_.entries_[at];
        if (!value || any(masked) || map_.ask_always_.contains(at) || map_.ask_once_.contains(at))
            continue;
        const bool readable = value->readable();
        if (map_.entries_[at].serial != serial) continue;
        const bool writable = value->writable() && !value->accepting;
        if (map_.entries_[at].serial != serial) continue;
        if (readable == any(wanted & events::read) && writable == any(wanted & events::write))
            continue;
        const auto& broken = *value;
        throw std::logic_error("descriptor " + std::to_string(fd) + ": the predicates of " +
                               type_name(typeid(broken)) +
                               " changed their answers without interest_changed_()");
    }
}

// --- Wait.

void turn::wait(platform::timeout limit) {
    if (map_.deadline_ == channel_map::never) wait_on_poller(limit);
    else sleep(limit);
    try {
        sort_reported();
    } catch (const std::bad_alloc& why) {
        if (map_.exact) throw;
        memory_->order.clear();
        memory_->ready.clear();  // what is ready is reported again
        map_.report(fault::wait, "the turn found no memory, and ends", why.what());
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
}

/// Puts what the poller reported into the order of the map.
void turn::sort_reported() {
    has_waited_ = true;
    auto& order = memory_->order;
    const auto note = [&](place at, events found) {
        map_.entries_[at].found = found;
        order.add(at);
    };
    for (const auto& [fd, found] : memory_->reported) {
        if (fd == map_.interrupt_) {
            const bool was_caught = platform::forget_sigint();
            if (was_caught) throw KeyboardInterrupt();
            continue;
        }
        const auto at = map_.place_of(fd);
        if (at == channel_map::no_place) continue;
        const auto& entry = map_.entries_[at];
        note(at, entry.wanted == entry.told ? found : heard_through(at, found));
    }
    if (!noted_.empty()) add_noted();
    order.each([&](place at) {
        const auto& entry = map_.entries_[at];
        memory_->ready.push_back({at, entry.serial, entry.wanted, entry.found});
    });
}

/// Adds what was known before the wait to what the poller reported.
[[gnu::noinline]] void turn::add_noted() {
    auto& order = memory_->order;
    for (const auto& each : noted_) {
        if (!stands(each)) continue;
        auto& found = map_.entries_[each.at].found;
        found = order.contains(each.at) ? found | each.found : each.found;
        order.add(each.at);
    }
}

// --- Serve.

/// A hook of the channel has run, so its answers may have changed.
void turn::ask_again(const event& each) {
    if (!stands(each) || map_.ask_always_.contains(each.at)) return;
    if (promises(each.at)) ask(each.at);
    else map_.ask_once_.add(each.at);
}

}  // namespace asyncore
