#include <asyncore/channel_map.hpp>

#include <asyncore/errors.hpp>
#include <asyncore/platform/interrupt.hpp>

#include <atomic>
#include <cstdlib>
#include <typeinfo>

namespace asyncore {

using platform::events;

namespace {

std::uint64_t next_serial() {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

channel_map& map_or_default(channel_map* map) {
    static auto& global =
        *new channel_map;  // channels of static objects may use it to the very end
    return map ? *map : global;
}

bool channel_map::checked_by_default() {
    static const bool checked = std::getenv("ASYNCORE_CHECK") != nullptr;
    return checked;
}

channel_map::~channel_map() {
    // Destructors of channels are the user's, and may add others.  Nothing here asks for memory.
    while (live_ != 0 || !dropped_.empty()) {
        for (place at = 0; at < entries_.size(); ++at) {
            if (!entries_[at].value) continue;
            std::shared_ptr<channel> last;
            if (entries_[at].value.use_count() > 0) last = std::move(entries_[at].value);
            erase(entries_[at].fd);
        }
        static_cast<void>(std::exchange(dropped_, {}));
    }
}

// ---------------------------------------------------------------------------
// The dict.
// ---------------------------------------------------------------------------

/// Where the entry of a descriptor is, or `nobody`.
channel_map::place channel_map::place_of(int fd) const noexcept {
    const auto at = static_cast<std::size_t>(fd) + 1;
    if (fd < -1 || at >= places_.size()) return nobody;
    return places_[at] - 1;
}

channel* channel_map::get(int fd) const noexcept {
    const auto at = place_of(fd);
    return at != nobody ? entries_[at].value.get() : nullptr;
}

void channel_map::set(int fd, channel& value) {
    constexpr int most = 1 << 24;
    if (fd < -1 || fd > most) throw std::invalid_argument("no descriptor: " + std::to_string(fd));
    // What asks for memory comes first: where there is none, the map is as it was.
    const auto index = static_cast<std::size_t>(fd + 1);
    if (index >= places_.size()) places_.resize(index + 1);
    auto at = place_of(fd);
    const bool is_new = at == nobody;
    if (is_new) {
        if (turns_ == 0) compact();
        at = static_cast<place>(entries_.size());
        entries_.emplace_back().fd = fd;  // like an erased one, as long as it has no value
    }
    note(at);
    auto& held = entries_[at];
    const bool owns = held.value.use_count() > 0, could_own = !value.weak_from_this().expired();
    if (held.value.get() != &value || owns != could_own) put(held, value);
    untell(held);  // it may be another file now
    if (!is_new) return;
    places_[index] = at + 1;
    ++live_;
}

/// Fills an entry, in place of what it held.
void channel_map::put(entry& at, channel& value) {
    auto owned = value.weak_from_this().lock();
    if (!owned) {
        if (!value.borrowings_)
            value.borrowings_ = std::make_unique<std::vector<channel::borrowing>>();
        value.borrowings_->reserve(value.borrowings_->size() + 1);
    }
    let_go(at);
    at.serial = next_serial();
    at.value = std::move(owned);
    if (at.value) return;
    at.value = std::shared_ptr<channel>(std::shared_ptr<void>(), &value);  // borrows
    value.borrowings_->push_back({this, at.fd});
}

/// Has the poller forget an entry.  One that is not there, or is the parent's, has nothing to forget.
void channel_map::untell(entry& at) noexcept {
    if (at.told != events::none && waiter_ && forks_ == platform::fork_count())
        waiter_->watch(at.fd, events::none);
    at.told = events::none;
}

/// Empties an entry: what is owned stays until the turn ends.
void channel_map::let_go(entry& at) {
    if (!at.value) return;
    if (at.value.use_count() > 0) {
        dropped_.push_back(std::move(at.value));
        return;
    }
    std::erase_if(*at.value->borrowings_, [&](const channel::borrowing& each) {
        return each.map == this && each.fd == at.fd;
    });
    at.value.reset();
}

/// Ends a turn: what was dropped in it goes, by destructors that are the user's.
void channel_map::let_all_go() {
    if (!dropped_.empty()) static_cast<void>(std::exchange(dropped_, {}));
    compact();
}

bool channel_map::erase(int fd) {
    const auto at = place_of(fd);
    if (at == nobody) return false;
    auto& gone = entries_[at];
    let_go(gone);
    untell(gone);
    gone.serial = 0;
    places_[static_cast<std::size_t>(fd + 1)] = 0;
    --live_;
    return true;
}

void channel_map::clear() {
    for (const auto& each : entries_)
        if (each.value) erase(each.fd);
}

void channel_map::reference::operator=(channel* value) {
    if (!value) throw std::invalid_argument("no channel for descriptor " + std::to_string(fd_));
    map_.set(fd_, *value);
}

void channel_map::swap(channel_map& other) {
    const auto mine = items(), theirs = other.items();
    clear();
    other.clear();
    for (const auto& [fd, value] : theirs) set(fd, *value);
    for (const auto& [fd, value] : mine) other.set(fd, *value);
}

void channel_map::update(const channel_map& other) {
    for (const auto& [fd, value] : other.items()) set(fd, *value);
}

std::vector<int> channel_map::keys() const {
    std::vector<int> all;
    for (const auto& [fd, value] : *this) all.push_back(fd);
    return all;
}

std::vector<std::pair<int, std::shared_ptr<channel>>> channel_map::items() const {
    std::vector<std::pair<int, std::shared_ptr<channel>>> all;
    for (const auto& each : entries_)
        if (each.value) all.emplace_back(each.fd, each.value);
    return all;
}

void channel_map::own(channel& value) {
    if (!value.borrowings_) return;
    for (const auto& each : std::vector(*value.borrowings_)) each.map->set(each.fd, value);
    value.borrowings_.reset();
}

/// Squeezes the erased entries out.  Places change, so not while a turn is under way.
void channel_map::compact() {
    if (entries_.size() < 64 || entries_.size() < 2 * live_) return;
    std::erase_if(entries_, [](const entry& each) { return !each.value; });
    for (place at = 0; at < entries_.size(); ++at)
        places_[static_cast<std::size_t>(entries_[at].fd + 1)] = at + 1;
    scanned_.clear();
    changed_.clear();  // of places that are others' now, or nobody's; everyone is asked
    ask_everyone();
}

// ---------------------------------------------------------------------------
// The mechanism.
// ---------------------------------------------------------------------------

platform::poller& channel_map::waiter() {
    if (waiter_ && forks_ == platform::fork_count()) return *waiter_;
    // None yet; or the kernel's part of it is the parent's, which must not notice that we go.
    const auto forks = platform::fork_count();
    auto made = platform::make_poller(mechanism_);
    if (interrupt_ >= 0) made->watch(interrupt_, events::read);
    waiter_ = std::move(made);
    forks_ = forks;
    forget_all_told();
    return *waiter_;
}

void channel_map::use(std::string mechanism) {
    mechanism_ = std::move(mechanism);
    waiter_.reset();
    forget_all_told();
}

void channel_map::watch_interrupt(int fd) {
    if (fd >= 0) waiter().watch(fd, events::read);
    else if (interrupt_ >= 0 && waiter_ && forks_ == platform::fork_count())
        waiter_->watch(interrupt_, events::none);
    interrupt_ = fd;
}

void channel_map::forget_all_told() {
    for (auto& each : entries_) each.told = events::none;
    ask_everyone();
}

void channel_map::note_changed(int fd) {
    const auto at = place_of(fd);
    if (at != nobody) note(at);
}

void channel_map::note(place at) {
    if (!scanned_.contains(at)) changed_.add(at);
}

// ---------------------------------------------------------------------------
// A turn.  A predicate is the user's: it may edit the map and run a turn of its own, so nothing
// here keeps a reference to an entry across one.
// ---------------------------------------------------------------------------

/// Whether a channel need not be asked until it reports a change.
bool channel_map::promises(const entry& at) const {
    return !at.value->asked_every_turn_ && at.value->reports_changes_to(*this, at.fd);
}

/// Asks those whose answers may have changed; who made no promise joins the scan instead.
void channel_map::ask_changed(delivery how) {
    if (everyone_)
        for (place at = 0; at < entries_.size(); ++at) note(at);
    everyone_ = false;
    if (changed_.empty()) return;
    auto changed = std::exchange(changed_, {});
    try {
        changed.each([&](place at) {
            if (!entries_[at].value || scanned_.contains(at)) return;
            if (promises(entries_[at])) ask(at, how);
            else scanned_.add(at);
        });
    } catch (...) {
        ask_everyone();  // at the next turn: the rest of `changed` was not asked
        throw;
    }
    changed.clear();
    if (changed_.empty()) std::swap(changed_, changed);  // keeps the memory
}

/// Asks those that must be asked on every turn.
void channel_map::ask_scanned(delivery how) {
    scanned_.each([&](place at) {
        if (entries_[at].value) ask(at, how);
    });
}

/// Asks one channel what it wants, and tells the poller in the sets that CPython would use.
void channel_map::ask(place at, delivery how) {
    const auto serial = entries_[at].serial;
    auto& asked = *entries_[at].value;
    const bool readable = asked.readable();
    if (entries_[at].serial != serial) return;  // it took itself out, and may be destroyed
    const bool writable = asked.writable();
    if (entries_[at].serial != serial) return;

    auto interest = events::none;
    if (readable) interest |= events::read;
    if (writable && !asked.accepting) interest |= events::write;
    // CPython's select() also watches a listener that is only writable for out-of-band data, which
    // it never has; poll(2) and epoll(7) would report its hang-up then, unasked and for ever.
    if (readable || (any(interest) && how == delivery::select)) interest |= events::priority;
    if (interest != entries_[at].told) tell(at, interest);
}

void channel_map::tell(place at, events interest) {
    const int fd = entries_[at].fd;
    if (fd < 0) throw platform::not_a_descriptor("a channel in the map has no descriptor");
    auto& poller = waiter();
    try {
        poller.watch(fd, interest);
        entries_[at].told = interest;
    } catch (const std::system_error& error) {
        entries_[at].told = events::none;
        note(at);
        // Differs: D26 - what the system has against one channel is that channel's error.
        if (error.code().value() != EBADF) return entries_[at].value->handle_error();
        entries_[at].what = events::invalid;
        ready_.add(at);
    }
}

/// Verifies that those who were not asked would have said what they said last.
void channel_map::check_everyone() const {
    for (place at = 0; at < entries_.size(); ++at) {
        const auto& each = entries_[at];
        if (!each.value || scanned_.contains(at) || changed_.contains(at)) continue;
        auto& asked = *each.value;
        const bool readable = asked.readable(), writable = asked.writable();
        if (readable == any(each.told & events::read) &&
            (writable && !asked.accepting) == any(each.told & events::write))
            continue;
        throw std::logic_error("descriptor " + std::to_string(each.fd) + ": the predicates of " +
                               type_name(typeid(asked)) +
                               " changed their answers without interest_changed()");
    }
}

void channel_map::wait(platform::timeout limit, std::vector<event>& happened) {
    waiter().wait(ready_.empty() ? limit : platform::timeout(0.0), found_);
    for (const auto& [fd, what] : found_) {
        if (fd == interrupt_) {
            platform::forget_sigint();
            throw KeyboardInterrupt();
        }
        const auto at = place_of(fd);
        if (at == nobody) continue;
        entries_[at].what = what;
        ready_.add(at);
    }
    ready_.each([&](place at) {
        const auto& each = entries_[at];
        happened.push_back({at, each.serial, each.told, each.what});
    });
    ready_.clear();  // a turn that runs in a predicate leaves none to the one around it
}

channel_map::turn::turn(channel_map& map, platform::timeout limit, delivery how)
    : map_(map), how_(how), counted_(map) {
    map_.served_ = no_one;  // if this turn runs in a hook, its channel is like any other now
    events_.swap(map_.spare_);
    events_.clear();
    map_.waiter();        // after a fork it is a new one, which must be told
    map_.ready_.clear();  // who was found closed since is noted, and so found again
    map_.ask_changed(how);
    map_.ask_scanned(how);
    if (map_.check_promises) map_.check_everyone();
    map_.wait(limit, events_);
}

void channel_map::turn::ask_again(const event& each) {
    const auto& entry = map_.entries_[each.at];
    if (entry.serial == each.serial && !map_.scanned_.contains(each.at) && map_.promises(entry))
        map_.ask(each.at, how_);
    else map_.note(each.at);
}

}  // namespace asyncore
