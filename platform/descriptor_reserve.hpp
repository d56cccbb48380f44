// The special problem of accept(2) when the process has no descriptor left (EMFILE): the connection
// stays in the queue, the listener stays readable, and a loop spins on it.
#pragma once

namespace asyncore::platform {

/// Keeps one descriptor in reserve, for drop_connection().  Call it before a listener is served.
void reserve_descriptor() noexcept;

/// Accepts a connection that waits on `listener` with the reserved descriptor, and closes it.
/// Thread-safe.
/// Returns: false if there was no descriptor in reserve.  Then nothing was accepted.
bool drop_connection(int listener) noexcept;

}  // namespace asyncore::platform
