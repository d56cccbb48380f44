// An address is two arguments, where Python has a tuple.
// error: \{host, port\}
#include <asyncore/asyncore.hpp>
void call(asyncore::dispatcher& client, const std::string& host, int port) {
    client.connect(host, port);  // here
}
