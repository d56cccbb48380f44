// The poller under test, and descriptors that it watches.
#pragma once

#include "support.hpp"

#include <asyncore/platform/poller.hpp>
#include <asyncore/platform/socket.hpp>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <doctest/doctest.h>

namespace asyncore::platform {

/// "read|write", for the message of a failed check.
inline doctest::String toString(events what) {
    constexpr std::pair<events, const char*> names[] = {
        {events::read, "read"},   {events::priority, "priority"}, {events::write, "write"},
        {events::error, "error"}, {events::hangup, "hangup"},     {events::invalid, "invalid"}};
    std::string text;
    for (const auto& [flag, name] : names)
        if (any(what & flag)) text += (text.empty() ? "" : "|") + std::string(name);
    return text.empty() ? "none" : text.c_str();
}

inline doctest::String toString(const std::map<int, events>& answer) {
    std::string text;
    for (const auto& [fd, what] : answer)
        text += " " + std::to_string(fd) + ":" + toString(what).c_str();
    return text.c_str();
}

}  // namespace asyncore::platform

namespace support {

namespace platform = asyncore::platform;
using platform::events;

inline constexpr events none = events::none, reads = events::read, writes = events::write,
                        priority = events::priority, error = events::error, hangup = events::hangup;
inline constexpr events all = reads | writes | priority;
inline constexpr events combinations[] = {
    none, reads, writes, reads | writes, priority, reads | priority, writes | priority, all};

using answer = std::map<int, events>;

/// A poller of the mechanism that ASYNCORE_POLLER names.
struct polling {
    std::unique_ptr<platform::poller> poller = platform::make_poller();

    bool is(std::string_view name) const { return poller->name() == name; }
    /// epoll and kqueue have a descriptor, and the kernel keeps the set of what is watched.
    bool kernel_keeps_the_set() const { return is("epoll") || is("kqueue"); }

    void watch(int fd, events interest) { poller->watch(fd, interest); }
    void watch(const platform::socket& sock, events interest) { watch(sock.fileno(), interest); }
    void watch(const platform::unique_fd& fd, events interest) { watch(fd.get(), interest); }

    answer wait(platform::timeout limit = 0.0) {
        std::vector<platform::ready> found;
        poller->wait(limit, found);
        answer by_descriptor;
        for (const auto& each : found) by_descriptor[each.fd] |= each.what;
        CHECK(by_descriptor.size() == found.size());  // an entry per descriptor
        return by_descriptor;
    }
};

inline void put(int fd, std::string_view data) {
    REQUIRE(::write(fd, data.data(), data.size()) == static_cast<ssize_t>(data.size()));
}

inline void take(int fd, std::size_t size) {
    std::string data(size, '\0');
    REQUIRE(::read(fd, data.data(), size) == static_cast<ssize_t>(size));
}

inline void fill(int fd) {
    const std::string data(4096, 'x');
    while (::write(fd, data.data(), data.size()) > 0) {
    }
    while (::write(fd, "x", 1) > 0) {
    }
}

/// Loopback is quick, but it need not deliver at once.
inline void until(int fd, short what) {
    pollfd asked{fd, what, 0};
    REQUIRE(::poll(&asked, 1, 30000) == 1);
    REQUIRE((asked.revents & what) != 0);
}

/// A regular file with some bytes in it.
inline platform::unique_fd a_file() {
    const TempDir folder;
    const auto path = folder / "file";
    write_file(path, "some bytes");
    platform::unique_fd file(::open(path.c_str(), O_RDWR));
    REQUIRE(file.get() >= 0);
    return file;
}

/// A duplicate of `fd` under the first free number from `lowest` on.
inline platform::unique_fd duplicate(int fd, int lowest) {
    return platform::unique_fd(::fcntl(fd, F_DUPFD, lowest));
}

}  // namespace support
