// Python: Lib/smtplib.py, the part of class SMTP that PureProxy uses.  The client is an async_chat
// that waits for every reply.
#pragma once

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <chrono>
#include <deque>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "python.hpp"

namespace smtplib {

using py::list;
/// The code and the text of the server's reply, by recipient.
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

/// Every method that waits runs a nested loop on the client's map.  Give the client a map of its
/// own; then, as in Python, no other channel runs meanwhile.
///
/// Throws: std::system_error if it cannot connect, or if the connection breaks; SMTPException if
///         the server refuses, closes without a reply, or is late.
class SMTP : public asynchat::async_chat {
public:
    using reply = std::pair<int, std::string>;

    using features = std::map<std::string, std::string, std::less<>>;

    features esmtp_features;  // the parameters by keyword, which is in lower case
    bool greeted = false;

    /// The server is late if a reply has not come whole so many seconds after the client last sent
    /// something.  Python's default, too, is no limit.
    /// Differs: a time-out of Python is for each recv(), so that a reply may come byte by byte.
    asyncore::platform::timeout timeout;

    explicit SMTP(asyncore::channel_map* map,
                  const asyncore::platform::timeout& limit = std::nullopt)
        : async_chat(map), timeout(limit) {
        set_terminator("\n");
    }

    reply connect(const std::string& host, std::uint16_t port);
    using async_chat::connect;
    reply getreply();
    /// Throws: std::invalid_argument if `cmd` is not ASCII or has more than one line, as in Python.
    reply docmd(const std::string& cmd);
    void ehlo_or_helo_if_needed();
    void rset();
    reply data(std::string_view msg);
    /// Sends `text` with lines that end in CRLF.
    /// Returns: the recipients that the server refused.
    /// Throws:  SMTPRecipientsRefused if it refused all of them.
    refusals sendmail(const std::string& from_addr, const list& to_addrs, std::string_view text);
    reply quit();

    void handle_connect() override {}
    void handle_error() override;
    std::size_t send(std::string_view data) override;
    void collect_incoming_data(std::string_view data) override;
    void found_terminator() override;

private:
    using clock = std::chrono::steady_clock;

    bool has_line_() const { return !lines_.empty() || failure_; }
    std::string readline_();
    void wait_for_line_();
    refusals send_recipients_(const list& to_addrs);
    void reset_or_close_(int code);

    std::deque<std::string> lines_;  // the lines that getreply() has not read yet
    std::exception_ptr failure_;     // behind the last of these lines
    clock::time_point waits_since_;
};

}  // namespace smtplib
