// writable() is not overridden, and handle_write() has nothing to send: the loop never waits.
// run: writer: 1000 events in a row moved no byte: does writable\(\) say true with nothing to send
#include <asyncore/asyncore.hpp>
struct writer : asyncore::dispatcher {
    using dispatcher::dispatcher;
    int writes = 0;
    void handle_write() override {
        ++writes;
        if (writes == 2000) close();
    }
};
int main() {
    auto [ours, theirs] = asyncore::socket_t::pair();
    asyncore::spawn<writer>(std::move(ours));
    asyncore::loop();
}
