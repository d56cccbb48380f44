// The web server of http_server.cpp, behind TLS.
//
//     https_server --cert FILE [--key FILE] [--port N] [--root DIR] [--poller NAME]
//
// The options are those of tls_echo and of http_server.
#include "ssl.hpp"

#include "../command_line.hpp"
#include "../http/listener.hpp"

#include <csignal>
#include <iostream>
#include <string>

namespace {

class secure_handler : public ssl::SSLConnection<http::request_handler> {
public:
    secure_handler(asyncore::socket_t sock, const asyncore::address& peer, http::site& all,
                   const ssl::SSLContext& context)
        : SSLConnection(std::move(sock), peer, all) {
        secure_connection(context);
    }
};

class secure_listener : public http::listener {
public:
    ssl::SSLContext context = ssl::create_default_context(ssl::Purpose::CLIENT_AUTH);

    using listener::listener;
    void handle_accepted(asyncore::socket_t sock, const asyncore::address& peer) override {
        asyncore::spawn<secure_handler>(std::move(sock), peer, shared, context);
    }
};

void run(command_line line) {
    std::string certfile, keyfile, folder = ".";
    std::uint16_t port = 0;
    while (!line.empty()) {
        const auto word = line.take();
        const auto value = line.take_value_of(word);
        if (word == "--cert") certfile = value;
        else if (word == "--key") keyfile = value;
        else if (word == "--port") port = number<std::uint16_t>(value);
        else if (word == "--root") folder = value;
        else if (word == "--poller") asyncore::socket_map.use(std::string(value));
        else refuse_word(word);
    }
    const asyncore::interrupt_on_sigint ctrl_c;
    secure_listener server(port, folder, {});
    server.context.load_cert_chain(certfile, keyfile);
    server.context.set_alpn_protocols({"http/1.1", "http/1.0"});
    // A request tells its own length, so no client must say close_notify.  Many do not.
    server.context.suppress_ragged_eofs = true;
    std::cout << "Serving " << server.root() << "/ on https://127.0.0.1:" << server.addr.port()
              << "/" << std::endl;
    try {
        asyncore::loop(1.0);  // the server looks at the clock on every turn
    } catch (const asyncore::KeyboardInterrupt&) {
        asyncore::close_all();
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // for the log, as in http_server
    try {
        run({argc, argv});
    } catch (const std::exception& error) {
        std::cerr << "https_server: " << error.what() << '\n';
        return 2;
    }
}
