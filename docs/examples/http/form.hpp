// What a browser sends for a form.
#pragma once

#include "request.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http {

/// Names and values, decoded, in the order in which they came.
using form = std::vector<std::pair<std::string, std::string>>;

/// Decodes a body of either kind that browsers send; one of any other kind has no fields.  A file
/// stands there by its name and size.
///
/// Python:  the manual's `parse(self.headers, data)`.
/// Throws:  http_error: 400 for a broken multipart body, 413 for more than 1000 fields, which
///          as objects are many times larger than as text.
form parse(const headers& fields, std::string_view body);

}  // namespace http
