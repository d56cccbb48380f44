// The echo server of asyncore's manual.
//
//     echo_server [PORT]
#include <asyncore/asyncore.hpp>

#include <cstdlib>
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
    const int port = argc > 1 ? std::atoi(argv[1]) : 8080;
    try {
        EchoServer server("localhost", static_cast<std::uint16_t>(port));
        std::cout << "Listening on " << server.socket.getsockname().repr() << std::endl;
        asyncore::loop();
    } catch (const std::exception& error) {
        std::cerr << "echo_server: " << error.what() << '\n';
        return 1;
    }
}
