// Writes a line for each request, in Common Log Format:
//
//     127.0.0.1 - - [10/Oct/2000:13:55:36 +0000] "GET /index.html HTTP/1.0" 200 2326
#pragma once

#include <asyncore/dispatcher.hpp>

#include <cstdint>
#include <ctime>
#include <ostream>
#include <string>
#include <string_view>

namespace http {

class access_log {
public:
    explicit access_log(std::ostream& out) : out_(out) {}

    /// Writes a line, and flushes.  It escapes quotes, backslashes and all that is not printable
    /// ASCII, so that no request can forge a line.
    void line(std::string_view host, std::time_t when, std::string_view request, int status,
              std::uint64_t bytes);

private:
    void write_line(std::string_view host, std::time_t when, std::string_view request, int status,
                    std::uint64_t bytes);
    std::ostream& out_;
};

/// Has the channel log "type: message" to standard error.  Throws nothing.
void log_line(asyncore::dispatcher& channel, std::string_view type, std::string_view message);

}  // namespace http
