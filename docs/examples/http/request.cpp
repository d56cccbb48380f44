#include "request.hpp"

#include "text.hpp"

#include <algorithm>
#include <charconv>

namespace http {

namespace {

http_error bad_request(const std::string& why) { return {400, why}; }

/// Takes what stands before `separator` off the front of `text`; all of it, if there is none.
std::string_view split(std::string_view& text, std::string_view separator) {
    const auto at = text.find(separator);
    const auto first = text.substr(0, at);
    text.remove_prefix(at == text.npos ? text.size() : at + separator.size());
    return first;
}

bool is_token(std::string_view text) {
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               others.find(c) != others.npos;
    });
}

bool is_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == text.npos;
}

}  // namespace

std::string_view reason(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 301:
        return "Moved Permanently";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 408:
        return "Request Timeout";
    case 411:
        return "Length Required";
    case 413:
        return "Content Too Large";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "Unknown";
    }
}

headers::headers(std::string_view lines) {
    while (!lines.empty()) {
        auto value = split(lines, "\r\n");
        if (value.find(':') == value.npos) throw bad_request("A header has no colon.");
        const auto name = split(value, ":");
        // A space before the colon, or a folded line, is read in two ways by two servers.
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
    auto line = split(head, "\r\n");
    op = split(line, " ");
    target = split(line, " ");
    version = line;
    if (!is_token(op) || target.empty()) throw bad_request("The first line is no request.");
    if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digits(version.substr(5, 1)) ||
        version[6] != '.' || !is_digits(version.substr(7)))
        throw bad_request("The first line does not end in a version of HTTP.");
    if (version[5] != '1') throw http_error(505, "This server speaks HTTP/1.0.");
    fields = headers(head);
}

std::string request::path() const {
    std::string_view rest = target;
    if (upper(rest.substr(0, 7)) == "HTTP://") {  // "http://host/path", as for a proxy
        rest.remove_prefix(std::min(rest.find_first_of("/?", 7), rest.size()));
        if (!rest.starts_with('/')) rest = "/";
    }
    auto path = percent_decoded(split(rest, "?"));
    if (!path || !path->starts_with('/'))
        throw bad_request("The target of the request is no path.");
    if (path->find('\0') != path->npos) throw bad_request("The path has a zero byte in it.");
    return *path;
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

std::uint64_t content_length(const headers& fields, std::uint64_t most) {
    const auto text = fields.getheader("content-length");
    // There is no length for a body in chunks.  Both together is how requests are smuggled.
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
    split(header, ";");
    while (!header.empty()) {
        const auto key = upper(stripped(split(header, "=")));
        std::string value;
        header = header.substr(std::min(header.find_first_not_of(" \t"), header.size()));
        if (header.starts_with('"')) {
            for (header.remove_prefix(1); !header.empty() && header[0] != '"';
                 header.remove_prefix(1)) {
                // Only \" is an escape: some clients send paths with backslashes as they are.
                if (header.starts_with("\\\"")) header.remove_prefix(1);
                value += header[0];
            }
            split(header, ";");
        } else {
            value = stripped(split(header, ";"));
        }
        if (key == upper(name)) return value;
    }
    return std::nullopt;
}

}  // namespace http
