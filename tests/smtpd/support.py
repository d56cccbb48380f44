"""Servers under test, and one end of a dialogue."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE = 60  # seconds, for what must happen at once; a slow machine may take longer
FOLDER = pathlib.Path(__file__).parent


def find_python():
    """The command of a CPython that has smtpd, or None."""
    for name in (sys.executable, "python3", "python3.11", "python3.10", "python3.9"):
        program = shutil.which(name)
        if program and not subprocess.run([program, "-c", "import smtpd"], capture_output=True).returncode:
            return [program]
    return None


class Server:
    """A process that prints the port on which it listens; what it prints goes to files."""

    def __init__(self, *command, poller=None):
        self.folder = tempfile.TemporaryDirectory()
        self.out = pathlib.Path(self.folder.name, "out")
        self.err = pathlib.Path(self.folder.name, "err")
        env = dict(os.environ, PYTHONUNBUFFERED="1", **({"ASYNCORE_POLLER": poller} if poller else {}))
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=err, env=env)
        self.pid = self.process.pid
        self.port = int(self.wait_for(rb"^PORT (\d+)\n").group(1))

    def wait_for(self, pattern):
        end = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.err.read_bytes(), re.M)):
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError("no %r in %r" % (pattern, self.err.read_bytes()))
            time.sleep(0.002)
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.folder.cleanup()

    def stop(self):
        """Returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def messages(self):
        """What a Recorder has recorded: pairs of the line about a message, and its bytes."""
        rest, found = self.out.read_bytes(), []
        while rest:
            about, _, rest = rest.partition(b"\n")
            size = int(about.rpartition(b" ")[2])
            found.append((about.decode(), rest[:size]))
            rest = rest[size + 1:]
        return found


class Talk:
    """A connection to a server."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def reply(self):
        """One reply, of one line or more.  Empty: the server has closed."""
        lines = b""
        try:
            # A server that sends in two pieces waits for the first to be acknowledged.
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            while line := self.file.readline():
                lines += line
                if line[3:4] != b"-":
                    break
        except ConnectionResetError:
            pass
        return lines

    def say(self, data):
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return b""
        return self.reply()

    def rest(self):
        """Says that this is all.  What the server still replies; when it has closed, it has read everything."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            return self.file.read()
        except OSError:  # it has closed before
            return b""


def hold(port, dialogue):
    """Says each piece of a dialogue when the one before it is answered.  The replies.

    A piece may be answered by more than one; what is behind is read in the end."""
    with Talk(port) as talk:
        replies = [talk.reply()]
        for piece in dialogue:
            replies.append(talk.say(piece))
        return [*replies, talk.rest()]


def pour(port, data):
    """Says all of it at once.  All the replies until the server closes."""
    with Talk(port) as talk:
        talk.sock.sendall(data)
        return talk.file.read()


class Second:
    """The server behind a proxy: it says what it is told to say.

    `answers` has its reply to whatever begins with a key; None: it closes, as
    it does after half a line.  b"." is the end of a message, and
    b"greeting" what it says first; b"wait" there waits for `go_on`.
    """

    USUAL = {b"greeting": b"220 hello\r\n", b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n", b"": b"250 OK\r\n"}

    def __init__(self, answers):
        self.answers = {**self.USUAL, **answers}
        self.said = []  # by the proxy
        self.connected, self.go_on = threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(PATIENCE)
        self.listener.close()

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return  # __exit__
            with sock, sock.makefile("rb") as file:
                self.connected.set()
                try:
                    self.talk(sock, file)
                except ConnectionError:
                    pass

    def talk(self, sock, file):
        if self.answers[b"greeting"] == b"wait":
            self.go_on.wait(PATIENCE)
            self.answers[b"greeting"] = self.USUAL[b"greeting"]
        in_data, heard = False, b"greeting"
        while True:
            if not in_data or heard == b".\r\n":
                reply = self.answer(heard)
                if reply is None:
                    return
                sock.sendall(reply)
                if not reply.endswith(b"\n"):
                    return
                in_data = reply.startswith(b"354")
            heard = file.readline()
            self.said.append(heard)
            if not heard:
                return

    def answer(self, line):
        key = max((each for each in self.answers if line.upper().startswith(each.upper())), key=len)
        return self.answers[key]
