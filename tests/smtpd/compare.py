"""Measures the port of smtpd beside CPython's, and writes the figures into docs/porting.md.

    compare.py [BUILD]

BUILD is a folder for a release build; the default is build-release.  Each round measures the one server and then the
other, and a figure is the median of the rounds.  This needs a CPython that has smtpd.
"""

import argparse
import ast
import importlib.util
import io
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import time
import tokenize
import warnings

from support import FOLDER, PYTHON, SMTPServer, Talk

ROOT = FOLDER.parent.parent
PORT = ROOT / "docs/examples/smtpd"
GUIDE = ROOT / "docs/porting.md"
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
    """The same of the port: a class has its declaration in the header, and its part of the source."""
    header, source = (PORT / "smtpd.hpp").read_text(), (PORT / "smtpd.cpp").read_text()
    counts = {}
    for name in CLASSES:
        declared = re.search(r"^class %s :.*?^};" % name, header, re.M | re.S).group()
        defined = re.search(r"^// Python: class %s$.*?(?=^// Python:)" % name, source, re.M | re.S).group()
        counts[name] = cpp_code(declared) + cpp_code(defined)
    whole = sum(cpp_code((PORT / name).read_text()) for name in ("smtpd.hpp", "smtpd.cpp", "main.cpp"))
    return {**counts, "the rest": whole - sum(counts.values())}


def library_lines():
    """The lines of what the port needs of Python's library: C++ has nothing like it."""
    return {name: sum(cpp_code(file.read_text()) for file in PORT.glob(name + ".?pp"))
            for name in ("python", "addr_spec", "smtplib")}


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


# The table.

def short(number):
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"


def table(found):
    python, cpp = python_lines(), cpp_lines()
    rows = ["| lines of code | Python | C++ | C++ / Python |", "| --- | ---: | ---: | ---: |"]
    for name in [*CLASSES, "the rest"]:
        shown = name if name == "the rest" else f"`{name}`"
        rows.append(f"| {shown} | {python[name]} | {cpp[name]} | {cpp[name] / python[name]:.2f} |")
    total = sum(python.values()), sum(cpp.values())
    rows += [f"| all of `smtpd` | {total[0]} | {total[1]} | {total[1] / total[0]:.2f} |", ""]
    brought = ", ".join(f"{count} for `{name}.*`" for name, count in library_lines().items())
    rows += [f"The port also needs what Python has in its library and C++ has not: {brought}.", ""]
    rows += ["| median of %d rounds (least–most) | Python | C++ | C++ / Python |" % ROUNDS, "| --- | ---: | ---: | ---: |"]
    for name, pairs in found.items():
        cells = []
        for values in ([theirs for _, theirs in pairs], [ours for ours, _ in pairs]):
            cells.append(f"{short(statistics.median(values))} ({short(min(values))}–{short(max(values))})")
        ratio = statistics.median(ours for ours, _ in pairs) / statistics.median(theirs for _, theirs in pairs)
        rows.append(f"| {name} | {cells[0]} | {cells[1]} | {ratio:.2f} |")
    version = subprocess.run([PYTHON, "--version"], capture_output=True, text=True).stdout.strip()
    compiler = subprocess.run(["c++", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    rows += ["", f"{version} and {compiler}, a release build, {platform.system()} on {platform.machine()}, "
             f"{os.cpu_count()} processors under a load of {os.getloadavg()[0]:.0f}, client included. Memory is what "
             f"Private_Dirty grows by from {WARM_UP} to {WARM_UP + CONNECTIONS} connections that have said HELO. "
             "`python3 tests/smtpd/compare.py` makes these tables anew."]
    return "\n".join(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", metavar="BUILD", nargs="?", default="build-release")
    folder = ROOT / parser.parse_args().build
    if not (folder / "build.ninja").exists():
        subprocess.run(["meson", "setup", folder, ROOT, "-Dbuildtype=release"], check=True)
    subprocess.run(["ninja", "-C", folder, "tests/smtpd/smtpd_server"], check=True)
    figures = table(measure(folder / "tests/smtpd/smtpd_server"))
    print(figures)
    text, count = re.subn(r"(?s)(<!-- figures -->\n).*(\n<!-- end of figures -->)",
                          lambda marks: marks.group(1) + "\n" + figures + "\n" + marks.group(2), GUIDE.read_text())
    if count != 1:
        raise RuntimeError("the comments <!-- figures --> and <!-- end of figures --> are not in " + str(GUIDE))
    GUIDE.write_text(text)


if __name__ == "__main__":
    main()
