// An address is added to text, as Python's 'from ' + repr(addr).
// error: repr\(\)
#include <asyncore/asyncore.hpp>
struct server : asyncore::dispatcher {
    void handle_accepted(asyncore::socket_t, const asyncore::address& peer) override {
        log_info("from " + peer);  // here
    }
};
