// What the fuzz targets of protocols share: a text made of phrases, and the ways to cut it.
#pragma once

#include <asyncore/asyncore.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <poll.h>
#include <sys/socket.h>

#include "fuzz.hpp"

namespace fuzz {

/// The text that an input stands for.  A byte from 128 on is the phrase of that number, as long as
/// there is one.  Any other byte is itself.
inline std::string text_of(decisions& input, std::span<const std::string_view> phrases) {
    std::string text;
    while (input.left()) {
        const auto byte = input.next();
        if (byte >= 128 && byte - 128 < phrases.size()) text += phrases[byte - 128];
        else text += static_cast<char>(byte);
    }
    return text;
}

/// Cuts a text into pieces of 1 to `most` bytes.  The lengths follow from `seed`.
class cutter {
public:
    cutter(unsigned most, unsigned seed) : most_(most), state_(seed) {}
    std::string_view next(std::string_view& text) {
        state_ = state_ * 1103515245 + 12345;
        const auto piece = text.substr(0, 1 + (state_ >> 16) % most_);
        text.remove_prefix(piece.size());
        return piece;
    }

private:
    unsigned most_;
    std::uint32_t state_;
};

/// The client of a channel.  Both live in one thread, so a client that waits has the loop turn.
class client {
public:
    explicit client(asyncore::socket_t sock) : socket_(std::move(sock)) {}

    /// Everything that the channel has sent, and how it ended.
    std::string heard;
    bool closed = false;

    /// Sends a piece, and has the loop turn until `channel` has nothing to do.
    void say(std::string_view piece, asyncore::dispatcher& channel) {
        while (!piece.empty() && channel._fileno >= 0) {
            const auto sent = socket_.send(piece);
            piece.remove_prefix(sent.count);
            settle(channel);
            if (sent.error != 0 && sent.error != EAGAIN) break;
        }
    }
    void end(asyncore::dispatcher& channel) {
        if (closed) socket_.close();
        else socket_.shutdown(SHUT_WR);
        settle(channel);
    }
    /// Has the loop turn until nothing is left to do.  It fails if that takes too long.
    void settle(asyncore::dispatcher& channel) {
        for (int turns = 0; has_to_do(channel); ++turns) {
            if (turns > 1000) fail("the loop spins");
            asyncore::loop({.timeout = 0.0, .count = 1});
            hear();
        }
        hear();
    }

private:
    static bool has_to_do(asyncore::dispatcher& channel) {
        if (channel._fileno < 0) return false;
        pollfd asked{channel._fileno, 0, 0};
        if (channel.readable()) asked.events |= POLLIN;
        if (channel.writable()) asked.events |= POLLOUT;
        return asked.events != 0 && ::poll(&asked, 1, 0) == 1;
    }
    void hear() {
        char room[4096];
        while (!closed) {
            const auto got = socket_.recv(room);
            if (got.error == EAGAIN) return;
            closed = got.error != 0 || got.count == 0;  // a reset is an end, too
            heard.append(room, got.count);
        }
    }

    asyncore::socket_t socket_;
};

}  // namespace fuzz
