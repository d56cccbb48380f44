// The end of a session: clean or not, in each state, by either side, without a wait and without SIGPIPE.
#include "ends.hpp"

#include <csignal>

namespace {

/// Ends the client's side of the connection without a word of TLS.
void cut(chat& channel) {
    auto* const session = channel.ssl_socket();
    socket_t carrier = session->detach();
    channel.del_channel();
}

}  // namespace

TEST_CASE("tls: close() says close_notify, which the peer takes for a clean end") {
    under_both([](bool use_poll) {
        ends pair(use_poll);
        pair.shake_hands();
        pair.client->push("all");
        pair.client->close();
        pair.until([&] { return pair.server->_fileno < 0; });
        CHECK(pair.server->heard == "all");
        CHECK(pair.server->happened.starts_with("established eof close"));
    });
}

TEST_CASE("tls: an end without close_notify is an error, unless the program says otherwise") {
    under_both([](bool use_poll) {
        for (const bool suppress : {false, true}) {
            ends pair(use_poll, support::tcp_pair());
            pair.for_server.suppress_ragged_eofs = suppress;
            pair.shake_hands();
            pair.client->push("all");
            pair.settle();
            cut(*pair.client);
            pair.until([&] { return pair.server->_fileno < 0; });
            CHECK(pair.server->heard == "all");
            CHECK(pair.server->happened.starts_with(suppress ? "established eof close"
                                                             : "established SSLEOFError close"));
            if (!suppress)
                CHECK(pair.server->what.find("without close_notify") != std::string::npos);
        }
    });
}

TEST_CASE("tls: where the end without close_notify is no error, what is queued is still sent") {
    under_both([](bool use_poll) {
        ends pair(use_poll, support::tcp_pair());
        pair.for_server.suppress_ragged_eofs = true;
        pair.shake_hands();
        pair.server->finish_sending_ = true;
        pair.server->push(std::string(3'000'000, 'x'));
        REQUIRE(::shutdown(pair.client->_fileno, SHUT_WR) == 0);
        pair.until([&] { return pair.client->_fileno < 0; });
        CHECK(pair.client->heard.size() == 3'000'000);
        CHECK(pair.client->happened.starts_with("established eof close"));
    });
}

TEST_CASE("tls: a peer that ends its side may go on reading") {
    under_both([](bool use_poll) {
        for (const bool is_large : {false, true}) {
            ends pair(use_poll, is_large ? small_pair() : socket_t::pair());
            pair.shake_hands();
            pair.server->finish_sending_ = true;
            const std::size_t size = is_large ? 300'000 : 10;
            pair.client->push("request");
            pair.server->in_data = [&] { pair.server->push(std::string(size, 'x')); };
            pair.client->socket.shutdown(SHUT_WR);  // close_notify, and then that of TCP
            pair.until([&] { return pair.client->_fileno < 0; });
            CHECK(pair.server->heard == "request");
            CHECK(pair.client->heard.size() == size);
            CHECK(pair.client->happened.starts_with("established eof close"));
            CHECK(pair.client->socket.send("more").error != 0);
        }
    });
}

TEST_CASE("tls: after shutdown() nothing can be sent") {
    under_both([](bool use_poll) {
        ends pair(use_poll);
        pair.shake_hands();
        pair.client->socket.shutdown(SHUT_RD);
        CHECK(pair.client->socket.send("x").count == 1);
        pair.client->socket.shutdown(SHUT_WR);
        CHECK(pair.client->socket.send("x").error == EPIPE);
        pair.until([&] { return pair.server->_fileno < 0; });
        CHECK(pair.server->heard == "x");
        CHECK(pair.server->happened.starts_with("established eof close"));
    });
}

TEST_CASE("tls: close() does not wait for a peer that does not read; what is lost looks like it") {
    under_both([](bool use_poll) {
        ends pair(use_poll, small_pair());
        pair.shake_hands();
        pair.server->del_channel();  // it does not read
        pair.client->push(std::string(300'000, 'x'));
        pair.settle();
        CHECK(!pair.client->producer_fifo.empty());
        pair.client->close();
        CHECK(pair.client->_fileno < 0);
        pair.server->_fileno = pair.server->socket.fileno();
        pair.server->add_channel();
        pair.until([&] { return pair.server->happened.find("close") != story::npos; });
        CHECK(pair.server->heard.size() < 300'000);
        CHECK(pair.server->happened.starts_with("established SSLEOFError close"));
    });
}

TEST_CASE("tls: a destructor says nothing, so that the connection does not look complete") {
    under_both([](bool use_poll) {
        ends pair(use_poll);
        pair.shake_hands();
        pair.client->del_channel();
        pair.client.reset();
        pair.until([&] { return pair.server->_fileno < 0; });
        CHECK(pair.server->happened.starts_with("established SSLEOFError close"));
    });
}

TEST_CASE("tls: a reset is the error of any socket") {
    under_both([](bool use_poll) {
        ends pair(use_poll, support::tcp_pair());
        pair.shake_hands();
        auto carrier = pair.client->ssl_socket()->detach();
        pair.client->del_channel();
        support::reset(carrier);
        pair.until([&] { return pair.server->_fileno < 0; });
        CHECK(pair.server->happened.starts_with("established close"));  // as of a plain socket
    });
}

TEST_CASE("tls: no write, no handshake and no close raises SIGPIPE") {
    const support::counted_signal sigpipe(SIGPIPE);
    under_both([](bool use_poll) {
        for (const int state : {0, 1, 2}) {
            ends pair(use_poll);
            if (state == 0) {
                pair.client->close();
                pair.server->secure_connection(pair.for_client,
                                               "server.example");  // its part is to begin
                pair.settle();
                CHECK(pair.server->happened.starts_with("failed " + std::to_string(EPIPE) +
                                                        " close"));
                continue;
            }
            pair.shake_hands();
            cut(*pair.client);
            if (state == 1) pair.server->push("x");
            pair.server->close();
            CHECK(pair.server->_fileno < 0);
        }
    });
    CHECK(sigpipe.count() == 0);
}

// Close in each state, by each way, from outside and from each hook.  Nothing leaks, and the peer hears of it.

namespace {

enum class way { close, destroy, close_twice };

void end(ends<>& pair, way how) {
    if (how == way::destroy) {
        pair.server->del_channel();
        pair.server.reset();
        return;
    }
    pair.server->close();
    if (how == way::close_twice) pair.server->close();
}

constexpr way ways[] = {way::close, way::destroy, way::close_twice};

}  // namespace

TEST_CASE(
    "tls: a channel may be closed, or destroyed, after any number of turns of its handshake") {
    const int before = support::next_descriptor();
    under_both([](bool use_poll) {
        for (const way how : ways)
            for (int turns = 0; turns < 8; ++turns) {
                CAPTURE(turns);
                ends pair(use_poll);
                pair.secure();
                pair.client->push("x");
                for (int i = 0; i < turns; ++i) pair.turn();
                end(pair, how);
                pair.until([&] { return pair.map.empty(); });
                const auto& story_of_client = pair.client->happened;
                CHECK(story_of_client.find("close") != story::npos);
                if (turns == 0) CHECK(story_of_client.find("established") == story::npos);
            }
    });
    CHECK(support::next_descriptor() == before);
}

TEST_CASE("tls: a channel may be closed, or destroyed, while it waits for room") {
    under_both([](bool use_poll) {
        for (const way how : ways) {
            ends pair(use_poll, small_pair());
            pair.shake_hands();
            pair.server->push(std::string(100'000, 'x'));
            end(pair, how);
            pair.until([&] { return pair.map.empty(); });
            CHECK(pair.client->happened.starts_with("established SSLEOFError close"));
        }
    });
}

TEST_CASE("tls: a channel may be closed, or destroyed, in a hook") {
    under_both([](bool use_poll) {
        for (const way how : ways)
            for (const bool in_data : {false, true}) {
                ends pair(use_poll);
                const auto act = [&] { end(pair, how); };
                (in_data ? pair.server->in_data : pair.server->in_established) = act;
                pair.secure();
                pair.client->push("x");
                pair.until([&] { return pair.map.empty(); });
                CHECK(pair.client->happened.find("close") != story::npos);
                if (pair.server) CHECK(pair.server->happened.starts_with("established"));
            }
    });
}

TEST_CASE("tls: a channel may destroy itself where its handshake fails") {
    struct owned : chat {
        using chat::chat;
        std::unique_ptr<owned>* owner = nullptr;
        void handle_failed_ssl_handshake() override { owner->reset(); }
    };
    under_both([](bool use_poll) {
        for (const bool late : {false, true}) {
            const auto context = server_context();
            channel_map map;
            auto [ours, theirs] = socket_t::pair();
            auto server = std::make_unique<owned>(std::move(ours), &map);
            server->owner = &server;
            server->handshake_timeout_ = std::chrono::milliseconds(late ? 0 : 60'000);
            server->secure_connection(context);
            if (!late) theirs.send("no TLS at all");
            asyncore::loop(late ? 0.0 : 30.0, use_poll, &map, 1);
            CHECK(!server);
            CHECK(map.empty());
        }
    });
}

TEST_CASE("tls: close_all() ends sessions in every state") {
    under_both([](bool use_poll) {
        for (int turns = 0; turns < 8; ++turns) {
            ends pair(use_poll);
            pair.secure();
            for (int i = 0; i < turns; ++i) pair.turn();
            asyncore::close_all(&pair.map);
            CHECK(pair.map.empty());
            CHECK(pair.server->socket.fileno() < 0);
        }
    });
}
