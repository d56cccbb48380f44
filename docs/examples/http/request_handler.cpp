#include "request_handler.hpp"

#include "text.hpp"

#include <algorithm>
#include <utility>

#ifdef __linux__
#include <linux/sockios.h>
#include <sys/ioctl.h>
#endif

namespace http {

using asyncore::address;
using asyncore::socket_t;

namespace {

constexpr std::size_t most_head = 64 * 1024;
constexpr std::size_t most_body = 1024 * 1024;
constexpr std::size_t most_dropped = 16 * 1024 * 1024;

/// How many bytes the system has taken from this process, and the peer's system has not received.
/// Returns: 0 where the system does not tell.
std::uint64_t on_the_way([[maybe_unused]] int fd) {
#ifdef SIOCOUTQ
    int count = 0;
    if (::ioctl(fd, SIOCOUTQ, &count) == 0) return static_cast<std::uint64_t>(count);
#endif
    return 0;
}

}  // namespace

request_handler::request_handler(socket_t sock, const address& peer, site& all)
    : async_chat(std::move(sock)), shared(all) {
    addr = peer;
    ac_in_buffer_size = ac_out_buffer_size = piece_size;
    asked_every_turn_ = false;  // readable() follows half_closed, which only the hooks change
    set_terminator("\r\n\r\n");
    client.begin(shared.now, shared.limits.patience, pace::no_number);
    shared.sessions.insert(this);
    enrolled = true;
}

/// A session that spawn() could not finish, because memory ran out, was never closed.  One that was
/// closed may live longer than the site.
request_handler::~request_handler() {
    if (enrolled) shared.sessions.erase(this);
}

void request_handler::collect_incoming_data(std::string_view data) {
    if (handling) return drop(data);
    const char before = ibuffer.empty() ? '\0' : ibuffer.back();
    ibuffer.append(data);
    if (!reading_headers) return client.move(shared.now, data.size());
    if (ibuffer.size() > most_head) throw http_error(431, "The headers are too long.");
    if (!may_be_head(before, data)) throw http_error(400, "This is not HTTP.");
}

void request_handler::found_terminator() {
    if (reading_headers) {
        reading_headers = false;
        parse_headers(ibuffer);
        ibuffer.clear();
        if (request.op == "POST") {
            expect_body(content_length(request.fields, most_body));
        } else {
            handling = true;
            set_terminator(asynchat::none);
            handle_request();
        }
    } else if (!handling) {
        set_terminator(asynchat::none);  // browsers sometimes over-send
        form = parse(request.fields, ibuffer);
        body_size = ibuffer.size();
        handling = true;
        ibuffer.clear();
        handle_request();
    }
}

void request_handler::parse_headers(std::string_view head) {
    note_request();
    request = http::request(head);
}

void request_handler::expect_body(std::uint64_t size) {
    set_terminator(size);
    begin_pace(shared.limits.patience);
    // A terminator of 0 bytes means no terminator: asynchat would not call found_terminator().
    if (size == 0) found_terminator();
    else if (client_waits()) push_head("HTTP/1.1 100 Continue\r\n\r\n");
}

void request_handler::handle_request() {
    const auto& op = request.op;
    if (op == "POST") send_answer(form_answer(request.path(), form, body_size));
    else if (op == "GET" || op == "HEAD")
        send_answer(file_answer(shared.root, request.path(), request.query()));
    else throw http_error(501, "This server knows GET, HEAD and POST.");
}

/// Whether the client sends the body only after it is told to continue.
bool request_handler::client_waits() const {
    const auto expected = request.fields.getheader("expect").value_or("");
    return request.version != "HTTP/1.0" && upper(expected) == "100-CONTINUE";
}

// The answer.

void request_handler::send_answer(answer to_send) {
    status = to_send.status;
    begin_pace(shared.limits.patience);
    push_head(to_send.head);
    if (!request_line.starts_with("HEAD ")) push_with_producer(std::move(to_send.body));
    close_when_done();
}

void request_handler::send_error(int code, std::string_view why) {
    note_request();
    handling = true;
    set_terminator(asynchat::none);
    ibuffer.clear();
    send_answer(error_answer(code, why));
}

void request_handler::push_head(std::string_view text) {
    head_size += text.size();
    push(text);
}

std::size_t request_handler::send(std::string_view data) {
    const auto count = async_chat::send(data);
    sent += count;
    return count;
}

void request_handler::handle_error() {
    try {
        throw;
    } catch (const http_error& error) {
        send_error_or_close(error);
    } catch (...) {
        async_chat::handle_error();
    }
}

void request_handler::send_error_or_close(const http_error& error) {
    try {
        send_error(error.status, error.what());
    } catch (const std::bad_alloc&) {
        close();  // there is no memory for the answer
    }
}

// The end of the connection.

void request_handler::handle_close() {
    const bool broken = !connected || std::current_exception();
    if (broken) return close();
    const bool sent_all = status != 0 && producer_fifo.empty();
    if (sent_all && !lingering && !half_closed) return linger();
    if (sent_all || half_closed) return close();
    half_closed = true;  // the client sends nothing more, but it may still read
    if (handling) return;
    if (reading_headers && ibuffer.empty()) return close();
    send_error(400, "The request ends in the middle.");
}

/// Half-closes the connection, and gives the client some time to close its own half.  If the server
/// closed now while bytes of the client are unread, the system would reset the connection, and the
/// client would lose the rest of the answer.
void request_handler::linger() {
    try {
        socket.shutdown(SHUT_WR);
    } catch (const std::system_error&) {
        return close();  // the connection is broken
    }
    lingering = true;
    begin_pace(shared.limits.lingering);
}

void request_handler::drop(std::string_view data) {
    dropped += data.size();
    if (lingering) client.move(shared.now, data.size());
    if (dropped > most_dropped) close();
}

void request_handler::close() {
    const bool was_open = std::exchange(enrolled, false);
    if (was_open) shared.sessions.erase(this);
    // The log has the bytes that were sent, which may be fewer than the answer has.
    const auto body_sent = sent - std::min(sent, head_size);
    if (was_open && status != 0)
        shared.log.line(addr.host(), arrived, request_line, status, body_sent);
    async_chat::close();
}

/// At the end of file the socket is always readable, although there is nothing to read.
bool request_handler::readable() { return !half_closed; }

/// No client has a reason to send out-of-band data.
void request_handler::handle_expt() { close(); }

// The time.

void request_handler::check_time() {
    if (status != 0) note_what_is_taken();
    if (!client.is_late(shared.now)) return;
    if (status != 0 || (reading_headers && ibuffer.empty())) return close();
    send_error(408, "The request took too long.");
}

void request_handler::begin_pace(std::chrono::seconds window) {
    const auto seconds = static_cast<std::uint64_t>(window.count());
    client.begin(shared.now, window, seconds * shared.limits.least_rate);
}

/// What the system has taken from the server does not count yet: megabytes of an answer may lie
/// there, and the client may read slowly, or never.
void request_handler::note_what_is_taken() {
    const auto so_far = sent - std::min(sent, on_the_way(_fileno));
    client.move(shared.now, so_far - std::min(so_far, taken));
    taken = so_far;
}

// The log.

/// Notes the first line of the request, once, for the log.
void request_handler::note_request() {
    if (!request_line.empty()) return;
    const auto begin = std::min(ibuffer.find_first_not_of("\r\n"), ibuffer.size());
    request_line = ibuffer.substr(begin, ibuffer.find("\r\n", begin) - begin);
    arrived = std::time(nullptr);
}

/// Goes to standard error: standard output has the log of requests.
void request_handler::log_info(std::string_view message, std::string_view type) {
    if (!ignore_log_types.contains(type)) log_line(*this, type, message);
}

}  // namespace http
