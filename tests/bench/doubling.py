"""How the cost of a case grows with its size: each case runs at n, 2n, 4n and 8n.

    doubling.py --build FOLDER [--repeats N] [--output FOLDER]

This writes doubling.md and doubling.json.  Beside each case of doubling.cpp, CPython's asynchat runs the same case, at
sizes that it can do in seconds.  valgrind counts instructions, where it is installed.
"""

import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile

from counts import have_valgrind, read_profile
from cpython import find_python  # counts knows where this module is
from tables import number, table

HERE = pathlib.Path(__file__).resolve().parent
DOUBLINGS = 4


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    title: str
    unit: str
    first: int  # n
    cpython_first: int


CASES = (
    Case("messages", "many short messages in one read", "message", 128_000, 8_000),
    Case("trickle", "a terminator of n bytes, one in each read", "byte", 40_000, 500),
    Case("long_terminator", "a terminator of 40 KiB, begun again and again", "KiB", 4_000, 100),
    Case("producer", "one block of a producer", "MiB", 8, 2),
    Case("pushes", "async_chat: pushes of 1 KiB while blocked, then drained", "push", 8_000, 8_000),
    Case("blocked", "dispatcher_with_send: sends of 1 KiB while blocked, then drained", "send",
         2_000, 500),
)

INTRODUCTION = """\
# Twice the work, twice the cost

`sh tests/bench/doubling.sh` wrote this page, and measured every figure on it. The cases are in
`tests/bench/doubling.cpp`, and each runs at the sizes n, 2n, 4n and 8n.

The time is CPU time, user and system, without the preparation of the case: the least of {repeats} runs, and
of {cpython_repeats} runs for CPython. *Growth* is the time divided by the time at half the size: 2 is linear,
4 is quadratic, 8 is cubic. *Instructions* are counted by valgrind, in user space only, for each unit; they
hardly change from run to run. CPython is {version}, and runs at smaller sizes where it would take minutes.
"""


def sizes(first):
    return [first << doubling for doubling in range(DOUBLINGS)]


def seconds(command, case, size):
    return float(subprocess.run([*command, case.name, str(size)], check=True, capture_output=True,
                                text=True).stdout)


def times(command, case, first, repeats):
    """Returns the least CPU time for each size; the sizes take turns."""
    found = [[seconds(command, case, size) for size in sizes(first)] for _ in range(repeats)]
    return [min(each) for each in zip(*found)]


def instructions(program, case, size):
    with tempfile.TemporaryDirectory() as folder:
        profile = pathlib.Path(folder) / "profile"
        subprocess.run(["valgrind", "-q", "--tool=callgrind", "--toggle-collect=*measured*",
                        f"--callgrind-out-file={profile}", program, case.name, str(size)],
                       check=True, capture_output=True)
        return read_profile(profile)[0]


def measure(case, program, python, repeats, cpython_repeats):
    print(case.title, flush=True)
    result = {"sizes": sizes(case.first), "seconds": times([program], case, case.first, repeats)}
    if have_valgrind():
        result["instructions"] = [instructions(program, case, size) for size in sizes(case.first)]
    if python:
        command = [python, HERE / "doubling_cpython.py"]
        result["cpython_sizes"] = sizes(case.cpython_first)
        result["cpython_seconds"] = times(command, case, case.cpython_first, cpython_repeats)
    return result


def growth(values, at):
    return f"{values[at] / values[at - 1]:.2f}" if at > 0 else ""


def per_unit(found, prefix, at):
    """The size, the CPU time for each unit, and the growth."""
    if prefix + "seconds" not in found:
        return "–", "–", "–"
    all_seconds, size = found[prefix + "seconds"], found[prefix + "sizes"][at]
    return f"{size:,}", number(all_seconds[at] / size * 1e6) + " µs", growth(all_seconds, at)


def instructions_per_unit(found, at):
    if "instructions" not in found:
        return "–"
    return number(found["instructions"][at] / found["sizes"][at])


def case_table(case, found):
    head = ("n", f"per {case.unit}", "growth", "instructions", "CPython: n", f"per {case.unit}",
            "growth")
    rows = [(*per_unit(found, "", at), instructions_per_unit(found, at),
             *per_unit(found, "cpython_", at)) for at in range(DOUBLINGS)]
    return f"## {case.title}\n\n" + table(head, rows, ["---:"] * len(head))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--cpython-repeats", type=int, default=3)
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parents[1] / "docs/performance")
    options = parser.parse_args()
    program = options.build / "tests" / "bench" / "doubling"
    if not program.exists():
        sys.exit(f"there is no {program}: doubling.sh builds it")
    python = find_python("asyncore", "asynchat")
    version = "not installed"
    if python:
        version = subprocess.check_output([python, "--version"], text=True).split()[1]

    results = {case.name: measure(case, program, python, options.repeats, options.cpython_repeats)
               for case in CASES}
    text = INTRODUCTION.format(repeats=options.repeats, cpython_repeats=options.cpython_repeats,
                               version=version)
    text += "".join("\n" + case_table(case, results[case.name]) for case in CASES)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "doubling.md").write_text(text)
    (options.output / "doubling.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
