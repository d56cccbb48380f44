"""Replays scripts with the library, and compares the logs with CPython's.

    run.py --replay PATH                  replays the corpus on every mechanism that PATH knows
    run.py --replay PATH --random N       replays N new random schedules, and runs them with CPython
    run.py --verify | --record            runs the corpus with CPython: compares, or writes, the committed logs

A schedule whose logs differ is cut down while it still differs.  What is left of it is written into the folder
--failures, with both logs.
"""

import argparse
import glob
import multiprocessing
import os
import random
import subprocess
import sys
import time
from collections import namedtuple

import generate

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(HERE))
from cpython import SKIPPED, find_python  # noqa: E402

MECHANISMS = ("select", "poll", "epoll", "kqueue")
CHUNK = 200         # how many scripts a process runs
TRIES = 3           # how often the logs of a schedule must differ
LEFT_OUT = 4        # replay.py's status for a log that is not to be compared

Answer = namedtuple("Answer", "status text")


# -- running scripts --------------------------------------------------------------------------------

def run_batch(command, scripts):
    """Runs the scripts in one process, and returns an Answer for each."""
    request = b"".join(b"%d\n" % len(text) + text for text in scripts)
    process = subprocess.run(command + ["--batch"], input=request, stdout=subprocess.PIPE)
    answers = []
    rest = process.stdout
    while rest:
        head, _, rest = rest.partition(b"\n")
        status, length = map(int, head.split())
        answers.append(Answer(status, rest[:length]))
        rest = rest[length:]
    if len(answers) < len(scripts):
        # The process died in this script.  Another process runs the scripts after it.
        answers.append(Answer(process.returncode or 1, b"the process ended\n"))
        answers += run_batch(command, scripts[len(answers):]) if len(answers) < len(scripts) else []
    return answers


def mechanisms_of(replay):
    """The mechanisms that this replay was built with."""
    return [name for name in MECHANISMS
            if subprocess.run([replay, "--poller", name, "-"], input=b"", stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE).returncode == 0]


def version_of(python):
    return subprocess.run([python, "-c", "import platform; print(platform.python_version())"],
                          stdout=subprocess.PIPE).stdout.decode().strip()


def twin(python):
    return [python, os.path.join(HERE, "replay.py")]


# -- the corpus -------------------------------------------------------------------------------------

def read_corpus(folders):
    """A list of (path without .txt, script, expected Answer).  A log that begins with `bad script` is a refusal."""
    corpus = []
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(folder, "*.txt"))):
            with open(path, "rb") as file:
                text = file.read()
            try:
                with open(path[:-4] + ".log", "rb") as file:
                    log = file.read()
            except FileNotFoundError:
                log = b""
            corpus.append((path[:-4], text, Answer(2 if log.startswith(b"bad script") else 0, log)))
    return corpus


def show_difference(expected, got):
    """Prints the first line that differs."""
    a, b = expected.text.split(b"\n"), got.text.split(b"\n")
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    for label, lines, answer in (("CPython", a, expected), ("here   ", b, got)):
        line = lines[at] if at < len(lines) else b"(nothing)"
        print("    %s, line %d: %s%s" % (label, at + 1, line.decode("latin-1"),
                                        "" if answer.status in (0, 2) else " (status %d)" % answer.status))


def run_alone(command, path):
    """Runs one script in one process, and returns its Answer. A refusal goes to standard error, without a log."""
    process = subprocess.run(command + [path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if process.returncode != 2:
        return Answer(process.returncode, process.stdout)
    return Answer(2, b"a log: " + process.stdout if process.stdout else process.stderr)


def read_hardened():
    """The names of the scripts that hardened.txt lists."""
    with open(os.path.join(HERE, "hardened.txt")) as file:
        return {line.split()[0] for line in file if not line.startswith("#")}


def check_corpus(command, label, corpus, differing=frozenset()):
    """Returns how many scripts passed, and how many failed.  The scripts in `differing` must differ."""
    failed = 0
    for path, _, expected in corpus:
        name = os.path.basename(path)
        answer = run_alone(command, path + ".txt")
        if (answer != expected) == (name in differing):
            continue
        failed += 1
        print("FAILED %s, %s" % (name, label))
        if answer == expected:
            print("    it does not differ, although hardened.txt says so")
        else:
            show_difference(expected, answer)
    print("corpus, %s: %d scripts, %d differ that should not, or do not that should" % (label, len(corpus), failed),
          flush=True)
    return len(corpus) - failed, failed


def record(command, corpus):
    answers = run_batch(command, [text for _, text, _ in corpus])
    for (path, _, expected), answer in zip(corpus, answers):
        if answer.status not in (0, 2) or (answer.status == 2) != (os.sep + "bad" + os.sep in path):
            print("%s: status %d: %s" % (path, answer.status, answer.text.decode()))
        elif answer != expected:
            print("recorded " + os.path.basename(path))
            with open(path + ".log", "wb") as file:
                file.write(answer.text)


# -- random schedules -------------------------------------------------------------------------------

def differs(expected, answer):
    if expected.status == LEFT_OUT and answer.status == 0:
        return False  # and where a Python replays, it leaves the schedule out as well
    return answer != expected


def run_chunk(work):
    """Runs the schedules from `first` up to `last` with CPython and on each mechanism. Returns how many were left out,
    and a list of those that differ, as (index, script, mechanism)."""
    python, replay, mechanisms, seed, first, last = work
    scripts = [generate.schedule(seed, index) for index in range(first, last)]
    expected = run_batch(twin(python), scripts)
    found = []
    for mechanism in mechanisms:
        answers = run_batch([replay, "--poller", mechanism], scripts)
        found += [(first + i, scripts[i], mechanism) for i in range(len(scripts))
                  if differs(expected[i], answers[i])]
    return sum(answer.status == LEFT_OUT for answer in expected), found


class Shrinker:
    """Cuts a script down while the logs of CPython and the library still differ."""

    def __init__(self, python, command):
        self.python = python
        self.command = command

    def which_differ(self, scripts):
        """For each script, whether its logs differ."""
        verdicts = [True] * len(scripts)
        expected = run_batch(twin(self.python), scripts)
        answers = run_batch(self.command, scripts)
        for i in range(len(scripts)):
            verdicts[i] = differs(expected[i], answers[i])
        return verdicts

    def surely_differs(self, text):
        return all(self.which_differ([text] * TRIES))

    def first_that_differs(self, candidates):
        """The first candidate that still differs, or None."""
        for at in range(0, len(candidates), CHUNK):
            some = candidates[at:at + CHUNK]
            for text, verdict in zip(some, self.which_differ(some)):
                if verdict and self.surely_differs(text):
                    return text
        return None

    def shrink(self, text):
        while True:
            smaller = self.first_that_differs(self.without_lines(text)) \
                or self.first_that_differs(self.with_simpler_lines(text))
            if smaller is None:
                return text
            text = smaller

    @staticmethod
    def without_lines(text):
        """Scripts with one half, one quarter … one line left out."""
        lines = text.splitlines(True)
        candidates = []
        size = (len(lines) + 1) // 2
        while size > 0 and len(lines) > 1:
            for at in range(0, len(lines), size):
                candidates.append(b"".join(lines[:at] + lines[at + size:]))
            size = size // 2
        return [c for c in candidates if c]

    @classmethod
    def with_simpler_lines(cls, text):
        """Scripts with one word of one line made simpler, or left out."""
        lines = text.splitlines()
        candidates = []
        for i, line in enumerate(lines):
            for simpler in cls.simpler(line):
                if simpler != line:
                    candidates.append(b"\n".join(lines[:i] + [simpler] + lines[i + 1:]) + b"\n")
        return candidates

    @staticmethod
    def simpler(line):
        words = line.split(b" ")
        for i, word in enumerate(words):
            before, after = words[:i], words[i + 1:]
            if i > 0:
                yield b" ".join(before + after)
            if word == b"at":
                yield b" ".join(before + words[i + 2:])
            elif word.startswith(b'"') and len(word) > 2:
                body = word[1:-1]
                for half in (body[:len(body) // 2], body[len(body) // 2:], body[1:], body[:-1]):
                    yield b" ".join(before + [b'"' + half + b'"'] + after)
            elif word.startswith(b"fill:"):
                count = int(word.split(b":")[1])
                for less in {count // 2, count - 1, min(count, 3)}:
                    yield b" ".join(before + [b"fill:%d:0" % less] + after)
            else:
                key, equals, number = word.rpartition(b"=")
                if number.isdigit():
                    for less in sorted({1, int(number) // 2, int(number) - 1}):
                        if 0 < less < int(number):
                            yield b" ".join(before + [key + equals + b"%d" % less] + after)


def report_failure(args, python, index, text, mechanism):
    """Cuts the schedule down, and writes the script into a file, with both logs."""
    command = [args.replay, "--poller", mechanism]
    shrinker = Shrinker(python, command)
    print("FAILED schedule %s:%d, %s" % (args.seed, index, mechanism))
    if not shrinker.surely_differs(text):
        print("    the logs do not differ every time: a log depends on more than the script")
    else:
        text = shrinker.shrink(text)
    name = os.path.join(args.failures, "%s-%d-%s" % (args.seed, index, mechanism))
    expected, answer = run_batch(twin(python), [text])[0], run_batch(command, [text])[0]
    os.makedirs(args.failures, exist_ok=True)
    for suffix, content in ((".txt", text), (".cpython.log", expected.text), (".log", answer.text)):
        with open(name + suffix, "wb") as file:
            file.write(content)
    print("    " + text.decode("latin-1").replace("\n", "\n    ").rstrip())
    show_difference(expected, answer)
    print("    written to %s.txt" % name, flush=True)


def check_random(args, python, mechanisms):
    """Returns how many runs of schedules passed, and how many failed."""
    print("random: seed %s, %d schedules, CPython %s" % (args.seed, args.random, version_of(python)),
          flush=True)
    started = spoken = time.time()
    work = [(python, args.replay, mechanisms, args.seed, first, min(first + CHUNK, args.first + args.random))
            for first in range(args.first, args.first + args.random, CHUNK)]
    done = left_out = 0
    failures = []
    pool = multiprocessing.Pool(args.jobs) if args.jobs > 1 else None
    for (_, _, _, _, first, last), (left, found) in zip(work, pool.imap(run_chunk, work) if pool
                                                      else map(run_chunk, work)):
        done += last - first
        left_out += left
        for index, text, mechanism in found:
            # A schedule that differs on several mechanisms is reported once.
            if len(failures) < args.most_failures and index not in [each[0] for each in failures]:
                report_failure(args, python, index, text, mechanism)
            failures.append((index, mechanism))
        if time.time() - spoken > 30:
            spoken = time.time()
            print("    %d of %d, %d differ, %.0f/s" % (done, args.random, len(failures),
                                                     done / (spoken - started)), flush=True)
        if len(failures) > args.most_failures:
            print("    too many differ: the rest is not run")
            break
    if pool:
        pool.terminate()
    print("random, %s: %d schedules, %d left out, %d differ, %.0f s (seed %s)" % (
        " ".join(mechanisms), done, left_out, len(failures), time.time() - started, args.seed), flush=True)
    return done * len(mechanisms) - len(failures), len(failures)


def check_replay(args, python, corpus):
    """Returns a list of how many passed, and how many failed."""
    args.replay = os.path.abspath(args.replay)
    mechanisms = args.poller or mechanisms_of(args.replay)
    if not mechanisms:
        print("%s does not run with any mechanism" % args.replay)
        return [(0, 1)]
    if args.random:
        return [check_random(args, python, mechanisms)]
    differing = read_hardened() if args.hardened else frozenset()
    return [check_corpus([args.replay, "--poller", mechanism], mechanism, corpus, differing)
            for mechanism in mechanisms]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--replay", help="the program to test")
    parser.add_argument("--poller", action="append", help="only this mechanism; may be repeated")
    parser.add_argument("--corpus", action="append", help="a folder of scripts; may be repeated")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="how many new schedules to run")
    parser.add_argument("--first", type=int, default=0, metavar="I", help="begin with schedule I of the seed")
    parser.add_argument("--seed", help="the seed of the schedules; default: a new seed")
    parser.add_argument("--python", help="the CPython; default: the first that is found and has asyncore")
    parser.add_argument("--failures", default="replay-failures", help="the folder for schedules that differ")
    parser.add_argument("--most-failures", type=int, default=20, metavar="N", help="stop after so many failures")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many processes run")
    parser.add_argument("--hardened", action="store_true", help="replay the corpus in maps that are not exact")
    parser.add_argument("--verify", action="store_true", help="compare the corpus with CPython")
    parser.add_argument("--record", action="store_true", help="write CPython's logs into the corpus")
    args = parser.parse_args()
    if args.seed is None:
        args.seed = str(random.SystemRandom().randrange(10 ** 9))

    os.environ["ASYNCORE_EXACT"] = "0" if args.hardened else "1"
    folders = args.corpus or [os.path.join(HERE, "corpus"), os.path.join(HERE, "bad")]
    corpus = read_corpus(folders)
    if not corpus:
        sys.exit("there are no scripts in " + " ".join(folders))
    python = None
    if args.verify or args.record or args.random:
        python = args.python or find_python("asyncore", "asynchat")
        if python is None:
            print("skipped: there is no CPython with asyncore here")
            return SKIPPED
    results = []
    if args.record:
        record(twin(python), corpus)
        corpus = read_corpus(folders)
    if args.verify or args.record:
        results.append(check_corpus(twin(python), "CPython " + version_of(python), corpus))
    if args.replay:
        results += check_replay(args, python, corpus)
    passed = sum(result[0] for result in results)
    failed = sum(result[1] for result in results)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
