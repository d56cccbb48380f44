"""Runs docs/porting/skeleton.py on each Python source beneath folders, and compiles each skeleton.

    try_servers.py [--all] [--compiler CXX] FOLDER|FILE...

A source counts if it names asyncore or asynchat; with --all every source does.  A line for each source says how many lines
and classes it has, how many of them are channels, how the tool and the compiler ended, and how long the compiler took.  The
exit status is 1 if a source could not be read, or a skeleton did not compile.
"""
import argparse
import collections
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs/porting"))
from skeleton.facts import read_source  # noqa: E402
from skeleton.lexer import SourceError  # noqa: E402
from skeleton.report import report  # noqa: E402
from skeleton.writer import Writer  # noqa: E402

Trial = collections.namedtuple("Trial", "path lines classes channels python outcome seconds message")
# What a skeleton may include, compiled once: a skeleton alone takes the compiler about three seconds.
HEADERS = ("asynchat/asynchat.hpp", "asyncore/asyncore.hpp", "any", "deque", "map", "mutex", "optional", "set", "span",
           "sstream", "stdexcept", "string", "string_view", "utility", "vector", "memory")


class Compiler:
    """Compiles skeletons in a folder, with a precompiled header."""

    def __init__(self, command, folder):
        self.folder = pathlib.Path(folder)
        self.command = [*command, "-std=c++20", "-Wall", "-Wextra", f"-I{ROOT}"]
        header = self.folder / "all.hpp"
        header.write_text("".join(f"#include <{each}>\n" for each in HEADERS))
        subprocess.run([*self.command, "-x", "c++-header", str(header), "-o", f"{header}.gch"], check=True)

    def compile(self, text, name="skeleton.cpp"):
        """Returns: (whether it compiled, what the compiler said)."""
        source = self.folder / name
        source.write_text(text, encoding="utf-8")
        done = subprocess.run([*self.command, "-fsyntax-only", "-include", str(self.folder / "all.hpp"), str(source)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        return done.returncode == 0, done.stdout


def counts(path, every):
    """Whether the tool is run on a source."""
    data = path.read_bytes()
    return path.is_file() and (every or b"asyncore" in data or b"asynchat" in data)


def sources(paths, every):
    for path in map(pathlib.Path, paths):
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        yield from (each for each in files if each.is_file() and counts(each, every))


def skeleton_of(path):
    """(Source, "2" or "3", the skeleton)."""
    source = read_source(path)
    python_2 = source.is_python_2()
    report(source, python_2)
    return source, "2" if python_2 else "3", Writer(source, python_2).text()


def try_one(path, compiler):
    try:
        source, python, text = skeleton_of(path)
    except SourceError as error:
        return Trial(path, 0, 0, 0, "?", "not read", 0.0, f"line {error.line}: {error.message}")
    start = time.monotonic()
    compiled, message = compiler.compile(text)
    outcome = "compiled" if compiled and not message else "warnings" if compiled else "NOT COMPILED"
    channels = sum(each.is_channel for each in source.classes)
    return Trial(path, len(source.rows), len(source.classes), channels, python, outcome, time.monotonic() - start, message)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="also the sources that name neither module")
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("paths", nargs="+")
    given = parser.parse_args()
    trials = []
    with tempfile.TemporaryDirectory() as folder:
        compiler = Compiler(given.compiler.split(), folder)
        for path in sources(given.paths, given.all):
            trial = try_one(path, compiler)
            trials.append(trial)
            print(f"{path}: {trial.lines} lines, {trial.classes} classes, {trial.channels} channels, "
                  f"Python {trial.python}, {trial.outcome}, {trial.seconds:.1f} s", flush=True)
            print("".join(f"    {line}\n" for line in trial.message.splitlines()[:8]), end="")
    outcomes = collections.Counter(each.outcome for each in trials)
    print(", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items())))
    return 0 if set(outcomes) <= {"compiled", "warnings"} else 1


if __name__ == "__main__":
    sys.exit(main())
