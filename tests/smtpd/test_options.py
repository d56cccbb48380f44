"""The program beside `python -m smtpd`: what it prints and its exit status, for all options and mistakes.

    test_options.py SMTPD

Both run for every line below.  Skipped where no CPython with smtpd is found.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from support import PATIENCE, find_python

SMTPD = [os.path.abspath(sys.argv.pop(1))]
PYTHON = find_python()
CPYTHON = PYTHON and [*PYTHON, "-W", "ignore", "-m", "smtpd"]

# They end at once.
TELL = [["-h"], ["--help"], ["-V"], ["--version"], ["--ver"], ["-nV"], ["-dV"], ["-d", "-h"], ["-n", "--", "-V"]]
BAD_OPTIONS = [["-x"], ["-:"], ["-nx"], ["-c"], ["-s"], ["--class"], ["--cl"], ["--sizes"], ["--s", "5"],
               ["--help=x"], ["-V=1"], ["--n=5"], ["--", "a:b", "-h"]]
SIZES = [["-s", size, "-V"] for size in ("5", "+5", "-5", " 12 ", "12\n", "1_000", "- 5", "", "abc", "1__0", "_1", "1_",
                                         "0x10", "1.5", "5 5", "\u00e9")]
LONG_SIZES = [["--size", "5", "-V"], ["--size=7", "-V"], ["--size=", "-V"], ["--si=x"], ["-s5", "-V"], ["-ns", "x"]]
SPECS = [["a", "b", "c"], ["a:1", "b:2", "c:3", "d"], ["localhost"], ["localhost:"], ["localhost:abc"], [""], [":"],
         [":x"], ["-"], ["a:1:2"], ["a:1", "b"], ["a:1", "b:"], ["a:1", "b:xyz"], ["a:x", "b"]]
# They fail when the server is made: of a traceback, the message of the exception counts.
CLASSES = [["-n", "-c", name, "localhost:0"] for name in ("nosuch", "", "smtpd.nosuch", "smtpd.", "no_such_module.name")]
REFUSED = [*CLASSES, ["-nu", "localhost:0"], ["-nu", "-c", "smtpd.PureProxy", "localhost:0"]]
# The same, in other words.
REFUSED_ANYHOW = [["-n", "localhost:70000"], ["-n", "localhost:-1"], ["-n", "nosuch.invalid:0"], ["-n", "192.0.2.1:0"],
                  ["-n", ":0"], ["-n", "-c", "Options", "localhost:0"]]
# They listen, and say so with -d.  (Not of smtpd.NAME: to Python that is another module, with a DEBUGSTREAM of its own.)
LISTEN = [["127.0.0.1:0"], ["127.0.0.1:0", "b:2"], ["-s", "-3", "127.0.0.1:0"], ["-c", "SMTPServer", "localhost:0"],
          ["-u", "-c", "DebuggingServer", "127.0.0.1:0"], ["-c", "PureProxy", "-s0", "127.0.0.1:0"]]


def encode(args):
    return [arg.encode() for arg in args]


def run(command, args):
    """Exit status, standard output and standard error of a program that ends."""
    done = subprocess.run([*command, *encode(args)], capture_output=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def without_name(told):
    return re.sub(rb"(?m)^Usage: \S+", b"Usage: PROGRAM", told)


def message_of(stderr):
    """What follows the type of the exception, which is the last thing said."""
    return stderr.rstrip(b"\n").rpartition(b"\n")[2].partition(b": ")[2]


class Listening:
    """A program that listens, from when it says so with -d."""

    def __init__(self, command, args, before=()):
        self.err = tempfile.TemporaryFile()
        self.process = subprocess.Popen([*before, *command, "-d", *encode(args)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.err)
        try:
            self.wait_until(lambda: b"\tRemote addr:" in self.said() or self.process.poll() is not None)
        except TimeoutError:
            self.process.kill()
            raise

    def wait_until(self, happened):
        end = time.monotonic() + PATIENCE
        while not happened():
            if time.monotonic() > end:
                raise TimeoutError(self.said())
            time.sleep(0.002)

    def said(self):
        # To seek would have the process, whose file it is too, write elsewhere.
        said = os.pread(self.err.fileno(), os.fstat(self.err.fileno()).st_size, 0)
        # The port that the system picked is told by the C++ program only.
        return re.sub(rb"(?m)^PORT \d+\n|(?<=started at ).*", b"", said)

    def uid(self):
        return pathlib.Path("/proc", str(self.process.pid)).stat().st_uid

    def watches_signals(self):
        """SIGINT is caught from the beginning in Python, and in C++ only just before the loop."""
        status = pathlib.Path("/proc", str(self.process.pid), "status").read_text()
        return int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> (signal.SIGINT - 1) & 1

    def interrupt(self):
        self.wait_until(self.watches_signals)
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self):
        out, _ = self.process.communicate(timeout=PATIENCE)
        said = self.said()
        self.err.close()
        return self.process.returncode, out, said


@unittest.skipUnless(CPYTHON, "no CPython that has smtpd")
class OptionsTest(unittest.TestCase):
    def check_each(self, lines, check):
        for args in lines:
            with self.subTest(args=args):
                check(args)

    def ends_alike(self, args):
        status, out, err = run(CPYTHON, args)
        self.assertEqual(run(SMTPD, args)[:2], (status, out))
        self.assertEqual(without_name(run(SMTPD, args)[2]), without_name(err))
        self.assertTrue(out or err)

    def test_help_and_version(self):
        self.check_each(TELL, self.ends_alike)

    def test_options(self):
        self.check_each(BAD_OPTIONS, self.ends_alike)

    def test_size(self):
        self.check_each(SIZES + LONG_SIZES, self.ends_alike)

    def test_specs(self):
        self.check_each(SPECS, self.ends_alike)

    def is_refused(self, args, read=message_of):
        status, out, err = run(CPYTHON, args)
        self.assertEqual((status, out), (1, b""))
        self.assertTrue(read(err))
        status, out, mine = run(SMTPD, args)
        self.assertEqual((status, out), (1, b""))
        self.assertEqual(read(mine), read(err))

    def test_refused(self):
        self.check_each(REFUSED, self.is_refused)

    def test_refused_in_other_words(self):
        self.check_each(REFUSED_ANYHOW, lambda args: self.is_refused(args, lambda err: bool(message_of(err))))

    def listens_alike(self, args):
        theirs, mine = Listening(CPYTHON, ["-n", *args]), Listening(SMTPD, ["-n", *args])
        expected = theirs.interrupt()
        self.assertEqual(expected[0], 0)
        self.assertIn(b"started at", expected[2])
        self.assertEqual(mine.interrupt(), expected)

    def test_listens(self):
        self.check_each(LISTEN, self.listens_alike)

    @unittest.skipIf(os.getuid(), "not root")
    def test_nosetuid(self):
        for args, uid in ((["127.0.0.1:0"], 65534), (["-n", "127.0.0.1:0"], 0), (["--nosetuid", "127.0.0.1:0"], 0)):
            for command in (CPYTHON, SMTPD):
                with self.subTest(args=args, command=command):
                    server = Listening(command, args)
                    server.wait_until(server.watches_signals)
                    server.wait_until(lambda: server.uid() == uid)
                    self.assertEqual(server.interrupt()[0], 0)

    @unittest.skipUnless(os.getuid() or shutil.which("setpriv"), "root, and no setpriv")
    def test_setuid_refused(self):
        before = [] if os.getuid() else ["setpriv", "--bounding-set=-setuid"]
        expected = Listening(CPYTHON, ["127.0.0.1:0"], before).end()
        self.assertEqual(expected[0], 1)
        self.assertIn(b"Cannot setuid", expected[2])
        self.assertEqual(Listening(SMTPD, ["127.0.0.1:0"], before).end(), expected)


if __name__ == "__main__":
    if not PYTHON:
        print("there is no CPython that has smtpd")
        sys.exit(77)  # skipped, to Meson
    unittest.main()
