#include "text.hpp"

#include <algorithm>
#include <charconv>

namespace ftp {

namespace {

char upper_of(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
char lower_of(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool is_control(char c) { return (c >= 0 && c < ' ') || c == 0x7f; }

constexpr char iac = '\xff';                                // "interpret as command"
constexpr unsigned first_command = 240, with_option = 251;  // of Telnet

/// How many bytes the command of Telnet has that `text` begins with; 0 if it begins with none.
std::size_t telnet_command(std::string_view text) {
    if (text.size() < 2 || text[0] != iac || text[1] == iac) return 0;
    const auto code = static_cast<unsigned char>(text[1]);
    if (code < first_command) return 0;
    return code < with_option ? 2 : std::min<std::size_t>(3, text.size());
}

}  // namespace

std::string upper(std::string_view text) {
    std::string result(text);
    std::transform(text.begin(), text.end(), result.begin(), upper_of);
    return result;
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(text.begin(), text.end(), result.begin(), lower_of);
    return result;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    for (auto at = text.find(separator); at != text.npos; at = text.find(separator)) {
        parts.push_back(text.substr(0, at));
        text.remove_prefix(at + 1);
    }
    parts.push_back(text);
    return parts;
}

std::optional<std::uint64_t> to_number(std::string_view text, std::uint64_t most) {
    std::uint64_t value = 0;
    const auto end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stopped != end || value > most) return std::nullopt;
    return value;
}

std::string shown(std::string_view name) {
    std::string result(name);
    std::replace_if(result.begin(), result.end(), is_control, '?');
    return result;
}

std::string quoted(std::string_view name) {
    std::string result = "\"";
    for (const char c : shown(name)) result.append(c == '"' ? 2 : 1, c);
    return result + '"';
}

std::string time_value(std::time_t when) {
    std::tm parts{};
    ::gmtime_r(&when, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y%m%d%H%M%S", &parts)};
}

std::optional<std::time_t> to_time(std::string_view text) {
    if (text.size() != 14 || !to_number(text)) return std::nullopt;
    const auto part = [&](std::size_t at, std::size_t size) {
        return static_cast<int>(*to_number(text.substr(at, size)));
    };
    std::tm parts{};
    parts.tm_year = part(0, 4) - 1900;
    parts.tm_mon = part(4, 2) - 1;
    parts.tm_mday = part(6, 2);
    parts.tm_hour = part(8, 2);
    parts.tm_min = part(10, 2);
    parts.tm_sec = part(12, 2);
    const auto when = ::timegm(&parts);
    // timegm() takes the 31st of February for a day in March.
    if (time_value(when) != text) return std::nullopt;
    return when;
}

std::string without_telnet(std::string_view line) {
    std::string text;
    while (!line.empty()) {
        const auto command = telnet_command(line);
        if (command == 0) text += line[0];
        const bool is_pair = line.starts_with("\xff\xff") || line.starts_with({"\r\0", 2});
        line.remove_prefix(command > 0 ? command : is_pair ? 2 : 1);
    }
    return text;
}

std::string with_telnet(std::string_view line) {
    std::string text;
    for (const char c : line) text.append(c == iac ? 2 : 1, c);
    return text;
}

}  // namespace ftp
