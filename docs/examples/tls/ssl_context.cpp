#include "ssl_context.hpp"

#include "ssl_error.hpp"

#include <stdexcept>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace ssl {

using asyncore::socket_t;

namespace {

/// As the protocol has the list: a byte with the length before each name.
using alpn_list = std::string;

void free_alpn_list(void*, void* list, CRYPTO_EX_DATA*, int, long, void*) {
    delete static_cast<alpn_list*>(list);
}

/// Where an SSL_CTX keeps the list of a server; it frees the list.
int alpn_index() {
    static const int index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, nullptr, nullptr,
                                                     nullptr, free_alpn_list);
    return index;
}

const unsigned char* bytes(const std::string& text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

/// The first protocol of the server that the client has, too.
int select_alpn(SSL*, const unsigned char** name, unsigned char* length,
                const unsigned char* client, unsigned client_length, void* list) {
    const auto& ours = *static_cast<const alpn_list*>(list);
    unsigned char* chosen = nullptr;
    const int found = SSL_select_next_proto(
        &chosen, length, bytes(ours), static_cast<unsigned>(ours.size()), client, client_length);
    if (found != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
    *name = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/// Whom the certificate of the peer must name.
void expect_peer(SSL* made, const std::string& host, bool check) {
    auto* const wanted = SSL_get0_param(made);
    const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1;
    ERR_clear_error();
    if (is_address) {  // which is not sent as the name of a server
        if (!check) X509_VERIFY_PARAM_set1_ip(wanted, nullptr, 0);
        return;
    }
    const auto sent = SSL_ctrl(made, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                               const_cast<char*>(host.c_str()));
    if (sent != 1) throw_errors(host);
    if (!check) return;
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (X509_VERIFY_PARAM_set1_host(wanted, host.data(), host.size()) != 1) throw_errors(host);
}

}  // namespace

SSLContext::SSLContext(protocol side)
    : check_hostname(side == PROTOCOL_TLS_CLIENT),
      verify_mode(side == PROTOCOL_TLS_CLIENT ? CERT_REQUIRED : CERT_NONE),
      side_(side),
      ctx_(SSL_CTX_new(side == PROTOCOL_TLS_CLIENT ? TLS_client_method() : TLS_server_method())) {
    if (!ctx_) throw_errors("SSLContext");
    SSL_CTX_set_min_proto_version(ctx_.get(), TLS1_2_VERSION);
    // An idle session holds no buffers.  A write that is tried again may have its bytes elsewhere.
    SSL_CTX_set_mode(ctx_.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_id_context(ctx_.get(), bytes("asyncore"), 8);
}

SSLContext::~SSLContext() = default;
SSLContext::SSLContext(SSLContext&&) noexcept = default;
SSLContext& SSLContext::operator=(SSLContext&&) noexcept = default;

void SSLContext::free_ctx::operator()(ssl_ctx_st* last) const noexcept { SSL_CTX_free(last); }

void SSLContext::load_cert_chain(const std::string& certfile, const std::string& keyfile) {
    ERR_clear_error();
    const auto& key = keyfile.empty() ? certfile : keyfile;
    if (SSL_CTX_use_certificate_chain_file(ctx_.get(), certfile.c_str()) != 1)
        throw_errors(certfile);
    if (SSL_CTX_use_PrivateKey_file(ctx_.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
        throw_errors(key);
    if (SSL_CTX_check_private_key(ctx_.get()) != 1) throw_errors(key);
}

void SSLContext::load_verify_locations(const std::string& cafile) {
    ERR_clear_error();
    if (SSL_CTX_load_verify_file(ctx_.get(), cafile.c_str()) != 1) throw_errors(cafile);
}

void SSLContext::load_default_certs() {
    ERR_clear_error();
    if (SSL_CTX_set_default_verify_paths(ctx_.get()) != 1) throw_errors("load_default_certs");
}

void SSLContext::set_alpn_protocols(const std::vector<std::string>& names) {
    auto list = std::make_unique<alpn_list>();
    for (const auto& name : names) {
        if (name.empty() || name.size() > 255)
            throw std::invalid_argument("no name of a protocol: " + name);
        *list += static_cast<char>(name.size());
        *list += name;
    }
    ERR_clear_error();
    if (side_ == PROTOCOL_TLS_CLIENT) {
        const auto size = static_cast<unsigned>(list->size());
        if (SSL_CTX_set_alpn_protos(ctx_.get(), bytes(*list), size) != 0)
            throw_errors("set_alpn_protocols");
        return;
    }
    auto* const earlier = static_cast<alpn_list*>(SSL_CTX_get_ex_data(ctx_.get(), alpn_index()));
    if (SSL_CTX_set_ex_data(ctx_.get(), alpn_index(), list.get()) != 1)
        throw_errors("set_alpn_protocols");
    SSL_CTX_set_alpn_select_cb(ctx_.get(), select_alpn, list.release());
    delete earlier;
}

std::unique_ptr<SSLSocket> SSLContext::session(const std::string& server_hostname) const {
    const bool is_client = side_ == PROTOCOL_TLS_CLIENT;
    if (is_client && check_hostname && verify_mode == CERT_NONE)
        throw std::invalid_argument("check_hostname needs verify_mode CERT_REQUIRED");
    if (is_client && check_hostname && server_hostname.empty())
        throw std::invalid_argument("check_hostname needs server_hostname");
    ERR_clear_error();
    auto made = std::make_unique<SSLSocket>(ctx_.get(), is_client);
    auto* const handle = made->native_handle();
    if (suppress_ragged_eofs) SSL_set_options(handle, SSL_OP_IGNORE_UNEXPECTED_EOF);
    const int required = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_set_verify(handle, verify_mode == CERT_NONE ? SSL_VERIFY_NONE : required, nullptr);
    if (is_client && !server_hostname.empty()) expect_peer(handle, server_hostname, check_hostname);
    return made;
}

socket_t SSLContext::wrap_socket(socket_t&& sock, const std::string& server_hostname) const {
    auto made = session(server_hostname);
    made->attach(std::move(sock));
    return socket_t(std::move(made));
}

SSLContext create_default_context(Purpose purpose) {
    if (purpose == Purpose::CLIENT_AUTH) return SSLContext(PROTOCOL_TLS_SERVER);
    SSLContext made(PROTOCOL_TLS_CLIENT);
    made.load_default_certs();
    return made;
}

}  // namespace ssl
