// A TLS session in the place of a socket.  Python: ssl.SSLSocket.
#pragma once

#include "socket_bio.hpp"

#include <asyncore/platform/socket.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct ssl_ctx_st;  // OpenSSL: SSL_CTX
struct ssl_st;      // OpenSSL: SSL

namespace ssl {

/// No method blocks.  The handshake needs no call of its own: recv() and send() do their part of it, and
/// say EAGAIN meanwhile.  Whether they can go on, recv_needs() and send_needs() say.
///
/// What the system reports is an error number, as of any socket.  What OpenSSL reports is thrown: an
/// SSLError.  After either, the session is of no use: later calls say ECONNABORTED.
class SSLSocket : public asyncore::platform::stream {
public:
    using socket_t = asyncore::platform::socket;
    using events = asyncore::platform::events;
    using transfer = asyncore::platform::transfer;

    /// SSLContext::session() makes it.
    SSLSocket(ssl_ctx_st* context, bool is_client);
    ~SSLSocket() override;

    /// The socket that carries the session.
    void attach(socket_t sock) noexcept { carrier_.sock = std::move(sock); }
    /// Gives that socket back.  Python: the result of unwrap().
    socket_t detach() noexcept { return std::move(carrier_.sock); }

    /// Goes on with the handshake.
    /// Returns: whether it is complete.
    /// Throws: SSLError, SSLCertVerificationError, SSLEOFError; std::system_error if the connection is gone.
    bool do_handshake();
    bool handshake_is_complete() const;
    /// While this is set, recv() and send() wait until do_handshake() has returned true.
    bool waits_for_handshake = false;

    /// Tells the peer that this end sends nothing more: close_notify.  Then send() waits for detach(), and
    /// recv() has what the peer still sends, until the peer has ended its side as well.
    void unwrap();

    // As Python's methods.

    std::string version() const;                 // "TLSv1.3"; empty before the handshake
    std::string cipher() const;                  // empty before the handshake
    std::string selected_alpn_protocol() const;  // empty if there is none

    /// For what this class does not have.
    ssl_st* native_handle() const noexcept { return ssl_.get(); }

    // The stream.

    int fileno() const noexcept override { return carrier_.sock.fileno(); }
    /// Count 0 with error 0: the peer has said close_notify.
    transfer recv(std::span<char> buffer) override;
    /// EPIPE after shutdown().
    transfer send(std::string_view data) override;
    std::size_t pending() override;
    events recv_needs() override { return recv_needs_; }
    events send_needs() override { return is_unwrapping_ ? events::none : send_needs_; }
    /// It sends with MSG_NOSIGNAL, through the socket that it holds.
    bool raises_sigpipe() const noexcept override { return false; }
    /// Says close_notify first, if SHUT_WR is a part of `how`.
    void shutdown(int how) override;
    /// Says close_notify if that is possible without waiting: the handshake is complete, and no record is
    /// half sent.  The destructor does not say it, so that a connection that was dropped does not look
    /// complete.
    void close() override;
    int getsockopt(int level, int option) override;
    asyncore::platform::address getsockname() const override;
    asyncore::platform::address getpeername() const override;

private:
    struct free_ssl {
        void operator()(ssl_st* last) const noexcept;
    };

    template <class Call>
    transfer attempt(events& needs, Call call);
    transfer failed(int result, events& waits_for);
    transfer write(std::string_view record);
    void say_close_notify();
    bool has_said_close_notify() const;

    carrier carrier_;  // before ssl_, which points to it
    std::unique_ptr<ssl_st, free_ssl> ssl_;
    events recv_needs_, send_needs_;
    std::string unfinished_;  // the record that OpenSSL has begun to send
    bool is_unwrapping_ = false;
    bool is_broken_ = false;
};

}  // namespace ssl
