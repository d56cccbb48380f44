// Bytes and their number are two arguments, as in C.
// error: \{data, size\}
#include <asynchat/asynchat.hpp>
void greet(asynchat::async_chat& chat) {
    chat.push("hello", 5);  // here
}
