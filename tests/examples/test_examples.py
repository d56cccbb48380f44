"""The small programs of docs/examples.

    test_examples.py FOLDER POLLER [unittest's arguments]

FOLDER has line_echo, echo_server, http_client and http_server.
"""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from program import Server  # noqa: E402
from sockets import read_all, read_exactly, segments_received  # noqa: E402

FOLDER, POLLER = pathlib.Path("."), "poll"


def run(name, *words, poller=None):
    return subprocess.run([FOLDER / name, *words], stdin=subprocess.DEVNULL, capture_output=True,
                          env=dict(os.environ, ASYNCORE_POLLER=poller or POLLER))


def exchange(sock, data):
    """Sends `data`, which may be more than fits into the buffers of both ends, and returns as much of the answer."""
    sender = threading.Thread(target=sock.sendall, args=(data,))
    sender.start()
    answer = read_exactly(sock, len(data))
    sender.join()
    return answer


class LineEcho(unittest.TestCase):
    @contextlib.contextmanager
    def server(self, *words):
        """A connection to a new line_echo."""
        with Server(FOLDER / "line_echo", "0", *words, "--poller", POLLER) as server, server.connect() as sock:
            self.wait_until_served = lambda: server.wait_until_served(sock)
            yield sock
            self.assertFalse(server.has_ended())

    def test_echo(self):
        for words in (), ("echo",), ("--asked",), ("--coalesce",), ("--buffer", "1"), ("--buffer", "100000"):
            with self.subTest(words), self.server(*words) as sock:
                for data in b"\r\n", b"hello\r\n", b"a\r\nb\r\n\r\n", b"\0\r\xff\n\r\r\n", b"x" * 10000 + b"\r\n":
                    self.assertEqual(exchange(sock, data), data)

    def test_a_background_job_can_stop_the_server(self):
        self.addCleanup(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, signal.SIG_IGN))
        with self.server():
            pass

    def test_part_of_a_line_waits_for_its_end(self):
        with self.server() as sock:
            sock.sendall(b"one\r\ntw")
            self.assertEqual(read_exactly(sock, 5), b"one\r\n")
            sock.sendall(b"o\r")
            self.wait_until_served()
            sock.sendall(b"\nthree")
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(sock), b"two\r\n")

    def test_many_lines(self):
        data = b"".join(b"%d\r\n" % i for i in range(100000))
        for words in (), ("--coalesce",):
            with self.subTest(words), self.server(*words) as sock:
                self.assertEqual(exchange(sock, data), data)

    def test_sink(self):
        for words in (), ("--coalesce",), ("--buffer", "1000"):
            with self.subTest(words), self.server("sink", *words) as sock:
                for size in 0, 1, 8, 5000, 1 << 20, 0, 3:
                    head = size.to_bytes(8, "big")
                    sock.sendall(head + b"x" * size)
                    self.assertEqual(read_exactly(sock, 8), head)

    @unittest.skipUnless(sys.platform == "linux", "Linux only")
    def test_buffer_is_what_is_sent_at_a_time(self):
        line = b"x" * 2998 + b"\r\n"
        for words, segments in ((), range(1, 2)), (("--buffer", "300"), range(2, 11)):
            with self.subTest(words), self.server(*words) as sock:
                self.assertEqual(exchange(sock, line), line)
                self.assertIn(segments_received(sock), segments)

    @unittest.skipUnless(sys.platform == "linux", "Linux only")
    def test_coalesce_is_one_send_for_all_lines_of_a_read(self):
        lines = b"line\r\n" * 10
        for words, segments in ((), range(2, 11)), (("--coalesce",), range(1, 2)):
            with self.subTest(words), self.server(*words) as sock:
                self.assertEqual(exchange(sock, lines), lines)
                self.assertIn(segments_received(sock), segments)

    def test_bad_arguments(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            for words in ([], ["x"], [""], ["65536"], ["-1"], ["1x"], ["0", "what"], ["0", "--what"], ["0", "--buffer"],
                          ["0", "--buffer", "x"], ["0", "--buffer", "-1"], ["0", "--poller"], ["0", "--poller", "magic"],
                          ["echo"], [str(taken.getsockname()[1])]):
                with self.subTest(words):
                    done = run("line_echo", *words)
                    self.assertEqual(done.returncode, 2)
                    self.assertRegex(done.stderr, rb"^line_echo: .*\n$")
                    self.assertEqual(done.stdout, b"")


class EchoServer(unittest.TestCase):
    def test_echo(self):
        with Server(FOLDER / "echo_server", "0", says=r"^Listening on 127\.0\.0\.1:(\d+)$",
                    environment={"ASYNCORE_POLLER": POLLER}) as server:
            with server.connect() as one, server.connect() as two:
                for sock in one, two:
                    self.assertEqual(server.out.next(), "Incoming connection from %s:%d" % sock.getsockname())
                for sock, data in (two, b"two"), (one, b"one"), (two, bytes(range(256)) * 10000), (one, b"\n"):
                    self.assertEqual(exchange(sock, data), data)
                one.shutdown(socket.SHUT_WR)
                self.assertEqual(read_all(one), b"")
                self.assertEqual(exchange(two, b"still"), b"still")
            with server.connect() as third:
                self.assertEqual(exchange(third, b"x"), b"x")
            self.assertFalse(server.has_ended())

    def test_the_port_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = run("echo_server", str(taken.getsockname()[1]))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rb"^echo_server: .*in use\n$")


class HTTPClient(unittest.TestCase):
    def test_prints_what_comes(self):
        with tempfile.TemporaryDirectory() as root:
            files = {"hello.txt": b"hello, world\n", "empty": b"", "big": os.urandom(1 << 20)}
            for name, data in files.items():
                pathlib.Path(root, name).write_bytes(data)
            with Server(FOLDER / "http_server", "--root", root, "--poller", POLLER, "--timeout", 65535,
                        says=r"on http://127\.0\.0\.1:(\d+)/") as server:
                for name, data in files.items():
                    done = run("http_client", "127.0.0.1", "/" + name, str(server.port))
                    head, _, body = done.stdout.partition(b"\r\n\r\n")
                    self.assertTrue(head.startswith(b"HTTP/1.0 200 OK\r\n"), head)
                    self.assertEqual(body, data)
                    self.assertEqual((done.returncode, done.stderr), (0, b""))
                    server.out.find(r'"GET /%s HTTP/1\.0" 200 ' % re.escape(name))
                done = run("http_client", "localhost", "/nothing", str(server.port))
                self.assertTrue(done.stdout.startswith(b"HTTP/1.0 404 "), done.stdout)
                self.assertEqual(done.returncode, 0)

    def test_what_it_says(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            asked = []

            def serve():
                sock, _ = server.accept()
                with sock:
                    asked.append(read_exactly(sock, len(b"GET /a HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")))
                    for byte in b"slowly":
                        sock.sendall(bytes([byte]))

            thread = threading.Thread(target=serve)
            thread.start()
            done = run("http_client", "127.0.0.1", "/a", str(server.getsockname()[1]))
            thread.join()
        self.assertEqual(asked, [b"GET /a HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"])
        self.assertEqual((done.returncode, done.stdout), (0, b"slowly"))

    def test_no_listener(self):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))  # this keeps the port; connections to it are refused
            done = run("http_client", "127.0.0.1", "/", str(silent.getsockname()[1]))
        self.assertEqual(done.returncode, 0)  # as in Python: handle_error() prints the error, and closes
        self.assertIn(b"Connection refused", done.stdout + done.stderr)

    def test_bad_host(self):
        done = run("http_client", "::1", "/", "1")  # the client's socket is one of IPv4
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rb"^http_client: .*::1.*\n$")


class Pollers(unittest.TestCase):
    def test_unknown_mechanism_in_the_environment(self):
        for name in "line_echo", "echo_server":
            done = run(name, "0", poller="magic")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(b"magic", done.stderr)


if __name__ == "__main__":
    FOLDER, POLLER = pathlib.Path(sys.argv[1]), sys.argv[2]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
