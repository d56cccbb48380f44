// The constructor is private, which is what a class begins with.
// error: public
#include <asynchat/asynchat.hpp>
class chat : public asynchat::async_chat {
    explicit chat(asyncore::socket_t sock) : async_chat(std::move(sock)) {}
};
void serve(asyncore::socket_t sock) {
    asyncore::spawn<chat>(std::move(sock));  // here
}
