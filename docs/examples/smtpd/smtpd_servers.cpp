// Python: Lib/smtpd.py of 3.11, SMTPServer and the two servers that derive from it.
#include "smtpd.hpp"

#include <algorithm>
#include <ctime>
#include <iostream>
#include <typeinfo>

namespace smtpd {

using py::print;

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
    given.check_();
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
    print_started_();
}

void SMTPServer::print_started_() const {
    const auto now = std::time(nullptr);
    const char* const date = std::ctime(&now);  // null where the C library cannot tell
    auto name = asyncore::type_name(typeid(*this));
    name.erase(0, name.rfind(':') + 1);
    print(*DEBUGSTREAM, name, "started at", std::string(date ? date : "?").substr(0, 24));
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

// init() prints the name of the class.  A constructor of a base class does not know it yet.
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
        // The headers come first; the empty line ends them.
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
    // The new header goes behind the last header.
    lines.insert(std::find(lines.begin(), lines.end(), ""), "X-Peer: " + peer.host());
    const auto refused = _deliver(mailfrom, rcpttos, py::join(NEWLINE, lines));
    print(*DEBUGSTREAM, "we got some refusals:", py::repr_of(refused));
    return "";
}

namespace {

/// Sends a message by a client on a map of its own, so that no other channel runs meanwhile.
smtplib::refusals send_by_client(const address& remote, const asyncore::platform::timeout& timeout,
                                 const std::string& mailfrom, const list& rcpttos,
                                 const std::string& data) {
    asyncore::channel_map map;
    const asyncore::interrupt_on_sigint stoppable(&map);
    smtplib::SMTP s(&map, timeout);
    s.connect(remote.host(), remote.port());
    smtplib::refusals refused;
    try {
        refused = s.sendmail(mailfrom, rcpttos, data);
    } catch (...) {
        s.quit();
        throw;
    }
    s.quit();
    return refused;
}

}  // namespace

smtplib::refusals PureProxy::_deliver(const std::string& mailfrom, const list& rcpttos,
                                      const std::string& data) {
    const auto refuse_all = [&](const std::exception& e, int errcode, const std::string& errmsg) {
        print(*DEBUGSTREAM, "got", asyncore::type_name(typeid(e)));
        smtplib::refusals refused;
        for (const auto& r : rcpttos) refused[r] = {errcode, errmsg};
        return refused;
    };
    try {
        return send_by_client(_remoteaddr, timeout, mailfrom, rcpttos, data);
    } catch (const smtplib::SMTPRecipientsRefused& e) {
        print(*DEBUGSTREAM, "got SMTPRecipientsRefused");
        return e.recipients;
    } catch (const smtplib::SMTPResponseException& e) {
        return refuse_all(e, e.smtp_code, e.smtp_error);
    } catch (const smtplib::SMTPException& e) {
        return refuse_all(e, -1, "ignore");
    } catch (const std::system_error& e) {
        return refuse_all(e, -1, "ignore");
    }
}

}  // namespace smtpd
