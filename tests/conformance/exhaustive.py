"""Every action in every hook, at every call: exhaustive.py --replay PATH, beside CPython.

Each scenario below is a script. It runs once as it stands, which tells how often each method of each channel is called.
Then it runs once for each call and each action: the action is planted into that call. Every such script runs with
CPython and with the library, and the two logs must be equal. The scripts are of the wide grammar (wide_replay.py).

    exhaustive.py --replay PATH                     all of it, on select, poll and epoll
    exhaustive.py --replay PATH --part              one script for each kind of channel, method, action and delivery
    exhaustive.py --replay PATH --scenario NAME     one scenario; may be repeated

The last lines say how often each action was fired. It is an error if one was not fired where it was planted, for the
log then says less than its script.
"""

import argparse
import collections
import itertools
import multiprocessing
import os
import sys
import time

import run
import script

CHUNK = 200
DELIVERIES = ("select", "poll")
MECHANISMS = ("select", "poll", "epoll")

SCENARIOS = {
    # A listener, and the channels that it makes. A connection is there before the listener's turn, and one comes later.
    "server": """
        listen l
        knock l a
        turn
        do a set_terminator "\\n"
        knock l b
        feed a "one\\ntw"
        turn
        do b set_terminator 3
        feed b "abcdef"
        feed a "o\\n"
        turn
        do a push "answer\\n"
        hangup b
        turn 2
        """,
    "delimiter": """
        chat a
        chat b
        do a set_terminator "\\r\\n"
        do b set_terminator "\\n"
        feed a "one\\r\\ntwo\\r"
        feed b "x\\n"
        turn
        feed a "\\nthree"
        do b push "answer"
        turn
        shut a
        turn
        """,
    "number": """
        chat a in=5
        chat b
        do a set_terminator 3
        feed a "abcdefgh"
        feed b "x"
        turn 2
        do a push "answer"
        hangup a
        turn 2
        """,
    "none": """
        chat a
        raw b
        feed a "abc"
        feed b "xyz"
        turn
        feed a "def"
        shut b
        turn
        hangup a
        turn
        """,
    # A queue of every kind of producer, and a close at its end.
    "queue": """
        chat a out=4
        chat b out=3
        do a push "0123456789"
        do a push_chunks "ab" "cdefgh"
        do a push_simple 2 "xyz"
        do a close_when_done
        do b push_bytes "bytes"
        turn 3
        feed a "late"
        do b push_chunks "1"
        turn 3
        do a push "more"
        turn 5
        """,
    "client": """
        listen l
        dial d l
        turn
        do d set_terminator "\\n"
        do d push "hello\\n"
        turn
        do dp set_terminator "\\n"
        do dp push "answer\\n"
        turn
        do dp close_when_done
        turn 3
        """,
    "refused": """
        dial d refused
        chat b
        feed b "x"
        turn 2
        """,
    "plain": """
        raw a
        sender b
        on a write pass
        on a write send "from a"
        feed a "abc"
        turn
        do b send "from b"
        feed b "xyz"
        turn 2
        hangup a
        shut b
        turn 2
        """,
    "urgent": """
        raw a tcp
        chat b tcp
        urgent a "!"
        feed b "x"
        turn
        do a recv 1
        urgent b "?"
        turn
        feed a "more"
        turn
        """,
    "reset": """
        chat a tcp
        sender b tcp
        do a set_terminator "\\n"
        do a push "x"
        feed a "line\\nrest"
        do b send "y"
        feed b "abc"
        turn
        reset a
        reset b
        turn 2
        """,
    # The peer is gone when the channel sends.
    "broken": """
        chat a
        sender b
        do a push_chunks "1" "2"
        hangup a
        hangup b
        do b send "y"
        do a push "z"
        turn 2
        """,
}

RAISES = ("raise", "raise_value", "raise_os ECONNRESET", "raise_os EPIPE", "raise_os EAGAIN", "raise_os EINVAL",
          "exit_now")
ANY = ("close", "handle_close", "del_channel", "handle_read", "recv 2", 'send "s"', "destroy", "erase", "clear",
       "close_all", "nested", "make zz", "reuse zz")
CHAT = ('push "p"', "push fill:5000:1", 'push_chunks "q" "r"', "push_failing", 'push_bytes ""', "set_terminator none",
        "set_terminator 2", 'set_terminator "\\n"', "set_terminator -1", "close_when_done", "discard_buffers",
        "initiate_send")
OTHER = ("close", "handle_close", "del_channel", "handle_read", "destroy", "reuse zz", "nested")
OTHER_CHAT = ('push "o"', "close_when_done", "discard_buffers", "set_terminator 1")

# How a line of the log names an event that is not a `before_METHOD`.
PLAIN = {"collect", "found", "connect", "close", "read", "write", "accept", "error", "expt"}

# A planted script, and what it plants where. `pair`: kind of channel, event and action, for the count.
Planted = collections.namedtuple("Planted", "text scenario delivery pair")


class Base:
    """One scenario under one delivery, as it stands."""

    def __init__(self, scenario, delivery):
        self.scenario = scenario
        self.delivery = delivery
        self.lines = [line.strip() for line in SCENARIOS[scenario].strip().splitlines()]
        self.kinds = {}     # name -> kind, in the order in which they come
        self.made = {}      # name -> the index of the line that makes it
        self.peers = []
        for at, line in enumerate(self.lines):
            what, *words = line.split()
            if what in ("chat", "raw", "sender", "listen"):
                self.add(at, words[0], what, peer=what != "listen")
            elif what == "knock":
                self.add(at, words[1], "chat", peer=True)
            elif what == "dial":
                self.add(at, words[0], "chat", peer=False)
                if words[1] != "refused":
                    self.add(at, words[0] + "p", "chat", peer=False)

    def add(self, at, name, kind, peer):
        self.kinds[name] = kind
        self.made[name] = at
        self.peers += [name] if peer else []

    def other(self, name):
        names = list(self.kinds)
        return names[(names.index(name) + 1) % len(names)]

    def text(self, name=None, event=None, index=None, action=None, predicates=False):
        """The script, with the action planted into call number `index` of the event."""
        lines = list(self.lines)
        if action:
            mine = "on %s %s " % (name, event)
            before = [line[len(mine):] for line in lines if line.startswith(mine)]
            actions = (before + ["pass"] * index)[:index] + ["planted " + action] + before[index + 1:]
            lines = [line for line in lines[:self.made[name] + 1]] + [mine + each for each in actions] \
                + [line for line in lines[self.made[name] + 1:] if not line.startswith(mine)]
        lines = ["delivery " + self.delivery] + ["predicates"] * predicates + lines
        if action and "zz" in action:
            lines += ['feed zz "new"', "turn", "state zz", "drain zz"]
        lines += ["drain " + peer for peer in self.peers] + ["turn 2", "map"] + ["state " + each for each in self.kinds]
        return "".join(line + "\n" for line in lines).encode()

    def actions(self, name):
        """Yields (action, what it is called in the count)."""
        other = self.other(name)
        kind, kind_of_other = self.kinds[name], self.kinds[other]
        for action in RAISES + ANY + (CHAT if kind == "chat" else ()):
            yield action, action
        if other != name:
            yield "replace " + other, "replace"
            for action in OTHER + (OTHER_CHAT if kind_of_other == "chat" else ()):
                yield "at %s %s" % (other, action), "at %s %s" % (kind_of_other, action)

    def calls(self, log):
        """How often each event comes, by (name, event)."""
        counts = collections.Counter()
        for line in log.decode().splitlines():
            name, what = (line.split(" ") + [""])[:2]
            if name in self.kinds and what.endswith("()"):
                counts[name, "before_" + what[:-2]] += 1
            elif name in self.kinds and what in PLAIN:
                counts[name, what] += 1
        return counts

    def planted(self, calls, predicates):
        for (name, event), count in sorted(calls.items()):
            if (event in ("before_readable", "before_writable")) != predicates:
                continue
            for index in range(count):
                for action, label in self.actions(name):
                    yield Planted(self.text(name, event, index, action, predicates), self.scenario, self.delivery,
                                  (self.kinds[name], event, label))


def twin(python):
    return [python, os.path.join(run.HERE, "wide_replay.py")]


def library(replay, mechanism):
    return [replay, "--poller", mechanism, "--wide"]


def all_planted(python, scenarios):
    """Every planted script of the scenarios."""
    for scenario, delivery in itertools.product(scenarios, DELIVERIES):
        base = Base(scenario, delivery)
        for predicates in (False, True):
            log = run.run_batch(twin(python), [base.text(predicates=predicates)])[0]
            if log.status != 0:
                sys.exit("%s: %s" % (scenario, log.text.decode()))
            yield from base.planted(base.calls(log.text), predicates)


def one_of_each(planted):
    """The first script for each kind of channel, event, action and delivery."""
    seen = set()
    for each in planted:
        if (each.pair, each.delivery) not in seen:
            seen.add((each.pair, each.delivery))
            yield each


def run_chunk(work):
    """Runs the scripts. Returns CPython's answers, and (index, mechanism, answer) of each log that differs."""
    python, replay, mechanisms, texts = work
    expected = run.run_batch(twin(python), texts)
    found = []
    for mechanism in mechanisms:
        answers = run.run_batch(library(replay, mechanism), texts)
        found += [(i, mechanism, answer) for i, answer in enumerate(answers) if run.differs(expected[i], answer)]
    return expected, found


class Count:
    """What was run, and what was found."""

    def __init__(self):
        self.fired = collections.Counter()      # by pair
        self.silent = []                        # planted, and not fired
        self.left_out = collections.Counter()   # by entry of docs/differences.md
        self.differ = self.runs = self.throws = 0

    def chunk(self, chunk, expected, found, mechanisms, failures):
        for each, answer in zip(chunk, expected):
            if answer.status not in (0, run.LEFT_OUT):
                self.differ += 1
                print("CPython: status %d: %s\n%s" % (answer.status, answer.text.decode(), each.text.decode()))
            elif answer.status == run.LEFT_OUT:
                self.left_out[answer.text.decode().strip()] += 1
                self.fired[each.pair] += 1
            elif b" planted\n" in answer.text:
                self.fired[each.pair] += 1
            else:
                self.silent.append(each)
            self.runs += len(mechanisms)
            self.throws += len(mechanisms) * (each.pair[2] in RAISES)
        for index, mechanism, answer in found:
            self.differ += 1
            self.report(chunk[index], expected[index], mechanism, answer, failures)

    def report(self, each, expected, mechanism, answer, failures):
        if self.differ > 20:
            return
        print("FAILED %s, delivery %s, %s: %s of a %s: %s" % (each.scenario, each.delivery, mechanism, each.pair[1],
                                                              each.pair[0], each.pair[2]))
        run.show_difference(expected, answer)
        os.makedirs(failures, exist_ok=True)
        path = os.path.join(failures, "exhaustive-%d-%s" % (self.differ, mechanism))
        for suffix, content in ((".txt", each.text), (".cpython.log", expected.text), (".log", answer.text)):
            with open(path + suffix, "wb") as file:
                file.write(content)
        print("    written to %s.txt" % path, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--replay", required=True, help="the program to test")
    parser.add_argument("--poller", action="append", help="only this mechanism; may be repeated")
    parser.add_argument("--scenario", action="append", choices=SCENARIOS, help="only this one; may be repeated")
    parser.add_argument("--part", action="store_true", help="one script for each kind of channel, event and action")
    parser.add_argument("--python", help="the CPython; default: the first that is found and has asyncore")
    parser.add_argument("--failures", default="replay-failures", help="the folder for scripts whose logs differ")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many processes run")
    parser.add_argument("--verbose", action="store_true", help="print how often each pair was fired")
    args = parser.parse_args()
    python = args.python or run.find_python("asyncore", "asynchat")
    if python is None:
        print("skipped: there is no CPython with asyncore here")
        return run.SKIPPED
    os.environ["ASYNCORE_EXACT"] = "1"
    os.environ.setdefault("ASYNCORE_CHECK", "1")
    replay = os.path.abspath(args.replay)
    mechanisms = args.poller or [each for each in run.mechanisms_of(replay) if each in MECHANISMS]
    started = spoken = time.time()
    planted = list(all_planted(python, args.scenario or SCENARIOS))
    wanted = {each.pair for each in planted}
    planted = list(one_of_each(planted)) if args.part else planted
    # The part runs each script on one mechanism, the rest on all.
    chunks = [planted[at:at + CHUNK] for at in range(0, len(planted), CHUNK)]
    turns = [[mechanisms[i % len(mechanisms)]] if args.part else mechanisms for i in range(len(chunks))]
    work = [(python, replay, some, [each.text for each in chunk]) for chunk, some in zip(chunks, turns)]
    count = Count()
    with multiprocessing.Pool(args.jobs) as pool:
        for chunk, some, (expected, found) in zip(chunks, turns, pool.imap(run_chunk, work)):
            count.chunk(chunk, expected, found, some, args.failures)
            if time.time() - spoken > 30:
                spoken = time.time()
                print("    %d of %d runs, %d differ" % (count.runs, sum(len(c) * len(t) for c, t in zip(chunks, turns)),
                                                       count.differ), flush=True)
    for pair in sorted(wanted, key=lambda pair: count.fired[pair]) if args.verbose else ():
        print("%8d %s %s: %s" % (count.fired[pair], *pair))
    for each in count.silent[:20]:
        print("never fired: %s, delivery %s: %s\n%s" % (each.scenario, each.delivery, each.pair, each.text.decode()))
    missing = [pair for pair in wanted if not count.fired[pair]]
    for pair in missing:
        print("never fired: %s %s: %s" % pair)
    print("exhaustive, %s: %d scripts, %d runs, of which %d throw; %d of %d pairs of hook and action fired; "
          "left out: %s; %d did not fire, %d differ, %.0f s" % (
              " ".join(mechanisms), len(planted), count.runs, count.throws, len(wanted) - len(missing), len(wanted),
              ", ".join("%d for %s" % (n, entry) for entry, n in sorted(count.left_out.items())) or "none",
              len(count.silent), count.differ, time.time() - started), flush=True)
    return 1 if count.differ or missing or count.silent else 0


if __name__ == "__main__":
    sys.exit(main())
