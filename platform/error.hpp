// errno as an exception.  Python: OSError.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace asyncore::platform {

/// The category of every std::system_error that this library throws: e.code().value() is e.errno.
/// Generic, not system: libstdc++'s system_category maps no std::errc to ESHUTDOWN.
inline std::system_error os_error(int error, const std::string& what) {
    return {error, std::generic_category(), what};
}

/// Throws the error of the system call that has just failed.
[[noreturn]] inline void throw_errno(const char* system_call) {
    throw os_error(errno, system_call);
}

/// Whether the error says that the call would have had to wait.
inline bool would_block(int error) { return error == EWOULDBLOCK || error == EAGAIN; }

/// Thrown by a turn when a channel stands in the map under -1 and wants to be watched.  That happens
/// after del_channel() and then add_channel().
///
/// Python: the TypeError that select.select() and poll.register() raise for None.
class not_a_descriptor : public std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

}  // namespace asyncore::platform
