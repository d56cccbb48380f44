// The handshake: it goes on whatever the channel wants, verifies, fails with a reason, and has a time limit.
#include "ends.hpp"

TEST_CASE("tls: the handshake goes on although no predicate is true") {
    under_both([](bool use_poll) {
        ends pair(use_poll);
        pair.server->wants_nothing = pair.client->wants_nothing = true;
        pair.shake_hands();
        CHECK(pair.server->happened == "established");
        CHECK(pair.client->happened == "established");
        CHECK(pair.server->ssl_socket()->version() == "TLSv1.3");
        CHECK(!pair.server->ssl_socket()->cipher().empty());
        CHECK(pair.client->ssl_socket()->selected_alpn_protocol().empty());
    });
}

TEST_CASE("tls: the handshake passes through buffers of any size") {
    under_both([](bool use_poll) {
        ends pair(use_poll, small_pair());
        pair.shake_hands();
        CHECK(pair.client->happened == "established");
    });
}

TEST_CASE("tls: what is pushed before the handshake ends waits for its end") {
    under_both([](bool use_poll) {
        ends pair(use_poll);
        pair.secure();
        pair.server->push("from the server");
        pair.client->push("from the client");
        pair.until([&] { return !pair.server->heard.empty() && !pair.client->heard.empty(); });
        CHECK(pair.server->heard == "from the client");
        CHECK(pair.client->heard == "from the server");
    });
}

TEST_CASE("tls: a client verifies the server, and the name of the server") {
    under_both([](bool use_poll) {
        for (const std::string name : {"server.example", "127.0.0.1"}) {
            CAPTURE(name);
            ends pair(use_poll);
            pair.secure(name);
            pair.until([&] { return pair.is_secure(*pair.client); });
        }
        for (const std::string name :
             {"other.example", "127.0.0.2", "example", "a.server.example"}) {
            CAPTURE(name);
            ends pair(use_poll);
            pair.secure(name);
            pair.until([&] { return pair.map.empty(); });
            CHECK(pair.client->happened == "failed SSLCertVerificationError close");
            CHECK(pair.client->what.find("mismatch") != std::string::npos);
            CHECK(pair.server->happened.starts_with("failed SSLError close"));
            CHECK(pair.server->what.find("alert bad certificate") != std::string::npos);
        }
        {
            ends pair(use_poll);
            pair.for_client =
                ssl::SSLContext(ssl::PROTOCOL_TLS_CLIENT);  // which trusts no authority
            pair.secure();
            pair.until([&] { return pair.map.empty(); });
            CHECK(pair.client->happened == "failed SSLCertVerificationError close");
            CHECK(pair.client->what.find("self-signed certificate") != std::string::npos);
        }
    });
}

TEST_CASE("tls: verification can be turned off, in the order that Python demands") {
    under_both([](bool use_poll) {
        ends pair(use_poll);
        pair.for_client = ssl::SSLContext(ssl::PROTOCOL_TLS_CLIENT);
        CHECK_THROWS_AS(pair.for_client.session(), std::invalid_argument);
        pair.for_client.verify_mode = ssl::CERT_NONE;
        CHECK_THROWS_AS(pair.for_client.session("other.example"), std::invalid_argument);
        pair.for_client.check_hostname = false;
        pair.secure("other.example");
        pair.until([&] { return pair.is_secure(*pair.client); });
        CHECK(std::string(SSL_get_servername(pair.server->ssl_socket()->native_handle(),
                                             TLSEXT_NAMETYPE_host_name)) == "other.example");
    });
}

TEST_CASE("tls: an address is checked only where a name would be, and is not sent as a name") {
    under_both([](bool use_poll) {
        ends pair(use_poll);
        pair.for_client.check_hostname = false;
        pair.secure("127.0.0.2");
        pair.until([&] { return pair.is_secure(*pair.client); });
        CHECK(SSL_get_servername(pair.server->ssl_socket()->native_handle(),
                                 TLSEXT_NAMETYPE_host_name) == nullptr);
    });
}

TEST_CASE("tls: a server may demand a certificate") {
    under_both([](bool use_poll) {
        for (const bool has_one : {true, false}) {
            ends pair(use_poll);
            pair.for_server.verify_mode = ssl::CERT_REQUIRED;
            pair.for_server.load_verify_locations(files().other.cert);
            if (has_one) pair.for_client.load_cert_chain(files().other.cert, files().other.key);
            pair.secure();
            pair.until([&] { return has_one ? pair.is_secure(*pair.server) : pair.map.empty(); });
            CHECK(pair.server->happened == (has_one ? "established" : "failed SSLError close"));
        }
    });
}

TEST_CASE("tls: ALPN picks what the server prefers") {
    under_both([](bool use_poll) {
        for (const bool in_common : {true, false}) {
            ends pair(use_poll);
            pair.for_server.set_alpn_protocols({"never"});
            pair.for_server.set_alpn_protocols({"one", "two"});
            if (in_common) pair.for_client.set_alpn_protocols({"three", "two", "one"});
            else pair.for_client.set_alpn_protocols({"three"});
            pair.secure();
            pair.for_server = server_context();  // the session has what it needs
            pair.until(
                [&] { return pair.is_secure(*pair.server) && pair.is_secure(*pair.client); });
            for (const auto* end : {pair.server.get(), pair.client.get()})
                CHECK(end->ssl_socket()->selected_alpn_protocol() == (in_common ? "one" : ""));
        }
    });
    CHECK_THROWS_AS(server_context().set_alpn_protocols({""}), std::invalid_argument);
    CHECK_THROWS_AS(server_context().set_alpn_protocols({std::string(256, 'x')}),
                    std::invalid_argument);
}

TEST_CASE("tls: files that are wrong are named") {
    ssl::SSLContext context(ssl::PROTOCOL_TLS_SERVER);
    const auto message = [](const std::function<void()>& call) -> std::string {
        try {
            call();
        } catch (const ssl::SSLError& error) {
            CHECK(error.code().value() == EPROTO);
            return error.what();
        }
        return "nothing thrown";
    };
    const auto missing = files().folder / "missing";
    CHECK(message([&] { context.load_cert_chain(missing); }).find(missing + ": ") == 0);
    CHECK(message([&] { context.load_cert_chain(missing); }).find("No such file") !=
          std::string::npos);
    CHECK(message([&] { context.load_verify_locations(missing); }).find("No such file") !=
          std::string::npos);
    CHECK(message([&] {
              context.load_cert_chain(files().server.cert, files().other.key);
          }).find("mismatch") != std::string::npos);
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("tls: a peer that talks no TLS is refused with a reason") {
    under_both([](bool use_poll) {
        for (const auto& [text, reason] : {std::pair{"GET / HTTP/1.0\r\n\r\n", "http request"},
                                           {"EHLO example.org\r\n", "wrong version number"}}) {
            ends pair(use_poll);
            pair.server->secure_connection(pair.for_server);
            pair.client->push(text);
            pair.until([&] { return pair.server->_fileno < 0; });
            CHECK(pair.server->happened == "failed SSLError close");
            CHECK(pair.server->what.find(reason) != std::string::npos);
        }
    });
}

TEST_CASE("tls: a peer that leaves in the handshake is an error") {
    under_both([](bool use_poll) {
        ends pair(use_poll);
        pair.server->secure_connection(pair.for_server);
        pair.client->close();
        pair.until([&] { return pair.server->_fileno < 0; });
        CHECK(pair.server->happened.starts_with("failed SSLEOFError close"));
    });
}

namespace {

struct on_a_clock : chat {
    using chat::chat;
    clock::duration passed{};
    clock::time_point now_() const override { return clock::now() + passed; }
};

}  // namespace

TEST_CASE("tls: a handshake has a time limit") {
    under_both([](bool use_poll) {
        ends<on_a_clock> pair(use_poll);
        pair.server->secure_connection(pair.for_server);
        pair.settle();
        CHECK(pair.server->happened == "");
        pair.server->passed = std::chrono::seconds(61);
        pair.turn();
        CHECK(pair.server->happened == "failed " + std::to_string(ETIMEDOUT) + " close");
    });
}

TEST_CASE("tls: the time limit ends a wait of the loop, and is off after the handshake") {
    under_both([](bool use_poll) {
        ends pair(use_poll);
        pair.client->del_channel();
        pair.server->handshake_timeout_ = std::chrono::milliseconds(20);
        pair.server->secure_connection(pair.for_server);
        asyncore::loop(std::nullopt, use_poll, &pair.map);  // for ever, if it is not woken
        CHECK(pair.server->happened == "failed " + std::to_string(ETIMEDOUT) + " close");
        ends<on_a_clock> good(use_poll);
        good.shake_hands();
        good.server->passed = std::chrono::hours(24);
        good.settle();
        CHECK(good.server->happened == "established");
    });
}

TEST_CASE(
    "tls: secure_connection() may come before the connection is there, or in handle_connect()") {
    struct client : chat {
        explicit client(channel_map* map) : chat(socket_t(), map) {}
        std::function<void()> in_connect;
        void handle_connect() override {
            chat::handle_connect();
            if (in_connect) in_connect();
        }
    };
    under_both([](bool use_poll) {
        for (const bool early : {true, false}) {
            auto context = client_context();
            const auto for_server = server_context();
            channel_map map;
            auto listener = support::listener();
            auto caller = asyncore::spawn<client>(&map);
            caller->create_socket();
            const auto secure = [&] { caller->secure_connection(context, "127.0.0.1"); };
            if (!early) caller->in_connect = secure;
            caller->connect(listener.getsockname());
            if (early) secure();
            caller->push("secret");
            REQUIRE(support::wait_readable(listener.fileno(), std::chrono::seconds(30)));
            int error = 0;
            auto server = asyncore::spawn<chat>(listener.accept(error).first, &map);
            server->secure_connection(for_server);
            for (int i = 0; i < 1000 && server->heard.empty(); ++i)
                asyncore::loop(30.0, use_poll, &map, 1);
            CAPTURE(early);
            CAPTURE(server->happened);
            CAPTURE(server->what);
            CHECK(server->heard == "secret");
            CHECK(caller->happened == "connect established");
        }
    });
}

TEST_CASE("tls: a channel that was closed may be used again, in the clear or not") {
    under_both([](bool use_poll) {
        ends pair(use_poll);
        pair.shake_hands();
        pair.server->close();
        pair.client->close();
        for (const bool secure : {false, true}) {
            auto [one, two] = socket_t::pair();
            pair.server->heard = pair.server->happened = pair.client->happened = "";
            pair.server->init(std::move(one), &pair.map);
            pair.client->init(std::move(two), &pair.map);
            if (secure) pair.secure();
            pair.client->push("again");
            pair.until([&] { return !pair.server->heard.empty(); });
            CHECK(pair.server->heard == "again");
            CHECK((pair.server->ssl_socket() != nullptr) == secure);
            CHECK(pair.server->happened == (secure ? "established" : ""));
        }
    });
}

TEST_CASE("tls: what another part of the program left in OpenSSL's error queue is of no account") {
    under_both([](bool use_poll) {
        ends pair(use_poll);
        const auto litter = [] { ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR); };
        litter();
        pair.secure();
        for (int i = 0; i < 100 && !pair.is_secure(*pair.server); ++i) {
            litter();
            pair.turn();
        }
        CHECK(pair.server->happened == "established");
        litter();
        pair.client->push("x");
        pair.until([&] { return !pair.server->heard.empty(); });
        litter();
        pair.client->close();
        pair.until([&] { return pair.map.empty(); });
        CHECK(pair.server->happened.starts_with("established eof close"));
        ERR_clear_error();
    });
}
