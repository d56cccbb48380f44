// What the peer servers share: the command line, and what they do with the bytes of a connection.
//
//     SERVER PORT [echo|sink] [--buffer N] [--coalesce]
//
// The port is one of 127.0.0.1; port 0 asks for a free port.  When it listens, a server prints
// `PORT n` and flushes.  The loops differ from file to file, and the work with the bytes does not:
// the figures compare loops only.  (libevent's bufferevent has buffers of its own, and parses with
// them.)
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <netinet/in.h>
#include <sys/resource.h>

namespace peer {

constexpr int backlog = 4096;

struct options {
    std::uint16_t port = 0;
    bool sink = false;          // swallow counted messages; otherwise echo lines
    std::size_t buffer = 4096;  // how many bytes are read at a time
    bool coalesce = false;      // one send for all lines of a read, and not one for each line
};

[[noreturn]] inline void die(const char* what) {
    std::perror(what);
    std::exit(EXIT_FAILURE);
}

template <class Number>
Number number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
        std::fprintf(stderr, "not a number: %.*s\n", static_cast<int>(text.size()), text.data());
        std::exit(2);
    }
    return value;
}

inline options parse(int argc, char** argv) {
    options result;
    if (argc < 2) {
        std::fprintf(stderr, "usage: %s PORT [echo|sink] [--buffer N] [--coalesce]\n", argv[0]);
        std::exit(2);
    }
    result.port = number<std::uint16_t>(argv[1]);
    for (int i = 2; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "echo") {
            result.sink = false;
        } else if (word == "sink") {
            result.sink = true;
        } else if (word == "--coalesce") {
            result.coalesce = true;
        } else if (word == "--buffer" && i + 1 < argc) {
            result.buffer = std::max(number<std::size_t>(argv[++i]), std::size_t{1});
        } else {
            std::fprintf(stderr, "%s: unknown argument %s\n", argv[0], argv[i]);
            std::exit(2);
        }
    }
    return result;
}

/// Raises the limit of descriptors as far as the system allows it.
inline void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) die("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) die("setrlimit");
}

inline sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

inline void announce(unsigned port) {
    std::printf("PORT %u\n", port);
    std::fflush(stdout);
}

inline void announce(int listening_fd) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    if (::getsockname(listening_fd, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        die("getsockname");
    announce(unsigned{ntohs(address.sin_port)});
}

/// Reads counted messages: eight bytes of length, big-endian, then as many bytes, which it drops.
class message_counter {
public:
    /// Takes the bytes of a read.  After each whole message it calls `answer` with the eight bytes.
    /// `answer` returns false when the connection is gone; then feed() returns false too.
    template <class Answer>
    bool feed(std::string_view data, Answer&& answer) {
        while (!data.empty()) {
            if (missing_ == 0 && !read_header(data)) return true;
            const auto taken = std::min<std::uint64_t>(missing_, data.size());
            missing_ -= taken;
            data.remove_prefix(taken);
            if (missing_ > 0) return true;
            have_ = 0;
            if (!answer(std::string_view(header_.data(), header_.size()))) return false;
        }
        return true;
    }

private:
    bool read_header(std::string_view& data) {
        const auto taken = std::min(header_.size() - have_, data.size());
        std::copy_n(data.begin(), taken, header_.begin() + static_cast<std::ptrdiff_t>(have_));
        have_ = static_cast<std::uint8_t>(have_ + taken);
        data.remove_prefix(taken);
        if (have_ < header_.size()) return false;
        for (const char byte : header_) missing_ = missing_ << 8 | static_cast<unsigned char>(byte);
        return true;
    }

    std::uint64_t missing_ = 0;
    std::array<char, 8> header_{};
    std::uint8_t have_ = 0;
};

/// Finds the lines in the bytes of reads, and keeps the beginning of a line that is not whole yet.
class line_splitter {
public:
    /// Calls `send` with each line and its end or, to coalesce, once with all whole lines.  `send`
    /// returns false when the connection is gone; then feed() returns false too.
    template <class Send>
    bool feed(std::string_view data, bool coalesce, Send&& send) {
        if (kept_.empty()) {
            const auto done = split(data, 0, coalesce, send);
            if (done < data.size()) kept_ = data.substr(done);
            return done != failed;
        }
        const auto seen = kept_.size() - 1;  // the last byte may be the \r of a \r\n
        kept_ += data;
        const auto done = split(kept_, seen, coalesce, send);
        if (done != failed) kept_.erase(0, done);
        return done != failed;
    }

private:
    static constexpr auto failed = std::string_view::npos;

    /// Returns how many bytes belonged to whole lines, or `failed`.
    template <class Send>
    static std::size_t split(std::string_view data, std::size_t from, bool coalesce, Send& send) {
        std::size_t whole = 0;
        for (std::size_t end = 0; (end = data.find("\r\n", from)) != data.npos;) {
            from = end + 2;
            if (!coalesce && !send(data.substr(whole, from - whole))) return failed;
            whole = from;
        }
        if (coalesce && whole > 0 && !send(data.substr(0, whole))) return failed;
        return whole;
    }

    std::string kept_;
};

}  // namespace peer
