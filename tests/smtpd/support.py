"""SMTP servers under test, and both ends of a dialogue."""

import contextlib
import pathlib
import socket
import sys
import threading

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.append(str(FOLDER.parent))
import cpython  # noqa: E402
from program import Server  # noqa: E402
from sockets import connect  # noqa: E402

PYTHON = cpython.find_python("smtpd")


class SMTPServer(Server):
    """A server that prints its port to standard error."""

    def __init__(self, *command, poller=None):
        poller = {"ASYNCORE_POLLER": poller} if poller else {}
        super().__init__(*command, stream="err", environment={"PYTHONUNBUFFERED": "1", **poller})

    def messages(self):
        """What a Recorder has recorded: pairs of the line about a message, and the bytes of the message."""
        rest, found = self.out.bytes(), []
        while rest:
            about, _, rest = rest.partition(b"\n")
            size = int(about.rpartition(b" ")[2])
            found.append((about.decode(), rest[:size]))
            rest = rest[size + 1:]
        return found


class Talk:
    """A client's connection to a server, which may close it or reset it at any time."""

    def __init__(self, port):
        self.sock = connect(port)
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def send(self, data):
        with contextlib.suppress(ConnectionError):  # the server has closed, perhaps after a reply
            self.sock.sendall(data)

    def reply(self):
        """Waits for one reply, of one line or more, and returns it.  It is empty where the server has closed."""
        lines = b""
        with contextlib.suppress(ConnectionResetError):
            # A server that sends in two pieces waits until the first is acknowledged.
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            while line := self.file.readline():
                lines += line
                if line[3:4] != b"-":
                    break
        return lines

    def say(self, data):
        """Sends the data, and returns the reply."""
        self.send(data)
        return self.reply()

    def read_all(self):
        """All replies until the server closes."""
        replies = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := self.file.read1():
                replies += piece
        return replies

    def finish(self):
        """Sends the end of file, and returns what the server still replies.  It has then read everything."""
        with contextlib.suppress(OSError):  # the server has closed before
            self.sock.shutdown(socket.SHUT_WR)
        return self.read_all()


def hold(port, dialogue):
    """Says each piece of a dialogue when the piece before it is answered, and returns the replies.

    A piece may have more than one reply: then the last element has the replies that were left."""
    with Talk(port) as talk:
        replies = [talk.reply()]
        for piece in dialogue:
            replies.append(talk.say(piece))
        return [*replies, talk.finish()]


def pour(port, data):
    """Says all of the data at once, and returns all replies until the server closes."""
    with Talk(port) as talk:
        talk.send(data)
        return talk.read_all()


SILENCE = b"silence\n"
DRIBBLE = b"dribble\n"


class Second:
    """The server behind a proxy; a test says what it replies.

    `answers` has the reply to each line that begins with a key, and the longest key counts.  b"." is the end of a
    message, and b"greeting" the beginning of the connection.  After None, and after half a line, the server closes.
    After SILENCE it says nothing until the proxy closes, and after DRIBBLE it says the same byte again and again.
    With b"wait" as the greeting it waits for `go_on` before it says the usual greeting.
    """

    USUAL = {b"greeting": b"220 hello\r\n", b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n", b"": b"250 OK\r\n"}

    def __init__(self, answers):
        self.answers = {**self.USUAL, **answers}
        self.said = []  # what the proxy said
        self.connected, self.go_on = threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)  # this ends accept()
        self.thread.join()
        self.listener.close()

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return  # the listener was shut down
            with sock, sock.makefile("rb") as file:
                self.connected.set()
                with contextlib.suppress(ConnectionError):
                    self.talk(sock, file)

    def talk(self, sock, file):
        if self.answers[b"greeting"] == b"wait":
            self.go_on.wait()
            self.answers[b"greeting"] = self.USUAL[b"greeting"]
        in_data, heard = False, b"greeting"
        while True:
            if not in_data or heard == b".\r\n":
                reply = self.answer(heard)
                if reply is None:
                    return
                if reply == DRIBBLE:
                    return self.dribble(sock)
                if reply != SILENCE:
                    sock.sendall(reply)
                if not reply.endswith(b"\n"):
                    return
                in_data = reply.startswith(b"354")
            heard = file.readline()
            self.said.append(heard)
            if not heard:
                return

    def dribble(self, sock):
        sock.settimeout(0.05)
        while True:
            sock.sendall(b"2")  # this fails when the proxy has closed
            with contextlib.suppress(TimeoutError):
                sock.recv(1)

    def answer(self, line):
        key = max((each for each in self.answers if line.upper().startswith(each.upper())), key=len)
        return self.answers[key]
