// A connection that is plain at first: STARTTLS.  And one that becomes plain again: unwrap().
#include "ends.hpp"

namespace {

/// Knows a few commands.
struct smtp_like : noting<asynchat::async_chat> {
    const ssl::SSLContext context = server_context();
    std::string before_reply;

    explicit smtp_like(socket_t sock, channel_map* map) : noting(std::move(sock), map) {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override {
        const auto line = _get_data();
        heard += line + (ssl_socket() ? "/secure " : "/plain ");
        if (line == "STARTTLS") {
            push(before_reply);
            push("go\n");
            secure_connection(context);
            push("after\n");
        } else if (line == "CCC") {
            push("plain\n");
            unwrap();
            push("after\n");
        } else {
            push(line + "\n");
        }
    }
};

/// Reads lines.
struct smtp_client : noting<asynchat::async_chat> {
    std::function<void(const std::string&)> on_line;
    std::string raw;  // what came before TLS
    explicit smtp_client(socket_t sock, channel_map* map) : noting(std::move(sock), map) {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }
    void found_terminator() override {
        const auto line = _get_data();
        heard += line + (ssl_socket() ? "/secure " : "/plain ");
        if (on_line) on_line(line);
    }
};

using dialogue = ends<smtp_like, smtp_client>;

}  // namespace

TEST_CASE("starttls: the reply goes out in the clear, and what comes after it is encrypted") {
    under_both([](bool use_poll) {
        for (const int how : {0, 1, 2}) {
            CAPTURE(how);
            dialogue pair(use_poll);
            pair.server->coalesce_ = pair.client->coalesce_ = how == 1;
            pair.server->send_later_ = pair.client->send_later_ = how == 2;
            pair.client->on_line = [&](const std::string& line) {
                if (line == "hello") pair.client->push("STARTTLS\n");
                if (line == "go") pair.client->secure_connection(pair.for_client, "server.example");
                if (line == "after") pair.client->push("NOOP\n");
            };
            pair.client->push("hello\n");
            pair.until([&] { return pair.client->heard.ends_with("NOOP/secure "); });
            CHECK(pair.client->heard == "hello/plain go/plain after/secure NOOP/secure ");
            CHECK(pair.server->heard == "hello/plain STARTTLS/plain NOOP/secure ");
            CHECK(pair.server->happened == "established");
        }
    });
}

TEST_CASE("starttls: TLS begins when the queue before it is sent, and not before") {
    under_both([](bool use_poll) {
        dialogue pair(use_poll, small_pair());
        pair.server->before_reply = std::string(300'000, 'x') + "\n";
        pair.client->on_line = [&](const std::string& line) {
            if (line == "go") pair.client->secure_connection(pair.for_client, "server.example");
        };
        pair.client->push("STARTTLS\n");
        pair.until([&] { return pair.client->heard.ends_with("after/secure "); });
        CHECK(pair.client->heard == std::string(300'000, 'x') + "/plain go/plain after/secure ");
    });
}

TEST_CASE("starttls: commands that follow STARTTLS in the clear are dropped") {
    under_both([](bool use_poll) {
        dialogue pair(use_poll);
        pair.client->on_line = [&](const std::string& line) {
            if (line == "go") pair.client->secure_connection(pair.for_client, "server.example");
            if (line == "after") pair.client->push("NOOP\n");
        };
        const auto out = support::captured_stdout();
        pair.client->push("STARTTLS\nRCPT TO\nDATA");  // by a man in the middle
        pair.until([&] { return pair.client->heard.ends_with("NOOP/secure "); });
        CHECK(pair.server->heard == "STARTTLS/plain NOOP/secure ");
        CHECK(out.getvalue() == "error: 12 bytes came before TLS began, and are dropped\n");
    });
}

TEST_CASE("starttls: commands that come in the clear a little later break the handshake") {
    under_both([](bool use_poll) {
        dialogue pair(use_poll, small_pair());
        pair.server->before_reply = std::string(300'000, 'x') + "\n";
        pair.client->push("STARTTLS\n");
        pair.until([&] { return pair.server->heard == "STARTTLS/plain "; });
        pair.client->push(
            "RCPT TO\nDATA\n");  // the server has not sent its reply yet, and does not read
        pair.until([&] { return pair.server->_fileno < 0; });
        CHECK(pair.server->heard == "STARTTLS/plain ");
        CHECK(pair.server->happened.starts_with("failed SSLError close"));
    });
}

TEST_CASE("starttls: a channel may be closed while its reply waits for room") {
    under_both([](bool use_poll) {
        for (const bool destroy : {false, true}) {
            dialogue pair(use_poll, small_pair());
            pair.server->before_reply = std::string(300'000, 'x') + "\n";
            pair.client->push("STARTTLS\n");
            pair.until([&] { return pair.server->heard == "STARTTLS/plain "; });
            CHECK(!pair.server->readable());
            if (destroy) {
                pair.server->del_channel();
                pair.server.reset();
            } else {
                pair.server->close();
            }
            pair.until([&] { return pair.map.empty(); });
            CHECK(pair.client->happened.starts_with("eof close"));
        }
    });
}

TEST_CASE("starttls: a dispatcher_with_send that has something to send cannot begin") {
    struct sender : noting<asyncore::dispatcher_with_send> {
        explicit sender(socket_t sock, channel_map* map) : noting(std::move(sock), map) {}
    };
    ends<sender, chat> pair(false, small_pair());
    pair.server->send(std::string(300'000, 'x'));
    CHECK_THROWS_AS(pair.server->secure_connection(pair.for_server), std::logic_error);
    CHECK(pair.server->readable());
}

TEST_CASE("unwrap: the connection goes on in the clear, at both ends") {
    under_both([](bool use_poll) {
        dialogue pair(use_poll, small_pair());
        pair.secure();
        pair.client->on_line = [&](const std::string& line) {
            if (line == "one") pair.client->push("CCC\n");
            if (line == "plain") {
                pair.client->push("last\n");  // it is encrypted still
                pair.client->unwrap();
            }
            if (line == "after") pair.client->push("two\n");
        };
        pair.client->push("one\n");
        pair.until([&] { return pair.client->heard.ends_with("two/plain "); });
        CHECK(pair.client->heard == "one/secure plain/secure after/plain last/plain two/plain ");
        CHECK(pair.server->heard == "one/secure CCC/secure last/secure two/plain ");
        CHECK(pair.server->happened == "established eof plain");
        CHECK(pair.client->happened == "established eof plain");
        pair.server->secure_connection(pair.for_server);  // and encrypted again
        pair.client->secure_connection(pair.for_client, "server.example");
        pair.client->push("three\n");
        pair.until([&] { return pair.client->heard.ends_with("three/secure "); });
    });
}

TEST_CASE("unwrap: of a plain connection does nothing") {
    ends pair(false);
    pair.client->unwrap();
    pair.client->push("x");
    pair.until([&] { return pair.server->heard == "x"; });
}

TEST_CASE("unwrap: a peer that only closes ends the connection") {
    under_both([](bool use_poll) {
        ends pair(use_poll);
        pair.shake_hands();
        pair.server->unwrap();
        pair.server->push("never");
        pair.settle();
        CHECK(pair.client->happened.starts_with("established eof close"));
        CHECK(pair.client->heard == "");
        pair.until([&] { return pair.server->_fileno < 0; });
        CHECK(pair.server->happened.starts_with("established eof plain"));
    });
}
