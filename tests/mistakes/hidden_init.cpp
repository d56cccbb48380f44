// A method named init() hides the init() of the library.
// error: [nN]o matching function|too many arguments
#include <asyncore/asyncore.hpp>
struct handler : asyncore::dispatcher {
    bool at_end = true;
    explicit handler(asyncore::socket_t sock) {
        init();
        init(std::move(sock));  // here
    }
    void init() { at_end = false; }
};
