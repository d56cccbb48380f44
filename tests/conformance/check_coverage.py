"""The corpus reaches every branch of CPython's asyncore.py and asynchat.py: check_coverage.py [--python P].

This runs the corpus on CPython under coverage.py. It fails where a line or a branch was not reached, unless
unreachable.txt says why no script can reach it; and where a line of unreachable.txt was reached.
"""

import argparse
import ast
import glob
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import run
from cpython import SKIPPED, find_python  # run knows where this module is

MODULES = ("asyncore", "asynchat")
EXCUSES = os.path.join(run.HERE, "unreachable.txt")


def measure(python):
    """{module: (path of its source, {line: hits}, {line: [lines that never came next]})}"""
    scripts = [text for _, text, expected in run.read_corpus([os.path.join(run.HERE, "corpus")])]
    with tempfile.TemporaryDirectory() as folder:
        data = "--data-file=" + os.path.join(folder, "data")
        report = os.path.join(folder, "report.xml")
        include = "--include=" + ",".join("*/%s.py" % module for module in MODULES)
        command = [python, "-W", "ignore", "-m", "coverage", "run", data, "--branch", "--pylib", include,
                   os.path.join(run.HERE, "replay.py")]
        answers = run.run_batch(command, scripts)
        assert len(answers) == len(scripts) and all(answer.status == 0 for answer in answers)
        subprocess.run([python, "-m", "coverage", "xml", data, "-q", "-o", report], check=True)
        return dict(map(read_class, xml.etree.ElementTree.parse(report).iter("class")))


def read_class(element):
    path = element.get("filename")
    path = path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    hits, missing = {}, {}
    for line in element.iter("line"):
        number = int(line.get("number"))
        hits[number] = int(line.get("hits"))
        if hits[number] and line.get("missing-branches"):
            missing[number] = line.get("missing-branches").split(",")
    return os.path.basename(path)[:-3], (path, hits, missing)


def owners(source):
    """For each line, the function or class that it is in: a name with dots."""
    names = {}

    def visit(node, name):
        for child in ast.iter_child_nodes(node):
            inner = name
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                inner = name + "." + child.name
                for line in range(child.lineno, child.end_lineno + 1):
                    names[line] = inner
            visit(child, inner)

    visit(ast.parse(source), "")
    return names


def missed(module, path, hits, missing):
    """Yields each line and branch that was not reached, in the form of unreachable.txt."""
    with open(path) as file:
        source = file.read()
    lines, owner = source.splitlines(), owners(source)

    def text(line):
        return lines[line - 1].strip()

    for line in sorted(hits):
        place = module + owner.get(line, "")
        if not hits[line]:
            yield "%s: %s" % (place, text(line))
        for target in missing.get(line, []):
            if target == "exit":
                yield "%s: %s -> (the end)" % (place, text(line))
            elif hits.get(int(target), 1):
                yield "%s: %s -> %s" % (place, text(line), text(int(target)))


def read_excuses():
    """The lines of unreachable.txt that name code; its comments are the reasons."""
    with open(EXCUSES) as file:
        return [line.rstrip("\n") for line in file if line.strip() and not line.startswith("#")]


def excused(what, excuse):
    if excuse.endswith(": *"):
        place = what.partition(": ")[0]
        return place == excuse[:-3] or place.startswith(excuse[:-3] + ".")
    return what == excuse


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", help="a CPython that has asyncore and coverage.py")
    args = parser.parse_args()
    python = args.python or find_python("asyncore", "asynchat", "coverage")
    if python is None:
        print("skipped: there is no CPython with asyncore and coverage.py here (Debian: python3-coverage)")
        return SKIPPED

    measured = measure(python)
    excuses = read_excuses()
    not_reached = [what for module in MODULES for what in missed(module, *measured[module])]
    wrong = ["not reached: " + what for what in not_reached
             if not any(excused(what, excuse) for excuse in excuses)]
    wrong += ["reached, or not in the source: " + excuse for excuse in excuses
              if not any(excused(what, excuse) for what in not_reached)]
    for what in wrong:
        print(what)
    for module in MODULES:
        _, hits, missing = measured[module]
        print("%s: %d of %d lines, %d branches missing" % (
            module, sum(map(bool, hits.values())), len(hits), sum(map(len, missing.values()))))
    print("%d not reached, %d of them without a reason" % (len(not_reached), len(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
