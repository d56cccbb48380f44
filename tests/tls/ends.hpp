// Two channels that talk TLS to each other in one process.
#pragma once

#include "../../docs/examples/tls/ssl.hpp"
#include "../sockets.hpp"
#include "certificates.hpp"

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <doctest/doctest.h>

using asyncore::channel_map;
using asyncore::socket_t;

/// What a channel heard of, in order: "established", "data", "eof", "failed", "error", "plain", "close".
using story = std::string;

/// The name of the exception that is being handled.
inline std::string name_of_exception() {
    try {
        throw;
    } catch (const ssl::SSLEOFError&) {
        return "SSLEOFError";
    } catch (const ssl::SSLCertVerificationError&) {
        return "SSLCertVerificationError";
    } catch (const ssl::SSLError&) {
        return "SSLError";
    } catch (const std::system_error& error) {
        return std::to_string(error.code().value());
    } catch (...) {
        return "other";
    }
}

/// Notes what happens to it.
template <class Base>
struct noting : ssl::SSLConnection<Base> {
    using connection = ssl::SSLConnection<Base>;
    using connection::connection;
    story happened;
    std::string heard, what;
    std::function<void()> in_established, in_data;

    void note(const std::string& event) { happened += (happened.empty() ? "" : " ") + event; }
    void handle_connect() override { note("connect"); }
    void handle_ssl_established() override {
        note("established");
        if (in_established) in_established();
    }
    void handle_failed_ssl_handshake() override {
        note("failed");
        this->handle_error();
    }
    void handle_ssl_shutdown() override { note("plain"); }
    void handle_eof_() override {
        note("eof");
        connection::handle_eof_();
    }
    void handle_error() override {
        note(name_of_exception());
        try {
            throw;
        } catch (const std::exception& error) {
            what = error.what();
        }
        this->handle_close();
    }
    void handle_close() override {
        note("close");
        this->close();
    }
};

/// Can be told to want nothing.
struct stoppable : asynchat::async_chat {
    using async_chat::async_chat;
    bool wants_nothing = false;
    bool readable() override { return !wants_nothing && async_chat::readable(); }
    bool writable() override { return !wants_nothing && async_chat::writable(); }
};

struct chat : noting<stoppable> {
    explicit chat(socket_t sock, channel_map* map) : noting(std::move(sock), map) {
        set_terminator(asynchat::none);
    }
    void collect_incoming_data(std::string_view data) override {
        heard += data;
        if (in_data) in_data();
    }
    void found_terminator() override { note("line"); }
};

inline ssl::SSLContext server_context() {
    auto made = ssl::create_default_context(ssl::Purpose::CLIENT_AUTH);
    made.load_cert_chain(files().server.cert, files().server.key);
    return made;
}

inline ssl::SSLContext client_context() {
    ssl::SSLContext made(ssl::PROTOCOL_TLS_CLIENT);
    made.load_verify_locations(files().server.cert);
    return made;
}

/// A server and a client, connected and not yet secure, in a map of their own.
template <class Server = chat, class Client = chat>
struct ends {
    bool use_poll;
    channel_map map;
    ssl::SSLContext for_server = server_context(), for_client = client_context();
    std::shared_ptr<Server> server;
    std::shared_ptr<Client> client;

    explicit ends(bool by_poll, std::pair<socket_t, socket_t> pair = socket_t::pair())
        : use_poll(by_poll),
          server(asyncore::spawn<Server>(std::move(pair.first), &map)),
          client(asyncore::spawn<Client>(std::move(pair.second), &map)) {}

    void secure(const std::string& name = "server.example") {
        server->secure_connection(for_server);
        client->secure_connection(for_client, name);
    }
    void turn(double timeout = 0.0) { asyncore::loop(timeout, use_poll, &map, 1); }
    /// Turns until something has happened.  A turn that finds nothing to do in 30 seconds is a fault.
    void until(const std::function<bool()>& happened) {
        for (int turns = 0; !happened() && turns < 100'000; ++turns) turn(30.0);
        CHECK(happened());
    }
    /// Turns until nothing happens any more.
    void settle() {
        for (int i = 0; i < 50; ++i) turn();
    }
    void shake_hands() {
        secure();
        until([&] { return is_secure(*server) && is_secure(*client); });
        settle();  // the client reads the server's tickets
    }
    template <class Channel>
    static bool is_secure(const Channel& channel) {
        return channel.happened.find("established") != std::string::npos;
    }
};

/// Runs a test under both deliveries.
template <class Test>
void under_both(Test test) {
    for (const bool use_poll : {false, true}) {
        CAPTURE(use_poll);
        test(use_poll);
        CHECK(ERR_peek_error() == 0);  // no error stays in OpenSSL's queue
    }
}

/// The least that the system allows.
inline void make_small(const socket_t& sock) {
    for (const int option : {SO_SNDBUF, SO_RCVBUF}) {
        const int least = 1;
        REQUIRE(::setsockopt(sock.fileno(), SOL_SOCKET, option, &least, sizeof least) == 0);
    }
}

inline std::pair<socket_t, socket_t> small_pair() {
    auto pair = socket_t::pair();
    make_small(pair.first);
    make_small(pair.second);
    return pair;
}
