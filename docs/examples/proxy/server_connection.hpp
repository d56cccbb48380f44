// The side of the server.
#pragma once

#include "client_connection.hpp"

#include <memory>
#include <string>

namespace proxy {

/// One attempt to reach the server.  It is ready when TCP, TLS and STARTTLS have succeeded.  Until a byte was relayed
/// in either direction, the client may try another server in its place.
class ServerConnection : public Connection {
public:
    ServerConnection(asyncore::timers& timers, const std::shared_ptr<ClientConnection>& client);

    void start(const asyncore::address& address);
    /// The client has logged in, or sends mail: from now on the lines of the server are not looked at.
    void relay_unread();
    /// The client has closed: the server has some time to take what is queued.
    void outlive_client();

    void found_terminator() override;
    void handle_connect() override;
    void handle_ssl_established() override;
    void handle_read_event() override;
    void handle_write_event() override;
    void handle_eof_() override;
    std::string name() const override;

protected:
    std::shared_ptr<Connection> peer() const override;
    void lost(const std::string& why) override;

private:
    bool nothing_is_relayed() const;
    void talk_or_be_ready();
    void negotiate(const std::string& line);
    void be_ready();

    std::weak_ptr<ClientConnection> client_connection;
    bool is_ready_ = false;
    bool has_failed_ = false;
    std::size_t step_ = 0;
    std::string held_;  // a line that the client gets when the next one has come
    asyncore::timer patience_;
};

}  // namespace proxy
