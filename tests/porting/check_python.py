"""docs/porting/python.hpp against this Python: check_python.py PROGRAM [SEED [ROUNDS]].

Each function gets random arguments, made of pieces that have caused mistakes before: white space and line ends of Unicode,
bytes that are no UTF-8, separators that overlap.  The answers must be those of Python, or the same exception.  What
python.hpp says it does otherwise ("Differs") is left out of the arguments: see each maker.
"""

import email.utils
import math
import os
import random
import socket
import struct
import subprocess
import sys
import time
import unicodedata

PIECES = ["a", "b", "B", "Z", "z", "0", "9", "_", "-", "+", " ", "  ", "\t", "\n", "\r", "\r\n", "\v", "\f", "\x00", "\x1c",
          "\x1e", "\x1f", "\x7f", "\x85", "\xa0", "ä", "É", "ß", "\u1680", "\u2003", "\u2028", "\u2029", "\u200b", "\u3000",
          "\ufeff", "\xad", "\ue000", "日", "\U0001f600", "'", '"', "\\", "aa", "aba", ",", ", "]
RAW = [piece.encode() for piece in PIECES] + [b"\x80", b"\xc3", b"\xe2\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff",
                                               b"\xc0\x80", b"\xf0\x80\x80\x80"]
ASCII = " \t,.ab<>-'"
FORMATS = "%Y-%m-%d", "%H:%M:%S", "%d/%b/%Y:%H:%M:%S", "[%a %d %B %y %j %%]", "", "%A, %I %p", "x" * 200 + "%Y"


def text(count=12):
    return "".join(random.choices(PIECES, k=random.randrange(count)))


def data(count=12):
    return b"".join(random.choices(RAW, k=random.randrange(count)))


def single_case(make):
    """Text in which each letter has one letter of the other case, and which the C library's Unicode knows."""
    while True:
        found = make()
        if all(len(c.upper()) == 1 == len(c.lower()) for c in found):
            return found


def ascii_digits(make):
    """Text without digits that are not ASCII's."""
    while True:
        found = make()
        if all(c in "0123456789" or not (c.isdigit() or c.isdecimal()) for c in found):
            return found


def number():
    digits = "".join(random.choices("0123456789_", k=random.randrange(8)))
    return random.choice(["", " ", "\xa0", "\t"]) + random.choice(["", "-", "+"]) + digits + random.choice(["", " ", "x", "\n"])


def few(pieces=("a", "aa", "ab", ",", ", ", "\r\n", "\r")):
    """A separator, and a text that has it often."""
    separator = random.choice([*pieces, ""])
    return "".join(random.choices([*pieces, "b"], k=random.randrange(10))), separator


def real():
    """Any float, a float with few digits, or a float at the edge between the two forms of repr()."""
    return random.choice([struct.unpack("d", random.randbytes(8))[0], random.randrange(10**6) / 10**random.randrange(12),
                          random.choice([-1, 1]) * 10.0**random.randrange(-6, 19), random.uniform(1e15, 1e17), -0.0,
                          0.1 + 0.2, 5e-324, 9007199254740993.0, 9999999999999998.0, math.inf, -math.inf, math.nan])


def when():
    return random.choice([0, 951782400, random.randrange(4102444800)])


def utc(call):
    return lambda at: call(time.gmtime(at))


def one(make):
    return lambda: (make(),)


def with_most():
    return *few(), random.randrange(-1, 4)


TESTS = {
    "str.isalnum": (one(text), str.isalnum),
    "str.isdigit": (one(lambda: ascii_digits(text)), str.isdigit),
    "str.upper": (one(lambda: single_case(text)), str.upper),
    "str.lower": (one(lambda: single_case(text)), str.lower),
    "str.lstrip": (one(text), str.lstrip),
    "str.rstrip": (one(text), str.rstrip),
    "str.strip": (one(text), str.strip),
    "str.split": (one(text), str.split),
    "str.splitlines": (one(text), str.splitlines),
    "str.int": (one(lambda: random.choice([number, lambda: ascii_digits(text)])()), int),
    "str.repr": (one(text), repr),
    "str.ascii": (one(text), lambda a: a.encode("ascii")),
    "bytes.decode": (one(data), lambda a: a.decode("utf-8")),
    "bytes.latin1": (one(data), lambda a: a.decode("latin-1")),
    "bytes.isspace": (one(data), bytes.isspace),
    "bytes.isalnum": (one(data), bytes.isalnum),
    "bytes.isdigit": (one(data), bytes.isdigit),
    "bytes.upper": (one(data), bytes.upper),
    "bytes.lower": (one(data), bytes.lower),
    "bytes.lstrip": (one(data), bytes.lstrip),
    "bytes.rstrip": (one(data), bytes.rstrip),
    "bytes.strip": (one(data), bytes.strip),
    "bytes.split": (one(data), bytes.split),
    "bytes.splitlines": (one(data), bytes.splitlines),
    "bytes.repr": (one(data), repr),
    "lstrip": (lambda: (text(), "".join(random.choices(ASCII, k=2))), str.lstrip),
    "rstrip": (lambda: (text(), "".join(random.choices(ASCII, k=2))), str.rstrip),
    "strip": (lambda: (text(), "".join(random.choices(ASCII, k=2))), str.strip),
    "partition": (few, str.partition),
    "rpartition": (few, str.rpartition),
    "count": (lambda: next(given for given in iter(few, None) if given[1]), str.count),
    "split": (with_most, str.split),
    "rsplit": (with_most, str.rsplit),
    "replace": (lambda: (*next(given for given in iter(few, None) if given[1]), text(3)), str.replace),
    "join": (lambda: (text(3), *(text(3) for each in range(random.randrange(4)))), lambda a, *rest: a.join(rest)),
    "slice": (lambda: (few()[0], random.randrange(-9, 9), random.choice([None, *range(-9, 9)])),
              lambda a, begin, end: a[begin:end]),
    "list.repr": (lambda: ("s", *(text() for each in range(random.randrange(4)))), lambda a, *rest: repr(list(rest))),
    "float.repr": (one(real), repr),
    "address.repr": (lambda: (random.choice(["127.0.0.1", "host.example", ""]), random.randrange(65536)),
                     lambda host, port: repr((host, port))),
    "getfqdn": (one(lambda: random.choice(["", "0.0.0.0", " localhost ", "127.0.0.1", "no.such.host.invalid"])),
                socket.getfqdn),
    "asctime": (one(when), utc(time.asctime)),
    "ctime": (one(when), time.ctime),
    "formatdate": (one(when), email.utils.formatdate),
    "http_date": (one(when), lambda at: email.utils.formatdate(at, usegmt=True)),
    "strftime": (lambda: (when(), random.choice(FORMATS)), lambda at, form: time.strftime(form, time.gmtime(at))),
}


def as_bytes(value):
    if isinstance(value, bytes):
        return value
    return b"" if value is None else str(value).encode()


def shown(value):
    if isinstance(value, (list, tuple)):
        return "[" + "".join(map(shown, value))
    if isinstance(value, (str, bytes)):
        return "'" + as_bytes(value).hex()
    return str(value)


def expected(call, arguments):
    try:
        return shown(call(*arguments))
    except UnicodeError:
        return "UnicodeError"
    except ValueError:
        return "ValueError"


def main(program, seed="1", rounds="400"):
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    random.seed(int(seed))
    listed = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split()
    assert sorted(listed) == sorted(TESTS), set(listed) ^ set(TESTS)
    asked = [(name, make(), call) for name, (make, call) in TESTS.items()
             for each in range(5 if name == "getfqdn" else int(rounds))]
    lines = [" ".join([name, *("'" + as_bytes(each).hex() for each in given)]) for name, given, _ in asked]
    answers = subprocess.run([program], check=True, capture_output=True, text=True,
                             input="\n".join(lines) + "\n").stdout.splitlines()
    assert len(answers) == len(asked), (len(answers), len(asked))
    wrong = [(name, given, call, answer) for (name, given, call), answer in zip(asked, answers)
             if answer != expected(call, given)]
    for name, given, call, answer in wrong[:20]:
        print(f"{name}{given!r}: {answer}, and Python says {expected(call, given)}")
    print(f"{len(asked)} calls of {len(TESTS)} functions, seed {seed}: {len(wrong)} wrong; Unicode {unicodedata.unidata_version}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
