"""The program beside `python -m smtpd`: what it prints and its exit status, for all options and mistakes.

    test_options.py SMTPD

Both programs run with each list of arguments below.  Where there is no CPython with smtpd, the test is skipped.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import unittest

from support import PYTHON  # first: support knows where the next modules are
from cpython import SKIPPED
from program import Program, ProgramEnded, wait_until

SMTPD = [os.path.abspath(sys.argv.pop(1))]
CPYTHON = PYTHON and [PYTHON, "-W", "ignore", "-m", "smtpd"]

# With these the program ends at once.
TELL = [["-h"], ["--help"], ["-V"], ["--version"], ["--ver"], ["-nV"], ["-dV"], ["-d", "-h"], ["-n", "--", "-V"]]
BAD_OPTIONS = [["-x"], ["-:"], ["-nx"], ["-c"], ["-s"], ["--class"], ["--cl"], ["--sizes"], ["--s", "5"],
               ["--help=x"], ["-V=1"], ["--n=5"], ["--", "a:b", "-h"]]
SIZES = [["-s", size, "-V"] for size in ("5", "+5", "-5", " 12 ", "12\n", "1_000", "- 5", "", "abc", "1__0", "_1", "1_",
                                         "0x10", "1.5", "5 5", "\u00e9")]
LONG_SIZES = [["--size", "5", "-V"], ["--size=7", "-V"], ["--size=", "-V"], ["--si=x"], ["-s5", "-V"], ["-ns", "x"]]
SPECS = [["a", "b", "c"], ["a:1", "b:2", "c:3", "d"], ["localhost"], ["localhost:"], ["localhost:abc"], [""], [":"],
         [":x"], ["-"], ["a:1:2"], ["a:1", "b"], ["a:1", "b:"], ["a:1", "b:xyz"], ["a:x", "b"]]
# With these it fails when the server is made: the message of the exception counts, and not the traceback.
CLASSES = [["-n", "-c", name, "localhost:0"] for name in ("nosuch", "", "smtpd.nosuch", "smtpd.", "no_such_module.name")]
REFUSED = [*CLASSES, ["-nu", "localhost:0"], ["-nu", "-c", "smtpd.PureProxy", "localhost:0"]]
# With these it fails too, and the messages differ.
REFUSED_ANYHOW = [["-n", "localhost:70000"], ["-n", "localhost:-1"], ["-n", "nosuch.invalid:0"], ["-n", "192.0.2.1:0"],
                  ["-n", ":0"], ["-n", "-c", "Options", "localhost:0"]]
# With these it listens, and says so with -d.  (No class is called smtpd.NAME here: to Python, smtpd is then a second
# module beside __main__, with a DEBUGSTREAM of its own.)
LISTEN = [["127.0.0.1:0"], ["127.0.0.1:0", "b:2"], ["-s", "-3", "127.0.0.1:0"], ["-c", "SMTPServer", "localhost:0"],
          ["-u", "-c", "DebuggingServer", "127.0.0.1:0"], ["-c", "PureProxy", "-s0", "127.0.0.1:0"]]


def run(command, args):
    """Exit status, standard output and standard error of a program that ends by itself."""
    done = subprocess.run([*command, *(arg.encode() for arg in args)], capture_output=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def without_name(told):
    return re.sub(rb"(?m)^Usage: \S+", b"Usage: PROGRAM", told)


def message_of(stderr):
    """The message of the exception in the last line of a traceback."""
    return stderr.rstrip(b"\n").rpartition(b"\n")[2].partition(b": ")[2]


class Listening(Program):
    """A program that listens, and says so with -d; or one that has ended instead."""

    def __init__(self, command, args, before=()):
        super().__init__(*before, *command, "-d", *args)
        with contextlib.suppress(ProgramEnded):
            self.err.find("\tRemote addr:")

    def interrupt(self):
        """Interrupts the loop of the program, and returns what end() does."""
        wait_until(self.is_asleep)  # before the loop, SIGINT would end the program with another status
        self.stop()
        return self.end()

    def end(self):
        """Exit status, standard output and standard error."""
        status = self.process.wait()
        # Only the C++ program prints the port that the system picked.
        return status, self.out.bytes(), re.sub(rb"(?m)^PORT \d+\n|(?<=started at ).*", b"", self.err.bytes())


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
        with Listening(CPYTHON, ["-n", *args]) as theirs, Listening(SMTPD, ["-n", *args]) as mine:
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
                with self.subTest(args=args, command=command), Listening(command, args) as server:
                    wait_until(lambda: server.status("Uid") == uid)
                    self.assertEqual(server.interrupt()[0], 0)

    @unittest.skipUnless(os.getuid() or shutil.which("setpriv"), "root, and no setpriv")
    def test_setuid_refused(self):
        before = [] if os.getuid() else ["setpriv", "--bounding-set=-setuid"]
        with Listening(CPYTHON, ["127.0.0.1:0"], before) as theirs, Listening(SMTPD, ["127.0.0.1:0"], before) as mine:
            expected = theirs.end()
            self.assertEqual(expected[0], 1)
            self.assertIn(b"Cannot setuid", expected[2])
            self.assertEqual(mine.end(), expected)


if __name__ == "__main__":
    if not PYTHON:
        print("skipped: there is no CPython with smtpd here")
        sys.exit(SKIPPED)
    unittest.main()
