// Python: smtplib.SMTP, as much of it as PureProxy uses: a client on async_chat, that waits for
// every reply.
#pragma once

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "python.hpp"

namespace smtplib {

using py::list;
/// By recipient: the code and text of the server's reply.
using refusals = std::map<std::string, std::pair<int, std::string>>;

class SMTPException : public std::runtime_error {
    using std::runtime_error::runtime_error;
};
class SMTPServerDisconnected : public SMTPException {
    using SMTPException::SMTPException;
};
class SMTPResponseException : public SMTPException {
public:
    int smtp_code;
    std::string smtp_error;
    SMTPResponseException(int code, const std::string& msg)
        : SMTPException(std::to_string(code) + " " + msg), smtp_code(code), smtp_error(msg) {}
};
class SMTPHeloError : public SMTPResponseException {
    using SMTPResponseException::SMTPResponseException;
};
class SMTPSenderRefused : public SMTPResponseException {
    using SMTPResponseException::SMTPResponseException;
};
class SMTPDataError : public SMTPResponseException {
    using SMTPResponseException::SMTPResponseException;
};
class SMTPRecipientsRefused : public SMTPException {
public:
    refusals recipients;
    explicit SMTPRecipientsRefused(const refusals& all)
        : SMTPException("all recipients were refused"), recipients(all) {}
};

/// Every method that waits runs a loop on the client's map, which it should have for itself: then
/// nothing else happens meanwhile, as with Python's.
///
/// Throws: std::system_error if the connection cannot be made or breaks, SMTPException for what the
///         server says or leaves unsaid.
class SMTP : public asynchat::async_chat {
public:
    using reply = std::pair<int, std::string>;

    using features = std::map<std::string, std::string, std::less<>>;

    features esmtp_features;  // keywords in lower case, and their parameters
    bool greeted = false;

    explicit SMTP(asyncore::channel_map* map) : async_chat(map) { set_terminator("\n"); }

    reply connect(const std::string& host, std::uint16_t port);
    using async_chat::connect;
    reply getreply();
    /// Throws: std::invalid_argument, as Python, for what is not ASCII or more than one line.
    reply docmd(const std::string& cmd);
    void ehlo_or_helo_if_needed();
    void rset();
    reply data(std::string_view msg);
    /// `text` is sent with CRLF at the ends of lines.
    /// Returns: who was refused, if not all were.
    refusals sendmail(const std::string& from_addr, const list& to_addrs, std::string_view text);
    reply quit();

    void handle_connect() override {}
    void handle_error() override;
    void collect_incoming_data(std::string_view data) override;
    void found_terminator() override;

private:
    list lines_;  // of the reply that is coming
    bool complete_ = false;
    std::exception_ptr failure_;
};

}  // namespace smtplib
