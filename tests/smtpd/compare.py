"""Measures the port of smtpd beside CPython's, for docs/performance.md: `compare.py [BUILD]`.

BUILD is a folder for a release build, build-release if it is not said.  Both servers run all the time, and every round
measures one after the other.  Writes docs/performance/smtpd.json, and has bench.py write the page anew.  Needs a
CPython that has smtpd.
"""

import argparse
import ast
import importlib.util
import io
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time
import tokenize
import warnings

from support import FOLDER, PYTHON, SMTPServer, Talk

ROOT = FOLDER.parent.parent
PORT = ROOT / "docs/examples/smtpd"
FIGURES = ROOT / "docs/performance/smtpd.json"
CLASSES = "SMTPChannel", "SMTPServer", "DebuggingServer", "PureProxy"
ROUNDS = 7
CONNECTIONS, WARM_UP = 700, 300  # CPython's select() takes descriptors below 1,024 only

warnings.simplefilter("ignore", DeprecationWarning)


# Lines of code.  Blank lines, comments and docstrings do not count.

def python_code(source):
    """The numbers of the lines of a Python source that have code."""
    silent = tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in silent:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            lines.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return lines


def python_lines():
    """The lines of CPython's smtpd by class, and those of "the rest"."""
    source = pathlib.Path(importlib.util.find_spec("smtpd").origin).read_text()
    code, counts = python_code(source), {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name in CLASSES:
            counts[node.name] = len(code & set(range(node.lineno, node.end_lineno + 1)))
    return {**counts, "the rest": len(code) - sum(counts.values())}


def cpp_code(text):
    return sum(1 for line in text.splitlines() if line.strip() and not line.strip().startswith("//"))


def cpp_lines():
    """The same of the port: a class in the header, and the parts of the sources that say they are about it."""
    files = [PORT / "main.cpp", *sorted(PORT.glob("smtpd*.?pp"))]
    text = "".join(file.read_text() for file in files)
    counts = {}
    for name in CLASSES:
        declared = re.search(r"^class %s :.*?^};" % name, text, re.M | re.S).group()
        defined = re.findall(r"^// Python: class %s$.*?(?=^// Python:|^}  // namespace smtpd)" % name, text, re.M | re.S)
        counts[name] = cpp_code(declared) + sum(map(cpp_code, defined))
    return {**counts, "the rest": cpp_code(text) - sum(counts.values())}


def library_lines():
    """The lines of what the port needs of Python's library: C++ has nothing like it."""
    return {name: sum(cpp_code(file.read_text()) for file in PORT.glob(name + ".?pp"))
            for name in ("python*", "addr_spec*", "encoded_words", "smtplib")}


# Speed and memory.

def pipelined(port, count, body):
    """Messages a second, from one client that does not wait for replies."""
    message = b"MAIL FROM:<ann@example>\r\nRCPT TO:<bob@example>\r\nDATA\r\n" + body + b"\r\n.\r\n"
    with Talk(port) as talk:
        start = time.perf_counter()
        talk.send(b"HELO me\r\n" + message * count + b"QUIT\r\n")
        replies = talk.read_all()
        taken = time.perf_counter() - start
    if replies.count(b"354 ") != count or not replies.endswith(b"250 OK\r\n221 Bye\r\n"):
        raise RuntimeError("the server did not accept every message: %r" % replies[-200:])
    return count / taken


def in_dialogue(port, count):
    """Messages a second, from one client that waits for each reply."""
    with Talk(port) as talk:
        talk.reply(), talk.say(b"HELO me\r\n")
        start = time.perf_counter()
        for _ in range(count):
            for line in b"MAIL FROM:<ann@example>", b"RCPT TO:<bob@example>", b"DATA", b"x" * 1000 + b"\r\n.":
                if not talk.say(line + b"\r\n").startswith((b"250", b"354")):
                    raise RuntimeError("the server refused a message")
        return count / (time.perf_counter() - start)


def private_dirty(pid):
    rollup = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text()
    return int(re.search(r"Private_Dirty:\s*(\d+)", rollup).group(1)) * 1024


def memory(server):
    """Bytes for each of many connections whose client has said HELO and is silent."""
    talks = []
    try:
        for number in range(WARM_UP + CONNECTIONS):
            if number == WARM_UP:  # what the server needs once is allocated, and memory that was free is used
                before = private_dirty(server.pid)
            talks.append(Talk(server.port))
            talks[-1].reply(), talks[-1].say(b"HELO me\r\n")
        return (private_dirty(server.pid) - before) / CONNECTIONS
    finally:
        for talk in talks:
            talk.__exit__()


MEASURES = {
    "bytes for an open connection": memory,  # first: the other measures leave free memory behind
    "messages/s, 1 kB, pipelined": lambda server: pipelined(server.port, 1000, b"x" * 1000),
    "messages/s, 1 MB, pipelined": lambda server: pipelined(server.port, 10, (b"x" * 78 + b"\r\n") * 12500),
    "messages/s, 1 kB, a reply at a time": lambda server: in_dialogue(server.port, 300),
}


def measure(program):
    """For each measure: a pair of figures a round, of C++ and of Python."""
    found = {name: [] for name in MEASURES}
    for _ in range(ROUNDS):
        # Each round has new servers, for memory is measured while it grows.
        with SMTPServer(program, "Recorder") as ours, SMTPServer(PYTHON, FOLDER / "server.py", "Recorder") as theirs:
            for name, take in MEASURES.items():
                found[name].append((take(ours), take(theirs)))
    return found


# The figures

def lines():
    """By class: Python's and the port's."""
    python, cpp = python_lines(), cpp_lines()
    return {name: (python[name], cpp[name]) for name in python}


def machine():
    version = subprocess.run([PYTHON, "--version"], capture_output=True, text=True).stdout.strip()
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    return (f"{version}; {compiler}, a release build; {platform.system()} on {platform.machine()}; {os.cpu_count()} "
            f"processors, with a load average of {os.getloadavg()[0]:.0f}, client included")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", metavar="BUILD", nargs="?", default="build-release")
    folder = ROOT / parser.parse_args().build
    if not (folder / "build.ninja").exists():
        subprocess.run(["meson", "setup", folder, ROOT, "-Dbuildtype=release"], check=True)
    subprocess.run(["ninja", "-C", folder, "tests/smtpd/smtpd_server"], check=True)
    found = {"command": "python3 tests/smtpd/compare.py", "lines": lines(), "brought": library_lines(),
             "connections": (WARM_UP, WARM_UP + CONNECTIONS),
             "figures": measure(folder / "tests/smtpd/smtpd_server"), "machine": machine()}
    FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    subprocess.run([sys.executable, ROOT / "tests/bench/bench.py", "--report"], check=True)


if __name__ == "__main__":
    main()
