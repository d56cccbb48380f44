// The socket map: which channels there are, in the order in which they came, and what waits for
// them.  Python: a dict from descriptor to channel; asyncore.socket_map is the global one.
#pragma once

#include <asyncore/channel.hpp>
#include <asyncore/place_set.hpp>
#include <asyncore/platform/poller.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace asyncore {

/// How what is ready is delivered: as asyncore.poll() does, or as asyncore.poll2() does.
enum class delivery { select, poll };

/// A dict of channels.  Edit it as you like, from hooks too: the next turn sees it.  One thread
/// uses a map at a time; a loop per thread on a map of its own is the rule.
///
/// A descriptor of -1 stands for Python's None.
///
/// Lifetime: a channel that leaves the map is let go of when the outermost turn under way ends, or
/// else when the next loop() begins, so no method of it ever finds itself destroyed by close().
class channel_map {
public:
    /// Waits with the mechanism of that name; see platform::make_poller() for the default.
    explicit channel_map(std::string mechanism = "") : mechanism_(std::move(mechanism)) {}
    ~channel_map();
    channel_map(const channel_map&) = delete;
    channel_map& operator=(const channel_map&) = delete;

    // The dict.

    std::size_t size() const noexcept { return live_; }
    bool empty() const noexcept { return live_ == 0; }
    explicit operator bool() const noexcept { return live_ != 0; }
    bool contains(int fd) const noexcept { return get(fd) != nullptr; }
    /// Returns: null if there is none.
    channel* get(int fd) const noexcept;
    /// An entry that is there keeps its place in the order.  Owns `value` if spawn() or
    /// make_shared() made it, else borrows it.
    /// Throws: std::invalid_argument for a descriptor less than -1 or over 16 million.
    void set(int fd, channel& value);
    bool erase(int fd);
    void clear();
    void swap(channel_map& other);
    void update(const channel_map& other);
    std::vector<int> keys() const;
    /// A snapshot.  Python: list(map.items()).  The pointers to borrowed channels do not own.
    std::vector<std::pair<int, std::shared_ptr<channel>>> items() const;

    class reference;
    /// map[fd] = &c (or *c, or a shared_ptr), and map[fd] as a channel*.
    reference operator[](int fd) noexcept;

    class iterator;
    /// In the order of the map, as pairs of descriptor and channel&.  Edits while iterating are
    /// safe, but may show an entry twice or not at all.
    iterator begin() const noexcept;
    iterator end() const noexcept;

    // The mechanism.

    /// The name of the mechanism that waits for this map.
    std::string_view mechanism() { return waiter().name(); }
    /// Changes it, at the next turn.
    void use(std::string mechanism);
    /// Lets go of who left while no turn was under way.  loop(), poll() and poll2() begin with it.
    void sweep() {
        if (turns_ == 0) let_all_go();
    }
    /// Asks every channel at the next turn, whatever it promised.
    void ask_everyone() noexcept { everyone_ = true; }
    /// Notes that the answers of the channel under `fd` may have changed.
    void interest_changed(int fd) {
        if (fd != served_) note_changed(fd);
    }
    /// Whether each turn verifies the promise of asked_every_turn_, and throws std::logic_error
    /// where it is broken.  Starts as whether the environment has ASYNCORE_CHECK.
    bool check_promises = checked_by_default();
    /// Makes SIGINT end a wait; see interrupt_on_sigint.  -1: no more.
    void watch_interrupt(int fd);
    bool watches_interrupt() const noexcept { return interrupt_ >= 0; }

    /// Makes the maps that borrow `value` own it, now that a shared_ptr to it exists.
    static void own(channel& value);

    class turn;

private:
    struct entry {
        std::shared_ptr<channel> value;  // null: erased; without an owner: borrowed
        std::uint64_t serial = 0;        // no two in the process are the same
        int fd = -1;
        platform::events told = platform::events::none;  // what the poller knows
        platform::events what = platform::events::none;  // what happened, if it is in ready_
    };
    using place = place_set::place;  // in entries_
    static constexpr place nobody = ~place{0};

    /// Something happened to the channel that stood at `at` under `serial`.
    struct event {
        place at;
        std::uint64_t serial;
        platform::events asked, what;
    };

    static bool checked_by_default();
    bool promises(const entry& at) const;
    place place_of(int fd) const noexcept;
    void put(entry& at, channel& value);
    void let_go(entry& at);
    void untell(entry& at) noexcept;
    void let_all_go();
    void note(place at);
    void note_changed(int fd);
    void compact();

    platform::poller& waiter();
    void forget_all_told();
    void ask_changed(delivery how);
    void ask_scanned(delivery how);
    void ask(place at, delivery how);
    void tell(place at, platform::events interest);
    void check_everyone() const;
    void wait(platform::timeout limit, std::vector<event>& happened);

    std::vector<entry> entries_;  // in the order of the map, erased ones between
    std::vector<place> places_;   // by descriptor + 1: its place + 1, or 0
    std::size_t live_ = 0;
    std::vector<std::shared_ptr<channel>> dropped_;  // let go of when no turn is under way
    unsigned turns_ = 0;                             // under way, one in another

    std::string mechanism_;
    std::unique_ptr<platform::poller> waiter_;
    unsigned forks_ = 0;  // fork_count() when waiter_ was made
    int interrupt_ = -1;
    bool everyone_ = true;
    static constexpr int no_one = -2;
    int served_ = no_one;                 // whose hooks are running: it is asked when they are done
    place_set changed_;                   // to ask at the next turn
    place_set scanned_;                   // to ask at every turn
    place_set ready_;                     // to serve in this turn
    std::vector<platform::ready> found_;  // memory of wait()
    std::vector<event> spare_;            // memory of turns
};

/// One turn: asks the channels, waits, and has what happened, in the order of the map.
class channel_map::turn {
public:
    /// Throws: what a predicate throws; what poller::watch() and wait() throw; KeyboardInterrupt.
    turn(channel_map& map, platform::timeout limit, delivery how);
    ~turn() { map_.spare_.swap(events_); }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;

    const std::vector<event>& events() const noexcept { return events_; }

    /// Calls `hook` with the channel of an event, and then asks the channel again: while it is in
    /// the cache.  Does nothing if it has left the map since the wait, or another took its place.
    template <class Hook>
    void serve(const event& each, Hook hook) {
        auto& entry = map_.entries_[each.at];
        if (entry.serial != each.serial || !entry.value) return;
        map_.served_ = entry.fd;
        try {
            hook(*entry.value);
        } catch (...) {
            map_.served_ = no_one;
            map_.ask_everyone();
            throw;
        }
        map_.served_ = no_one;
        ask_again(each);
    }

private:
    /// Counts turns under way; lets go of what was dropped when there are none.
    struct under_way {
        explicit under_way(channel_map& map) noexcept : map_(map) { ++map_.turns_; }
        ~under_way() {
            if (--map_.turns_ == 0) map_.let_all_go();
        }
        channel_map& map_;
    };

    void ask_again(const event& each);

    channel_map& map_;
    const delivery how_;
    under_way counted_;
    std::vector<event> events_;
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
    iterator(const channel_map& map, place at) noexcept : map_(&map), at_(at) { skip(); }
    value_type operator*() const { return {map_->entries_[at_].fd, *map_->entries_[at_].value}; }
    iterator& operator++() noexcept {
        ++at_;
        skip();
        return *this;
    }
    bool operator==(const iterator& other) const noexcept {
        return at_ == other.at_ || (past_end() && other.past_end());
    }

private:
    bool past_end() const noexcept { return at_ >= map_->entries_.size(); }
    void skip() noexcept {
        while (!past_end() && !map_->entries_[at_].value) ++at_;
    }
    const channel_map* map_;
    place at_;
};

inline channel_map::reference channel_map::operator[](int fd) noexcept { return {*this, fd}; }
inline channel_map::iterator channel_map::begin() const noexcept { return {*this, 0}; }
inline channel_map::iterator channel_map::end() const noexcept {
    return {*this, static_cast<place>(entries_.size())};
}

/// `map`, or the global one for null.  Python: `if map is None: map = socket_map`.
channel_map& map_or_default(channel_map* map);

/// The global map, for whoever names no other.  It is never destroyed, and is there for whatever
/// static object comes after this line.
inline channel_map& socket_map = map_or_default(nullptr);

/// Whether a class's readable() and writable() are those of `Library`, a class of this library
/// whose answers follow its own state.
template <class Library>
inline constexpr bool predicates_follow_state = false;

template <class T>
concept keeps_predicates = requires {
    []<class R, class W>(bool(R::*)(), bool(W::*)()) requires predicates_follow_state<R> &&
        predicates_follow_state<W> {}
    (&T::readable, &T::writable);
};

/// Whether a class has no enable_shared_from_this but channel's, by which a map finds its owner.
template <class T>
concept shared_from_channel = requires(T& made) {
    made.weak_from_this();
};

/// Makes a channel that the maps it is in own.  Python: Handler(sock), the result dropped.
///
/// It need not be asked on every turn if its class overrides neither predicate.
template <std::derived_from<channel> T, class... Arguments>
std::shared_ptr<T> spawn(Arguments&&... arguments) {
    static_assert(shared_from_channel<T>, "T has a second enable_shared_from_this: drop it");
    auto made = std::make_shared<T>(std::forward<Arguments>(arguments)...);
    if constexpr (keeps_predicates<T>) made->asked_every_turn_ = false;
    channel_map::own(*made);
    return made;
}

}  // namespace asyncore
