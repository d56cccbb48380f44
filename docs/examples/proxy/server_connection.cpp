#include "server_connection.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace proxy {

ServerConnection::ServerConnection(asyncore::timers& timers,
                                   const std::shared_ptr<ClientConnection>& client)
    : Connection(timers, client->way), client_connection(client) {
    handshake_timeout_ = way.most.connect;
}

std::shared_ptr<Connection> ServerConnection::peer() const { return client_connection.lock(); }

std::string ServerConnection::name() const {
    const auto client = client_connection.lock();
    return (client ? client->name() : std::string(way.protocol->name)) + " server " + addr.repr();
}

// Until the server is ready.

void ServerConnection::start(const asyncore::address& address) {
    addr = address;
    patience_ = call_later(way.most.connect, [this] { lost("the server is not ready in time"); });
    try {
        create_socket(address.family());
        socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
        connect(address);
        if (way.server_mode == mode::tls) secure_connection(*way.for_servers, way.server_name);
    } catch (const std::system_error&) {
        handle_error();
    }
}

void ServerConnection::handle_connect() {
    if (way.server_mode != mode::tls) talk_or_be_ready();
}

void ServerConnection::handle_ssl_established() {
    if (way.server_mode == mode::tls) talk_or_be_ready();
    else be_ready();
}

/// The greeting of the server is for the client, unless the proxy greets the client itself.
void ServerConnection::talk_or_be_ready() {
    if (!way.greets()) be_ready();
}

void ServerConnection::negotiate(const std::string& line) {
    const auto& steps = way.protocol->steps;
    const auto& now = steps[step_];
    if (!now.skipped.empty() && line.starts_with(now.skipped)) return;
    if (!line.starts_with(now.wanted))
        return lost("the server says: " + std::string(without_end(line)));
    ++step_;
    if (way.server_mode != mode::starttls) return be_ready();
    if (step_ == steps.size()) return secure_connection(*way.for_servers, way.server_name);
    push(std::string(now.say) + "\r\n");
}

void ServerConnection::be_ready() {
    is_ready_ = true;
    patience_.cancel();
    const auto client = client_connection.lock();
    if (!client) return close();
    const auto version = ssl_socket() ? ssl_socket()->version() : "plain text";
    client->server_ready("the server " + addr.repr() + " talks " + version);
}

// What the server says.

void ServerConnection::found_terminator() {
    const auto line = _get_data() + "\n";
    if (is_ready_) relay(way.protocol->shown(line, held_));
    else negotiate(line);
}

void ServerConnection::relay_unread() {
    relay(std::exchange(held_, "") + _get_data());
    set_terminator(asynchat::none);
}

void ServerConnection::handle_read_event() {
    if (const auto client = client_connection.lock()) client->touch_();
    Connection::handle_read_event();
}

void ServerConnection::handle_write_event() {
    if (const auto client = client_connection.lock()) client->touch_();
    Connection::handle_write_event();
}

// The end.

bool ServerConnection::nothing_is_relayed() const {
    const auto client = peer();
    return !has_relayed() && (!client || !client->has_relayed());
}

/// A mail server that says nothing at all has failed.
void ServerConnection::handle_eof_() {
    const bool has_failed = way.protocol->has_lines() && nothing_is_relayed();
    if (has_failed || !is_ready_) return lost("the server ends the connection");
    relay(std::exchange(held_, ""));
    Connection::handle_eof_();
}

void ServerConnection::outlive_client() {
    if (is_open()) call_later(way.most.idle, [this] { abort(); });
}

void ServerConnection::lost(const std::string& why) {
    if (!nothing_is_relayed()) return Connection::lost(why);
    if (has_failed_) return;
    has_failed_ = true;
    const auto text = "server " + addr.repr() + ": " + why;
    close();
    if (const auto client = client_connection.lock()) client->server_failed(text);
}

}  // namespace proxy
