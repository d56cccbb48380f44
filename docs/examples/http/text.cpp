#include "text.hpp"

#include <time.h>

namespace http {

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// The byte that an escape at the beginning of `text` stands for.
/// Returns: nothing if there is no escape.
std::optional<char> escaped_byte(std::string_view text) {
    if (text.size() < 3 || text[0] != '%') return std::nullopt;
    const int high = hex_digit(text[1]), low = hex_digit(text[2]);
    if (high < 0 || low < 0) return std::nullopt;
    return static_cast<char>(high << 4 | low);
}

bool unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/// Encodes all that is neither unreserved nor in `kept`.
std::string encoded(std::string_view text, std::string_view kept) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string result;
    for (const char c : text) {
        if (unreserved(c) || kept.find(c) != kept.npos) {
            result += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        result += {'%', digits[byte >> 4], digits[byte & 15]};
    }
    return result;
}

}  // namespace

std::string upper(std::string_view text) {
    std::string result(text);
    for (char& c : result)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return result;
}

std::string_view stripped(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            result += text[i];
            continue;
        }
        const auto byte = escaped_byte(text.substr(i));
        if (!byte) return std::nullopt;
        result += *byte;
        i += 2;
    }
    return result;
}

std::string percent_encoded(std::string_view text) { return encoded(text, ""); }

std::string query_encoded(std::string_view text) { return encoded(text, "%!$&'()*+,;=:@/?"); }

std::string form_decoded(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (const auto byte = escaped_byte(text.substr(i))) {
            result += *byte;
            i += 2;
        } else {
            result += text[i] == '+' ? ' ' : text[i];
        }
    }
    return result;
}

std::string html_escaped(std::string_view text) {
    constexpr std::string_view special = "&<>\"'";
    constexpr std::string_view names[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    std::string result;
    for (const char c : text) {
        const auto at = special.find(c);
        if (at == special.npos) result += c;
        else result += names[at];
    }
    return result;
}

std::string http_date(std::time_t when) {
    std::tm utc{};
    ::gmtime_r(&when, &utc);
    char text[64];
    return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

std::string html_page(std::string_view title, std::string_view body) {
    const auto name = html_escaped(title);
    std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>";
    page.append(name).append("</title>\n<h1>").append(name).append("</h1>\n");
    return page.append(body).append("</html>\n");
}

}  // namespace http
