#include <asyncore/spawned.hpp>

#include <asyncore/errors.hpp>
#include <asyncore/platform/thread_exit.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

namespace asyncore {

// --- The channel's part.

channel::channel() {
    auto* const scope = spawning::innermost_;
    if (!scope || scope->where_ != this || scope->self_) return;
    life_ = life::constructing;
    scope->self_ = std::shared_ptr<channel>(this, release());
    self_ = scope->self_;
}

void channel::become_spawned_(const std::shared_ptr<channel>& self) noexcept {
    self_ = self;
    life_ = life::spawned;
}

void channel::release::operator()(channel* last) const noexcept {
    // There was no memory for the shared_ptr, so the constructor of the channel throws.
    if (last->life_ == life::constructing) return;
    // The channel is in a list already: it got a new shared_ptr there, and that has ended too.
    if (last->is_released_) return;
    last->is_released_ = true;
    const bool is_taken = last->home_ && last->home_->take(*last);
    if (!is_taken) released::add(*last);
}

/// The shared_ptr to this channel.  A released channel gets a new one.  Null if spawn() did not make the
/// channel.
std::shared_ptr<channel> channel::spawned_self_() {
    auto self = self_.lock();
    if (self || !is_released_) return self;
    self = std::shared_ptr<channel>(this, release());
    self_ = self;
    return self;
}

std::shared_ptr<channel> channel::shared_from_this() {
    auto self = spawned_self_();
    if (self) return self;
    throw std::logic_error(type_name(typeid(*this)) +
                           ": spawn() did not make this channel, so it has no shared_ptr");
}

std::shared_ptr<channel> channel_holder::owner_of(channel& value) {
    return value.life_ == channel::life::constructing ? nullptr : value.spawned_self_();
}

bool channel_holder::is_being_made(const channel& value) noexcept {
    return value.life_ == channel::life::constructing;
}

// --- Released channels.

// Plain data, so that no access has to check whether it is initialised.
constinit thread_local channel* released::first_ = nullptr;
constinit thread_local channel* released::last_ = nullptr;
constinit thread_local unsigned released::turns_ = 0;
constinit thread_local spawning* spawning::innermost_ = nullptr;

void released::add(channel& last) noexcept {
    static thread_local constinit platform::thread_exit_call at_thread_exit{destroy_at_exit};
    static thread_local constinit bool is_called = false;
    // For the main thread, which ends with the process.
    static const struct process_exit {
        ~process_exit() { destroy_at_exit(); }
    } at_exit;
    if (!is_called) is_called = platform::call_at_thread_exit(at_thread_exit);
    last.next_released_ = nullptr;
    if (first_) last_->next_released_ = &last;
    else first_ = &last;
    last_ = &last;
}

/// The destructors are the user's: they may release more channels, or run a loop.
void released::destroy() noexcept {
    while (turns_ == 0 && first_) {
        auto* const oldest = first_;
        first_ = oldest->next_released_;
        oldest->is_released_ = false;
        if (oldest->self_.expired()) delete oldest;
    }
}

void released::destroy_at_exit() noexcept {
    turns_ = 0;
    destroy();
}

bool released_elsewhere::take(channel& last) noexcept {
    const auto thread = thread_.load();
    if (thread == std::thread::id() || thread == std::this_thread::get_id()) return false;
    channel* newest = newest_;
    do {
        if (newest == closed()) return false;
        last.next_released_ = newest;
    } while (!newest_.compare_exchange_weak(newest, &last));
    return true;
}

void released_elsewhere::collect_and_leave(channel* newest) noexcept {
    auto* each = newest_.exchange(newest);
    while (each) {
        auto* const next = each->next_released_;
        released::add(*each);
        each = next;
    }
}

// --- Constructors.

// The methods are not in the header, since the compiler would then guess that the loop's channels are
// most often of this class.
failed_channel::failed_channel(const std::shared_ptr<channel>& self) noexcept {
    become_spawned_(self);
}
bool failed_channel::readable() { return false; }
bool failed_channel::writable() { return false; }
void failed_channel::handle_read_event() {}
void failed_channel::handle_write_event() {}
void failed_channel::handle_expt_event() {}
void failed_channel::handle_close() {}
void failed_channel::handle_error() {}
void failed_channel::close() {}

void spawning::succeed() {
    self_->life_ = channel::life::spawned;
    self_->become_owned_();
}

void spawning::fail(const std::type_info& type) const {
    const auto escaped = std::max(self_.use_count(), 1L) - 1;
    if (escaped == 0 || _reraised_exception()) throw;
    const auto [nil, t, v, tbinfo] = compact_traceback();
    std::throw_with_nested(std::logic_error(
        "the constructor of " + type_name(type) + " threw " + t + ":" + v + " after it gave " +
        std::to_string(escaped) + " shared_ptr to its object away"));
}

}  // namespace asyncore
