// A server of lines, over TLS: it sends each line back.
//
//     tls_echo --cert FILE [--key FILE] [--port N] [--poller NAME] [--buffer N] [--timeout SECONDS]
//
// --cert has the certificate of the server, and --key its key, if the key is not in the same file.  A client has
// --timeout, 60 seconds by default, for the handshake.  --buffer says how many bytes the server receives or sends
// at a time.  The server prints "PORT n".  Ctrl-C ends it.
#include "ssl.hpp"

#include "../command_line.hpp"

#include <chrono>
#include <iostream>
#include <string>

namespace {

struct options {
    std::string certfile, keyfile, poller;
    std::uint16_t port = 0;
    std::chrono::seconds timeout{60};
};

options parse(command_line line) {
    using asynchat::async_chat;
    options given;
    while (!line.empty()) {
        const auto word = line.take();
        const auto value = line.take_value_of(word);
        if (word == "--cert") given.certfile = value;
        else if (word == "--key") given.keyfile = value;
        else if (word == "--port") given.port = number<std::uint16_t>(value);
        else if (word == "--poller") given.poller = value;
        else if (word == "--timeout") given.timeout = std::chrono::seconds(number<unsigned>(value));
        else if (word == "--buffer")
            async_chat::default_ac_in_buffer_size = async_chat::default_ac_out_buffer_size =
                number<std::uint32_t>(value);
        else refuse_word(word);
    }
    return given;
}

class echo_handler : public ssl::SSLConnection<asynchat::async_chat> {
public:
    echo_handler(asyncore::socket_t sock, const ssl::SSLContext& context,
                 std::chrono::seconds timeout)
        : SSLConnection(std::move(sock)) {
        set_terminator("\n");
        queue_limit_ = 16 << 20;  // a client that does not read is closed
        handshake_timeout_ = timeout;
        secure_connection(context);
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override { push(_get_data() + "\n"); }
    void handle_ssl_established() override {
        log_info(ssl_socket()->version() + " " + ssl_socket()->cipher());
    }
    /// The client ended its side with close_notify.  Without it, handle_error() is called.
    void handle_eof_() override {
        log_info("the client has said close_notify");
        SSLConnection::handle_eof_();
    }
    void handle_error() override {
        try {
            throw;
        } catch (const std::exception& error) {
            log_info(error.what(), "error");
        }
        close();
    }
};

class echo_server : public asyncore::dispatcher {
public:
    explicit echo_server(const options& given)
        : context(ssl::create_default_context(ssl::Purpose::CLIENT_AUTH)), timeout(given.timeout) {
        context.load_cert_chain(given.certfile, given.keyfile);
        create_socket();
        set_reuse_addr();
        bind({"127.0.0.1", given.port});
        listen(100);
        addr = socket.getsockname();
    }
    void handle_accepted(asyncore::socket_t sock, const asyncore::address&) override {
        asyncore::spawn<echo_handler>(std::move(sock), context, timeout);
    }

private:
    ssl::SSLContext context;
    const std::chrono::seconds timeout;
};

void run(const options& given) {
    if (!given.poller.empty()) asyncore::socket_map.use(given.poller);
    const asyncore::interrupt_on_sigint ctrl_c;
    const echo_server server(given);
    std::cout << "PORT " << server.addr.port() << std::endl;
    try {
        asyncore::loop();
    } catch (const asyncore::KeyboardInterrupt&) {
        asyncore::close_all();
    }
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(parse({argc, argv}));
    } catch (const std::exception& error) {
        std::cerr << "tls_echo: " << error.what() << '\n';
        return 2;
    }
}
