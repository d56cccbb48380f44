"""What the tests of the modules share."""

import asyncore
import contextlib
import gc
import os
import select
import socket
import subprocess
import sys
import unittest

TURNS = 40  # more than a turn needs to look at each channel of a small map


class Recorder(asyncore.dispatcher):
    """Notes which hooks are called."""

    def __init__(self, sock=None, map=None):
        self.called = []
        super().__init__(sock, map)

    def writable(self):
        return False

    def handle_read(self):
        self.called.append("read")
        self.recv(4096)

    def handle_write(self):
        self.called.append("write")

    def handle_close(self):
        self.called.append("close")
        self.close()

    def handle_error(self):
        self.called.append("error")
        raise


class MapTest(unittest.TestCase):
    """Has a map of its own, which is empty at the end of each test."""

    def setUp(self):
        self.map = {}
        self.addCleanup(asyncore.close_all, self.map, ignore_all=True)

    def pair(self):
        """Two sockets of one connection; they are closed when the test ends."""
        one, other = socket.socketpair()
        self.addCleanup(one.close)
        self.addCleanup(other.close)
        return one, other

    def channel(self, kind=Recorder, *arguments):
        """A channel of that class, and its peer."""
        one, other = self.pair()
        return kind(one, self.map, *arguments), other

    def turns(self, count=1, poll=asyncore.poll2):
        for _ in range(count):
            poll(0, self.map)

    def turn_until(self, happened, turn=None):
        for _ in range(TURNS):
            if happened():
                return
            (turn or self.turns)()
        self.fail("it has not happened within %d turns" % TURNS)


def both_deliveries(test):
    """Runs the test once with poll() and once with poll2()."""
    def run(self):
        for poll in asyncore.poll, asyncore.poll2:
            with self.subTest(poll=poll.__name__):
                asyncore.close_all(self.map, ignore_all=True)
                test(self, poll)
    run.__name__ = test.__name__
    return run


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def resident_bytes():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def is_sanitized():
    return "libasan" in os.environ.get("LD_PRELOAD", "")


def run_program(text, *arguments, **how):
    """Runs a program of Python in a process of its own, and returns (status, output, errors)."""
    done = subprocess.run([sys.executable, "-c", text, *map(str, arguments)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, **how)
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def replaced(module, name, value):
    """The attribute has another value within."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def is_ready(sock):
    return bool(select.select([sock], [], [], 0)[0])
