// The class is no channel.
// error: channel
#include <asyncore/asyncore.hpp>
struct session {
    explicit session(asyncore::socket_t) {}
};
void serve(asyncore::socket_t sock) {
    asyncore::spawn<session>(std::move(sock));  // here
}
