// The chaos clients of the soak: what the files share.
//
// The program is one process with one epoll descriptor, and it does not use the library that it
// tests.  A client has a number, which with the seed decides all its choices: what it says, how it
// says it, and where it breaks off.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace chaos {

using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// Chooses.  The same seed makes the same choices (splitmix64).
class dice {
public:
    explicit dice(std::uint64_t seed) : state_(seed) {}

    std::uint64_t roll() {
        auto z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    /// A number from `least` to `most`.
    std::size_t between(std::size_t least, std::size_t most) {
        return least + static_cast<std::size_t>(roll() % (most - least + 1));
    }
    bool one_in(std::size_t n) { return roll() % n == 0; }
    /// A number whose logarithm is evenly spread: small ones are as frequent as large ones.
    std::size_t small_or_large(std::size_t most) {
        return between(1, std::size_t{1} << between(0, 63 - leading_zeros(most))) % (most + 1);
    }

private:
    static std::size_t leading_zeros(std::size_t n) {
        return static_cast<std::size_t>(__builtin_clzll(n));
    }
    std::uint64_t state_;
};

/// How a client behaves.  README.md says which outcome is allowed for which manner.
enum class manner {
    honest,        // says and reads as fast as it can
    single_bytes,  // one byte a send, one byte a read
    tiny_window,   // SO_RCVBUF of 2 KiB
    slow_reader,   // reads a little, 50 times a second
    slow_writer,   // says a little, 50 times a second
    urgent,        // one urgent byte in the middle
    flood,         // says all before it reads anything
    drown,         // says megabytes, and never reads
    late_half,     // half-closes when it has heard all
    early_half,    // half-closes in the middle of what it says
    reset,         // closes with SO_LINGER 0 in the middle
    leave,         // closes in the middle
    garbage,       // random bytes
    silent,        // waits for a second before it says anything
};
constexpr std::size_t manners = 14;
constexpr std::string_view manner_names[manners] = {
    "honest", "single_bytes", "tiny_window", "slow_reader", "slow_writer", "urgent",  "flood",
    "drown",  "late_half",    "early_half",  "reset",       "leave",       "garbage", "silent"};

/// An outcome that is not allowed.
struct mismatch : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace chaos
