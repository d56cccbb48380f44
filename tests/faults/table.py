"""Prints what a sweep has found."""

import collections
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
        if verdict.silent:
            yield "silent", 1
        return
    lost = verdict.lost + verdict.probes_lost
    lasts = kind in LASTING
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


LASTING = {"lasting", "memory-lasting", "memory-brief", "forever"}

DEPTH = 6  # the functions of a stack that tell a cause from another one

BAD = {"servers lost", "spinning", "not recovered", "silent"}


class Symbols:
    """Reads the stacks of the injector: the names of functions, the innermost first."""

    def __init__(self, folder, stacks):
        """`stacks` has all stacks that will be read: addr2line(1) is slow to begin."""
        self.folder = str(folder)
        self.known = {}
        places = collections.defaultdict(set)
        for file, _, at in (self.parts(line) for stack in stacks for line in stack):
            if file.startswith(self.folder):
                places[file].add(at)
        for file, all_at in places.items():
            self.ask(file, sorted(all_at))

    @staticmethod
    def parts(line):
        """Of "FILE(NAME+PLACE)[ADDRESS]" the file, the name, and where the call is: before it returns to PLACE."""
        file, name, place = re.match(r"(.*)\((.*?)(?:\+0x([0-9a-f]+))?\)", line).groups()
        return file, name, int(place or "1", 16) - 1

    def ask(self, file, all_at):
        output = subprocess.run(["addr2line", "-aCfie", file], input="".join("%x\n" % at for at in all_at),
                                capture_output=True, text=True, check=True).stdout
        for answer in re.split(r"(?m)^0x", output)[1:]:
            at, *lines = answer.splitlines()
            self.known[file, int(at, 16)] = ["%s %s" % (short_name(name), where.rpartition("/")[2].partition(" ")[0])
                                             for name, where in zip(lines[::2], lines[1::2])
                                             if not where.startswith(("/usr/", "??"))]

    def read(self, stack):
        return [name for line in stack for name in self.names(*self.parts(line))]

    def names(self, file, name, at):
        if file.endswith("libinject.so"):
            return []
        if file.startswith(self.folder):
            return self.known[file, at]
        return [short_name(name)] if name and not name.startswith("__libc_start") else []


def short_name(name):
    for scope in "(anonymous namespace)::", "asyncore::platform::", "asyncore::", "std::":
        name = name.replace(scope, "")
    name = re.sub(r"<.*>", "", re.sub(r"\[clone.*\]", "", name))
    return re.sub(r"\(.*$", "", name).rpartition(" ")[2] or "lambda"


def print_table(title, rows):
    """`rows` has the counts of each class."""
    print("\n%-18s %s" % (title, " ".join("%13s" % name for name in COLUMNS)))
    total = collections.Counter()
    for name, counts in sorted(rows.items()):
        total.update(counts)
        print("%-18s %s" % (name, " ".join("%13d" % counts[column] for column in COLUMNS)))
    print("%-18s %s" % ("total", " ".join("%13d" % total[column] for column in COLUMNS)))


def show(kept, folder):
    rows = collections.defaultdict(lambda: collections.defaultdict(collections.Counter))
    for (kind, setting, faults), verdict in kept.verdicts.items():
        counted = collections.Counter()
        for column, count in outcomes(kind, verdict):
            counted[column] += count
        rows[kind][plan.classes_of(faults) if kind != "pairs" else setting].update(counted)
    for kind in plan.KINDS:
        if kind in rows:
            print_table(kind, rows[kind])
    show_causes(kept.verdicts, folder)


def bad(kind, verdict):
    return BAD & {column for column, _ in outcomes(kind, verdict)}


def show_causes(verdicts, folder):
    """Prints what must not happen, one paragraph for each cause: the stack of the last call
    that failed, or of the abort, and how it ended."""
    losses = {run: verdict for run, verdict in verdicts.items() if bad(run[0], verdict)}
    alone = {(setting, faults) for _, setting, faults in losses}
    symbols = Symbols(folder, [stack for verdict in losses.values() for stack in verdict.stacks[-1:]])
    causes = collections.defaultdict(list)
    for (kind, setting, faults), verdict in losses.items():
        if kind == "pairs" and any((setting, fault) in alone for fault in faults.split(",")):
            continue  # one of the two faults is the cause
        stack = symbols.read(verdict.stacks[-1])[:DEPTH] if verdict.stacks else []
        functions = tuple(line.partition(" ")[0] for line in stack)
        for column in bad(kind, verdict):
            causes[column, plan.classes_of(faults), verdict.end, functions].append((kind, setting, faults, stack, verdict))
    for (column, classes, end, _), runs in sorted(causes.items(), key=lambda cause: (cause[0][0], -len(cause[1]))):
        kind, setting, faults, stack, verdict = runs[0]
        kinds = collections.Counter(run[0] for run in runs)
        effects = sorted({fault.split(":")[2] for run in runs for fault in run[2].split(",")})
        print("\n%s: %s, %s" % (column, classes, verdict.spinning or end or "no answer"))
        print("    runs: " + ", ".join("%d %s" % (count, name) for name, count in kinds.items()))
        print("    with: " + " ".join(effects))
        if verdict.said:
            print("    said: " + verdict.said)
        print("    one:  sweep.py %s --one %s %s" % (folder, setting.replace(" ", "\\ "), faults))
        for line in stack:
            print("          " + line)
