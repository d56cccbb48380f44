// One side of a pair: what the connection to a client and the connection to a server have in common.
#pragma once

#include "settings.hpp"

#include <asynchat/flow/flow_control.hpp>
#include <asyncore/timers/timers.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace proxy {

/// What is read from this side is pushed to the other side, whose queue pauses the reading (flow_control).
///
/// A side ends in one of three ways.  At its end of file, the other side is finished: what is queued there is sent,
/// and then that direction ends, while the opposite direction goes on.  When it is lost, the other side is aborted, so
/// that nobody takes a part of a message for the whole.  And when the two directions of a side have ended, it closes.
class Connection
    : public ssl::SSLConnection<asynchat::flow_control<asyncore::timed<asynchat::async_chat>>> {
public:
    const route& way;

    Connection(asyncore::timers& timers, const route& given, asyncore::socket_t sock = {});

    bool is_open() const { return _fileno >= 0; }
    /// Sends what is queued, and then the end of file.
    void finish();
    /// The same; what this side still sends is dropped, and it has only so much time.
    void see_off(std::chrono::seconds most);
    /// Drops what is queued, and resets the connection, without close_notify.
    void abort();
    /// How many bytes came from this side and were given to the other side.
    std::uint64_t relayed() const { return relayed_; }
    /// Whether this side has given the other side anything: bytes, or its end of file.
    bool has_relayed() const { return relayed_ > 0 || has_ended_; }

    void collect_incoming_data(std::string_view data) override;
    bool readable() override;
    void handle_eof_() override;
    void handle_error() override;
    void handle_close() override;

protected:
    /// Null if there is none.
    virtual std::shared_ptr<Connection> peer() const = 0;
    /// What the log calls this side.
    virtual std::string name() const = 0;
    /// The connection is of no use any more.
    virtual void lost(const std::string& why);

    void say(const std::string& text, std::string_view type = "info");
    void relay(std::string_view data);

private:
    void end_sending();

    std::uint64_t relayed_ = 0;
    bool has_ended_ = false;     // this side sends nothing more
    bool has_finished_ = false;  // nothing more is sent to this side
};

}  // namespace proxy
