// The first line and the headers of a request, and what may be wrong with them.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http {

/// "Not Found" for 404.
std::string_view reason(int status);

/// Thrown anywhere in the handling of a request: the answer is this status.
class http_error : public std::runtime_error {
public:
    http_error(int code, const std::string& why) : std::runtime_error(why), status(code) {}
    int status;
};

/// Header lines.  Python: the mimetools.Message of 2.x, whose getheader() the manual uses.
class headers {
public:
    headers() = default;
    /// Throws: http_error 400 for lines that are no headers, folded ones among them.
    explicit headers(std::string_view lines);
    /// The value of the first one of that name, in whatever case.
    std::optional<std::string> getheader(std::string_view name) const;
    std::size_t count(std::string_view name) const;

private:
    std::vector<std::pair<std::string, std::string>> fields_;  // names in upper case
};

struct request {
    std::string op;      // the method, as it was written
    std::string target;  // most often "/path?query"
    std::string version;
    headers fields;

    request() = default;
    /// What stood before the empty line.
    /// Throws: http_error, 400 or 505.
    explicit request(std::string_view head);

    /// The target's path: decoded, without the query; begins with a slash.
    /// Throws: http_error 400.
    std::string path() const;
};

/// Whether `data`, which follows the byte `before`, may be part of a head: no control characters,
/// and no line end but \r\n.  Who asks early need not wait for an empty line that never comes.
bool may_be_head(char before, std::string_view data);

/// Content-Length as a number.
/// Throws: http_error: 411 if there is none, 400 if it is not one number, 413 if over `most`.
std::uint64_t content_length(const headers& fields, std::uint64_t most);

/// The parameter `name` of a header like `form-data; name="a"`.
std::optional<std::string> parameter(std::string_view header, std::string_view name);

}  // namespace http
