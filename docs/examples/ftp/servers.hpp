// The listener of the FTP server.
// Python: servers.py of pyftpdlib, class FTPServer.
#pragma once

#include "authorizer.hpp"
#include "settings.hpp"

#include <asyncore/asyncore.hpp>
#include <asyncore/children/children.hpp>
#include <asyncore/timers/timers.hpp>

#include <memory>

namespace ftp {

/// Each connection becomes a session.
class FTPServer : public asyncore::limiting_listener<> {
public:
    settings set;
    std::shared_ptr<const DummyAuthorizer> authorizer;
    asyncore::timers calls;  // of all sessions

    /// Listens on an address of IPv4 or IPv6.  With port 0 the system picks a free port; `addr` has it
    /// then.
    /// Throws: std::system_error if the port is taken.
    FTPServer(const asyncore::address& where, std::shared_ptr<const DummyAuthorizer> users,
              const settings& given);

    void handle_accepted(asyncore::socket_t sock, const asyncore::address& peer) override;
    void handle_max_cons_per_ip_(asyncore::socket_t sock, const asyncore::address& peer) override;

private:
    void refuse(asyncore::socket_t sock, const asyncore::address& peer, std::string_view why);
};

}  // namespace ftp
