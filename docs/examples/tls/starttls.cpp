// STARTTLS: a server that talks a little SMTP, in the clear at first.
//
//     starttls --cert FILE [--key FILE] [--port N] [--poller NAME]
//
// The options are those of tls_echo.  Commands: EHLO, STARTTLS, NOOP, QUIT, and CCC of FTP, which goes back to plain
// text.  Try: openssl s_client -starttls smtp -connect 127.0.0.1:PORT
#include "ssl.hpp"

#include "../command_line.hpp"

#include <iostream>
#include <string>

namespace {

class smtp_like : public ssl::SSLConnection<asynchat::async_chat> {
public:
    smtp_like(asyncore::socket_t sock, const ssl::SSLContext& shared)
        : SSLConnection(std::move(sock)), context(shared) {
        set_terminator("\r\n");
        push("220 example.org ESMTP\r\n");
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }

    void found_terminator() override {
        auto command = _get_data();
        command = command.substr(0, command.find(' '));
        for (char& c : command)
            if (c >= 'a' && c <= 'z') c -= 32;
        const bool is_secure = ssl_socket() != nullptr;
        if (command == "EHLO")
            push(is_secure ? "250 example.org\r\n" : "250-example.org\r\n250 STARTTLS\r\n");
        else if (command == "STARTTLS" && !is_secure) {
            push("220 Go ahead\r\n");
            secure_connection(context);
        } else if (command == "CCC" && is_secure) {
            push("200 Back to plain text\r\n");
            unwrap();
        } else if (command == "QUIT") {
            push("221 Bye\r\n");
            close_when_done();
        } else if (command == "NOOP") push(is_secure ? "250 secure\r\n" : "250 plain\r\n");
        else push("500 What?\r\n");
    }
    /// What the client said in the clear, anybody may have said.
    void handle_ssl_established() override { log_info("secure"); }
    void handle_ssl_shutdown() override { log_info("plain"); }

private:
    const ssl::SSLContext& context;
};

class smtp_server : public asyncore::dispatcher {
public:
    ssl::SSLContext context = ssl::create_default_context(ssl::Purpose::CLIENT_AUTH);

    explicit smtp_server(std::uint16_t port) {
        create_socket();
        set_reuse_addr();
        bind({"127.0.0.1", port});
        listen(100);
        addr = socket.getsockname();
    }
    void handle_accepted(asyncore::socket_t sock, const asyncore::address&) override {
        asyncore::spawn<smtp_like>(std::move(sock), context);
    }
};

void run(command_line line) {
    std::string certfile, keyfile;
    std::uint16_t port = 0;
    while (!line.empty()) {
        const auto word = line.take();
        const auto value = line.take_value_of(word);
        if (word == "--cert") certfile = value;
        else if (word == "--key") keyfile = value;
        else if (word == "--port") port = number<std::uint16_t>(value);
        else if (word == "--poller") asyncore::socket_map.use(std::string(value));
        else refuse_word(word);
    }
    const asyncore::interrupt_on_sigint ctrl_c;
    smtp_server server(port);
    server.context.load_cert_chain(certfile, keyfile);
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
        run({argc, argv});
    } catch (const std::exception& error) {
        std::cerr << "starttls: " << error.what() << '\n';
        return 2;
    }
}
