#include "servers.hpp"

#include "../descriptor_limit.hpp"
#include "handler.hpp"

#include <algorithm>
#include <string>

#include <sys/select.h>

namespace ftp {

using asyncore::address;
using asyncore::socket_t;

namespace {

/// A session needs five descriptors: for its control and data connections, its home, its file, and one
/// more while it looks for a file.  32 descriptors are left for the rest of the program.
std::size_t sessions_that_fit() {
    auto descriptors = std::min<rlim_t>(raise_descriptor_limit(), 100'000);
    if (asyncore::socket_map.mechanism() == "select")
        descriptors = std::min<rlim_t>(descriptors, FD_SETSIZE);
    return static_cast<std::size_t>(std::max<rlim_t>(descriptors, 37) - 32) / 5;
}

}  // namespace

FTPServer::FTPServer(const address& where, std::shared_ptr<const DummyAuthorizer> users,
                     const settings& given)
    : set(given), authorizer(std::move(users)) {
    const auto fit = sessions_that_fit();
    set.max_cons = set.max_cons == 0 ? fit : std::min(set.max_cons, fit);
    children_.max_cons_per_ip = set.max_cons_per_ip;
    create_socket(where.family());
    set_reuse_addr();
    bind(where);
    listen(100);
    addr = socket.getsockname();
}

void FTPServer::handle_accepted(socket_t sock, const address& peer) {
    if (children_.size() >= set.max_cons)
        return refuse(std::move(sock), peer,
                      "421 Too many connections. Service temporarily unavailable.");
    children_.add(*asyncore::spawn<session>(*this, std::move(sock), peer));
}

void FTPServer::handle_max_cons_per_ip_(socket_t sock, const address& peer) {
    refuse(std::move(sock), peer, "421 Too many connections from the same IP address.");
}

void FTPServer::refuse(socket_t sock, const address& peer, std::string_view why) {
    sock.send(std::string(why) + "\r\n");
    log_info(peer.repr() + " " + std::string(why.substr(4)), "info");
}

}  // namespace ftp
