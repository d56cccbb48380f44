// A web server: the http_request_handler of asynchat's manual, ported and finished.
//
//     http_server [--port N] [--root DIR] [--poller NAME]
//                 [--timeout SECONDS] [--least-rate BYTES] [--linger SECONDS]
//
// GET and HEAD serve the files below DIR, which is the current folder by default.  POST shows what
// the client sent.  With port 0, the default, the system picks a free port.  It listens on
// 127.0.0.1, so only this machine can connect.  Ctrl-C ends it.
//
// The server drops a client whose head does not arrive in --timeout, 60 seconds by default; that
// sends a body or takes an answer at less than --least-rate, 500 bytes a second by default; or that
// stays --linger seconds after the answer, 5 by default, and sends nothing.
//
// Read http/request_handler.cpp first; it has what happens on a connection.  http/listener.cpp
// accepts the connections.  The other files in http/ know nothing of channels.
#include <asyncore/asyncore.hpp>

#include "command_line.hpp"
#include "http/listener.hpp"

#include <chrono>
#include <csignal>
#include <iostream>
#include <string>

namespace {

struct options {
    std::uint16_t port = 0;
    std::string folder = ".";
    std::string poller;
    http::limits limits;
};

std::chrono::seconds seconds(std::string_view text) {
    return std::chrono::seconds(number<std::uint16_t>(text));
}

options parse(command_line line) {
    options given;
    while (!line.empty()) {
        const auto word = line.take();
        if (word == "--port") given.port = number<std::uint16_t>(line.take_value_of(word));
        else if (word == "--root") given.folder = line.take_value_of(word);
        else if (word == "--poller") given.poller = line.take_value_of(word);
        else if (word == "--timeout") given.limits.patience = seconds(line.take_value_of(word));
        else if (word == "--linger") given.limits.lingering = seconds(line.take_value_of(word));
        else if (word == "--least-rate")
            given.limits.least_rate = number<std::uint32_t>(line.take_value_of(word));
        else refuse_word(word);
    }
    return given;
}

void run(const options& given) {
    if (!given.poller.empty()) asyncore::socket_map.use(given.poller);
    const asyncore::interrupt_on_sigint ctrl_c;
    http::listener server(given.port, given.folder, given.limits);
    const auto url = "http://127.0.0.1:" + std::to_string(server.addr.port()) + "/";
    std::cout << "Serving " << server.root() << "/ on " << url << " with "
              << asyncore::socket_map.mechanism() << "\nTry: curl -i " << url << std::endl;
    try {
        asyncore::loop(1.0);  // the server looks at the clock on every turn
    } catch (const asyncore::KeyboardInterrupt&) {
        asyncore::close_all();
    }
}

}  // namespace

int main(int argc, char** argv) {
    // As Python does.  The program that reads the log may close its end of the pipe.
    std::signal(SIGPIPE, SIG_IGN);
    try {
        run(parse({argc, argv}));
    } catch (const std::exception& error) {
        std::cerr << "http_server: " << error.what() << '\n';
        return 2;
    }
}
