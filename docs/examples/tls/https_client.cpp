// The HTTP client of asyncore's manual, over TLS.  It asks for a page and prints the answer.
//
//     https_client HOST [PATH [PORT [CAFILE [ADDRESS]]]]
//
// The default is the page /, port 443, and the authorities that the system trusts.  ADDRESS is where to connect to,
// if it is not HOST.
#include "ssl.hpp"

#include "../command_line.hpp"

#include <iostream>
#include <string>

namespace {

class HTTPSClient : public ssl::SSLConnection<asyncore::dispatcher> {
public:
    bool failed = false;

    HTTPSClient(const std::string& host, const std::string& path, const asyncore::address& server,
                const ssl::SSLContext& context) {
        create_socket();
        connect(server);
        secure_connection(context, host);
        buffer = "GET " + path + " HTTP/1.0\r\nHost: " + host + "\r\n\r\n";
    }

    void handle_connect() override {}

    void handle_close() override { close(); }

    void handle_error() override {
        failed = true;
        try {
            throw;
        } catch (const std::exception& error) {
            std::cerr << "https_client: " << error.what() << '\n';
        }
        close();
    }

    void handle_read() override { std::cout << recv(8192); }

    bool writable() override { return SSLConnection::writable() && !buffer.empty(); }

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
        if (argc < 2) throw std::invalid_argument("HOST is missing");
        const std::string host = argv[1];
        const std::string path = argc > 2 ? argv[2] : "/";
        const auto port = argc > 3 ? number<std::uint16_t>(argv[3]) : std::uint16_t{443};
        auto context = ssl::create_default_context();
        context.set_alpn_protocols({"http/1.1"});
        if (argc > 4) context.load_verify_locations(argv[4]);
        const HTTPSClient client(host, path, {argc > 5 ? argv[5] : host, port}, context);
        asyncore::loop();
        return client.failed ? 1 : 0;
    } catch (const std::exception& error) {
        std::cerr << "https_client: " << error.what() << '\n';
        return 1;
    }
}
