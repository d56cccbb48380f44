"""What the clients of a server say, and what they must hear.

A script is a list of exchanges.  The client is served if it hears all of each exchange.
"""

import pathlib
from typing import NamedTuple


class Exchange(NamedTuple):
    say: bytes
    begins: bytes  # the answer's beginning
    ends: bytes    # the answer's end: the exchange is over when the client has heard it


def same(data):
    return Exchange(data, data, data)


ECHO = [
    [same(b"hello\r\n"), same(b"a\r\nb\r\n"), same(b"x" * 6000 + b"\r\n")],
    [same(b"hello\r\n"), Exchange(b"half of ", b"", b""), Exchange(b"a line\r\n", b"half of a", b"line\r\n")],
    [same(b"hello\r\n"), same(b"good bye\r\n")],
    [same(b"x" * 100000 + b"\r\n"), same(b"hello\r\n")],
    [same(b"hello\r\n"), same(b"\r\n")],
]

PAGE = b"A small page.\n"
BIG = b"0123456789abcdef" * 20000


def make_site(folder):
    """Makes the files that the clients of http_server ask for."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "page.txt").write_bytes(PAGE)
    (folder / "big.bin").write_bytes(BIG)


def get(path, end):
    request = b"GET %s HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n" % path
    return Exchange(request, b"HTTP/1.0 200", end)


POST = Exchange(b"POST /form HTTP/1.1\r\nHost: here\r\nConnection: close\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\n\r\na=one&b=two",
                b"HTTP/1.0 200", b"</html>\n")

HTTP = [
    [get(b"/page.txt", PAGE)],
    [get(b"/", b"</html>\n")],
    [POST],
    [get(b"/big.bin", BIG)],
    [get(b"/page.txt", PAGE)],
]


def smtp(say, code):
    return Exchange(say, code, b"\r\n")


MAIL = [
    smtp(b"", b"220 "),
    smtp(b"HELO client\r\n", b"250 "),
    smtp(b"MAIL FROM:<a@example.com>\r\n", b"250 "),
    smtp(b"RCPT TO:<b@example.com>\r\n", b"250 "),
    smtp(b"DATA\r\n", b"354 "),
    smtp(b"Subject: a test\r\n\r\nHello.\r\n..\r\n.\r\n", b"250 "),
    smtp(b"QUIT\r\n", b"221 "),
]

# One script for each of the clients that connect while the fault may fire, and the script of the clients that
# connect after it.
CLIENTS = {
    "line_echo": (ECHO, ECHO[2]),
    "http_server": (HTTP, HTTP[0]),
    "smtpd": ([MAIL] * 5, MAIL),
    "losing": ([[same(b"hello\n"), same(b"good bye\n")]] * 5, [same(b"hello\n")]),
}


def command(name, folder, site):
    """The command that starts a server; `name` may have a word for losing: "losing exits"."""
    program, *words = name.split()
    return [str(pathlib.Path(folder) / program), *{
        "line_echo": ["0"],
        "http_server": ["--root", str(site)],
        "smtpd": ["-n", "-c", "DebuggingServer", "127.0.0.1:0"],
        "losing": words,
    }[program]]
