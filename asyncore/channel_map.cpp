// The dict and its poller.  What a hardened map does is in hardening.cpp.
#include <asyncore/channel_map.hpp>
#include <asyncore/spawned.hpp>

#include <atomic>
#include <exception>
#include <stdexcept>

namespace asyncore {

using platform::events;

namespace {

std::uint64_t next_serial() {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

}  // namespace

channel_map& map_or_default(channel_map* map) {
    // Never destroyed, because channels of static objects may use it while the process ends.
    static auto& global = *new channel_map;
    return map ? *map : global;
}

/// The destructor of a channel is the user's, and may enter other channels into this map.  So this is
/// repeated until the map is empty.  None of it asks for memory.
channel_map::~channel_map() {
    released_elsewhere_->close();
    do {
        clear();
        released::destroy();
    } while (live_ != 0);
}

// --- The dict.

void channel_map::set(int fd, channel& value) {
    constexpr int most = 1 << 24;
    if (fd < -1 || fd > most) throw std::invalid_argument("no descriptor: " + std::to_string(fd));
    // Whatever asks for memory comes first: if there is none, the map stays as it was.
    const auto index = static_cast<std::size_t>(fd + 1);
    if (index >= places_.size()) places_.resize(index + 1);
    auto at = place_of(fd);
    const bool is_new = at == no_place;
    if (is_new) {
        if (turns_ == 0) squeeze();
        at = static_cast<place>(entries_.size());
        entries_.emplace_back().fd = fd;  // without a value it counts as erased
    }
    ask_once_.add(at);
    ask_always_.make_room(at);
    put(entries_[at], value);
    forget(entries_[at]);  // the descriptor may be another file now
    if (!is_new) return;
    places_[index] = at + 1;
    ++live_;
}

/// Puts a channel into an entry, in place of the channel that it held.
void channel_map::put(entry& where, channel& value) {
    auto owned = owner_of(value);
    const bool same_owner = (owned != nullptr) == (where.value.use_count() > 0);
    if (where.value.get() == &value && same_owner) return;
    if (!owned) borrow(value, where.fd);
    be_home_of(value);
    empty_out(where);
    where.serial = next_serial();
    where.value =
        owned ? std::move(owned) : std::shared_ptr<channel>(std::shared_ptr<void>(), &value);
}

/// Empties an entry.  No owned channel is destroyed here, even by the end of its last shared_ptr; see
/// spawned.hpp.
void channel_map::empty_out(entry& left) noexcept {
    if (!left.value) return;
    if (left.value.use_count() == 0) end_borrowing(*left.value, left.fd);
    left.value.reset();
}

bool channel_map::erase(int fd) {
    const auto at = place_of(fd);
    if (at == no_place) return false;
    empty_out(entries_[at]);
    forget(entries_[at]);
    entries_[at].serial = 0;
    places_[static_cast<std::size_t>(fd + 1)] = 0;
    --live_;
    return true;
}

bool channel_map::was_never_asked(place at) const noexcept {
    return ask_once_.contains(at) && !ask_always_.contains(at) &&
           entries_[at].wanted == events::none;
}

void channel_map::lose(int fd) noexcept {
    const auto at = place_of(fd);
    const bool in_a_hook = turns_ > 0 && std::uncaught_exceptions() == 0;
    if (check_promises && in_a_hook && at != no_place && was_never_asked(at))
        report(fault::lost, "a channel was destroyed in the turn that made it",
               "spawn() makes a channel that its map keeps");
    erase(fd);
}

void channel_map::clear() {
    for (const auto& each : entries_)
        if (each.value) erase(each.fd);
}

void channel_map::reference::operator=(channel* value) {
    if (!value) throw std::invalid_argument("no channel for descriptor " + std::to_string(fd_));
    map_.set(fd_, *value);
}

// NOLINTNEXTLINE(bugprone-exception-escape): see the declaration.
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

void channel_map::sweep() {
    released_elsewhere_->belong_to_this_thread();
    released_elsewhere_->collect();
    if (turns_ == 0) squeeze();
    released::destroy();  // last: the destructors are the user's, and may edit this map
}

/// Takes the erased entries out.  That changes places, which a turn under way remembers.
void channel_map::squeeze() {
    if (entries_.size() < 64 || entries_.size() < 2 * live_) return;
    std::erase_if(entries_, [](const entry& each) { return !each.value; });
    for (place at = 0; at < entries_.size(); ++at)
        places_[static_cast<std::size_t>(entries_[at].fd + 1)] = at + 1;
    ask_always_.clear();
    ask_all();
}

void channel_map::ask_all() {
    ask_once_.clear();
    for (place at = 0; at < entries_.size(); ++at) ask_once_.add(at);
}

// --- The poller.

/// The poller of this process: after a fork, the kernel's part of the old one is the parent's.
platform::poller& channel_map::poller() {
    const auto forks = platform::fork_count();
    if (poller_ && forks_ == forks) return *poller_;
    renew_poller();
    return *poller_;
}

std::unique_ptr<platform::poller> channel_map::new_poller_(std::string_view mechanism) {
    return platform::make_poller(mechanism);
}

/// Makes a poller that watches what the last one watched.
void channel_map::renew_poller() {
    auto made = new_poller_(mechanism_);
    // The new poller may get the number of a descriptor that was closed behind its channel.  Then
    // nothing would show that the channel's descriptor is closed.  So the poller gets another number.
    std::vector<std::unique_ptr<platform::poller>> misplaced;
    while (made->fileno() >= 0 && contains(made->fileno())) {
        misplaced.push_back(std::move(made));
        made = new_poller_(mechanism_);
    }
    misplaced.clear();
    if (interrupt_ >= 0) made->watch(interrupt_, events::read);
    poller_ = std::move(made);
    forks_ = platform::fork_count();
    for (place at = 0; at < entries_.size(); ++at) {
        auto& watched = entries_[at];
        if (watched.told == events::none) continue;
        try {
            poller_->watch(watched.fd, watched.told);
        } catch (...) {
            watched.told = events::none;
            ask_once_.add(at);  // the next turn finds out why
        }
    }
}

void channel_map::use(std::string mechanism) {
    mechanism_ = std::move(mechanism);
    poller_.reset();
}

void channel_map::watch_interrupt(int fd) {
    if (fd >= 0) poller().watch(fd, events::read);
    else if (interrupt_ >= 0 && poller_ && forks_ == platform::fork_count())
        poller_->watch(interrupt_, events::none);
    interrupt_ = fd;
}

/// Has the poller forget an entry, unless the poller is the parent process's.
void channel_map::forget(entry& left) noexcept {
    if (left.told != events::none && poller_ && forks_ == platform::fork_count())
        poller_->watch(left.fd, events::none);
    left.told = events::none;
    left.masked = events::none;
}

}  // namespace asyncore
