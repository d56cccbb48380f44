#include "answer.hpp"

#include "request.hpp"
#include "text.hpp"

#include <ctime>
#include <optional>

namespace http {

namespace {

std::string head_of(int status, std::string_view type, std::uint64_t size,
                    std::string_view more_fields) {
    std::string head = "HTTP/1.0 " + std::to_string(status) + " ";
    head.append(reason(status)).append("\r\nServer: asynchat\r\nConnection: close\r\n");
    head.append("Date: ").append(http_date(std::time(nullptr))).append("\r\n").append(more_fields);
    head.append("Content-Type: ").append(type).append("\r\nX-Content-Type-Options: nosniff\r\n");
    return head.append("Content-Length: ").append(std::to_string(size)).append("\r\n\r\n");
}

/// `body` is HTML.  `more_fields` are header lines, each with its \r\n.
answer page(int status, std::string_view title, std::string_view body,
            std::string_view more_fields = "") {
    auto html = html_page(title, body);
    auto head = head_of(status, "text/html; charset=utf-8", html.size(), more_fields);
    return {status, std::move(head),
            std::make_shared<asynchat::simple_producer>(std::move(html), piece_size)};
}

/// A redirection.  The links on a folder's page are relative, so its URL has to end in a slash.
answer with_slash(std::string_view path, std::string_view query) {
    // The URL begins with a single slash, however many the path has: //name is another host.
    std::string url;
    while (!path.empty()) {
        path.remove_prefix(1);
        const auto name = path.substr(0, path.find('/'));
        if (!name.empty()) url += "/" + percent_encoded(name);
        path.remove_prefix(name.size());
    }
    url += "/" + query_encoded(query);
    const auto shown = html_escaped(url);
    return page(301, "Moved Permanently", "<p><a href=\"" + shown + "\">" + shown + "</a>\n",
                "Location: " + url + "\r\n");
}

answer content_of(opened file, std::string_view path) {
    const auto size = static_cast<std::uint64_t>(file.about.st_size);
    const auto modified = "Last-Modified: " + http_date(file.about.st_mtime) + "\r\n";
    return {200, head_of(200, media_type(path), size, modified),
            std::make_shared<file_producer>(std::move(file.fd), size)};
}

/// Opens the file at `path`.
/// Returns: nothing if there is no such file.
std::optional<opened> open_if_there(const document_root& root, const std::string& path) {
    try {
        auto file = root.open(path);
        if (file.is_folder()) return std::nullopt;
        return file;
    } catch (const http_error& error) {
        if (error.status == 404) return std::nullopt;
        throw;
    }
}

}  // namespace

answer file_answer(const document_root& root, const std::string& path, std::string_view query) {
    auto file = root.open(path);
    if (!file.is_folder()) return content_of(std::move(file), path);
    if (!path.ends_with('/')) return with_slash(path, query);
    const auto index_path = path + "index.html";
    auto index = open_if_there(root, index_path);
    if (index) return content_of(std::move(*index), index_path);
    return page(200, "Index of " + path, folder_index(file));
}

answer form_answer(const std::string& path, const form& fields, std::size_t size) {
    std::string rows;
    for (const auto& [name, value] : fields)
        rows += "<tr><th>" + html_escaped(name) + "<td>" + html_escaped(value) + "\n";
    const auto received = "<p>" + std::to_string(size) + " bytes received.\n";
    const auto table = rows.empty() ? "<p>No form fields.\n" : "<table>\n" + rows + "</table>\n";
    return page(200, "POST " + path, received + table);
}

answer error_answer(int status, std::string_view why) {
    const auto title = std::to_string(status) + " " + std::string(reason(status));
    return page(status, title, "<p>" + html_escaped(why) + "\n");
}

}  // namespace http
