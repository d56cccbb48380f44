"""Addresses made at random, those of the fuzz corpus, and addresses whose comments are nested deeply, as SMTPChannel._getaddr() reads them in the port and in CPython.

    test_addresses.py ADDRESSES [COUNT [SEED]]

Where CPython raises an exception, the port must throw one, of any kind: the channel closes.  One exception is the
port's own to decide: comments that are nested less deeply than its limit may be a RecursionError of CPython, which needs
up to three frames for each of them, and which the port reads.  Where there is no CPython with smtpd, the test is skipped.
"""

import pathlib
import random
import subprocess
import sys

from support import PYTHON  # first: support knows where the next module is
from cpython import SKIPPED

VALID = ["<ann@example>", "ann@example", "<>", "<@a,@b:ann@example>", '<"ann b"@example>', "<ann@[127.0.0.1]>",
         "ann (comment) @ example . org", "<a.b.c@d.e.f> SIZE=10", "<=?utf-8?q?ann?=@example>", '"a"."b" . c@d']
PIECES = [*"ab@@@...<>\"\"()[]:,;\\\\  \t=?", "ann", "example", '""', "<", ">", "(c)", "(\\)", '"q w"', "\u00e9", "\x7f", "\x0b",
          "\u00a0", "=?utf-8?q?a=20b?=", "=?iso-8859-1?Q?=E9?=", "=?utf-8?b?YQ==?=", "=?utf-8?q??=", "=?x?q?a?=", "=?", "?=",
          "=?utf-8?q?=ff?=", "=?utf-8?b?YWI?=", "=?us-ascii?q?a_b?=", "?q?", "=?utf-8?b?YQ==YWJj?=", "=?utf-8?b?Y=Q=Wx=?=", "[1.2]", " . "]


LIMIT = 1000  # of the port: py::recursion_limit

# CPython reads these up to about 980 deep, and raises a RecursionError for what is deeper.
NESTED = [text for depth in (1, 2, 500, 900, 1001, 50_000) for text in (
    "(" * depth + "ann@example", "(" * depth + ")" * depth + "ann@example", "<ann" + "(" * depth + ")" * depth + "@example>",
    "ann@example" + "(" * depth, "<ann@[1]" + "(c" * depth + ")" * depth + ">", "<" * depth)]


def made_up(rng):
    return "".join(rng.choices(PIECES, k=rng.randrange(1, 13)))


def mutated(rng):
    text = rng.choice(VALID)
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(["", rng.choice(PIECES)]) + text[at + rng.randrange(3):]
    return text


def of_corpus():
    """The addresses of mail in the corpus of the fuzz target, which has a line in hexadecimal for each input.  As in
    address.cpp, the byte 1 stands for 300 opening brackets, and the byte 2 for 300 closing brackets."""
    for line in (pathlib.Path(__file__).parent.parent / "fuzz/address.corpus").read_text().splitlines():
        kind, text = bytes.fromhex(line[:2]), bytes.fromhex(line[2:])
        if kind[0] % 4 == 0 and b"\n" not in text:
            try:
                yield text.replace(b"\1", b"(" * 300).replace(b"\2", b")" * 300).decode()
            except UnicodeDecodeError:
                pass  # smtpd decodes a command before it reads the address


def in_cpython():
    """Runs in CPython: reads addresses, and prints what addresses.cpp prints."""
    import smtpd
    for line in sys.stdin.buffer:
        try:
            found = smtpd.SMTPChannel._getaddr(None, line[:-1].decode())
            print(*(each.encode(errors="surrogateescape") for each in found))
        except RecursionError:
            print("too deep")
        except Exception:
            print("raises")


def is_equal(text, theirs, mine):
    if theirs == b"too deep":
        return mine == b"raises" or text.count("(") < LIMIT
    return theirs == mine


def main(addresses, count="20000", seed="1"):
    if not PYTHON:
        print("skipped: there is no CPython with smtpd here")
        return SKIPPED
    rng = random.Random(int(seed))
    texts = NESTED + list(of_corpus()) + [rng.choice([made_up, mutated])(rng) for _ in range(int(count))]
    given = "".join(text + "\n" for text in texts).encode()

    def read(*command):
        return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True).stdout.split(b"\n")[:-1]

    mine, theirs = read(addresses), read(PYTHON, "-W", "ignore", __file__, "--cpython")
    assert len(mine) == len(theirs) == len(texts), (len(mine), len(theirs), len(texts))
    wrong = [each for each in zip(texts, theirs, mine) if not is_equal(*each)]
    for text, theirs_, mine_ in sorted(wrong, key=lambda each: len(each[0]))[:20]:
        print("%.200r\n    CPython %.200r\n    here    %.200r" % (text, theirs_, mine_))
    read_well = len(texts) - theirs.count(b"raises") - theirs.count(b"too deep")
    print("%d addresses, %d of which CPython can read; %d read otherwise" % (len(texts), read_well, len(wrong)))
    return 1 if wrong or not read_well else 0


if __name__ == "__main__":
    sys.exit(in_cpython() if sys.argv[1:] == ["--cpython"] else main(*sys.argv[1:]))
