// The HTTP client of asyncore's manual.  It asks for a page and prints the answer.
//
//     http_client [HOST [PATH [PORT]]]
//
// The default is the page / of www.python.org, port 80.
#include <asyncore/asyncore.hpp>

#include "command_line.hpp"

#include <iostream>
#include <string>

namespace {

class HTTPClient : public asyncore::dispatcher {
public:
    HTTPClient(const std::string& host, const std::string& path, std::uint16_t port) {
        create_socket();
        connect({host, port});
        buffer = "GET " + path + " HTTP/1.0\r\nHost: " + host + "\r\n\r\n";
    }

    void handle_connect() override {}

    void handle_close() override { close(); }

    void handle_read() override { std::cout << recv(8192); }

    bool writable() override { return !buffer.empty(); }

    void handle_write() override {
        const auto sent = send(buffer);
        buffer = buffer.substr(sent);
    }

private:
    std::string buffer;
};

}  // namespace

int main(int argc, char** argv) {
    try {
        const std::string host = argc > 1 ? argv[1] : "www.python.org";
        const std::string path = argc > 2 ? argv[2] : "/";
        std::uint16_t port = 80;
        if (argc > 3) port = number<std::uint16_t>(argv[3]);
        HTTPClient client(host, path, port);
        asyncore::loop();
    } catch (const std::exception& error) {
        std::cerr << "http_client: " << error.what() << '\n';
        return 1;
    }
}
