// The handler may run in any thread, at any time, also while an object is destroyed in another thread.
// So the data that the handler uses is never destroyed: a list of receivers, each with its sockets.  A
// receiver whose object was destroyed is given to the next object.
#include <asyncore/signals/signals.hpp>

#include <asyncore/platform/error.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <stdexcept>
#include <string>

#include <signal.h>

namespace asyncore {

namespace {

using signal_set = std::uint64_t;  // a bit for each signal
constexpr int most = 64;

signal_set bit_of(int signal) { return signal_set{1} << (signal - 1); }
int first_of(signal_set set) { return std::countr_zero(set) + 1; }

/// Guards all data below, but for what the handler uses.  Never destroyed, because objects of static
/// storage use it.
std::mutex& slots_guard = *new std::mutex;

}  // namespace

class signal_receiver {
public:
    static signal_receiver& acquire();
    void release() noexcept;
    /// Called by the handler.
    /// Returns: whether an object catches the signal.
    static bool note(int signal) noexcept;

    std::atomic<signal_set> wanted = 0;
    std::atomic<signal_set> caught = 0;
    wake_up sockets;

private:
    static_assert(std::atomic<signal_set>::is_always_lock_free, "the handler uses it");
    static constinit std::atomic<signal_receiver*> first_;
    signal_receiver* next_ = nullptr;
    bool is_free_ = false;
};

constinit std::atomic<signal_receiver*> signal_receiver::first_ = nullptr;

signal_receiver& signal_receiver::acquire() {
    const std::lock_guard lock(slots_guard);
    for (auto* each = first_.load(); each; each = each->next_) {
        if (!each->is_free_) continue;
        if (each->sockets.is_inherited()) each->sockets.renew(platform::socket::pair());
        each->is_free_ = false;
        return *each;
    }
    auto* const made = new signal_receiver;
    made->next_ = first_;
    first_ = made;
    return *made;
}

void signal_receiver::release() noexcept {
    const std::lock_guard lock(slots_guard);
    is_free_ = true;
}

bool signal_receiver::note(int signal) noexcept {
    bool is_wanted = false;
    for (auto* each = first_.load(); each; each = each->next_) {
        if ((each->wanted & bit_of(signal)) == 0) continue;
        is_wanted = true;
        each->caught |= bit_of(signal);
        each->sockets.send();
    }
    return is_wanted;
}

namespace {

/// What the process does at one signal.
struct disposition {
    unsigned catchers = 0;
    struct sigaction before {};

    void take(int signal);
    void give_back(int signal) noexcept;
    void act_as_before(int signal, siginfo_t* info, void* context) const;
};

std::array<disposition, most + 1> dispositions;

extern "C" void note_signal(int signal, siginfo_t* info, void* context) {
    const int error = errno;
    const bool is_wanted = signal_receiver::note(signal);
    if (!is_wanted)
        dispositions[static_cast<std::size_t>(signal)].act_as_before(signal, info, context);
    errno = error;
}

bool is_ours(const struct sigaction& action) {
    return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == note_signal;
}

void disposition::take(int signal) {
    struct sigaction now {};
    if (::sigaction(signal, nullptr, &now) != 0) platform::throw_errno("sigaction");
    if (catchers == 0 && !is_ours(now)) {
        before = now;
        struct sigaction ours {};
        ours.sa_sigaction = note_signal;
        ours.sa_flags = SA_RESTART | SA_SIGINFO;
        if (::sigaction(signal, &ours, nullptr) != 0) platform::throw_errno("sigaction");
    }
    ++catchers;
}

/// If another handler has replaced ours meanwhile, as that of interrupt_on_sigint, the other handler
/// stays.  Its owner may restore our handler later; then ours does what the signal did before us.
void disposition::give_back(int signal) noexcept {
    --catchers;
    if (catchers > 0) return;
    struct sigaction now {};
    ::sigaction(signal, nullptr, &now);
    if (is_ours(now)) ::sigaction(signal, &before, nullptr);
}

void disposition::act_as_before(int signal, siginfo_t* info, void* context) const {
    if ((before.sa_flags & SA_SIGINFO) != 0) return before.sa_sigaction(signal, info, context);
    if (before.sa_handler == SIG_IGN) return;
    if (before.sa_handler != SIG_DFL) return before.sa_handler(signal);
    ::sigaction(signal, &before, nullptr);
    ::raise(signal);  // this takes effect when the handler returns
}

void check(int signal) {
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL})
        if (signal == fault) throw std::invalid_argument("no loop can wait for a fault");
    if (signal < 1 || signal > most) throw std::invalid_argument("no signal has this number");
}

}  // namespace

signals::signals(signal_receiver& mine, channel_map* map)
    : wake_up_channel(mine.sockets, map), receiver_(mine) {}

/// If the body throws, the destructor runs, because the private constructor has returned before.
signals::signals(std::initializer_list<int> caught, channel_map* map)
    : signals(signal_receiver::acquire(), map) {
    receiver_.sockets.take();
    receiver_.caught = 0;
    for (const int signal : caught) {
        check(signal);
        const std::lock_guard lock(slots_guard);
        if ((receiver_.wanted & bit_of(signal)) != 0) continue;
        dispositions[static_cast<std::size_t>(signal)].take(signal);
        receiver_.wanted |= bit_of(signal);
    }
    enter_();
}

signals::~signals() {
    signals::close();
    receiver_.release();
}

void signals::close() {
    leave_();
    unserved_ = 0;
    const std::lock_guard lock(slots_guard);
    for (auto left = receiver_.wanted.exchange(0); left != 0; left &= left - 1)
        dispositions[static_cast<std::size_t>(first_of(left))].give_back(first_of(left));
}

/// After handle_signal() threw, and in a nested loop that it runs, signals may wait although their
/// wake-up was taken.  So this sends another wake-up.
bool signals::readable() {
    if (unserved_ != 0) wake_.send();
    return wake_up_channel::readable();
}

void signals::handle_wake_up_() {
    const alive still_here(*this);
    unserved_ |= receiver_.caught.exchange(0);
    // A handler that was late may have noted a signal of the object that had the receiver before.
    unserved_ &= receiver_.wanted;
    while (still_here && unserved_ != 0) {
        const int signal = first_of(unserved_);
        unserved_ &= unserved_ - 1;
        handle_signal(signal);
    }
}

void signals::handle_signal(int signal) {
    map_.log_info("unhandled signal " + std::to_string(signal));
}

}  // namespace asyncore
