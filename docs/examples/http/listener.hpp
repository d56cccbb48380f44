// The listener of the HTTP server.
#pragma once

#include "request_handler.hpp"

#include <asyncore/asyncore.hpp>

#include <chrono>
#include <cstdint>
#include <string>

namespace http {

/// Listens on 127.0.0.1.  Each connection becomes a request_handler.
class listener : public asyncore::dispatcher {
public:
    /// With port 0 the system picks a free port.  `addr` has the port then.
    /// Throws: std::system_error if the port is taken, or if there is no such folder.
    listener(std::uint16_t port, const std::string& folder, const limits& given);
    /// Closes the sessions, for they use the site.
    ~listener() override;

    void handle_accepted(asyncore::socket_t sock, const asyncore::address& peer) override;
    bool readable() override;
    void handle_error() override;
    void log_info(std::string_view message, std::string_view type) override;

    const std::string& root() const { return shared.root.name(); }

protected:
    site shared;

private:
    void check_times();

    const std::size_t most_sessions;
    clock::time_point next_check, rests_until;
};

}  // namespace http
