// The parameters of an override are not those of the hook.
// error: does not override|only virtual member functions|hidden overloaded
#include <asyncore/asyncore.hpp>
struct server : asyncore::dispatcher {
    void handle_accepted(asyncore::socket_t sock, asyncore::address) override {  // here
        sock.close();
    }
};
