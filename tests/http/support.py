"""The HTTP server under test, and clients that say exactly what a test tells them to say."""

import os
import pathlib
import re
import socket
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from program import Server  # noqa: E402
from sockets import is_readable, read_all  # noqa: E402

PATIENT = 65535  # seconds; the longest --timeout: a test may be slow, and the server waits
LINGERING = 5  # seconds; for so long http_server.cpp still hears a client after the answer


class HTTPServer(Server):
    """An http_server on a free port."""

    def __init__(self, program, root, *options, before=None):
        # AddressSanitizer keeps what is freed, which would look like a leak in a measurement.
        asan = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"
        super().__init__(program, "--port", "0", "--root", root, "--timeout", PATIENT, *options, before=before,
                         says=r"on http://127\.0\.0\.1:(\d+)/", environment={"ASAN_OPTIONS": asan})
        self.url = "http://127.0.0.1:%d/" % self.port
        self.out.find("^Try: curl .*" + re.escape(self.url))

    def exchange(self, talk):
        """Returns what `talk` returns of a new connection.

        The server closes when it has lingered; a client that was slower than that is reset, and asks again."""
        while True:
            start = time.monotonic()
            try:
                with self.connect() as sock:
                    return talk(sock)
            except ConnectionError:
                if time.monotonic() - start < LINGERING:
                    raise

    def ask(self, *pieces, half_close=False):
        """Sends each piece when the server has dealt with the piece before it, and stops where the server answers."""
        def talk(sock):
            for piece in pieces[:-1]:
                sock.sendall(piece)
                self.wait_until_served(sock)
                if is_readable(sock):
                    return Answer(read_all(sock))
            sock.sendall(pieces[-1])
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            return Answer(read_all(sock))
        return self.exchange(talk)

    def over_send(self, request, more):
        """Sends `more` when the server has answered the request already."""
        def talk(sock):
            sock.sendall(request)
            self.wait_until_served(sock)
            sock.sendall(more)
            return Answer(read_all(sock))
        return self.exchange(talk)

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
