// What a browser sends for a form.
#pragma once

#include "request.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http {

/// The names and values of the fields, decoded, in the order in which they came.
using form = std::vector<std::pair<std::string, std::string>>;

/// Decodes a body of one of the two kinds that browsers send.  A body of another kind has no
/// fields.  The value of a file is its name and size.
///
/// Python:  the manual's `parse(self.headers, data)`.
/// Throws:  http_error: 400 for a broken multipart body; 413 for more than 1000 fields, because as
///          objects they need many times the memory that they need as text.
form parse(const headers& fields, std::string_view body);

}  // namespace http
