// A channel that goes over to TLS, at its beginning or later.  Python: SSLConnection of pyftpdlib, a mixin.
#pragma once

#include "ssl_context.hpp"
#include "ssl_socket.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <chrono>
#include <concepts>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace ssl {

/// Stands in the queue of an async_chat, and calls a method when everything before it has been sent.
template <class Call>
class when_sent : public asynchat::producer {
public:
    explicit when_sent(Call call) : call_(std::move(call)) {}
    std::string more() override {
        call_();
        return "";
    }

private:
    Call call_;
};

/// A Base whose connection can become one of TLS.  Base is dispatcher, dispatcher_with_send, async_chat, or a class
/// of yours that derives from one of them.
///
/// From secure_connection() until handle_ssl_established() it does not matter what the predicates of Base say, and no
/// hook of Base is called, but handle_connect() and those that end the connection.
///
/// Hazard: Base's own handle_read_event() and handle_write_event() must not be bypassed by an alias.
template <std::derived_from<asyncore::dispatcher> Base>
class SSLConnection : public Base {
public:
    using Base::Base;
    using Base::recv;
    using clock = asyncore::channel_map::clock;

    /// How long the handshake may take.
    std::chrono::milliseconds handshake_timeout_{60'000};

    /// Has everything that is sent from now on encrypted.  What an async_chat has queued before goes out in the clear
    /// first, as the reply to STARTTLS must; before the connection is there, nothing does.  What the channel has
    /// received and not yet parsed is dropped: a man in the middle may have put it there.
    ///
    /// It may be called in the constructor, in handle_connect(), between connect() and handle_connect(), and in any
    /// other hook.
    ///
    /// Throws: as SSLContext::session(); std::logic_error if a dispatcher_with_send has something to send still.
    void secure_connection(const SSLContext& context, const std::string& server_hostname = "") {
        auto made = context.session(server_hostname);
        refuse_unsent_bytes();
        next_session_ = std::move(made);
        drop_plain_input();
        when_all_is_sent([this] { begin_handshake(); });
        this->interest_changed_();
    }

    /// Goes back to plain text.  What is queued goes out first, encrypted.  Then handle_read() has what the peer still
    /// sends.  When the peer has ended its side of TLS as well, handle_ssl_shutdown() is called; what is pushed
    /// meanwhile waits until then.
    void unwrap() {
        refuse_unsent_bytes();
        when_all_is_sent([this] {
            auto* const session = ssl_socket();
            if (!session) return;
            session->unwrap();
            is_unwrapping_ = true;
        });
        this->interest_changed_();
    }

    /// The session, or null while the connection is plain.
    SSLSocket* ssl_socket() const noexcept {
        return dynamic_cast<SSLSocket*>(this->socket.layer());
    }

    // The hooks.

    virtual void handle_ssl_established() {}
    /// It runs inside the catch block, as handle_error() does.
    virtual void handle_failed_ssl_handshake() { this->handle_error(); }
    virtual void handle_ssl_shutdown() {}

    // What the loop calls.

    bool readable() override {
        if (is_shaking_hands_) return has_time();
        return !next_session_ && Base::readable();
    }
    bool writable() override { return !is_shaking_hands_ && Base::writable(); }
    void handle_read_event() override {
        if (is_shaking_hands_) shake_hands();
        else Base::handle_read_event();
    }
    void handle_write_event() override {
        if (is_shaking_hands_) shake_hands();
        else Base::handle_write_event();
    }
    void set_socket(asyncore::socket_t sock, asyncore::channel_map* map = nullptr) override {
        next_session_.reset();
        is_shaking_hands_ = is_unwrapping_ = false;
        Base::set_socket(std::move(sock), map);
    }
    /// Returns 0 where a plain socket would not be readable: a part of a record has arrived.  Python raises
    /// SSLWantReadError.
    std::size_t recv(std::span<char> buffer) override {
        const asyncore::alive still_here(*this);
        try {
            return Base::recv(buffer);
        } catch (const std::system_error& error) {
            const bool is_part = still_here && ssl_socket() != nullptr &&
                                 asyncore::platform::would_block(error.code().value());
            if (!is_part) throw;
            return 0;
        }
    }
    void handle_eof_() override {
        if (!is_unwrapping_) return Base::handle_eof_();
        auto* const session = ssl_socket();
        this->set_socket(session->detach());
        handle_ssl_shutdown();
    }

protected:
    /// The clock of the time limit.
    virtual clock::time_point now_() const { return clock::now(); }

private:
    static constexpr bool is_chat = std::derived_from<Base, asynchat::async_chat>;
    static constexpr bool is_with_send = std::derived_from<Base, asyncore::dispatcher_with_send>;

    void drop_plain_input() {
        if constexpr (is_chat) {
            const auto size = this->ac_in_buffer.size();
            this->ac_in_buffer.release();
            if (size == 0) return;
            this->log_info(std::to_string(size) + " bytes came before TLS began, and are dropped",
                           "error");
        }
    }

    /// A dispatcher_with_send has no queue in which something could wait its turn.
    void refuse_unsent_bytes() const {
        if constexpr (is_with_send)
            if (this->connected && !this->out_buffer.empty())
                throw std::logic_error("out_buffer must be sent before TLS begins or ends");
    }

    template <class Call>
    void when_all_is_sent(Call call) {
        if constexpr (is_chat) {
            if (this->connected && !this->producer_fifo.empty())
                return this->push_with_producer(when_sent<Call>(std::move(call)));
        }
        call();
    }

    void begin_handshake() {
        auto session = std::move(next_session_);
        session->waits_for_handshake = true;
        session->attach(std::move(this->socket));
        this->set_socket(asyncore::socket_t(std::move(session)));
        is_shaking_hands_ = true;
        must_end_ = now_() + handshake_timeout_;
    }

    void shake_hands() {
        const asyncore::alive still_here(*this);
        if (this->connecting && !this->connected) this->handle_connect_event();
        if (!still_here || !is_shaking_hands_ || !this->socket) return;
        bool is_done = false;
        try {
            is_done = ssl_socket()->do_handshake();
        } catch (const std::exception&) {
            is_shaking_hands_ = false;
            return handle_failed_ssl_handshake();
        }
        if (!is_done) return;
        is_shaking_hands_ = false;
        handle_ssl_established();
    }

    /// Looks at the clock.
    bool has_time() {
        if (now_() < must_end_) {
            this->_map->wake_at(must_end_);
            return true;
        }
        is_shaking_hands_ = false;
        try {
            throw asyncore::platform::os_error(ETIMEDOUT, "TLS handshake");
        } catch (const std::system_error&) {
            handle_failed_ssl_handshake();
        }
        return false;
    }

    std::unique_ptr<SSLSocket> next_session_;  // waits until the queue is sent
    bool is_shaking_hands_ = false;
    bool is_unwrapping_ = false;
    clock::time_point must_end_{};
};

}  // namespace ssl
