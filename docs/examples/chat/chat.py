"""A chat server, as programs on asyncore and asynchat were written: python3 chat.py [PORT].

A session says NICK name, SAY text, WHO or QUIT.  A datagram to the same port is answered with what the server counts.
"""

import asynchat
import asyncore
import socket
import sys


class ChatServer(asyncore.dispatcher):
    """Accepts sessions, and gives what one session says to all other sessions."""

    def __init__(self, address, session_class, map=None):
        asyncore.dispatcher.__init__(self, map=map)
        self.session_class = session_class
        self.sessions = []
        self.lines = 0
        self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.set_reuse_addr()
        self.bind(address)
        self.listen(5)

    def handle_accepted(self, sock, addr):
        self.session_class(self, sock, self._map)

    def join(self, session):
        self.sessions.append(session)

    def leave(self, session):
        if session in self.sessions:
            self.sessions.remove(session)

    def broadcast(self, line, sender):
        self.lines += 1
        for session in list(self.sessions):
            if session is not sender:
                session.reply(line)

    def names(self):
        return sorted(session.name for session in self.sessions if session.name)


class ChatSession(asynchat.async_chat):
    """One connection."""

    def __init__(self, server, sock, map=None):
        asynchat.async_chat.__init__(self, sock, map)
        self.server = server
        self.name = ""
        self.received = []
        self.set_terminator(b"\r\n")
        server.join(self)
        self.reply("welcome")

    def reply(self, line):
        self.push(line.encode("utf-8") + b"\r\n")

    def collect_incoming_data(self, data):
        self.received.append(data)

    def found_terminator(self):
        line = b"".join(self.received).decode("utf-8", "replace")
        self.received = []
        command, _, rest = line.partition(" ")
        method = getattr(self, "do_" + command.upper(), None)
        if method is None:
            self.reply("what? " + command)
        else:
            method(rest)

    def do_NICK(self, name):
        if not name or name in self.server.names():
            self.reply("no")
            return
        self.name = name
        self.reply("hello " + name)
        self.server.broadcast(name + " is here", self)

    def do_SAY(self, text):
        if not self.name:
            self.reply("who?")
            return
        self.server.broadcast(self.name + ": " + text, self)

    def do_WHO(self, _):
        self.reply(" ".join(self.server.names()))

    def do_QUIT(self, _):
        self.reply("bye")
        self.close_when_done()

    def handle_close(self):
        self.close()
        self.server.leave(self)
        if self.name:
            self.server.broadcast(self.name + " is gone", self)


class StatusPort(asyncore.dispatcher):
    """Answers each datagram."""

    def __init__(self, server, address, map=None):
        asyncore.dispatcher.__init__(self, map=map)
        self.server = server
        self.create_socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.bind(address)

    def writable(self):
        return False

    def handle_read(self):
        question, addr = self.socket.recvfrom(512)
        answer = "%d sessions, %d lines" % (len(self.server.sessions), self.server.lines)
        self.socket.sendto(answer.encode("ascii"), addr)


def serve(address, map=None):
    server = ChatServer(address, ChatSession, map)
    return server, StatusPort(server, server.socket.getsockname(), map)


if __name__ == "__main__":
    serve(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 7000))
    asyncore.loop()
