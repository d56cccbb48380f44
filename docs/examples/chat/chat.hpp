// The classes of chat.py, in C++.  As long as one of the classes is Python, each speaks to the next as to an
// object of Python.
#pragma once

#include <asynchat/async_chat.hpp>
#include <asyncore/dispatcher.hpp>
#include <asyncore/python/convert.hpp>

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>
#include <vector>

namespace chat {

using asyncore::address;
using asyncore::channel_map;
using asyncore::socket_t;
using asyncore::python::call;
using asyncore::python::call_method;
using asyncore::python::object;

/// Accepts sessions, and gives what one session says to all other sessions.
class ChatServer : public asyncore::dispatcher {
public:
    object session_class;
    std::vector<object> sessions;
    long lines = 0;

    ChatServer(const address& where, object made, channel_map* map)
        : dispatcher(map), session_class(std::move(made)) {
        create_socket(AF_INET, SOCK_STREAM);
        set_reuse_addr();
        bind(where);
        listen(5);
    }

    void handle_accepted(socket_t sock, const address&) override {
        call(session_class, this, std::move(sock), _map);
    }

    void join(object session) { sessions.push_back(std::move(session)); }

    void leave(const object& session) {
        std::erase_if(sessions, [&](const object& each) { return each.get() == session.get(); });
    }

    void broadcast(const std::string& line, const object& sender) {
        ++lines;
        for (const auto& session : std::vector(sessions))
            if (session.get() != sender.get()) call_method(session, "reply", line);
    }

    std::vector<std::string> names() {
        std::vector<std::string> all;
        for (const auto& session : sessions) {
            const auto name = asyncore::python::get<std::string>(session, "name");
            if (!name.empty()) all.push_back(name);
        }
        std::sort(all.begin(), all.end());
        return all;
    }
};

/// One connection.
class ChatSession : public asynchat::async_chat {
public:
    object server;
    std::string name;

    ChatSession(object owner, socket_t sock, channel_map* map)
        : async_chat(std::move(sock), map), server(std::move(owner)) {
        set_terminator("\r\n");
        call_method(server, "join", this);
        reply("welcome");
    }

    void reply(const std::string& line) { push(line + "\r\n"); }

    void collect_incoming_data(std::string_view data) override { _collect_incoming_data(data); }

    void found_terminator() override {
        const auto line = _get_data();
        const auto space = std::min(line.find(' '), line.size());
        auto command = line.substr(0, space);
        const auto rest = line.substr(std::min(space + 1, line.size()));
        const auto asked = command;
        std::transform(command.begin(), command.end(), command.begin(),
                       [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        if (command == "NICK") do_NICK(rest);
        else if (command == "SAY") do_SAY(rest);
        else if (command == "WHO") do_WHO();
        else if (command == "QUIT") do_QUIT();
        else reply("what? " + asked);
    }

    void do_NICK(const std::string& wanted) {
        const auto names = call_method<std::vector<std::string>>(server, "names");
        if (wanted.empty() || std::count(names.begin(), names.end(), wanted) > 0)
            return reply("no");
        name = wanted;
        reply("hello " + name);
        call_method(server, "broadcast", name + " is here", this);
    }

    void do_SAY(const std::string& text) {
        if (name.empty()) return reply("who?");
        call_method(server, "broadcast", name + ": " + text, this);
    }

    void do_WHO() {
        std::string all;
        for (const auto& each : call_method<std::vector<std::string>>(server, "names"))
            all += (all.empty() ? "" : " ") + each;
        reply(all);
    }

    void do_QUIT() {
        reply("bye");
        close_when_done();
    }

    void handle_close() override {
        close();
        call_method(server, "leave", this);
        if (!name.empty()) call_method(server, "broadcast", name + " is gone", this);
    }
};

/// Answers each datagram.
class StatusPort : public asyncore::dispatcher {
public:
    object server;

    StatusPort(object counted, const address& where, channel_map* map)
        : dispatcher(map), server(std::move(counted)) {
        create_socket(AF_INET, SOCK_DGRAM);
        bind(where);
    }

    bool writable() override { return false; }

    void handle_read() override {
        char question[512];
        address from;
        socket.recvfrom(question, from);
        const auto sessions = asyncore::python::get<std::vector<object>>(server, "sessions");
        const auto lines = asyncore::python::get<long>(server, "lines");
        socket.sendto(std::to_string(sessions.size()) + " sessions, " + std::to_string(lines) +
                          " lines",
                      from);
    }
};

}  // namespace chat
