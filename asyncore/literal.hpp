// The bytes of a literal, which C++ otherwise takes to end at its first zero byte.
#pragma once

#include <cstddef>
#include <string_view>

namespace asyncore {

/// All bytes of a literal but the zero byte that C++ appends.  Python: b'...'.
template <std::size_t N>
constexpr std::string_view literal_bytes(const char (&literal)[N]) {
    return {literal, literal[N - 1] == '\0' ? N - 1 : N};
}

}  // namespace asyncore
