// Python: Lib/smtplib.py, class SMTP.
#include "smtplib.hpp"

#include <algorithm>
#include <utility>

namespace smtplib {

namespace {

constexpr std::size_t MAXLINE = 8192;

/// Puts an address between < and >.  As Python's parseaddr() it drops newlines that are not quoted.
std::string quoteaddr(std::string addr) {
    if (addr.find_first_of("\"[") == addr.npos)
        std::erase_if(addr, [](char c) { return c == '\r' || c == '\n'; });
    return py::strip(addr).starts_with('<') ? addr : "<" + addr + ">";
}

/// Makes every line end in CRLF, whatever it ended in before.  Python: _fix_eols().
std::string fix_eols(std::string_view msg) {
    std::string out;
    out.reserve(msg.size() + msg.size() / 32);
    for (std::size_t i = 0; i < msg.size(); ++i) {
        if (msg[i] != '\r' && msg[i] != '\n') {
            out += msg[i];
            continue;
        }
        if (msg.substr(i).starts_with("\r\n")) ++i;
        out += "\r\n";
    }
    return out;
}

/// Doubles the dots that begin a line, and adds the line that ends the message.
std::string quote_periods(std::string_view msg) {
    std::string out;
    out.reserve(msg.size() + msg.size() / 32 + 5);
    bool begins = true;
    for (const char c : msg) {
        if (begins && c == '.') out += '.';
        out += c;
        begins = c == '\n';
    }
    if (!out.ends_with("\r\n")) out += "\r\n";
    return out + ".\r\n";
}

/// The number at the beginning of a line of a reply, or -1.
int code_of(const std::string& line) {
    try {
        return static_cast<int>(py::to_int(line.substr(0, 3)));
    } catch (const std::invalid_argument&) {
        return -1;
    }
}

/// The name of this host, for EHLO.
std::string local_hostname() {
    const auto name = py::getfqdn();
    if (name.find('.') != name.npos) return name;
    try {
        const auto found = asyncore::address(name, 0).resolve(AF_INET);
        const auto* bytes = reinterpret_cast<const sockaddr*>(&found.name);
        return "[" + asyncore::address(bytes, found.length).host() + "]";
    } catch (const std::system_error&) {
        return "[127.0.0.1]";
    }
}

std::string lower(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    return text;
}

/// The features in a reply to EHLO.  Each line but the first has a keyword and its parameters.
SMTP::features features_in(const std::string& said) {
    SMTP::features found;
    auto lines = py::split(said, "\n");
    lines.erase(lines.begin());
    for (const auto& line : lines) {
        const auto end = std::min(line.find(' '), line.size());
        found[lower(line.substr(0, end))] = py::strip(std::string_view(line).substr(end));
    }
    return found;
}

}  // namespace

SMTP::reply SMTP::connect(const std::string& host, std::uint16_t port) {
    const asyncore::address name(host, port);
    const int first = name.resolve(AF_UNSPEC).name.ss_family;
    std::exception_ptr failed;
    // A host name may have addresses of both families.
    for (const int family : {first, first == AF_INET6 ? AF_INET : AF_INET6}) {
        lines_.clear();
        failure_ = nullptr;
        try {
            create_socket(family);
            connect(name);
            return getreply();
        } catch (const std::system_error&) {
            close();
            if (!failed) failed = std::current_exception();
        }
    }
    std::rethrow_exception(failed);
}

SMTP::reply SMTP::getreply() {
    waits_since_ = clock::now();
    list resp;
    int code = -1;
    bool more = true;
    while (more) {
        const auto line = readline_();
        resp.emplace_back(py::strip(line.size() > 4 ? line.substr(4) : ""));
        code = code_of(line);
        more = code != -1 && line.size() > 3 && line[3] == '-';
    }
    return {code, py::join("\n", resp)};
}

/// The next line that the server has sent.  Python: self.file.readline().
std::string SMTP::readline_() {
    while (!has_line_() && _fileno >= 0) wait_for_line_();
    if (lines_.empty() && failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    if (lines_.empty()) throw SMTPServerDisconnected("Connection unexpectedly closed");
    auto line = std::move(lines_.front());
    lines_.pop_front();
    return line;
}

/// Runs a turn of the loop.
void SMTP::wait_for_line_() {
    const auto left = timeout.after(clock::now() - waits_since_);
    if (!left.zero()) return asyncore::loop({.timeout = left, .map = _map, .count = 1});
    const bool was_connected = connected;
    close();
    if (!was_connected) throw asyncore::platform::os_error(ETIMEDOUT, "connect");
    throw SMTPServerDisconnected("Connection unexpectedly closed: timed out");
}

std::size_t SMTP::send(std::string_view data) {
    const auto count = async_chat::send(data);
    if (count > 0) waits_since_ = clock::now();
    return count;
}

SMTP::reply SMTP::docmd(const std::string& cmd) {
    if (_fileno < 0 && !has_line_()) throw SMTPServerDisconnected("please run connect() first");
    py::encode_ascii(cmd);
    if (cmd.find_first_of("\r\n") != cmd.npos)
        throw std::invalid_argument("command and arguments contain prohibited newline characters");
    push(cmd + "\r\n");
    return getreply();
}

void SMTP::ehlo_or_helo_if_needed() {
    if (greeted) return;
    greeted = true;
    const auto name = local_hostname();
    const auto [code, said] = docmd("ehlo " + name);
    if (code == -1 && said.empty()) {
        close();
        throw SMTPServerDisconnected("Server not connected");
    }
    if (code == 250) esmtp_features = features_in(said);
    if (code >= 200 && code <= 299) return;
    const auto [helo_code, resp] = docmd("helo " + name);
    if (helo_code < 200 || helo_code > 299) throw SMTPHeloError(helo_code, resp);
}

void SMTP::rset() {
    try {
        docmd("rset");
    } catch (const SMTPServerDisconnected&) {
        // The server has closed the connection, and has so forgotten the message too.
    }
}

SMTP::reply SMTP::data(std::string_view msg) {
    const auto [code, repl] = docmd("data");
    if (code != 354) throw SMTPDataError(code, repl);
    push(quote_periods(msg));
    return getreply();
}

refusals SMTP::sendmail(const std::string& from_addr, const list& to_addrs, std::string_view text) {
    ehlo_or_helo_if_needed();
    const auto msg = fix_eols(text);
    std::string size;
    if (esmtp_features.contains("size")) size = " size=" + std::to_string(msg.size());
    const auto [mail_code, mail_resp] = docmd("mail FROM:" + quoteaddr(from_addr) + size);
    if (mail_code != 250) {
        reset_or_close_(mail_code);
        throw SMTPSenderRefused(mail_code, mail_resp);
    }
    const auto senderrs = send_recipients_(to_addrs);
    const auto [code, resp] = data(msg);
    if (code != 250) {
        reset_or_close_(code);
        throw SMTPDataError(code, resp);
    }
    return senderrs;
}

refusals SMTP::send_recipients_(const list& to_addrs) {
    refusals senderrs;
    for (const auto& each : to_addrs) {
        const auto [code, resp] = docmd("rcpt TO:" + quoteaddr(each));
        if (code != 250 && code != 251) senderrs[each] = {code, resp};
        if (code != 421) continue;
        close();
        throw SMTPRecipientsRefused(senderrs);
    }
    if (senderrs.size() != to_addrs.size()) return senderrs;
    rset();
    throw SMTPRecipientsRefused(senderrs);
}

/// 421 is the code of a server that closes the connection.
void SMTP::reset_or_close_(int code) {
    if (code == 421) close();
    else rset();
}

SMTP::reply SMTP::quit() {
    auto res = docmd("quit");
    greeted = false;
    esmtp_features.clear();
    close();
    return res;
}

/// Keeps the exception for readline_(), which throws it.
void SMTP::handle_error() {
    failure_ = std::current_exception();
    close();
}

void SMTP::collect_incoming_data(std::string_view data) {
    _collect_incoming_data(data);
    if (incoming.size() > MAXLINE) throw SMTPResponseException(500, "Line too long.");
}

void SMTP::found_terminator() { lines_.push_back(_get_data()); }

}  // namespace smtplib
