// A session of the HTTP server: a connection, and what happens on it.
// Python: class http_request_handler of asynchat's manual.
#pragma once

#include "../pace.hpp"
#include "access_log.hpp"
#include "answer.hpp"
#include "files.hpp"
#include "form.hpp"
#include "request.hpp"

#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <chrono>
#include <ctime>
#include <set>
#include <string>

namespace http {

using clock = pace::clock;

class request_handler;

/// How long the server waits for a client.
struct limits {
    /// A client has so much time for the head of a request, and for each part of the body and of
    /// the answer.
    std::chrono::seconds patience{60};
    /// Bytes a second.  A client that sends a body, or takes an answer, more slowly than that is
    /// dropped.
    std::uint32_t least_rate = 500;
    /// After the answer, a client has so much time to close, or to send a part of what the server
    /// does not want.
    std::chrono::seconds lingering{5};
};

/// What all sessions of a server share.  It must live longer than they do.
struct site {
    document_root root;
    access_log log;
    http::limits limits;
    std::set<request_handler*> sessions;
    clock::time_point now;  // when the turn of the loop began
};

class request_handler : public asynchat::async_chat {
public:
    request_handler(asyncore::socket_t sock, const asyncore::address& peer, site& shared);
    ~request_handler() override;

    void collect_incoming_data(std::string_view data) override;
    void found_terminator() override;

    // The manual's class has these two, and parse_headers() and handle_request() below.

    /// The loop calls it when the connection is broken, and when the client has half-closed it.
    /// After close_when_done() async_chat calls it when everything is sent.
    void handle_close() override;
    /// Answers with an error if a hook has thrown an http_error.
    void handle_error() override;
    void handle_expt() override;
    bool readable() override;
    std::size_t send(std::string_view data) override;
    void close() override;
    void log_info(std::string_view message, std::string_view type) override;

    /// Answers or drops the client if it is late.
    void check_time();

private:
    void parse_headers(std::string_view head);
    void expect_body(std::uint64_t size);
    void handle_request();
    void note_request();
    bool client_waits() const;
    void send_error(int code, std::string_view why);
    void send_error_or_close(const http_error& error);
    void send_answer(answer to_send);
    void push_head(std::string_view text);
    void linger();
    void drop(std::string_view data);
    void begin_pace(std::chrono::seconds window);
    void note_what_is_taken();

    site& shared;
    bool enrolled = false;  // in the site's sessions
    std::string ibuffer;
    bool reading_headers = true;
    bool handling = false;  // the request is complete or refused; the handler drops further bytes
    http::request request;
    http::form form;
    std::size_t body_size = 0;

    int status = 0;  // of the answer; 0: there is no answer yet
    std::string request_line;
    std::time_t arrived = 0;
    std::uint64_t sent = 0;       // bytes in all
    std::uint64_t taken = 0;      // bytes that the client's system has received
    std::uint64_t head_size = 0;  // bytes that were pushed as heads, not as body
    std::size_t dropped = 0;
    bool half_closed = false;  // by the client: it sends nothing more
    bool lingering = false;    // by this end: everything is sent
    pace client;
};

}  // namespace http
