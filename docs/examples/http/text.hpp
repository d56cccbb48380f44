// How URLs, HTML and HTTP write text.
#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace http {

/// Changes ASCII letters only, whatever the locale is.
std::string upper(std::string_view text);
/// Without the spaces and tabs at both ends.
std::string_view stripped(std::string_view text);

/// "%41" becomes "A".  It decodes once: "%2541" becomes "%41".
/// Returns: nothing if a '%' is not followed by two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text);
/// Encodes all but letters, digits and -._~, so that the result can stand in any part of a URL and
/// in a header.
std::string percent_encoded(std::string_view text);
/// Encodes what may not stand in the query of a URL.  Escapes stay as they are.
std::string query_encoded(std::string_view text);
/// Decodes as a form does: "+" is a space, and a '%' that begins no escape stays.
std::string form_decoded(std::string_view text);

/// For text, and for attribute values in double or single quotes.
std::string html_escaped(std::string_view text);

/// "Thu, 01 Jan 1970 00:00:00 GMT"
std::string http_date(std::time_t when);

/// A page with `body`, which is HTML, below `title`, which is plain text.
std::string html_page(std::string_view title, std::string_view body);

}  // namespace http
