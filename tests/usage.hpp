// What a test case leaves behind, and how its turns went.  main.cpp compares this before and after
// each case.
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace support {

/// Lets go of what is kept until the next use: channels that have left the global map, which are kept
/// until the next loop begins, and queues of the stand-in for kqueue, which does not see them close.
void let_go();

/// How many allocations of operator new were not freed.  0 under AddressSanitizer, where
/// LeakSanitizer looks for leaks.
long allocations_now() noexcept;

/// The open descriptors, and what each is.
std::map<int, std::string> descriptors_now();

/// How many threads this process has.  A thread that was joined may take a moment to leave the
/// system's list, so this function waits as long as there are more than `expected`, but not for ever.
std::size_t threads_now(std::size_t expected);

/// The waits of this process.  A wait is fruitless if it reported something, and nothing was moved
/// until the next wait: nothing was read, written, accepted, connected, shut down or closed.
struct waits {
    long all = 0;
    long fruitless = 0;  // in a row, at most
};
waits waits_since_last_call();

}  // namespace support
