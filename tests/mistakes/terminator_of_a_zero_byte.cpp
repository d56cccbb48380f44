// Python's b'\0' is written as a C string, which is empty.
// run: a terminator with a zero byte: write "..."sv
#include <asynchat/asynchat.hpp>
#include <cstdio>
int main() {
    asynchat::async_chat chat;
    try {
        chat.set_terminator("\0");
    } catch (const std::invalid_argument& e) {
        std::puts(e.what());
    }
}
