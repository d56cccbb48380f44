"""Compares the parser with CPython's, call by call, for every way to cut every text.

    check.py LIST --program PATH                  compares the library's logs with the digests in LIST
    check.py LIST --program PATH --python PYTHON  compares too, and shows the first line that differs from CPython's
    check.py LIST --python PYTHON                 compares CPython's logs with the digests in LIST
    check.py LIST --python PYTHON --record        writes the digests of CPython's logs into LIST

LIST is quick.txt, which is in the suite, or deep.txt, which takes minutes.  PYTHON is a CPython that has asynchat: 3.11
or older.
"""

import argparse
import hashlib
import itertools
import os
import subprocess
import sys
from collections import namedtuple

TWIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "twin.py")
BLOCK = 1 << 20
FORMAT = "%-24s %-24s %2s %9s  %s\n"

Log = namedtuple("Log", "cases digest")


class Configuration:

    def __init__(self, line):
        self.arguments = line.split()[:3]
        self.expected = Log(*(line.split()[3:] or ["0", "-"]))

    def start(self, command):
        return subprocess.Popen(command + self.arguments, stdout=subprocess.PIPE)

    def run(self, command):
        cases, digest = 0, hashlib.sha256()
        with self.start(command) as process:
            while block := process.stdout.read(BLOCK):
                cases += block.count(b"\n")
                digest.update(block)
        if process.returncode != 0:
            raise SystemExit("%s ended with status %d" % (command + self.arguments, process.returncode))
        return Log(str(cases), digest.hexdigest())

    def show_difference(self, python, program):
        with self.start(python) as theirs, self.start(program) as ours:
            for lines in itertools.zip_longest(theirs.stdout, ours.stdout, fillvalue=b"(nothing)\n"):
                if lines[0] != lines[1]:
                    print("    CPython %s    here    %s" % tuple(line.decode() for line in lines))
                    break
            theirs.kill()
            ours.kill()


def is_configuration(line):
    return line.strip() and not line.startswith("#")


def record(path, lines, python):
    recorded = []
    for line in lines:
        if is_configuration(line):
            configuration = Configuration(line)
            line = FORMAT % (*configuration.arguments, *configuration.run(python))
        recorded.append(line)
    with open(path, "w") as file:
        file.writelines(recorded)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("list")
    parser.add_argument("--program", help="the program that parsing.cpp is built into")
    parser.add_argument("--python", help="a CPython that has asynchat")
    parser.add_argument("--record", action="store_true", help="write that CPython's digests into LIST")
    args = parser.parse_args()
    program = args.program and [args.program]
    python = args.python and [args.python, TWIN]
    if not (program or python) or args.record and not python:
        parser.error("--program or --python is missing")

    with open(args.list) as file:
        lines = file.readlines()
    if args.record:
        return record(args.list, lines, python)
    failed = cases = 0
    configurations = [Configuration(line) for line in lines if is_configuration(line)]
    for configuration in configurations:
        log = configuration.run(program or python)
        cases += int(log.cases)
        if log == configuration.expected:
            continue
        failed += 1
        print("FAILED", *configuration.arguments)
        if program and python:
            configuration.show_difference(python, program)
    print("%d configurations, %d cases, %d differ" % (len(configurations), cases, failed))
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
