#include "ssl_socket.hpp"

#include "ssl_error.hpp"

#include <asyncore/platform/error.hpp>

#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace ssl {

using asyncore::platform::address;
using asyncore::platform::events;
using asyncore::platform::transfer;
using asyncore::platform::would_block;

namespace {

SSL* new_session(SSL_CTX* context) {
    auto* const made = SSL_new(context);
    if (!made) throw_errors("SSL_new");
    return made;
}

bool is_reason(unsigned long error, int reason) {
    return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == reason;
}

}  // namespace

void SSLSocket::free_ssl::operator()(ssl_st* last) const noexcept { SSL_free(last); }

SSLSocket::SSLSocket(ssl_ctx_st* context, bool is_client)
    : ssl_(new_session(context)),
      recv_needs_(is_client ? events::write : events::read),
      send_needs_(recv_needs_) {
    auto* const bio = make_bio(carrier_);
    SSL_set_bio(ssl_.get(), bio, bio);
    if (is_client) SSL_set_connect_state(ssl_.get());
    else SSL_set_accept_state(ssl_.get());
}

SSLSocket::~SSLSocket() = default;

// Each call of OpenSSL goes through attempt(), and each result but success through failed().

template <class Call>
transfer SSLSocket::attempt(events& needs, Call call) {
    if (is_broken_) return {0, ECONNABORTED};
    ERR_clear_error();  // what another session left there would be taken for this one's
    std::size_t count = 0;
    const int result = call(&count);
    events waits_for = events::none;
    const auto done = result > 0 ? transfer{count, 0} : failed(result, waits_for);
    recv_needs_ = events::read;
    send_needs_ = events::write;
    if (!any(waits_for)) return done;
    // During a handshake, reading and writing wait for the same thing.
    if (SSL_in_init(ssl_.get()) != 0) recv_needs_ = send_needs_ = waits_for;
    else needs = waits_for;
    return done;
}

transfer SSLSocket::failed(int result, events& waits_for) {
    const int kind = SSL_get_error(ssl_.get(), result);
    if (kind == SSL_ERROR_WANT_READ) waits_for = events::read;
    if (kind == SSL_ERROR_WANT_WRITE) waits_for = events::write;
    if (any(waits_for)) return {0, EAGAIN};
    const bool is_end = kind == SSL_ERROR_ZERO_RETURN;
    if (is_end && handshake_is_complete()) return {};
    is_broken_ = true;
    if (carrier_.thrown) std::rethrow_exception(std::exchange(carrier_.thrown, nullptr));
    const auto error = ERR_peek_error();
    if (error == 0 && carrier_.error != 0) return {0, carrier_.error};
    if (error == 0 || is_reason(error, SSL_R_UNEXPECTED_EOF_WHILE_READING)) {
        ERR_clear_error();
        throw SSLEOFError(is_end ? "TLS: the peer ended the handshake"
                                 : "TLS: the peer ended the connection without close_notify");
    }
    if (!is_reason(error, SSL_R_CERTIFICATE_VERIFY_FAILED)) throw_errors("TLS");
    const char* const why = X509_verify_cert_error_string(SSL_get_verify_result(ssl_.get()));
    throw SSLCertVerificationError("TLS: " + take_errors() + ": " + why);
}

// The handshake.

bool SSLSocket::handshake_is_complete() const { return SSL_is_init_finished(ssl_.get()) != 0; }

bool SSLSocket::do_handshake() {
    const auto done =
        attempt(recv_needs_, [&](std::size_t*) { return SSL_do_handshake(ssl_.get()); });
    if (would_block(done.error)) return false;
    if (done.error != 0) throw asyncore::platform::os_error(done.error, "TLS handshake");
    waits_for_handshake = false;
    return true;
}

std::string SSLSocket::version() const {
    return handshake_is_complete() ? SSL_get_version(ssl_.get()) : "";
}

std::string SSLSocket::cipher() const {
    return handshake_is_complete() ? SSL_get_cipher_name(ssl_.get()) : "";
}

std::string SSLSocket::selected_alpn_protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {name, name + size};
}

// Reading and writing.

transfer SSLSocket::recv(std::span<char> buffer) {
    if (buffer.empty()) return {};
    if (waits_for_handshake) return {0, EAGAIN};
    return attempt(recv_needs_, [&](std::size_t* count) {
        return SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), count);
    });
}

std::size_t SSLSocket::pending() {
    return is_broken_ ? 0 : static_cast<std::size_t>(SSL_pending(ssl_.get()));
}

/// Each record is written by a call of its own.  OpenSSL may have encrypted one that the system did not take:
/// then it must be given the same bytes again, before any others.  The channel may have dropped them meanwhile, and
/// may send something else; so the session keeps them.
transfer SSLSocket::send(std::string_view data) {
    if (waits_for_handshake || is_unwrapping_) return {0, EAGAIN};
    if (has_said_close_notify()) return {0, EPIPE};
    std::size_t sent = 0;
    if (!unfinished_.empty()) {
        const auto done = write(unfinished_);
        if (done.error != 0) return done;
        if (data.starts_with(unfinished_)) sent = unfinished_.size();
        unfinished_ = {};
    }
    while (sent < data.size()) {
        const auto record = data.substr(sent, SSL3_RT_MAX_PLAIN_LENGTH);
        const auto done = write(record);
        const bool has_begun = would_block(done.error) && SSL_in_init(ssl_.get()) == 0;
        if (has_begun) unfinished_ = record;
        if (done.error != 0) return sent > 0 ? transfer{sent, 0} : done;
        sent += record.size();
    }
    return {sent, 0};
}

transfer SSLSocket::write(std::string_view record) {
    const auto done = attempt(send_needs_, [&](std::size_t* count) {
        return SSL_write_ex(ssl_.get(), record.data(), record.size(), count);
    });
    const bool has_ended = done.error == 0 && done.count == 0;  // the peer, in a handshake
    return has_ended ? transfer{0, EPIPE} : done;
}

// The end.

bool SSLSocket::has_said_close_notify() const {
    return (SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0;
}

void SSLSocket::say_close_notify() {
    if (is_broken_ || !handshake_is_complete() || has_said_close_notify()) return;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());  // what does not go out now is lost, and so looks like a truncation
    ERR_clear_error();
}

void SSLSocket::unwrap() {
    say_close_notify();
    is_unwrapping_ = true;
}

void SSLSocket::shutdown(int how) {
    if (how != SHUT_RD) say_close_notify();
    carrier_.sock.shutdown(how);
}

void SSLSocket::close() {
    if (carrier_.sock) say_close_notify();
    carrier_.sock.close();
}

// What the socket below knows.

int SSLSocket::getsockopt(int level, int option) { return carrier_.sock.getsockopt(level, option); }
address SSLSocket::getsockname() const { return carrier_.sock.getsockname(); }
address SSLSocket::getpeername() const { return carrier_.sock.getpeername(); }

}  // namespace ssl
