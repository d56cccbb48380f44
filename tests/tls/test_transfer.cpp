// What passes through a session: large messages through small buffers, writes that are tried again, keys that change.
#include "ends.hpp"

#include <algorithm>
#include <array>

namespace {

std::string noise(std::size_t size) {
    std::string made(size, '\0');
    unsigned state = 1;
    for (char& byte : made) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<char>(state >> 24);
    }
    return made;
}

using transfer = asyncore::platform::transfer;

/// A session at either end of a connection, without a channel.
struct sessions {
    std::unique_ptr<ssl::SSLSocket> server = server_context().session();
    std::unique_ptr<ssl::SSLSocket> client = client_context().session("server.example");

    explicit sessions(std::pair<socket_t, socket_t> pair = socket_t::pair()) {
        server->attach(std::move(pair.first));
        client->attach(std::move(pair.second));
    }
    void shake_hands() {
        bool done = false;
        for (int i = 0; i < 100 && !done; ++i) {
            const bool client_is_done = client->do_handshake();
            done = server->do_handshake() && client_is_done;
        }
        REQUIRE(done);
        CHECK(read(*client).empty());  // but for the server's tickets
    }
    /// All that one end has received.
    static std::string read(ssl::SSLSocket& end) {
        std::string all;
        std::array<char, 1000> buffer;
        while (const auto count = end.recv(buffer).count) all.append(buffer.data(), count);
        return all;
    }
    /// Sends until there is no room.  Returns: what was sent.
    static std::string fill(ssl::SSLSocket& end, std::string_view data) {
        std::string all;
        while (const auto count = end.send(data).count) all += data.substr(0, count);
        return all;
    }
};

}  // namespace

TEST_CASE("tls: large messages pass both ways through small buffers") {
    const auto message = noise(300'000);
    under_both([&](bool use_poll) {
        for (const std::uint32_t size : {7U, 4096U, 100'000U})
            for (const bool small : {true, false})
                for (const int how : {0, 1, 2}) {
                    const auto part =
                        std::string_view(message).substr(0, size < 100 ? 20'000 : 300'000);
                    ends pair(use_poll, small ? small_pair() : socket_t::pair());
                    pair.secure();
                    for (auto* end : {pair.server.get(), pair.client.get()}) {
                        end->ac_in_buffer_size = end->ac_out_buffer_size = size;
                        end->coalesce_ = how == 1;
                        end->send_later_ = how == 2;
                        end->push(part);
                    }
                    pair.until([&] {
                        return pair.server->heard.size() + pair.client->heard.size() >=
                               2 * part.size();
                    });
                    CHECK(pair.server->heard == part);
                    CHECK(pair.client->heard == part);
                }
    });
}

TEST_CASE("tls: a line that is longer than the buffer arrives, also when the peer has closed") {
    under_both([](bool use_poll) {
        for (const bool closes : {false, true}) {
            ends pair(use_poll);
            pair.shake_hands();
            pair.server->set_terminator("\n");
            pair.client->ac_out_buffer_size = 16384;  // one record
            pair.client->push(std::string(12'000, 'x') + "\n");
            if (closes) pair.client->close_when_done();
            pair.until([&] { return pair.server->happened.starts_with("established line"); });
            CHECK(pair.server->heard == std::string(12'000, 'x'));
            if (closes) pair.until([&] { return pair.server->_fileno < 0; });
        }
    });
}

TEST_CASE("tls: dispatcher and dispatcher_with_send are good bases, too") {
    struct reader : noting<asyncore::dispatcher> {
        explicit reader(socket_t sock, channel_map* map) : noting(std::move(sock), map) {}
        bool writable() override { return false; }
        void handle_read() override { heard += recv(1000); }
    };
    struct writer : noting<asyncore::dispatcher_with_send> {
        explicit writer(socket_t sock, channel_map* map) : noting(std::move(sock), map) {}
        void handle_read() override { heard += recv(1000); }
    };
    const auto message = noise(100'000);
    under_both([&](bool use_poll) {
        ends<reader, writer> pair(use_poll, small_pair());
        pair.secure();
        pair.client->send(message);  // also before the handshake
        pair.until([&] { return pair.server->heard.size() >= message.size(); });
        CHECK(pair.server->heard == message);
        CHECK(pair.server->happened == "established");
        pair.client->close();
        pair.until([&] { return pair.map.empty(); });
        CHECK(pair.server->happened.starts_with("established eof close"));
    });
}

TEST_CASE("tls: without SSLConnection, a channel that reads shakes hands by itself") {
    struct plain_chat : asynchat::async_chat {
        using async_chat::async_chat;
        std::string heard;
        void collect_incoming_data(std::string_view data) override { heard += data; }
    };
    for (const bool use_poll : {false, true}) {
        channel_map map;
        auto [one, two] = small_pair();
        plain_chat server(server_context().wrap_socket(std::move(one)), &map);
        plain_chat client(client_context().wrap_socket(std::move(two), "server.example"), &map);
        const auto message = noise(100'000);
        server.set_terminator(asynchat::none);
        client.set_terminator(asynchat::none);
        client.push(message);
        server.push(message);
        for (int i = 0; i < 100'000 && server.heard.size() + client.heard.size() < 200'000; ++i)
            asyncore::loop(30.0, use_poll, &map, 1);
        CHECK(server.heard == message);
        CHECK(client.heard == message);
    }
}

TEST_CASE("tls: wrap_socket() leaves the socket alone if it fails") {
    auto sock = socket_t::pair().first;
    CHECK_THROWS_AS(static_cast<void>(client_context().wrap_socket(std::move(sock))),
                    std::invalid_argument);
    CHECK(sock.fileno() >= 0);
}

TEST_CASE("tls: a write may be tried again with other bytes than before") {
    const auto message = noise(1'000'000);
    for (const std::string next : {"", "short", "xx"}) {
        sessions pair(small_pair());
        pair.shake_hands();
        const auto sent = sessions::fill(*pair.client, message);
        const auto rest = std::string_view(message).substr(sent.size());
        // OpenSSL has begun with a record; now the program drops its queue, and sends something else, or less.
        const auto other = next == "xx" ? std::string(rest.substr(0, 10)) : next;
        std::string got;
        transfer done{0, EAGAIN};
        for (int i = 0; i < 1000 && done.error == EAGAIN; ++i) {
            done = pair.client->send(other);
            got += sessions::read(*pair.server);
        }
        CHECK(done.error == 0);
        CHECK(done.count == other.size());
        for (int i = 0; i < 10; ++i) got += sessions::read(*pair.server);
        REQUIRE(got.starts_with(sent));
        // The record that was begun, and then the other bytes.
        CHECK(got.ends_with(other));
        CHECK(rest.starts_with(
            std::string_view(got).substr(sent.size(), got.size() - sent.size() - other.size())));
    }
}

TEST_CASE("tls: the buffer of a write may move and grow") {
    const auto message = noise(300'000);
    sessions pair(small_pair());
    pair.shake_hands();
    std::string got;
    std::size_t at = 0;
    for (int i = 0; i < 100'000 && at < message.size(); ++i) {
        const auto size = 1 + static_cast<std::size_t>(i) * 37 % 40'000;
        const std::string moved(std::string_view(message).substr(at, size));
        const auto done = pair.client->send(moved);
        REQUIRE((done.error == 0 || done.error == EAGAIN));
        at += done.count;
        got += sessions::read(*pair.server);
    }
    for (int i = 0; i < 100; ++i) got += sessions::read(*pair.server);
    CHECK(got == message);
}

namespace {

/// A socket whose way out can be shut, as if there were no room.
class gate : public asyncore::platform::stream {
public:
    explicit gate(socket_t sock) : sock_(std::move(sock)) {}
    bool is_shut = false, breaks = false;
    int fileno() const noexcept override { return sock_.fileno(); }
    transfer recv(std::span<char> buffer) override {
        if (breaks) throw std::runtime_error("broken");
        return sock_.recv(buffer);
    }
    transfer send(std::string_view data) override {
        return is_shut ? transfer{0, EAGAIN} : sock_.send(data);
    }
    int getsockopt(int level, int option) override { return sock_.getsockopt(level, option); }
    void close() override { sock_.close(); }

private:
    socket_t sock_;
};

using asyncore::platform::events;

}  // namespace

TEST_CASE("tls: a read that must write first waits for room: renegotiation") {
    auto for_server = server_context();
    SSL_CTX_set_max_proto_version(for_server.native_handle(), TLS1_2_VERSION);
    sessions pair;
    auto [one, two] = socket_t::pair();
    pair.server = for_server.session();
    pair.server->attach(std::move(one));
    auto layer = std::make_unique<gate>(std::move(two));
    auto& way = *layer;
    pair.client->attach(socket_t(std::move(layer)));
    pair.shake_hands();
    CHECK(pair.server->version() == "TLSv1.2");
    CHECK(pair.client->recv_needs() == events::read);
    CHECK(pair.client->send_needs() == events::write);

    REQUIRE(SSL_renegotiate(pair.server->native_handle()) == 1);
    REQUIRE(SSL_do_handshake(pair.server->native_handle()) == 1);  // asks the client
    way.is_shut = true;
    std::array<char, 10> buffer;
    CHECK(pair.client->recv(buffer).error == EAGAIN);
    CHECK(pair.client->recv_needs() == events::write);
    CHECK(pair.client->send_needs() == events::write);
    way.is_shut = false;
    CHECK(pair.client->recv(buffer).error == EAGAIN);
    CHECK(pair.client->recv_needs() == events::read);
    CHECK(pair.client->send_needs() == events::read);  // what is sent waits for the server's part
    CHECK(pair.client->send("x").error == EAGAIN);
    for (int i = 0; i < 10; ++i) {
        CHECK(sessions::read(*pair.server) == "");
        CHECK(sessions::read(*pair.client) == "");
    }
    CHECK(pair.client->send_needs() == events::write);
    CHECK(pair.client->send("x").count == 1);
    CHECK(sessions::read(*pair.server) == "x");
}

TEST_CASE("tls: keys that change while both ends send are no trouble") {
    const auto message = noise(300'000);
    under_both([&](bool use_poll) {
        ends pair(use_poll, small_pair());
        pair.shake_hands();
        pair.server->push(message);
        pair.client->push(message);
        int turns = 0;
        pair.until([&] {
            for (auto* end : {pair.server.get(), pair.client.get()})
                if (++turns % 16 == 0 && !end->producer_fifo.empty())
                    SSL_key_update(end->ssl_socket()->native_handle(), SSL_KEY_UPDATE_REQUESTED);
            ERR_clear_error();  // SSL_key_update() refuses while a record is half sent
            return pair.server->heard.size() + pair.client->heard.size() >= 2 * message.size();
        });
        CHECK(pair.server->heard == message);
        CHECK(pair.client->heard == message);
    });
}

TEST_CASE("tls: a session may be carried by a session") {
    const auto message = noise(100'000);
    under_both([&](bool use_poll) {
        ends pair(use_poll, small_pair());
        pair.shake_hands();
        pair.server->happened = pair.client->happened = "";
        pair.secure();
        pair.client->push(message);
        pair.until([&] { return pair.server->heard.size() >= message.size(); });
        CHECK(pair.server->heard == message);
        pair.client->close();
        pair.until([&] { return pair.server->_fileno < 0; });
        CHECK(pair.server->happened.starts_with("established eof close"));
    });
}

TEST_CASE("tls: what the stream below throws passes through OpenSSL") {
    sessions pair;
    auto layer = std::make_unique<gate>(socket_t::pair().first);
    layer->breaks = true;
    pair.server->attach(socket_t(std::move(layer)));
    CHECK_THROWS_WITH(pair.server->do_handshake(), "broken");
    std::array<char, 10> buffer;
    CHECK(pair.server->recv(buffer).error == ECONNABORTED);
    CHECK(pair.server->send("x").error == ECONNABORTED);
}
