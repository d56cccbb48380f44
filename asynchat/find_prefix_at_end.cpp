// Python: Lib/asynchat.py, find_prefix_at_end().
#include <asynchat/find_prefix_at_end.hpp>

#include <algorithm>

namespace asynchat {

std::size_t find_prefix_at_end(std::string_view haystack, std::string_view needle) {
    if (needle.empty()) return 0;
    auto length = std::min(needle.size() - 1, haystack.size());
    while (length > 0 && !haystack.ends_with(needle.substr(0, length))) --length;
    return length;
}

}  // namespace asynchat
