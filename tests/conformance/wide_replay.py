"""Runs scripts of the wide grammar with CPython's asyncore and asynchat: `wide_replay.py --batch`, as replay.py.

The twin of wide_channels.hpp. Every method that the loop calls, and every method that such a method calls, is logged as
`NAME METHOD()`, and its event `before_METHOD` comes before the base class's own. The predicates are logged from the
directive `predicates` on.

Three differences of the library are built into this twin, so that the rest of a log can be compared: D2, D4 and D15
of docs/differences.md. After an error of CPython for which D12, D17 or D28 excuses the library, the log is left out.
"""

import collections
import errno
import os
import select
import socket
import sys
import types

import script
import replay
from replay import asyncore


class Entries(dict):
    """A socket map whose entries have serial numbers, and which knows which entries a turn waits for."""

    def __init__(self):
        super().__init__()
        self.serials = {}   # descriptor -> serial number of its entry
        self.last = 0
        self.waited = {}    # the serials of the turn under way, when it began
        self.closed_behind = False  # whether poll() found that the descriptor of an entry is closed

    def __setitem__(self, fd, value):
        if self.get_now(fd) is not value:
            self.last += 1
            self.serials[fd] = self.last
        super().__setitem__(fd, value)

    def __delitem__(self, fd):
        super().__delitem__(fd)
        del self.serials[fd]

    def clear(self):
        super().clear()
        self.serials.clear()

    def get_now(self, fd):
        return super().get(fd)

    def items(self):
        """asyncore calls this once in each turn, when it begins to ask."""
        self.waited = dict(self.serials)
        return super().items()

    def stands(self, fd):
        return fd in self.waited and self.waited[fd] == self.serials.get(fd)

    def get(self, fd):
        """asyncore calls this when it delivers. D4: an event never reaches another channel."""
        return self.get_now(fd) if self.stands(fd) else None

    def is_asked(self, channel):
        """D15: a channel that left the map since the turn began is not asked."""
        return any(self.get_now(fd) is channel and self.stands(fd) for fd in self.waited)


def select_what_stands(readers, writers, exceptional, timeout):
    """D15: select() does not fail because a predicate closed a channel."""
    stands = asyncore.socket_map.stands
    return select.select(*([fd for fd in fds if stands(fd)] for fds in (readers, writers, exceptional)), timeout)


class Poll:
    """D17: epoll does not tell of a descriptor that was closed behind asyncore; poll() does."""

    def __init__(self):
        self.poller = select.poll()
        self.register = self.poller.register

    def poll(self, timeout):
        found = self.poller.poll(timeout)
        entries = asyncore.socket_map
        entries.closed_behind |= any(flags & select.POLLNVAL and entries.stands(fd) for fd, flags in found)
        return found


def hooked(method):
    """An override of `method` that is logged, and runs the action of `before_METHOD`."""

    def override(self, *args):
        self.log_line(method + "()")
        self.happened("before_" + method)
        return getattr(super(self.wide, self), method)(*args)

    override.__name__ = method
    return override


def predicate(method):
    def override(self):
        if self.replay.predicates:
            if not asyncore.socket_map.is_asked(self):
                return False
            self.log_line(method + "()")
            self.happened("before_" + method)
        return getattr(super(self.wide, self), method)()

    return override


def del_channel(self, map=None):
    """D2: removes only its own entry."""
    if asyncore.socket_map.get_now(self._fileno) not in (self, None) and self._fileno is not None:
        self._fileno = None
    else:
        super(self.wide, self).del_channel()


def widened(base):
    """The class `base` with all its methods hooked."""
    body = {method: predicate(method) if method in ("readable", "writable") else hooked(method)
            for method in script.METHODS if hasattr(base, method)}
    made = type("Wide" + base.__name__, (base,), dict(body, del_channel=del_channel))
    made.wide = made
    return made


def closed_socket():
    sock = socket.socket()
    sock.close()
    return sock


class WideReplay(replay.Replay):
    wide = True
    kinds = {what: widened(base) for what, base in replay.Replay.kinds.items()}

    def __init__(self, home):
        super().__init__(home)
        asyncore.socket_map.closed_behind = False
        self.predicates = False
        self.doomed = []    # a channel that is destroyed lives to the end of the turn, as docs/lifetime.md says
        self.peers = collections.defaultdict(closed_socket)  # where an action failed before it made the peer

    def excused(self, error):
        """D17: a channel's descriptor was closed behind asyncore."""
        if getattr(error, "errno", None) == errno.EBADF and replay.raised_by(error) is select_what_stands.__code__:
            return "D17"
        return replay.excused(error)

    def run(self, directives):
        for _ in super().run(directives):
            self.doomed.clear()
            yield
        if asyncore.socket_map.closed_behind:
            self.left_out = self.left_out or "D17"

    def do_turn(self, times):
        for _ in range(times):
            super().do_turn(1)
            self.doomed.clear()
            if self.lines[-1].startswith("turn raised"):
                break

    def do_predicates(self):
        self.predicates = True

    def more(self, name):
        self.log(name + " more()")
        happened = self.hooks.get((name, "before_more"))
        if happened:
            self.act(name, happened.popleft())

    def act(self, name, action):
        if action.what in script.WIDE_ACTIONS:
            getattr(self, "act_" + action.what)(self.channels[name], name, *action.args)
        else:
            super().act(name, action)

    def act_planted(self, channel, name, action):
        self.log(name + " planted")
        self.act(name, action)

    def act_pass(self, channel, name):
        pass

    def act_raise_value(self, channel, name):
        raise ValueError

    def act_nested(self, channel, name):
        self.settle()
        self.log("loop")
        waited = asyncore.socket_map.waited
        try:
            asyncore.loop(timeout=0, use_poll=self.poll2, count=1)
        finally:
            asyncore.socket_map.waited = waited

    def act_make(self, channel, name, new):
        self.make(self.kinds["chat"], new, {})

    def act_reuse(self, channel, name, new):
        """Closes the channel, and makes a chat under its descriptor."""
        mine, self.peers[new] = self.pair(False)
        number = channel.socket.fileno()
        channel.close()
        if number >= 0 and channel.socket.fileno() < 0:
            os.dup2(mine.fileno(), number)
            mine.close()
            mine = socket.socket(fileno=number)
        self.channels[new] = self.kinds["chat"](self, new, mine)

    def act_destroy(self, channel, name):
        self.doomed.append(channel)
        self.act_erase(channel, name)
        del self.channels[name]

    def act_erase(self, channel, name):
        entries = asyncore.socket_map
        for fd in [fd for fd in entries if entries.get_now(fd) is channel]:
            del entries[fd]

    def act_replace(self, channel, name, other):
        number = channel._fileno
        if number is not None:
            asyncore.socket_map[number] = self.channels[other]

    def act_clear(self, channel, name):
        asyncore.socket_map.clear()

    def act_close_all(self, channel, name):
        asyncore.close_all()


def main():
    asyncore.socket_map = Entries()
    asyncore.select = types.SimpleNamespace(**vars(select))
    asyncore.select.select = select_what_stands
    asyncore.select.poll = Poll
    replay.run_batch(sys.stdin.buffer, sys.stdout.buffer, WideReplay)


if __name__ == "__main__":
    main()
