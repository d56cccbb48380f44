#include <asyncore/platform/sigpipe.hpp>

#include <asyncore/platform/unique_fd.hpp>

#include <cerrno>

#include <pthread.h>
#include <signal.h>

namespace asyncore::platform {

namespace {

bool sigpipe_pending() noexcept {
    sigset_t pending;
    sigemptyset(&pending);
    ::sigpending(&pending);
    return sigismember(&pending, SIGPIPE) == 1;
}

sigset_t just_sigpipe() noexcept {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

}  // namespace

no_sigpipe::no_sigpipe() noexcept : was_pending_(sigpipe_pending()) {
    const auto set = just_sigpipe();
    ::pthread_sigmask(SIG_BLOCK, &set, &before_);
}

no_sigpipe::~no_sigpipe() {
    const int error = errno;
    if (!was_pending_ && sigpipe_pending()) {
        const auto set = just_sigpipe();
        const not_cancelled meanwhile;
        int signal = 0;
        ::sigwait(&set, &signal);  // the signal is pending, so this does not block
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
}

}  // namespace asyncore::platform
