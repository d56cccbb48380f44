"""A server under test, and clients that say exactly what they are told to say."""

import os
import queue
import re
import resource
import select
import signal
import socket
import subprocess
import threading
import time

PATIENCE = 60  # seconds, for what must happen at once; a slow machine may take longer


class Lines:
    """The lines that a process writes, as they come."""

    def __init__(self, stream):
        self.lines = queue.Queue()
        self.thread = threading.Thread(target=self.read, args=(stream,), daemon=True)
        self.thread.start()

    def read(self, stream):
        for line in stream:
            self.lines.put(line.decode("latin-1").rstrip("\n"))
        self.lines.put(None)
        stream.close()

    def next(self):
        line = self.lines.get(timeout=PATIENCE)
        if line is None:
            raise EOFError("the process has ended")
        return line

    def find(self, pattern):
        """The first line from here on that the pattern is found in; the match."""
        while True:
            found = re.search(pattern, self.next())
            if found:
                return found

    def rest(self):
        self.thread.join(PATIENCE)
        lines = []
        while (line := self.lines.get(timeout=PATIENCE)) is not None:
            lines.append(line)
        return lines


class Program:
    """A process that is ended at the end."""

    def __init__(self, *command, descriptors=None, env=None):
        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        # AddressSanitizer keeps what is freed, which would look like a leak in a measurement.
        asan = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=limit, env=dict(os.environ, ASAN_OPTIONS=asan, **(env or {})))
        self.pid = self.process.pid
        self.out = Lines(self.process.stdout)
        self.err = Lines(self.process.stderr)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)

    def status(self, name):
        """A number of /proc/PID/status: VmHWM is the most memory it ever had, in KiB."""
        with open("/proc/%d/status" % self.pid) as status:
            return int(re.search(r"^%s:\s*(\d+)" % name, status.read(), re.M).group(1))

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.pid) as stat:
            words = stat.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))


class Server(Program):
    """An http_server on a free port."""

    def __init__(self, program, root, *options, **limits):
        super().__init__(program, "--port", "0", "--root", root, *options, **limits)
        self.port = int(self.out.find(r"on http://127\.0\.0\.1:(\d+)/").group(1))
        self.url = "http://127.0.0.1:%d/" % self.port
        self.out.find("^Try: curl .*" + re.escape(self.url))

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def ask(self, *pieces, half_close=False):
        """Sends the pieces, each when the server has read the one before it."""
        with self.connect() as sock:
            for piece in pieces:
                sock.sendall(piece)
                if len(pieces) > 1:
                    wait_until_read(sock)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
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


def read_all(sock):
    data = bytearray()
    while piece := sock.recv(65536):
        data += piece
    return bytes(data)


def wait_until_read(sock):
    """Waits until the peer, on this machine, has read all that was sent.  Linux only."""
    def hexadecimal(address):
        return "%s:%04X" % (socket.inet_aton(address[0])[::-1].hex().upper(), address[1])

    try:
        line = "%s %s " % (hexadecimal(sock.getpeername()), hexadecimal(sock.getsockname()))
    except OSError:
        return  # gone
    wait_until(lambda: not any(line in entry and entry.split()[4].split(":")[1] != "00000000"
                               for entry in open("/proc/net/tcp")))


def wait_until(true):
    end, pause = time.monotonic() + PATIENCE, 0.001
    while not true():
        if time.monotonic() > end:
            raise TimeoutError("it never became true")
        time.sleep(pause)
        pause = min(pause * 2, 0.1)  # to ask is not cheap


def is_readable(sock):
    return bool(select.select([sock], [], [], 0)[0])
