"""The two echo servers of README.md: `test_readme.py README.md COMPILER... -- LIBRARY...`.

README.md has the server once in Python and once in C++.  Each is started on a free port, must hold the same dialogue
with its clients, and must serve on until it is stopped.
"""

import importlib.util
import pathlib
import signal
import socket
import sys
import unittest

from blocks import NOT_RUN, blocks
from compiler import compiled

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from program import Program  # noqa: E402

PIECES = b"hello\r\n", b"\r\n", b"two\r\nlines\r\n", b"begun ", b"and ended\r\n", b"quit\r\n"
CODE, COMPILER = {}, []


def hold(address, meanwhile=lambda: None):
    """Says each piece when the replies to the one before it have come.  The lines of the replies, and what follows
    them until the server closes the connection."""
    with socket.create_connection(address) as sock, sock.makefile("rb") as file:
        lines = []
        for piece in PIECES:
            sock.sendall(piece)
            lines += [file.readline() for _ in range(piece.count(b"\n"))]
            meanwhile()
        return lines, file.read()


class Readme(unittest.TestCase):
    def dialogues(self, *command):
        """Starts the server, holds a dialogue with it and, after each piece, a whole one within, and stops the server."""
        with Program(*command, "0") as server:
            found = server.out.find(r"^listening on (127\.0\.0\.1):(\d+)$")
            address = found[1], int(found[2])
            inner = []
            outer = hold(address, lambda: inner.append(hold(address)))
            self.assertIsNone(server.process.poll())
            server.process.terminate()
            self.assertEqual(server.process.wait(), -signal.SIGTERM)
            self.assertEqual(server.err.rest(), [])
        return outer, inner

    def cpp_dialogues(self):
        at = COMPILER.index("--")
        program = compiled("README-server", CODE["cpp"], COMPILER[:at], COMPILER[at + 1:])
        self.assertIsNotNone(program)
        return self.dialogues(program)

    def test_cpp_sends_each_line_back(self):
        same = b"".join(PIECES).splitlines(keepends=True), b""
        self.assertEqual(self.cpp_dialogues(), (same, [same] * len(PIECES)))

    @unittest.skipUnless(importlib.util.find_spec("asyncore"), "this Python has no asyncore")
    def test_python_holds_the_same_dialogues(self):
        python = sys.executable, "-W", "ignore::DeprecationWarning", "-c", CODE["python"]
        self.assertEqual(self.dialogues(*python), self.cpp_dialogues())


if __name__ == "__main__":
    found = [(language, code) for _, language, code in blocks(pathlib.Path(sys.argv[1]).read_text())
             if language not in NOT_RUN]
    assert sorted(language for language, _ in found) == ["cpp", "python"], "README.md has one server in each language"
    CODE, COMPILER = dict(found), sys.argv[2:]
    unittest.main(argv=sys.argv[:1])
