// std::make_shared() in place of spawn(): the map does not own the channel.
// run: a channel was destroyed in the turn that made it: spawn\(\)
#include <asyncore/asyncore.hpp>
struct handler : asyncore::dispatcher {
    using dispatcher::dispatcher;
};
struct server : asyncore::dispatcher {
    using dispatcher::dispatcher;
    bool writable() override { return false; }
    void handle_read() override {
        recv(100);
        auto [ours, theirs] = asyncore::socket_t::pair();
        std::make_shared<handler>(std::move(ours));
    }
};
int main() {
    auto [ours, theirs] = asyncore::socket_t::pair();
    server listener(std::move(ours));
    theirs.send("x");
    asyncore::loop({.timeout = 10.0, .count = 1});
}
