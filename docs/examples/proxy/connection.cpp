#include "connection.hpp"

#include <exception>

#include <sys/socket.h>

namespace proxy {

namespace {

/// Why a hook was called.  Such a hook runs inside the catch block, if there was an exception.
std::string reason() {
    if (!std::current_exception()) return "the connection is gone";
    try {
        throw;
    } catch (const std::exception& error) {
        return error.what();
    }
}

}  // namespace

Connection::Connection(asyncore::timers& timers, const route& given, asyncore::socket_t sock)
    : SSLConnection(timers, std::move(sock)), way(given) {
    high_water_ = 256 * 1024;
    low_water_ = 64 * 1024;
    if (way.protocol->has_lines()) set_terminator("\n");
    else set_terminator(asynchat::none);
}

void Connection::say(const std::string& text, std::string_view type) {
    log_info(name() + ": " + text, type);
}

void Connection::relay(std::string_view data) {
    const auto other = peer();
    if (!other || data.empty()) return;
    relayed_ += data.size();
    other->push(data);
}

void Connection::collect_incoming_data(std::string_view data) {
    if (get_terminator()) _collect_incoming_data(data);
    else relay(data);
}

bool Connection::readable() { return !has_ended_ && SSLConnection::readable(); }

// The end.

void Connection::finish() {
    push_with_producer(ssl::when_sent([this] { end_sending(); }));
}

void Connection::see_off(std::chrono::seconds most) {
    finish();
    call_later(most, [this] { abort(); });
}

void Connection::end_sending() {
    has_finished_ = true;
    if (has_ended_) close();
    else socket.shutdown(SHUT_WR);
}

void Connection::handle_eof_() {
    has_ended_ = true;
    relay(_get_data());  // of a line without an end
    interest_changed_();
    if (const auto other = peer()) other->finish();
    else finish();
    if (has_finished_) close();
}

void Connection::handle_error() { lost(reason()); }

void Connection::handle_close() { lost(reason()); }

/// All that came before an end of file has been given to the other side.  So if this side is lost after its end of
/// file, the other side misses nothing.
void Connection::lost(const std::string& why) {
    if (!is_open()) return;
    say(why, "error");
    close();
    const auto other = peer();
    if (!other) return;
    if (has_ended_) other->see_off(way.most.idle);
    else other->abort();
}

void Connection::abort() {
    if (!is_open()) return;
    const linger at_once{1, 0};
    ::setsockopt(_fileno, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    // A session that is closed says close_notify, and then the end would not look like a loss.
    if (auto* const session = ssl_socket()) socket = session->detach();
    close();
}

}  // namespace proxy
