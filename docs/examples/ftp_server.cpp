// An FTP server: medusa's and pyftpdlib's, ported.
//
//     ftp_server [--host ADDRESS] [--port N] [--root DIR] [--write] [--user NAME:PASSWORD:DIR[:PERM]]
//                [--users FILE] [--passive-ports FIRST-LAST] [--max-connections N]
//                [--max-per-address N] [--login-attempts N] [--poller NAME] [--log FILE]
//                [--timeout S] [--login-timeout S] [--accept-timeout S] [--data-timeout S]
//                [--login-delay S] [--linger S]
//
// The user "anonymous" may read the files below DIR, and write them with --write.  --user, which may
// be given several times, adds another user; FILE has a line of that form for each user.  With port 0,
// the default, the system picks a free port.  It listens on 127.0.0.1 unless --host says otherwise.
// Ctrl-C ends it.  FTP has no secrecy: passwords and files can be read on their way.
//
// S is in seconds.  ftp/settings.hpp says what each limit is, and its default.
//
// Read ftp/handler.cpp first; it has what happens on a control connection.  ftp/data_channel.cpp has
// the data connections.  ftp/filesystem.cpp keeps the paths below DIR.
#include <asyncore/asyncore.hpp>
#include <asyncore/log/loggers.hpp>

#include "command_line.hpp"
#include "ftp/servers.hpp"

#include <csignal>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

namespace {

struct options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    std::string folder, poller, log;
    bool may_write = false;
    std::shared_ptr<ftp::DummyAuthorizer> users = std::make_shared<ftp::DummyAuthorizer>();
    ftp::settings set;
};

void add_users_of(ftp::DummyAuthorizer& users, const std::string& path) {
    std::ifstream file(path);
    if (!file) throw std::invalid_argument("cannot read " + path);
    users.add_users_of(file);
}

void parse_ports(ftp::settings& set, std::string_view range) {
    const auto dash = range.find('-');
    set.first_passive_port = number<std::uint16_t>(range.substr(0, dash));
    set.last_passive_port = number<std::uint16_t>(range.substr(dash + 1));
    if (set.first_passive_port == 0 || set.first_passive_port > set.last_passive_port)
        throw std::invalid_argument("not a range of ports: " + std::string(range));
}

/// Where the value of an option goes, if it is a number; null if it is none.
double* seconds_of(ftp::settings& set, std::string_view word) {
    if (word == "--timeout") return &set.timeout;
    if (word == "--login-timeout") return &set.login_timeout;
    if (word == "--accept-timeout") return &set.accept_timeout;
    if (word == "--data-timeout") return &set.data_timeout;
    if (word == "--login-delay") return &set.auth_failed_timeout;
    if (word == "--linger") return &set.linger;
    return nullptr;
}

options parse(command_line line) {
    options given;
    auto& set = given.set;
    while (!line.empty()) {
        const auto word = line.take();
        if (word == "--write") given.may_write = true;
        else if (auto* seconds = seconds_of(set, word))
            *seconds = number<double>(line.take_value_of(word));
        else if (word == "--host") given.host = line.take_value_of(word);
        else if (word == "--port") given.port = number<std::uint16_t>(line.take_value_of(word));
        else if (word == "--root") given.folder = line.take_value_of(word);
        else if (word == "--user") given.users->add_user_of(line.take_value_of(word));
        else if (word == "--users")
            add_users_of(*given.users, std::string(line.take_value_of(word)));
        else if (word == "--poller") given.poller = line.take_value_of(word);
        else if (word == "--log") given.log = line.take_value_of(word);
        else if (word == "--passive-ports") parse_ports(set, line.take_value_of(word));
        else if (word == "--max-connections")
            set.max_cons = number<std::uint32_t>(line.take_value_of(word));
        else if (word == "--max-per-address")
            set.max_cons_per_ip = number<std::uint32_t>(line.take_value_of(word));
        else if (word == "--login-attempts")
            set.max_login_attempts = number<std::uint16_t>(line.take_value_of(word));
        else refuse_word(word);
    }
    return given;
}

/// Closes the sessions before the server is destroyed, which they use.
struct closing {
    ~closing() {
        try {
            asyncore::close_all(nullptr, true);
        } catch (const std::bad_alloc&) {
            // There was no memory for the list of channels.  The process ends, and closes them.
        }
    }
};

void run(const options& given) {
    if (!given.poller.empty()) asyncore::socket_map.use(given.poller);
    std::optional<asyncore::file_logger> log;
    if (!given.log.empty()) asyncore::socket_map.log = std::ref(log.emplace(given.log));
    const auto perms =
        given.may_write ? ftp::DummyAuthorizer::all_perms : ftp::DummyAuthorizer::read_perms;
    if (!given.folder.empty()) given.users->add_anonymous(given.folder, perms);
    const asyncore::interrupt_on_sigint ctrl_c;
    ftp::FTPServer server({given.host, given.port}, given.users, given.set);
    const closing at_the_end;
    const auto host = server.addr.family() == AF_INET6 ? "[" + given.host + "]" : given.host;
    std::cout << "Serving ftp://" << host << ":" << server.addr.port() << "/ with "
              << asyncore::socket_map.mechanism() << std::endl;
    try {
        asyncore::loop();
    } catch (const asyncore::KeyboardInterrupt&) {
    }
}

}  // namespace

int main(int argc, char** argv) {
    // As Python does.  The program that reads the log may close its end of the pipe.
    std::signal(SIGPIPE, SIG_IGN);
    try {
        run(parse({argc, argv}));
    } catch (const std::exception& error) {
        std::cerr << "ftp_server: " << error.what() << '\n';
        return 2;
    }
}
