// This server is for measurements.  Its echo_handler is a very short async_chat.
//
//     line_echo PORT [echo|sink] [--poller NAME] [--buffer N] [--coalesce] [--asked]
//
// With port 0 the system picks a free port.  The server prints "PORT n".
//   echo        sends back every line that ends in \r\n.  This is the default.
//   sink        reads a length N, 8 bytes big-endian, then N bytes, sends the 8 bytes back, and
//               begins again.
// --poller    names the mechanism: select, poll, epoll or kqueue.
// --buffer    says how many bytes the server receives or sends at a time.
// --coalesce  makes all lines of a read leave in a single send.
// --asked     overrides readable() and writable(), so the loop asks them on every turn.
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include "command_line.hpp"
#include "descriptor_limit.hpp"

#include <iostream>
#include <optional>
#include <string>

#include <netinet/in.h>
#include <netinet/tcp.h>

using asyncore::address;
using asyncore::socket_t;

namespace {

class echo_handler : public asynchat::async_chat {
public:
    static inline bool default_coalesce = false;

    explicit echo_handler(socket_t sock) : async_chat(std::move(sock)) {
        coalesce_ = default_coalesce;
        queue_limit_ = 16 << 20;  // a peer that does not read is closed
        set_terminator("\r\n");
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override {
        incoming += "\r\n";
        push(incoming);
        incoming.clear();
    }
};

class asked_handler : public echo_handler {
public:
    using echo_handler::echo_handler;
    bool readable() override { return true; }
    bool writable() override { return !producer_fifo.empty() || !connected; }
};

class sink_handler : public asynchat::async_chat {
public:
    explicit sink_handler(socket_t sock) : async_chat(std::move(sock)) { set_terminator(8); }

    void collect_incoming_data(std::string_view data) override {
        if (in_head) incoming += data;
    }
    void found_terminator() override {
        const auto length = in_head ? length_of(incoming) : 0;
        if (length > 0) {
            in_head = false;
            return set_terminator(length);
        }
        in_head = true;
        push(incoming);
        incoming.clear();
        set_terminator(8);
    }

private:
    static std::uint64_t length_of(std::string_view head) {
        std::uint64_t length = 0;
        for (const char byte : head) length = length << 8 | static_cast<unsigned char>(byte);
        return length;
    }
    bool in_head = true;
};

template <class Handler>
class server : public asyncore::dispatcher {
public:
    explicit server(std::uint16_t port) {
        create_socket();
        set_reuse_addr();
        bind({"127.0.0.1", port});
        listen(4096);
        addr = socket.getsockname();
    }
    void handle_accepted(socket_t sock, const address&) override {
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
        asyncore::spawn<Handler>(std::move(sock));
    }
};

template <class Handler>
void serve(std::uint16_t port) {
    server<Handler> here(port);
    std::cout << "PORT " << here.addr.port() << std::endl;
    asyncore::loop();
}

struct options {
    std::uint16_t port = 0;
    bool sink = false, coalesce = false, asked = false;
    std::string poller;
    std::optional<std::uint32_t> buffer;
};

options parse(command_line line) {
    if (line.empty()) throw std::invalid_argument("PORT is missing");
    options given;
    given.port = number<std::uint16_t>(line.take());
    while (!line.empty()) {
        const auto word = line.take();
        if (word == "echo") given.sink = false;
        else if (word == "sink") given.sink = true;
        else if (word == "--coalesce") given.coalesce = true;
        else if (word == "--asked") given.asked = true;
        else if (word == "--poller") given.poller = line.take_value_of(word);
        else if (word == "--buffer") given.buffer = number<std::uint32_t>(line.take_value_of(word));
        else refuse_word(word);
    }
    return given;
}

void run(const options& given) {
    using asynchat::async_chat;
    if (given.buffer) {
        async_chat::default_ac_in_buffer_size = *given.buffer;
        async_chat::default_ac_out_buffer_size = *given.buffer;
    }
    echo_handler::default_coalesce = given.coalesce;
    if (!given.poller.empty()) asyncore::socket_map.use(given.poller);
    // A mechanism that does not exist is an error now, before the port is printed.
    static_cast<void>(asyncore::socket_map.mechanism());
    raise_descriptor_limit();
    if (given.sink) serve<sink_handler>(given.port);
    else if (given.asked) serve<asked_handler>(given.port);
    else serve<echo_handler>(given.port);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(parse({argc, argv}));
    } catch (const std::exception& error) {
        std::cerr << "line_echo: " << error.what() << '\n';
        return 2;
    }
}
