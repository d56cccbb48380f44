// Python: Lib/smtplib.py, class SMTP.
#include "smtplib.hpp"

#include <utility>

namespace smtplib {

namespace {

std::string quoteaddr(const std::string& addr) {
    return py::strip(addr).starts_with('<') ? addr : "<" + addr + ">";
}

/// Lines that end in CRLF, whatever ended them before, and dots doubled that begin one.
std::string quote_data(std::string_view msg) {
    std::string out;
    out.reserve(msg.size() + msg.size() / 32 + 5);
    bool begins = true;
    for (std::size_t i = 0; i < msg.size(); ++i) {
        const char c = msg[i];
        if (begins && c == '.') out += '.';
        begins = c == '\r' || c == '\n';
        if (!begins) {
            out += c;
            continue;
        }
        if (c == '\r' && msg.substr(i + 1).starts_with('\n')) ++i;
        out += "\r\n";
    }
    if (!out.ends_with("\r\n")) out += "\r\n";
    return out + ".\r\n";
}

}  // namespace

SMTP::reply SMTP::connect(const std::string& host, std::uint16_t port) {
    const asyncore::address name(host, port);
    const int first = name.resolve(AF_UNSPEC).name.ss_family;
    std::exception_ptr failed;
    // A name may have addresses of both families.
    for (const int family : {first, first == AF_INET6 ? AF_INET : AF_INET6}) {
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
    while (!complete_ && _fileno >= 0)
        asyncore::loop({.timeout = std::nullopt, .map = _map, .count = 1});
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    if (!complete_) throw SMTPServerDisconnected("Connection unexpectedly closed");
    complete_ = false;
    auto lines = std::exchange(lines_, {});
    int code = -1;
    for (auto& line : lines) {
        code =
            py::isdigit(line.substr(0, 3)) ? static_cast<int>(py::to_int(line.substr(0, 3))) : -1;
        line = py::strip(line.size() > 4 ? line.substr(4) : "");
    }
    return {code, py::join("\n", lines)};
}

SMTP::reply SMTP::docmd(const std::string& cmd) {
    if (_fileno < 0) throw SMTPServerDisconnected("please run connect() first");
    push(cmd + "\r\n");
    return getreply();
}

void SMTP::ehlo_or_helo_if_needed() {
    if (std::exchange(greeted, true)) return;
    auto name = py::getfqdn();
    if (name.find('.') == name.npos) name = "[127.0.0.1]";
    const auto [code, said] = docmd("ehlo " + name);
    if (code >= 200 && code <= 299) {
        for (const auto& line : py::split(said, "\n")) {
            const auto words = py::split(line);
            if (words.empty()) continue;
            auto keyword = words[0];
            for (char& c : keyword)
                if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
            esmtp_features[keyword] = words.size() > 1 ? words[1] : "";
        }
        return;
    }
    const auto [helo_code, resp] = docmd("helo " + name);
    if (helo_code < 200 || helo_code > 299) throw SMTPHeloError(helo_code, resp);
}

void SMTP::rset() {
    try {
        docmd("rset");
    } catch (const SMTPServerDisconnected&) {
        // Gone: what was to be forgotten is.
    }
}

SMTP::reply SMTP::data(std::string_view msg) {
    const auto [code, repl] = docmd("data");
    if (code != 354) throw SMTPDataError(code, repl);
    push(quote_data(msg));
    return getreply();
}

refusals SMTP::sendmail(const std::string& from_addr, const list& to_addrs, std::string_view msg) {
    ehlo_or_helo_if_needed();
    std::string size;
    if (esmtp_features.contains("size")) size = " size=" + std::to_string(msg.size());
    const auto refuse = [&](int code) { code == 421 ? close() : rset(); };

    auto [code, resp] = docmd("mail FROM:" + quoteaddr(from_addr) + size);
    if (code != 250) {
        refuse(code);
        throw SMTPSenderRefused(code, resp);
    }
    refusals senderrs;
    for (const auto& each : to_addrs) {
        std::tie(code, resp) = docmd("rcpt TO:" + quoteaddr(each));
        if (code != 250 && code != 251) senderrs[each] = {code, resp};
        if (code != 421) continue;
        close();
        throw SMTPRecipientsRefused(senderrs);
    }
    if (senderrs.size() == to_addrs.size()) {
        rset();
        throw SMTPRecipientsRefused(senderrs);
    }
    std::tie(code, resp) = data(msg);
    if (code != 250) {
        refuse(code);
        throw SMTPDataError(code, resp);
    }
    return senderrs;
}

SMTP::reply SMTP::quit() {
    auto res = docmd("quit");
    greeted = false;
    esmtp_features.clear();
    close();
    return res;
}

/// Kept for whoever waits.
void SMTP::handle_error() {
    failure_ = std::current_exception();
    close();
}

void SMTP::found_terminator() {
    auto line = _get_data();
    complete_ = line.size() < 4 || line[3] != '-';
    lines_.push_back(std::move(line));
}

}  // namespace smtplib
