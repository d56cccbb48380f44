// The side of the client.
#pragma once

#include "connection.hpp"

#include <asyncore/children/children.hpp>

#include <memory>
#include <string>

namespace proxy {

class ServerConnection;

/// A client that must say STARTTLS talks with the proxy alone until it is secure: so nothing that came in the clear
/// reaches a server.  Then, or at once, the proxy connects to the server; meanwhile the client is not read.
class ClientConnection : public asyncore::child<Connection> {
public:
    ClientConnection(asyncore::timers& timers, const route& given, asyncore::socket_t sock,
                     const asyncore::address& from);

    /// Call it when the object is complete.
    void start();

    // What the other side reports.

    void server_ready(const std::string& what);
    /// Tries the next address, or gives up.
    void server_failed(const std::string& why);

    void found_terminator() override;
    bool readable() override;
    void handle_ssl_established() override;
    void handle_timeout_() override;
    void close() override;
    std::string name() const override;

protected:
    std::shared_ptr<Connection> peer() const override;

private:
    bool must_starttls() const;
    void answer(const std::string& line);
    void relay_line(const std::string& line);
    void connect_to_server();
    void give_up();

    asyncore::timers& timers_;
    std::shared_ptr<ServerConnection>
        server_connection;  // which holds this object by a weak pointer
    unsigned attempts_ = 0;
    bool waits_for_server_ = false;
    bool is_greeted_ = false;
};

}  // namespace proxy
