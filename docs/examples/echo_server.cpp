// The echo server of asyncore's manual.  It sends back what a client sends.
//
//     echo_server [PORT]
//
// It listens on PORT of this machine, 8080 by default.  With port 0 the system picks a free port.
#include <asyncore/asyncore.hpp>

#include "command_line.hpp"

#include <iostream>
#include <string>

namespace {

class EchoHandler : public asyncore::dispatcher_with_send {
public:
    using dispatcher_with_send::dispatcher_with_send;

    void handle_read() override {
        const auto data = recv(8192);
        if (!data.empty()) send(data);
    }
};

class EchoServer : public asyncore::dispatcher {
public:
    EchoServer(const std::string& host, std::uint16_t port) {
        create_socket();
        set_reuse_addr();
        bind({host, port});
        listen(5);
    }

    void handle_accepted(asyncore::socket_t sock, const asyncore::address& peer) override {
        std::cout << "Incoming connection from " << peer.repr() << std::endl;
        asyncore::spawn<EchoHandler>(std::move(sock));
    }
};

}  // namespace

int main(int argc, char** argv) {
    try {
        std::uint16_t port = 8080;
        if (argc > 1) port = number<std::uint16_t>(argv[1]);
        EchoServer server("localhost", port);
        std::cout << "Listening on " << server.socket.getsockname().repr() << std::endl;
        asyncore::loop();
    } catch (const std::exception& error) {
        std::cerr << "echo_server: " << error.what() << '\n';
        return 1;
    }
}
