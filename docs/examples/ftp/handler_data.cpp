// Python: class FTPHandler, its data connections.
#include "handler.hpp"

#include "text.hpp"

#include <utility>

namespace ftp {

using asyncore::address;
using asyncore::socket_t;

namespace {

struct host_port {
    std::string host;
    std::uint64_t port;
};

/// "h1,h2,h3,h4,p1,p2" of PORT.
std::optional<host_port> parse_port(std::string_view text) {
    const auto parts = split(text, ',');
    if (parts.size() != 6) return std::nullopt;
    std::uint64_t numbers[6];
    for (std::size_t i = 0; i < 6; ++i) {
        const auto number = to_number(parts[i], 255);
        if (!number) return std::nullopt;
        numbers[i] = *number;
    }
    std::string host = std::to_string(numbers[0]);
    for (std::size_t i = 1; i < 4; ++i) host += "." + std::to_string(numbers[i]);
    return host_port{host, numbers[4] * 256 + numbers[5]};
}

/// "127,0,0,1,200,13" for PASV.
std::string port_text(const address& here) {
    std::string host = here.host();
    for (char& c : host)
        if (c == '.') c = ',';
    return host + "," + std::to_string(here.port() / 256) + "," + std::to_string(here.port() % 256);
}

}  // namespace

// The commands that open a data connection.

void FTPHandler::ftp_PORT(const std::string& arg) {
    if (_epsvall) return respond("501 PORT not allowed after EPSV ALL.");
    if (socket.family() != AF_INET) return refuse_protocol("1");
    const auto where = parse_port(arg);
    if (!where) return respond("501 Invalid PORT format.");
    _make_eport(where->host, where->port);
}

/// "|1|127.0.0.1|2000|" of RFC 2428, with any character as the separator.
void FTPHandler::ftp_EPRT(const std::string& arg) {
    if (_epsvall) return respond("501 EPRT not allowed after EPSV ALL.");
    const auto parts = split(arg, arg[0]);
    const auto port = parts.size() == 5 ? to_number(parts[3], 65535) : std::nullopt;
    if (!port) return respond("501 Invalid EPRT format.");
    if (parts[1] != (socket.family() == AF_INET ? "1" : "2")) return refuse_protocol(parts[1]);
    _make_eport(std::string(parts[2]), *port);
}

void FTPHandler::ftp_PASV(const std::string&) {
    if (_epsvall) return respond("501 PASV not allowed after EPSV ALL.");
    if (socket.family() != AF_INET) return refuse_protocol("1");
    _make_epasv(false);
}

void FTPHandler::ftp_EPSV(const std::string& arg) {
    const std::string_view own = socket.family() == AF_INET ? "1" : "2";
    if (arg.empty() || arg == own) return _make_epasv(true);
    if (upper(arg) != "ALL") return refuse_protocol(arg);
    _epsvall = true;
    respond("220 Other commands other than EPSV are now disabled.");
}

void FTPHandler::refuse_protocol(std::string_view given) {
    const std::string own = socket.family() == AF_INET ? "1" : "2";
    if (given == "1" || given == "2")
        respond("522 Network protocol not supported (use " + own + ").");
    else respond("501 Unknown network protocol (use " + own + ").");
}

/// RFC 2577: a client that names another host, or a port of a service, would have the server attack it.
void FTPHandler::_make_eport(const std::string& ip, std::uint64_t port) {
    if (ip != remote_ip) return respond("501 Rejected data connection to foreign address.");
    if (port < first_unprivileged_port)
        return respond("501 PORT against the privileged port refused.");
    if (is_transferring()) return respond("503 A transfer is in progress.");
    _shutdown_connecting_dtp();
    close_data_channel();
    try {
        const auto made = asyncore::spawn<ActiveDTP>(*this, address(ip, static_cast<long>(port)));
        if (made->_fileno >= 0) _dtp_connector = made;
    } catch (const std::system_error&) {
        respond("425 Can't connect to specified address.");
    }
}

void FTPHandler::_make_epasv(bool extmode) {
    if (is_transferring()) return respond("503 A transfer is in progress.");
    _shutdown_connecting_dtp();
    close_data_channel();
    try {
        _dtp_acceptor = asyncore::spawn<PassiveDTP>(*this);
    } catch (const std::system_error& error) {
        log_line("no passive port: " + error.code().message());
        return respond("425 Can't open a passive port.");
    }
    const auto here = _dtp_acceptor->addr;
    if (extmode)
        respond("229 Entering extended passive mode (|||" + std::to_string(here.port()) + "|).");
    else respond("227 Entering passive mode (" + port_text(here) + ").");
}

// What becomes of a data connection.

void FTPHandler::_on_dtp_connection(socket_t sock) {
    _dtp_acceptor.reset();
    _dtp_connector.reset();
    if (!connected) return;
    data_channel = asyncore::spawn<DTPHandler>(*this, std::move(sock));
    if (_dtp_queue) run_transfer(*std::exchange(_dtp_queue, std::nullopt));
    take_lines();
}

void FTPHandler::_on_dtp_close(std::string_view reply) {
    data_channel.reset();
    end_transfer(reply);
}

void FTPHandler::_on_dtp_failure(std::string_view why) {
    _dtp_acceptor.reset();
    const auto waited = std::exchange(_dtp_queue, std::nullopt);
    if (waited) end_transfer("425 Can't open data connection: " + std::string(why) + ".");
}

void FTPHandler::_on_active_failure(std::string_view why) {
    _dtp_connector.reset();
    respond("425 Can't connect to specified address: " + std::string(why) + ".");
    take_lines();
}

void FTPHandler::_shutdown_connecting_dtp() {
    if (const auto acceptor = std::exchange(_dtp_acceptor, nullptr)) acceptor->close();
    if (const auto connector = std::exchange(_dtp_connector, nullptr)) connector->close();
    _dtp_queue.reset();
}

void FTPHandler::close_data_channel() {
    if (const auto open = std::exchange(data_channel, nullptr)) open->close();
}

// Transfers.

bool FTPHandler::is_transferring() const {
    return _dtp_queue || (data_channel && data_channel->transfer_in_progress());
}

bool FTPHandler::may_transfer() {
    if (is_transferring()) respond("503 A transfer is in progress.");
    else if (!data_channel && !_dtp_acceptor) respond("425 Use PASV or PORT first.");
    else return true;
    return false;
}

void FTPHandler::start_transfer(transfer job, std::string_view message) {
    const bool is_open = data_channel != nullptr;
    if (!message.empty()) respond((is_open ? "125 " : "150 ") + std::string(message));
    else if (is_open) respond("125 Data connection already open. Transfer starting.");
    else respond("150 File status okay. About to open data connection.");
    if (!connected) return;  // respond() found that the client is gone
    if (is_open) run_transfer(std::move(job));
    else _dtp_queue = std::move(job);
}

/// While the data channel moves bytes, the client has nothing to say.
void FTPHandler::run_transfer(transfer job) {
    _idler.cancel();
    data_channel->start(std::move(job));
}

void FTPHandler::end_transfer(std::string_view reply) {
    respond(reply);
    if (!connected) return;
    if (_quit_pending) finish();
    else start_idler();
}

void FTPHandler::push_dtp_data(std::string cmd, std::shared_ptr<asynchat::producer> source) {
    start_transfer({std::move(cmd), "", std::move(source), unique_fd(), false});
}

/// RFC 959: the transfer is answered by 426, and then the ABOR by 226.  Python forgets a transfer that
/// still waits for its data connection, and gives it to the next connection.
void FTPHandler::ftp_ABOR(const std::string&) {
    const bool was_open = _dtp_acceptor || data_channel;
    const bool was_transferring = is_transferring();
    _shutdown_connecting_dtp();
    close_data_channel();
    if (!was_open) return respond("225 No transfer to abort.");
    if (!was_transferring) return respond("225 ABOR command successful; data channel closed.");
    end_transfer("426 Transfer aborted via ABOR.");
    respond("226 ABOR command successful.");
}

void FTPHandler::ftp_REST(const std::string& arg) {
    if (_current_type == 'a') return respond("501 Resuming transfers not allowed in ASCII mode.");
    const auto marker = to_number(arg);
    if (!marker) return respond("501 Invalid parameter.");
    _restart_position = *marker;
    respond("350 Restarting at position " + std::to_string(*marker) + ".");
}

}  // namespace ftp
