// spawn() gets an object in place of the class and the arguments of its constructor.
// error: spawn<
#include <asyncore/asyncore.hpp>
struct handler : asyncore::dispatcher {
    using dispatcher::dispatcher;
};
void serve(asyncore::socket_t sock) {
    asyncore::spawn(handler(std::move(sock)));  // here
}
