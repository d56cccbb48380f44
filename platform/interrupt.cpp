// A signal handler may do next to nothing, but it may write a byte into a pipe.  The poller watches the
// pipe, so a SIGINT ends the wait even if it arrives just before the wait begins.
#include <asyncore/platform/interrupt.hpp>

#include <asyncore/platform/error.hpp>

#include <csignal>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

namespace asyncore::platform {

namespace {

int ends[2] = {-1, -1};   // of the pipe: the loop reads the first, the handler writes to the second
struct sigaction before;  // what SIGINT did before the first catch_sigint()
unsigned catchers = 0;    // how many release_sigint() are still to come

extern "C" void write_a_byte(int) {
    const int error = errno;
    [[maybe_unused]] const auto count = ::write(ends[1], "", 1);
    errno = error;
}

void set_flags() {
    for (const int end : ends) {
        ::fcntl(end, F_SETFD, FD_CLOEXEC);
        ::fcntl(end, F_SETFL, O_NONBLOCK);
    }
}

/// A child of fork(2) replaces the pipe by a pipe of its own.  The parent reads from the old pipe, and
/// would notice a SIGINT of the child.
void renew_pipe() {
    int made[2];
    if (::pipe(made) < 0) return;
    for (const int side : {0, 1}) {
        ::dup2(made[side], ends[side]);
        ::close(made[side]);
    }
    set_flags();
}

void open_pipe() {
    if (::pipe(ends) < 0) throw_errno("pipe");
    set_flags();
    ::pthread_atfork(nullptr, nullptr, renew_pipe);
}

}  // namespace

int catch_sigint() {
    if (ends[0] < 0) open_pipe();
    struct sigaction action {};
    action.sa_handler = write_a_byte;
    if (catchers == 0) ::sigaction(SIGINT, &action, &before);
    ++catchers;
    return ends[0];
}

bool forget_sigint() {
    char bytes[16];
    bool any = false;
    while (::read(ends[0], bytes, sizeof bytes) > 0) any = true;
    return any;
}

void release_sigint() {
    --catchers;
    if (catchers > 0) return;
    ::sigaction(SIGINT, &before, nullptr);
    forget_sigint();
}

}  // namespace asyncore::platform
