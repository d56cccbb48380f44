// The data connection: a listener or a connector that makes it, and the channel that moves the bytes.
// Python: handlers.py of pyftpdlib, classes PassiveDTP, ActiveDTP and DTPHandler.
#pragma once

#include "ascii.hpp"
#include "filesystem.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>
#include <asyncore/timers/timers.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace ftp {

class FTPHandler;

/// What a command asks a data connection to do.
struct transfer {
    std::string cmd;   // "RETR"
    std::string path;  // of a file, for the log
    std::shared_ptr<asynchat::producer>
        source;        // gives what the server sends; null: the client sends
    unique_fd target;  // the file that takes what the client sends
    bool is_ascii = false;
};

/// A session owns its data channels, and closes them with itself.  So a channel has only a weak pointer
/// to its session.  A channel that finds no session closes.
using session_pointer = std::weak_ptr<FTPHandler>;

/// Listens for the one data connection that a PASV or EPSV announced.
class PassiveDTP : public asyncore::timed<asyncore::dispatcher> {
public:
    /// Listens on the address at which the client has reached the server.
    /// Throws: std::system_error if no port of the range is free.
    explicit PassiveDTP(FTPHandler& session);

    void handle_accepted(asyncore::socket_t sock, const asyncore::address& peer) override;
    void handle_error() override;
    void handle_timeout();

private:
    void bind_in_range(const std::string& host, std::uint16_t first, std::uint16_t last);

    session_pointer cmd_channel;
};

/// Connects to where a PORT or EPRT says.
class ActiveDTP : public asyncore::timed<asyncore::dispatcher> {
public:
    /// Throws: std::system_error if the connection fails at once.
    ActiveDTP(FTPHandler& session, const asyncore::address& peer);

    void handle_connect() override;
    void handle_error() override;
    void handle_close() override;
    void handle_expt() override;
    void handle_read() override {}
    void handle_write() override {}
    void handle_timeout();

private:
    void fail(std::string_view why);

    session_pointer cmd_channel;
};

/// Moves the bytes of one transfer.
class DTPHandler : public asyncore::timed<asynchat::async_chat> {
public:
    DTPHandler(FTPHandler& session, asyncore::socket_t sock);

    void start(transfer given);
    bool transfer_in_progress() const { return job_.has_value(); }
    std::uint64_t get_transmitted_bytes() const { return tot_bytes_sent + tot_bytes_received; }
    double get_elapsed_time() const;

    std::uint64_t tot_bytes_sent = 0, tot_bytes_received = 0;

    void collect_incoming_data(std::string_view data) override;
    std::size_t send(std::string_view data) override;
    bool readable() override { return receives(); }
    bool writable() override { return !receives() && async_chat::writable(); }
    /// The client has sent all, everything was sent, or the connection is broken.
    void handle_close() override;
    void handle_error() override;
    void handle_expt() override;
    void close() override;

private:
    bool receives() const { return job_ && !job_->source; }
    void write(std::string_view data);
    void check_progress();
    void end(std::string_view reply, bool is_complete);
    void close_and_log(bool is_complete);

    session_pointer cmd_channel;
    std::optional<transfer> job_;
    ascii_decoder decoder_;
    std::uint64_t bytes_before_ = 0;  // that were moved when check_progress() looked last
    std::chrono::steady_clock::time_point began_;
};

}  // namespace ftp
