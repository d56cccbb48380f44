// Standalone Asio: a session object for each connection.  The pending operation keeps it alive.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peer.hpp"
#include <asio.hpp>

namespace {

using asio::ip::tcp;

// A session reads with a buffer of its own, as in Asio's tutorial.  To share one buffer, a session
// would have to wait for readiness first (async_wait).  That was tried: it saves the memory of the
// buffers, and answers a tenth fewer requests.
class session : public std::enable_shared_from_this<session> {
public:
    session(tcp::socket socket, const peer::options& options)
        : socket_(std::move(socket)), options_(options), buffer_(options.buffer) {}

    void read() {
        socket_.async_read_some(asio::buffer(buffer_),
                                [self = shared_from_this()](asio::error_code error, std::size_t n) {
                                    if (!error) self->on_read({self->buffer_.data(), n});
                                });
    }

private:
    void on_read(std::string_view data) {
        const auto reply = [this](std::string_view bytes) {
            reply_ += bytes;
            return true;
        };
        if (options_.sink) {
            messages_.feed(data, reply);
        } else {
            lines_.feed(data, true, reply);
        }
        if (reply_.empty()) return read();
        asio::async_write(socket_, asio::buffer(reply_),
                          [self = shared_from_this()](asio::error_code error, std::size_t) {
                              if (error) return;
                              self->reply_.clear();
                              self->read();
                          });
    }

    tcp::socket socket_;
    const peer::options& options_;
    std::vector<char> buffer_;
    std::string reply_;
    peer::line_splitter lines_;
    peer::message_counter messages_;
};

class server {
public:
    server(asio::io_context& context, const peer::options& options)
        : acceptor_(context, tcp::endpoint(asio::ip::address_v4::loopback(), options.port)),
          options_(options) {
        acceptor_.listen(peer::backlog);
    }

    unsigned port() const { return acceptor_.local_endpoint().port(); }

    void accept() {
        acceptor_.async_accept([this](asio::error_code error, tcp::socket socket) {
            if (!error) {
                socket.set_option(tcp::no_delay(true));
                std::make_shared<session>(std::move(socket), options_)->read();
            }
            accept();
        });
    }

private:
    tcp::acceptor acceptor_;
    const peer::options& options_;
};

}  // namespace

int main(int argc, char** argv) {
    const auto options = peer::parse(argc, argv);
    peer::raise_descriptor_limit();
    asio::io_context context(1);  // one thread will run it
    server listening(context, options);
    listening.accept();
    peer::announce(listening.port());
    context.run();
}
