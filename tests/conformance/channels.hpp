// The four kinds of channel that a script can have.
//
// Python: the subclasses in replay.py, in the same order.
#pragma once

#include <asynchat/asynchat.hpp>

#include <exception>
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

}  // namespace replay
