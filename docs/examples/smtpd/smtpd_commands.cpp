// Python: Lib/smtpd.py of 3.11, the commands of SMTPChannel.
#include "smtpd.hpp"

#include "addr_spec.hpp"

namespace smtpd {

using py::print;

namespace {

/// Python: `if not arg`.
bool lacks(const argument& arg) { return !arg || arg->empty(); }

/// Python: params.pop(name, None).
/// Returns: nothing if there is no such parameter; its value, which is nothing if it has none.
std::optional<std::optional<std::string>> pop(parameters& params, std::string_view name) {
    const auto found = params.find(name);
    if (found == params.end()) return std::nullopt;
    auto value = std::move(found->second);
    params.erase(found);
    return value;
}

}  // namespace

// Python: class SMTPChannel

SMTPChannel::method SMTPChannel::getattr(std::string_view command) const {
    static const std::map<std::string_view, method> methods = {
        {"HELO", &SMTPChannel::smtp_HELO}, {"EHLO", &SMTPChannel::smtp_EHLO},
        {"NOOP", &SMTPChannel::smtp_NOOP}, {"QUIT", &SMTPChannel::smtp_QUIT},
        {"HELP", &SMTPChannel::smtp_HELP}, {"VRFY", &SMTPChannel::smtp_VRFY},
        {"MAIL", &SMTPChannel::smtp_MAIL}, {"RCPT", &SMTPChannel::smtp_RCPT},
        {"RSET", &SMTPChannel::smtp_RSET}, {"DATA", &SMTPChannel::smtp_DATA},
        {"EXPN", &SMTPChannel::smtp_EXPN},
    };
    const auto found = methods.find(command);
    return found == methods.end() ? nullptr : found->second;
}

void SMTPChannel::smtp_HELO(const argument& arg) {
    if (lacks(arg)) return push("501 Syntax: HELO hostname");
    if (!seen_greeting.empty()) return push("503 Duplicate HELO/EHLO");
    _set_rset_state();
    seen_greeting = *arg;
    push("250 " + fqdn);
}

void SMTPChannel::smtp_EHLO(const argument& arg) {
    if (lacks(arg)) return push("501 Syntax: EHLO hostname");
    if (!seen_greeting.empty()) return push("503 Duplicate HELO/EHLO");
    _set_rset_state();
    seen_greeting = *arg;
    extended_smtp = true;
    push("250-" + fqdn);
    if (data_size_limit) {
        push("250-SIZE " + std::to_string(data_size_limit));
        (*limits_)["MAIL"] += 26;
    }
    if (!_decode_data) push("250-8BITMIME");
    if (enable_SMTPUTF8) {
        push("250-SMTPUTF8");
        (*limits_)["MAIL"] += 10;
    }
    push("250 HELP");
}

void SMTPChannel::smtp_NOOP(const argument& arg) {
    if (!lacks(arg)) push("501 Syntax: NOOP");
    else push("250 OK");
}

void SMTPChannel::smtp_QUIT(const argument&) {
    push("221 Bye");
    close_when_done();
}

std::string SMTPChannel::_strip_command_keyword(std::string_view keyword, const std::string& arg) {
    const auto keylen = keyword.size();
    if (py::upper(arg.substr(0, keylen)) != keyword) return "";
    return std::string(py::strip(std::string_view(arg).substr(keylen)));
}

std::pair<std::string, std::string> SMTPChannel::_getaddr(const std::string& arg) {
    if (arg.empty()) return {};
    if (py::lstrip(arg).starts_with('<')) return addr_spec::get_angle_addr(arg);
    return addr_spec::get_addr_spec(arg);
}

std::optional<parameters> SMTPChannel::_getparams(const list& params) {
    parameters result;
    for (const auto& each : params) {
        const auto eq = each.find('=');
        const auto param = each.substr(0, eq);
        if (!py::isalnum(param) || eq + 1 == each.size()) return std::nullopt;
        if (eq == each.npos) result[param] = std::nullopt;
        else result[param] = each.substr(eq + 1);
    }
    return result;
}

std::string SMTPChannel::with_parameters_(const std::string& syntax) const {
    return extended_smtp ? syntax + " [SP <mail-parameters>]" : syntax;
}

void SMTPChannel::smtp_HELP(const argument& arg) {
    if (lacks(arg))
        return push("250 Supported commands: EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY");
    const auto lc_arg = py::upper(*arg);
    if (lc_arg == "EHLO") push("250 Syntax: EHLO hostname");
    else if (lc_arg == "HELO") push("250 Syntax: HELO hostname");
    else if (lc_arg == "MAIL") push(with_parameters_("250 Syntax: MAIL FROM: <address>"));
    else if (lc_arg == "RCPT") push(with_parameters_("250 Syntax: RCPT TO: <address>"));
    else if (lc_arg == "DATA") push("250 Syntax: DATA");
    else if (lc_arg == "RSET") push("250 Syntax: RSET");
    else if (lc_arg == "NOOP") push("250 Syntax: NOOP");
    else if (lc_arg == "QUIT") push("250 Syntax: QUIT");
    else if (lc_arg == "VRFY") push("250 Syntax: VRFY <address>");
    else push("501 Supported commands: EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY");
}

void SMTPChannel::smtp_VRFY(const argument& arg) {
    if (lacks(arg)) return push("501 Syntax: VRFY <address>");
    const auto [found, params] = _getaddr(*arg);
    if (!found.empty()) push("252 Cannot VRFY user, but will accept message and attempt delivery");
    else push("502 Could not VRFY " + *arg);
}

void SMTPChannel::smtp_MAIL(const argument& arg) {
    if (seen_greeting.empty()) return push("503 Error: send HELO first");
    print(*DEBUGSTREAM, "===> MAIL", arg.value_or("None"));
    const auto syntaxerr = with_parameters_("501 Syntax: MAIL FROM: <address>");
    if (!arg) return push(syntaxerr);
    const auto [from, rest] = _getaddr(_strip_command_keyword("FROM:", *arg));
    if (from.empty()) return push(syntaxerr);
    if (!extended_smtp && !rest.empty()) return push(syntaxerr);
    if (!mailfrom.empty()) return push("503 Error: nested MAIL command");
    mail_options = py::split(py::upper(rest));
    const auto params = _getparams(mail_options);
    if (!params) return push(syntaxerr);
    const auto refusal = take_mail_parameters_(*params, syntaxerr);
    if (!refusal.empty()) return push(refusal);
    mailfrom = from;
    print(*DEBUGSTREAM, "sender:", mailfrom);
    push("250 OK");
}

std::string SMTPChannel::take_mail_parameters_(parameters params, const std::string& syntaxerr) {
    if (!_decode_data) {
        const auto body = pop(params, "BODY").value_or("7BIT");
        if (body != "7BIT" && body != "8BITMIME")
            return "501 Error: BODY can only be one of 7BIT, 8BITMIME";
    }
    if (enable_SMTPUTF8) {
        const auto smtputf8 = pop(params, "SMTPUTF8");
        if (smtputf8 && *smtputf8) return "501 Error: SMTPUTF8 takes no arguments";
        if (smtputf8) require_SMTPUTF8 = true;
    }
    if (const auto size = pop(params, "SIZE")) {
        if (!*size) throw py::AttributeError("'bool' object has no attribute 'isdigit'");
        if (!py::isdigit(**size)) return syntaxerr;
        if (data_size_limit && py::to_int(**size) > data_size_limit)
            return "552 Error: message size exceeds fixed maximum message size";
    }
    if (!params.empty()) return "555 MAIL FROM parameters not recognized or not implemented";
    return "";
}

void SMTPChannel::smtp_RCPT(const argument& arg) {
    if (seen_greeting.empty()) return push("503 Error: send HELO first");
    print(*DEBUGSTREAM, "===> RCPT", arg.value_or("None"));
    if (mailfrom.empty()) return push("503 Error: need MAIL command");
    const auto syntaxerr = with_parameters_("501 Syntax: RCPT TO: <address>");
    if (!arg) return push(syntaxerr);
    const auto [to, rest] = _getaddr(_strip_command_keyword("TO:", *arg));
    if (to.empty()) return push(syntaxerr);
    if (!extended_smtp && !rest.empty()) return push(syntaxerr);
    rcpt_options = py::split(py::upper(rest));
    const auto params = _getparams(rcpt_options);
    if (!params) return push(syntaxerr);
    // This server knows no parameter of RCPT.
    if (!params->empty()) return push("555 RCPT TO parameters not recognized or not implemented");
    rcpttos.push_back(to);
    print(*DEBUGSTREAM, "recips:", py::repr(rcpttos));
    push("250 OK");
}

void SMTPChannel::smtp_RSET(const argument& arg) {
    if (!lacks(arg)) return push("501 Syntax: RSET");
    _set_rset_state();
    push("250 OK");
}

void SMTPChannel::smtp_DATA(const argument& arg) {
    if (seen_greeting.empty()) return push("503 Error: send HELO first");
    if (rcpttos.empty()) return push("503 Error: need RCPT command");
    if (!lacks(arg)) return push("501 Syntax: DATA");
    smtp_state = DATA;
    set_terminator("\r\n.\r\n");
    push("354 End data with <CR><LF>.<CR><LF>");
}

void SMTPChannel::smtp_EXPN(const argument&) { push("502 EXPN not implemented"); }

}  // namespace smtpd
