// A class derives privately, which is what `class` means where no word stands before the base.
// error: public
#include <asynchat/asynchat.hpp>
class chat : asynchat::async_chat {
public:
    explicit chat(asyncore::socket_t sock) : async_chat(std::move(sock)) {}
};
void serve(asyncore::socket_t sock) {
    asyncore::spawn<chat>(std::move(sock));  // here
}
