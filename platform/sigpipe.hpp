// The special problem of SIGPIPE: Python ignores the signal from the start, a C++ program dies of it.
// A send() to a socket has a flag against it; a write() to a pipe or to the terminal has none.
#pragma once

#include <csignal>

namespace asyncore::platform {

/// While a no_sigpipe exists, a SIGPIPE that this thread causes is swallowed, and write(2) fails
/// with EPIPE.  The program's own setting of SIGPIPE is not changed.
class no_sigpipe {
public:
    no_sigpipe() noexcept;
    ~no_sigpipe();
    no_sigpipe(const no_sigpipe&) = delete;
    no_sigpipe& operator=(const no_sigpipe&) = delete;

private:
    sigset_t before_;
    bool was_pending_;
};

}  // namespace asyncore::platform
