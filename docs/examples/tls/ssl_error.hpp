// What OpenSSL says when something fails.
#pragma once

#include <string>
#include <system_error>

namespace ssl {

/// Python: ssl.SSLError, which is an OSError too.  Its code is EPROTO.
class SSLError : public std::system_error {
public:
    explicit SSLError(const std::string& what);
};

/// The peer ended the connection, and did not say close_notify before.  What it sent may be incomplete:
/// anybody on the way can end a connection of TCP.  Python: ssl.SSLEOFError.
class SSLEOFError : public SSLError {
public:
    using SSLError::SSLError;
};

/// Python: ssl.SSLCertVerificationError.
class SSLCertVerificationError : public SSLError {
public:
    using SSLError::SSLError;
};

/// Empties OpenSSL's error queue, which each thread has.
/// Returns: the reasons that were in it.
std::string take_errors();

/// Throws an SSLError: "`during`: ", and what take_errors() returns.
[[noreturn]] void throw_errors(const std::string& during);

}  // namespace ssl
