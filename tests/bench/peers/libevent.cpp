// libevent: a bufferevent for each connection; lines are cut out of its evbuffer.

#include <array>
#include <memory>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "peer.hpp"

namespace {

peer::options options;

void close_connection(bufferevent* events, void* state) {
    delete static_cast<peer::message_counter*>(state);
    bufferevent_free(events);
}

void on_event(bufferevent* events, short what, void* state) {
    if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) close_connection(events, state);
}

void echo(bufferevent* events, void*) {
    evbuffer* const input = bufferevent_get_input(events);
    evbuffer* const output = bufferevent_get_output(events);
    for (;;) {
        std::size_t length = 0;
        const auto end = evbuffer_search_eol(input, nullptr, &length, EVBUFFER_EOL_CRLF_STRICT);
        if (end.pos < 0) return;
        evbuffer_remove_buffer(input, output, static_cast<std::size_t>(end.pos) + length);
    }
}

void swallow(bufferevent* events, void* state) {
    evbuffer* const input = bufferevent_get_input(events);
    auto& messages = *static_cast<peer::message_counter*>(state);
    evbuffer_iovec piece{};
    while (evbuffer_peek(input, -1, nullptr, &piece, 1) > 0) {
        const std::string_view data(static_cast<const char*>(piece.iov_base), piece.iov_len);
        messages.feed(data, [events](std::string_view bytes) {
            return bufferevent_write(events, bytes.data(), bytes.size()) == 0;
        });
        evbuffer_drain(input, piece.iov_len);
    }
}

void on_connection(evconnlistener* listener, evutil_socket_t fd, sockaddr*, int, void*) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto* const events =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    if (events == nullptr) peer::die("bufferevent_socket_new");
    auto* const state = options.sink ? new peer::message_counter : nullptr;
    bufferevent_setcb(events, options.sink ? swallow : echo, nullptr, on_event, state);
    bufferevent_set_max_single_read(events, options.buffer);
    bufferevent_enable(events, EV_READ | EV_WRITE);
}

}  // namespace

int main(int argc, char** argv) {
    options = peer::parse(argc, argv);  // bufferevent always coalesces
    peer::raise_descriptor_limit();

    event_base* const base = event_base_new();
    if (base == nullptr) peer::die("event_base_new");
    auto address = peer::loopback(options.port);
    evconnlistener* const listener = evconnlistener_new_bind(
        base, on_connection, nullptr,
        LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, peer::backlog,
        reinterpret_cast<sockaddr*>(&address), sizeof address);
    if (listener == nullptr) peer::die("evconnlistener_new_bind");
    peer::announce(static_cast<int>(evconnlistener_get_fd(listener)));
    event_base_dispatch(base);
}
