// The loop asks writable(), which tells the map the time of the next call, by wake_at().  At that time
// the turn asks again, and writable() says true.  The descriptor of the object is an unconnected datagram
// socket, which can always be written to: so the wait ends at once, and the hook makes the calls.
#include <asyncore/timers/timers.hpp>

#include <asyncore/errors.hpp>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace asyncore {

using std::chrono::nanoseconds;

struct timer::call {
    timers* in;  // null: the call is not scheduled
    timers_of* owner;
    timers::queue::iterator place;
    nanoseconds delay;
    bool repeats;
    std::function<void()> target;
};

// --- The calls.

void timer::cancel() const noexcept {
    const auto scheduled = call_.lock();
    if (scheduled && scheduled->in) scheduled->in->end(*scheduled);
}

void timer::reset() const {
    const auto scheduled = call_.lock();
    if (!scheduled || !scheduled->in) return;
    auto& in = *scheduled->in;
    in.move(*scheduled, in.now_() + scheduled->delay);
}

bool timer::cancelled() const noexcept {
    const auto scheduled = call_.lock();
    return !scheduled || !scheduled->in;
}

void timers_of::cancel() noexcept {
    while (!calls_.empty()) timers_.end(**calls_.begin());
}

namespace {

nanoseconds duration_of(const platform::timeout& delay) {
    if (delay.forever()) throw std::invalid_argument("a call needs a time");
    const auto time = delay.timespec();
    return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

}  // namespace

// --- The queue.

timers::timers(channel_map* map, std::function<clock::time_point()> now)
    : map_(map_or_default(map)), now_(std::move(now)), always_writable_(AF_UNIX, SOCK_DGRAM) {}

timers::~timers() {
    while (!queue_.empty()) timers::close();  // the destructor of a function may schedule a call
}

timer timers::call_later(platform::timeout delay, std::function<void()> target) {
    return schedule(delay, std::move(target), false, nullptr);
}

timer timers::call_every(platform::timeout period, std::function<void()> target) {
    return schedule(period, std::move(target), true, nullptr);
}

timer timers::schedule(platform::timeout delay, std::function<void()> target, bool repeats,
                       timers_of* owner) {
    if (!target) throw std::invalid_argument("a call needs a function");
    const auto time = duration_of(delay);
    const auto made =
        std::make_shared<call>(call{this, owner, queue_.end(), time, repeats, std::move(target)});
    const due_time due{now_() + time, ++serial_};
    made->place = queue_.emplace_hint(queue_.end(), due, made);  // a new call is often the last
    try {
        if (owner) owner->calls_.insert(made.get());
        enter();
    } catch (...) {
        end(*made);
        throw;
    }
    return timer(made);
}

void timers::move(call& scheduled, clock::time_point when) {
    auto node = queue_.extract(scheduled.place);
    node.key() = {when, ++serial_};
    scheduled.place = queue_.insert(queue_.end(), std::move(node));
}

void timers::end(call& scheduled) noexcept {
    // The node dies last, since the destructor of its function is the user's.
    const auto node = queue_.extract(scheduled.place);
    scheduled.in = nullptr;
    if (scheduled.owner) scheduled.owner->calls_.erase(&scheduled);
    if (queue_.empty()) leave();
}

void timers::close() {
    const auto all = std::exchange(queue_, {});
    for (const auto& [due, scheduled] : all) {
        scheduled->in = nullptr;
        if (scheduled->owner) scheduled->owner->calls_.erase(scheduled.get());
    }
    leave();
}

void timers::enter() {
    const int fd = always_writable_.fileno();
    if (map_.get(fd) != this) map_.set(fd, *this);
}

void timers::leave() noexcept {
    const int fd = always_writable_.fileno();
    if (map_.get(fd) == this) map_.erase(fd);
}

// --- The loop.

platform::timeout timers::timeout() const {
    if (queue_.empty()) return std::nullopt;
    return std::max<nanoseconds>(queue_.begin()->first.when - now_(), nanoseconds::zero());
}

bool timers::writable() {
    if (queue_.empty()) return false;
    const auto left = queue_.begin()->first.when - now_();
    if (left <= nanoseconds::zero()) return true;
    map_.wake_at(clock::now() + left);
    return false;
}

/// A call that is scheduled while this runs is made in a later turn.  A call may run a nested turn, which
/// makes the calls that follow.
void timers::handle_write_event() {
    const alive still_here(*this);
    const auto now = now_();
    const auto newest = serial_;
    for (auto at = queue_.begin(); at != queue_.end() && at->first.when <= now;) {
        const auto made = at->first;
        const auto due = at->second;  // lives until it has been called
        if (made.serial <= newest) make(*due);
        if (!still_here) return;
        at = queue_.upper_bound(made);
    }
}

void timers::make(call& due) {
    if (due.repeats) move(due, next_time(due));
    if (!due.owner) return end_and_call(due);
    channel& owner = due.owner->owner_;
    const alive still_there(owner);
    try {
        end_and_call(due);
    } catch (...) {
        if (!still_there || _reraised_exception()) throw;
        const alive still_here(*this);
        is_of_an_owner_ = true;
        owner.handle_error();
        if (still_here) is_of_an_owner_ = false;
    }
}

void timers::end_and_call(call& due) {
    if (!due.repeats) end(due);
    due.target();
}

timers::clock::time_point timers::next_time(const call& made) const {
    const auto now = now_();
    if (made.delay == nanoseconds::zero()) return now;
    const auto when = made.place->first.when;
    const auto missed = std::max<nanoseconds>(now - when, nanoseconds::zero()) / made.delay;
    return when + (missed + 1) * made.delay;
}

void timers::handle_error() {
    const bool leaves = std::exchange(is_of_an_owner_, false);
    if (leaves) throw;
    const auto [nil, type, value, info] = compact_traceback();
    map_.log_info("uncaptured exception in a timer (" + type + ":" + value + ")");
}

}  // namespace asyncore
