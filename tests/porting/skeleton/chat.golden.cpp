// A skeleton of chat.py, written by docs/porting/skeleton.py.  What stands behind // is the
// Python.  Each TODO(port) is a body, or a choice, that is left to the person who ports it.
#include <asynchat/asynchat.hpp>
#include <asyncore/asyncore.hpp>

#include <any>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC diagnostic ignored "-Wunused-parameter"  // remove it when the bodies are ported

namespace chat_port {

class ChatServer;
class ChatSession;
class StatusPort;

// class ChatServer: chat.py, line 12
class ChatServer : public asyncore::dispatcher {
public:
    std::any session_class;  // TODO(port): its type. self.session_class = session_class, line 17
    std::vector<std::string> sessions;  // self.sessions = [], line 18
    long lines = 0;  // self.lines = 0, line 19

    ChatServer(const asyncore::address& address, const std::any& session_class, asyncore::channel_map* map = {})
        : asyncore::dispatcher(map), session_class(session_class) {
        // TODO(port): __init__, line 15
        // asyncore.dispatcher.__init__(self, map=map)
        // self.session_class = session_class
        // self.sessions = []
        // self.lines = 0
        // self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        // self.set_reuse_addr()
        // self.bind(address)
        // self.listen(5)
    }

    void handle_accepted(asyncore::socket_t sock, const asyncore::address& addr) override {
        // TODO(port): handle_accepted, line 25
        // self.session_class(self, sock, self._map)
    }

    void join(const std::any& session) {
        // TODO(port): join, line 28
        // self.sessions.append(session)
    }

    void leave(const std::any& session) {
        // TODO(port): leave, line 31
        // if session in self.sessions:
        //     self.sessions.remove(session)
    }

    void broadcast(const std::string& line, const std::any& sender) {
        // TODO(port): broadcast, line 35
        // self.lines += 1
        // for session in list(self.sessions):
        //     if session is not sender:
        //         session.reply(line)
    }

    std::any names() {
        // TODO(port): names, line 41
        // return sorted(session.name for session in self.sessions if session.name)
        return {};
    }
};

// class ChatSession: chat.py, line 45
class ChatSession : public asynchat::async_chat {
public:
    std::any server;  // TODO(port): its type. self.server = server, line 50
    std::string name = "";  // self.name = "", line 51
    std::vector<std::string> received;  // self.received = [], line 52

    ChatSession(const std::any& server, asyncore::socket_t sock, asyncore::channel_map* map = {})
        : asynchat::async_chat(std::move(sock), map), server(server) {
        // TODO(port): __init__, line 48
        // asynchat.async_chat.__init__(self, sock, map)
        // self.server = server
        // self.name = ""
        // self.received = []
        // self.set_terminator(b"\r\n")
        // server.join(self)
        // self.reply("welcome")
    }

    void reply(const std::string& line) {
        // TODO(port): reply, line 57
        // self.push(line.encode("utf-8") + b"\r\n")
    }

    void collect_incoming_data(std::string_view data) override {
        // TODO(port): collect_incoming_data, line 60
        // self.received.append(data)
    }

    void found_terminator() override {
        // TODO(port): found_terminator, line 63
        // line = b"".join(self.received).decode("utf-8", "replace")
        // self.received = []
        // command, _, rest = line.partition(" ")
        // method = getattr(self, "do_" + command.upper(), None)
        // if method is None:
        //     self.reply("what? " + command)
        // else:
        //     method(rest)
    }

    void do_NICK(const std::string& name) {
        // TODO(port): do_NICK, line 73
        // if not name or name in self.server.names():
        //     self.reply("no")
        //     return
        // self.name = name
        // self.reply("hello " + name)
        // self.server.broadcast(name + " is here", self)
    }

    void do_SAY(const std::string& text) {
        // TODO(port): do_SAY, line 81
        // if not self.name:
        //     self.reply("who?")
        //     return
        // self.server.broadcast(self.name + ": " + text, self)
    }

    void do_WHO(const std::any& _) {
        // TODO(port): do_WHO, line 87
        // self.reply(" ".join(self.server.names()))
    }

    void do_QUIT(const std::any& _) {
        // TODO(port): do_QUIT, line 90
        // self.reply("bye")
        // self.close_when_done()
    }

    void handle_close() override {
        // TODO(port): handle_close, line 94
        // self.close()
        // self.server.leave(self)
        // if self.name:
        //     self.server.broadcast(self.name + " is gone", self)
    }
};

// class StatusPort: chat.py, line 101
class StatusPort : public asyncore::dispatcher {
public:
    std::any server;  // TODO(port): its type. self.server = server, line 106

    StatusPort(const std::any& server, const asyncore::address& address, asyncore::channel_map* map = {})
        : asyncore::dispatcher(map), server(server) {
        // TODO(port): __init__, line 104
        // asyncore.dispatcher.__init__(self, map=map)
        // self.server = server
        // self.create_socket(socket.AF_INET, socket.SOCK_DGRAM)
        // self.bind(address)
    }

    bool writable() override {
        // TODO(port): writable, line 110
        // return False
        return false;
    }

    void handle_read() override {
        // TODO(port): handle_read, line 113
        // question, addr = self.socket.recvfrom(512)
        // answer = "%d sessions, %d lines" % (len(self.server.sessions), self.server.lines)
        // self.socket.sendto(answer.encode("ascii"), addr)
    }
};

std::any serve(const asyncore::address& address, asyncore::channel_map* map = {}) {
    // TODO(port): serve, line 119
    // server = ChatServer(address, ChatSession, map)
    // return server, StatusPort(server, server.socket.getsockname(), map)
    return {};
}

}  // namespace chat_port

int main(int argc, char** argv) {
    asynchat::async_chat::default_ac_in_buffer_size = 65536;
    asynchat::async_chat::default_ac_out_buffer_size = 65536;
    const asyncore::interrupt_on_sigint stoppable;
    try {
        // TODO(port): line 125
        // serve(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 7000))
        // asyncore.loop()
        asyncore::loop();
    } catch (const asyncore::KeyboardInterrupt&) {
    }
}
