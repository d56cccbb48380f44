// The socket map: which channels there are, in the order in which they came, and the poller that
// waits for them.  Python: a dict from descriptor to channel; asyncore.socket_map is the global map.
#pragma once

#include <asyncore/channel.hpp>
#include <asyncore/place_set.hpp>
#include <asyncore/platform/poller.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asyncore {

/// The kinds of fault that are logged at most once a second: a wait that failed, a descriptor that cannot
/// be watched, an error of accept(2), no descriptor left, a channel that a hook made and lost.
enum class fault { wait, watch, accept, descriptors, lost };
inline constexpr std::size_t faults = 5;

/// A dict of channels.  Edit it as you like, from hooks too: the next turn sees the edit.  One thread
/// uses a map at a time.  A program with threads has a loop for each thread, on a map of its own.
///
/// A descriptor of -1 stands for Python's None.
///
/// Lifetime: a channel that spawn() made is never destroyed while a turn is under way in the thread.
/// Without a turn it is destroyed when the next loop() or sweep() begins, or when the thread ends.  So
/// close() never destroys its channel.  If the last shared_ptr ends in another thread than the map's,
/// the map's thread destroys the channel.
class channel_map : public channel_holder {
public:
    /// `mechanism` names the kind of poller; see platform::make_poller() for the default.
    explicit channel_map(std::string mechanism = "") : mechanism_(std::move(mechanism)) {}
    virtual ~channel_map();
    channel_map(const channel_map&) = delete;
    channel_map& operator=(const channel_map&) = delete;

    // The dict.

    std::size_t size() const noexcept { return live_; }
    bool empty() const noexcept { return live_ == 0; }
    explicit operator bool() const noexcept { return live_ != 0; }
    bool contains(int fd) const noexcept { return get(fd) != nullptr; }
    /// Returns: null if the map has no entry `fd`.
    channel* get(int fd) const noexcept;
    /// An entry that exists keeps its place in the order.  The map owns `value` if a shared_ptr to
    /// it exists, else borrows it.
    /// Throws: std::invalid_argument for a descriptor less than -1 or over 16 million.
    void set(int fd, channel& value) override;
    bool erase(int fd) override;
    /// With ASYNCORE_CHECK, logs a channel that was destroyed in the turn that made it: most often a
    /// variable on the stack of a hook, where spawn() was meant.
    void lose(int fd) noexcept override;
    void clear();
    // NOLINTNEXTLINE(bugprone-exception-escape): this swap() asks for memory, so it may throw.
    void swap(channel_map& other);
    void update(const channel_map& other);
    std::vector<int> keys() const;
    /// A snapshot.  Python: list(map.items()).  A pointer to a borrowed channel does not own it.
    std::vector<std::pair<int, std::shared_ptr<channel>>> items() const;

    class reference;
    /// map[fd] = &c (or *c, or a shared_ptr), and map[fd] as a channel*.
    reference operator[](int fd) noexcept;

    class iterator;
    /// In the order of the map, as pairs of descriptor and channel&.  Edits during an iteration are
    /// safe, but the iteration may show an entry twice or not at all.
    iterator begin() const noexcept;
    iterator end() const noexcept;

    // The poller.

    /// The name of the mechanism that waits for this map.
    std::string_view mechanism() { return poller().name(); }
    /// Changes the mechanism, from the next turn on.
    void use(std::string mechanism);
    /// Has every wait watch `fd` too, which SIGINT makes readable; see interrupt_on_sigint.  -1: no more.
    void watch_interrupt(int fd);
    bool watches_interrupt() const noexcept { return interrupt_ >= 0; }

    // What the library does where Python's server would end, spin or go deaf; see hardening.cpp.

    using clock = std::chrono::steady_clock;
    static constexpr auto never = clock::time_point::max();

    /// Whether this map does exactly what Python does, also where that ends a server.  The default is
    /// true if the environment has ASYNCORE_EXACT, with another value than 0.
    bool exact = asked_to_be_exact();
    /// Gets every line that is logged on this map, with the type of the line.  log() of a dispatcher
    /// gives the type "log", its log_info() the type that the caller names.  The map itself logs faults
    /// that no channel can report, with the type "error", at most one a second for each cause.  The
    /// default prints as Python does: "log" to standard error, every other type to standard output.  An
    /// empty function drops every line.
    std::function<void(std::string_view message, std::string_view type)> log = print;
    /// Calls `log`.  Differs: D21 - what `log` throws goes no further.
    void log_info(std::string_view message, std::string_view type = "error") const;
    /// Sets the deadline of the map, unless an earlier one is set.  At the deadline the turn wakes, asks
    /// channels anew, and goes on to wait.  It asks the channels that rest, the channels whose answers may
    /// have changed, and the channels that are asked in every turn.
    void wake_at(clock::time_point when) noexcept { deadline_ = std::min(deadline_, when); }
    clock::time_point deadline() const noexcept { return deadline_; }
    /// Leaves the entry `fd` unwatched for a tenth of a second, or until interest_changed(fd).
    void rest(int fd) noexcept;
    /// accept(2) failed with `error` on the listener `fd`: drops one connection if the process has no
    /// descriptor left, or else has the listener rest.
    /// Returns: the line to log; empty at most times within a second.
    std::string rest_listener(int fd, int error);
    /// Watches the entry `fd` for reading no more.  For a channel that has read the end of file.
    void stop_reading(int fd) noexcept;
    /// Whether a fault of this kind may be logged now: true at most once a second for each kind.  The
    /// caller then logs it.
    bool may_log(fault what) noexcept;
    /// Whether the poller of this map can watch `fd`.
    bool can_watch(int fd) { return fd <= poller().highest(); }

    // The channels that a turn asks.

    /// Has the next turn ask every channel, whatever the channel promised.
    void ask_all();
    /// Notes that the answers of the channel under `fd` may have changed.
    void interest_changed(int fd);
    /// Whether each turn verifies the promise of asked_every_turn_, and throws std::logic_error
    /// where a channel broke it.  The default is whether the environment has ASYNCORE_CHECK.
    bool check_promises = std::getenv("ASYNCORE_CHECK") != nullptr;
    /// Destroys the channels that no shared_ptr leads to any more, unless a turn is under way.  loop(),
    /// poll() and poll2() call it first.  The calling thread is the map's thread from now on.
    void sweep();

private:
    friend class turn;

    struct entry {
        std::shared_ptr<channel> value;  // null: erased; with a use_count() of 0: borrowed
        std::uint64_t serial = 0;        // different for each entry in the process; 0: erased
        int fd = -1;
        platform::events wanted = platform::events::none;  // what the channel wants to do
        platform::events told = platform::events::none;    // what the poller watches it for
        platform::events found = platform::events::none;   // what the wait under way found
        platform::events masked = platform::events::none;  // not watched now; or `rests`
    };
    /// In entry.masked, beside what is masked: nothing at all is watched until the map's deadline.
    static constexpr auto rests = platform::events{0x40};
    static constexpr place no_place = ~place{0};
    static constexpr int no_descriptor = -2;

    place place_of(int fd) const noexcept;
    bool was_never_asked(place at) const noexcept;
    void put(entry& where, channel& value);
    void empty_out(entry& left) noexcept;
    void squeeze();
    platform::poller& poller();
    /// Makes the poller of this map.  The map of another language overrides it: its wait lets other threads run.
    virtual std::unique_ptr<platform::poller> new_poller_(std::string_view mechanism);
    void forget(entry& left) noexcept;
    void renew_poller();
    void report(fault what, const char* text, const char* why) noexcept;
    static bool asked_to_be_exact();
    static void print(std::string_view message, std::string_view type);

    // The dict.
    std::vector<entry> entries_;  // in the order of the map, with erased entries between
    std::vector<place> places_;   // by descriptor + 1: the place of its entry + 1, or 0
    std::size_t live_ = 0;        // how many entries are not erased
    unsigned turns_ = 0;          // how many turns are under way on this map, one inside another

    // The poller.
    std::string mechanism_;
    std::unique_ptr<platform::poller> poller_;  // null until the first turn
    unsigned forks_ = 0;                        // fork_count() when poller_ was made
    int interrupt_ = -1;                        // readable after a SIGINT; -1: not watched

    // Which entries a turn asks.  An entry is in neither set while its channel promises to report
    // changes, and has reported none.
    place_set ask_once_;          // to ask in the next turn: the answers may have changed
    place_set ask_always_;        // to ask in every turn: the channel gave no promise
    int served_ = no_descriptor;  // whose hook runs: this channel is asked after the hook anyway

    // Hardening.
    clock::time_point deadline_ = never;       // when a wait ends at the latest
    clock::time_point failing_since_ = never;  // when waits began to fail; never: they do not
    std::array<clock::time_point, faults> logged_{};  // when each fault was logged last
};

class channel_map::reference {
public:
    reference(channel_map& map, int fd) noexcept : map_(map), fd_(fd) {}
    operator channel*() const noexcept { return map_.get(fd_); }
    channel* operator->() const noexcept { return map_.get(fd_); }
    /// Throws: std::invalid_argument for null, as well as what set() throws.
    void operator=(channel* value);
    void operator=(channel& value) { map_.set(fd_, value); }
    template <std::derived_from<channel> T>
    void operator=(const std::shared_ptr<T>& value) {
        *this = value.get();
    }

private:
    channel_map& map_;
    int fd_;
};

class channel_map::iterator {
public:
    using value_type = std::pair<int, channel&>;
    using difference_type = std::ptrdiff_t;
    iterator(const channel_map& map, place at) noexcept : map_(&map), at_(at) { skip_erased(); }
    value_type operator*() const { return {map_->entries_[at_].fd, *map_->entries_[at_].value}; }
    iterator& operator++() noexcept {
        ++at_;
        skip_erased();
        return *this;
    }
    bool operator==(const iterator& other) const noexcept { return at_ == other.at_; }

private:
    void skip_erased() noexcept {
        while (at_ < map_->entries_.size() && !map_->entries_[at_].value) ++at_;
        if (at_ >= map_->entries_.size()) at_ = no_place;
    }
    const channel_map* map_;
    place at_;
};

inline channel_map::reference channel_map::operator[](int fd) noexcept { return {*this, fd}; }
inline channel_map::iterator channel_map::begin() const noexcept { return {*this, 0}; }
inline channel_map::iterator channel_map::end() const noexcept { return {*this, no_place}; }

inline channel* channel_map::get(int fd) const noexcept {
    const auto at = place_of(fd);
    return at != no_place ? entries_[at].value.get() : nullptr;
}

/// The place of the entry `fd`, or no_place.
inline place channel_map::place_of(int fd) const noexcept {
    const auto index = static_cast<std::size_t>(fd) + 1;
    return fd >= -1 && index < places_.size() ? places_[index] - 1 : no_place;
}

inline void channel_map::interest_changed(int fd) {
    if (fd == served_) return;
    const auto at = place_of(fd);
    if (at == no_place) return;
    entries_[at].masked &= ~rests;
    ask_once_.add(at);
}

/// `map`, or the global map for null.  Python: `if map is None: map = socket_map`.
channel_map& map_or_default(channel_map* map);

/// The global map.  It is never destroyed, and every static object that comes after this line can
/// use it.
inline channel_map& socket_map = map_or_default(nullptr);

}  // namespace asyncore
