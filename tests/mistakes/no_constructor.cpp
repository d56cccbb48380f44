// The constructors of the base are not inherited.
// error: using dispatcher::dispatcher
#include <asyncore/asyncore.hpp>
struct handler : asyncore::dispatcher {
    void handle_read() override { recv(100); }
};
struct server : asyncore::dispatcher {
    void handle_accepted(asyncore::socket_t sock, const asyncore::address&) override {
        asyncore::spawn<handler>(std::move(sock));  // here
    }
};
