// How the servers among the examples limit the time of a client.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

/// A client has to move so many bytes in each window of time.  When it has moved them, the next
/// window begins.  So a client that is silent, or moves a byte now and then, is late in the end.
class pace {
public:
    using clock = std::chrono::steady_clock;
    /// No number of bytes is enough: the window is all the time there is.
    static constexpr auto no_number = std::numeric_limits<std::uint64_t>::max();

    void begin(clock::time_point now, std::chrono::seconds window, std::uint64_t least) {
        window_ = window;
        least_ = missing_ = least;
        end_ = now + window;
    }
    void move(clock::time_point now, std::uint64_t bytes) {
        if (bytes == 0) return;
        if (bytes < missing_) missing_ -= bytes;
        else begin(now, window_, least_);
    }
    bool is_late(clock::time_point now) const { return now >= end_; }

private:
    std::chrono::seconds window_{};
    std::uint64_t least_ = 0, missing_ = 0;
    clock::time_point end_;
};
