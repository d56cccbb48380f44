// push(0) would read from the address 0.
// error: close_when_done
#include <asynchat/asynchat.hpp>
void end(asynchat::async_chat& chat) {
    chat.push(0);  // here
}
