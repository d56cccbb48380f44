// An address is only a number, and 0 would be a null pointer.
// error: \{host, port\}
#include <asyncore/asyncore.hpp>
void serve(asyncore::dispatcher& server) {
    server.bind(0);  // here
}
