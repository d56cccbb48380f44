"""The cost of a case with CPython's asynchat: doubling_cpython.py CASE N.  The twin of doubling.cpp."""

import resource
import socket
import sys
import warnings

warnings.simplefilter("ignore")
import asynchat  # noqa: E402
import asyncore  # noqa: E402


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def check(as_it_should_be):
    if not as_it_should_be:
        raise RuntimeError("the case did not do its work")


class Reader(asynchat.async_chat):

    def __init__(self, terminator, ac_in_buffer_size):
        asynchat.async_chat.__init__(self)
        self.set_terminator(terminator)
        self.ac_in_buffer_size = ac_in_buffer_size
        self.collected = self.messages = 0

    def recv(self, buffer_size):
        start = self.at
        self.at = min(start + buffer_size, len(self.stream))
        return self.stream[start:self.at]

    def collect_incoming_data(self, data):
        self.collected += len(data)

    def found_terminator(self):
        self.messages += 1

    def read_all(self, stream):
        self.stream, self.at = stream, 0
        before = cpu_seconds()
        while self.at < len(stream):
            self.handle_read()
        return cpu_seconds() - before


class Writer(asynchat.async_chat):

    def __init__(self):
        asynchat.async_chat.__init__(self)
        self.connected = True
        self.sent = 0
        self.blocked = False

    def send(self, data):
        if self.blocked:
            return 0
        self.sent += len(data)
        return len(data)


class OneBlock:

    def __init__(self, data):
        self.data = data

    def more(self):
        data, self.data = self.data, b""
        return data


def messages(n):
    stream = b"hello\r\n" * n
    channel = Reader(b"\r\n", len(stream))
    seconds = channel.read_all(stream)
    check(channel.messages == n and channel.collected == 5 * n)
    return seconds


def trickle(n):
    terminator = b"a" * (n - 1) + b"b"
    channel = Reader(terminator, 1)
    seconds = channel.read_all(terminator)
    check(channel.messages == 1 and channel.collected == 0)
    return seconds


def long_terminator(n):
    terminator = b"a" * (40 * 1024 - 1) + b"b"
    stream = bytearray(b"a" * (n * 1024))
    for i in range(0, len(stream), 30000):
        stream[i] = ord("x")
    channel = Reader(terminator, 4096)
    seconds = channel.read_all(bytes(stream) + terminator)
    check(channel.messages == 1 and channel.collected == n * 1024)
    return seconds


def producer(n):
    channel = Writer()
    channel.ac_out_buffer_size = 4096
    made = OneBlock(b"x" * (n << 20))
    before = cpu_seconds()
    channel.push_with_producer(made)
    while channel.producer_fifo:
        channel.handle_write()
    seconds = cpu_seconds() - before
    check(channel.sent == n << 20)
    return seconds


def pushes(n):
    kilobyte = b"x" * 1024
    channel = Writer()
    before = cpu_seconds()
    channel.blocked = True
    for _ in range(n):
        channel.push(kilobyte)
    check(channel.sent == 0)
    channel.blocked = False
    while channel.producer_fifo:
        channel.handle_write()
    seconds = cpu_seconds() - before
    check(channel.sent == n * 1024)
    return seconds


def blocked(n):
    sock, peer = socket.socketpair()
    sock.setblocking(False)
    peer.setblocking(False)
    kilobyte = b"x" * 1024
    expected = n * 1024
    received = 0
    try:
        while True:
            expected += sock.send(kilobyte)
    except BlockingIOError:
        pass
    channel = asyncore.dispatcher_with_send(sock, {})

    before = cpu_seconds()
    for _ in range(n):
        channel.send(kilobyte)
    check(len(channel.out_buffer) == n * 1024)
    try:
        while True:
            received += len(peer.recv(65536))
            if channel.out_buffer:
                channel.handle_write()
    except BlockingIOError:
        pass
    seconds = cpu_seconds() - before
    check(received == expected)
    return seconds


if __name__ == "__main__":
    case, n = sys.argv[1:]
    print("%.6f" % globals()[case](int(n)))
