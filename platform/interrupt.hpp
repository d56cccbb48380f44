// SIGINT as something that a poller can wait for.
#pragma once

namespace asyncore::platform {

/// Catches SIGINT from now on: it makes the returned descriptor readable, for good.  The first
/// call installs the handler; more calls return the same descriptor.  Never to be closed.  Each
/// wants a release_sigint() of its own.
int catch_sigint();

/// Forgets the signals that were caught so far.
void forget_sigint();

/// The end of a catch_sigint().  The last one puts back what SIGINT did before, and forgets.
void release_sigint();

}  // namespace asyncore::platform
