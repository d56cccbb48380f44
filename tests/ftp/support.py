"""The FTP server under test, and a client that says exactly what a test tells it to say."""

import pathlib
import re
import socket
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from program import LITTLE_QUARANTINE, Server  # noqa: E402
from sockets import connect, read_all  # noqa: E402

PATIENT = 65535  # seconds: a test may be slow, and the server waits
TIMEOUTS = ["--timeout", "--login-timeout", "--accept-timeout", "--data-timeout", "--linger"]


class FTPServer(Server):
    """An ftp_server on a free port, which waits for its clients as long as a test takes."""

    def __init__(self, program, *options, before=None):
        patience = [word for name in TIMEOUTS if name not in options for word in (name, PATIENT)]
        delay = [] if "--login-delay" in options else ["--login-delay", 0]
        super().__init__(program, "--port", 0, *patience, *delay, *options, before=before, says=r":(\d+)/ with",
                         environment=LITTLE_QUARANTINE)


class Reply:
    """The reply to a command: its code, and all its text."""

    def __init__(self, text):
        self.text = text
        self.code = int(text[:3]) if text[:3].isdigit() else 0


class Client:
    """A control connection.  After the server has closed it, replies have the code 0."""

    def __init__(self, port):
        self.sock = connect(port)
        self.file = self.sock.makefile("rb")
        self.greeting = self.reply()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.sock.close()

    def send(self, line):
        self.sock.sendall((line if isinstance(line, bytes) else line.encode()) + b"\r\n")

    def reply(self):
        lines = []
        try:
            # A server that sends in two pieces waits until the first is acknowledged.
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            while line := self.file.readline():
                lines.append(line)
                if re.match(rb"\d\d\d ", line) and line[:3] == lines[0][:3]:
                    break
        except ConnectionResetError:
            pass
        return Reply(b"".join(lines).decode("latin-1"))

    def say(self, line):
        self.send(line)
        return self.reply()

    def login(self, name="anonymous", password="x"):
        self.say("USER " + name)
        return self.say("PASS " + password)

    def passive(self):
        """Where a PASV says that the server listens."""
        text = self.say("PASV").text
        numbers = [int(number) for number in re.search(r"\((.*)\)", text)[1].split(",")]
        return ".".join(map(str, numbers[:4])), numbers[4] * 256 + numbers[5]

    def data(self):
        """A data connection."""
        return socket.create_connection(self.passive())

    def get(self, line):
        """What a command sends, and the last reply."""
        with self.data() as sock:
            first = self.say(line)
            if first.code >= 200 or not first.code:
                return b"", first
            return read_all(sock), self.reply()

    def put(self, line, data):
        """The last reply to a command that receives."""
        with self.data() as sock:
            first = self.say(line)
            if first.code >= 200 or not first.code:
                return first
            sock.sendall(data)
        return self.reply()
