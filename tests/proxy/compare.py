"""Bytes and connections a second of the proxy, beside stunnel and haproxy, where they are installed.

    compare.py MAIL_PROXY [MIB [CONNECTIONS]]

Each proxy talks TLS with the clients and plain text with the server, in one thread.  The processor time is that of the
proxy alone, so it says more than the time by the clock: the clients share the machine.  Build with -O2 or -O3.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from servers import Listener
from support import Files, wait_until
import sockets

FILES = Files()
PIECE = b"0123456789abcdef" * 4096


def serve(sock):
    """The client names a number of bytes, and gets as many."""
    while line := sock.makefile("rb").readline():
        for _ in range(int(line) // len(PIECE)):
            sock.sendall(PIECE)


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def write(name, text):
    pathlib.Path(FILES / name).write_text(text)
    return FILES / name


def mail_proxy(port, server):
    return [sys.argv[1], "--cert", FILES / "pair.pem", "--listen", "tcp", "tls", port, "--to", "plain", "127.0.0.1", server]


def stunnel(port, server):
    return ["stunnel", write("stunnel.conf", "foreground = yes\npid =\ndebug = 3\n[one]\naccept = 127.0.0.1:%d\n"
                             "connect = 127.0.0.1:%d\ncert = %s\n" % (port, server, FILES / "pair.pem"))]


def haproxy(port, server):
    return ["haproxy", "-f", write("haproxy.conf", "global\n  nbthread 1\n  maxconn 1000\n"
                                   "defaults\n  mode tcp\n  timeout client 60s\n  timeout server 60s\n  timeout connect 9s\n"
                                   "listen one\n  bind 127.0.0.1:%d ssl crt %s\n  server s 127.0.0.1:%d\n"
                                   % (port, FILES / "pair.pem", server))]


def is_open(port):
    with contextlib.suppress(ConnectionRefusedError), sockets.connect(port):
        return True
    return False


@contextlib.contextmanager
def started(command, port):
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: is_open(port))
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def processor_time(pid):
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connect(port):
    context = FILES.for_client()
    return context.wrap_socket(sockets.connect(port), server_hostname="localhost")


def download(port, size):
    room = bytearray(1 << 20)
    with connect(port) as client:
        client.sendall(b"%d\n" % size)
        while size > 0:
            size -= client.recv_into(room)


def in_threads(count, call):
    threads = [threading.Thread(target=call) for _ in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def handshakes(port, count):
    for _ in range(count):
        connect(port).close()


def measure(pid, amount, call):
    """How much a second, by the clock and by the processor time of the proxy."""
    begin, before = time.monotonic(), processor_time(pid)
    call()
    return amount / (time.monotonic() - begin), amount / max(processor_time(pid) - before, 0.01)


def main(mib=512, connections=1000):
    pair = (FILES / "server.pem", FILES / "server.key")
    write("pair.pem", "".join(pathlib.Path(name).read_text() for name in pair))
    size = mib << 20
    print("%-12s %22s %22s %22s" % ("", "1 connection", "100 connections", "full handshakes"))
    print("%-12s %22s %22s %22s" % ("", "MiB/s, MiB/cpu s", "MiB/s, MiB/cpu s", "1/s, 1/cpu s"))
    first = None
    for make in mail_proxy, stunnel, haproxy:
        if make is not mail_proxy and not shutil.which(make.__name__):
            print("%-12s is not installed" % make.__name__)
            continue
        port = unused_port()
        with Listener(serve) as server, started(make(port, server.port), port) as process:
            share = size // 100 // len(PIECE) * len(PIECE)
            found = (measure(process.pid, mib, lambda: download(port, size)),
                     measure(process.pid, share * 100 / 2**20, lambda: in_threads(100, lambda: download(port, share))),
                     measure(process.pid, connections, lambda: in_threads(4, lambda: handshakes(port, connections // 4))))
        print("%-12s" % make.__name__, *["%11.0f %10.0f" % each for each in found])
        first = first or found
        if make is not mail_proxy:
            print("%-12s" % "  ratio", *["%11.2f %10.2f" % tuple(a / b for a, b in zip(*pairs))
                                         for pairs in zip(first, found)])


if __name__ == "__main__":
    main(*[int(word) for word in sys.argv[2:]])
