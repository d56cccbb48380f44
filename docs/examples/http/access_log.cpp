#include "access_log.hpp"

#include <time.h>

namespace http {

namespace {

constexpr std::size_t longest_request = 2048;

std::string escaped(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string result;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') result += {'\\', c};
        else if (byte >= 32 && byte < 127) result += c;
        else result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
    return result;
}

}  // namespace

void access_log::line(std::string_view host, std::time_t when, std::string_view request, int status,
                      std::uint64_t bytes) {
    try {
        write_line(host, when, request, status, bytes);
    } catch (const std::bad_alloc&) {
        return;  // without memory there is no line, and the server goes on
    }
}

void access_log::write_line(std::string_view host, std::time_t when, std::string_view request,
                            int status, std::uint64_t bytes) {
    std::tm utc{};
    ::gmtime_r(&when, &utc);
    char date[64];
    std::strftime(date, sizeof date, "%d/%b/%Y:%H:%M:%S +0000", &utc);
    out_.clear();  // an earlier line may have failed because the disk was full
    out_ << host << " - - [" << date << "] \"" << escaped(request.substr(0, longest_request))
         << "\" " << status << ' ';
    // In this format "-" says that no body was sent.
    if (bytes == 0) out_ << '-';
    else out_ << bytes;
    out_ << std::endl;
}

void log_line(asyncore::dispatcher& channel, std::string_view type, std::string_view message) {
    try {
        channel.log(std::string(type) + ": " + std::string(message));
    } catch (const std::bad_alloc&) {
        channel.log("out of memory");
    }
}

}  // namespace http
