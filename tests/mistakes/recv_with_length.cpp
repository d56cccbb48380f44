// A buffer and its size are two arguments, as in C.  The size would be flags.
// error: \{buffer, size\}
#include <asyncore/asyncore.hpp>
void read(asyncore::dispatcher& channel) {
    char buffer[64];
    channel.socket.recv(buffer, sizeof buffer);  // here
}
