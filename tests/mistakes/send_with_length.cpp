// Bytes and their number are two arguments, as in C.  The number would be flags: MSG_OOB.
// error: \{data, size\}
#include <asyncore/asyncore.hpp>
void greet(asyncore::dispatcher& channel) {
    channel.socket.send("hello", 5);  // here
}
