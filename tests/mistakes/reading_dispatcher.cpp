// A dispatcher that only reads: writable() says true, as in Python, so the loop never waits.
// run: reader: writable\(\) says true and handle_write\(\) is not overridden.*: override writable\(\)
#include <asyncore/asyncore.hpp>
struct reader : asyncore::dispatcher {
    using dispatcher::dispatcher;
    void handle_read() override { recv(100); }
};
int main() {
    auto [ours, theirs] = asyncore::socket_t::pair();
    asyncore::spawn<reader>(std::move(ours));
    asyncore::loop();
}
