"""The entries Pn of docs/differences.md, by number."""

import socket
import subprocess
import sys
import unittest

import asyncore


class Reader(asyncore.dispatcher):
    def handle_read(self):
        self.recv(4096)

    def writable(self):
        return False


class Differences(unittest.TestCase):

    def setUp(self):
        one, self.other = socket.socketpair()
        self.addCleanup(self.other.close)
        self.map = {}
        self.reader = Reader(one, self.map)
        self.addCleanup(self.reader.close)
        self.other.send(b"x")  # so that no wait lasts

    def test_P1_a_time_out_that_is_too_long_for_the_system_is_no_error(self):
        for poll in asyncore.poll, asyncore.poll2:
            for longest in 1e30, float("inf"), 10**30:
                self.other.send(b"x")
                poll(longest, self.map)
            for wrong in "1000", [], self:
                with self.assertRaises(TypeError):
                    poll(wrong, self.map)
            with self.assertRaises(ValueError):
                poll(float("nan"), self.map)
        asyncore.poll("not looked at", {})

    def test_P2_the_modules_do_not_warn_that_they_are_deprecated(self):
        done = subprocess.run([sys.executable, "-W", "error::DeprecationWarning", "-c", "import asyncore, asynchat"],
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
