// repr().
#include "python.hpp"

#include <asyncore/platform/repr.hpp>

namespace py {

using asyncore::platform::bytes_repr;
using asyncore::platform::str_repr;

std::string repr_of(std::string_view text, bool is_bytes) {
    return is_bytes ? bytes_repr(text) : str_repr(text);
}

std::string repr_of(const std::string& text, bool is_bytes) {
    return repr_of(std::string_view(text), is_bytes);
}

std::string repr_of(const std::optional<std::string>& text, bool is_bytes) {
    return text ? repr_of(*text, is_bytes) : "None";
}

std::string repr_of(const list& texts, bool is_bytes) {
    list parts;
    for (const auto& text : texts) parts.push_back(repr_of(text, is_bytes));
    return "[" + join(", ", parts) + "]";
}

std::string repr_of(const address& name, bool) {
    const auto text = name.repr();
    if (!name || name.is_unix() || text.starts_with('(')) return text;
    return "(" + str_repr(name.host()) + ", " + std::to_string(name.port()) + ")";
}

std::string repr_of(const std::map<std::string, std::pair<int, std::string>>& refused, bool) {
    list parts;
    for (const auto& [recipient, why] : refused)
        parts.push_back(str_repr(recipient) + ": (" + std::to_string(why.first) + ", " +
                        bytes_repr(why.second) + ")");
    return "{" + join(", ", parts) + "}";
}

}  // namespace py
