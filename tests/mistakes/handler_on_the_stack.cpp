// Python's `Handler(sock)` is written as a variable, which ends with the hook.
// run: a channel was destroyed in the turn that made it: spawn\(\)
#include <asyncore/asyncore.hpp>
struct handler : asyncore::dispatcher {
    using dispatcher::dispatcher;
};
struct server : asyncore::dispatcher {
    server() {
        create_socket();
        bind({"127.0.0.1", 0});
        listen(5);
    }
    void handle_accepted(asyncore::socket_t sock, const asyncore::address&) override {
        handler made(std::move(sock));
    }
};
int main() {
    server listener;
    asyncore::socket_t client(AF_INET, SOCK_STREAM);
    client.setblocking(true);
    client.connect_ex(listener.socket.getsockname());
    asyncore::loop({.timeout = 10.0, .count = 1});
}
