"""The servers behind the proxy: a thread for each connection, and small dialogues of mail.

A handler gets the accepted socket.  What it raises when the connection ends is no fault; a test looks at what was
heard.
"""

import contextlib
import socket
import ssl
import threading

from sockets import reset_on_close


class Listener:
    """Listens on 127.0.0.1, and gives each connection to `handle` in a thread of its own."""

    def __init__(self, handle):
        self.handle = handle
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self.port = self.sock.getsockname()[1]
        self.accepted = 0
        self.threads = []

    def __enter__(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.sock.shutdown(socket.SHUT_RDWR)  # this ends accept(), where close() would not
        self.thread.join()
        self.sock.close()

    def run(self):
        while True:
            try:
                sock = self.sock.accept()[0]
            except OSError:
                return
            self.accepted += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=[sock], daemon=True).start()

    def serve(self, sock):
        with contextlib.suppress(OSError, ValueError), sock:
            self.handle(sock)


def reset(sock):
    """Ends the connection as a lost one."""
    reset_on_close(sock)
    sock.close()


def half_close(sock):
    """Sends the end of file, and for TLS close_notify before it."""
    if isinstance(sock, ssl.SSLSocket):
        sock.setblocking(False)
        with contextlib.suppress(ssl.SSLWantReadError):
            sock.unwrap()
        sock.setblocking(True)
    else:
        sock.shutdown(socket.SHUT_WR)


def secured(context, handle):
    """A handler that begins with TLS."""
    def serve(sock):
        with context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False) as tls:
            handle(tls)
    return serve


def echo(sock):
    while data := sock.recv(65536):
        sock.sendall(data)
    half_close(sock)


def says(data, then=lambda sock: sock.recv(65536)):
    """A handler that says one thing."""
    def serve(sock):
        sock.sendall(data)
        then(sock)
    return serve


# A line with STARTTLS in it is no command there, and no answer.
MESSAGE = b"Subject: a test\r\n\r\nSTARTTLS\r\n250-STARTTLS\r\nSTLS\r\n* CAPABILITY STARTTLS\r\nthe end\r\n"

LISTS = {
    "imap": b"* CAPABILITY IMAP4rev1%s IDLE\r\n",
    "pop3": b"+OK\r\nUSER\r\n%s.\r\n",
    "smtp": b"250-there\r\n250-SIZE 1000\r\n%s",
}
STARTTLS = {
    "imap": (b" STARTTLS", b""),
    "pop3": (b"STLS\r\n", b""),
    "smtp": (b"250 STARTTLS\r\n", b"250 HELP\r\n"),
}


class MailServer:
    """A server of one protocol, as small as its clients allow.  It has STARTTLS until it is secure."""

    def __init__(self, protocol, context=None):
        self.protocol, self.context = protocol, context
        self.heard = []  # (whether it was secure, the line)

    def __call__(self, sock):
        secure = isinstance(sock, ssl.SSLSocket)
        file = sock.makefile("rwb")

        def say(data):
            file.write(data)
            file.flush()

        def list_all():
            return LISTS[self.protocol] % STARTTLS[self.protocol][secure]

        say({"imap": b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n", "pop3": b"+OK hello\r\n",
             "smtp": b"220-hello\r\n220 there\r\n"}[self.protocol])
        while line := file.readline():
            line = line.rstrip(b"\r\n")
            self.heard.append((secure, line))
            words = line.split()
            tag = words.pop(0) if self.protocol == "imap" else b""
            verb = words[0].upper() if words else b""
            if verb in (b"STARTTLS", b"STLS") and self.context and not secure:
                say({"imap": tag + b" OK go\r\n", "pop3": b"+OK go\r\n", "smtp": b"220 go\r\n"}[self.protocol])
                sock = self.context.wrap_socket(sock, server_side=True)
                file, secure = sock.makefile("rwb"), True
            elif self.protocol == "imap":
                self.imap(say, tag, verb, list_all)
            elif self.protocol == "pop3":
                self.pop3(say, verb, list_all)
            else:
                self.smtp(say, verb, list_all, file)
            if verb in (b"QUIT", b"LOGOUT"):
                break
        sock.close()
        file.close()

    def imap(self, say, tag, verb, list_all):
        more = {b"CAPABILITY": list_all(), b"LOGIN": b"", b"NOOP": b"", b"LOGOUT": b"* BYE\r\n",
                b"SELECT": b"* 1 EXISTS\r\n",
                b"FETCH": b"* 1 FETCH (RFC822 {%d}\r\n%s)\r\n" % (len(MESSAGE), MESSAGE)}
        say(more[verb] + tag + b" OK done\r\n" if verb in more else tag + b" BAD what\r\n")

    def pop3(self, say, verb, list_all):
        more = {b"CAPA": list_all(), b"USER": b"+OK\r\n", b"PASS": b"+OK\r\n", b"QUIT": b"+OK bye\r\n",
                b"STAT": b"+OK 1 100\r\n", b"RETR": b"+OK\r\n%s.\r\n" % MESSAGE}
        say(more.get(verb, b"-ERR what\r\n"))

    def smtp(self, say, verb, list_all, file):
        say({b"EHLO": list_all(), b"QUIT": b"221 bye\r\n", b"DATA": b"354 go on\r\n",
             b"XSTARTTLS": b"500 what\r\n"}.get(verb, b"250 done\r\n"))
        if verb != b"DATA":
            return
        body = b""
        while not body.endswith(b"\r\n.\r\n"):
            body += file.readline()
        self.heard.append((None, body))
        say(b"250 taken\r\n")
