"""How much of the library the tests reach: coverage.py BUILD [--run] [--show].

BUILD is a build by clang with source-based coverage, as `sh tests/run.sh --coverage` makes it. --run first runs the
tests: each test program and the replay corpus on each mechanism, and a short part of the sweep of faults. It prints
the lines and branches of each file, and fails

- where a line is not reached, and unreachable.txt does not say why,
- where an entry of unreachable.txt is reached, or names no line,
- where less than 95 % of the branches are reached.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDERS = ("asyncore", "asynchat", "platform")
UNREACHABLE = HERE / "unreachable.txt"
LEAST_BRANCHES = 95.0  # per cent
MECHANISMS = ("select", "poll", "epoll", "kqueue")
WITHOUT_MECHANISM = ("test_bytes", "test_platform")
MIRRORS = ("test_asynchat", "test_asyncore")  # of CPython's tests: in an exact map, and in a hardened one
FAULTS = 40            # runs of each kind


# -- the tools --------------------------------------------------------------------------------------

def tool(name):
    """The path of an LLVM tool of the same version as clang++: their formats go together."""
    version = subprocess.run(["clang++", "-dumpversion"], stdout=subprocess.PIPE, text=True, check=True).stdout
    found = shutil.which("%s-%s" % (name, version.split(".")[0])) or shutil.which(name)
    if not found:
        sys.exit("there is no %s: install llvm" % name)
    return found


# -- the tests --------------------------------------------------------------------------------------

class Runs:
    def __init__(self, build):
        self.build, self.profiles = build, build / "profiles"
        shutil.rmtree(self.profiles, ignore_errors=True)
        self.profiles.mkdir()
        self.merged = self.profiles / "merged.profdata"
        self.failed = []

    def run(self, what, command, **environment):
        # %c writes the counters while the program runs: a program that is killed has counted, too.  %m gives a program
        # and the injector in it a file each: in one file, each would cut off what the other has mapped.
        profile = {"LLVM_PROFILE_FILE": str(self.profiles / "%c%p-%m.profraw")}
        status = subprocess.run([str(word) for word in command], cwd=self.profiles,
                                env={**os.environ, **profile, **environment}, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
        print("%-40s %s" % (what, "ok" if status.returncode == 0 else "FAILED"), flush=True)
        if status.returncode:
            self.failed.append(what)
            print(status.stdout.decode("utf-8", "replace")[-3000:])
        self.merge()

    def merge(self):
        """Adds the new profiles to the sum, and removes them: the sweep starts thousands of processes."""
        new = sorted(self.profiles.glob("*.profraw"))
        if not new:
            return
        names = self.profiles / "names"
        names.write_text("\n".join(map(str, new + [self.merged] * self.merged.exists())))
        subprocess.run([tool("llvm-profdata"), "merge", "-sparse", "-failure-mode=all", "-f", names, "-o",
                        self.merged], check=True, stderr=subprocess.DEVNULL)
        for path in new:
            path.unlink()


def programs(build):
    return sorted(path for path in (build / "tests").glob("test_*") if os.access(path, os.X_OK) and path.is_file())


def run_tests(build):
    runs = Runs(build)
    for program in programs(build):
        if program.name in WITHOUT_MECHANISM:
            runs.run(program.name, [program])
            continue
        for mechanism in MECHANISMS:
            setting = {"ASYNCORE_POLLER": mechanism, "ASYNCORE_CHECK": "1"}
            if program.name in MIRRORS:
                runs.run("%s on %s" % (program.name, mechanism), [program], ASYNCORE_EXACT="1", **setting)
                runs.run("%s hardened on %s" % (program.name, mechanism), [program, "-tce=test_quick_connect*"], **setting)
            else:
                runs.run("%s on %s" % (program.name, mechanism), [program], **setting)
    replay = [sys.executable, ROOT / "tests/conformance/run.py", "--replay", build / "tests/replay"]
    for mechanism in MECHANISMS:
        runs.run("corpus on " + mechanism, replay + ["--poller", mechanism], ASYNCORE_CHECK="1")
    runs.run("corpus hardened", replay + ["--hardened"], ASYNCORE_CHECK="1")
    runs.run("faults", [sys.executable, ROOT / "tests/faults/sweep.py", build / "tests/faults", "--part", FAULTS,
                        "--results", "-", "--kinds", "single,lasting,memory,memory-brief,short,ready"])
    return runs.failed


# -- the report -------------------------------------------------------------------------------------

def export(build):
    objects = programs(build) + [build / "tests/replay"]
    objects += [build / "tests/faults" / name for name in ("line_echo", "http_server", "ftp_server", "smtpd")]
    names = [str(objects[0])] + [word for path in objects[1:] for word in ("-object", str(path))]
    command = [tool("llvm-cov"), "export", "-format=text", "-instr-profile", str(build / "profiles/merged.profdata")]
    text = subprocess.run(command + names, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    return json.loads(text)["data"][0]


def is_of_library(path):
    return path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in FOLDERS


class File:
    """The lines and branches of a source file.

    A template or an inline function is compiled many times; a line or a branch is reached if one of them reached it.
    Comments, directives and lines of a brace alone do not count."""

    def __init__(self, path):
        self.name = str(path.relative_to(ROOT))
        self.source = path.read_text().splitlines()
        self.lines = {}      # number: how often it ran
        self.branches = {}   # (line, column, which way): how often it was taken
        self.functions = {}  # line: name

    def text(self, line):
        return self.source[line - 1].strip()

    def has_code(self, line):
        text = self.text(line)
        return text not in ("", "{", "}", "};") and not text.startswith(("//", "#"))

    def place(self, line):
        return "%s %s: %s" % (self.name, self.functions.get(line, "-"), self.text(line))

    def add_function(self, name, regions, branches):
        """Counts the lines of a function: a line has the count of the innermost region that covers a part of it."""
        first, last = regions[0][0], regions[0][2]
        counts = line_counts(regions, first, last)
        for line, count in counts.items():
            if not self.has_code(line):
                continue
            self.lines[line] = max(self.lines.get(line, 0), count)
            is_outer = line not in self.functions or len(name) < len(self.functions[line])
            if is_outer:
                self.functions[line] = name
        for line, column, _, _, taken, not_taken, *_ in branches:
            for way, number in ("true", taken), ("false", not_taken):
                key = line, column, way
                self.branches[key] = max(self.branches.get(key, 0), number)


CODE, SKIPPED, GAP = 0, 2, 3  # kinds of regions


def line_counts(regions, first, last):
    """{line: count}, as llvm-cov counts: the most of the regions that begin in the line, and of the innermost one that
    reaches into it.  A gap is the space between two statements, and has the count of the second one."""
    counts = {}
    for line in range(first, last + 1):
        around = [r for r in regions if r[0] < line <= r[2] and r[7] in (CODE, SKIPPED, GAP)]
        innermost = max(around, key=lambda r: (r[0], r[1], -r[2], -r[3]), default=None)
        values = [r[4] for r in regions if r[0] == line and r[7] == CODE]
        if innermost and innermost[7] != SKIPPED:
            values.append(innermost[4])
        if values:
            counts[line] = max(values)
    return counts


def short_name(symbols):
    """{mangled name: its name without namespaces, arguments and the like}"""
    text = "\n".join(symbols)
    plain = subprocess.run([tool("llvm-cxxfilt")], input=text, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {symbol: simple(name) for symbol, name in zip(symbols, plain.split("\n"))}


def simple(name):
    name = name.replace("(anonymous namespace)::", "")
    depth, kept = 0, ""
    name = re.sub(r"operator\(\)", "operator_call", name)
    for c in name:  # takes out template arguments
        depth -= c == ">"
        kept += c if depth == 0 and c not in "<>" else ""
        depth += c == "<"
    kept = kept.partition("(")[0].split(" ")[-1]
    return re.sub(r"^(asyncore|asynchat|platform)::(platform::)?", "", kept)


def read(build):
    data = export(build)
    functions = data["functions"]
    names = short_name([each["name"].rpartition(":")[2] for each in functions])
    files = {}
    for each in functions:
        name = names[each["name"].rpartition(":")[2]]
        for index, filename in enumerate(each["filenames"]):
            path = pathlib.Path(filename).resolve()  # asyncore/platform is a link
            if not is_of_library(path):
                continue
            file = files.setdefault(path, File(path))
            regions = [region for region in each["regions"] if region[5] == index]
            branches = [branch for branch in each.get("branches", []) if branch[6] == index]
            if regions:
                file.add_function(name, regions, branches)
    return sorted(files.values(), key=lambda file: file.name)


def read_unreachable():
    """The entries; the comments are the reasons."""
    lines = UNREACHABLE.read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def report(files, show):
    print("%-36s %13s %8s %15s %8s" % ("file", "lines", "%", "branches", "%"))
    total = [0, 0, 0, 0]
    for file in files + [None]:
        counts = total if file is None else [
            sum(map(bool, file.lines.values())), len(file.lines), sum(map(bool, file.branches.values())), len(file.branches)]
        print("%-36s %5d of %4d %8.2f %6d of %5d %8.2f" % (
            file.name if file else "all", counts[0], counts[1], percent(*counts[:2]), counts[2], counts[3], percent(*counts[2:])))
        if file:
            total = [a + b for a, b in zip(total, counts)]
    for file in files if show else []:
        for (line, column, way), count in sorted(file.branches.items()):
            if not count and file.lines.get(line):
                print("never %s: %s:%d:%d %s" % (way, file.name, line, column, file.text(line)))
    return total


def judge(files, total):
    """What is wrong, as sentences."""
    missed = {}
    for file in files:
        for line, count in file.lines.items():
            if not count:
                missed[file.place(line)] = "%s:%d" % (file.name, line)
    entries = read_unreachable()
    wrong = ["not reached: %s (%s)" % (place, where) for place, where in missed.items() if place not in entries]
    wrong += ["reached, or not in the source: " + entry for entry in entries if entry not in missed]
    wrong += ["this entry is there twice: " + entry for entry in set(entries) if entries.count(entry) > 1]
    branches = percent(*total[2:])
    if branches < LEAST_BRANCHES:
        wrong.append("%.2f %% of the branches are reached, at least %.0f %% must be" % (branches, LEAST_BRANCHES))
    print("%d lines are not reached, %d of them are in unreachable.txt" % (
        total[1] - total[0], sum(place in entries for place in missed)))
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--run", action="store_true", help="first run the tests")
    parser.add_argument("--show", action="store_true", help="print each branch that was not reached in a line that was")
    args = parser.parse_args()
    failed = run_tests(args.build) if args.run else []
    files = read(args.build)
    total = report(files, args.show)
    wrong = ["a test failed: " + what for what in failed] + judge(files, total)
    for what in wrong:
        print(what)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
