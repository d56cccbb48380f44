#include <asyncore/platform/thread_exit.hpp>

#include <utility>

#include <pthread.h>

namespace asyncore::platform {

namespace {

constinit thread_local thread_exit_call* first = nullptr;

extern "C" void make_calls(void*) {
    while (first) {
        auto* const call = std::exchange(first, first->next);
        call->function();
    }
}

/// A key of the process.  Its destructor runs when the process ends or the library is unloaded.
struct thread_key {
    pthread_key_t key{};
    const bool made = ::pthread_key_create(&key, make_calls) == 0;
    ~thread_key() {
        if (made) ::pthread_key_delete(key);
    }
};

}  // namespace

bool call_at_thread_exit(thread_exit_call& call) noexcept {
    static const thread_key at_exit;
    if (!at_exit.made) return false;
    const int error = ::pthread_setspecific(at_exit.key, &at_exit);
    if (error != 0) return false;
    call.next = first;
    first = &call;
    return true;
}

}  // namespace asyncore::platform
