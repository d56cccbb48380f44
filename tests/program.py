"""Programs under test: a test starts one, reads what it writes, and stops it.

Nothing here has a time limit, for a machine may be slow.  Meson ends a test that hangs, by SIGTERM; the test then
prints where it hung.
"""

import contextlib
import faulthandler
import os
import re
import signal
import subprocess
import tempfile
import time

import sockets

faulthandler.register(signal.SIGTERM, chain=True)

# AddressSanitizer keeps what is freed, which would look like a leak in a measurement.  For `environment`.
LITTLE_QUARANTINE = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"}


def wait_until(happened):
    """Waits until `happened()` is true, and returns its value."""
    pause = 0.001
    while not (value := happened()):
        time.sleep(pause)
        pause = min(pause * 2, 0.01)  # a question costs time too
    return value


def open_sockets(pid):
    """How many sockets a process has open.  Linux only."""
    folder, count = "/proc/%d/fd" % pid, 0
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # the process has closed it meanwhile
            count += os.readlink(os.path.join(folder, name)).startswith("socket:")
    return count


class ProgramEnded(RuntimeError):
    """A test waits for a line, and the program has ended without it."""


class Output:
    """What a program writes.  It writes into a file, so that it never waits for a reader."""

    def __init__(self, program):
        self.program = program
        self.file = tempfile.TemporaryFile()
        self.at = 0  # where the next line begins

    def bytes(self, start=0):
        """All that the program has written so far."""
        # The program shares the file's position, so a seek would move where the program writes.
        return os.pread(self.file.fileno(), os.fstat(self.file.fileno()).st_size - start, start)

    def next(self):
        """Waits for the next line, and returns it without its end."""
        return wait_until(self._next)[1]

    def find(self, pattern):
        """Waits for a line that has the pattern, reads up to it, and returns the match."""
        while not (found := re.search(pattern, self.next())):
            pass
        return found

    def rest(self):
        """The lines that were not read yet, of a program that has ended."""
        return self.bytes(self.at).decode("latin-1").splitlines()

    def _next(self):
        ended = self.program.has_ended()  # this is asked first: then all that the program wrote is in the file
        line = re.match(r"(.*)\n", self.bytes(self.at).decode("latin-1"))
        if line:
            self.at += line.end()
        elif ended:
            raise ProgramEnded("the program has ended; it wrote %r, and %r as errors" % (
                self.program.out.bytes(), self.program.err.bytes()))
        return line


def heed_sigint():
    """A shell starts what runs in the background with SIGINT ignored, and a program inherits that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Program:
    """A process.  The end of a `with` stops it.

    `environment` is added to that of the test, and `before` is called in the process before the program starts."""

    def __init__(self, *command, environment=None, before=None):
        def prepare():
            heed_sigint()
            if before:
                before()

        self.out, self.err = Output(self), Output(self)
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                        stdout=self.out.file, stderr=self.err.file, preexec_fn=prepare,
                                        env={**os.environ, **(environment or {})})
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        if error:
            self.process.kill()  # a program that failed a test may ignore SIGINT
        self.stop()
        self.out.file.close()
        self.err.file.close()

    def has_ended(self):
        return self.process.poll() is not None

    def stop(self):
        """Interrupts the program, as Ctrl-C does, and returns its exit status."""
        if not self.has_ended():
            self.process.send_signal(signal.SIGINT)
        return self.process.wait()

    # What Linux tells of a process.

    def is_asleep(self):
        """Whether the process waits: a server that is asleep has dealt with everything that had arrived."""
        return self._proc("stat").rpartition(")")[2].split()[0] == "S"

    def status(self, name):
        """A number of /proc/PID/status; VmHWM is the most memory that the process has had, in KiB."""
        return int(re.search(r"^%s:\s*(\d+)" % name, self._proc("status"), re.M)[1])

    def _proc(self, name):
        with open("/proc/%d/%s" % (self.pid, name)) as file:
            return file.read()


class Server(Program):
    """A program that listens, and says so: `says` is a pattern that finds the port in the lines of `stream`."""

    def __init__(self, *command, says=r"^PORT (\d+)$", stream="out", **how):
        super().__init__(*command, **how)
        self.port = int(getattr(self, stream).find(says)[1])

    def connect(self):
        return sockets.connect(self.port)

    def wait_until_served(self, sock):
        """Waits until the server has received and dealt with all that was sent on the socket.  Linux only."""
        wait_until(lambda: sockets.all_arrived(sock))
        wait_until(self.is_asleep)
