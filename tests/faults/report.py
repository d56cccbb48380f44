"""The injector's report of a server: counters in a file that both map, and the stacks of the faults behind them.

The layout is that of report.hpp.
"""

import mmap
import os
import struct

SIZE = 8192
HEAD = struct.Struct("=QqQQQQQQ")
SLOT = struct.Struct("=24sQQ")


class Report:
    def __init__(self):
        self.file = os.memfd_create("report")
        self.path = "/proc/%d/fd/%d" % (os.getpid(), self.file)  # the server opens it too
        os.truncate(self.file, SIZE)
        self.memory = mmap.mmap(self.file, SIZE)

    def clear(self):
        os.truncate(self.file, SIZE)
        self.memory[:] = bytes(SIZE)

    def _head(self, index):
        return HEAD.unpack_from(self.memory)[index]

    waits = property(lambda self: self._head(0))
    wait_limit = property(lambda self: self._head(1))
    in_wait = property(lambda self: self._head(2))
    port = property(lambda self: self._head(3))
    fired = property(lambda self: self._head(4))
    fired_at = property(lambda self: self._head(5))
    fired_in_startup = property(lambda self: self._head(7))

    def counts(self):
        """How many calls of each class the server has made."""
        slots = (SLOT.unpack_from(self.memory, HEAD.size + i * SLOT.size) for i in range(self._head(6)))
        return {name.rstrip(b"\0").decode(): calls for name, calls, _ in slots}

    def stacks(self):
        """The stack of each fault that fired, as lists of "FILE(PLACE)[ADDRESS]"."""
        text = os.pread(self.file, 1 << 20, SIZE).decode("latin-1")
        return [stack.splitlines() for stack in text.split("\n\n") if stack.strip()]
