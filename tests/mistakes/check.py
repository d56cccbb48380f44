"""The first mistakes of a newcomer, and what they are told: check.py [--other] COMPILER... -- LIBRARY...

Each file NAME.cpp beside this one has one mistake.  Its first comment says which, and the lines below say what happens:

    // error: REGEX      It does not compile.
    // warning: REGEX    It compiles with a warning.
    // run: REGEX        It compiles, and says so when it runs with ASYNCORE_CHECK=1.
    // flags: WORDS      What the compiler gets besides.

The first error or warning names the line that ends with "// here".  What is said has REGEX, which names the cure, outside
of the lines of the file itself, and in the first lines: what comes after them is not read.  With --other the same is
asked of the compilers, g++ or clang++, that are here beside this one.
"""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

FOLDER = pathlib.Path(__file__).parent
ROOT = FOLDER.parents[1]
FLAGS = "-std=c++20", "-Wall", "-Wextra", "-Woverloaded-virtual", "-pthread", "-I", str(ROOT)
READ = 12  # so many lines a newcomer reads

COMPILERS, LIBRARIES = [], []


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                          env=dict(os.environ, LC_ALL="C", **options))


@functools.cache
def precompiled(compiler):
    """A header that includes the library, where both compilers look for its precompiled form: 50 programs include it."""
    header = pathlib.Path(pathlib.Path(compiler[-1]).name, "library.hpp").absolute()
    header.parent.mkdir(exist_ok=True)
    header.write_text("#include <asynchat/asynchat.hpp>\n#include <asyncore/asyncore.hpp>\n#include <iostream>\n")
    for suffix in ".gch", ".pch":
        subprocess.run([*compiler, *FLAGS, "-x", "c++-header", str(header), "-o", f"{header}{suffix}"], check=True)
    return str(header)


class Mistake:
    def __init__(self, file):
        self.file, self.code = file, file.read_text().splitlines()
        head = dict(re.findall(r"^// (error|warning|run|flags): (.*)$", file.read_text(), re.M))
        self.flags = head.pop("flags", "").split()
        (self.kind, self.cure), = head.items()
        self.line = next((number for number, line in enumerate(self.code, 1) if line.endswith("// here")), None)

    def command(self, compiler, *more):
        headers = [] if self.flags else ["-include", precompiled(compiler)]
        return [*compiler, *FLAGS, *self.flags, *headers, str(self.file), *more]

    def said(self, output):
        """The first lines of the output that are neither lines of the file itself nor say what includes what."""
        own = {line.strip() for line in self.code}
        lines = [line for line in output.splitlines() if re.sub(r"^ *\d+ \| *", "", line).strip() not in own
                 and not re.match(r"In file included from| +from ", line)]
        return "\n".join(lines if self.kind == "run" else lines[:READ])


def line_of_first_error(output, file):
    """The line of the file where the first error is, or where the file includes the header that has it."""
    before = re.search(r"\A[^$]*? error:", output)[0]
    places = re.findall(re.escape(str(file)) + r":(\d+)", before)
    return int(places[-1]) if places else None


def other_compilers(given):
    """g++ and clang++, as far as they are here and are not the compiler `given`."""
    real = pathlib.Path(shutil.which(given)).resolve()
    return [(name,) for name in ("g++", "clang++")
            if shutil.which(name) and pathlib.Path(shutil.which(name)).resolve() != real]


class Mistakes(unittest.TestCase):
    def for_each(self, kind, check):
        files = [each for each in map(Mistake, sorted(FOLDER.glob("*.cpp"))) if each.kind == kind]
        self.assertTrue(files)
        for mistake in files:
            for compiler in COMPILERS:
                with self.subTest(mistake.file.name, compiler=compiler[-1]):
                    check(mistake, compiler)

    def check_error(self, mistake, compiler):
        done = run(mistake.command(compiler, "-fsyntax-only"))
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(line_of_first_error(done.stdout, mistake.file), mistake.line, done.stdout)
        self.assertRegex(mistake.said(done.stdout), mistake.cure)

    def check_warning(self, mistake, compiler):
        done = run(mistake.command(compiler, "-fsyntax-only"))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn(f"{mistake.file}:{mistake.line}:", done.stdout)
        self.assertRegex(mistake.said(done.stdout), mistake.cure)

    def check_run(self, mistake, compiler):
        program = pathlib.Path(f"{mistake.file.stem}-{pathlib.Path(compiler[-1]).name}").absolute()
        done = run(mistake.command(compiler, "-o", str(program), *LIBRARIES))
        self.assertEqual(done.returncode, 0, done.stdout)
        said = run([str(program)], ASYNCORE_CHECK="1").stdout
        program.unlink()
        self.assertRegex(mistake.said(said), mistake.cure)

    def test_errors(self):
        self.for_each("error", self.check_error)

    def test_warnings(self):
        self.for_each("warning", self.check_warning)

    def test_runs(self):
        self.for_each("run", self.check_run)


if __name__ == "__main__":
    at = sys.argv.index("--", 2)
    given, LIBRARIES = sys.argv[1:at], sys.argv[at + 1:]
    COMPILERS = other_compilers(given[-1]) if given[0] == "--other" else [tuple(given)]
    if not COMPILERS:
        sys.exit(77)  # skipped
    unittest.main(argv=sys.argv[:1])
