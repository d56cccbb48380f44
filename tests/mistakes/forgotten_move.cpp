// The socket is not moved.
// error: std::move\(sock\)
#include <asyncore/asyncore.hpp>
struct handler : asyncore::dispatcher {
    using dispatcher::dispatcher;
};
struct server : asyncore::dispatcher {
    void handle_accepted(asyncore::socket_t sock, const asyncore::address&) override {
        asyncore::spawn<handler>(sock);  // here
    }
};
