#include "python.hpp"

#include <asyncore/platform/repr.hpp>

#include <algorithm>
#include <clocale>
#include <cstdint>
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

constexpr char32_t not_utf8 = 0x110000;  // and the byte added to it

/// How many bytes follow the first, or -1 if no character begins with it.
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
    if (c < 0x800) byte(0xc0 | c >> 6);
    else if (c < 0x10000) byte(0xe0 | c >> 12), follow(6);
    else byte(0xf0 | c >> 18), follow(12), follow(6);
    follow(0);
}

/// Knows the letters of all scripts, whatever the program's locale; null where there is none.
locale_t unicode() {
    static const locale_t found = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return found;
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
    // Neither written longer than need be, nor a surrogate, nor beyond the last.
    if (more == 2) good = good && c >= 0x800 && (c < 0xd800 || c > 0xdfff);
    if (more == 3) good = good && c >= 0x10000 && c < not_utf8;
    text.remove_prefix(good ? static_cast<std::size_t>(more) + 1 : 1);
    return good ? c : not_utf8 + first;
}

const std::string& decode_utf8(const std::string& bytes) {
    for (std::string_view rest = bytes; !rest.empty();)
        if (next(rest) >= not_utf8)
            throw UnicodeError("'utf-8' codec can't decode byte in position " +
                               std::to_string(bytes.size() - rest.size() - 1));
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
        const bool ascii =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (c < 0x80 ? !ascii : !unicode() || !::iswalnum_l(static_cast<std::wint_t>(c), unicode()))
            return false;
    }
    return true;
}

bool isdigit(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

std::string upper(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        auto c = next(text);
        if (c >= 'a' && c <= 'z') c -= 'a' - 'A';
        else if (c >= 0x80 && c < not_utf8 && unicode())
            c = static_cast<char32_t>(::towupper_l(static_cast<std::wint_t>(c), unicode()));
        append(out, c);
    }
    return out;
}

std::string_view lstrip(std::string_view text) {
    for (auto rest = text; !rest.empty(); text = rest)
        if (!isspace(next(rest))) break;
    return text;
}

std::string_view strip(std::string_view text) {
    text = lstrip(text);
    std::size_t end = 0;
    for (auto rest = text; !rest.empty();)
        if (!isspace(next(rest))) end = text.size() - rest.size();
    return text.substr(0, end);
}

list split(std::string_view text) {
    list words;
    for (text = lstrip(text); !text.empty(); text = lstrip(text)) {
        auto rest = text;
        std::size_t end = 0;
        while (!rest.empty() && !isspace(next(rest))) end = text.size() - rest.size();
        words.emplace_back(text.substr(0, end));
        text.remove_prefix(end);
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
        const auto before = rest.size();
        const auto c = next(rest);
        const bool ends =
            (c >= 10 && c <= 13) || (c >= 28 && c <= 30) || c == 0x85 || c == 0x2028 || c == 0x2029;
        if (!ends) continue;
        lines.emplace_back(text.substr(0, text.size() - before));
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
    const std::string given(text);
    text = strip(text);
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    constexpr auto most = std::numeric_limits<long long>::max();
    long long value = 0;
    char before = '_';
    for (const char c : text) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit && (c != '_' || before == '_')) before = '!';
        if (before == '!') break;
        if (digit) value = value > (most - 9) / 10 ? most : value * 10 + (c - '0');
        before = c;
    }
    if (before == '_' || before == '!')
        throw std::invalid_argument("invalid literal for int() with base 10: " + str_repr(given));
    return negative ? -value : value;
}

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

std::string getfqdn() {
    char name[256] = "";
    if (::gethostname(name, sizeof name - 1) != 0) return "";
    // Python: gethostbyaddr(name), which looks the name up, and then the address.
    addrinfo hints{};
    addrinfo* found = nullptr;
    if (::getaddrinfo(name, nullptr, &hints, &found) != 0) return name;
    const sockaddr* first = found->ai_addr;
    const void* bytes = &reinterpret_cast<const sockaddr_in*>(first)->sin_addr;
    socklen_t size = sizeof(in_addr);
    if (first->sa_family == AF_INET6) {
        bytes = &reinterpret_cast<const sockaddr_in6*>(first)->sin6_addr;
        size = sizeof(in6_addr);
    }
    const hostent* host = ::gethostbyaddr(bytes, size, first->sa_family);
    ::freeaddrinfo(found);
    if (!host) return name;
    if (std::string_view(host->h_name).find('.') != std::string_view::npos) return host->h_name;
    for (char** alias = host->h_aliases; *alias; ++alias)
        if (std::string_view(*alias).find('.') != std::string_view::npos) return *alias;
    return host->h_name;
}

namespace {

/// The one of `longopts` that `opt` is, or is the beginning of.
std::pair<std::string, bool> long_has_args(const std::string& opt, const list& longopts) {
    list possibilities;
    for (const auto& each : longopts)
        if (each.starts_with(opt)) possibilities.push_back(each);
    const auto has = [&](const std::string& exact) {
        return std::find(possibilities.begin(), possibilities.end(), exact) != possibilities.end();
    };
    if (possibilities.empty()) throw getopt_error("option --" + opt + " not recognized");
    if (has(opt)) return {opt, false};
    if (has(opt + "=")) return {opt, true};
    if (possibilities.size() > 1) throw getopt_error("option --" + opt + " not a unique prefix");
    auto whole = possibilities[0];
    const bool takes = whole.ends_with('=');
    if (takes) whole.pop_back();
    return {whole, takes};
}

}  // namespace

std::pair<std::vector<std::pair<std::string, std::string>>, list>
getopt(list args, std::string_view shortopts, const list& longopts) {
    std::vector<std::pair<std::string, std::string>> opts;
    const auto drop_first = [&] { args.erase(args.begin()); };
    const auto argument_of = [&](const std::string& shown) {
        if (args.empty()) throw getopt_error("option " + shown + " requires argument");
        auto value = args.front();
        drop_first();
        return value;
    };
    while (!args.empty() && args[0].starts_with('-') && args[0] != "-") {
        auto word = args[0];
        drop_first();
        if (word == "--") break;
        if (word.starts_with("--")) {
            const auto equals = word.find('=');
            std::optional<std::string> value;
            if (equals != word.npos) value = word.substr(equals + 1);
            const auto [opt, takes] =
                long_has_args(word.substr(2, equals == word.npos ? equals : equals - 2), longopts);
            if (takes && !value) value = argument_of("--" + opt);
            if (!takes && value)
                throw getopt_error("option --" + opt + " must not have an argument");
            opts.emplace_back("--" + opt, value.value_or(""));
            continue;
        }
        for (std::size_t i = 1; i < word.size(); ++i) {
            const std::string opt{'-', word[i]};
            const auto at = word[i] == ':' ? shortopts.npos : shortopts.find(word[i]);
            if (at == shortopts.npos) throw getopt_error("option " + opt + " not recognized");
            const bool takes = shortopts.substr(at + 1).starts_with(':');
            if (!takes) {
                opts.emplace_back(opt, "");
                continue;
            }
            auto value = word.substr(i + 1);
            if (value.empty()) value = argument_of(opt);
            opts.emplace_back(opt, value);
            break;
        }
    }
    return {opts, args};
}

}  // namespace py
