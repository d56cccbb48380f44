// The head of a request: its first line and its header lines, and the errors in them.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http {

/// The text for a status: "Not Found" for 404.
std::string_view reason(int status);

/// Thrown anywhere while a request is handled.  The server answers with this status.
class http_error : public std::runtime_error {
public:
    http_error(int code, const std::string& why) : std::runtime_error(why), status(code) {}
    int status;
};

/// The header lines.
/// Python: the mimetools.Message of 2.x, whose getheader() the manual uses.
class headers {
public:
    headers() = default;
    /// Throws: http_error 400 for a line that is not a header, or is folded: unfolded() mends that
    ///         where folding is allowed.
    explicit headers(std::string_view lines);
    /// The value of the first header of that name.  Upper and lower case are the same.
    std::optional<std::string> getheader(std::string_view name) const;
    /// How many headers have that name.
    std::size_t count(std::string_view name) const;

private:
    std::vector<std::pair<std::string, std::string>> fields_;  // names in upper case
};

struct request {
    std::string op;      // the method, as the client wrote it
    std::string target;  // usually "/path?query"
    std::string version;
    headers fields;

    request() = default;
    /// Parses a head without its empty line.
    /// Throws: http_error 400 or 505.
    explicit request(std::string_view head);

    /// The path of the target, decoded and without the query.  It begins with a slash.
    /// Throws: http_error 400.
    std::string path() const;
    /// The query of the target as the client wrote it, with its question mark; empty if there is
    /// none.
    std::string_view query() const;
};

/// Whether `data`, which follows the byte `before`, can be part of a head: it has no control
/// character and no line end but \r\n.  So the server refuses bytes that are wrong when they come,
/// and need not wait for the empty line at the end.
bool may_be_head(char before, std::string_view data);

/// Joins each line that begins with white space to the line before it: RFC 822, section 3.1.1.
std::string unfolded(std::string_view lines);

/// Content-Length as a number.
/// Throws: http_error: 411 if it is missing; 400 if it is not a number, or is there twice; 413 if
///         it is more than `most`.
std::uint64_t content_length(const headers& fields, std::uint64_t most);

/// The value of the parameter `name` in a header like `form-data; name="a"`.
std::optional<std::string> parameter(std::string_view header, std::string_view name);

}  // namespace http
