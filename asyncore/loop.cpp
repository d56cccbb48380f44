// Python: Lib/asyncore.py, read() to loop(), and close_all().
#include <asyncore/loop.hpp>

#include <asyncore/platform/interrupt.hpp>

#include <forward_list>

namespace asyncore {

using platform::events;

namespace {

/// Calls a hook; whatever it throws, but for ExitNow and its kind, is the channel's to handle.
void guarded(channel& obj, void (channel::*hook)()) {
    const alive it(obj);
    try {
        (obj.*hook)();
    } catch (...) {
        // A channel that destroyed itself cannot handle what it then threw.
        if (!it || _reraised_exception()) throw;
        obj.handle_error();
    }
}

// What select() calls readable, writable and exceptional, in the words of poll().
bool readable(events asked, events what) {
    return any(asked & events::read) && any(what & (events::read | events::hangup | events::error));
}
bool writable(events asked, events what) {
    return any(asked & events::write) && any(what & (events::write | events::error));
}

void turn_as_select(platform::timeout timeout, channel_map& map) {
    if (map.empty()) return;
    channel_map::turn turn(map, timeout, delivery::select);
    for (const auto& each : turn.events())
        if (readable(each.asked, each.what)) turn.serve(each, read);
    for (const auto& each : turn.events())
        if (writable(each.asked, each.what)) turn.serve(each, write);
    for (const auto& each : turn.events())
        if (any(each.what & events::priority)) turn.serve(each, _exception);
    for (const auto& each : turn.events())
        if (any(each.what & events::invalid))
            turn.serve(each, [](channel& obj) { guarded(obj, &channel::handle_close); });
}

void turn_as_poll(platform::timeout timeout, channel_map& map) {
    if (map.empty()) return;
    channel_map::turn turn(map, timeout, delivery::poll);
    for (const auto& each : turn.events())
        turn.serve(each, [&](channel& obj) { readwrite(obj, each.what); });
}

/// Whoever begins had its chance to edit channels by hand, so all of them are asked; and to close
/// the last of them, so there may be no turn that lets go of it.
channel_map& begin_with(channel_map* map) {
    auto& channels = map_or_default(map);
    channels.sweep();
    channels.ask_everyone();
    return channels;
}

}  // namespace

void read(channel& obj) { guarded(obj, &channel::handle_read_event); }

void write(channel& obj) { guarded(obj, &channel::handle_write_event); }

void _exception(channel& obj) { guarded(obj, &channel::handle_expt_event); }

void readwrite(channel& obj, events flags) {
    const alive it(obj);
    try {
        if (any(flags & events::read)) obj.handle_read_event();
        if (it && any(flags & events::write)) obj.handle_write_event();
        if (it && any(flags & events::priority)) obj.handle_expt_event();
        if (it && any(flags & (events::hangup | events::error | events::invalid)))
            obj.handle_close();
    } catch (const std::system_error& error) {
        if (!it) throw;
        if (_DISCONNECTED.contains(error.code().value())) obj.handle_close();
        else obj.handle_error();
    } catch (...) {
        if (!it || _reraised_exception()) throw;
        obj.handle_error();
    }
}

void poll(platform::timeout timeout, channel_map* map) { turn_as_select(timeout, begin_with(map)); }

void poll2(platform::timeout timeout, channel_map* map) { turn_as_poll(timeout, begin_with(map)); }

void loop(platform::timeout timeout, bool use_poll, channel_map* map, std::optional<long> count) {
    auto& channels = begin_with(map);
    const auto turn = use_poll ? turn_as_poll : turn_as_select;
    while (channels && (!count || (*count)-- > 0)) turn(timeout, channels);
}

void close_all(channel_map* map, bool ignore_all) {
    auto& channels = map_or_default(map);
    const auto all = channels.items();
    // The close() of one may destroy another that is only borrowed.  The last to watch is the first
    // in the list, which goes first, as alive wants it.
    std::forward_list<alive> watched;
    for (auto each = all.rbegin(); each != all.rend(); ++each) watched.emplace_front(*each->second);
    auto it = watched.begin();
    for (const auto& [fd, obj] : all) {
        if (!*it++) continue;
        try {
            obj->close();
        } catch (const std::system_error& error) {
            if (error.code().value() != EBADF && !ignore_all) throw;
        } catch (...) {
            if (!ignore_all || _reraised_exception()) throw;
        }
    }
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
