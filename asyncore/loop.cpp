// Python: Lib/asyncore.py, read() to loop(), and close_all().
#include <asyncore/loop.hpp>

#include <asyncore/platform/interrupt.hpp>
#include <asyncore/spawned.hpp>
#include <asyncore/turn.hpp>

namespace asyncore {

using platform::events;

namespace {

constexpr auto closing_events = events::hangup | events::error | events::invalid;

/// Calls a method of the channel.  If the method throws, calls handle_error() of the channel, except for
/// ExitNow and its kind.
void guarded(channel& obj, void (channel::*method)()) {
    const alive still_here(obj);
    try {
        (obj.*method)();
    } catch (...) {
        // Differs: D16 - a channel that destroyed itself cannot handle what it then threw.
        if (!still_here || _reraised_exception()) throw;
        obj.handle_error();
    }
}

}  // namespace

void read(channel& obj) { guarded(obj, &channel::handle_read_event); }
void write(channel& obj) { guarded(obj, &channel::handle_write_event); }
void _exception(channel& obj) { guarded(obj, &channel::handle_expt_event); }

namespace {

/// What readwrite() does.  After the other hooks it calls `ended`, which says whether a hang-up or an
/// error closes the channel now.
template <class Ended>
void readwrite_until(channel& obj, events flags, Ended ended) {
    const alive still_here(obj);
    try {
        if (any(flags & events::read)) obj.handle_read_event();
        if (still_here && any(flags & events::write)) obj.handle_write_event();
        if (still_here && any(flags & events::priority)) obj.handle_expt_event();
        if (still_here && any(flags & closing_events) && ended()) obj.handle_close();
    } catch (const std::system_error& error) {
        if (!still_here) throw;
        if (_DISCONNECTED.contains(error.code().value())) obj.handle_close();
        else obj.handle_error();
    } catch (...) {
        if (!still_here || _reraised_exception()) throw;
        obj.handle_error();
    }
}

}  // namespace

void readwrite(channel& obj, events flags) {
    const bool is_done = obj.readwrite_(flags);
    if (!is_done) readwrite_until(obj, flags, [] { return true; });
}

namespace {

// What select() reports, in the words of poll().
constexpr auto readable_events = events::read | events::hangup | events::error;
constexpr auto writable_events = events::write | events::error;

bool in_read_set(const turn::event& each) {
    return any(each.wanted & events::read) && any(each.found & readable_events);
}
bool in_write_set(const turn::event& each) {
    return any(each.wanted & events::write) && any(each.found & writable_events);
}

void write_hung_up(channel& obj) { guarded(obj, &channel::handle_hung_up_write_event_); }

/// Python: poll().
void select_turn(platform::timeout timeout, channel_map& map) {
    if (map.empty()) return;
    turn this_turn(map, delivery::select);
    this_turn.ask_and_tell();
    this_turn.wait(timeout);  // here the process sleeps
    for (const auto& each : this_turn.ready())
        if (in_read_set(each)) this_turn.serve(each, read);
    for (const auto& each : this_turn.ready())
        if (in_write_set(each))
            this_turn.serve(each, any(each.found & events::hangup) ? write_hung_up : write);
    for (const auto& each : this_turn.ready())
        if (any(each.found & events::priority)) {
            this_turn.serve(each, _exception);
            this_turn.settle_urgent(each);
        }
    for (const auto& each : this_turn.ready())
        if (any(each.found & events::invalid))  // Differs: D17
            this_turn.serve(each, [](channel& obj) { guarded(obj, &channel::handle_close); });
}

/// What poll2() does for a ready channel.  Differs: D31 - a hang-up does not close a channel while its
/// hooks read what came before.
void read_to_the_end(channel& obj, const turn::event& each, const turn& this_turn) {
    const bool may_lose = any(each.found & events::read) && any(each.found & closing_events);
    const auto before = may_lose ? this_turn.progress_of(each) : turn::progress();
    const auto ended = [&] {
        if (before.unread == 0 || !this_turn.stands(each)) return true;
        const auto now = this_turn.progress_of(each);
        const bool has_read = now.unread < before.unread || now.received != before.received;
        return !has_read;
    };
    const auto first = before.unread == 0 ? each.found : each.found & ~closing_events;
    const bool is_done = obj.readwrite_(first);
    if (!is_done) return readwrite_until(obj, each.found, ended);
    if (first != each.found && this_turn.stands(each) && ended())
        obj.readwrite_(each.found & closing_events);
}

/// Python: poll2().
void poll_turn(platform::timeout timeout, channel_map& map) {
    if (map.empty()) return;
    turn this_turn(map, delivery::poll);
    this_turn.ask_and_tell();
    this_turn.wait(timeout);  // here the process sleeps
    for (const auto& each : this_turn.ready()) {
        this_turn.serve(each, [&](channel& obj) { read_to_the_end(obj, each, this_turn); });
        if (any(each.found & events::priority)) this_turn.settle_urgent(each);
    }
}

/// The caller may have edited any channel by hand, so all channels are asked.  If the caller closed
/// the last channel, no turn follows that would destroy it, so sweep() does.
channel_map& begin_turns(channel_map* map) {
    auto& channels = map_or_default(map);
    channels.sweep();
    channels.ask_all();
    return channels;
}

/// Calls close(), and swallows the errors that close_all() ignores.
void close_ignoring(channel& obj, bool ignore_all) {
    try {
        obj.close();
    } catch (const std::system_error& error) {
        if (error.code().value() != EBADF && !ignore_all) throw;
    } catch (...) {
        if (!ignore_all || _reraised_exception()) throw;
    }
}

}  // namespace

void poll(platform::timeout timeout, channel_map* map) { select_turn(timeout, begin_turns(map)); }
void poll2(platform::timeout timeout, channel_map* map) { poll_turn(timeout, begin_turns(map)); }

void take_turn(platform::timeout timeout, channel_map& map, delivery how) {
    if (how == delivery::poll) poll_turn(timeout, map);
    else select_turn(timeout, map);
}

void loop(platform::timeout timeout, bool use_poll, channel_map* map, std::optional<long> count) {
    const auto how = use_poll ? delivery::poll : delivery::select;
    auto& channels = begin_turns(map);
    while (channels && (!count || *count > 0)) {
        take_turn(timeout, channels, how);
        if (count) --*count;
    }
}

void close_all(channel_map* map, bool ignore_all) {
    auto& channels = map_or_default(map);
    const released::hold until_the_next_loop;  // the destructor of `all` destroys no channel
    // A channel leaves `all` when a close() destroys it.  Then the loop below skips it.
    channel_map all;
    all.update(channels);
    for (const auto& [fd, obj] : all) close_ignoring(obj, ignore_all);
    channels.clear();
}

interrupt_on_sigint::interrupt_on_sigint(channel_map* map)
    : map_(map_or_default(map)), outer_(map_.watches_interrupt()) {
    const int fd = platform::catch_sigint();
    try {
        map_.watch_interrupt(fd);
    } catch (...) {
        platform::release_sigint();
        throw;
    }
}

interrupt_on_sigint::~interrupt_on_sigint() {
    if (!outer_) map_.watch_interrupt(-1);
    platform::release_sigint();
}

}  // namespace asyncore
