// Python: email._header_value_parser, as much of it as reads an address.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace addr_spec {

/// The text is no address.  Python: email.errors.HeaderParseError.
class HeaderParseError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// The address at the beginning of `value`, and the rest of it.
/// Throws: HeaderParseError; std::out_of_range where Python's parser runs off the end with an
///         IndexError; std::logic_error where it trips over itself in another way.
std::pair<std::string, std::string> get_addr_spec(std::string_view value);
/// The same for one between < and >; <> is one too.
std::pair<std::string, std::string> get_angle_addr(std::string_view value);

}  // namespace addr_spec
