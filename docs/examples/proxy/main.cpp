// A proxy for mail: it relays IMAP, POP3 and SMTP, and adds or takes away TLS on either side.
//
//     mail_proxy [OPTION ...] --listen PROTOCOL MODE PORT --to MODE HOST PORT [--or HOST PORT] ...
//
// PROTOCOL is imap, pop3, smtp, or tcp, which relays any bytes.  MODE is plain, tls or starttls: between the client and
// the proxy behind --listen, between the proxy and the server behind --to.  A server that cannot be reached is tried
// at its other addresses, and those that --or adds, and then once more.  There may be several --listen.
//
//     --cert FILE, --key FILE       what clients see; the key may be in the same file
//     --cafile FILE                 which authorities a server's certificate may have; else those of the system
//     --connections N               of clients, for each --listen; further ones wait
//     --connections-per-host N
//     --connect-timeout, --handshake-timeout, --idle-timeout, --linger, --retry-delay SECONDS
//     --retries N                   how often all addresses are tried again
//     --poller NAME
//
// The options come before the first --listen.  The proxy listens on 127.0.0.1, and prints "PORT n" for each --listen.
// Ctrl-C ends it.  Read client_connection.cpp first.
#include "proxy.hpp"

#include "../command_line.hpp"
#include "../descriptor_limit.hpp"

#include <csignal>
#include <iostream>
#include <list>
#include <string>

namespace {

using namespace proxy;

struct options {
    std::string certfile, keyfile, cafile;
    limits most;
    std::shared_ptr<const ssl::SSLContext> for_clients, for_servers;  // made when they are needed
};

std::chrono::seconds seconds(std::string_view text) {
    return std::chrono::seconds(number<std::uint16_t>(text));
}

mode mode_of(std::string_view word, const words& protocol) {
    if (word == "plain") return mode::plain;
    if (word == "tls") return mode::tls;
    if (word == "starttls" && protocol.has_lines()) return mode::starttls;
    throw std::invalid_argument("there is no such mode: " + std::string(word));
}

void take_option(options& given, std::string_view word, std::string_view value) {
    if (word == "--cert") given.certfile = value;
    else if (word == "--key") given.keyfile = value;
    else if (word == "--cafile") given.cafile = value;
    else if (word == "--connections") given.most.connections = number<std::uint32_t>(value);
    else if (word == "--connections-per-host") given.most.per_host = number<std::uint32_t>(value);
    else if (word == "--connect-timeout") given.most.connect = seconds(value);
    else if (word == "--handshake-timeout") given.most.handshake = seconds(value);
    else if (word == "--idle-timeout") given.most.idle = seconds(value);
    else if (word == "--linger") given.most.linger = seconds(value);
    else if (word == "--retry-delay") given.most.retry_delay = seconds(value);
    else if (word == "--retries") given.most.retries = number<std::uint16_t>(value);
    else if (word == "--poller") asyncore::socket_map.use(std::string(value));
    else refuse_word(word);
}

/// Mail tells its own length, so there no peer must say close_notify.  Many do not.
std::shared_ptr<const ssl::SSLContext> context_for_clients(const options& given,
                                                           const words& protocol) {
    auto made = ssl::create_default_context(ssl::Purpose::CLIENT_AUTH);
    made.load_cert_chain(given.certfile, given.keyfile);
    made.suppress_ragged_eofs = protocol.has_lines();
    return std::make_shared<ssl::SSLContext>(std::move(made));
}

std::shared_ptr<const ssl::SSLContext> context_for_servers(const options& given,
                                                           const words& protocol) {
    auto made = ssl::SSLContext(ssl::PROTOCOL_TLS_CLIENT);
    if (given.cafile.empty()) made.load_default_certs();
    else made.load_verify_locations(given.cafile);
    made.suppress_ragged_eofs = protocol.has_lines();
    return std::make_shared<ssl::SSLContext>(std::move(made));
}

/// Looks the names up once, and not for each connection: that would block the loop.
void add_addresses(route& way, const std::string& host, std::uint16_t port) {
    for (auto& each : asyncore::platform::getaddrinfo(host, port)) way.addresses.push_back(each);
}

/// Takes the next word.  Returns: it; empty at the end.
std::string_view next_of(command_line& line) { return line.empty() ? "" : line.take(); }

/// Takes "PROTOCOL MODE PORT --to MODE HOST PORT [--or HOST PORT] ..."
/// Returns: the word behind it; empty at the end.
std::string_view take_listener(command_line& line, const options& given, asyncore::timers& timers,
                               std::list<Proxy>& listeners) {
    route way;
    way.most = given.most;
    way.protocol = &words_of(line.take_value_of("--listen"));
    way.client_mode = mode_of(line.take_value_of("--listen"), *way.protocol);
    const auto port = number<std::uint16_t>(line.take_value_of("--listen"));
    if (line.take_value_of("--listen") != "--to")
        throw std::invalid_argument("--listen needs --to");
    way.server_mode = mode_of(line.take_value_of("--to"), *way.protocol);
    way.server_name = line.take_value_of("--to");
    add_addresses(way, way.server_name, number<std::uint16_t>(line.take_value_of("--to")));
    std::string_view next = next_of(line);
    for (; next == "--or"; next = next_of(line)) {
        const std::string host(line.take_value_of("--or"));
        add_addresses(way, host, number<std::uint16_t>(line.take_value_of("--or")));
    }
    if (way.client_mode != mode::plain) way.for_clients = context_for_clients(given, *way.protocol);
    if (way.server_mode != mode::plain) way.for_servers = context_for_servers(given, *way.protocol);
    listeners.emplace_back(timers, port, std::move(way));
    return next;
}

void make_listeners(command_line line, asyncore::timers& timers, std::list<Proxy>& listeners) {
    options given;
    std::string_view word = next_of(line);
    for (; !word.empty() && word != "--listen"; word = next_of(line))
        take_option(given, word, line.take_value_of(word));
    while (word == "--listen") word = take_listener(line, given, timers, listeners);
    if (listeners.empty()) throw std::invalid_argument("there is no --listen");
    if (!word.empty()) refuse_word(word);
}

void run(const command_line& line) {
    const asyncore::interrupt_on_sigint ctrl_c;
    raise_descriptor_limit();
    asyncore::timers timers;
    std::list<Proxy> listeners;
    make_listeners(line, timers, listeners);
    for (const auto& each : listeners) std::cout << "PORT " << each.addr.port() << std::endl;
    try {
        asyncore::loop();
    } catch (const asyncore::KeyboardInterrupt&) {
        asyncore::close_all();
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // the program that reads the log may close its end of the pipe
    asynchat::async_chat::default_ac_in_buffer_size = 65536;
    asynchat::async_chat::default_ac_out_buffer_size = 65536;
    try {
        run({argc, argv});
    } catch (const std::exception& error) {
        std::cerr << "mail_proxy: " << error.what() << '\n';
        return 2;
    }
}
