"""docs/examples/proxy between real clients and real servers.

    test_proxy.py MAIL_PROXY SMTPD HTTPS_SERVER POLLER [unittest's arguments]
"""

import contextlib
import hashlib
import http.client
import imaplib
import poplib
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
import unittest

from support import Files, Proxy, wait_until  # this makes the folder of the next two known
from program import Program, Server
from sockets import read_all, read_exactly
from servers import MESSAGE, Listener, MailServer, echo, half_close, reset, says, secured

MAIL_PROXY, SMTPD, HTTPS_SERVER, POLLER = "", "", "", "poll"
FILES = None
MODES = ["plain", "tls", "starttls"]
PROTOCOLS = ["imap", "pop3", "smtp"]
SORRY = {"imap": b"* BYE the server cannot be reached\r\n", "pop3": b"-ERR the server cannot be reached\r\n",
         "smtp": b"421 the server cannot be reached\r\n"}
NO_RETRY = ["--retries", 0]


def setUpModule():
    global FILES
    FILES = Files()
    unittest.addModuleCleanup(FILES.folder.cleanup)


@contextlib.contextmanager
def proxy(*listeners, options=()):
    """The program.  At the end it must have closed what it opened, and end well."""
    with Proxy(MAIL_PROXY, FILES, POLLER, listeners, [str(word) for word in options]) as there:
        yield there
        if not there.has_ended():
            there.wait_until_idle()
        assert there.stop() == 0, there.out.bytes()
        assert not there.err.bytes(), there.err.bytes()


def secure(sock):
    return FILES.for_client().wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False)


def served(server_mode, handle):
    """A listener whose server talks TLS at once if the mode is "tls"."""
    return Listener(secured(FILES.for_server(), handle) if server_mode == "tls" else handle)


@contextlib.contextmanager
def unused_port():
    """A port at which connections are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


# What each client of CPython does in one session.

def imap_session(test, port, mode):
    context = FILES.for_client()
    if mode == "tls":
        client = imaplib.IMAP4_SSL("localhost", port, ssl_context=context)
    else:
        client = imaplib.IMAP4("127.0.0.1", port)
    if mode == "starttls":
        client.host = "localhost"  # the name that starttls() checks
        client.starttls(context)
    test.assertNotIn("STARTTLS", client.capabilities)
    client.login("me", "secret")
    client.select()
    test.assertEqual(client.fetch("1", "(RFC822)")[1][0][1], MESSAGE)
    client.logout()


def pop3_session(test, port, mode):
    context = FILES.for_client()
    if mode == "tls":
        client = poplib.POP3_SSL("localhost", port, context=context)
    else:
        client = poplib.POP3("127.0.0.1", port)
    if mode == "starttls":
        client.host = "localhost"
        client.stls(context)
    test.assertNotIn("STLS", client.capa())
    client.user("me")
    client.pass_("secret")
    test.assertEqual(b"".join(line + b"\r\n" for line in client.retr(1)[1]), MESSAGE)
    client.quit()


def smtp_session(test, port, mode):
    context = FILES.for_client()
    if mode == "tls":
        client = smtplib.SMTP_SSL("localhost", port, local_hostname="here", context=context)
    else:
        client = smtplib.SMTP("127.0.0.1", port, local_hostname="here")
    if mode == "starttls":
        client._host = "localhost"
        client.starttls(context=context)
    client.ehlo()
    test.assertFalse(client.has_extn("starttls"))
    test.assertTrue(client.has_extn("size"))
    client.sendmail("a@example.com", ["b@example.com"], MESSAGE)
    client.quit()


SESSIONS = {"imap": imap_session, "pop3": pop3_session, "smtp": smtp_session}


class Mail(unittest.TestCase):
    def try_protocol(self, protocol):
        """All nine pairs of modes, in one proxy."""
        mail = {mode: MailServer(protocol, FILES.for_server() if mode == "starttls" else None) for mode in MODES}
        with contextlib.ExitStack() as stack:
            ports = {mode: stack.enter_context(served(mode, mail[mode])).port for mode in MODES}
            pairs = [(here, there) for here in MODES for there in MODES]
            program = stack.enter_context(proxy(*[(protocol, *pair, ports[pair[1]]) for pair in pairs]))
            for port, (here, there) in zip(program.ports, pairs):
                with self.subTest(client=here, server=there):
                    mail[there].heard.clear()
                    SESSIONS[protocol](self, port, here)
                    self.check_what_was_heard(protocol, there, mail[there].heard)

    def check_what_was_heard(self, protocol, mode, heard):
        if mode == "starttls":
            begin = 2 if protocol == "smtp" else 1
            self.assertTrue(all(not secure for secure, line in heard[:begin]), heard)
            heard = heard[begin:]
        self.assertEqual({secure for secure, line in heard if secure is not None}, {mode != "plain"}, heard)
        if protocol == "smtp":
            self.assertIn((None, MESSAGE + b".\r\n"), heard)

    def test_imap(self):
        self.try_protocol("imap")

    def test_pop3(self):
        self.try_protocol("pop3")

    def test_smtp(self):
        self.try_protocol("smtp")


class Commands(unittest.TestCase):
    def talk(self, sock, *exchanges):
        for say, hear in exchanges:
            sock.sendall(say)
            self.assertEqual(read_exactly(sock, len(hear)), hear)

    def test_a_client_that_must_say_starttls_talks_with_the_proxy_alone(self):
        with Listener(echo) as there, proxy(*[(name, "starttls", "plain", there.port) for name in PROTOCOLS]) as program:
            with program.connect(0) as sock:
                self.talk(sock, (b"", b"* OK proxy ready\r\n"), (b"a noop\r\n", b"a OK done\r\n"),
                          (b"b login me secret\r\n", b"b BAD say STARTTLS first\r\n"), (b"\r\n", b"* BAD say STARTTLS first\r\n"),
                          (b"c LOGOUT\r\n", b"* BYE\r\nc OK done\r\n"))
                self.assertEqual(read_all(sock), b"")
            with program.connect(1) as sock:
                self.talk(sock, (b"", b"+OK proxy ready\r\n"), (b"CAPA\r\n", b"+OK\r\nSTLS\r\n.\r\n"),
                          (b"USER me\r\n", b"-ERR say STLS first\r\n"), (b"QUIT\r\n", b"+OK bye\r\n"))
                self.assertEqual(read_all(sock), b"")
            with program.connect(2) as sock:
                self.talk(sock, (b"", b"220 proxy ready\r\n"), (b"EHLO me\r\n", b"250-proxy\r\n250 STARTTLS\r\n"),
                          (b"MAIL FROM:<a@b>\r\n", b"530 say STARTTLS first\r\n"))  # and leaves without QUIT
        self.assertEqual(there.accepted, 0)

    def test_the_server_refuses_the_starttls_of_a_plain_client(self):
        mail = MailServer("smtp")
        with Listener(mail) as there, proxy(("smtp", "plain", "plain", there.port)) as program:
            with program.connect() as sock:
                self.talk(sock, (b"EHLO me\r\nstarttls\r\nNOOP\r\n",
                                 b"220-hello\r\n220 there\r\n250-there\r\n250 SIZE 1000\r\n500 what\r\n250 done\r\n"))
        self.assertEqual(mail.heard[1], (False, b"XSTARTTLS"))

    def test_what_comes_with_starttls_is_not_taken_as_encrypted(self):
        for protocol, first, hear, second in (
                ("imap", b"a STARTTLS\r\nb LOGIN evil evil\r\n", b"a OK begin TLS\r\n", b"c LOGIN me secret\r\n"),
                ("pop3", b"STLS\r\nUSER evil\r\n", b"+OK begin TLS\r\n", b"USER me\r\n"),
                ("smtp", b"STARTTLS\r\nMAIL FROM:<evil@example.com>\r\n", b"220 begin TLS\r\n", b"EHLO me\r\n")):
            mail = MailServer(protocol)
            with self.subTest(protocol), Listener(mail) as there:
                with proxy((protocol, "starttls", "plain", there.port)) as program, program.connect() as sock:
                    read_exactly(sock, 5)  # of the greeting
                    while not sock.recv(1) == b"\n":
                        pass
                    self.talk(sock, (first, hear))
                    with secure(sock) as tls:
                        tls.sendall(second)
                        tls.recv(1)
                    program.out.find("bytes came before TLS began, and are dropped")
                self.assertEqual(mail.heard, [(False, second.strip())])

    def test_what_a_server_says_with_its_answer_to_starttls_is_dropped(self):
        def serve(sock):
            sock.sendall(b"* OK hello\r\n")
            self.assertIn(b"STARTTLS", sock.recv(100))
            sock.sendall(b"p OK go\r\n* EVIL 1\r\n")
            with FILES.for_server().wrap_socket(sock, server_side=True) as tls:
                tls.sendall(b"* 2 GOOD\r\n")
                tls.recv(1)

        with Listener(serve) as there, proxy(("imap", "plain", "starttls", there.port)) as program:
            with program.connect() as sock:
                self.talk(sock, (b"", b"* OK proxy ready\r\n* 2 GOOD\r\n"))

    def test_a_line_that_never_ends(self):
        with Listener(echo) as there, proxy(("smtp", "starttls", "plain", there.port)) as program:
            with program.connect() as sock, contextlib.suppress(ConnectionError):
                sock.sendall(b"x" * 100000)
                read_all(sock)
            program.out.find("a line has more than 65536 bytes")

    def test_openssl_says_starttls(self):
        with contextlib.ExitStack() as stack:
            ports = [stack.enter_context(Listener(MailServer(name))).port for name in PROTOCOLS]
            program = stack.enter_context(
                proxy(*[(name, "starttls", "plain", port) for name, port in zip(PROTOCOLS, ports)]))
            for name, port in zip(PROTOCOLS, program.ports):
                with self.subTest(name):
                    done = subprocess.run(["openssl", "s_client", "-brief", "-starttls", name, "-verify_return_error",
                                           "-CAfile", FILES / "server.pem", "-connect", "127.0.0.1:%d" % port],
                                          stdin=subprocess.DEVNULL, capture_output=True)
                    self.assertIn(b"Verification: OK", done.stdout + done.stderr)


class Failures(unittest.TestCase):
    """The server cannot be used: the client is told so, and the log says why."""

    def refused(self, program, at=0, protocol="imap"):
        with program.connect(at) as sock:
            self.assertEqual(read_all(sock), SORRY[protocol])

    def test_a_certificate_that_is_not_the_servers(self):
        for name, cafile, why in (("server", "other.pem", "self.signed certificate"),
                                  ("other", "both.pem", "IP address mismatch")):
            for mode in "tls", "starttls":
                handle = MailServer("imap", FILES.for_server(name))
                if mode == "tls":
                    handle = secured(FILES.for_server(name), handle)
                with self.subTest(name, mode=mode), Listener(handle) as there:
                    options = [*NO_RETRY, "--cafile", FILES / cafile]
                    with proxy(("imap", "plain", mode, there.port), options=options) as program:
                        self.refused(program)
                        program.out.find("^error: .* server 127.0.0.1:%d: .*certificate verify failed: %s" % (there.port, why))
                        program.out.find("there is no server")

    def test_an_absent_server(self):
        with unused_port() as port, proxy(*[(name, "plain", "tls", port) for name in PROTOCOLS],
                                          options=["--retry-delay", 0]) as program:
            for at, name in enumerate(PROTOCOLS):
                self.refused(program, at, name)
                for _ in range(2):
                    program.out.find("server .*: Connection refused")

    def test_a_server_at_another_address(self):
        with unused_port() as port, Listener(echo) as there:
            with proxy(("tcp", "plain", "plain", port, there.port)) as program, program.connect() as sock:
                sock.sendall(b"hello")
                self.assertEqual(read_exactly(sock, 5), b"hello")
                program.out.find("Connection refused")

    def test_a_server_that_comes_later(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            way = "tcp", "plain", "plain", taken.getsockname()[1]
            with proxy(way, options=["--retry-delay", 0, "--retries", 60000]) as program, program.connect() as sock:
                sock.sendall(b"hello")
                program.out.find("Connection refused")
                taken.listen()
                with taken.accept()[0] as server:
                    self.assertEqual(read_exactly(server, 5), b"hello")

    def test_a_server_that_refuses(self):
        for protocol, talk in (("imap", [b"* BYE overloaded\r\n"]), ("imap", [b"* PREAUTH hello\r\n"]),
                               ("imap", [b"* OK hello\r\n", b"p BAD what\r\n"]),
                               ("pop3", [b"+OK hello\r\n", b"-ERR what\r\n"]),
                               ("smtp", [b"554 no\r\n"]), ("smtp", [b"220 hello\r\n", b"502 what\r\n"]),
                               ("smtp", [b"220 hello\r\n", b"250 there\r\n", b"502 what\r\n"])):
            def serve(sock):
                for line in talk:
                    sock.sendall(line)
                    sock.recv(100)

            with self.subTest(protocol, says=talk[-1]), Listener(serve) as there:
                with proxy((protocol, "plain", "starttls", there.port), options=NO_RETRY) as program:
                    self.refused(program, protocol=protocol)
                    program.out.find("the server says: " + talk[-1].decode().strip().replace("*", r"\*"))

    def test_a_server_that_resets_or_ends_before_it_has_said_a_byte(self):
        for how in reset, socket.socket.close:
            for mode in MODES:
                with self.subTest(mode, how=how), Listener(how) as there:
                    with proxy(("imap", "plain", mode, there.port), options=["--retry-delay", 0]) as program:
                        self.refused(program)
                    self.assertEqual(there.accepted, 2)

    def test_a_server_that_is_silent(self):
        done = threading.Event()
        with Listener(lambda sock: done.wait()) as there:
            modes = "tls", "starttls"
            with proxy(*[("imap", "plain", mode, there.port) for mode in modes],
                       options=[*NO_RETRY, "--connect-timeout", 1]) as program:
                with program.connect(0) as one, program.connect(1) as two:
                    for sock in one, two:
                        self.assertEqual(read_all(sock), SORRY["imap"])
                    for _ in modes:
                        program.out.find("the server is not ready in time|TLS handshake: Connection timed out")
            done.set()

    def test_a_client_that_does_not_talk_tls(self):
        with Listener(echo) as there:
            with proxy(("imap", "tls", "plain", there.port), ("imap", "starttls", "plain", there.port)) as program:
                with program.connect(0) as sock:
                    sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
                    with contextlib.suppress(ConnectionError):
                        read_all(sock)  # an alert
                program.out.find("^error: imap 127.0.0.1:.*: TLS: .*http request")
                with program.connect(1) as sock:
                    sock.sendall(b"a STARTTLS\r\n")
                    self.assertEqual(read_exactly(sock, 34), b"* OK proxy ready\r\na OK begin TLS\r\n")
                    sock.sendall(b"b LOGIN me secret\r\n")
                    with contextlib.suppress(ConnectionError):
                        read_all(sock)
                program.out.find("^error: imap 127.0.0.1:.*: TLS: ")
        self.assertEqual(there.accepted, 0)

    def test_a_client_that_is_silent(self):
        with Listener(echo) as there:
            with proxy(("imap", "tls", "plain", there.port), ("imap", "starttls", "plain", there.port),
                       ("tcp", "plain", "plain", there.port),
                       options=["--handshake-timeout", 1, "--idle-timeout", 1]) as program:
                with program.connect(0) as one, program.connect(1) as two, program.connect(2) as three:
                    self.assertEqual(read_all(one), b"")
                    self.assertEqual(read_all(two), b"* OK proxy ready\r\n")
                    self.assertEqual(read_all(three), b"")
                program.wait_until_idle()
                program.stop()
                lines = "\n".join(program.out.rest())
                self.assertRegex(lines, "TLS handshake: Connection timed out|no byte came or went for 1 seconds")
                self.assertRegex(lines, "tcp .*: no byte came or went for 1 seconds")


class Ends(unittest.TestCase):
    def test_a_client_that_resets(self):
        ended = []

        def serve(sock):
            sock.sendall(b"hello")
            try:
                ended.append(sock.recv(1))
            except ConnectionResetError:
                ended.append("reset")

        with Listener(serve) as there, proxy(("tcp", "plain", "plain", there.port)) as program:
            sock = program.connect()
            self.assertEqual(read_exactly(sock, 5), b"hello")
            reset(sock)
            wait_until(lambda: ended)
            self.assertEqual(ended, ["reset"])
            program.out.find("^error: tcp .*: .*Connection reset by peer")
            program.out.find("closed, 0 bytes to the server, 5 to the client")

    def test_a_server_that_resets(self):
        def serve(sock):
            sock.recv(5)
            reset(sock)

        with Listener(serve) as there, proxy(("tcp", "plain", "plain", there.port)) as program:
            with program.connect() as sock:
                sock.sendall(b"hello")
                self.assertRaises(ConnectionResetError, sock.recv, 1)
            program.out.find("^error: tcp .* server .*: .*Connection reset by peer")

    def test_an_end_without_close_notify(self):
        """Mail tells its own length.  For other bytes such an end is a loss, which the other side must see."""
        def serve(sock):
            sock.sendall(b"* OK half a mess")
            sock.recv(1)
            super(ssl.SSLSocket, sock).shutdown(socket.SHUT_RDWR)

        with served("tls", serve) as there:
            with proxy(("tcp", "plain", "tls", there.port), ("imap", "plain", "tls", there.port)) as program:
                with program.connect(0) as sock:
                    sock.sendall(b"x")
                    self.assertRaises(ConnectionResetError, read_all, sock)
                program.out.find("without close_notify")
                # A client that half-closed would have the proxy say so to the server, which ends without reading it:
                # the reset for those bytes could overtake the greeting.
                with program.connect(1) as sock:
                    sock.sendall(b"x\r\n")
                    self.assertEqual(read_all(sock), b"* OK half a mess")

    def digest(self, sock):
        """Of all that comes.  Once both sides have said close_notify, Python reports the end by an exception."""
        sum = hashlib.sha256()
        with contextlib.suppress(ssl.SSLZeroReturnError):
            while data := sock.recv(65536):
                sum.update(data)
        return sum.digest()

    def test_half_close_with_data_queued(self):
        """Each side sends more than all buffers hold, ends its sending, and only then reads."""
        data = b"0123456789abcdef" * (1 << 18)

        def serve(sock):
            may_read.wait()
            heard.append(self.digest(sock))
            sock.sendall(data)
            half_close(sock)

        for here in "plain", "tls":
            for there in "plain", "tls":
                heard, may_read = [], threading.Event()
                with self.subTest(client=here, server=there), served(there, serve) as listener:
                    with proxy(("tcp", here, there, listener.port)) as program, program.connect() as sock:
                        with secure(sock) if here == "tls" else sock as client:
                            threading.Timer(0, may_read.set).start()
                            client.sendall(data)
                            half_close(client)
                            self.assertEqual(self.digest(client), hashlib.sha256(data).digest())
                        self.assertEqual(heard, [hashlib.sha256(data).digest()])

    def test_the_last_words_of_a_server_that_closes(self):
        data = b"x" * (1 << 20)
        with Listener(says(data, lambda sock: None)) as there, proxy(("tcp", "tls", "plain", there.port)) as program:
            with program.connect() as sock, secure(sock) as client:
                self.assertEqual(read_all(client), data)  # with close_notify


class Flow(unittest.TestCase):
    SIZE = 64 << 20
    MOST = 24 << 10  # KiB by which the program may grow

    def send_all(self, sock):
        piece = b"0123456789abcdef" * 65536
        for _ in range(self.SIZE // len(piece)):
            sock.sendall(piece)
        half_close(sock)

    def read_slowly(self, program, sock):
        """Reads when the program is asleep, since it can do nothing more."""
        wait_until(program.is_asleep)
        count = 0
        for turn in range(4):
            count += len(read_exactly(sock, 100_000))
            wait_until(program.is_asleep)
        room = bytearray(1 << 20)
        while count < self.SIZE and (size := sock.recv_into(room)):
            count += size
        return count

    def test_a_slow_client(self):
        for mode in "plain", "tls":
            with self.subTest(mode), served(mode, self.send_all) as there:
                with proxy(("tcp", mode, mode, there.port)) as program, program.connect() as sock:
                    with secure(sock) if mode == "tls" else sock as client:
                        self.assertEqual(self.read_slowly(program, client), self.SIZE)
                    self.assertLess(program.status("VmHWM") - program.first_kib, self.MOST)

    def test_a_slow_server(self):
        def serve(sock):
            counts.append(self.read_slowly(program, sock))

        for mode in "plain", "tls":
            counts = []
            with self.subTest(mode), served(mode, serve) as there:
                with proxy(("tcp", mode, mode, there.port)) as program, program.connect() as sock:
                    with secure(sock) if mode == "tls" else sock as client:
                        self.send_all(client)
                        wait_until(lambda: counts)
                    self.assertEqual(counts, [self.SIZE])
                    self.assertLess(program.status("VmHWM") - program.first_kib, self.MOST)

    def test_200_clients(self):
        with Listener(echo) as there, proxy(("tcp", "tls", "plain", there.port)) as program:
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(secure(stack.enter_context(program.connect()))) for _ in range(200)]
                for turn in range(3):
                    for number, client in enumerate(clients):
                        client.sendall(b"%5d" % (turn * 1000 + number))
                    for number, client in enumerate(clients):
                        self.assertEqual(read_exactly(client, 5), b"%5d" % (turn * 1000 + number))
        self.assertEqual(there.accepted, 200)

    def test_the_limit_of_connections(self):
        with Listener(echo) as there, proxy(("tcp", "plain", "plain", there.port), options=["--connections", 2]) as program:
            with program.connect() as one, program.connect() as two, program.connect() as three:
                for sock in one, two:
                    sock.sendall(b"x")
                    self.assertEqual(sock.recv(1), b"x")
                three.sendall(b"x")
                wait_until(program.is_asleep)
                self.assertEqual(there.accepted, 2)
                one.close()
                self.assertEqual(three.recv(1), b"x")

    def test_the_limit_of_connections_per_host(self):
        with Listener(echo) as there:
            with proxy(("tcp", "plain", "plain", there.port), options=["--connections-per-host", 1]) as program:
                with program.connect() as one:
                    one.sendall(b"x")
                    self.assertEqual(one.recv(1), b"x")
                    with program.connect() as two:
                        self.assertEqual(read_all(two), b"")
                program.out.find("too many connections from 127.0.0.1")


class Others(unittest.TestCase):
    def test_the_smtpd_of_this_tree(self):
        with Server(SMTPD, "-n", "-s", "100000", "-c", "DebuggingServer", "127.0.0.1:0", stream="err") as there:
            with proxy(("smtp", "starttls", "plain", there.port), ("smtp", "plain", "plain", there.port)) as program:
                smtp_session(self, program.ports[0], "starttls")
                smtp_session(self, program.ports[1], "plain")
            there.stop()  # what it prints waits in a buffer
            self.assertEqual(there.out.bytes().count(b"STLS"), 2)

    def test_the_https_server_of_this_tree(self):
        with Server(HTTPS_SERVER, "--cert", FILES / "server.pem", "--key", FILES / "server.key", "--root",
                    FILES.folder.name, says=r"https://127.0.0.1:(\d+)/") as there:
            with proxy(("tcp", "plain", "tls", there.port)) as program:
                client = http.client.HTTPConnection("127.0.0.1", program.port)
                client.request("GET", "/server.pem", headers={"Connection": "close"})
                with open(FILES / "server.pem", "rb") as file:
                    self.assertEqual(client.getresponse().read(), file.read())
                client.close()

    def test_the_command_line(self):
        for words, why in (("--listen ftp plain 0 --to plain localhost 1", "not imap, pop3, smtp or tcp: ftp"),
                           ("--listen tcp starttls 0 --to plain localhost 1", "no such mode: starttls"),
                           ("--listen imap plain 0", "--listen needs a value"),
                           ("--listen imap tls 0 --to plain localhost 1", "No such file"),
                           ("--listen imap plain 0 --to plain localhost 1 --retries 1", "not known: --retries")):
            with self.subTest(words), Program(MAIL_PROXY, *words.split()) as program:
                self.assertEqual(program.process.wait(), 2)
                self.assertIn(why, program.err.bytes().decode())


if __name__ == "__main__":
    MAIL_PROXY, SMTPD, HTTPS_SERVER, POLLER = sys.argv[1:5]
    unittest.main(argv=sys.argv[:1] + sys.argv[5:])
