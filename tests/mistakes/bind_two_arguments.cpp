// An address is two arguments, where Python has a tuple.
// error: \{host, port\}
#include <asyncore/asyncore.hpp>
void serve(asyncore::dispatcher& server) {
    server.bind("127.0.0.1", 8080);  // here
}
