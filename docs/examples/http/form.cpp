#include "form.hpp"

#include "text.hpp"

#include <algorithm>

namespace http {

namespace {

constexpr std::size_t most_fields = 1000;

void add(form& fields, std::string name, std::string value) {
    if (fields.size() == most_fields)
        throw http_error(413, "A form may have " + std::to_string(most_fields) + " fields.");
    fields.emplace_back(std::move(name), std::move(value));
}

/// Parses "name=value&name=value".
form parse_urlencoded(std::string_view body) {
    form fields;
    while (!body.empty()) {
        const auto pair = body.substr(0, body.find('&'));
        body.remove_prefix(std::min(pair.size() + 1, body.size()));
        if (pair.empty()) continue;
        const auto name = pair.substr(0, pair.find('='));
        const auto value = pair.substr(std::min(name.size() + 1, pair.size()));
        add(fields, form_decoded(name), form_decoded(value));
    }
    return fields;
}

http_error broken() { return {400, "The multipart body is broken."}; }

struct part {
    std::string_view head, content;
};

/// Takes blanks off the front of `body`.  They may follow a boundary: RFC 2046, section 5.1.1.
void take_blanks(std::string_view& body) {
    body.remove_prefix(std::min(body.find_first_not_of(" \t"), body.size()));
}

/// Takes a part, and the delimiter behind it, off the front of `body`.
part take_part(std::string_view& body, std::string_view delimiter) {
    take_blanks(body);
    const auto head_end = body.find("\r\n\r\n");
    if (!body.starts_with("\r\n") || head_end == body.npos) throw broken();
    // If a part has no content, the \r\n of its empty line may be the \r\n of the delimiter.
    const auto end = body.find(delimiter, head_end + 2);
    if (end == body.npos) throw broken();
    const auto content = std::min(head_end + 4, end);
    // If a part has no head, its first line is the empty line.
    const auto head_size = std::max<std::size_t>(head_end, 2) - 2;
    const part found{body.substr(2, head_size), body.substr(content, end - content)};
    body.remove_prefix(end + delimiter.size());
    return found;
}

void add_part(form& fields, const part& added) {
    const headers head(unfolded(added.head));
    const auto about = head.getheader("content-disposition").value_or("");
    const auto file = parameter(about, "filename");
    auto value = file ? *file + ", " + std::to_string(added.content.size()) + " bytes"
                      : std::string(added.content);
    add(fields, parameter(about, "name").value_or(""), std::move(value));
}

/// Parses parts, each with header lines of its own, between lines of "--boundary".  The last such
/// line is "--boundary--".
form parse_multipart(std::string_view body, const std::string& boundary) {
    if (boundary.empty() || boundary.size() > 70) throw broken();
    const auto line = "--" + boundary, delimiter = "\r\n" + line;
    if (!body.starts_with(line)) {
        const auto before = body.find(delimiter);
        if (before == body.npos) throw broken();
        body.remove_prefix(before + 2);
    }
    body.remove_prefix(line.size());

    form fields;
    while (!body.starts_with("--")) add_part(fields, take_part(body, delimiter));
    body.remove_prefix(2);
    take_blanks(body);
    if (!body.empty() && !body.starts_with("\r\n")) throw broken();
    return fields;
}

}  // namespace

form parse(const headers& fields, std::string_view body) {
    const auto type = fields.getheader("content-type").value_or("");
    const auto kind = upper(stripped(type.substr(0, type.find(';'))));
    if (kind == "APPLICATION/X-WWW-FORM-URLENCODED") return parse_urlencoded(body);
    if (kind == "MULTIPART/FORM-DATA")
        return parse_multipart(body, parameter(type, "boundary").value_or(""));
    return {};
}

}  // namespace http
