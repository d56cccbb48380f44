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

/// name=value&name=value
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

/// Parts, each with headers of its own, between lines of "--boundary"; the last one is
/// "--boundary--".
form parse_multipart(std::string_view body, const std::string& boundary) {
    const http_error broken(400, "The multipart body is broken.");
    if (boundary.empty() || boundary.size() > 70) throw broken;
    const auto line = "--" + boundary;
    const auto begin = body.starts_with(line) ? 0 : body.find("\r\n" + line);
    if (begin == body.npos) throw broken;
    body.remove_prefix(begin + line.size() + (begin == 0 ? 0 : 2));

    form fields;
    while (!body.starts_with("--")) {
        const auto head_end = body.find("\r\n\r\n");
        const auto end = body.find("\r\n" + line, head_end == body.npos ? 0 : head_end + 2);
        if (!body.starts_with("\r\n") || head_end == body.npos || end == body.npos) throw broken;
        const headers head(body.substr(2, head_end - std::min<std::size_t>(head_end, 2)));
        const auto first = std::min(head_end + 4, end);
        auto value = std::string(body.substr(first, end - first));
        const auto about = head.getheader("content-disposition").value_or("");
        if (const auto file = parameter(about, "filename"))
            value = *file + ", " + std::to_string(value.size()) + " bytes";
        add(fields, parameter(about, "name").value_or(""), std::move(value));
        body.remove_prefix(end + 2 + line.size());
    }
    if (body.size() > 2 && !body.starts_with("--\r\n")) throw broken;
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
