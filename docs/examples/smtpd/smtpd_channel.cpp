// Python: Lib/smtpd.py of 3.11, SMTPChannel without its commands.
#include "smtpd.hpp"

#include <algorithm>

namespace smtpd {

using py::print;

void keywords::check_() const {
    if (enable_SMTPUTF8 && decode_data)
        throw std::invalid_argument("decode_data and enable_SMTPUTF8 cannot"
                                    " be set to True at the same time");
}

// Python: class SMTPChannel

std::int64_t SMTPChannel::max_command_size_limit() const {
    if (limits_->empty()) return command_size_limit;
    std::int64_t most = 0;
    for (const auto& [command, limit] : *limits_) most = std::max<std::int64_t>(most, limit);
    return most;
}

SMTPChannel::SMTPChannel(SMTPServer& server, socket_t sock, const address& from,
                         const keywords& given)
    : async_chat(std::move(sock), given.map),
      smtp_server(&server),
      data_size_limit(given.data_size_limit),
      enable_SMTPUTF8(given.enable_SMTPUTF8),
      _decode_data(given.decode_data) {
    ac_in_buffer_size = ac_out_buffer_size = 65536;  // as in the source of Python 3
    addr = from;
    given.check_();
    _set_rset_state();
    limits_->clear();
    fqdn = py::getfqdn();
    try {
        peer = conn.getpeername();
    } catch (const std::system_error& err) {
        // The client may have closed the connection already.
        close();
        if (err.code().value() != ENOTCONN) throw;
        return;
    }
    print(*DEBUGSTREAM, "Peer:", py::repr(peer));
    push("220 " + fqdn + " " + std::string(version));
}

void SMTPChannel::_set_post_data_state() {
    smtp_state = COMMAND;
    mailfrom.clear();
    rcpttos.clear();
    require_SMTPUTF8 = false;
    num_bytes = 0;
    set_terminator("\r\n");
}

void SMTPChannel::_set_rset_state() {
    _set_post_data_state();
    received_data.clear();
    received_lines.clear();
}

void SMTPChannel::push(std::string_view msg) {
    if (!require_SMTPUTF8) py::encode_ascii(msg);
    async_chat::push(std::string(msg) + "\r\n");
}

void SMTPChannel::collect_incoming_data(std::string_view data) {
    std::int64_t limit = 0;
    if (smtp_state == COMMAND) limit = max_command_size_limit();
    else if (smtp_state == DATA) limit = data_size_limit;
    if (limit && num_bytes > limit) return;
    if (limit) num_bytes += static_cast<std::int64_t>(data.size());
    std::string text(data);
    if (_decode_data) py::decode_utf8(text);
    received_lines.push_back(std::move(text));
}

void SMTPChannel::found_terminator() {
    const auto line = py::join(_emptystring, received_lines);
    print(*DEBUGSTREAM, "Data:", py::repr(line, !_decode_data));
    received_lines.clear();
    if (smtp_state == COMMAND) return found_command_(line);
    if (smtp_state == DATA) return found_message_(line);
    push("451 Internal confusion");
    num_bytes = 0;
}

void SMTPChannel::found_command_(const std::string& line) {
    const auto sz = std::exchange(num_bytes, 0);
    if (line.empty()) return push("500 Error: bad syntax");
    if (!_decode_data) py::decode_utf8(line);
    const auto i = line.find(' ');
    const auto command = py::upper(line.substr(0, i));
    argument arg;
    if (i != line.npos) arg = py::strip(std::string_view(line).substr(i + 1));
    const auto max_sz = extended_smtp ? (*limits_)[command] : command_size_limit;
    if (sz > max_sz) return push("500 Error: line too long");
    const auto smtp_method = getattr(command);
    if (!smtp_method) return push("500 Error: command \"" + command + "\" not recognized");
    (this->*smtp_method)(arg);
}

void SMTPChannel::found_message_(const std::string& line) {
    if (data_size_limit && num_bytes > data_size_limit) {
        push("552 Error: Too much mail data");
        num_bytes = 0;
        return;
    }
    // RFC 5321, section 4.5.2: the client has put a dot before each line that begins with a dot.
    // Drops these dots, and the carriage returns.
    auto data = py::split(line, _linesep);
    for (auto& text : data)
        if (text.starts_with(_dotsep)) text.erase(0, 1);
    received_data = py::join(_newline, data);
    options kwargs;
    if (!_decode_data) kwargs = {mail_options, rcpt_options};
    const auto status =
        smtp_server->process_message(peer, mailfrom, rcpttos, received_data, kwargs);
    _set_post_data_state();
    push(status.empty() ? "250 OK" : status);
}

}  // namespace smtpd
