// A character would be a number of bytes.
// error: a string
#include <asynchat/asynchat.hpp>
void begin(asynchat::async_chat& chat) {
    chat.set_terminator('\n');  // here
}
