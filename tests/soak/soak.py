#!/usr/bin/env python3
"""Chaos clients against the example servers, for as long as it is told: see README.md.

    soak.py FOLDER --seconds N   all servers on all mechanisms, again and again, for so many seconds
    soak.py FOLDER --rounds N    so many rounds

FOLDER has the programs, for example build-asan-clang/tests/soak.  The exit status is 0 if every check passed.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

MECHANISMS = ("select", "poll", "epoll")
AT_ONCE = {"select": 300, "poll": 700, "epoll": 1500}  # select has no number above 1023, and each HTTP session has two
WARM_UP = 2           # rounds, whose idle points do not count for memory
IDLE = 2.0            # seconds, in which the waits of a server without clients are counted
PATIENCE = 600.0      # seconds in which a server without clients has to become idle
SPARES = 4 << 20      # bytes: the library keeps 32 spare containers of a kind, each of at most 64 KiB
TREND = 9             # so many idle points show whether memory grows and grows
RSS_NOISE = 0.01      # of what is resident
IDLE_CPU = 0.01       # seconds a second

# name: (what the clients speak, the command, waits a second without clients)
SERVERS = {
    "line_echo": ("echo", ["line_echo", "0"], 0),
    "http_server": ("http", ["http_server", "--root", "{site}", "--timeout", "600", "--linger", "600"], 1),
    "smtpd": ("smtp", ["smtpd", "-n", "-s", "33554432", "-c", "DebuggingServer", "127.0.0.1:0"], 0),
    "smtpd --hardened": ("smtp", ["smtpd", "--hardened", "-n", "-s", "33554432", "-c", "DebuggingServer",
                                  "127.0.0.1:0"], 1),
}
SIZES = (0, 1, 1000, 4096, 16384, 65536, 300000, 3000000)  # of the files that the http_server serves


def make_site(folder):
    folder.mkdir()
    for size in SIZES:
        (folder / ("%d.bin" % size)).write_bytes(random.Random(size).randbytes(size))


def heed_sigint():
    """A shell starts what runs in the background with SIGINT ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Failure(RuntimeError):
    pass


def growth(values):
    """How much the least of the last third is above the most of what came before; 0 if it is not above.

    What a server keeps differs from one idle point to the next.  It has drifted if it stays above all that it was."""
    if len(values) < TREND:
        return 0
    last = len(values) // 3
    return max(0, min(values[-last:]) - max(values[:-last]))


class Subject:
    """A server, and what was measured of it."""

    def __init__(self, name, mechanism, programs, work, site, idle, servers=SERVERS):
        self.name, self.mechanism = name, mechanism
        self.speaks, command, self.idle_waits = servers[name]
        self.programs, self.site, self.idle = programs, site, idle
        self.rounds = self.connections = self.said = self.checked = self.messages = self.mismatches = 0
        self.manners = {}
        self.base = None       # descriptors before the first client
        self.heaps, self.resident = [], []  # at the idle points after the warm-up
        self.drift = {"descriptors": 0, "heap": 0, "rss": 0}
        self.most_waits = self.most_cpu = 0.0  # a second, at the idle points
        self.failures = []
        self.sanitizer = work / ("%s-%s" % (name.replace(" ", ""), mechanism))
        output = self.sanitizer.with_suffix(".output")
        output.unlink(missing_ok=True)  # a server before this one may have had the name
        self.output = open(output, "ab")
        self.printed, stdout = os.pipe() if self.speaks == "smtp" else (None, os.dup(self.output.fileno()))
        self.heap, heap_end = os.pipe()
        options = "quarantine_size_mb=1:allocator_release_to_os_interval_ms=100:log_path=%s.sanitizer" % self.sanitizer
        environment = {**os.environ, "ASYNCORE_POLLER": mechanism, "SOAK_HEAP": str(heap_end),
                       "ASAN_OPTIONS": options, "UBSAN_OPTIONS": options + ":print_stacktrace=1"}
        command = [str(programs / command[0])] + [word.format(site=site) for word in command[1:]]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=self.output,
                                        pass_fds=[heap_end], env=environment, preexec_fn=heed_sigint)
        os.close(stdout)
        os.close(heap_end)
        self.port = self.wait_for_port()

    # What the system tells.

    def proc(self, name):
        return pathlib.Path("/proc/%d/%s" % (self.process.pid, name)).read_text()

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def is_asleep(self):
        return self.proc("stat").rpartition(")")[2].split()[0] == "S"

    def waits(self):
        return int(self.proc("status").partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    def cpu(self):
        return int(self.proc("schedstat").split()[0]) / 1e9

    def rss(self):
        return int(self.proc("statm").split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def allocated(self):
        self.process.send_signal(signal.SIGUSR2)
        return int(os.read(self.heap, 100))

    def has_ended(self):
        return self.process.poll() is not None

    def wait_until(self, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            if self.has_ended() or time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def wait_for_port(self):
        def find():
            text = pathlib.Path(self.output.name).read_text()
            for before, after in ("PORT ", "\n"), ("http://127.0.0.1:", "/"):
                rest = text.partition(before)[2]
                if after in rest:
                    return int(rest.partition(after)[0])
            return None

        if not self.wait_until(find):
            raise Failure("%s does not start: %s" % (self.name, pathlib.Path(self.output.name).read_text()))
        port = find()
        self.wait_until(self.is_asleep)
        self.base = self.descriptors()
        return port

    # A round.

    def round(self, seed, how, at_once):
        command = [str(self.programs / "chaos"), self.speaks, str(self.port), "--pid", str(self.process.pid), "--seed", str(seed),
                   "--at-once", str(at_once or AT_ONCE[self.mechanism]), "--site", str(self.site)] + how
        pipes = []
        if self.printed is not None:
            command += ["--printed", str(self.printed)]
            pipes = [self.printed]
        run = subprocess.run(command, pass_fds=pipes, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in run.stderr.splitlines():
            self.fail(line)
        if run.stdout:
            self.count(json.loads(run.stdout))
        elif run.returncode:
            self.fail("chaos ended with %d" % run.returncode)
        self.rounds += 1
        if self.has_ended():
            self.fail("the server ended with %d: %s" % (self.process.returncode, self.last_output()))
            return
        self.idle_point()

    def count(self, result):
        self.connections += result["connections"]
        self.said += result["bytes_said"]
        self.checked += result["bytes_checked"]
        self.messages += result["messages"]
        self.mismatches += result["mismatches"]
        for name, number in result["manners"].items():
            self.manners[name] = self.manners.get(name, 0) + number

    def idle_point(self):
        """The server has no client: what has it kept, and does it rest?"""
        self.wait_until(lambda: self.descriptors() == self.base and self.is_asleep())
        extra = self.descriptors() - self.base
        if extra:
            self.fail("%d descriptors more than before the first client" % extra)
        self.drift["descriptors"] = max(self.drift["descriptors"], abs(extra))
        self.measure_rest()
        self.measure_memory()
        if os.path.getsize(self.output.name) > 10 << 20:
            os.truncate(self.output.name, 0)

    def measure_rest(self):
        began, waits, cpu = time.monotonic(), self.waits(), self.cpu()
        time.sleep(self.idle)
        length = time.monotonic() - began
        waits, cpu = (self.waits() - waits), (self.cpu() - cpu) / length
        self.most_waits, self.most_cpu = max(self.most_waits, waits / length), max(self.most_cpu, cpu)
        allowed = self.idle_waits * (length + 1)
        if waits > allowed:
            self.fail("%d waits without a client in %.1f seconds, %d are allowed" % (waits, length, allowed))
        if cpu > IDLE_CPU:
            self.fail("%.1f %% of a processor without a client" % (100 * cpu))

    def measure_memory(self):
        heap, rss = self.allocated(), self.rss()
        if self.rounds < WARM_UP:
            return
        self.heaps.append(heap)
        self.resident.append(rss)
        self.drift["heap"], self.drift["rss"] = growth(self.heaps), growth(self.resident)
        if heap - min(self.heaps) > SPARES:
            self.fail("%d bytes are allocated more than after the warm-up" % (heap - min(self.heaps)))

    def judge_memory(self):
        if self.drift["heap"] > 0:
            self.fail("the allocated memory grows: %s bytes" % self.heaps)
        if self.drift["rss"] > RSS_NOISE * max(self.resident, default=0):
            self.fail("the resident memory grows: %s KiB" % [rss >> 10 for rss in self.resident])

    def stop(self):
        """Ends the server by SIGINT, and looks at what its sanitizers say.  line_echo does not catch the signal."""
        if not self.has_ended():
            self.process.send_signal(signal.SIGINT)
            status = self.process.wait()
            if status not in (0, -signal.SIGINT):
                self.fail("the server ended with %d: %s" % (status, self.last_output()))
        for report in self.sanitizer.parent.glob(self.sanitizer.name + ".sanitizer.*"):
            self.fail(report.read_text())
        for fd in self.printed, self.heap:
            if fd is not None:
                os.close(fd)
        self.output.close()

    def last_output(self):
        return pathlib.Path(self.output.name).read_text(errors="replace")[-2000:]

    def fail(self, why):
        self.failures.append(why)
        print("FAILED %s on %s, round %d: %s" % (self.name, self.mechanism, self.rounds + 1, why), flush=True)


COLUMNS = ("server", "mechanism", "rounds", "connections", "MB said", "MB checked", "messages", "mismatches",
           "descriptors", "heap", "resident", "waits/s", "CPU %", "failures")


def row(subject):
    return (subject.name, subject.mechanism, subject.rounds, subject.connections, subject.said // 10**6,
            subject.checked // 10**6, subject.messages, subject.mismatches, "%+d" % subject.drift["descriptors"],
            "%+d B" % subject.drift["heap"], "%+d KiB" % (subject.drift["rss"] >> 10), "%.1f" % subject.most_waits,
            "%.2f" % (100 * subject.most_cpu), len(subject.failures))


def table(subjects):
    total = ["all", ""] + [sum(row(each)[i] for each in subjects) for i in range(2, 8)] + [""] * 5
    total.append(sum(len(each.failures) for each in subjects))
    rows = [[str(cell) for cell in cells] for cells in [COLUMNS, *map(row, subjects), total]]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for cells in rows:
        print("  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(cells, widths))))


def report(subjects, began, seed):
    print("\n== after %d seconds, seed %d" % (time.monotonic() - began, seed))
    table(subjects)
    manners = {}
    for subject in subjects:
        for name, number in subject.manners.items():
            manners[name] = manners.get(name, 0) + number
    print("manners: " + ", ".join("%s %d" % each for each in manners.items()), flush=True)


def soak(subjects, args):
    """Gives each server its turn, round after round.  Returns when it began."""
    began, number = time.monotonic(), 0

    def is_over():
        return time.monotonic() - began >= args.seconds if args.seconds else number >= args.rounds * len(subjects)

    while not is_over() and not all(subject.has_ended() for subject in subjects):
        for subject in subjects:
            if not is_over() and not subject.has_ended():
                subject.round(args.seed + number, ["--clients", str(args.clients)], args.at_once)
            number += 1
        if not is_over():
            report(subjects, began, args.seed)
    return began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--seconds", type=int, help="after so many seconds no round begins")
    parser.add_argument("--rounds", type=int, default=3, help="so many rounds, where there is no time")
    parser.add_argument("--clients", type=int, default=4000, help="so many clients a round for each server")
    parser.add_argument("--at-once", type=int, help="so many clients at a time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--idle", type=float, default=IDLE, help="for so many seconds a server without clients is watched")
    parser.add_argument("--only", action="append", help="only this server or mechanism")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        make_site(work / "site")
        subjects = [Subject(name, mechanism, args.folder, work, work / "site", args.idle)
                    for name in SERVERS for mechanism in MECHANISMS
                    if not args.only or name in args.only or mechanism in args.only]
        began = soak(subjects, args)
        for subject in subjects:
            subject.judge_memory()
            subject.stop()
        report(subjects, began, args.seed)
    failures = sum(len(subject.failures) for subject in subjects)
    print("%d failures" % failures)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
