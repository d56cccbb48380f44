// What the kernel knows about a descriptor.  Each function answers for any descriptor, and throws
// nothing.  Internal: not installed.
#pragma once

#include <cstddef>

namespace asyncore::platform {

bool is_open(int fd) noexcept;

/// How many bytes can be read at once.  0 also if the system cannot say.
std::size_t unread_bytes(int fd) noexcept;

/// Whether `fd` is a file, a folder or a device, which select(2) and poll(2) may report as always ready.
bool is_file_or_device(int fd) noexcept;

/// Whether `fd` is a socket that listens.
bool is_listener(int fd) noexcept;

/// Whether `fd` is a socket of datagrams.
bool is_datagram(int fd) noexcept;

/// Whether `fd` is a socket that is connected.
bool has_peer(int fd) noexcept;

/// Whether `fd` is a socket, not of datagrams, that is not connected.
bool is_unconnected(int fd) noexcept;

/// Whether poll(2) reports out-of-band data.
bool has_urgent(int fd) noexcept;

/// Receives the out-of-band byte, and drops it.  Does nothing for a socket with SO_OOBINLINE, which
/// has that byte among the other data.
void drop_urgent(int fd) noexcept;

}  // namespace asyncore::platform
