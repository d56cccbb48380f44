// Limits for the connections of a listener: how many there may be, and how long each may be silent.
// Python: max_cons, max_cons_per_ip and timeout of pyftpdlib; connection_limit and channel_timeout of
// waitress.
#pragma once

#include <asyncore/dispatcher.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace asyncore {

class children;

/// The part of a channel that a `children` object counts.
class child_link {
public:
    /// Called when the channel has been silent for children::timeout.
    virtual void handle_timeout_() = 0;
    /// Notes that the channel is not silent: its time-out begins anew.  Every event of the loop calls
    /// this.  A push() does not, since bytes that the system took may never reach the peer.
    void touch_();

    child_link(const child_link&) = delete;
    child_link& operator=(const child_link&) = delete;

protected:
    child_link() = default;
    ~child_link() { leave_parent_(); }
    void leave_parent_() noexcept;

private:
    friend class children;
    virtual channel& as_channel_() = 0;

    children* parent_ = nullptr;
    std::list<child_link*>::iterator at_;                // in the parent's list
    std::map<std::string, std::size_t>::iterator host_;  // in the parent's count
    std::chrono::steady_clock::time_point touched_;
};

/// The channels that one listener has made, or that several listeners of one thread have made.
///
/// The list is in the order of the last events, so an event and a turn cost the same, however many
/// channels there are.
class children {
public:
    using clock = std::chrono::steady_clock;

    std::size_t max_cons = 0;         // 0: any number
    std::size_t max_cons_per_ip = 0;  // 0: any number; Unix sockets have no such limit
    clock::duration timeout{};        // how long a channel may be silent; 0: for ever
    std::function<clock::time_point()> now = clock::now;

    children() = default;
    children(const children&) = delete;
    children& operator=(const children&) = delete;
    ~children();

    std::size_t size() const noexcept { return by_touch_.size(); }
    std::size_t size_of(const std::string& host) const;
    bool is_full() const noexcept { return max_cons > 0 && size() >= max_cons; }
    bool is_full_for(const std::string& host) const {
        return max_cons_per_ip > 0 && !host.empty() && size_of(host) >= max_cons_per_ip;
    }

    /// Counts the channel from now on, until it closes.  Does nothing if it is closed already.
    template <class Child>
    void add(Child& made) {
        if (made._fileno >= 0) enter(made, made.addr.host());
    }

    /// Calls handle_timeout_() of each channel that was silent for `timeout`.  If the channel does not
    /// close then, its time-out begins anew.
    /// Returns: when to call this again; channel_map::never if there is no need to.
    clock::time_point close_silent();

private:
    friend class child_link;
    void enter(child_link& made, std::string host);

    std::list<child_link*> by_touch_;           // the channel that was silent for longest is first
    std::map<std::string, std::size_t> hosts_;  // how many channels each host has
    std::shared_ptr<int> life_ = std::make_shared<int>();
};

/// A class of channels that `children` can count.  Wrap it around a class that is complete:
/// children_.add(*spawn<child<handler>>(std::move(sock))).
template <class Base>
class child : public Base, public child_link {
public:
    using Base::Base;

    /// Logs, and calls handle_close().
    void handle_timeout_() override {
        const alive still_here(*this);
        this->log_info("the connection was silent for too long", "info");
        if (still_here) this->handle_close();
    }
    void handle_read_event() override {
        touch_();
        Base::handle_read_event();
    }
    void handle_write_event() override {
        touch_();
        Base::handle_write_event();
    }
    void close() override {
        leave_parent_();
        Base::close();
    }

private:
    channel& as_channel_() override { return *this; }
};

/// A listener that keeps the limits of its children.  At max_cons it accepts no more: connections wait in
/// the system until a child closes.  A connection of a host that has max_cons_per_ip already is
/// accepted, and goes to handle_max_cons_per_ip_().
template <class Base = dispatcher>
class limiting_listener : public Base {
public:
    using Base::Base;

    children children_;

    /// Called for a connection of a host that has max_cons_per_ip.  Logs, and lets `sock` close.
    virtual void handle_max_cons_per_ip_(socket_t sock, const address& peer) {
        static_cast<void>(sock);
        this->log_info("too many connections from " + peer.host(), "info");
    }

    /// Also ends children that were silent for too long.  The loop asks this class on every turn; and
    /// wake_at() has the loop ask again when the time-out of the next child ends.
    bool readable() override {
        const alive still_here(*this);
        const auto next = children_.close_silent();
        if (!still_here) return false;
        if (next != channel_map::never) this->_map->wake_at(next);
        return !children_.is_full() && Base::readable();
    }
    std::optional<std::pair<socket_t, address>> accept() override {
        auto accepted = Base::accept();
        if (!accepted || !children_.is_full_for(accepted->second.host())) return accepted;
        handle_max_cons_per_ip_(std::move(accepted->first), accepted->second);
        return std::nullopt;
    }
};

}  // namespace asyncore
