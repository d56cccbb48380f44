"""One run: a server under the injector, its clients, and a verdict.

No step sleeps for a fixed time.  A client that waits for its answer gives up as soon as the server is asleep in a
wait that lasts longer than the client's patience: the answer will not come.
"""

import dataclasses
import errno
import os
import pathlib
import re
import select
import signal
import socket
import struct
import time

import scripts

PATIENCE = 3.0            # seconds in which a server that is asleep may still serve a client
PATIENCE_IN_FAULT = 0.1   # the same while a lasting fault goes on; then nothing is judged
SEEN_ASLEEP = 0.02        # seconds without a wake-up; on a busy machine the kernel delivers later than it sends
PATIENCE_IN_SPIN = 0.3    # seconds in which a server that spins may still serve a client
HARD_LIMIT = 60.0         # seconds for all that a run waits; a server that neither sleeps nor calls reaches it
MORE_CALLS = 50           # so many calls of a class more than without a fault are no spinning yet,
# So many more for each second that a fault lasts: each of eight clients has ten events in vain, then rests, and wakes
# ten times a second (D37); where the error is EINTR, an event makes three calls.
MORE_CALLS_A_SECOND = 8 * (10 + 10) * 3
NOT_UNDERSTOOD = 99       # the injector's exit status
PROBES = 3                # clients that connect after the fault


@dataclasses.dataclass(frozen=True)
class Setting:
    """Which server runs how."""
    server: str
    mechanism: str
    delivery: str

    def __str__(self):
        return "/".join([self.server, self.mechanism, self.delivery])

    @staticmethod
    def of(text):
        return Setting(*text.split("/"))

    def environment(self):
        return {"ASYNCORE_POLLER": self.mechanism, "FAULTS_DELIVERY": self.delivery}


@dataclasses.dataclass
class Verdict:
    fired: int = 0            # calls that failed
    in_startup: bool = False  # the first call failed before the server's first wait, and the server was lost
    silent: bool = False      # it said neither which call failed in its start-up, nor the error
    end: str = ""             # how the server ended, if it did
    said: str = ""            # the last line that it wrote
    lost: int = 0             # clients that were not served
    probes_lost: int = 0      # the same, of the clients that connected after the fault
    spinning: str = ""        # the class whose calls were too many
    stacks: list = dataclasses.field(default_factory=list)


class Place:
    """Where the trials of one process run: the build folder, and files that the process uses again and again."""

    def __init__(self, folder, report):
        self.folder, self.report = pathlib.Path(folder), report
        self.site = self.folder / "site"
        self.output = os.memfd_create("output")

    def environment(self, setting, faults):
        return {**os.environ, **setting.environment(), "FAULTS": faults, "FAULTS_REPORT": self.report.path,
                "LD_PRELOAD": str(self.folder / "libinject.so")}


def seconds_of(faults):
    """How long the faults last, from when the first one fires."""
    how = [fault.split(":")[3:] for fault in faults.split(",")]
    return max(int(word) / 1000 if word.isdigit() else 0 for word in sum(how, ["0"]))


class Server:
    def __init__(self, place, setting, faults, usual):
        self.report, self.usual, self.output = place.report, usual, place.output
        self.lasts = seconds_of(faults)
        self.report.clear()
        os.ftruncate(self.output, 0)
        os.lseek(self.output, 0, os.SEEK_SET)
        command = scripts.command(setting.server, place.folder, place.site)
        self.pid = os.posix_spawn(command[0], command, place.environment(setting, faults), file_actions=[
            (os.POSIX_SPAWN_DUP2, self.output, 1), (os.POSIX_SPAWN_DUP2, self.output, 2)])
        self.status = None
        self.deadline = time.monotonic() + HARD_LIMIT
        self.stat = os.open("/proc/%d/stat" % self.pid, os.O_RDONLY)

    def has_ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def end(self):
        """Stops the server, and returns how it had ended before, if it had."""
        if self.has_ended():
            how = "signal %s" % signal.Signals(-self.status).name if self.status < 0 else "exit %d" % self.status
        else:
            how = ""
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.stat)
        return how

    def is_asleep(self):
        """Whether the server is in a wait and nothing has woken it."""
        if not self.report.in_wait:
            return False
        try:
            return os.pread(self.stat, 512, 0).rpartition(b")")[2].split()[0] == b"S"
        except ProcessLookupError:
            return False

    def sleeps_long(self, patience):
        limit = self.report.wait_limit
        return self.is_asleep() and (limit < 0 or limit > patience * 1000)

    def too_many(self):
        """The class whose calls are many more than without a fault, or an empty text."""
        allowed = MORE_CALLS + MORE_CALLS_A_SECOND * self.lasts
        for name, calls in self.report.counts().items():
            if name != "malloc" and calls > self.usual.get(name, 0) + allowed:
                return "%s %d" % (name, calls)
        return ""

    def pass_time_until(self, end):
        """A server that spins is stopped meanwhile: it has shown what it does, and the other runs need the processor."""
        spins = self.too_many()
        if spins and not self.has_ended():
            os.kill(self.pid, signal.SIGSTOP)
        time.sleep(max(0, end - time.monotonic()))
        if spins and not self.has_ended():
            os.kill(self.pid, signal.SIGCONT)

    def settle(self):
        """Waits until the server is asleep.  A server that spins never is, nor is one that has ended."""
        pause = 0.00005
        while not self.is_asleep():
            if self.has_ended() or self.too_many() or time.monotonic() > self.deadline:
                return
            time.sleep(pause)
            pause = min(pause * 2, 0.005)

    def said(self):
        lines = os.pread(self.output, 1 << 16, 0).decode("latin-1").splitlines()
        return lines[-1][:200] if lines else ""


class Client:
    def __init__(self, server, script):
        self.server, self.script = server, script
        self.sock = self.data = None
        self.at = 0
        self.lost = False

    def is_done(self):
        return self.lost or self.at > len(self.script)

    def step(self, patience):
        """Connects, or makes one exchange, or closes."""
        try:
            if not self.sock:
                self.connect()
            elif self.at < len(self.script):
                self.lost = not self.exchange(self.script[self.at], patience)
                self.at += 1
            else:
                self.at += 1
        except OSError:
            self.lost = True
        for sock in self.sock, self.data:
            if self.is_done() and sock:
                sock.close()

    def connect(self):
        self.sock = connected(self.server.report.port)

    def exchange(self, wanted, patience):
        """Whether the client hears what it must hear."""
        heard = self.hear(wanted, self.data if wanted.on_data else self.sock, patience)
        if heard is None or not heard.startswith(wanted.begins):
            return False
        if wanted.opens:
            high, low = map(int, re.findall(rb"\d+", heard)[-2:])
            self.data = connected(high * 256 + low)
        if wanted.closes:
            self.data.close()
        return True

    def hear(self, wanted, sock, patience):
        """What the client hears until the end of the exchange; None if that does not come."""
        heard, rest = bytearray(), memoryview(wanted.say)
        ready = select.poll()
        give_up = GiveUp(self.server, patience)
        while rest or not (len(heard) >= len(wanted.begins) and heard.endswith(wanted.ends)):
            ready.register(sock, select.POLLIN | (select.POLLOUT if rest else 0))
            events = ready.poll(2)
            if not events and give_up.now():
                return None
            for _, event in events:
                if event & select.POLLOUT:
                    rest = rest[sock.send(rest):]
                if event & ~select.POLLOUT:
                    piece = sock.recv(1 << 18)
                    if not piece:
                        return None
                    heard += piece
        return heard


def connected(port):
    sock = socket.socket()
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    return sock


class GiveUp:
    """When a client that hears nothing stops waiting."""

    def __init__(self, server, patience):
        self.server, self.patience = server, patience
        self.began = time.monotonic()
        self.counts = server.report.counts()
        self.waits = -1  # of the server, when it was last seen in a long sleep
        self.since = 0   # when that sleep was first seen

    def now(self):
        waited = time.monotonic() - self.began
        if self.server.has_ended() or time.monotonic() > self.server.deadline:
            return True
        if waited > self.patience and self.server.is_asleep():
            return True
        if waited > PATIENCE_IN_SPIN and self.server_spins():
            return True
        if not self.server.sleeps_long(self.patience):
            return False
        before, self.waits = self.waits, self.server.report.waits
        if before != self.waits:
            self.since = time.monotonic()
        return time.monotonic() - self.since > SEEN_ASLEEP

    def server_spins(self):
        """Whether it makes far too many calls now; it may have done so before, and no more."""
        return any(calls - self.counts.get(name, 0) > 1000
                   for name, calls in self.server.report.counts().items() if name != "malloc")


def serve(server, clients, patience_of):
    """Lets the clients take their steps in turn.  How many were lost?"""
    while any(not client.is_done() for client in clients):
        for client in clients:
            if not client.is_done():
                client.step(patience_of())
                server.settle()
    return sum(client.lost for client in clients)


def try_faults(place, setting, faults, usual):
    """Runs a server with the faults.  `usual` has how many calls of each class a run without faults makes."""
    server = Server(place, setting, faults, usual)
    verdict = Verdict()
    try:
        judge(server, setting, faults, verdict)
    finally:
        verdict.spinning = server.too_many()
        verdict.end = server.end()
        verdict.fired = server.report.fired
        verdict.in_startup |= bool(server.report.fired_in_startup and verdict.end)
        if verdict.end == "exit %d" % NOT_UNDERSTOOD:
            raise ValueError(server.said())
        if verdict.lost or verdict.probes_lost or verdict.end or verdict.spinning or verdict.in_startup:
            verdict.stacks = server.report.stacks()
            verdict.said = server.said()
            verdict.silent = verdict.in_startup and not (verdict.end and tells(verdict.said, faults))
    return verdict


def tells(line, faults):
    """Whether the line names the call that failed, or the error."""
    for fault in faults.split(","):
        name, _, error = fault.split(":")[:3]
        if name in line or os.strerror(getattr(errno, error, 0)) in line or (name == "malloc" and "bad_alloc" in line):
            return True
    return False


def judge(server, setting, faults, verdict):
    server.settle()
    report = server.report
    if not report.waits or not report.port:
        verdict.in_startup = True
        return

    def end_of_fault():
        return report.fired_at / 1e9 + server.lasts

    def patience():
        in_fault = server.lasts and report.fired and time.monotonic() < end_of_fault()
        if in_fault and server.too_many():
            return 0
        return PATIENCE_IN_FAULT if in_fault or ":forever" in faults else PATIENCE

    _, usual, after = scripts.server(setting.server)
    # The clients of the second group connect when the first group has gone.
    half = (len(usual) + 1) // 2
    for group in usual[:half], usual[half:]:
        verdict.lost += serve(server, [Client(server, script) for script in group], patience)
    if not report.fired:
        return
    if server.lasts:
        server.pass_time_until(end_of_fault())
    probes = [Client(server, after) for _ in range(PROBES)]
    verdict.probes_lost = serve(server, probes, patience)
    server.settle()
