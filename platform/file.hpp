// A descriptor that is not a socket: a pipe, a terminal, a file.
#pragma once

#include <asyncore/platform/socket.hpp>

namespace asyncore::platform {

// Both repeat their system call after a signal.  Differs: D22 - write_file() never raises SIGPIPE.
transfer read_file(int fd, std::span<char> buffer);
transfer write_file(int fd, std::string_view data);

/// Throws: std::system_error.
void close_file(int fd);

/// A close-on-exec duplicate.  Python: os.dup(fd).
/// Throws: std::system_error.
unique_fd duplicate(int fd);

}  // namespace asyncore::platform
