// What the server answers.
#pragma once

#include "files.hpp"
#include "form.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace http {

struct answer {
    int status;
    std::string head;  // the status line and the header lines, with the empty line behind them
    std::shared_ptr<asynchat::producer> body;
};

/// The file at `path`.  For a folder: its index.html, or else a list of what is in it; if the path
/// of the folder does not end in a slash, a redirection to the path that does, with `query`.
/// Throws: http_error, as document_root::open().
answer file_answer(const document_root& root, const std::string& path, std::string_view query);

/// A page that shows the fields of a form, whose body had `size` bytes.
answer form_answer(const std::string& path, const form& fields, std::size_t size);

answer error_answer(int status, std::string_view why);

}  // namespace http
