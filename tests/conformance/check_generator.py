"""The random schedules use everything that the format has: check_generator.py --replay PATH [--seeds N].

This counts what N schedules say and what happens in them. It fails if a directive, option, terminator, action or event
never comes up, or if an event never comes up with one of the errors in it.
"""

import argparse
import collections
import sys

import generate
import run
import script

EVENTS = {
    "chat": ("collect", "found", "connect", "close", "error", "expt"),
    "sender": ("read", "close", "error", "expt"),
    "raw": ("read", "write", "close", "error", "expt"),
    "listen": ("accept", "close", "error"),
}
ERRORS = ("raise", "raise_os", "exit_now")
TERMINATORS = ("none", "zero", "negative", "number", "empty", "one byte", "several bytes", "overlapping itself")
SIZES = ("0", "1", "small", "large", "64 kilobytes and more")


def size(number):
    if number < 2:
        return str(number)
    return "small" if number < 100 else "large" if number < 65536 else "64 kilobytes and more"


def terminator(value):
    if value is None:
        return "none"
    if isinstance(value, int):
        return "zero" if value == 0 else "number" if value > 0 else "negative"
    if len(value) < 2:
        return "one byte" if value else "empty"
    overlaps = any(value.endswith(value[:n]) for n in range(1, len(value)))
    return "overlapping itself" if overlaps else "several bytes"


def expected():
    """Yields everything that must come up."""
    yield from (("directive", what) for what in script.DIRECTIVES)
    yield from (("delivery", which) for which in ("select", "poll"))
    yield from (("family", kind, family) for kind in ("chat", "sender", "raw") for family in ("unix", "tcp"))
    yield from (("option", key, each) for key in ("in", "out", "read") for each in SIZES)
    yield from (("dial", target) for target in ("listener", "refused"))
    yield from (("terminator", each) for each in TERMINATORS)
    for where in ("do", "on", "at"):
        yield from ((where, action) for action in script.ACTIONS)
    for kind, events in EVENTS.items():
        yield from (("on", kind, event, error) for event in events for error in ERRORS)
        yield from (("on", kind, event, "at") for event in events)
        yield from (("log", kind, event) for event in events)
    yield from (("log", "peer", end) for end in ("eof", "reset", "broken"))
    yield from (("log", what) for what in ("raised", "turn raised", "got", "sent"))


class Census:
    def __init__(self):
        self.counts = collections.Counter()

    def count(self, *what):
        self.counts[what] += 1

    def schedule(self, directives):
        """Counts what a schedule says. Returns {name: kind of channel}."""
        kinds = {}
        for _, what, args in directives:
            self.count("directive", what)
            if what in EVENTS:
                kinds[args[0]] = what
            elif what in ("knock", "dial"):
                kinds[args[what == "knock"]] = kinds[args[0] + "p"] = "chat"
            getattr(self, "see_" + what, lambda *_: None)(kinds, *args)
        return kinds

    def log(self, kinds, text):
        """Counts what happened in a schedule."""
        for line in text.decode().splitlines():
            name, what, rest = (line.split(" ", 2) + ["", ""])[:3]
            if line.startswith("turn raised"):
                self.count("log", "turn raised")
            elif what == "peer":
                self.count("log", "peer", rest)
            elif name in kinds and what in EVENTS[kinds[name]]:
                self.count("log", kinds[name], what)
            else:
                self.count("log", what)

    def see_delivery(self, kinds, which):
        self.count("delivery", which)

    def see_chat(self, kinds, name, options):
        self.count("family", kinds[name], "tcp" if options.get("tcp") else "unix")
        for key in options:
            self.count("option", key, size(options[key]))

    see_sender = see_raw = see_chat

    def see_dial(self, kinds, name, listener):
        self.count("dial", "listener" if listener else "refused")

    def see_do(self, kinds, name, action):
        self.see_action("do", action)

    def see_on(self, kinds, name, event, action):
        self.count("on", kinds[name], event, action.what)
        self.see_action("on", action)

    def see_action(self, where, action):
        self.count(where, action.what)
        if action.what == "set_terminator":
            self.count("terminator", terminator(action.args[0]))
        elif action.what == "at":
            self.see_action("at", action.args[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--replay", required=True, help="the program that runs the schedules")
    parser.add_argument("--seeds", type=int, default=5000, metavar="N")
    parser.add_argument("--verbose", action="store_true", help="print all counts")
    args = parser.parse_args()
    census = Census()
    schedules = [generate.generate(str(seed)) for seed in range(args.seeds)]
    refused = 0
    for text, answer in zip(schedules, run.run_batch([args.replay], schedules)):
        try:
            kinds = census.schedule(script.parse(text))
            census.log(kinds, answer.text)
        except script.BadScript:
            refused += 1
    wanted = list(expected())
    missing = [what for what in wanted if not census.counts[what]]
    for what in missing:
        print("never: " + " ".join(what))
    if args.verbose:
        for what in sorted(wanted, key=census.counts.__getitem__):
            print("%8d %s" % (census.counts[what], " ".join(what)))
    print("%d schedules, of which %d were refused; %d of %d things never came up" % (
        args.seeds, refused, len(missing), len(wanted)))
    return 1 if missing or not refused else 0


if __name__ == "__main__":
    sys.exit(main())
