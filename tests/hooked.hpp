// Channels that tell of every call of their hooks and predicates.
#pragma once

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace support {

/// Is told of each call, before the method of the base class runs.  It may destroy the channel.
class hook_watcher {
public:
    virtual void called(asyncore::dispatcher& channel, const std::string& role,
                        const std::string& hook) = 0;

protected:
    ~hook_watcher() = default;
};

/// A dispatcher or a class derived from it, all of whose hooks are watched.
template <class Base>
class hooked : public Base {
public:
    using Base::recv;

    template <class... Arguments>
    hooked(hook_watcher& watcher, std::string its_role, Arguments&&... arguments)
        : Base(std::forward<Arguments>(arguments)...),
          watcher_(watcher),
          role(std::move(its_role)) {
        tell("constructor");
    }

    bool readable() override { return tell("readable") && Base::readable(); }
    bool writable() override { return tell("writable") && Base::writable(); }
    void handle_read_event() override {
        if (tell("handle_read_event")) Base::handle_read_event();
    }
    void handle_write_event() override {
        if (tell("handle_write_event")) Base::handle_write_event();
    }
    void handle_expt_event() override {
        if (tell("handle_expt_event")) Base::handle_expt_event();
    }
    void handle_connect_event() override {
        if (tell("handle_connect_event")) Base::handle_connect_event();
    }
    void handle_read() override {
        if (tell("handle_read")) Base::handle_read();
    }
    void handle_write() override {
        if (tell("handle_write")) Base::handle_write();
    }
    void handle_expt() override {
        if (tell("handle_expt")) Base::handle_expt();
    }
    void handle_connect() override { tell("handle_connect"); }
    void handle_accept() override {
        if (tell("handle_accept")) Base::handle_accept();
    }
    void handle_accepted(asyncore::socket_t sock, const asyncore::address& caller) override {
        if (tell("handle_accepted")) Base::handle_accepted(std::move(sock), caller);
    }
    void handle_close() override {
        if (tell("handle_close")) Base::handle_close();
    }
    void handle_error() override {
        if (tell("handle_error")) Base::handle_error();
    }
    void close() override {
        if (tell("close")) Base::close();
    }
    std::size_t recv(std::span<char> buffer) override {
        return tell("recv") ? Base::recv(buffer) : 0;
    }
    std::size_t send(std::string_view data) override { return tell("send") ? Base::send(data) : 0; }
    void log_info(std::string_view, std::string_view) override { tell("log_info"); }

protected:
    /// Returns: whether this channel still exists.
    bool tell(const std::string& hook) {
        const asyncore::alive still_here(*this);
        watcher_.called(*this, role, hook);
        return static_cast<bool>(still_here);
    }

private:
    hook_watcher& watcher_;

public:
    const std::string role;
};

/// Answers each line that it gets with the same line.
struct echoing : hooked<asynchat::async_chat> {
    std::string line;

    template <class... Arguments>
    explicit echoing(hook_watcher& watcher, Arguments&&... arguments)
        : hooked(watcher, std::forward<Arguments>(arguments)...) {
        set_terminator("\n");
    }
    void collect_incoming_data(std::string_view data) override {
        line += data;
        tell("collect_incoming_data");
    }
    void found_terminator() override {
        if (tell("found_terminator")) push(std::exchange(line, {}) + "\n");
    }
    void initiate_send() override {
        if (tell("initiate_send")) hooked::initiate_send();
    }
};

/// Reads what comes.
template <class Base>
struct reading : hooked<Base> {
    using hooked<Base>::hooked;
    bool writable() override { return hooked<Base>::writable() && false; }
    void handle_read() override {
        if (this->tell("handle_read")) this->recv(100);
    }
};

}  // namespace support
