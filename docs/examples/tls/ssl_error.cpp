#include "ssl_error.hpp"

#include <cerrno>
#include <cstring>

#include <openssl/err.h>

namespace ssl {

namespace {

std::string reason(unsigned long code) {
    if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
    if (const char* text = ERR_reason_error_string(code)) return text;
    return "error " + std::to_string(code);
}

}  // namespace

SSLError::SSLError(const std::string& what)
    : std::system_error(EPROTO, std::generic_category(), what) {}

std::string take_errors() {
    std::string all;
    const char* detail = nullptr;
    int flags = 0;
    while (const auto code = ERR_get_error_all(nullptr, nullptr, nullptr, &detail, &flags)) {
        all += (all.empty() ? "" : "; ") + reason(code);
        if ((flags & ERR_TXT_STRING) != 0 && *detail != '\0')
            all += " (" + std::string(detail) + ")";
    }
    return all.empty() ? "OpenSSL gives no reason" : all;
}

void throw_errors(const std::string& during) { throw SSLError(during + ": " + take_errors()); }

}  // namespace ssl
