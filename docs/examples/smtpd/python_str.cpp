// str and bytes.
#include "python.hpp"

#include <asyncore/platform/repr.hpp>

#include <algorithm>
#include <cwctype>
#include <limits>

#include <locale.h>

namespace py {

namespace {

using asyncore::platform::str_repr;

bool is_ascii(std::string_view text) {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) > 0x7f; });
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A byte that is not UTF-8 counts as the character not_utf8 + byte.
constexpr char32_t not_utf8 = 0x110000;

/// How many bytes of the same character follow the byte `first`; -1 if no character begins with it.
int followers(unsigned char first) {
    if (first < 0x80) return 0;
    if (first >= 0xc2 && first < 0xe0) return 1;
    if (first >= 0xe0 && first < 0xf0) return 2;
    if (first >= 0xf0 && first < 0xf5) return 3;
    return -1;
}

void append(std::string& out, char32_t c) {
    const auto byte = [&](char32_t value) { out += static_cast<char>(value & 0xff); };
    const auto follow = [&](int shift) { byte(0x80 | (c >> shift & 0x3f)); };
    if (c < 0x80 || c >= not_utf8) return byte(c);
    if (c < 0x800) {
        byte(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        byte(0xe0 | c >> 12);
        follow(6);
    } else {
        byte(0xf0 | c >> 18);
        follow(12);
        follow(6);
    }
    follow(0);
}

/// A locale that knows the letters of all scripts, whatever the locale of the program is.
/// Returns: null if the system has none.
locale_t unicode() {
    static const locale_t found = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return found;
}

bool is_alnum(char32_t c) {
    if (c < 0x80)
        return is_digit(static_cast<char>(c)) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return unicode() && ::iswalnum_l(static_cast<std::wint_t>(c), unicode()) != 0;
}

char32_t upper_of(char32_t c) {
    if (c >= 'a' && c <= 'z') return c - ('a' - 'A');
    if (c < 0x80 || c >= not_utf8 || !unicode()) return c;
    return static_cast<char32_t>(::towupper_l(static_cast<std::wint_t>(c), unicode()));
}

bool ends_line(char32_t c) {
    return (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

/// How many bytes stand before the first white space.
std::size_t word_size(std::string_view text) {
    auto rest = text;
    while (!rest.empty()) {
        const auto at = text.size() - rest.size();
        const auto c = next(rest);
        if (isspace(c)) return at;
    }
    return text.size();
}

}  // namespace

char32_t next(std::string_view& text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto first = byte(0);
    const int more = followers(first);
    char32_t c = more > 0 ? static_cast<char32_t>(first & (0x3f >> more)) : first;
    bool good = more >= 0 && static_cast<std::size_t>(more) < text.size();
    for (std::size_t i = 1; good && i <= static_cast<std::size_t>(more); ++i) {
        good = (byte(i) & 0xc0) == 0x80;
        c = c << 6 | (byte(i) & 0x3fU);
    }
    // UTF-8 has only the shortest form of a character, no surrogates, and nothing above 0x10ffff.
    if (more == 2) good = good && c >= 0x800 && (c < 0xd800 || c > 0xdfff);
    if (more == 3) good = good && c >= 0x10000 && c < not_utf8;
    text.remove_prefix(good ? static_cast<std::size_t>(more) + 1 : 1);
    return good ? c : not_utf8 + first;
}

const std::string& decode_utf8(const std::string& bytes) {
    std::string_view rest = bytes;
    while (!rest.empty()) {
        const auto position = bytes.size() - rest.size();
        const auto c = next(rest);
        if (c >= not_utf8)
            throw UnicodeError("'utf-8' codec can't decode byte in position " +
                               std::to_string(position));
    }
    return bytes;
}

std::string_view encode_ascii(std::string_view text) {
    if (!is_ascii(text)) throw UnicodeError("'ascii' codec can't encode " + str_repr(text));
    return text;
}

bool isspace(char32_t c) {
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

bool isalnum(std::string_view text) {
    if (text.empty()) return false;
    while (!text.empty()) {
        const auto c = next(text);
        if (!is_alnum(c)) return false;
    }
    return true;
}

bool isdigit(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

std::string upper(std::string_view text) {
    std::string out;
    while (!text.empty()) append(out, upper_of(next(text)));
    return out;
}

std::string_view lstrip(std::string_view text) {
    auto rest = text;
    while (!rest.empty()) {
        const auto c = next(rest);
        if (!isspace(c)) break;
        text = rest;
    }
    return text;
}

std::string_view strip(std::string_view text) {
    text = lstrip(text);
    std::size_t end = 0;
    auto rest = text;
    while (!rest.empty()) {
        const auto c = next(rest);
        if (!isspace(c)) end = text.size() - rest.size();
    }
    return text.substr(0, end);
}

list split(std::string_view text) {
    list words;
    for (text = lstrip(text); !text.empty(); text = lstrip(text)) {
        const auto size = word_size(text);
        words.emplace_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return words;
}

list split(std::string_view text, std::string_view separator) {
    list parts;
    for (;;) {
        const auto at = text.find(separator);
        parts.emplace_back(text.substr(0, at));
        if (at == text.npos) return parts;
        text.remove_prefix(at + separator.size());
    }
}

std::string join(std::string_view separator, const list& parts) {
    std::string out;
    auto size = parts.size() * separator.size();
    for (const auto& part : parts) size += part.size();
    out.reserve(size);
    for (const auto& part : parts) {
        if (&part != &parts.front()) out += separator;
        out += part;
    }
    return out;
}

list splitlines_of_str(std::string_view text) {
    list lines;
    auto rest = text;
    while (!rest.empty()) {
        const auto left = rest.size();
        const auto c = next(rest);
        if (!ends_line(c)) continue;
        lines.emplace_back(text.substr(0, text.size() - left));
        if (c == '\r' && rest.starts_with('\n')) rest.remove_prefix(1);
        text = rest;
    }
    if (!text.empty()) lines.emplace_back(text);
    return lines;
}

list splitlines_of_bytes(std::string_view bytes) {
    list lines;
    while (!bytes.empty()) {
        const auto end = bytes.find_first_of("\r\n");
        lines.emplace_back(bytes.substr(0, end));
        if (end == bytes.npos) break;
        bytes.remove_prefix(end + (bytes.substr(end).starts_with("\r\n") ? 2 : 1));
    }
    return lines;
}

long long to_int(std::string_view text) {
    const auto refused = [&] {
        return std::invalid_argument("invalid literal for int() with base 10: " + str_repr(text));
    };
    auto digits = strip(text);
    const bool negative = digits.starts_with('-');
    if (negative || digits.starts_with('+')) digits.remove_prefix(1);
    constexpr auto most = std::numeric_limits<long long>::max();
    long long value = 0;
    char before = '_';
    for (const char c : digits) {
        const bool between_digits = c == '_' && before != '_';
        if (!is_digit(c) && !between_digits) throw refused();
        before = c;
        if (c == '_') continue;
        value = value > (most - 9) / 10 ? most : value * 10 + (c - '0');
    }
    if (before == '_') throw refused();
    return negative ? -value : value;
}

}  // namespace py
