// Where a delimiter that arrives in pieces may have begun.
#pragma once

#include <cstddef>
#include <string_view>

namespace asynchat {

/// How many bytes at the end of `haystack` are the beginning of `needle`, but not all of it: as
/// many as possible.  find_prefix_at_end("qwerty\r", "\r\n") is 1.
std::size_t find_prefix_at_end(std::string_view haystack, std::string_view needle);

}  // namespace asynchat
