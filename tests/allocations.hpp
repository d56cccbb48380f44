// What operator new has given and operator delete has not got back, for programs that link
// allocations.cpp.
#pragma once

#include <atomic>

namespace support {

inline std::atomic<long> live_allocations{0};
/// Whether an allocation is to fail.  Null: none is.
inline bool (*refuses_allocation)() noexcept = nullptr;

}  // namespace support
