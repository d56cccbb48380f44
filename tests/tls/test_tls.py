"""The programs of docs/examples/tls, with other programs' TLS at the other end.

    test_tls.py FOLDER POLLER [unittest's arguments]

FOLDER has tls_echo, starttls, https_server and https_client.  The command openssl makes the certificates.
"""

import contextlib
import os
import pathlib
import select
import shutil
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from program import Program, Server  # noqa: E402
from sockets import read_all, read_exactly, reset_on_close  # noqa: E402

FOLDER, POLLER = pathlib.Path("."), "poll"
FILES = None  # a folder with NAME.pem and NAME.key


def make_certificate(folder, name, names):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=" + names,
                    "-keyout", folder / (name + ".key"), "-out", folder / (name + ".pem")],
                   check=True, stderr=subprocess.DEVNULL)


def setUpModule():
    global FILES
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    FILES = pathlib.Path(folder.name)
    make_certificate(FILES, "server", "DNS:localhost,IP:127.0.0.1")
    make_certificate(FILES, "other", "DNS:other.example")


def server(name, *words, says=r"^PORT (\d+)$"):
    return Server(FOLDER / name, "--cert", FILES / "server.pem", "--key", FILES / "server.key", "--poller", POLLER,
                  *words, says=says)


def client_context(cert="server", version=None):
    context = ssl.create_default_context(cafile=FILES / (cert + ".pem"))
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def secure(sock, **how):
    """A session on the socket, in which an end without close_notify is an SSLEOFError."""
    context = client_context(**how)
    context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    return context.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False)


def exchange(sock, data):
    """Sends `data`, which may be more than fits into the buffers of both ends, and returns as much of the answer.

    One thread does both: two threads may not use one session at a time."""
    def attempt(call, argument):
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return call(argument)
        return None

    answer, rest = bytearray(), memoryview(data)
    sock.setblocking(False)
    while len(answer) < len(data):
        if rest:
            rest = rest[attempt(sock.send, rest) or 0:]
        piece = attempt(sock.recv, len(data) - len(answer))
        if piece == b"":
            break  # the end of file
        if piece:
            answer += piece
        else:
            select.select([sock], [sock] if rest else [], [])
    sock.setblocking(True)
    return bytes(answer)


class Lines:
    """openssl s_client, and what it prints."""

    def __init__(self, *words):
        self.process = subprocess.Popen(["openssl", "s_client", *words, "-CAfile", FILES / "server.pem"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()  # with -quiet it does not end at the end of its input
        self.process.communicate()

    def say(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def find(self, line, stream="stdout"):
        """Reads up to that line."""
        while (got := getattr(self.process, stream).readline()).rstrip(b"\r\n") != line:
            if not got:
                raise AssertionError("no line %r" % line)

    def end(self):
        """Closes standard input, and returns the exit status and what was printed since."""
        out, err = self.process.communicate()
        return self.process.returncode, out, err


class Echo(unittest.TestCase):
    def test_openssl(self):
        for version in "-tls1_2", "-tls1_3":
            with self.subTest(version), server("tls_echo") as there:
                with Lines("-connect", "127.0.0.1:%d" % there.port, "-quiet", "-verify_return_error", version) as client:
                    for line in b"hello", b"x" * 100000, b"":
                        client.say(line + b"\n")
                        client.find(line)
                self.assertRegex(there.out.next(), r"^info: TLSv1\.[23] ")

    def test_openssl_changes_the_keys(self):
        with server("tls_echo") as there, Lines("-connect", "127.0.0.1:%d" % there.port, "-tls1_3") as client:
            for command in b"k\n", b"K\n":  # the second has the server change its keys, too
                client.say(b"one\n")
                client.find(b"one")
                client.say(command)
                client.find(b"KEYUPDATE", "stderr")
                client.say(b"two\n")
                client.find(b"two")

    def test_openssl_may_not_renegotiate(self):
        with server("tls_echo") as there:
            with Lines("-connect", "127.0.0.1:%d" % there.port, "-tls1_2") as client:
                client.say(b"one\n")
                client.find(b"one")
                client.say(b"R\n")
                client.end()
            with there.connect() as sock, secure(sock) as tls:
                self.assertEqual(exchange(tls, b"still here\n"), b"still here\n")

    def test_cpython(self):
        line = os.urandom(200000).replace(b"\n", b"x") + b"\n"
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            for buffer in "1", "4096", "1000000":
                size = 2000 if buffer == "1" else len(line)
                with self.subTest(version=version, buffer=buffer), server("tls_echo", "--buffer", buffer) as there, \
                        socket.socket() as sock:
                    for option in socket.SO_RCVBUF, socket.SO_SNDBUF:
                        sock.setsockopt(socket.SOL_SOCKET, option, 1)  # the least that the system allows
                    sock.connect(("127.0.0.1", there.port))
                    with secure(sock, version=version) as tls:
                        for _ in range(3):
                            self.assertEqual(exchange(tls, line[-size:]), line[-size:])

    def test_many_clients(self):
        with server("tls_echo") as there, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(secure(there.connect())) for _ in range(100)]
            for _ in range(3):
                for number, client in enumerate(clients):
                    client.sendall(b"%d\n" % number)
                for number, client in enumerate(clients):
                    self.assertEqual(read_exactly(client, len(b"%d\n" % number)), b"%d\n" % number)

    def test_the_handshake_byte_by_byte(self):
        with server("tls_echo") as there, there.connect() as sock:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = client_context().wrap_bio(incoming, outgoing, server_hostname="localhost")

            def step(call):
                while True:
                    try:
                        result = call()
                    except ssl.SSLWantReadError:
                        result = None
                    for byte in outgoing.read():
                        sock.sendall(bytes([byte]))
                    if result is not None:
                        return result
                    incoming.write(sock.recv(1))

            step(lambda: tls.do_handshake() or True)
            step(lambda: tls.write(b"x" * 5000 + b"\n"))
            answer = b""
            while len(answer) < 5001:
                answer += step(lambda: tls.read(10000))
            self.assertEqual(answer, b"x" * 5000 + b"\n")

    def test_the_client_says_close_notify(self):
        with server("tls_echo") as there:
            for _ in range(2):
                tls = secure(there.connect())
                self.assertEqual(exchange(tls, b"line\n"), b"line\n")
                plain = tls.unwrap()  # waits for the close_notify of the server
                self.assertEqual(read_all(plain), b"")
                plain.close()
                there.out.find("info: the client has said close_notify")

    def test_the_client_says_nothing_at_its_end(self):
        with server("tls_echo") as there:
            with secure(there.connect()) as tls:
                self.assertEqual(exchange(tls, b"line\n"), b"line\n")
            there.out.find("^error: .*without close_notify")
            tls = secure(there.connect())
            self.assertEqual(exchange(tls, b"line\n"), b"line\n")
            reset_on_close(tls)
            tls.close()  # a reset
            with secure(there.connect()) as tls:
                self.assertEqual(exchange(tls, b"line\n"), b"line\n")

    def test_the_server_says_close_notify(self):
        with server("tls_echo") as there, secure(there.connect()) as tls:
            self.assertEqual(exchange(tls, b"line\n"), b"line\n")
            there.stop()
            self.assertEqual(tls.recv(10), b"")
        with server("tls_echo") as there, secure(there.connect()) as tls:
            self.assertEqual(exchange(tls, b"line\n"), b"line\n")
            there.process.kill()
            self.assertRaises(ssl.SSLEOFError, tls.recv, 10)

    def test_the_client_does_not_trust_the_server(self):
        with server("tls_echo") as there:
            with there.connect() as sock, self.assertRaises(ssl.SSLCertVerificationError):
                secure(sock, cert="other")
            there.out.find("^error: TLS: .*alert unknown ca")
            with there.connect() as sock, self.assertRaises(ssl.SSLCertVerificationError):
                client_context().wrap_socket(sock, server_hostname="other.example")
            there.out.find("^error: TLS: .*alert bad certificate")

    def test_a_client_without_tls(self):
        with server("tls_echo") as there:
            for data, reason in (b"GET / HTTP/1.0\r\n\r\n", "http request"), (b"hello\n" * 10, "wrong version number"):
                with there.connect() as sock:
                    sock.sendall(data)
                    there.out.find("^error: TLS: " + reason)
                    with contextlib.suppress(ConnectionError):
                        read_all(sock)

    def test_a_silent_client(self):
        with server("tls_echo", "--timeout", 1) as there, there.connect() as sock:
            self.assertEqual(read_all(sock), b"")
            there.out.find("^error: TLS handshake.*timed out")

    def test_bad_arguments(self):
        for words in ([], ["--cert"], ["--cert", FILES / "missing"], ["--what", "x"],
                      ["--cert", FILES / "server.pem", "--key", FILES / "other.key"]):
            with self.subTest(words):
                done = subprocess.run([FOLDER / "tls_echo", *words], stdin=subprocess.DEVNULL, capture_output=True)
                self.assertEqual(done.returncode, 2)
                self.assertRegex(done.stderr, rb"^tls_echo: .*\n$")


class StartTLS(unittest.TestCase):
    def test_openssl(self):
        with server("starttls") as there:
            with Lines("-connect", "127.0.0.1:%d" % there.port, "-starttls", "smtp", "-quiet", "-crlf",
                       "-verify_return_error") as client:
                client.say(b"NOOP\n")
                client.find(b"250 secure")
                client.say(b"QUIT\n")
                status, out, err = client.end()
            self.assertEqual((status, out), (0, b"221 Bye\r\n"))
            self.assertNotIn(b"unexpected eof", err)

    def test_smtplib(self):
        with server("starttls") as there, smtplib.SMTP("127.0.0.1", there.port) as client:
            client._host = "localhost"
            self.assertEqual(client.noop(), (250, b"plain"))
            client.starttls(context=client_context())
            self.assertEqual(client.ehlo(), (250, b"example.org"))
            self.assertEqual(client.noop(), (250, b"secure"))

    def test_commands_behind_starttls(self):
        with server("starttls") as there, there.connect() as sock:
            sock.sendall(b"STARTTLS\r\nNOOP\r\n")
            replies = b"220 example.org ESMTP\r\n220 Go ahead\r\n"
            self.assertEqual(read_exactly(sock, len(replies)), replies)
            there.out.find("^error: 6 bytes came before TLS began")
            with secure(sock) as tls:
                tls.sendall(b"EHLO x\r\n")
                self.assertEqual(tls.recv(100), b"250 example.org\r\n")

    def test_back_to_plain_text(self):
        with server("starttls") as there, there.connect() as sock:
            for _ in range(2):
                sock.sendall(b"STARTTLS\r\n")
                data = b""
                while not data.endswith(b"220 Go ahead\r\n"):
                    data += sock.recv(1)
                tls = secure(sock)
                tls.sendall(b"NOOP\r\nCCC\r\n")
                replies = b"250 secure\r\n200 Back to plain text\r\n"
                self.assertEqual(read_exactly(tls, len(replies)), replies)
                sock = tls.unwrap()
                sock.sendall(b"NOOP\r\n")
                self.assertEqual(read_exactly(sock, 11), b"250 plain\r\n")
            sock.close()


class HTTPSServer(unittest.TestCase):
    @contextlib.contextmanager
    def server(self):
        with tempfile.TemporaryDirectory() as root:
            self.files = {"hello.txt": b"hello, world\n", "empty": b"", "big": os.urandom(5 << 20)}
            for name, data in self.files.items():
                pathlib.Path(root, name).write_bytes(data)
            with server("https_server", "--root", root, says=r"on https://127\.0\.0\.1:(\d+)/") as there:
                self.url = "https://localhost:%d/" % there.port
                yield there
                self.assertFalse(there.has_ended())

    def curl(self, *words, cafile="server"):
        return subprocess.run(["curl", "-sS", "--cacert", FILES / (cafile + ".pem"), *words], capture_output=True)

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_curl(self):
        with self.server():
            for words in (), ("--tls-max", "1.2"), ("--http1.0",), ("--no-alpn",):
                for name, data in self.files.items():
                    with self.subTest(words=words, name=name):
                        done = self.curl(*words, self.url + name)
                        self.assertEqual((done.returncode, done.stderr), (0, b""))
                        self.assertTrue(done.stdout == data)
            done = self.curl("-d", "name=value", "-w", "%{http_code} %{ssl_verify_result}", self.url)
            self.assertIn(b"value", done.stdout)
            self.assertTrue(done.stdout.endswith(b"200 0"))
            self.assertEqual(self.curl(self.url, cafile="other").returncode, 60)
            self.assertEqual(self.curl("--connect-to", "::127.0.0.1:", "https://other.example:%s/" %
                                       self.url.rsplit(":", 1)[1].rstrip("/")).returncode, 60)
            self.assertNotEqual(self.curl(self.url.replace("https", "http")).returncode, 0)

    def test_openssl_hears_the_end(self):
        """The answer of HTTP/1.0 ends with the connection: close_notify tells a complete one from a part."""
        with self.server() as there:
            with Lines("-connect", "127.0.0.1:%d" % there.port, "-quiet") as client:
                client.say(b"GET /big HTTP/1.0\r\n\r\n")
                status, out, err = client.end()
            self.assertNotIn(b"unexpected eof", err)
            self.assertTrue(out.endswith(self.files["big"]))

    def test_https_client(self):
        with self.server() as there:
            for name, data in self.files.items():
                done = client("/" + name, there.port)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertTrue(done.stdout.endswith(b"\r\n\r\n" + data))


def client(path, port, host="localhost", cert="server"):
    return subprocess.run([FOLDER / "https_client", host, path, str(port), FILES / (cert + ".pem"), "127.0.0.1"],
                          stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, "ASYNCORE_POLLER": POLLER})


class HTTPSClient(unittest.TestCase):
    @contextlib.contextmanager
    def cpython(self, answer, end, version=ssl.TLSVersion.TLSv1_3):
        """A server of CPython's ssl, for one client.  `end` is what it does after the answer."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(FILES / "server.pem", FILES / "server.key")
        context.set_alpn_protocols(["http/1.1"])
        context.maximum_version = version
        self.heard = {}

        def serve():
            sock, _ = listener.accept()
            with sock, contextlib.suppress(ssl.SSLError):
                with context.wrap_socket(sock, server_side=True) as tls:
                    self.heard.update(request=tls.recv(1000), alpn=tls.selected_alpn_protocol())
                    tls.sendall(answer)
                    end(tls)

        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve)
            thread.start()
            yield listener.getsockname()[1]
            thread.join()

    def test_a_clean_end(self):
        answer = b"HTTP/1.0 200 OK\r\n\r\n" + os.urandom(1 << 20)
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            with self.subTest(version), self.cpython(answer, lambda tls: tls.unwrap().close(), version) as port:
                done = client("/path", port)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertTrue(done.stdout == answer)
            self.assertEqual(self.heard, {"alpn": "http/1.1",
                                          "request": b"GET /path HTTP/1.0\r\nHost: localhost\r\n\r\n"})

    def test_a_truncation(self):
        with self.cpython(b"HTTP/1.0 200 OK\r\n\r\nthe first half", lambda tls: tls.close()) as port:
            done = client("/", port)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"without close_notify", done.stderr)
        self.assertTrue(done.stdout.endswith(b"the first half"))

    def test_a_server_that_cannot_be_trusted(self):
        for words, reason in ({"cert": "other"}, b"self-signed certificate"), ({"host": "other.example"}, b"mismatch"):
            with self.subTest(reason), self.cpython(b"secret", lambda tls: tls.close()) as port:
                done = client("/", port, **words)
            self.assertEqual((done.returncode, done.stdout, self.heard), (1, b"", {}))
            self.assertRegex(done.stderr, rb"^https_client: TLS: certificate verify failed: .*" + reason)

    def test_openssl(self):
        command = ["openssl", "s_server", "-cert", FILES / "server.pem", "-key", FILES / "server.key", "-www",
                   "-accept", "127.0.0.1:0"]
        with Program(*command) as there:
            port = int(there.out.find(r"^ACCEPT 127\.0\.0\.1:(\d+)")[1])
            done = client("/", port)
            there.process.terminate()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"TLSv1.3", done.stdout)


if __name__ == "__main__":
    FOLDER, POLLER = pathlib.Path(sys.argv[1]), sys.argv[2]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
