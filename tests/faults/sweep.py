#!/usr/bin/env python3
"""Fails the calls of running servers, one fault a run, and counts what is lost.  See README.md.

    sweep.py FOLDER [OPTION ...]      FOLDER has the built servers and the injector: build/tests/faults

    --kinds NAME,...       single, lasting, forever, memory, memory-brief, memory-lasting, short, ready, pairs;
                           all by default
    --servers NAME,...     line_echo, line_echo_asked, http_server, ftp_server, smtpd; all by
                           default
    --mechanisms NAME,...  select, poll, epoll; all by default
    --deliveries NAME,...  select, poll; both by default
    --part N               only N runs, spread over all faults: the same runs each time
    --seconds N            ends after so many seconds; the next sweep goes on there
    --results FILE         where the results are kept; "-" keeps none
    --jobs N               how many runs at a time
    --show                 only prints the results so far
    --one SETTING FAULTS   one run, with all that is known of it
    --debug SETTING FAULTS prints the command that starts the server of this run by hand
    --check                fails if a server is lost, spins, does not recover, or ends its start-up without a
                           message; accepted.txt has the exceptions
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import pathlib
import sys
import time

import plan
import results
import scripts
import table
import trial
from report import Report

RUNS_AT_A_TIME = {"lasting": 20, "memory-brief": 4, "memory-lasting": 20, "forever": 6}  # for each processor; these mostly sleep
place = None  # of this process


def prepare(folder):
    global place
    place = trial.Place(folder, Report())


def usual_counts(setting):
    """How many calls of each class a run without faults makes: the most of three runs."""
    most = {}
    for _ in range(3):
        place.report.clear()
        verdict = trial.try_faults(place, setting, "", {name: 1 << 40 for name in plan.ERRORS})
        if verdict.lost or verdict.end or verdict.in_startup:
            raise SystemExit("%s fails without a fault: %s" % (setting, verdict))
        for name, calls in place.report.counts().items():
            most[name] = max(most.get(name, 0), calls)
    return most


def run_one(task):
    kind, setting, faults, usual = task
    return kind, str(setting), faults, trial.try_faults(place, setting, faults, usual)


def rank(task):
    """The order of the runs: any first part of it is a fair sample."""
    return hashlib.sha1("{0} {1} {2}".format(*task).encode()).digest()


def tasks_of(kinds, counts):
    found = [(kind, setting, faults, usual)
             for kind in kinds for setting, usual in counts.items() for faults in plan.KINDS[kind](usual)]
    return sorted(found, key=rank)


def run_all(tasks, jobs, folder, kept, deadline):
    """Runs the tasks.  Returns whether all of them were done in time."""
    with multiprocessing.Pool(jobs, prepare, [folder]) as pool:
        for count, done in enumerate(pool.imap_unordered(run_one, tasks), 1):
            kept.add(*done)
            if time.monotonic() > deadline:
                return count == len(tasks)
    return True


def parse():
    names = lambda text: text.split(",")  # noqa: E731
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--kinds", type=names, default=list(plan.KINDS))
    parser.add_argument("--servers", type=names, default=list(scripts.SERVERS))
    parser.add_argument("--mechanisms", type=names, default=["select", "poll", "epoll"])
    parser.add_argument("--deliveries", type=names, default=["select", "poll"])
    parser.add_argument("--part", type=int)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--results", default="")
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--one", nargs=2)
    parser.add_argument("--debug", nargs=2)
    parser.add_argument("--check", action="store_true")
    return parser.parse_args()


def show_one(setting, faults):
    verdict = trial.try_faults(place, setting, faults, usual_counts(setting))
    for name, value in vars(verdict).items():
        if name != "stacks":
            print("%-12s %s" % (name, value))
    symbols = table.Symbols(place.folder, verdict.stacks)
    for stack in verdict.stacks:
        print(*symbols.read(stack), sep="\n    ")


def show_command(setting, faults):
    environment = {**setting.environment(), "FAULTS": faults, "FAULTS_REPORT": "/tmp/faults-report"}
    server = scripts.command(setting.server, place.folder, place.site)
    print("truncate -s 8192 /tmp/faults-report")
    print("gdb -ex 'set env LD_PRELOAD %s' %s -ex 'break faults::report_stack' -ex run --args %s" % (
        place.folder / "libinject.so", " ".join("-ex 'set env %s %s'" % pair for pair in environment.items()),
        " ".join(server)))


def main():
    options = parse()
    options.folder = options.folder.resolve()
    prepare(options.folder)
    scripts.make_site(place.site)
    for given, show in (options.one, show_one), (options.debug, show_command):
        if given:
            return show(trial.Setting.of(given[0]), given[1])

    settings = [trial.Setting(*words) for words in
                [(server, mechanism, delivery) for server in options.servers for mechanism in options.mechanisms
                 for delivery in options.deliveries]]
    kept = results.Results(options.results or options.folder / "results.jsonl", options.folder, options.show)
    if options.show:
        return table.show(kept, options.folder)
    for name in options.servers:
        scripts.command(name, place.folder, place.site)  # a server behind is started here, and not in each process
    counts = kept.counts(settings, usual_counts)
    began = time.monotonic()
    finished = True
    for number, kind in enumerate(options.kinds, 1):
        tasks = tasks_of([kind], counts)
        share = tasks if options.part is None else tasks[:options.part]
        left = [task for task in share if not kept.has(*task[:3])]
        jobs = options.jobs or len(os.sched_getaffinity(0)) * RUNS_AT_A_TIME.get(kind, 2)
        # Each kind has its share of the time.  The next kind also gets the time that a kind leaves over.
        finished &= run_all(left, jobs, options.folder, kept, began + options.seconds * number / len(options.kinds))
    table.show(kept, options.folder)
    if not finished:
        print("not all runs were done: the same command goes on with the next one")
    if options.check and kept.failures():
        sys.exit("%d runs must not have ended as they did" % len(kept.failures()))


if __name__ == "__main__":
    main()
