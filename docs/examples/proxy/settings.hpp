// What a listener of the proxy was told on the command line.
#pragma once

#include "words.hpp"

#include "../tls/ssl.hpp"

#include <asyncore/asyncore.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace proxy {

enum class mode { plain, tls, starttls };

struct limits {
    std::size_t connections = 0, per_host = 0;  // 0: any number
    std::chrono::seconds connect{20};           // until a server is ready: TCP, TLS and STARTTLS
    std::chrono::seconds handshake{20};         // of a client
    std::chrono::seconds idle{1800};            // without a byte in either direction
    std::chrono::seconds linger{5};             // for a client that was told to go
    unsigned retries = 1;                       // how often all addresses are tried again
    std::chrono::seconds retry_delay{1};        // before they are
};

/// From one listener to one server.
struct route {
    const words* protocol = nullptr;
    mode client_mode = mode::plain, server_mode = mode::plain;
    std::shared_ptr<const ssl::SSLContext> for_clients, for_servers;
    std::string server_name;                   // that the server's certificate must have
    std::vector<asyncore::address> addresses;  // of the server; each is a number
    limits most;

    /// Whether the proxy greets the client itself.  A greeting that the server gave before TLS may come from anybody.
    bool greets() const {
        return protocol->has_lines() &&
               (client_mode == mode::starttls || server_mode == mode::starttls);
    }
};

}  // namespace proxy
