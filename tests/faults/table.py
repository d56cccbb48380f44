"""Prints what a sweep has found."""

import collections
import functools
import re
import subprocess

import plan

COLUMNS = ["runs", "fired", "start-up", "silent", "clients lost", "more than 1", "servers lost", "spinning",
           "not recovered"]


def outcomes(kind, verdict):
    """The columns in which a run counts."""
    yield "runs", 1
    if not verdict.fired:
        return
    yield "fired", 1
    if verdict.in_startup:
        yield "start-up", 1
        if not verdict.said or not verdict.end:
            yield "silent", 1
        return
    lost = verdict.lost + verdict.probes_lost
    lasts = kind in ("lasting", "memory-lasting", "forever")
    if verdict.end or (not lasts and verdict.probes_lost > 1):
        yield "servers lost", 1
    elif verdict.probes_lost and lasts and kind != "forever":
        yield "not recovered", 1
    elif not lasts:
        yield "clients lost", lost
        if lost > 1:
            yield "more than 1", 1
    if verdict.spinning:
        yield "spinning", 1


BAD = {"servers lost", "spinning", "not recovered", "silent"}


class Symbols:
    """Reads the stacks of the injector: the names of functions, the innermost first."""

    def __init__(self, folder):
        self.folder = folder

    def read(self, stacks):
        return [[name for line in stack for name in self.names(line)] for stack in stacks]

    @functools.lru_cache(None)
    def names(self, line_):
        line = re.match(r"(.*)\((.*?)(\+0x[0-9a-f]+)?\)", line_)
        if not line or "libinject" in line[1]:
            return []
        if not line[1].startswith(str(self.folder)):
            return [line[2]] if line[2] and not line[2].startswith("__libc_start") else []
        # The address is where the call returns to; the call is before it.
        at = hex(int(line[3], 16) - 1)
        found = subprocess.run(["addr2line", "-Cfie", line[1], at], capture_output=True, text=True).stdout.splitlines()
        return ["%s %s" % (short_name(name), where.rpartition("/")[2].partition(" ")[0])
                for name, where in zip(found[::2], found[1::2])]


def short_name(name):
    name = re.sub(r"\(.*\)( const)?( \[clone.*)?$", "", name)
    return name.replace("asyncore::platform::", "").replace("asyncore::", "").replace("(anonymous namespace)::", "")


def print_table(title, rows):
    """`rows` has the counts of each class."""
    print("\n%-18s %s" % (title, " ".join("%13s" % name for name in COLUMNS)))
    total = collections.Counter()
    for name, counts in sorted(rows.items()):
        total.update(counts)
        print("%-18s %s" % (name, " ".join("%13d" % counts[column] for column in COLUMNS)))
    print("%-18s %s" % ("total", " ".join("%13d" % total[column] for column in COLUMNS)))


def show(kept, folder):
    symbols = Symbols(folder)
    rows = collections.defaultdict(lambda: collections.defaultdict(collections.Counter))
    causes = collections.defaultdict(list)
    for (kind, setting, faults), verdict in kept.verdicts.items():
        counted = collections.Counter()
        for column, count in outcomes(kind, verdict):
            counted[column] += count
        rows[kind][plan.classes_of(faults) if kind != "pairs" else setting].update(counted)
        for column in BAD & set(counted):
            causes[kind, column, plan.classes_of(faults), where(symbols, verdict)].append((setting, faults, verdict))
    for kind in plan.KINDS:
        if kind in rows:
            print_table(kind, rows[kind])
    for (kind, column, classes, stack), runs in sorted(causes.items(), key=lambda item: (item[0][:3], -len(item[1]))):
        setting, faults, verdict = runs[0]
        errors = sorted({fault.split(":")[2] for _, faults_, _ in runs for fault in faults_.split(",")})
        print("\n%s, %s, %s: %d runs, %s" % (kind, column, classes, len(runs), " ".join(errors)))
        print("    %s" % (verdict.spinning or verdict.end or "no answer"), verdict.said and "| " + verdict.said)
        print("    sweep.py %s --one %s %s" % (folder, setting, faults))
        for line in stack:
            print("        " + line)


def where(symbols, verdict):
    """The functions of the first fault's stack, up to the loop."""
    stacks = symbols.read(verdict.stacks[:1])
    return tuple(stacks[0][:12]) if stacks else ()
