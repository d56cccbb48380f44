// See python.hpp.
#include "python.hpp"

#include <asyncore/platform/repr.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cwctype>
#include <limits>

#include <locale.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace py {

namespace {

using asyncore::platform::bytes_repr;
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

char32_t lower_of(char32_t c) {
    if (c >= 'A' && c <= 'Z') return c + ('a' - 'A');
    if (c < 0x80 || c >= not_utf8 || !unicode()) return c;
    return static_cast<char32_t>(::towlower_l(static_cast<std::wint_t>(c), unicode()));
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

std::string decode_latin1(std::string_view bytes) {
    std::string text;
    for (const char c : bytes) append(text, static_cast<unsigned char>(c));
    return text;
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

std::string lower(std::string_view text) {
    std::string out;
    while (!text.empty()) append(out, lower_of(next(text)));
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

std::string_view rstrip(std::string_view text) {
    std::size_t end = 0;
    auto rest = text;
    while (!rest.empty()) {
        const auto c = next(rest);
        if (!isspace(c)) end = text.size() - rest.size();
    }
    return text.substr(0, end);
}

std::string_view strip(std::string_view text) { return rstrip(lstrip(text)); }

list split(std::string_view text) {
    list words;
    for (text = lstrip(text); !text.empty(); text = lstrip(text)) {
        const auto size = word_size(text);
        words.emplace_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return words;
}

// --- str and bytes, where what is looked for is given.

std::string_view lstrip(std::string_view text, std::string_view characters) {
    return text.substr(std::min(text.find_first_not_of(characters), text.size()));
}

std::string_view rstrip(std::string_view text, std::string_view characters) {
    return text.substr(0, text.find_last_not_of(characters) + 1);
}

std::string_view strip(std::string_view text, std::string_view characters) {
    return rstrip(lstrip(text, characters), characters);
}

namespace {

void refuse_empty(std::string_view separator) {
    if (separator.empty()) throw std::invalid_argument("empty separator");
}

}  // namespace

list split(std::string_view text, std::string_view separator, long most) {
    refuse_empty(separator);
    list found;
    for (;; --most) {
        const auto at = most == 0 ? text.npos : text.find(separator);
        found.emplace_back(text.substr(0, at));
        if (at == text.npos) return found;
        text.remove_prefix(at + separator.size());
    }
}

list rsplit(std::string_view text, std::string_view separator, long most) {
    refuse_empty(separator);
    list found;
    for (;; --most) {
        const bool whole = most == 0 || text.size() < separator.size();
        const auto at = whole ? text.npos : text.rfind(separator);
        if (at == text.npos) break;
        found.emplace_back(text.substr(at + separator.size()));
        text = text.substr(0, at);
    }
    found.emplace_back(text);
    std::reverse(found.begin(), found.end());
    return found;
}

parts partition(std::string_view text, std::string_view separator) {
    refuse_empty(separator);
    const auto at = text.find(separator);
    if (at == text.npos) return {text, {}, {}};
    return {text.substr(0, at), text.substr(at, separator.size()),
            text.substr(at + separator.size())};
}

parts rpartition(std::string_view text, std::string_view separator) {
    refuse_empty(separator);
    const auto at = text.rfind(separator);
    if (at == text.npos) return {{}, {}, text};
    return {text.substr(0, at), text.substr(at, separator.size()),
            text.substr(at + separator.size())};
}

std::string replace(std::string_view text, std::string_view old, std::string_view with) {
    return join(with, split(text, old));
}

std::size_t count(std::string_view text, std::string_view part) {
    return split(text, part).size() - 1;
}

std::string_view slice(std::string_view text, long begin, std::optional<long> end) {
    const auto size = static_cast<long>(text.size());
    const auto place = [&](long at) { return std::clamp(at < 0 ? at + size : at, 0L, size); };
    const auto from = place(begin), to = place(end.value_or(size));
    if (to <= from) return {};
    return text.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
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

// --- bytes

namespace bytes {

namespace {

constexpr std::string_view white_space = " \t\n\r\v\f";

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

template <class Test>
bool all(std::string_view data, Test test) {
    return !data.empty() && std::all_of(data.begin(), data.end(), test);
}

}  // namespace

bool isspace(std::string_view data) {
    return all(data, [](char c) { return white_space.find(c) != white_space.npos; });
}
bool isalnum(std::string_view data) {
    return all(data, [](char c) { return is_digit(c) || is_upper(c) || is_lower(c); });
}
bool isdigit(std::string_view data) { return all(data, is_digit); }

std::string upper(std::string_view data) {
    std::string out(data);
    for (char& c : out)
        if (is_lower(c)) c = static_cast<char>(c - 'a' + 'A');
    return out;
}
std::string lower(std::string_view data) {
    std::string out(data);
    for (char& c : out)
        if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::string_view lstrip(std::string_view data) { return py::lstrip(data, white_space); }
std::string_view rstrip(std::string_view data) { return py::rstrip(data, white_space); }
std::string_view strip(std::string_view data) { return py::strip(data, white_space); }

list split(std::string_view data) {
    list words;
    for (data = lstrip(data); !data.empty(); data = lstrip(data)) {
        const auto size = std::min(data.find_first_of(white_space), data.size());
        words.emplace_back(data.substr(0, size));
        data.remove_prefix(size);
    }
    return words;
}

}  // namespace bytes

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
    // For int() these four are no white space.
    if (text.find_first_of("\x1c\x1d\x1e\x1f") != text.npos) throw refused();
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

// --- repr()

namespace {

/// The characters of the category "Cf", which have no shape of their own.
constexpr std::array<std::pair<char32_t, char32_t>, 21> formats{
    {{0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},     {0x6dd, 0x6dd},
     {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},     {0x180e, 0x180e},
     {0x200b, 0x200f},   {0x202a, 0x202e},   {0x2060, 0x2064},   {0x2066, 0x206f},
     {0xfeff, 0xfeff},   {0xfff9, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
     {0x13430, 0x13438}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0001, 0xe0001},
     {0xe0020, 0xe007f}}};

bool isprintable(char32_t c) {
    if (c >= 0x20 && c < 0x7f) return true;
    const auto has = [c](const auto& range) { return range.first <= c && c <= range.second; };
    if (isspace(c) || std::any_of(formats.begin(), formats.end(), has)) return false;
    const bool is_private = (c >= 0xe000 && c <= 0xf8ff) || (c >= 0xf0000 && c < not_utf8);
    return !is_private && unicode() && ::iswprint_l(static_cast<std::wint_t>(c), unicode()) != 0;
}

std::string escaped(char32_t c) {
    std::array<char, 12> text{};
    const auto* const format = c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
    std::snprintf(text.data(), text.size(), format, static_cast<unsigned>(c));
    return text.data();
}

}  // namespace

std::string repr_of(std::string_view text, bool is_bytes) {
    if (is_bytes) return bytes_repr(text);
    const auto in_quotes = str_repr(text);  // it escapes what is ASCII
    std::string out;
    std::string_view rest = in_quotes;
    while (!rest.empty()) {
        const auto c = next(rest);
        if (c >= not_utf8 || isprintable(c)) append(out, c);
        else out += escaped(c);
    }
    return out;
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

std::string repr_of(double value, bool) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    std::array<char, 32> text{};
    const auto digits = [&](std::chars_format format) {
        auto* const begin = text.data();
        return std::string(begin, std::to_chars(begin, begin + text.size(), value, format).ptr);
    };
    const auto short_form = digits(std::chars_format::scientific);  // "1.5e+16"
    const auto exponent = std::stoi(short_form.substr(short_form.find('e') + 1));
    if (exponent < -4 || exponent >= 16) return short_form;
    const auto fixed = digits(std::chars_format::fixed);
    return fixed.find('.') == fixed.npos ? fixed + ".0" : fixed;
}

// --- socket

namespace {

const hostent* host_of(const sockaddr* name) {
    if (name->sa_family == AF_INET6) {
        const auto& address = reinterpret_cast<const sockaddr_in6*>(name)->sin6_addr;
        return ::gethostbyaddr(&address, sizeof address, AF_INET6);
    }
    const auto& address = reinterpret_cast<const sockaddr_in*>(name)->sin_addr;
    return ::gethostbyaddr(&address, sizeof address, name->sa_family);
}

bool has_dot(std::string_view name) { return name.find('.') != name.npos; }

std::string gethostname() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

std::string getfqdn(const std::string& given) {
    const std::string stripped(strip(given));
    const auto name = stripped.empty() || stripped == "0.0.0.0" ? gethostname() : stripped;
    // Python calls gethostbyaddr(name), which looks up the name first and then its address.
    const addrinfo hints{};
    addrinfo* found = nullptr;
    if (::getaddrinfo(name.c_str(), nullptr, &hints, &found) != 0) return name;
    const hostent* host = host_of(found->ai_addr);
    ::freeaddrinfo(found);
    if (!host) return name;
    if (has_dot(host->h_name)) return host->h_name;
    for (char** alias = host->h_aliases; *alias; ++alias)
        if (has_dot(*alias)) return *alias;
    return host->h_name;
}

// --- time

std::tm gmtime(std::time_t when) {
    std::tm parts{};
    ::gmtime_r(&when, &parts);
    return parts;
}

std::tm localtime(std::time_t when) {
    std::tm parts{};
    ::localtime_r(&when, &parts);
    return parts;
}

std::string strftime(const char* format, const std::tm& when) {
    if (*format == 0) return "";
    // The C function returns 0 for an empty text, and for too little room.
    const std::string with_mark = std::string(format) + '.';
    std::string out(64, 0);
    std::size_t size = 0;
    while ((size = std::strftime(out.data(), out.size(), with_mark.c_str(), &when)) == 0)
        out.resize(2 * out.size());
    out.resize(size - 1);
    return out;
}

// The names of days and months are English, whatever the locale is.

namespace {

constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::string day_of(const std::tm& when) { return days[static_cast<std::size_t>(when.tm_wday)]; }
std::string month_of(const std::tm& when) { return months[static_cast<std::size_t>(when.tm_mon)]; }

}  // namespace

std::string asctime(const std::tm& when) {
    return day_of(when) + ' ' + month_of(when) + strftime(" %e %H:%M:%S ", when) +
           std::to_string(when.tm_year + 1900);
}

namespace {

std::string mail_date(std::time_t when, std::string_view zone) {
    const auto parts = gmtime(when);
    return day_of(parts) + strftime(", %d ", parts) + month_of(parts) +
           strftime(" %Y %H:%M:%S ", parts).append(zone);
}

}  // namespace

std::string formatdate(std::time_t when) { return mail_date(when, "-0000"); }
std::string http_date(std::time_t when) { return mail_date(when, "GMT"); }

}  // namespace py
