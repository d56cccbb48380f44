// Python's None is `none`.
// error: asynchat::none|`none`
#include <asynchat/asynchat.hpp>
void begin(asynchat::async_chat& chat) {
    chat.set_terminator(nullptr);  // here
}
