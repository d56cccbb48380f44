#!/usr/bin/python3
"""Measures the CPU time of one Python server on CPython's own asyncore and on that of asyncore/python/.

    bridge.py --load PROGRAM --modules FOLDER... --python PYTHON [--cpython PYTHON] [--whole PROGRAM] [--rounds N]
              [--seconds T]

PROGRAM is the load generator, which run.sh builds; the FOLDERs are what PYTHONPATH needs for the modules; both Pythons
may be the same CPython 3.11.  The server is peers/asynchat_server.py, unmodified, and then with the promise of
`asked_every_turn_ = False`, and with its class Echo in C++, of the extension module echo_cpp.  With --whole, line_echo,
which is C++ alone, does the same work.  It prints, for each case, the seconds of processor time for 100,000 requests, and
the ratios within a round.
"""

import argparse
import os
import pathlib
import resource
import statistics
import sys

from load import Generator
from measure import Bench, cost
from servers import HERE, Server

SCRIPT = HERE / "peers" / "asynchat_server.py"
BASELINE = "CPython"


def cases(many):
    """What the load generator is told, by the title of the case."""
    return {
        f"{many:,}, of which 1 talks": ("--connections", many, "--active", 1),
        f"{many:,}, of which 100 talk": ("--connections", many, "--active", 100),
        "100 × 1 line in flight": ("--connections", 100),
        "100 × 16 lines in flight": ("--connections", 100, "--in-flight", 16),
    }


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--load", required=True, help="the load generator")
    parser.add_argument("--modules", required=True, nargs="+", help="the folders of the modules")
    parser.add_argument("--python", default=sys.executable, help="the Python that runs them")
    parser.add_argument("--cpython", help="a Python that has asyncore and asynchat of its own; default: the same")
    parser.add_argument("--whole", help="the program line_echo")
    parser.add_argument("--many", type=int, default=9000, help="how many connections are many; a busy machine may "
                        "need fewer, for CPython takes minutes to accept 9,000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--warm-up", type=float, default=0.3)
    return parser.parse_args()


def find_servers(options):
    path = os.pathsep.join(str(pathlib.Path(folder).resolve()) for folder in options.modules)
    theirs = (options.cpython or options.python, "-W", "ignore", str(SCRIPT))
    ours = (options.python, "-W", "ignore", str(SCRIPT))
    by_poll = ("--poller", "poll")
    servers = {BASELINE: Server("cpython", BASELINE, theirs, by_poll, environment={"PYTHONPATH": ""})}
    for name, more in ("unmodified", ()), ("promised", ("--promise",)), ("Echo in C++", ("--ported",)):
        servers[name] = Server(name, name, ours, (*by_poll, *more), environment={"PYTHONPATH": path})
    if options.whole:
        servers["all in C++"] = Server("whole", "all in C++", (options.whole,), ("--buffer", "4096"))
    return servers


def measure(bench, servers, load, rounds):
    """Returns server name -> a figure for each round: seconds of processor time for 100,000 requests; or None."""
    figures = {name: [] for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            measured = bench.once(server, "echo", load)
            if measured is None:
                return None
            figures[name].append(cost(measured[0]) * 100_000)
    return figures


def main():
    options = parse()
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    cores = sorted(os.sched_getaffinity(0))
    bench = Bench(Generator(options.load, cores[-1]), cores[0], options.seconds, options.warm_up, print)
    servers = find_servers(options)
    print("Seconds of processor time for 100,000 requests, and below them CPython's divided by them")
    print("%-26s" % "" + "".join("%14s" % name for name in servers))
    for title, load in cases(options.many).items():
        figures = measure(bench, servers, load, options.rounds)
        if figures is None:
            continue
        ratios = [statistics.median(theirs / ours for theirs, ours in zip(figures[BASELINE], each))
                  for each in figures.values()]
        print("%-26s" % title + "".join("%14.2f" % statistics.median(each) for each in figures.values()))
        print("%-26s" % "" + "".join("%13.1f×" % ratio for ratio in ratios), flush=True)
    return 1 if bench.failures else 0


if __name__ == "__main__":
    sys.exit(main())
