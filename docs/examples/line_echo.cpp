// A server for measurements, and the shortest async_chat there is.
//
//     line_echo PORT [echo|sink] [--poller NAME] [--buffer N] [--coalesce] [--asked]
//
// PORT 0 asks for a free one; "PORT n" is printed.
//   echo  returns every line that ends in \r\n.
//   sink  reads a length N, 8 bytes big-endian, then N bytes, answers the 8 bytes, and again.
// --buffer    how much is received or sent at a time
// --coalesce  what is pushed during one read leaves in one send
// --asked     the class overrides readable() and writable(), so it is asked on every turn
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <charconv>
#include <cstdlib>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

using asyncore::address;
using asyncore::socket_t;

namespace {

bool coalesce = false;

class echo_handler : public asynchat::async_chat {
public:
    explicit echo_handler(socket_t sock) : async_chat(std::move(sock)) {
        coalesce_ = coalesce;
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
        in_head = !in_head;
        const auto length = in_head ? 0 : length_of(incoming);
        if (length > 0) return set_terminator(length);
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
    const server<Handler> here(port);
    std::cout << "PORT " << here.addr.port() << std::endl;
    asyncore::loop();
}

template <class Number>
Number number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        throw std::invalid_argument("not a number in range: " + std::string(text));
    return value;
}

void raise_descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

void run(const std::vector<std::string_view>& words) {
    using asynchat::async_chat;
    bool sink = false, asked = false;
    if (words.empty()) throw std::invalid_argument("PORT is missing");
    const auto port = number<std::uint16_t>(words[0]);
    for (std::size_t i = 1; i < words.size(); ++i) {
        const auto value = [&] {
            if (++i == words.size())
                throw std::invalid_argument(std::string(words[i - 1]) + " needs a value");
            return words[i];
        };
        if (words[i] == "echo") sink = false;
        else if (words[i] == "sink") sink = true;
        else if (words[i] == "--coalesce") coalesce = true;
        else if (words[i] == "--asked") asked = true;
        else if (words[i] == "--poller") asyncore::socket_map.use(std::string(value()));
        else if (words[i] == "--buffer")
            async_chat::default_ac_in_buffer_size = async_chat::default_ac_out_buffer_size =
                number<std::uint32_t>(value());
        else throw std::invalid_argument("what is " + std::string(words[i]) + "?");
    }
    static_cast<void>(asyncore::socket_map.mechanism());  // throws now if there is none of the name
    raise_descriptor_limit();
    if (sink) serve<sink_handler>(port);
    else if (asked) serve<asked_handler>(port);
    else serve<echo_handler>(port);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::cerr << "line_echo: " << error.what() << '\n';
        return 2;
    }
}
