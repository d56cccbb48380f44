#include "client_connection.hpp"

#include "server_connection.hpp"

#include <asynchat/flow/line_limited.hpp>

namespace proxy {

ClientConnection::ClientConnection(asyncore::timers& timers, const route& given,
                                   asyncore::socket_t sock, const asyncore::address& from)
    : child(timers, given, std::move(sock)), timers_(timers) {
    addr = from;
    handshake_timeout_ = way.most.handshake;
}

void ClientConnection::start() {
    if (way.client_mode == mode::plain) return connect_to_server();
    if (way.client_mode == mode::tls) return secure_connection(*way.for_clients);
    is_greeted_ = true;
    push(way.protocol->greeting);
}

std::shared_ptr<Connection> ClientConnection::peer() const { return server_connection; }

std::string ClientConnection::name() const {
    return std::string(way.protocol->name) + " " + addr.repr();
}

// What the client says.

bool ClientConnection::must_starttls() const {
    return way.client_mode == mode::starttls && !ssl_socket();
}

void ClientConnection::found_terminator() {
    const auto line = _get_data() + "\n";
    if (must_starttls()) answer(line);
    else relay_line(line);
}

void ClientConnection::answer(const std::string& line) {
    const auto& protocol = *way.protocol;
    const auto given = protocol.parse(line);
    push(protocol.answer(given));
    if (given.verb == protocol.starttls) secure_connection(*way.for_clients);
    if (given.verb == protocol.quit) finish();
}

/// The client has no use for the server's STARTTLS.  The command gets a name that no server knows, so that the refusal
/// comes in its place among the server's answers.  Any command that is not of the prologue ends the reading of lines:
/// bodies of messages begin then, and these must not be changed.
void ClientConnection::relay_line(const std::string& line) {
    const auto& protocol = *way.protocol;
    const auto given = protocol.parse(line);
    if (given.verb == protocol.starttls)
        return relay(given.tag + (given.tag.empty() ? "X" : " X") + given.verb + "\r\n");
    relay(line);
    if (protocol.is_prologue(given) || !server_connection) return;
    set_terminator(asynchat::none);
    server_connection->relay_unread();
}

void ClientConnection::handle_ssl_established() {
    say("the client talks " + ssl_socket()->version());
    connect_to_server();
}

bool ClientConnection::readable() { return !waits_for_server_ && child::readable(); }

// The server.

void ClientConnection::connect_to_server() {
    waits_for_server_ = true;
    interest_changed_();
    const auto& address = way.addresses[attempts_ % way.addresses.size()];
    ++attempts_;
    server_connection =
        asyncore::spawn<asynchat::line_limited<ServerConnection>>(timers_, self(*this));
    fed_by_ = server_connection;
    server_connection->fed_by_ = self(*this);
    server_connection->start(address);
}

void ClientConnection::server_ready(const std::string& what) {
    say(what);
    waits_for_server_ = false;
    interest_changed_();
    if (way.greets() && !is_greeted_) push(way.protocol->greeting);
    is_greeted_ = is_greeted_ || way.greets();
}

void ClientConnection::server_failed(const std::string& why) {
    if (!is_open()) return;
    say(why, "error");
    waits_for_server_ = true;
    interest_changed_();
    const auto count = way.addresses.size();
    if (attempts_ == count * (way.most.retries + 1)) return give_up();
    const bool is_new_round = attempts_ % count == 0;
    call_later(is_new_round ? way.most.retry_delay : std::chrono::seconds(0),
               [this] { connect_to_server(); });
}

/// The client is told why.  It has some time to read that, and what it still says is dropped: a connection that is
/// closed with unread bytes is reset, and the client might not see the reason.
void ClientConnection::give_up() {
    say("there is no server");
    server_connection.reset();
    waits_for_server_ = false;
    if (!way.protocol->has_lines()) return abort();
    set_terminator(asynchat::none);
    push(way.protocol->sorry);
    see_off(way.most.linger);
}

void ClientConnection::handle_timeout_() {
    say("no byte came or went for " + std::to_string(way.most.idle.count()) + " seconds");
    if (server_connection) server_connection->close();
    close();
}

/// A server that still has bytes to take is no longer counted, so it has a limit of its own.
void ClientConnection::close() {
    if (is_open() && server_connection) {
        say("closed, " + std::to_string(relayed()) + " bytes to the server, " +
            std::to_string(server_connection->relayed()) + " to the client");
        server_connection->outlive_client();
    }
    child::close();
}

}  // namespace proxy
