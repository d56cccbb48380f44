// libuv: one buffer for all reads; uv_try_write first, and uv_write for what is left.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <uv.h>

#include "peer.hpp"

namespace {

peer::options options;
std::vector<char> buffer;

void check(int result, const char* what) {
    if (result >= 0) return;
    std::fprintf(stderr, "%s: %s\n", what, uv_strerror(result));
    std::exit(EXIT_FAILURE);
}

struct write_request {
    explicit write_request(std::string_view text) : bytes(text) { request.data = this; }

    uv_write_t request{};
    std::string bytes;
};

class connection {
public:
    explicit connection(uv_stream_t* server) {
        check(uv_tcp_init(server->loop, &socket_), "uv_tcp_init");
        socket_.data = this;
        if (uv_accept(server, stream()) != 0) {
            close();
            return;
        }
        uv_tcp_nodelay(&socket_, 1);
        uv_read_start(stream(), give_buffer, on_read);
    }

private:
    uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&socket_); }

    void close() {
        auto* const handle = reinterpret_cast<uv_handle_t*>(&socket_);
        if (uv_is_closing(handle)) return;
        uv_close(handle,
                 [](uv_handle_t* closed) { delete static_cast<connection*>(closed->data); });
    }

    static void give_buffer(uv_handle_t*, std::size_t, uv_buf_t* result) {
        *result = uv_buf_init(buffer.data(), static_cast<unsigned>(buffer.size()));
    }

    static void on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t*) {
        auto* const self = static_cast<connection*>(stream->data);
        if (n < 0) return self->close();
        const std::string_view data(buffer.data(), static_cast<std::size_t>(n));
        const auto reply = [self](std::string_view bytes) { return self->send(bytes); };
        const bool alive = options.sink ? self->messages_.feed(data, reply)
                                        : self->lines_.feed(data, options.coalesce, reply);
        if (!alive) self->close();
    }

    bool send(std::string_view bytes) {
        auto view =
            uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
        const int n = uv_try_write(stream(), &view, 1);
        if (n < 0 && n != UV_EAGAIN) return false;
        if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
        if (bytes.empty()) return true;

        auto* const rest = new write_request(bytes);
        view = uv_buf_init(rest->bytes.data(), static_cast<unsigned>(rest->bytes.size()));
        uv_read_stop(stream());
        return uv_write(&rest->request, stream(), &view, 1, on_written) == 0;
    }

    static void on_written(uv_write_t* request, int status) {
        const std::unique_ptr<write_request> done(static_cast<write_request*>(request->data));
        auto* const self = static_cast<connection*>(request->handle->data);
        if (status < 0) return self->close();
        if (uv_stream_get_write_queue_size(self->stream()) == 0)
            uv_read_start(self->stream(), give_buffer, on_read);
    }

    uv_tcp_t socket_{};
    peer::line_splitter lines_;
    peer::message_counter messages_;
};

void on_connection(uv_stream_t* server, int status) {
    if (status == 0) new connection(server);  // it deletes itself
}

}  // namespace

int main(int argc, char** argv) {
    options = peer::parse(argc, argv);
    options.coalesce = true;  // a program for libuv usually writes once for a read
    peer::raise_descriptor_limit();
    buffer.resize(options.buffer);

    uv_loop_t* const loop = uv_default_loop();
    uv_tcp_t server;
    check(uv_tcp_init(loop, &server), "uv_tcp_init");
    auto address = peer::loopback(options.port);
    check(uv_tcp_bind(&server, reinterpret_cast<sockaddr*>(&address), 0), "uv_tcp_bind");
    check(uv_listen(reinterpret_cast<uv_stream_t*>(&server), peer::backlog, on_connection),
          "uv_listen");
    uv_os_fd_t fd = -1;
    check(uv_fileno(reinterpret_cast<uv_handle_t*>(&server), &fd), "uv_fileno");
    peer::announce(fd);
    uv_run(loop, UV_RUN_DEFAULT);
}
