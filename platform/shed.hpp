// The special problem of accept(2) when there are no descriptors left: the connection stays in the
// queue, the listener stays readable, and a loop spins on it.
#pragma once

namespace asyncore::platform {

/// Keeps one descriptor in reserve, for shed_connection().  Called by whoever starts to listen.
void reserve_descriptor() noexcept;

/// Takes a connection that waits on `listener` and closes it, by means of the one in reserve.
/// Thread-safe.
/// Returns: false if there was none in reserve: nothing was done.
bool shed_connection(int listener) noexcept;

}  // namespace asyncore::platform
