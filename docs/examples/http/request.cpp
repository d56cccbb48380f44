#include "request.hpp"

#include "text.hpp"

#include <algorithm>
#include <charconv>

namespace http {

namespace {

http_error bad_request(const std::string& why) { return {400, why}; }

/// Takes the text before `separator`, and `separator`, off the front of `text`; all of `text` if it
/// has no separator.
/// Returns: the text before `separator`.
std::string_view take_until(std::string_view& text, std::string_view separator) {
    const auto at = text.find(separator);
    const auto first = text.substr(0, at);
    text.remove_prefix(at == text.npos ? text.size() : at + separator.size());
    return first;
}

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_token(std::string_view text) {
    constexpr std::string_view punctuation = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return is_letter_or_digit(c) || punctuation.find(c) != punctuation.npos;
    });
}

bool is_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

bool is_version(std::string_view text) {
    return text.size() == 8 && text.starts_with("HTTP/") && is_digits(text.substr(5, 1)) &&
           text[6] == '.' && is_digits(text.substr(7));
}

bool is_port(std::string_view text) { return text.find_first_not_of("0123456789") == text.npos; }

/// Whether `text` is an address in brackets, or a name with letters and signs that a URL may have.
bool is_host(std::string_view text) {
    constexpr std::string_view signs = "-._~!$&'()*+,;=";
    if (text.starts_with('['))
        return text.size() > 2 && text.ends_with(']') &&
               text.find_first_not_of("0123456789abcdefABCDEF:.", 1) == text.size() - 1;
    return !text.empty() && percent_decoded(text) &&
           std::all_of(text.begin(), text.end(), [&](char c) {
               return is_letter_or_digit(c) || c == '%' || signs.find(c) != signs.npos;
           });
}

/// RFC 9112, section 3.2: which Host headers a server has to refuse.
void check_host(const request& asked) {
    const auto count = asked.fields.count("host");
    if (count == 0 && asked.version != "HTTP/1.0") throw bad_request("There is no Host header.");
    if (count > 1) throw bad_request("There are two Host headers.");
    if (count == 0) return;
    const auto value = *asked.fields.getheader("host");
    const auto colon = value.find(':', value.starts_with('[') ? value.find(']') : 0);
    const auto host = std::string_view(value).substr(0, colon);
    const auto port = colon == value.npos ? "" : std::string_view(value).substr(colon + 1);
    if (!is_host(host) || !is_port(port)) throw bad_request("The Host header names no host.");
}

/// Takes a quoted string off the front of `text`.  Returns: its content.
std::string take_quoted(std::string_view& text) {
    std::string content;
    text.remove_prefix(1);
    while (!text.empty() && text[0] != '"') {
        // Only \" is an escape: some clients send paths with backslashes as they are.
        if (text.starts_with("\\\"")) text.remove_prefix(1);
        content += text[0];
        text.remove_prefix(1);
    }
    return content;
}

/// Takes the value of a parameter, and the semicolon behind it, off the front of `text`.
std::string take_value(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    if (!text.starts_with('"')) return std::string(stripped(take_until(text, ";")));
    auto value = take_quoted(text);
    take_until(text, ";");
    return value;
}

}  // namespace

std::string_view reason(int status) {
    static constexpr std::pair<int, std::string_view> reasons[] = {
        {200, "OK"},
        {301, "Moved Permanently"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {408, "Request Timeout"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (const auto& [code, text] : reasons)
        if (code == status) return text;
    return "Unknown";
}

headers::headers(std::string_view lines) {
    while (!lines.empty()) {
        auto value = take_until(lines, "\r\n");
        if (value.find(':') == value.npos) throw bad_request("A header has no colon.");
        const auto name = take_until(value, ":");
        // Servers do not agree on how to read a space before the colon, or a folded line.
        if (!is_token(name)) throw bad_request("A header has a bad name.");
        fields_.emplace_back(upper(name), stripped(value));
    }
}

std::optional<std::string> headers::getheader(std::string_view name) const {
    const auto wanted = upper(name);
    for (const auto& [key, value] : fields_)
        if (key == wanted) return value;
    return std::nullopt;
}

std::size_t headers::count(std::string_view name) const {
    const auto is_wanted = [wanted = upper(name)](const auto& field) {
        return field.first == wanted;
    };
    return static_cast<std::size_t>(std::count_if(fields_.begin(), fields_.end(), is_wanted));
}

request::request(std::string_view head) {
    if (head.ends_with('\r')) throw bad_request("A line ends in two carriage returns.");
    // Some clients send an empty line after the body of the last request.
    if (head.starts_with("\r\n")) head.remove_prefix(2);
    auto line = take_until(head, "\r\n");
    op = take_until(line, " ");
    target = take_until(line, " ");
    version = line;
    if (!is_token(op) || target.empty()) throw bad_request("The first line is not a request.");
    if (!is_version(version))
        throw bad_request("The first line does not end in a version of HTTP.");
    if (version[5] != '1') throw http_error(505, "This server speaks HTTP/1.0.");
    fields = headers(head);
    check_host(*this);
}

std::string request::path() const {
    std::string_view rest = target;
    if (upper(rest.substr(0, 7)) == "HTTP://") {  // "http://host/path": so a client asks a proxy
        rest.remove_prefix(std::min(rest.find_first_of("/?", 7), rest.size()));
        if (!rest.starts_with('/')) rest = "/";
    }
    auto path = percent_decoded(take_until(rest, "?"));
    if (!path || !path->starts_with('/'))
        throw bad_request("The target of the request is not a path.");
    if (path->find('\0') != path->npos) throw bad_request("The path has a zero byte in it.");
    return *path;
}

std::string_view request::query() const {
    const std::string_view whole = target;
    const auto begin = whole.find('?');
    return begin == whole.npos ? "" : whole.substr(begin);
}

bool may_be_head(char before, std::string_view data) {
    for (const char c : data) {
        const auto byte = static_cast<unsigned char>(c);
        if ((before == '\r') != (c == '\n')) return false;
        if ((byte < 32 && c != '\r' && c != '\n' && c != '\t') || byte == 127) return false;
        before = c;
    }
    return true;
}

std::string unfolded(std::string_view lines) {
    std::string result(take_until(lines, "\r\n"));
    while (!lines.empty()) {
        const bool folded = lines[0] == ' ' || lines[0] == '\t';
        result.append(folded ? "" : "\r\n").append(take_until(lines, "\r\n"));
    }
    return result;
}

std::uint64_t content_length(const headers& fields, std::uint64_t most) {
    const auto text = fields.getheader("content-length");
    // A body in chunks has no Content-Length.  An attacker sends both, so that two servers on the
    // way see two different requests.
    if (fields.count("transfer-encoding") != 0 && text)
        throw bad_request("There are two lengths, Content-Length and Transfer-Encoding.");
    if (!text) throw http_error(411, "A body needs a Content-Length.");
    if (fields.count("content-length") != 1) throw bad_request("There are two Content-Lengths.");
    if (!is_digits(*text)) throw bad_request("Content-Length is not a number.");
    std::uint64_t length = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), length);
    if (error != std::errc() || length > most)
        throw http_error(413, "A body may have " + std::to_string(most) + " bytes.");
    return length;
}

std::optional<std::string> parameter(std::string_view header, std::string_view name) {
    take_until(header, ";");
    while (!header.empty()) {
        const auto key = upper(stripped(take_until(header, "=")));
        auto value = take_value(header);
        if (key == upper(name)) return value;
    }
    return std::nullopt;
}

}  // namespace http
