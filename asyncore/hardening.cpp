// What the library does where a server in Python would end, spin (use a whole processor for nothing) or
// go deaf (accept no connection any more).  docs/differences.md marks each entry of this kind "hardened";
// channel_map::exact turns all of them off.
//
// Three means suffice.  A channel rests: it is not watched until the map's deadline, a tenth of a
// second ahead.  A part of a channel's interest is masked until its cause is gone.  A wait that the
// system refuses is tried again after a pause.
#include <asyncore/dispatcher.hpp>
#include <asyncore/errors.hpp>
#include <asyncore/turn.hpp>

#include <asyncore/platform/descriptor.hpp>
#include <asyncore/platform/descriptor_reserve.hpp>
#include <asyncore/platform/sigpipe.hpp>
#include <asyncore/platform/socket.hpp>

#include <iostream>
#include <thread>

namespace asyncore {

using namespace std::chrono_literals;
using platform::events;

// --- The map.

bool channel_map::asked_to_be_exact() {
    const char* const value = std::getenv("ASYNCORE_EXACT");
    return value && std::string_view(value) != "0";
}

void channel_map::print(std::string_view message, std::string_view type) {
    const platform::no_sigpipe guard;
    (type == "log" ? std::cerr : std::cout) << type << ": " << message << std::endl;
}

void channel_map::log_info(std::string_view message, std::string_view type) const {
    try {
        if (log) log(message, type);
    } catch (...) {
        if (_reraised_exception()) throw;
    }
}

bool channel_map::may_log(fault what) noexcept {
    const auto now = clock::now();
    auto& last = logged_[static_cast<std::size_t>(what)];
    if (now - last < 1s) return false;
    last = now;
    return true;
}

/// Logs "text: why".  Without memory for the line there is no line.
void channel_map::report(fault what, const char* text, const char* why) noexcept {
    const bool is_allowed = may_log(what);
    if (!is_allowed) return;
    try {
        log_info(std::string(text) + ": " + why);
    } catch (...) {
        return;
    }
}

void channel_map::rest(int fd) noexcept {
    const auto at = place_of(fd);
    if (at == no_place) return;
    const auto masked = entries_[at].masked;
    forget(entries_[at]);
    entries_[at].masked = masked | rests;
    wake_at(clock::now() + 100ms);
}

void channel_map::stop_reading(int fd) noexcept {
    const auto at = place_of(fd);
    if (at == no_place) return;
    entries_[at].masked |= events::read;
    interest_changed(fd);
}

std::string channel_map::rest_listener(int fd, int error) {
    const bool none_left = error == EMFILE || error == ENFILE;
    const bool dropped = none_left && platform::drop_connection(fd);
    if (!dropped) rest(fd);
    const bool is_allowed = may_log(none_left ? fault::descriptors : fault::accept);
    if (!is_allowed) return "";
    return dropped ? "no descriptors left, a connection was dropped"
                   : "accept: " + _strerror(error) + ", the listener rests";
}

// --- The turn.

/// The map's deadline has come: asks the channels that rest, the channels whose answers may have changed,
/// and the channels that are asked in every turn.
void turn::wake() {
    map_.deadline_ = channel_map::never;
    for (place at = 0; at < map_.entries_.size(); ++at) {
        auto& masked = map_.entries_[at].masked;
        if (!any(masked & channel_map::rests)) continue;
        masked &= ~channel_map::rests;
        map_.ask_once_.add(at);
    }
    ask_and_tell();
}

/// The part of `interest` that is not masked.  Out-of-band data is unmasked once none is reported.
events turn::unmasked(place at, events interest) {
    auto& entry = map_.entries_[at];
    if (any(entry.masked & channel_map::rests)) return events::none;
    if (any(entry.masked & events::priority) && !platform::has_urgent(entry.fd))
        entry.masked &= ~events::priority;
    return interest & ~entry.masked;
}

void turn::settle_urgent(const event& each) {
    if (map_.exact || !stands(each)) return;
    auto& entry = map_.entries_[each.at];
    if (!platform::has_urgent(entry.fd)) return;
    platform::drop_urgent(entry.fd);
    if (!platform::has_urgent(entry.fd)) return;
    // The byte lies among the other data (SO_OOBINLINE): masked until the channel has read past it.
    entry.masked |= events::priority;
    ask(each.at);
}

turn::progress turn::progress_of(const event& each) const {
    if (map_.exact || !stands(each)) return {};
    const auto& entry = map_.entries_[each.at];
    auto* const layer = entry.value->stream_();
    const auto unread = platform::unread_bytes(entry.fd);
    if (!layer) return {unread};
    return {unread + layer->pending(), layer->received()};
}

/// Sleeps until the poller reports something or `limit` has passed.  At the map's deadline it calls
/// wake(), and then the sleep goes on.
void turn::sleep(platform::timeout limit) {
    while (map_.deadline_ != channel_map::never) {
        if (channel_map::clock::now() >= map_.deadline_) wake();
        if (map_.empty()) limit = 0.0;  // the last channel has closed: the loop ends
        if (map_.deadline_ == channel_map::never) break;
        const auto start = channel_map::clock::now();
        const auto until = std::max(map_.deadline_ - start, channel_map::clock::duration::zero());
        const bool is_last = limit.within(until);
        wait_on_poller(limit.at_most(until));
        if (is_last || !memory_->reported.empty() || !noted_.empty()) return;
        limit = limit.after(channel_map::clock::now() - start);
    }
    wait_on_poller(limit);
}

/// Differs: D29 - a wait that the system refuses is tried again.
void turn::wait_on_poller(platform::timeout limit) {
    while (true) {
        if (!noted_.empty()) limit = 0.0;
        try {
            map_.poller().wait(limit, memory_->reported);
            map_.failing_since_ = channel_map::never;
            return;
        } catch (const foreign_exception&) {
            throw;  // the system did not fail: a handler of a signal raised it
        } catch (const std::exception& why) {
            // A std::logic_error says that there is no such mechanism, and trying again does not help.
            const bool passes = !dynamic_cast<const std::logic_error*>(&why);
            if (map_.exact || !passes) throw;
            memory_->reported.clear();
            limit = limit.after(recover(why));
        }
        if (limit.zero()) return;
        ask_changed();
    }
}

/// Pauses after a failed wait.  A pause lasts as long as the waits have been failing, but 1 ms at least and
/// 100 ms at most: so the pauses double.
/// Returns: how long it paused.
/// Throws: the exception being handled, if waits have failed for ten seconds.
std::chrono::nanoseconds turn::recover(const std::exception& why) {
    const auto now = channel_map::clock::now();
    map_.failing_since_ = std::min(map_.failing_since_, now);
    const auto lasted = now - map_.failing_since_;
    if (lasted > 10s) {
        map_.failing_since_ = channel_map::never;
        throw;
    }
    map_.report(fault::wait, "the wait failed and is tried again", why.what());
    const auto* error = dynamic_cast<const std::system_error*>(&why);
    const int code = error ? error->code().value() : 0;
    if (code == EBADF || code == EINVAL) map_.poller_.reset();  // its set may be gone
    std::this_thread::sleep_for(std::clamp<std::chrono::nanoseconds>(lasted, 1ms, 100ms));
    return channel_map::clock::now() - now;
}

/// The poller did not take the entry at `at`.  This runs inside the catch block.  Differs: D26 - the
/// exception does not leave the loop.
void turn::refused(place at, const std::exception& why) {
    auto& entry = map_.entries_[at];
    const auto* error = dynamic_cast<const std::system_error*>(&why);
    const bool out_of_range = dynamic_cast<const std::invalid_argument*>(&why) != nullptr;
    entry.told = events::none;
    map_.ask_once_.add(at);
    const bool is_bad = error && error->code().value() == EBADF;
    if (is_bad && (map_.exact || !platform::is_open(entry.fd))) {
        noted_.push_back({at, entry.serial, events::none, events::invalid});
        return;  // this turn calls handle_close()
    }
    if (map_.exact) {
        if (!error) throw;  // Python: the ValueError of select.select(), which leaves the loop
        return entry.value->handle_error();
    }
    map_.rest(entry.fd);
    if (out_of_range) return entry.value->handle_error();
    map_.report(fault::watch, "a channel cannot be watched, and is tried again", why.what());
}

// --- The dispatcher.

namespace {

/// Errors of accept(2) that are about one connection, and not about the listener.
const std::set<int> errors_of_a_connection{ECONNABORTED, EPROTO,    EPERM,        ENETDOWN,
                                           ENETUNREACH,  EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT};

}  // namespace

/// Says why there is no connection.  A listener that could spin on the error rests.
std::nullopt_t dispatcher::no_connection_(int err) {
    const bool passes = platform::would_block(err) || errors_of_a_connection.contains(err);
    if (passes && failed_accepts_ < 10) {
        ++failed_accepts_;
        return std::nullopt;
    }
    if (!platform::is_listener(socket.fileno())) throw platform::os_error(err, "accept");
    const auto line = _map->rest_listener(_fileno, err);
    if (!line.empty()) log_info(line, "error");
    return std::nullopt;
}

/// While promises are checked: names a channel whose events go on and move no byte.  It is only logged,
/// since a class may send and receive by methods of its own.
void dispatcher::check_for_spin_() {
    if (events_in_vain_ == most_events_in_vain_) return;
    ++events_in_vain_;
    if (events_in_vain_ < most_events_in_vain_ || platform::is_datagram(socket.fileno())) return;
    _map->log_info(
        type_name(typeid(*this)) + ": " + std::to_string(most_events_in_vain_) +
            " events in a row moved no byte: does writable() say true with nothing to send, "
            "or does handle_close() not close the channel?",
        "error");
}

void dispatcher::throw_spin_() const {
    throw std::logic_error(type_name(typeid(*this)) +
                           ": writable() says true and handle_write() is not overridden, so the "
                           "loop never waits: override writable()");
}

/// Differs: D32 - what is thrown while one connection is made does not close the listener.
void dispatcher::serve_listener_() {
    const alive still_here(*this);
    try {
        handle_accept();
    } catch (...) {
        if (!still_here || exact_() || _reraised_exception()) throw;
        handle_error();
    }
}

/// Differs: D33 - a channel that has no peer does not write: it closes, or rests until connect().
void dispatcher::handle_hung_up_write_event_() {
    const bool has_peer = connected || connecting || !platform::is_unconnected(_fileno);
    if (exact_() || has_peer) return handle_write_event();
    const bool by_create_socket = family_and_type != std::pair(0, 0);
    if (by_create_socket) _map->rest(_fileno);
    else handle_close();
}

}  // namespace asyncore
