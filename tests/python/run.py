"""Runs the tests of the Python modules asyncore and asynchat.

    PYTHON run.py --build FOLDER                 everything but the suite long, for that PYTHON
    PYTHON run.py --build FOLDER --suite NAME    one suite; repeatable
    PYTHON run.py --build FOLDER --list          the suites

FOLDER is a build of the project with -Dpython=PYTHON; or --installed tests the modules that PYTHON imports by itself.
The last line is "N passed, N failed, N skipped".
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MECHANISMS = ("select", "poll", "epoll")
OF_311 = ("test_asyncore", "test_asynchat", "test_smtpd")
USERS = ("test_ftplib", "test_poplib", "test_smtplib", "test_ssl", "test_logging")  # their servers use the modules
OWN = ("test_chat", "test_differences", "test_maps", "test_hooks", "test_objects", "test_promise", "test_replaced",
       "test_signals", "test_threads")
HALF_PORTED = ("test_cpython", "test_half_ported")  # of the folder smtpd: with classes of C++
LONG = (("test_objects.Memory", "ASYNCORE_CONNECTIONS", "100000"), ("test_threads.End", "ASYNCORE_EXITS", "200"))
SCHEDULES = 500
NEEDS = "it needs the tests of this Python, or a CPython 3.11 that has its own asyncore, its tests and smtpd"
SUITES = ("cpython", "names", "own", "replay", "wheel", "long")

Counts = namedtuple("Counts", "passed failed skipped")
Job = namedtuple("Job", "suite label command environment")


# -- what there is to run ---------------------------------------------------------------------------

def cpython_with_the_modules():
    """A CPython 3.11 that has modules of these names of its own, or None."""
    sys.path.insert(0, os.path.dirname(HERE))
    from cpython import find_python
    python = find_python("asyncore", "asynchat", "smtpd", "test.test_asyncore")
    version = python and subprocess.run([python, "-c", "import sys; print(*sys.version_info[:2])"],
                                        capture_output=True, text=True).stdout.split()
    return python if version == ["3", "11"] else None


def has_test_module(name):
    """Whether this Python has it.  Some systems install Python without its tests, or with a part of them."""
    return importlib.util.find_spec("test." + name) is not None


def jobs(python_311, schedules):
    counted = [sys.executable, os.path.join(HERE, "counted.py")]
    replay = [sys.executable, os.path.join(ROOT, "tests", "conformance", "run.py"), "--replay",
              os.path.join(HERE, "replay")]
    python_311_for_smtpd = has_test_module("mock_socket") and python_311
    for mechanism in MECHANISMS:
        exact = {"ASYNCORE_POLLER": mechanism, "ASYNCORE_EXACT": "1"}
        hardened = {"ASYNCORE_POLLER": mechanism}
        on = " on " + mechanism
        for name in OF_311:
            python = python_311_for_smtpd if name == "test_smtpd" else python_311
            yield Job("cpython", "3.11's " + name + on, python and [*counted, "of", python, name], exact)
        for name in USERS:
            yield Job("cpython", name + on, has_test_module(name) and [*counted, "cpython", name], exact)
        for name in OWN:
            yield Job("own", name + on, [*counted, "own", name], hardened)
        for name in HALF_PORTED:
            python = python_311_for_smtpd if name == "test_cpython" else python_311
            yield Job("own", "smtpd's " + name + on, python and [*counted, "in", "smtpd", name],
                      {**hardened, "ASYNCORE_PYTHON_311": python or ""})
        yield Job("replay", "corpus" + on, [*replay, "--poller", mechanism], exact)
    if schedules:
        yield Job("replay", "random schedules", python_311 and [
            *replay, "--python", python_311, "--random", str(schedules), "--jobs", "1"], {})
    yield Job("names", "test_names", [*counted, "own", "test_names"],
              {"ASYNCORE_PYTHON_311": python_311} if python_311 else {})
    for name in ("test_wheel", "test_guide"):
        yield Job("wheel", name, [*counted, "alone", name], {})
    for name, variable, count in LONG:
        yield Job("long", "%s, %s times" % (name, count), [*counted, "own", name], {variable: count})


# -- running ----------------------------------------------------------------------------------------

def module_path(build):
    """The folders of the modules, before what else Python imports."""
    return os.pathsep.join([os.path.join(ROOT, "asyncore", "python"), os.path.join(ROOT, "asynchat", "python"),
                            os.path.join(os.path.abspath(build), "asyncore", "python"),
                            os.path.join(os.path.abspath(build), "tests", "python", "smtpd")])


def environment_of(job, path):
    """The comparison with CPython must not get our modules, so its own start sets the path: see the file replay."""
    environment = {**os.environ, **job.environment}
    environment["ASYNCORE_MODULES"] = path
    environment["ASYNCORE_MODULES_PYTHON"] = sys.executable
    if job.suite not in ("replay", "wheel"):
        environment["PYTHONPATH"] = path
    return environment


def counts_in(text):
    """The figures of the last line that has any, or None."""
    found = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", text, re.M)
    return Counts(*(int(figure or 0) for figure in found[-1])) if found else None


def run(job, path):
    if not job.command:
        print("skipped %s: %s" % (job.label, NEEDS))
        return Counts(0, 0, 1)
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(job.command, env=environment_of(job, path), cwd=folder, stdin=subprocess.DEVNULL,
                              stdout=output, stderr=subprocess.STDOUT)
        output.seek(0)
        text = output.read()
    counts = counts_in(text)
    if counts is None or (done.returncode != 0 and not counts.failed):
        counts = Counts(0, 1, 0)  # it ended before it could say
    print("%s: %d passed, %d failed, %d skipped" % (job.label, *counts), flush=True)
    if counts.failed:
        print("".join("    " + line + "\n" for line in text.splitlines()[-150:]) + "    status %d" % done.returncode)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", help="a folder that was built with -Dpython")
    parser.add_argument("--installed", action="store_true", help="test the modules that this Python imports")
    parser.add_argument("--suite", action="append", choices=SUITES)
    parser.add_argument("--only", default="", help="a regular expression: which labels")
    parser.add_argument("--schedules", type=int, default=SCHEDULES, help="how many random schedules")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if not options.list and bool(options.build) == options.installed:
        parser.error("either --build or --installed")
    suites = options.suite or SUITES[:-1]
    chosen = [job for job in jobs(cpython_with_the_modules(), options.schedules)
              if job.suite in suites and re.search(options.only, job.label)]
    if options.list:
        print("\n".join("%s: %s" % (job.suite, job.label) for job in chosen))
        return 0
    path = module_path(options.build) if options.build else ""
    results = [run(job, path) for job in chosen]
    total = Counts(*map(sum, zip(*results)))
    print("%d passed, %d failed, %d skipped" % total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
