// SIGINT as something that a poller can wait for.
#pragma once

namespace asyncore::platform {

/// Catches SIGINT from now on: the returned descriptor is readable from the first signal until
/// forget_sigint().  The first call installs the handler; every call returns the same descriptor,
/// which must not be closed.  Each call needs a release_sigint() of its own.
int catch_sigint();

/// Forgets the signals that were caught so far.
/// Returns: whether there were any.
bool forget_sigint();

/// Ends a catch_sigint().  The last release restores what SIGINT did before, and forgets the signals.
void release_sigint();

}  // namespace asyncore::platform
