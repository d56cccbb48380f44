// What the injector tells the sweep while the server runs: a file that both of them map.
#pragma once

#include <cstdint>

namespace faults {

/// One class of calls.  report.py reads this layout.
struct slot {
    char name[24];
    std::uint64_t calls;
    std::uint64_t calls_in_startup;  // the calls before the first wait
};

struct report {
    std::uint64_t waits;  // calls of select, poll and epoll_wait
    std::int64_t
        wait_limit;          // milliseconds, of the wait that the server is in; -1 is without limit
    std::uint64_t in_wait;   // 1 while the server is in a wait
    std::uint64_t port;      // of the first listener; 0 before it listens
    std::uint64_t fired;     // calls that a fault met
    std::uint64_t fired_at;  // when the first fault fired, in nanoseconds of CLOCK_MONOTONIC
    std::uint64_t slots_used;
    std::uint64_t fired_in_startup;  // 1 if the first fault fired before the first wait
    slot slots[100];
};

constexpr std::uint64_t report_size = 8192;  // the stacks stand behind this many bytes
static_assert(sizeof(report) <= report_size);

/// The report of this process, or nullptr where the program runs without one.
report* current_report() noexcept;

/// Writes the stack of the caller behind the report, which keeps the first stack and the last one.
void report_stack() noexcept;

std::uint64_t now() noexcept;

}  // namespace faults
