// What the tests of Lib/test/test_smtpd.py of 3.11 have in common.
#pragma once

#include <algorithm>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "../support.hpp"
#include "mock_socket.hpp"
#include "smtpd.hpp"

using asyncore::address;
using mock_socket::mock;
using mock_socket::mocked;
using py::list;
using support::HOST;
using support::HOSTv6;

/// Python: the arguments of process_message() that DummyServer keeps.
using message = std::tuple<address, std::string, list, std::string>;

/// A message from the peer of every MockSocket.
inline message from_peer(const std::string& mailfrom, const list& rcpttos,
                         const std::string& data) {
    return {{"peer-address", 1}, mailfrom, rcpttos, data};
}

class DummyServer : public mocked<smtpd::SMTPServer> {
public:
    std::vector<message> messages;
    std::string return_status = "return status";

    DummyServer(const address& localaddr, const address& remoteaddr,
                const smtpd::keywords& given = {}) {
        init(localaddr, remoteaddr, given);
    }

    std::string process_message(const address& peer, const std::string& mailfrom,
                                const list& rcpttos, const std::string& data,
                                const smtpd::options& kw) override {
        messages.emplace_back(peer, mailfrom, rcpttos, data);
        if (data == return_status) return "250 Okish";
        const auto& given = kw.mail_options;
        const bool utf8 = std::find(given.begin(), given.end(), "SMTPUTF8") != given.end();
        return utf8 ? "250 SMTPUTF8 message okish" : "";
    }

protected:
    DummyServer() = default;
};

/// Python: setUp() and tearDown() of every test.
class close_all_at_end {
public:
    close_all_at_end() = default;
    ~close_all_at_end() { asyncore::close_all(); }
    close_all_at_end(const close_all_at_end&) = delete;
    close_all_at_end& operator=(const close_all_at_end&) = delete;
};

/// The same, for tests that look at debugging prints.
class debug_at_hand : public close_all_at_end {
public:
    std::ostringstream debug;

    debug_at_hand() { smtpd::DEBUGSTREAM = &debug; }
    ~debug_at_hand() { smtpd::DEBUGSTREAM = old_debugstream_; }

private:
    std::ostream* const old_debugstream_ = smtpd::DEBUGSTREAM;
};

/// The channel of a client that just connected.
inline std::unique_ptr<smtpd::SMTPChannel> connected_to(smtpd::SMTPServer& server,
                                                        const smtpd::keywords& given = {}) {
    auto accepted = server.accept();
    auto& [conn, addr] = accepted.value();
    return std::make_unique<smtpd::SMTPChannel>(server, std::move(conn), addr, given);
}

inline void write_line(smtpd::SMTPChannel& channel, std::string_view line) {
    mock(channel.socket).queue_recv(line);
    channel.handle_read();
}

/// A server and a channel of it, with the same flags.
class one_channel : public debug_at_hand {
public:
    DummyServer server;
    std::unique_ptr<smtpd::SMTPChannel> channel;

    explicit one_channel(std::string_view host, const smtpd::keywords& of_server,
                         const smtpd::keywords& of_channel)
        : server({host, 0}, {"b", 0}, of_server), channel(connected_to(server, of_channel)) {}
    explicit one_channel(const smtpd::keywords& given) : one_channel(HOST, given, given) {}

    void write_line(std::string_view line) { ::write_line(*channel, line); }
    const std::string& last() { return mock(channel->socket).last; }
};
