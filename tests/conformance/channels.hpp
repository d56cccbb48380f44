// The four kinds of channel that a script can have.
//
// Python: the subclasses in replay.py, in the same order.
#pragma once

#include <asynchat/asynchat.hpp>

#include <exception>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "player.hpp"

namespace replay {

/// What all four kinds have in common: each hook is logged, then its `on` is run.
template <class Base>
class watched : public Base {
public:
    using Base::recv;

    template <class... Arguments>
    watched(player& playing, std::string name, Arguments&&... arguments)
        : Base(std::forward<Arguments>(arguments)...), player_(playing), name_(std::move(name)) {}

    void handle_connect() override {
        log_line("connect");
        happened("connect");
    }

    void handle_close() override {
        log_line("close");
        Base::handle_close();
        happened("close");
    }

    void handle_error() override {
        log_line("error " + kind_of_exception());
        Base::handle_error();
        happened("error");
    }

    void handle_expt() override {
        log_line("expt");
        Base::handle_expt();
        happened("expt");
    }

    void log_info(std::string_view message, std::string_view type) override {
        log_line("log " + std::string(type) + (type == "error" ? "" : " " + std::string(message)));
    }

protected:
    void log_line(const std::string& text) { player_.log(name_ + ' ' + text); }
    void happened(const std::string& event) { player_.happened(name_, event); }
    bool awaited(const std::string& event) const { return player_.awaited(name_, event); }

    player& player_;
    const std::string name_;
};

class chat : public watched<asynchat::async_chat> {
public:
    using watched::watched;

    void collect_incoming_data(std::string_view data) override {
        log_line("collect " + quote(data));
        happened("collect");
    }

    void found_terminator() override {
        log_line("found");
        happened("found");
    }
};

/// The handle_read() of a raw and of a sender.
template <class Base>
class reader : public watched<Base> {
public:
    using watched<Base>::watched;

    std::size_t read_size = 64;

    void handle_read() override {
        this->log_line("read " + quote(this->recv(read_size)));
        this->happened("read");
    }
};

class sender : public reader<asyncore::dispatcher_with_send> {
public:
    using reader::reader;
};

class raw : public reader<asyncore::dispatcher> {
public:
    using reader::reader;

    bool writable() override { return awaited("write"); }

    void handle_write() override {
        log_line("write");
        happened("write");
    }
};

class listener : public watched<asyncore::dispatcher> {
public:
    using watched::watched;

    void handle_accepted(asyncore::platform::socket sock, const asyncore::address&) override {
        log_line("accept " + player_.accepted(name_, std::move(sock)));
        happened("accept");
    }
};

/// A kind of channel for scripts of the wide grammar: each method that the loop calls is logged, and
/// has the event `before_METHOD`.  Python: wide_replay.py.
template <class Kind>
class wide : public Kind {
public:
    using Kind::Kind;
    using Kind::recv;

    bool readable() override {
        asked("readable");
        return Kind::readable();
    }
    bool writable() override {
        asked("writable");
        return Kind::writable();
    }
    void handle_read_event() override {
        called("handle_read_event");
        Kind::handle_read_event();
    }
    void handle_write_event() override {
        called("handle_write_event");
        Kind::handle_write_event();
    }
    void handle_expt_event() override {
        called("handle_expt_event");
        Kind::handle_expt_event();
    }
    void handle_connect_event() override {
        called("handle_connect_event");
        Kind::handle_connect_event();
    }
    void handle_accept() override {
        called("handle_accept");
        Kind::handle_accept();
    }
    void handle_accepted(asyncore::platform::socket sock,
                         const asyncore::address& caller) override {
        called("handle_accepted");
        Kind::handle_accepted(std::move(sock), caller);
    }
    void handle_read() override {
        called("handle_read");
        Kind::handle_read();
    }
    void handle_write() override {
        called("handle_write");
        Kind::handle_write();
    }
    void handle_close() override {
        called("handle_close");
        Kind::handle_close();
    }
    void handle_error() override {
        called("handle_error");
        Kind::handle_error();
    }
    void handle_expt() override {
        called("handle_expt");
        Kind::handle_expt();
    }
    std::size_t recv(std::span<char> buffer) override {
        called("recv");
        return Kind::recv(buffer);
    }
    std::size_t send(std::string_view data) override {
        called("send");
        return Kind::send(data);
    }
    void close() override {
        called("close");
        Kind::close();
    }
    void log_info(std::string_view message, std::string_view type) override {
        called("log_info");
        Kind::log_info(message, type);
    }

protected:
    void called(const std::string& method) {
        this->log_line(method + "()");
        this->happened("before_" + method);
    }

private:
    void asked(const std::string& predicate) {
        if (this->player_.logs_predicates()) called(predicate);
    }
};

/// The same for a kind that has initiate_send().
template <class Kind>
class wide_sender : public wide<Kind> {
public:
    using wide<Kind>::wide;

    void initiate_send() override {
        this->called("initiate_send");
        Kind::initiate_send();
    }
};

}  // namespace replay
