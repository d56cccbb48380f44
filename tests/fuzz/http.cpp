// A session of the HTTP server in docs/examples: its answer is well-formed, and it is the same however
// the request was cut into pieces.
#include "../../docs/examples/http/request_handler.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <regex>
#include <sstream>
#include <string>

#include "../support.hpp"
#include "protocol.hpp"

namespace {

using fuzz::fail;
using namespace std::string_view_literals;

constexpr std::string_view phrases[] = {"GET ",
                                        "HEAD ",
                                        "POST ",
                                        "/",
                                        " HTTP/1.0\r\n",
                                        " HTTP/1.1\r\n",
                                        "\r\n",
                                        "\r\n\r\n",
                                        "Host: a\r\n",
                                        "Host: ",
                                        "Content-Length: ",
                                        "Content-Type: ",
                                        "Transfer-Encoding: chunked\r\n",
                                        "Expect: 100-continue\r\n",
                                        "application/x-www-form-urlencoded\r\n",
                                        "multipart/form-data; boundary=",
                                        "--",
                                        "b\r\n",
                                        "Content-Disposition: form-data; name=",
                                        "\"",
                                        "; filename=\"f\"",
                                        "a=b&c=%41+d",
                                        "%2e%2e/",
                                        "%0d%0a",
                                        "%00",
                                        "folder",
                                        "folder/",
                                        "empty",
                                        "link",
                                        "index.html",
                                        "?q=1",
                                        "http://a/",
                                        "GET / HTTP/1.0\r\n\r\n",
                                        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ",
                                        "Content-Type: multipart/form-data; boundary=b\r\n",
                                        "\r\n--b\r\n",
                                        "\r\n--b--\r\n",
                                        ": ",
                                        "; ",
                                        "100",
                                        "\t",
                                        "../"};

/// The folder that the sessions serve.  It is removed when the program ends.
const std::string& folder() {
    static const support::TempDir made;
    static const std::string name = [] {
        std::filesystem::create_directory(made / "folder");
        support::write_file(made / "folder/<&>", "");
        support::write_file(made / "index.html", "<p>index\n");
        support::write_file(made / "empty", "");
        std::filesystem::create_symlink("/", made / "link");
        return made / "";
    }();
    return name;
}

/// What a server shares.  Each input has a new one.
struct shared {
    std::ostringstream log;
    http::site site{
        http::document_root(folder()), http::access_log(log), {}, {}, http::clock::time_point()};
};

class session : public http::request_handler {
public:
    using http::request_handler::request_handler;
    /// The only exception that a request may cause is an http_error, which becomes an answer.
    void log_info(std::string_view message, std::string_view type) override {
        if (type == "error") fail("uncaught: " + std::string(message));
    }
};

/// What a client hears that sends `text` in pieces, and then half-closes.
std::string answer_to(std::string_view text, fuzz::cutter pieces) {
    shared all;
    auto [ours, theirs] = asyncore::socket_t::pair();
    const auto channel =
        asyncore::spawn<session>(std::move(theirs), asyncore::address("127.0.0.1", 1), all.site);
    fuzz::client client(std::move(ours));
    while (!text.empty() && !client.closed) client.say(pieces.next(text), *channel);
    client.end(*channel);
    if (!all.site.sessions.empty()) fail("the session is open after its client has left");
    if (!client.closed) fail("the connection is open after its session has ended");
    const auto log = all.log.str();
    const auto lines = std::count(log.begin(), log.end(), '\n');
    if (lines != (client.heard.empty() ? 0 : 1)) fail("lines in the log: " + log);
    return client.heard;
}

std::string take_line(std::string_view& text) {
    const auto end = text.find("\r\n");
    if (end == text.npos) fail("a line without an end: " + std::string(text));
    const std::string line(text.substr(0, end));
    text.remove_prefix(end + 2);
    return line;
}

/// Verifies the form of an answer.
/// Returns: the answer without the time.
std::string checked(std::string_view answer) {
    std::string result;
    constexpr auto interim = "HTTP/1.1 100 Continue\r\n\r\n"sv;
    if (answer.starts_with(interim)) answer.remove_prefix(interim.size());
    if (answer.empty()) return result;
    const auto status = take_line(answer);
    static const std::regex first("HTTP/1\\.0 [1-5][0-9][0-9] [A-Za-z ]+");
    if (!std::regex_match(status, first)) fail("status line: " + status);
    result += status + "\n";
    std::size_t length = std::string::npos;
    while (true) {
        const auto line = take_line(answer);
        if (line.empty()) break;
        static const std::regex header("[A-Z][A-Za-z-]*: [\x20-\x7e]+");
        if (!std::regex_match(line, header)) fail("header line: " + line);
        if (line.starts_with("Content-Length: ")) {
            if (length != std::string::npos) fail("two lengths");
            length = std::strtoul(line.c_str() + 16, nullptr, 10);
        }
        if (!line.starts_with("Date: ")) result += line + "\n";
    }
    // An answer to HEAD has no body.
    if (!answer.empty() && answer.size() != length)
        fail("body of " + std::to_string(answer.size()) + " bytes, not " + std::to_string(length));
    return result.append(answer);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::decisions input(data, size);
    const auto most = input.next(1, 32), seed = input.next();
    const auto text = fuzz::text_of(input, phrases);
    const auto whole = checked(answer_to(text, {1 << 30, 0}));
    fuzz::check_same("answer to one piece, and to many", whole,
                     checked(answer_to(text, {most, seed})));
    return 0;
}
