// A web server: the http_request_handler of asynchat's manual, ported and finished.
//
//     http_server [--port N] [--root DIR] [--poller NAME] [--timeout SECONDS]
//
// GET and HEAD serve the files below DIR (default: the current folder), POST shows what was sent.
// Port 0, the default, asks for a free one.  A client that is silent for SECONDS (60) is dropped.
// Only this machine can connect.  Ctrl-C ends it.
//
// Read http_request_handler first; http/ has what knows nothing of channels.
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include "http/access_log.hpp"
#include "http/files.hpp"
#include "http/form.hpp"
#include "http/request.hpp"
#include "http/text.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <iostream>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/select.h>

using asyncore::address;
using asyncore::socket_t;
using http::html_escaped;
using http::http_error;
using std::chrono::seconds;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr std::size_t most_head = 64 * 1024;
constexpr std::size_t most_body = 1024 * 1024;
constexpr std::size_t most_dropped = 16 * 1024 * 1024;  // of what a client sends in excess
constexpr std::size_t piece_size = 64 * 1024;
constexpr seconds lingering_time(5);

seconds patience(60);

class http_request_handler;
using session_set = std::set<http_request_handler*>;

class http_request_handler : public asynchat::async_chat {
public:
    http_request_handler(socket_t sock, const address& peer, session_set& all_sessions,
                         http::access_log& log, const http::document_root& files)
        : async_chat(std::move(sock)), sessions(all_sessions), requests(log), root(files) {
        addr = peer;
        ac_in_buffer_size = ac_out_buffer_size = piece_size;
        asked_every_turn_ = false;  // readable() follows heard_all
        sessions.insert(this);
        set_terminator("\r\n\r\n");
    }

    void collect_incoming_data(std::string_view data) override {
        if (handling) return drop(data);
        const char before = ibuffer.empty() ? '\0' : ibuffer.back();
        ibuffer.append(data);
        if (!reading_headers) return be_patient();
        if (ibuffer.size() > most_head) throw http_error(431, "The headers are too long.");
        if (!http::may_be_head(before, data)) throw http_error(400, "That is not HTTP.");
    }

    void found_terminator() override {
        if (reading_headers) {
            reading_headers = false;
            parse_headers(ibuffer);
            ibuffer.clear();
            if (http::upper(request.op) == "POST") {
                const auto clen = http::content_length(request.fields, most_body);
                set_terminator(clen);
                be_patient();
                if (clen == 0) found_terminator();  // 0 means no terminator: none will be found
                else if (client_waits()) push_aside("HTTP/1.1 100 Continue\r\n\r\n");
            } else {
                handling = true;
                set_terminator(asynchat::none);
                handle_request();
            }
        } else if (!handling) {
            set_terminator(asynchat::none);  // browsers sometimes over-send
            form = http::parse(request.fields, ibuffer);
            received = ibuffer.size();
            handling = true;
            ibuffer.clear();
            handle_request();
        }
    }

    /// Comes when the client is gone, when it has said all it wants to say, and, by way of
    /// close_when_done(), when it has been sent all.
    void handle_close() override {
        if (!connected || std::current_exception()) return close();  // gone
        const bool sent_all = status != 0 && producer_fifo.empty();
        if (sent_all && !lingering && !heard_all) return linger();
        if (sent_all || heard_all) return close();
        heard_all = true;  // but it may still listen
        if (handling) return;
        if (reading_headers && ibuffer.empty()) return close();
        send_error(400, "The request ends in the middle.");
    }

    /// What a hook threw is being handled here, so a request is refused by throwing.
    void handle_error() override {
        try {
            throw;
        } catch (const http_error& error) {
            send_error(error.status, error.what());
        } catch (...) {
            async_chat::handle_error();
        }
    }

    /// Out-of-band data, which would be reported on every turn until somebody reads it.
    void handle_expt() override { close(); }

    /// At the end of file there is always something to read: nothing.
    bool readable() override { return !heard_all; }

    std::size_t send(std::string_view data) override {
        const auto count = async_chat::send(data);
        sent += count;
        if (count > 0) be_patient();
        return count;
    }

    void close() override {
        // Counts what was sent, not what was to be.
        if (sessions.erase(this) != 0 && status != 0)
            requests.line(addr.host(), arrived, request_line, status, sent - std::min(sent, aside));
        async_chat::close();
    }

    /// Standard output is for requests.
    void log_info(std::string_view message, std::string_view type) override {
        if (!ignore_log_types.contains(type)) log(std::string(type) + ": " + std::string(message));
    }

    /// Whoever is late is told, once, and then dropped.
    void check(clock_type::time_point now) {
        if (now < deadline) return;
        if (status != 0 || (reading_headers && ibuffer.empty())) return close();
        send_error(408, "That took too long.");
    }

private:
    void parse_headers(std::string_view head) {
        note_request();
        request = http::request(head);
    }

    void note_request() {
        if (!request_line.empty()) return;
        const auto begin = std::min(ibuffer.find_first_not_of("\r\n"), ibuffer.size());
        request_line = ibuffer.substr(begin, ibuffer.find("\r\n", begin) - begin);
        arrived = std::time(nullptr);
    }

    bool client_waits() const {
        return request.version != "HTTP/1.0" &&
               http::upper(request.fields.getheader("expect").value_or("")) == "100-CONTINUE";
    }

    void handle_request() {
        const auto op = http::upper(request.op);
        if (op == "POST") send_form();
        else if (op == "GET" || op == "HEAD") send_file();
        else throw http_error(501, "This server knows GET, HEAD and POST.");
    }

    void send_form() {
        std::string rows;
        for (const auto& [name, value] : form)
            rows += "<tr><th>" + html_escaped(name) + "<td>" + html_escaped(value) + "\n";
        const auto size = "<p>" + std::to_string(received) + " bytes received.\n";
        const auto table =
            rows.empty() ? "<p>No form fields.\n" : "<table>\n" + rows + "</table>\n";
        send_page(200, "POST " + request.path(), size + table);
    }

    void send_file() {
        auto path = request.path();
        auto file = root.open(path);
        if (file.is_folder()) {
            if (!path.ends_with('/')) return send_elsewhere(path);
            try {
                auto index = root.open(path + "index.html");
                if (index.is_folder()) return send_index(path, file);
                file = std::move(index);
                path += "index.html";
            } catch (const http_error& error) {
                if (error.status != 404) throw;
                return send_index(path, file);
            }
        }
        const auto size = static_cast<std::uint64_t>(file.about.st_size);
        send_head(200, http::media_type(path), size,
                  "Last-Modified: " + http::http_date(file.about.st_mtime) + "\r\n");
        if (sends_body()) push_with_producer(http::file_producer(std::move(file.fd), size));
        close_when_done();
    }

    void send_index(const std::string& path, const http::opened& folder) {
        send_page(200, "Index of " + path, http::folder_index(folder));
    }

    /// A folder's links are relative, so its URL has to end in a slash.
    void send_elsewhere(std::string_view path) {
        // It begins with one slash only: //name would be another host.
        std::string url;
        while (!path.empty()) {
            path.remove_prefix(1);
            const auto name = path.substr(0, path.find('/'));
            if (!name.empty()) url += "/" + http::percent_encoded(name);
            path.remove_prefix(name.size());
        }
        url += '/';
        send_page(301, "Moved Permanently", "<p><a href=\"" + url + "\">" + url + "</a>\n",
                  "Location: " + url + "\r\n");
    }

    void send_error(int code, std::string_view why) {
        note_request();
        handling = true;
        set_terminator(asynchat::none);
        ibuffer.clear();
        const auto title = std::to_string(code) + " " + std::string(http::reason(code));
        send_page(code, title, "<p>" + html_escaped(why) + "\n");
    }

    void send_page(int code, std::string_view title, std::string_view body,
                   const std::string& more_fields = "") {
        auto page = http::html_page(title, body);
        send_head(code, "text/html; charset=utf-8", page.size(), more_fields);
        if (sends_body())
            push_with_producer(asynchat::simple_producer(std::move(page), piece_size));
        close_when_done();
    }

    void send_head(int code, std::string_view type, std::uint64_t size,
                   const std::string& more_fields) {
        status = code;
        std::string head = "HTTP/1.0 " + std::to_string(code) + " ";
        head.append(http::reason(code)).append("\r\nServer: asynchat\r\nConnection: close\r\n");
        head += "Date: " + http::http_date(std::time(nullptr)) + "\r\n" + more_fields;
        head.append("Content-Type: ")
            .append(type)
            .append("\r\nX-Content-Type-Options: nosniff\r\n");
        push_aside(head + "Content-Length: " + std::to_string(size) + "\r\n\r\n");
    }

    /// What is not body.
    void push_aside(std::string_view text) {
        aside += text.size();
        push(text);
    }

    bool sends_body() const { return !http::upper(request_line).starts_with("HEAD "); }

    /// To close now, with bytes of the client unread, would reset the connection, and what it has
    /// not read of the answer would be lost.  So it is left the last word, for a while.
    void linger() {
        try {
            socket.shutdown(SHUT_WR);
        } catch (const std::system_error&) {
            return close();  // gone
        }
        lingering = true;
        deadline = clock_type::now() + lingering_time;
    }

    void drop(std::string_view data) {
        dropped += data.size();
        if (dropped > most_dropped) close();
    }

    void be_patient() { deadline = clock_type::now() + patience; }

    session_set& sessions;
    http::access_log& requests;
    const http::document_root& root;

    std::string ibuffer;
    bool reading_headers = true;
    bool handling = false;   // the request is complete, or refused: what else comes is dropped
    bool heard_all = false;  // the client has sent its end of file
    bool lingering = false;
    http::request request;
    http::form form;
    std::size_t received = 0;  // bytes of body

    int status = 0;  // of the answer; 0: there is none yet
    std::string request_line;
    std::time_t arrived = 0;
    std::uint64_t sent = 0;   // bytes, of which
    std::uint64_t aside = 0;  // so many at most are not body
    std::size_t dropped = 0;
    clock_type::time_point deadline = clock_type::now() + patience;
};

/// As many as there are descriptors for: a session needs two, its socket and its file.
std::size_t most_sessions() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
    auto descriptors = std::min<rlim_t>(limit.rlim_cur, 100'000);
    if (asyncore::socket_map.mechanism() == "select")
        descriptors = std::min<rlim_t>(descriptors, FD_SETSIZE);
    return static_cast<std::size_t>(std::max<rlim_t>(descriptors, 34) - 32) / 2;
}

class http_server : public asyncore::dispatcher {
public:
    http_server(std::uint16_t port, const std::string& folder) : root(folder) {
        create_socket();
        set_reuse_addr();
        bind({"127.0.0.1", port});
        listen(1024);
        addr = socket.getsockname();
    }

    void handle_accepted(socket_t sock, const address& peer) override {
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
        asyncore::spawn<http_request_handler>(std::move(sock), peer, sessions, requests, root);
    }

    /// Asked on every turn, and so our clock too.
    bool readable() override {
        const auto now = clock_type::now();
        if (now >= next_check) {
            next_check = now + seconds(1);
            for (auto each = sessions.begin(); each != sessions.end();) (*each++)->check(now);
        }
        return now >= rests_until && sessions.size() < most;
    }

    /// One connection went wrong.  A dispatcher would close; a server goes on.
    void handle_error() override {
        try {
            throw;
        } catch (const std::exception& error) {
            log(std::string("cannot accept: ") + error.what());
        }
        rests_until = clock_type::now() + seconds(1);
    }

    /// Standard output is for requests.
    void log_info(std::string_view message, std::string_view type) override {
        if (!ignore_log_types.contains(type)) log(std::string(type) + ": " + std::string(message));
    }

    const http::document_root root;

private:
    session_set sessions;
    http::access_log requests{std::cout};
    const std::size_t most = most_sessions();
    clock_type::time_point next_check = clock_type::now();
    clock_type::time_point rests_until = next_check;
};

template <class Number>
Number number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        throw std::invalid_argument("not a number in range: " + std::string(text));
    return value;
}

void run(const std::vector<std::string_view>& words) {
    std::uint16_t port = 0;
    std::string folder = ".";
    for (std::size_t i = 0; i < words.size(); i += 2) {
        const auto word = words[i];
        if (word != "--port" && word != "--root" && word != "--poller" && word != "--timeout")
            throw std::invalid_argument("what is " + std::string(word) + "?");
        if (i + 1 == words.size())
            throw std::invalid_argument(std::string(word) + " needs a value");
        const auto value = words[i + 1];
        if (word == "--port") port = number<std::uint16_t>(value);
        else if (word == "--root") folder = value;
        else if (word == "--poller") asyncore::socket_map.use(std::string(value));
        else patience = seconds(number<std::uint16_t>(value));
    }
    const asyncore::interrupt_on_sigint ctrl_c;
    http_server server(port, folder);
    const auto url = "http://127.0.0.1:" + std::to_string(server.addr.port()) + "/";
    std::cout << "Serving " << server.root.name() << "/ on " << url << " with "
              << asyncore::socket_map.mechanism() << "\nTry: curl -i " << url << std::endl;
    try {
        asyncore::loop(1.0);
    } catch (const asyncore::KeyboardInterrupt&) {
        asyncore::close_all();
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);  // as Python does; whoever reads the log may stop reading
    try {
        run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::cerr << "http_server: " << error.what() << '\n';
        return 2;
    }
}
