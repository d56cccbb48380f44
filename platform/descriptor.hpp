// What the kernel knows about a descriptor.  Each function answers for any descriptor, and throws
// nothing.  Internal: not installed.
#pragma once

#include <cstddef>

namespace asyncore::platform {

bool is_open(int fd) noexcept;

/// How many bytes can be read at once.  0 if there are none, or if the descriptor cannot say.
std::size_t unread_bytes(int fd) noexcept;

bool is_socket(int fd) noexcept;

/// Whether it is a socket that listens.
bool is_listener(int fd) noexcept;

/// Whether it is a socket of datagrams.
bool is_datagram(int fd) noexcept;

/// Whether it is a socket that is connected.
bool has_peer(int fd) noexcept;
/// Whether it is a socket of a stream that has no peer.
bool is_unconnected(int fd) noexcept;

/// Whether out-of-band data is reported.
bool has_urgent(int fd) noexcept;

/// Receives the out-of-band byte, and drops it.  Does nothing for a socket with SO_OOBINLINE, which
/// has that byte among the other data.
void drop_urgent(int fd) noexcept;

}  // namespace asyncore::platform
