// The bytes of a literal, which C++ otherwise takes to end at its first zero byte.
#pragma once

#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace asyncore {

template <class T>
concept character = std::same_as<T, char> || std::same_as<T, const char>;

/// The bytes of an array.  A literal, which is const, is all its bytes but the zero byte that C++ appends
/// (Python: b'...').  An array that is not const is text, which ends at its first zero byte.
template <character Char, std::size_t N>
constexpr std::string_view bytes_of(Char (&array)[N]) {
    if constexpr (!std::is_const_v<Char>) return array;
    else return {array, array[N - 1] == '\0' ? N - 1 : N};
}

}  // namespace asyncore
