// Text as URLs, HTML and HTTP write it.
#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace http {

/// ASCII only, whatever the locale.
std::string upper(std::string_view text);
std::string_view stripped(std::string_view text);  // of spaces and tabs at both ends

/// "%41" becomes "A", once: "%2541" becomes "%41".
/// Returns: nothing if a '%' is not followed by two hexadecimal digits.
std::optional<std::string> percent_decoded(std::string_view text);
/// Everything but letters, digits and -._~ is encoded, so that the result may stand in any part of
/// a URL and in a header.
std::string percent_encoded(std::string_view text);
/// As a form does it: "+" is a space, and a '%' that begins nothing stands for itself.
std::string form_decoded(std::string_view text);

/// For text and for attribute values in double or single quotes.
std::string html_escaped(std::string_view text);

/// "Thu, 01 Jan 1970 00:00:00 GMT"
std::string http_date(std::time_t when);

/// "<!DOCTYPE html>..." around `body`, which is HTML; `title` is plain text.
std::string html_page(std::string_view title, std::string_view body);

}  // namespace http
