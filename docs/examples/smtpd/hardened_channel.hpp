// A channel that mends what the original gets wrong.
//
// SMTPChannel does what Python's class does, its faults included.  This class derives from it, so a
// program chooses: SMTPServer::channel_class makes one or the other.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "../pace.hpp"
#include "smtpd.hpp"

namespace smtpd {

class hardened_channel;

/// The hardened channels of a server, and how long they wait for their clients.
///
///     hardened_channels channels;
///     server.channel_class = channels.factory();
///     channels.loop();
class hardened_channels {
public:
    using clock = pace::clock;

    /// A client has so much time for each command, and for a part of a message.  RFC 5321, section
    /// 4.5.3.2.7, asks for five minutes.
    std::chrono::seconds patience{300};
    std::uint32_t least_rate = 100;  // bytes a second, while a client sends a message

    std::set<hardened_channel*> all;
    clock::time_point now = clock::now();  // when the turn of the loop began

    hardened_channels() = default;
    /// Closes the channels.
    ~hardened_channels();
    hardened_channels(const hardened_channels&) = delete;
    hardened_channels& operator=(const hardened_channels&) = delete;

    SMTPServer::factory factory();

    /// asyncore::loop(), and a look at the clock every second.
    void loop(asyncore::channel_map* map = &asyncore::socket_map);
    /// Sends 421 to each client that is late, and closes its connection.
    void check_times();

private:
    clock::time_point next_check_;
};

/// What is not as in Python:
///
/// - After 552, too much mail data, the channel waits for a command.  In Python it waits for data,
///   so RSET and QUIT become a message.
/// - A channel has limits of its own on the length of commands, and a command that does not exist
///   adds no limit.  In Python all channels share a dict, in which every command stays.
/// - Text is decoded when the line or the message is whole, and text that is not UTF-8 is refused.  In
///   Python a character that arrives in two pieces ends the connection, if decode_data is set; and
///   the reply to a command that is too long depends on the pieces.
/// - A command on which a method throws, as `MAIL FROM:<` in Python, is a syntax error.  In Python
///   the connection ends.
/// - What a client sends after QUIT counts for nothing.
/// - A client that is late gets 421, and the connection ends.
class hardened_channel : public SMTPChannel {
public:
    hardened_channel(hardened_channels& channels, SMTPServer& server, socket_t conn,
                     const address& addr, const keywords& given = {});
    ~hardened_channel() override;

    void collect_incoming_data(std::string_view data) override;
    void found_terminator() override;
    std::pair<std::string, std::string> _getaddr(const std::string& arg) override;
    void smtp_QUIT(const argument& arg) override;
    void close() override;

    /// Ends the connection if the client is late.
    void check_time();

private:
    void take_line_();
    void refuse_(std::string_view reply);
    void expect_();
    void leave_();

    hardened_channels& channels_;
    size_limits own_limits_;
    bool enrolled_ = false;  // in channels_.all
    bool leaving_ = false;   // the last reply is queued
    pace client_;
};

}  // namespace smtpd
