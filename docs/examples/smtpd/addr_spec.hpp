// Python: email/_header_value_parser.py, the part that reads addresses.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace addr_spec {

/// The text is not an address.  Python: email.errors.HeaderParseError.
class HeaderParseError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Returns: the address at the beginning of `value`, and the rest of `value`.
/// Throws:  HeaderParseError; py::RecursionError if comments are nested too deeply;
///          std::out_of_range where Python's parser raises an IndexError; std::logic_error where
///          Python's parser fails in another way.
std::pair<std::string, std::string> get_addr_spec(std::string_view value);
/// The same for an address between < and >.  "<>" is an address too.
std::pair<std::string, std::string> get_angle_addr(std::string_view value);

}  // namespace addr_spec
