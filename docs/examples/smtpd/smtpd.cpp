// Python: Lib/smtpd.py of 3.11.
#include "smtpd.hpp"

#include <algorithm>
#include <ctime>
#include <iostream>
#include <typeinfo>

#include "addr_spec.hpp"

namespace smtpd {

using py::print;

std::string program = "smtpd";
std::ostream Devnull(nullptr);
std::ostream* DEBUGSTREAM = &Devnull;

namespace {

constexpr std::string_view doc_head =
    R"(An RFC 5321 smtp proxy with optional RFC 1870 and RFC 6531 extensions.

Usage: )";

constexpr std::string_view doc_options =
    R"( [options] [localhost:localport [remotehost:remoteport]]

Options:

    --nosetuid
    -n
        This program generally tries to setuid `nobody', unless this flag is
        set.  The setuid call will fail if this program is not run as root (in
        which case, use this flag).

    --version
    -V
        Print the version number and exit.

    --class classname
    -c classname
        Use `classname' as the concrete SMTP proxy class.  Uses `PureProxy' by
        default.

    --size limit
    -s limit
        Restrict the total size of the incoming message to "limit" number of
        bytes via the RFC 1870 SIZE extension.  Defaults to 33554432 bytes.

    --smtputf8
    -u
        Enable the SMTPUTF8 extension and behave as an RFC 6531 smtp proxy.

    --debug
    -d
        Turn on debugging prints.

    --help
    -h
        Print this message and exit.

Version: )";

constexpr std::string_view doc_tail = R"(

If localhost is not given then `localhost' is used, and if localport is not
given then 8025 is used.  If remotehost is not given then `localhost' is used,
and if remoteport is not given, then 25 is used.
)";

void refuse_both(const keywords& given) {
    if (given.enable_SMTPUTF8 && given.decode_data)
        throw std::invalid_argument("decode_data and enable_SMTPUTF8 cannot"
                                    " be set to True at the same time");
}

}  // namespace

void usage(int code, const std::string& msg) {
    std::cerr << doc_head << program << doc_options << version << doc_tail << '\n';
    if (!msg.empty()) print(std::cerr, msg);
    throw asyncore::SystemExit{code};
}

// Python: class SMTPChannel

std::int64_t SMTPChannel::max_command_size_limit() const {
    if (command_size_limits.empty()) return command_size_limit;
    std::int64_t most = 0;
    for (const auto& [command, limit] : command_size_limits)
        most = std::max<std::int64_t>(most, limit);
    return most;
}

SMTPChannel::SMTPChannel(SMTPServer& server, socket_t sock, const address& from,
                         const keywords& given)
    : async_chat(std::move(sock), given.map),
      smtp_server(&server),
      data_size_limit(given.data_size_limit),
      enable_SMTPUTF8(given.enable_SMTPUTF8),
      _decode_data(given.decode_data) {
    ac_in_buffer_size = ac_out_buffer_size = 65536;  // as 3.x has it
    addr = from;
    refuse_both(given);
    _set_rset_state();
    command_size_limits.clear();
    fqdn = py::getfqdn();
    try {
        peer = conn.getpeername();
    } catch (const std::system_error& err) {
        // The other end may be gone already.
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
    if (smtp_state == COMMAND) {
        const auto sz = std::exchange(num_bytes, 0);
        if (line.empty()) return push("500 Error: bad syntax");
        if (!_decode_data) py::decode_utf8(line);
        const auto i = line.find(' ');
        const auto command = py::upper(line.substr(0, i));
        argument arg;
        if (i != line.npos) arg = py::strip(std::string_view(line).substr(i + 1));
        const auto max_sz = extended_smtp ? command_size_limits[command] : command_size_limit;
        if (sz > max_sz) return push("500 Error: line too long");
        const auto smtp_method = getattr(command);
        if (!smtp_method) return push("500 Error: command \"" + command + "\" not recognized");
        (this->*smtp_method)(arg);
        return;
    }
    if (smtp_state != DATA) {
        push("451 Internal confusion");
        num_bytes = 0;
        return;
    }
    if (data_size_limit && num_bytes > data_size_limit) {
        push("552 Error: Too much mail data");
        num_bytes = 0;
        return;
    }
    // The dots that the client stuffed go, and so do the carriage returns; RFC 5321, 4.5.2.
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

// SMTP and ESMTP commands

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

namespace {

/// Python: `if not arg`.
bool lacks(const argument& arg) { return !arg || arg->empty(); }

}  // namespace

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
        command_size_limits["MAIL"] += 26;
    }
    if (!_decode_data) push("250-8BITMIME");
    if (enable_SMTPUTF8) {
        push("250-SMTPUTF8");
        command_size_limits["MAIL"] += 10;
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
    if (py::upper(arg.substr(0, keylen)) == keyword)
        return std::string(py::strip(std::string_view(arg).substr(keylen)));
    return "";
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

void SMTPChannel::smtp_HELP(const argument& arg) {
    if (lacks(arg))
        return push("250 Supported commands: EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY");
    const std::string extended = extended_smtp ? " [SP <mail-parameters>]" : "";
    const auto lc_arg = py::upper(*arg);
    if (lc_arg == "EHLO") push("250 Syntax: EHLO hostname");
    else if (lc_arg == "HELO") push("250 Syntax: HELO hostname");
    else if (lc_arg == "MAIL") push("250 Syntax: MAIL FROM: <address>" + extended);
    else if (lc_arg == "RCPT") push("250 Syntax: RCPT TO: <address>" + extended);
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

namespace {

/// Python: params.pop(name, None).  The outer optional: whether it was there.
std::optional<std::optional<std::string>> pop(parameters& params, std::string_view name) {
    const auto found = params.find(name);
    if (found == params.end()) return std::nullopt;
    auto value = std::move(found->second);
    params.erase(found);
    return value;
}

}  // namespace

void SMTPChannel::smtp_MAIL(const argument& arg) {
    if (seen_greeting.empty()) return push("503 Error: send HELO first");
    print(*DEBUGSTREAM, "===> MAIL", arg.value_or("None"));
    std::string syntaxerr = "501 Syntax: MAIL FROM: <address>";
    if (extended_smtp) syntaxerr += " [SP <mail-parameters>]";
    if (!arg) return push(syntaxerr);
    const auto [from, rest] = _getaddr(_strip_command_keyword("FROM:", *arg));
    if (from.empty()) return push(syntaxerr);
    if (!extended_smtp && !rest.empty()) return push(syntaxerr);
    if (!mailfrom.empty()) return push("503 Error: nested MAIL command");
    mail_options = py::split(py::upper(rest));
    auto params = _getparams(mail_options);
    if (!params) return push(syntaxerr);
    if (!_decode_data) {
        const auto body = pop(*params, "BODY").value_or("7BIT");
        if (body != "7BIT" && body != "8BITMIME")
            return push("501 Error: BODY can only be one of 7BIT, 8BITMIME");
    }
    if (enable_SMTPUTF8) {
        if (const auto smtputf8 = pop(*params, "SMTPUTF8")) {
            if (*smtputf8) return push("501 Error: SMTPUTF8 takes no arguments");
            require_SMTPUTF8 = true;
        }
    }
    if (const auto size = pop(*params, "SIZE")) {
        if (!*size) throw py::AttributeError("'bool' object has no attribute 'isdigit'");
        if (!py::isdigit(**size)) return push(syntaxerr);
        if (data_size_limit && py::to_int(**size) > data_size_limit)
            return push("552 Error: message size exceeds fixed maximum message size");
    }
    if (!params->empty()) return push("555 MAIL FROM parameters not recognized or not implemented");
    mailfrom = from;
    print(*DEBUGSTREAM, "sender:", mailfrom);
    push("250 OK");
}

void SMTPChannel::smtp_RCPT(const argument& arg) {
    if (seen_greeting.empty()) return push("503 Error: send HELO first");
    print(*DEBUGSTREAM, "===> RCPT", arg.value_or("None"));
    if (mailfrom.empty()) return push("503 Error: need MAIL command");
    std::string syntaxerr = "501 Syntax: RCPT TO: <address>";
    if (extended_smtp) syntaxerr += " [SP <mail-parameters>]";
    if (!arg) return push(syntaxerr);
    const auto [to, rest] = _getaddr(_strip_command_keyword("TO:", *arg));
    if (to.empty()) return push(syntaxerr);
    if (!extended_smtp && !rest.empty()) return push(syntaxerr);
    rcpt_options = py::split(py::upper(rest));
    const auto params = _getparams(rcpt_options);
    if (!params) return push(syntaxerr);
    // There is none that is known.
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

// Python: class SMTPServer

SMTPServer::SMTPServer(const address& localaddr, const address& remoteaddr, const keywords& given) {
    init(localaddr, remoteaddr, given);
}

void SMTPServer::init(const address& localaddr, const address& remoteaddr, const keywords& given) {
    _localaddr = localaddr;
    _remoteaddr = remoteaddr;
    data_size_limit = given.data_size_limit;
    enable_SMTPUTF8 = given.enable_SMTPUTF8;
    _decode_data = given.decode_data;
    refuse_both(given);
    dispatcher::init({}, given.map);
    try {
        create_socket(localaddr.resolve(AF_UNSPEC).name.ss_family, SOCK_STREAM);
        set_reuse_addr();
        bind(localaddr);
        listen(5);
    } catch (...) {
        close();
        throw;
    }
    const auto now = std::time(nullptr);
    auto name = asyncore::type_name(typeid(*this));
    name.erase(0, name.rfind(':') + 1);
    print(*DEBUGSTREAM, name, "started at", std::string(std::ctime(&now)).substr(0, 24));
    print(*DEBUGSTREAM, "\tLocal addr:", py::repr(_localaddr));
    *DEBUGSTREAM << "\tRemote addr:" << py::repr(_remoteaddr) << '\n';
}

void SMTPServer::handle_accepted(socket_t conn, const address& from) {
    print(*DEBUGSTREAM, "Incoming connection from", py::repr(from));
    channel_class(*this, std::move(conn), from,
                  {data_size_limit, _map, enable_SMTPUTF8, _decode_data});
}

std::string SMTPServer::process_message(const address&, const std::string&, const list&,
                                        const std::string&, const options&) {
    throw asyncore::NotImplementedError("process_message");
}

// Python: class DebuggingServer

// init() says what class it is, which no constructor of a base knows.
DebuggingServer::DebuggingServer(const address& localaddr, const address& remoteaddr,
                                 const keywords& given) {
    init(localaddr, remoteaddr, given);
}

void DebuggingServer::_print_message_content(const address& peer, const std::string& data) {
    bool inheaders = true;
    const auto lines = _decode_data ? py::splitlines_of_str(data) : py::splitlines_of_bytes(data);
    const auto show = [&](const std::string& line) {
        if (_decode_data) print(std::cout, line);
        else print(std::cout, py::repr(line, true));
    };
    for (const auto& line : lines) {
        // Headers first.
        if (inheaders && line.empty()) {
            show("X-Peer: " + peer.host());
            inheaders = false;
        }
        show(line);
    }
}

std::string DebuggingServer::process_message(const address& peer, const std::string&, const list&,
                                             const std::string& data, const options& kwargs) {
    print(std::cout, "---------- MESSAGE FOLLOWS ----------");
    if (!kwargs.mail_options.empty())
        print(std::cout, "mail options:", py::repr(kwargs.mail_options));
    if (!kwargs.rcpt_options.empty())
        std::cout << "rcpt options: " << py::repr(kwargs.rcpt_options) << "\n\n";
    _print_message_content(peer, data);
    print(std::cout, "------------ END MESSAGE ------------");
    return "";
}

// Python: class PureProxy

PureProxy::PureProxy(const address& localaddr, const address& remoteaddr, const keywords& given) {
    if (given.enable_SMTPUTF8) throw std::invalid_argument("PureProxy does not support SMTPUTF8.");
    init(localaddr, remoteaddr, given);
}

std::string PureProxy::process_message(const address& peer, const std::string& mailfrom,
                                       const list& rcpttos, const std::string& data,
                                       const options&) {
    auto lines = py::split(data, NEWLINE);
    // After the last header.
    lines.insert(std::find(lines.begin(), lines.end(), ""), "X-Peer: " + peer.host());
    const auto refused = _deliver(mailfrom, rcpttos, py::join(NEWLINE, lines));
    print(*DEBUGSTREAM, "we got some refusals:", py::repr(refused));
    return "";
}

smtplib::refusals PureProxy::_deliver(const std::string& mailfrom, const list& rcpttos,
                                      const std::string& data) {
    smtplib::refusals refused;
    const auto refuse_all = [&](const std::exception& e, int errcode, const std::string& errmsg) {
        print(*DEBUGSTREAM, "got", asyncore::type_name(typeid(e)));
        for (const auto& r : rcpttos) refused[r] = {errcode, errmsg};
    };
    try {
        asyncore::channel_map map;
        const asyncore::interrupt_on_sigint stoppable(&map);
        smtplib::SMTP s(&map);
        s.connect(_remoteaddr.host(), _remoteaddr.port());
        try {
            refused = s.sendmail(mailfrom, rcpttos, data);
        } catch (...) {
            s.quit();
            throw;
        }
        s.quit();
    } catch (const smtplib::SMTPRecipientsRefused& e) {
        print(*DEBUGSTREAM, "got SMTPRecipientsRefused");
        refused = e.recipients;
    } catch (const smtplib::SMTPResponseException& e) {
        refuse_all(e, e.smtp_code, e.smtp_error);
    } catch (const smtplib::SMTPException& e) {
        refuse_all(e, -1, "ignore");
    } catch (const std::system_error& e) {
        refuse_all(e, -1, "ignore");
    }
    return refused;
}

// Python: class Options, parseargs()

Options parseargs(const list& argv) {
    program = argv[0];
    std::vector<std::pair<std::string, std::string>> opts;
    list args;
    try {
        std::tie(opts, args) =
            py::getopt({argv.begin() + 1, argv.end()}, "nVhc:s:du",
                       {"class=", "nosetuid", "version", "help", "size=", "debug", "smtputf8"});
    } catch (const py::getopt_error& e) {
        usage(1, e.what());
    }

    Options options;
    for (const auto& [opt, arg] : opts) {
        if (opt == "-h" || opt == "--help") usage(0);
        else if (opt == "-V" || opt == "--version") {
            print(std::cout, version);
            throw asyncore::SystemExit{0};
        } else if (opt == "-n" || opt == "--nosetuid") options.setuid = false;
        else if (opt == "-c" || opt == "--class") options.classname = arg;
        else if (opt == "-d" || opt == "--debug") DEBUGSTREAM = &std::cerr;
        else if (opt == "-u" || opt == "--smtputf8") options.enable_SMTPUTF8 = true;
        else if (opt == "-s" || opt == "--size") {
            try {
                options.size_limit = py::to_int(arg);
            } catch (const std::invalid_argument&) {
                print(std::cerr, "Invalid size:", arg);
                throw asyncore::SystemExit{1};
            }
        }
    }

    if (args.size() > 2) usage(1, "Invalid arguments: " + py::join(COMMASPACE, args));
    const auto localspec = !args.empty() ? args[0] : "localhost:8025";
    const auto remotespec = args.size() > 1 ? args[1] : "localhost:25";

    const auto split = [](const std::string& spec, const char* which, std::string& host,
                          std::int64_t& port) {
        const auto i = spec.find(':');
        if (i == spec.npos) usage(1, "Bad " + std::string(which) + " spec: " + spec);
        host = spec.substr(0, i);
        try {
            port = py::to_int(spec.substr(i + 1));
        } catch (const std::invalid_argument&) {
            usage(1, "Bad " + std::string(which) + " port: " + spec);
        }
    };
    split(localspec, "local", options.localhost, options.localport);
    split(remotespec, "remote", options.remotehost, options.remoteport);
    return options;
}

}  // namespace smtpd
