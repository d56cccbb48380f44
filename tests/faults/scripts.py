"""What the clients of a server say, and what they must hear.

A script is a list of exchanges.  The client is served if it hears all of each exchange.
"""

import atexit
import functools
import pathlib
import re
import subprocess
from typing import NamedTuple


class Exchange(NamedTuple):
    say: bytes
    begins: bytes  # the answer's beginning
    ends: bytes    # the answer's end: the exchange is over when the client has heard it
    opens: bool = False    # the client opens a data connection to the port that the answer ends with, as PASV's does
    on_data: bool = False  # the exchange is one of the data connection
    closes: bool = False   # then the client closes the data connection


def same(data):
    return Exchange(data, data, data)


ECHO = [
    [same(b"hello\r\n"), same(b"a\r\nb\r\n"), same(b"x" * 6000 + b"\r\n")],
    [same(b"hello\r\n"), Exchange(b"half of ", b"", b""), Exchange(b"a line\r\n", b"half of a", b"line\r\n")],
    [same(b"hello\r\n"), same(b"good bye\r\n")],
    [same(b"x" * 100000 + b"\r\n"), same(b"hello\r\n")],
    [same(b"hello\r\n"), same(b"\r\n")],
]

ECHO_WITHOUT_END = [
    [same(b"hello\r\n"), same(b"a\r\nb\r\n"), same(b"x" * 6000 + b"\r\n")],
    [same(b"hello\r\n"), same(b"\r\n")],
    [same(b"hello\r\n")],
    [same(b"x" * 100000 + b"\r\n"), same(b"hello\r\n")],
    [same(b"hello\r\n"), Exchange(b"half of ", b"", b""), Exchange(b"a line\r\n", b"half of a", b"line\r\n")],
]

PAGE = b"A small page.\n"
BIG = b"0123456789abcdef" * 20000


def make_site(folder):
    """Makes the files that the clients of http_server and ftp_server ask for."""
    folder = pathlib.Path(folder)
    (folder / "folder").mkdir(parents=True, exist_ok=True)
    (folder / "page.txt").write_bytes(PAGE)
    (folder / "big.bin").write_bytes(BIG)


def get(path, end, code=b"200"):
    request = b"GET %s HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n" % path
    return Exchange(request, b"HTTP/1.0 " + code, end)


POST = Exchange(b"POST /form HTTP/1.1\r\nHost: here\r\nConnection: close\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\n\r\na=one&b=two",
                b"HTTP/1.0 200", b"</html>\n")

PART = b"--x\r\nContent-Disposition: form-data; name=one\r\n\r\ntext\r\n--x--\r\n"
POST_PARTS = Exchange(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Type: multipart/form-data; boundary=x\r\n"
                      b"Content-Length: %d\r\n\r\n%s" % (len(PART), PART), b"HTTP/1.0 200", b"</html>\n")

HTTP = [
    [get(b"/page.txt", PAGE)],
    [get(b"/", b"</html>\n")],
    [POST],
    [get(b"/big.bin", BIG)],
    [Exchange(b"HEAD /page.txt HT", b"", b""), Exchange(b"TP/1.0\r\n\r\n", b"HTTP/1.0 200", b"\r\n\r\n")],
    [get(b"/none", b"</html>\n", b"404")],
    [get(b"/folder", b"</html>\n", b"301")],
    [get(b"/folder/", b"</html>\n")],
    [POST_PARTS],
]


def smtp(say, code):
    return Exchange(say, code, b"\r\n")


HELLO = [smtp(b"", b"220 "), smtp(b"HELO client\r\n", b"250 ")]
MESSAGE = [
    smtp(b"MAIL FROM:<a@example.com>\r\n", b"250 "),
    smtp(b"RCPT TO:<b@example.com>\r\n", b"250 "),
    smtp(b"DATA\r\n", b"354 "),
    smtp(b"Subject: a test\r\n\r\nHello.\r\n..\r\n.\r\n", b"250 "),
]
QUIT = [smtp(b"QUIT\r\n", b"221 ")]
MAIL = HELLO + MESSAGE + QUIT
MAILS = [
    MAIL,
    HELLO + [smtp(b"NOOP\r\n", b"250 "), smtp(b"VRFY <c@example.com>\r\n", b"252 ")] + MESSAGE + QUIT,
    HELLO + MESSAGE[:2] + [smtp(b"RSET\r\n", b"250 "), smtp(b"no such command\r\n", b"500 ")] + MESSAGE + QUIT,
    MAIL,
    HELLO + MESSAGE + MESSAGE + QUIT,
]


def ftp(say, code, ends=b"\r\n"):
    return Exchange(say, code, ends)


def upload(name, data):
    return [PASV, ftp(b"STOR %s\r\n" % name, b"1"), Exchange(data, b"", b"", on_data=True, closes=True), ftp(b"", b"226 ")]


def download(line, ends, data=b""):
    """What the server sends fits into the buffers of the connection, so the end may be heard before it is read."""
    return [PASV, ftp(line, b"1", b"226 Transfer complete.\r\n"), Exchange(b"", data, ends, on_data=True, closes=True)]


LOGIN = [ftp(b"", b"220 "), ftp(b"USER anonymous\r\n", b"331 "), ftp(b"PASS x\r\n", b"230 "), ftp(b"TYPE I\r\n", b"200 ")]
PASV = Exchange(b"PASV\r\n", b"227 ", b").\r\n", opens=True)
BYE = [ftp(b"QUIT\r\n", b"221 ")]
FTP_PAGE = LOGIN + download(b"RETR page.txt\r\n", PAGE, PAGE) + BYE
FTP = [
    FTP_PAGE,
    LOGIN + upload(b"uploaded-1", PAGE) + [ftp(b"RNFR uploaded-1\r\n", b"350 "), ftp(b"RNTO uploaded-1\r\n", b"250 "),
                                           ftp(b"DELE uploaded-1\r\n", b"250 ")] + BYE,
    LOGIN + download(b"LIST\r\n", b"\r\n") + [ftp(b"CWD folder\r\n", b"250 "), ftp(b"CDUP\r\n", b"250 ")] + BYE,
    LOGIN + [ftp(b"SIZE page.txt\r\n", b"213 14"), ftp(b"SITE CHMOD 644 page.txt\r\n", b"200 "), ftp(b"MKD made\r\n", b""),
             ftp(b"MFMT 20200101000000 page.txt\r\n", b"213 "), ftp(b"RMD made\r\n", b"")] + BYE,
    LOGIN + [PASV, ftp(b"ABOR\r\n", b"225 "), ftp(b"REST 2\r\n", b"350 ")] + download(b"RETR page.txt\r\n", PAGE[2:], PAGE[2:])
    + download(b"NLST\r\n", b"\r\n") + BYE,
]


class Server(NamedTuple):
    command: list   # the program and its arguments
    clients: list   # the scripts of the clients that come while a fault may fire
    probe: list     # the script of each client that comes after the fault


# line_echo_asked overrides readable() and writable(), as most ported servers do: the loop asks them on each turn.
SERVERS = {
    "line_echo": Server(["line_echo", "0"], ECHO, ECHO[2]),
    "line_echo_asked": Server(["line_echo", "0", "--asked"], ECHO, ECHO[2]),
    "http_server": Server(["http_server", "--root", "{site}"], HTTP, HTTP[0]),
    "ftp_server": Server(["ftp_server", "--write", "--root", "{site}"], FTP, FTP_PAGE),
    "smtpd": Server(["smtpd", "-n", "-c", "DebuggingServer", "127.0.0.1:0"], MAILS, MAIL),
}
# The sweep does not wait for the server behind it, so on a busy machine a client may be lost without a fault.  It is
# swept only if --servers names it.
WITH_A_SERVER_BEHIND = {
    "mail_proxy": Server(["mail_proxy", "--retry-delay", "0", "--listen", "tcp", "plain", "0",
                          "--to", "plain", "127.0.0.1", "{echo}"], ECHO_WITHOUT_END, ECHO_WITHOUT_END[1]),
}
KNOWN_TO_LOSE = {
    "losing_" + how: Server(["losing", how], [[same(b"hello\n"), same(b"good bye\n")]] * 5, [same(b"hello\n")])
    for how in ("nothing", "exits", "deaf", "spins", "forgets")
}


def server(name):
    return {**SERVERS, **WITH_A_SERVER_BEHIND, **KNOWN_TO_LOSE}[name]


@functools.cache
def echo_port(folder):
    """The port of a line_echo that meets no fault, and that ends with this process."""
    echo = subprocess.Popen([pathlib.Path(folder) / "line_echo", "0"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    atexit.register(echo.kill)
    return int(re.search(rb"\d+$", echo.stdout.readline().strip())[0])


def command(name, folder, site):
    """The command that starts a server."""
    program, *arguments = server(name).command
    echo = echo_port(folder) if "{echo}" in arguments else 0
    return [str(pathlib.Path(folder) / program), *(argument.format(site=site, echo=echo) for argument in arguments)]
