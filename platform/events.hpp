// What may happen to a descriptor.
#pragma once

#include <cstdint>

#include <poll.h>

namespace asyncore::platform {

/// What may happen to a descriptor: poll(2)'s flags, which are epoll(7)'s too.
enum class events : std::uint8_t {
    none = 0,
    read = POLLIN,       // bytes, a connection to accept, or end of file
    priority = POLLPRI,  // out-of-band data; what select(2) calls exceptional
    write = POLLOUT,     // room, or a connect that has ended, well or badly
    // A poller reports the next three unasked, for every descriptor that is watched for reading or
    // for writing.
    error = POLLERR,
    hangup = POLLHUP,
    invalid = POLLNVAL,  // not an open descriptor
};

constexpr events operator|(events a, events b) {
    return static_cast<events>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
constexpr events operator&(events a, events b) {
    return static_cast<events>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}
constexpr events operator~(events a) { return static_cast<events>(~static_cast<unsigned>(a)); }
constexpr events& operator|=(events& a, events b) { return a = a | b; }
constexpr events& operator&=(events& a, events b) { return a = a & b; }
constexpr bool any(events what) { return what != events::none; }

}  // namespace asyncore::platform
