#!/usr/bin/python3
"""Measures our server beside its peers.  run.sh builds what this needs, and starts it.

A whole run writes docs/performance.md, docs/performance/results.json and the plots beside it.  A run of a part writes
the same files into the build folder.  With --rewrite, nothing is measured: docs/performance.md is written from the
results.json that is there.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

import cases as table
import counts
from load import Generator
from measure import Bench, run_cases, run_curve
from report import Report
from servers import HERE, find_servers
from cpython import find_python  # servers knows where this module is

ROOT = HERE.parent.parent
PARTS = ("cases", "curve", "counts")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build-bench"))
    parser.add_argument("--ours", type=pathlib.Path, help="our server, if not that of the build")
    parser.add_argument("--python", help="a Python that has asynchat")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; repeatable")
    parser.add_argument("--case", action="append", choices=[case.name for case in table.CASES],
                        help="only this case; repeatable")
    parser.add_argument("--server", action="append", help="only this server; repeatable")
    parser.add_argument("--quick", action="store_true", help="a short run, for a first look")
    defaults = {"rounds": (11, 3), "seconds": (0.6, 0.3), "warm-up": (0.2, 0.1),
                "slow-rounds": (2, 1), "curve-rounds": (3, 1)}
    meaning = {"rounds": "how many rounds measure every case",
               "seconds": "the length of one measurement",
               "warm-up": "seconds before a measurement",
               "slow-rounds": "how many rounds have CPython accept thousands of connections",
               "curve-rounds": "how many rounds measure the curve"}
    for name, (usual, quick) in defaults.items():
        parser.add_argument(f"--{name}", type=type(usual), metavar="N",
                            help=f"{meaning[name]}; {usual}, or {quick} with --quick")
    parser.add_argument("--cores", default="", help="the server's core and the generator's, as in 0,1")
    parser.add_argument("--nice", type=int, default=0,
                        help="the niceness of both; -10, as root, where other processes run")
    parser.add_argument("--out", type=pathlib.Path, help="the folder to write into")
    parser.add_argument("--rewrite", action="store_true", help="write the report of the results that are there")
    options = parser.parse_args()
    for name, values in defaults.items():
        attribute = name.replace("-", "_")
        if getattr(options, attribute) is None:
            setattr(options, attribute, values[options.quick])
    whole = not (options.quick or options.case or options.server or options.part)
    if options.out is None:
        options.out = ROOT / "docs" if whole else options.build / "bench-report"
    options.part = options.part or ["cases"] if options.case else options.part or list(PARTS)
    return options


def choose_cores(wanted):
    if wanted:
        server, generator = map(int, wanted.split(","))
        return server, generator
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, IndexError):
        return ""


def describe_machine(build, python, cores):
    cpu = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"^MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.M)
    virtual = "hypervisor" in pathlib.Path("/proc/cpuinfo").read_text()
    result = {
        "processor": (cpu[1] if cpu else platform.machine()) +
                     (", of a virtual machine" if virtual else ""),
        "cores": f"{os.cpu_count()}; the server on number {cores[0]}, the generator on {cores[1]}",
        "memory": f"{int(memory[1]) / 2**20:.0f} GiB",
        "kernel": platform.release(),
        "compiler": compiler(build),
        "libraries": libraries(),
    }
    if python:
        result["CPython"] = first_line(python, "--version").replace("Python ", "")
    result["date"] = datetime.date.today().isoformat()
    result["load average before"] = "%.2f" % os.getloadavg()[0]
    return result


def compiler(build):
    try:
        commands = json.loads((build / "compile_commands.json").read_text())
        program = commands[0]["command"].split()
        options = json.loads((build / "meson-info" / "intro-buildoptions.json").read_text())
    except (OSError, IndexError):
        return "unknown"
    program = [word for word in program if not word.endswith("ccache")][0]
    buildtype = next(o["value"] for o in options if o["name"] == "buildtype")
    return f"{first_line(program, '--version')}; buildtype={buildtype}"


def libraries():
    found = []
    for package in ("libev-dev", "libuv1-dev", "libasio-dev", "libevent-dev"):
        version = first_line("dpkg-query", "-W", "-f", "${Version}\n", package)
        if version:
            found.append(f"{package} {version}")
    return ", ".join(found) or "unknown"


def run_counts(bench, servers, build, say):
    """Counts what can be counted, of those servers of which the figures say something."""
    result = {"system_calls": {}, "allocations": {}, "memory": {}, "instructions": {}}

    def attempt(kind, name, function):
        say(f"counting: {kind}, {name}")
        try:
            found = function()
        except (RuntimeError, OSError) as error:
            bench.failures.append(f"{kind}, {name}: {error}")
            say(f"FAILED: {bench.failures[-1]}")
            return
        if found is not None:
            result[kind][name] = found

    module = build / "tests" / "bench" / "malloc_count.so"
    compiled = ("bare", "ours", *table.PEERS)
    for name, server in servers.items():
        if name in compiled or name in ("ours-select", "ours-poll", *table.CPYTHON):
            attempt("system_calls", name, lambda: counts.system_calls(bench, server, 100))
        if name in compiled:
            attempt("allocations", name, lambda: {
                title: counts.allocations(bench, server, module, load, options)
                for title, (load, options) in table.COUNTED.items()} if module.exists() else None)
        if name in compiled or name in ("ours-asked", "cpython-poll"):
            attempt("memory", name, lambda: [counts.memory_per_connection(bench, server, greet)
                                             for greet in (False, True)])
        if name in ("bare", "ours", "libev", "libuv") and counts.have_valgrind():
            attempt("instructions", name, lambda: {
                title: counts.instructions(bench, server, load, options)
                for title, (load, options) in table.COUNTED.items()})
    return {kind: found for kind, found in result.items() if found}


def main():
    options = parse()
    started = time.monotonic()

    def say(text):
        print(f"[{time.monotonic() - started:6.0f} s] {text}", flush=True)

    python = options.python or find_python("asyncore", "asynchat")
    ours = options.ours or options.build / "docs" / "examples" / "line_echo"
    servers = find_servers(options.build, ours, python)
    if options.rewrite:
        results = json.loads((options.out / "performance" / "results.json").read_text())
        return write_report(options.out, results, table.CASES, servers)
    generator = options.build / "tests" / "bench" / "load"
    if not generator.exists():
        sys.exit(f"there is no {generator}: sh tests/bench/run.sh builds it")
    missing = [server.label for server in servers.values() if not server.command]
    servers = {name: server for name, server in servers.items() if server.command}
    if options.server:
        unknown = set(options.server) - set(servers)
        if unknown:
            sys.exit(f"no such server: {', '.join(unknown)}; there are {', '.join(servers)}")
        servers = {name: server for name, server in servers.items() if name in options.server}
    for label in missing:
        say(f"left out, because it is not installed: {label}")

    if options.nice:
        os.nice(options.nice)
    cores = choose_cores(options.cores)
    bench = Bench(Generator(generator, cores[1]), cores[0], options.seconds, options.warm_up, say)
    cases = [case for case in table.CASES if not options.case or case.name in options.case]
    arguments = " ".join(["sh tests/bench/run.sh", *sys.argv[1:]])
    results = {
        "command": re.sub(r" --(build|out) \S+", "", arguments),
        "machine": describe_machine(options.build, python, cores),
        "missing": missing,
        "settings": {"rounds": options.rounds, "seconds": options.seconds,
                     "warm_up": options.warm_up, "slow_rounds": options.slow_rounds,
                     "curve_rounds": options.curve_rounds, "nice": options.nice},
        "samples": {},
    }
    if "cases" in options.part:
        results["samples"] = run_cases(bench, cases, servers, table.BASELINE, options.rounds,
                                       options.slow_rounds)
    if "curve" in options.part:
        results["curve"] = run_curve(bench, servers, table.MECHANISMS, table.CURVE_CONNECTIONS,
                                     table.CURVE_ACTIVE, options.curve_rounds, 1)
    if "counts" in options.part:
        results["counts"] = run_counts(bench, servers, options.build, say)
    results["machine"]["load average after"] = "%.2f" % os.getloadavg()[0]
    results["runs"] = {"all": bench.runs, "repeated": bench.repeated,
                       "disturbed all the same": bench.kept_disturbed}
    results["failures"] = bench.failures
    write(options.out, results, cases, servers, say)


def write_report(out, results, cases, servers):
    report = Report(results, cases, servers)
    (out / "performance.md").write_text(report.text())
    return report


def write(out, results, cases, servers, say):
    beside = out / "performance"
    beside.mkdir(parents=True, exist_ok=True)
    (beside / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    report = write_report(out, results, cases, servers)
    try:
        import plots
    except ImportError:
        say("no plots: matplotlib is not installed")
    else:
        if results.get("curve"):
            plots.curve(results["curve"], servers, beside / "curve.svg")
        if rows := report.rate_table():
            plots.bars(rows, list(servers), servers, beside / "peers.svg")
    say(f"written: {out / 'performance.md'}")
    for failure in results["failures"]:
        say(f"failed: {failure}")


if __name__ == "__main__":
    main()
