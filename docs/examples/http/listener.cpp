#include "listener.hpp"

#include "../descriptor_limit.hpp"

#include <algorithm>
#include <iostream>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/select.h>

namespace http {

using asyncore::address;
using asyncore::socket_t;
using std::chrono::seconds;

namespace {

/// A session needs two descriptors, for its socket and its file.  32 descriptors are left for the
/// rest of the program.
std::size_t sessions_that_fit() {
    auto descriptors = std::min<rlim_t>(raise_descriptor_limit(), 100'000);
    if (asyncore::socket_map.mechanism() == "select")
        descriptors = std::min<rlim_t>(descriptors, FD_SETSIZE);
    return static_cast<std::size_t>(std::max<rlim_t>(descriptors, 34) - 32) / 2;
}

}  // namespace

listener::listener(std::uint16_t port, const std::string& folder, const limits& given)
    : shared{document_root(folder), access_log(std::cout), given, {}, clock::now()},
      most_sessions(sessions_that_fit()) {
    create_socket();
    set_reuse_addr();
    bind({"127.0.0.1", port});
    listen(1024);
    addr = socket.getsockname();
}

listener::~listener() {
    while (!shared.sessions.empty()) (*shared.sessions.begin())->close();
}

void listener::handle_accepted(socket_t sock, const address& peer) {
    sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    asyncore::spawn<request_handler>(std::move(sock), peer, shared);
}

/// The loop asks this at the beginning of every turn, so it is also where the server looks at the
/// clock.  First it finds the clients that were late when the last turn began: that turn has served
/// all that had arrived until then, however long it took.
bool listener::readable() {
    if (shared.now >= next_check) check_times();
    shared.now = clock::now();
    return shared.now >= rests_until && shared.sessions.size() < most_sessions;
}

void listener::check_times() {
    next_check = shared.now + seconds(1);
    for (auto next = shared.sessions.begin(); next != shared.sessions.end();) {
        auto& session = **next;
        ++next;  // first: a session that closes takes itself out of the set
        try {
            session.check_time();
        } catch (...) {
            session.handle_error();  // an exception that leaves readable() would leave the loop
        }
    }
}

/// The listener goes on after a second.
void listener::handle_error() {
    try {
        throw;
    } catch (const std::bad_alloc&) {
        log("out of memory");
    } catch (const std::exception& error) {
        log(std::string("cannot accept: ") + error.what());
    }
    rests_until = clock::now() + seconds(1);
}

/// Goes to standard error: standard output has the log of requests.
void listener::log_info(std::string_view message, std::string_view type) {
    if (!ignore_log_types.contains(type)) log_line(*this, type, message);
}

}  // namespace http
