"""The HTTP server under test, and clients that say exactly what a test tells them to say."""

import pathlib
import re
import socket
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from program import LITTLE_QUARANTINE, Server  # noqa: E402
from sockets import is_readable, read_all  # noqa: E402

PATIENT = 65535  # seconds; the longest --timeout and --linger: a test may be slow, and the server waits


class HTTPServer(Server):
    """An http_server on a free port."""

    def __init__(self, program, root, *options, before=None):
        super().__init__(program, "--port", "0", "--root", root, "--timeout", PATIENT, "--linger", PATIENT, *options, before=before,
                         says=r"on http://127\.0\.0\.1:(\d+)/", environment=LITTLE_QUARANTINE)
        self.url = "http://127.0.0.1:%d/" % self.port
        self.out.find("^Try: curl .*" + re.escape(self.url))

    def ask(self, *pieces, half_close=False):
        """Sends each piece when the server has dealt with the piece before it, and stops where the server answers."""
        with self.connect() as sock:
            for piece in pieces[:-1]:
                sock.sendall(piece)
                self.wait_until_served(sock)
                if is_readable(sock):
                    return Answer(read_all(sock))
            sock.sendall(pieces[-1])
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            return Answer(read_all(sock))

    def over_send(self, request, more):
        """Sends `more` when the server has answered the request already."""
        with self.connect() as sock:
            sock.sendall(request)
            self.wait_until_served(sock)
            sock.sendall(more)
            return Answer(read_all(sock))

    def get(self, target, op="GET"):
        return self.ask(("%s %s HTTP/1.0\r\n\r\n" % (op, target)).encode("latin-1"))

    def post(self, body, kind="application/x-www-form-urlencoded", target="/"):
        head = "POST %s HTTP/1.0\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
        return self.ask((head % (target, kind, len(body))).encode() + body)


class Answer:
    def __init__(self, data):
        self.data = data
        head, _, self.body = data.partition(b"\r\n\r\n")
        self.status_line, *lines = head.decode("latin-1").split("\r\n")
        self.fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        self.status = int(self.status_line.split()[1])

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")
