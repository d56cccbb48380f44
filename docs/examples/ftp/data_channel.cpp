#include "data_channel.hpp"

#include "handler.hpp"

#include <asyncore/platform/error.hpp>
#include <asyncore/platform/file.hpp>

#include <exception>
#include <random>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace ftp {

using asyncore::address;
using asyncore::socket_t;

namespace {

/// The message of the exception that is being handled, without the call that it came from.
std::string reason() {
    try {
        std::rethrow_exception(std::current_exception());
    } catch (const std::system_error& error) {
        return error.code().message();
    } catch (const std::bad_alloc&) {
        return "Out of memory";
    } catch (const std::exception& error) {
        return error.what();
    }
}

/// Tells the session of an error.  A handle_error() that throws would leave the loop: if there is no
/// memory for a reply, the client is told by the end of its connection.
template <class Tell>
void tell(const session_pointer& to, Tell what) {
    const auto session = to.lock();
    if (!session) return;
    try {
        what(*session);
    } catch (const std::bad_alloc&) {
        session->close();
    }
}

}  // namespace

// Python: class PassiveDTP

PassiveDTP::PassiveDTP(FTPHandler& session)
    : timed(session.server.calls, session._map), cmd_channel(session.weak_self()) {
    const auto& set = session.server.set;
    const auto host = session.socket.getsockname().host();
    create_socket(session.socket.family());
    bind_in_range(host, set.first_passive_port, set.last_passive_port);
    listen(5);
    addr = socket.getsockname();
    call_later(set.accept_timeout, [this] { handle_timeout(); });
}

/// Begins anywhere in the range: a client must not be able to guess the next port.
void PassiveDTP::bind_in_range(const std::string& host, std::uint16_t first, std::uint16_t last) {
    if (first == 0) return bind({host, 0});
    static std::minstd_rand dice(std::random_device{}());
    const auto ports = last - first + 1u, start = static_cast<unsigned>(dice()) % ports;
    set_reuse_addr();
    for (unsigned i = 0;; ++i) {
        try {
            return bind({host, first + static_cast<long>((start + i) % ports)});
        } catch (const std::system_error& error) {
            if (error.code().value() != EADDRINUSE || i + 1 == ports) throw;
        }
    }
}

/// A connection from another host would steal what the client asks for.  The listener goes on to wait
/// for the client.
void PassiveDTP::handle_accepted(socket_t sock, const address& peer) {
    const auto session = cmd_channel.lock();
    if (!session) return close();
    if (peer.host() != session->remote_ip)
        return session->log_line("refused a data connection of " + peer.repr());
    close();
    session->_on_dtp_connection(std::move(sock));
}

void PassiveDTP::handle_error() {
    close();
    tell(cmd_channel, [](FTPHandler& session) { session._on_dtp_failure(reason()); });
}

void PassiveDTP::handle_timeout() {
    close();
    if (const auto session = cmd_channel.lock()) session->_on_dtp_failure("timed out");
}

// Python: class ActiveDTP

ActiveDTP::ActiveDTP(FTPHandler& session, const address& peer)
    : timed(session.server.calls, session._map), cmd_channel(session.weak_self()) {
    create_socket(session.socket.family());
    bind({session.socket.getsockname().host(), 0});
    call_later(session.server.set.accept_timeout, [this] { handle_timeout(); });
    connect(peer);
}

/// A new channel gets the socket: an object of C++ keeps its class.
void ActiveDTP::handle_connect() {
    const auto session = cmd_channel.lock();
    if (!session) return close();
    del_channel();
    auto sock = std::move(socket);
    close();
    session->respond("200 Active data connection established.");
    session->_on_dtp_connection(std::move(sock));
}

void ActiveDTP::handle_error() {
    close();
    tell(cmd_channel, [](FTPHandler& session) { session._on_active_failure(reason()); });
}
void ActiveDTP::handle_close() { fail("the connection was refused"); }
void ActiveDTP::handle_expt() { fail("the connection was refused"); }
void ActiveDTP::handle_timeout() { fail("timed out"); }

void ActiveDTP::fail(std::string_view why) {
    close();
    const auto session = cmd_channel.lock();
    if (session) session->_on_active_failure(why);
}

// Python: class DTPHandler

DTPHandler::DTPHandler(FTPHandler& session, socket_t sock)
    : timed(session.server.calls, std::move(sock), session._map), cmd_channel(session.weak_self()) {
    ac_in_buffer_size = ac_out_buffer_size = piece_size;
    send_later_ = true;         // no hook runs inside of a command that starts a transfer
    asked_every_turn_ = false;  // the predicates follow job_, and start() reports the change
    set_terminator(asynchat::none);
    socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);  // the last bytes do not wait for an answer
}

void DTPHandler::start(transfer given) {
    job_ = std::move(given);
    began_ = std::chrono::steady_clock::now();
    const auto session = cmd_channel.lock();
    if (!session || !connected) return close();
    call_every(session->server.set.data_timeout, [this] { check_progress(); });
    if (receives()) return interest_changed_();
    push_with_producer(job_->source);
    close_when_done();
}

double DTPHandler::get_elapsed_time() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
}

void DTPHandler::collect_incoming_data(std::string_view data) {
    if (!job_) return;
    tot_bytes_received += data.size();
    if (job_->is_ascii) write(decoder_.decode(data));
    else write(data);
}

/// A file takes all bytes, or the disk is full.
void DTPHandler::write(std::string_view data) {
    while (!data.empty()) {
        const auto [count, error] = asyncore::platform::write_file(job_->target.get(), data);
        if (error != 0) throw asyncore::platform::os_error(error, "write");
        data.remove_prefix(count);
    }
}

std::size_t DTPHandler::send(std::string_view data) {
    const auto count = async_chat::send(data);
    tot_bytes_sent += count;
    return count;
}

/// recv() and send() call it inside of a catch block if the connection is broken.  Python takes the
/// reset of an upload for its end, and replies 226.
void DTPHandler::handle_close() {
    const bool is_broken = std::current_exception() != nullptr;
    const bool is_complete = !is_broken && job_ && (receives() || producer_fifo.empty());
    if (is_complete && receives() && job_->is_ascii) write(decoder_.rest());
    if (is_complete) return end("226 Transfer complete.", true);
    end("426 Transfer aborted; " + std::to_string(get_transmitted_bytes()) + " bytes transmitted.",
        false);
}

void DTPHandler::handle_error() {
    close();
    tell(cmd_channel, [](FTPHandler& session) {
        session._on_dtp_close("426 " + reason() + "; transfer aborted.");
    });
}

/// No client has a reason to send out-of-band data.
void DTPHandler::handle_expt() { handle_close(); }

void DTPHandler::check_progress() {
    const bool has_moved = get_transmitted_bytes() > bytes_before_;
    bytes_before_ = get_transmitted_bytes();
    if (has_moved) return;
    const auto session = cmd_channel.lock();
    close();
    if (session) session->leave("421 Data connection timed out.");
}

/// Closes, and tells the session.  The file is closed before the client hears that it is complete.
void DTPHandler::end(std::string_view reply, bool is_complete) {
    const auto session = cmd_channel.lock();
    close_and_log(is_complete);
    if (session) session->_on_dtp_close(reply);
}

void DTPHandler::close() { close_and_log(false); }

void DTPHandler::close_and_log(bool is_complete) {
    auto done = std::exchange(job_, std::nullopt);
    timed::close();
    discard_buffers();
    if (!done) return;
    done->source.reset();
    done->target.reset();
    if (const auto session = cmd_channel.lock())
        session->log_transfer(*done, is_complete, get_transmitted_bytes(), get_elapsed_time());
}

}  // namespace ftp
