// What the TLS sessions of a program share.  Python: ssl.SSLContext.
#pragma once

#include "ssl_socket.hpp"

#include <asyncore/asyncore.hpp>

#include <memory>
#include <string>
#include <vector>

struct ssl_ctx_st;  // OpenSSL: SSL_CTX

namespace ssl {

/// Which end of a connection a context is for.  It decides what Python's server_side= says.
enum protocol { PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER };

/// Whether the peer must show a certificate that a known authority has signed.
enum verify { CERT_NONE, CERT_REQUIRED };

/// Whom a client, or a server, authenticates.
enum class Purpose { SERVER_AUTH, CLIENT_AUTH };

/// Sessions keep what they need of it: it may be destroyed, or changed for later sessions.
class SSLContext {
public:
    /// A client verifies the server and its name; it knows no authority yet.  A server verifies no client.
    /// TLS 1.2 is the least.
    explicit SSLContext(protocol side);
    ~SSLContext();
    SSLContext(SSLContext&&) noexcept;
    SSLContext& operator=(SSLContext&&) noexcept;

    bool check_hostname;
    verify verify_mode;
    /// Whether the end of TCP's stream without close_notify is an ordinary end of file, and no
    /// SSLEOFError.  Python: an argument of wrap_socket(), True by default.  Only for a protocol that tells
    /// a complete message by itself.
    bool suppress_ragged_eofs = false;

    /// Reads the certificate of this end, with those that lead to its authority, and its key.  Both are
    /// files in PEM; the key may be in the same file.
    void load_cert_chain(const std::string& certfile, const std::string& keyfile = "");
    /// Trusts the authorities in this file.
    void load_verify_locations(const std::string& cafile);
    /// Trusts the authorities that the system trusts.
    void load_default_certs();
    /// The application's protocols, the preferred one first: {"h2", "http/1.1"}.
    void set_alpn_protocols(const std::vector<std::string>& names);

    /// A session without a socket.  SSLSocket::attach() gives it one.
    /// Throws: std::invalid_argument if a client checks the name of the server and is given none.
    std::unique_ptr<SSLSocket> session(const std::string& server_hostname = "") const;
    /// Puts a session in the place of a socket.  A client gives the name, or the address, of the server.
    /// As with do_handshake_on_connect=False, this call sends nothing.
    /// Throws: as session(), and then `sock` is what it was.
    asyncore::socket_t wrap_socket(asyncore::socket_t&& sock,
                                   const std::string& server_hostname = "") const;

    /// For what this class does not have.
    ssl_ctx_st* native_handle() const noexcept { return ctx_.get(); }

private:
    struct free_ctx {
        void operator()(ssl_ctx_st* last) const noexcept;
    };
    protocol side_;
    std::unique_ptr<ssl_ctx_st, free_ctx> ctx_;
};

/// SERVER_AUTH makes a context for a client, which trusts the authorities of the system.  CLIENT_AUTH makes
/// one for a server.
SSLContext create_default_context(Purpose purpose = Purpose::SERVER_AUTH);

}  // namespace ssl
