// Python: class FTPHandler, its lines, replies and time-outs.
#include "handler.hpp"

#include "text.hpp"

#include <exception>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace ftp {

using asyncore::address;
using asyncore::socket_t;

FTPHandler::FTPHandler(FTPServer& from, socket_t sock, const address& peer)
    : timed(from.calls, std::move(sock), from._map), server(from), remote_ip(peer.host()) {
    addr = peer;
    // readable() changes only in pause_reading_(), which reports it.
    asked_every_turn_ = false;
    finish_sending_ = true;  // a client may send its last command, and half-close the connection
    set_terminator("\r\n");
    socket.setsockopt(SOL_SOCKET, SO_OOBINLINE, 1);
    socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
    login_timer_ = call_later(server.set.login_timeout, [this] { leave("421 Login timed out."); });
    start_idler();
    push("220 " + server.set.banner + "\r\n");
}

std::weak_ptr<FTPHandler> FTPHandler::weak_self() {
    return std::static_pointer_cast<FTPHandler>(shared_from_this());
}

// Lines.

void FTPHandler::collect_incoming_data(std::string_view data) {
    if (!quits_) line_.append(data);
}

void FTPHandler::found_terminator() {
    if (quits_) return;
    lines_.push_back(without_telnet(std::exchange(line_, {})));
    take_lines();
}

/// Also takes the next line, if the replies to the one before it have left.
void FTPHandler::handle_write() {
    timed::handle_write();
    take_lines();
}

/// Takes lines as long as each is answered at once; the answer to PORT needs a connection.  While lines wait, no more are read.  A pause of the
/// reading alone would not do: the lines that were read already would still be delivered.
void FTPHandler::take_lines() {
    const bool waited = !lines_.empty() && is_paused_();
    while (!lines_.empty() && !waits_for_login_ && !_dtp_connector && producer_fifo.empty()) {
        const auto line = std::move(lines_.front());
        lines_.pop_front();
        pre_process_command(line);
        if (quits_ || !connected) lines_.clear();
    }
    if (waited && lines_.empty()) resume_reading_();
    if (!waited && !lines_.empty()) pause_reading_();
}

// Replies.

void FTPHandler::respond(std::string_view line) { push(with_telnet(line) + "\r\n"); }

void FTPHandler::push_lines(std::string_view code, std::string_view title,
                            const std::string& lines) {
    push(with_telnet(std::string(code) + "-" + std::string(title) + "\r\n" + lines));
}

void FTPHandler::leave(std::string_view line) {
    quits_ = true;
    lines_.clear();
    respond(line);
    if (connected) finish();
}

void FTPHandler::finish() {
    close_when_done();
    call_later(server.set.linger, [this] { close(); });
}

// Time-outs.

void FTPHandler::start_idler() {
    _idler.cancel();
    _idler = call_later(server.set.timeout, [this] { handle_timeout(); });
}

void FTPHandler::handle_timeout() { leave("421 Control connection timed out."); }

// The end.

void FTPHandler::handle_error() {
    try {
        throw;
    } catch (const std::exception& error) {
        log_line("closing: ", error.what());
    }
    close();
}

void FTPHandler::close() {
    const bool was_open = _fileno >= 0;
    quits_ = true;
    lines_.clear();
    // The data channels are closed first: a session that has left the map is nobody's, and their weak
    // pointers to it would be empty.
    _shutdown_connecting_dtp();
    close_data_channel();
    timed::close();
    if (was_open) log_line("disconnected");
}

// The log.

void FTPHandler::log_line(std::string_view message, std::string_view detail) {
    try {
        log_info(shown(addr.host() + ":" + std::to_string(addr.port()) + "-[" + username + "] " +
                       std::string(message).append(detail)));
    } catch (const std::bad_alloc&) {
        // close() and handle_error() log, and must come to their end.
    }
}

void FTPHandler::log_transfer(const transfer& done, bool is_complete, std::uint64_t bytes,
                              double seconds) {
    if (done.path.empty()) return;
    try {
        log_line(done.cmd + " " + done.path + " completed=" + (is_complete ? "1" : "0") +
                 " bytes=" + std::to_string(bytes) + " seconds=" + std::to_string(seconds));
    } catch (const std::bad_alloc&) {
        // As above.
    }
}

// Python: the counter in collect_incoming_data()

session::session(FTPServer& from, socket_t sock, const address& peer)
    : child(from, std::move(sock), peer) {
    line_limit_ = from.set.max_line;
}

void session::handle_line_limit_() {
    drop_line();
    respond("500 Command too long.");
}

}  // namespace ftp
