"""The faults that a sweep tries: each kind as a list of texts, as plan.hpp describes them."""

import pathlib
import random

HERE = pathlib.Path(__file__).resolve().parent
SECOND = ":1000"
TRANSFERS = ["read", "write", "recv", "send", "recvfrom", "sendto", "sendmsg", "sendfile", "readv", "writev"]
WAITS = ["select", "poll", "epoll_wait"]


def table(name):
    """A table of this folder: the first word of each line, and the rest."""
    lines = (line.partition("#")[0].split(None, 1) for line in (HERE / name).read_text().splitlines())
    return {words[0]: "".join(words[1:]).strip() for words in lines if words}


# The errors of each class of calls.
ERRORS = {name: errors.split() for name, errors in table("calls.txt").items()}


def each(classes, counts, effects):
    """One fault for each call of the classes and each of its effects."""
    return ["%s:%d:%s" % (name, index, effect)
            for name in classes for index in range(1, counts.get(name, 0) + 1) for effect in effects(name)]


def single(counts):
    return each([name for name in ERRORS if name != "malloc"], counts, ERRORS.get)


def lasting(counts):
    return [fault + SECOND for fault in single(counts)]


def forever(counts):
    return [fault + ":forever" for fault in single(counts)]


def memory(counts):
    return each(["malloc"], counts, ERRORS.get)


def memory_lasting(counts):
    return [fault + SECOND for fault in memory(counts)]


def memory_brief(counts):
    return [fault + ":20" for fault in memory(counts)]


def short(counts):
    return each(TRANSFERS, counts, lambda _: ["short=1", "short=2", "short=3", "short=7", "short=100"])


def ready(counts):
    return each(WAITS, counts, lambda _: ["ready", "urgent", "early"])


def pairs(counts, number=12000):
    """So many pairs of single faults; the same on each run."""
    faults, chosen = single(counts) + memory(counts), random.Random(str(sorted(counts.items())))
    return [",".join(chosen.sample(faults, 2)) for _ in range(number)]


KINDS = {"single": single, "lasting": lasting, "forever": forever, "memory": memory, "memory-brief": memory_brief,
         "memory-lasting": memory_lasting, "short": short, "ready": ready, "pairs": pairs}


def classes_of(faults):
    """The classes of calls that the faults are in."""
    return "+".join(fault.split(":")[0] for fault in faults.split(","))
