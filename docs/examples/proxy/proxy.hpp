// The listener of the proxy.
#pragma once

#include "client_connection.hpp"

#include <asynchat/flow/line_limited.hpp>
#include <asyncore/children/children.hpp>

#include <cstdint>
#include <netinet/in.h>
#include <netinet/tcp.h>

namespace proxy {

/// Listens on 127.0.0.1.  Each connection becomes a ClientConnection, which makes a ServerConnection.
class Proxy : public asyncore::limiting_listener<> {
public:
    const route way;

    /// With port 0 the system picks a free port.  `addr` has the port then.
    Proxy(asyncore::timers& timers, std::uint16_t port, route given)
        : way(std::move(given)), timers_(timers) {
        children_.max_cons = way.most.connections;
        children_.max_cons_per_ip = way.most.per_host;
        children_.timeout = way.most.idle;
        create_socket();
        set_reuse_addr();
        bind({"127.0.0.1", port});
        listen(1024);
        addr = socket.getsockname();
    }

    void handle_accepted(asyncore::socket_t sock, const asyncore::address& from) override {
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
        const auto client = asyncore::spawn<asynchat::line_limited<ClientConnection>>(
            timers_, way, std::move(sock), from);
        children_.add(*client);
        client->start();
    }

private:
    asyncore::timers& timers_;
};

}  // namespace proxy
