"""Random replay scripts: `generate.py [--seed S] [--count N] [--first I]` prints them, with their seeds.

Every directive, event and action of the format comes up, alone and together with any other. A script must have one
right log, so the generator counts what each peer and each channel sends, and how many connections wait at each
listener. A peer that writes more than the kernel holds would wait for ever; and the kernel's clocks decide what happens
where a backlog overflows or a TCP connection fills up.
"""

import argparse
import random
import sys

import script

SIZES = (1, 1, 2, 3, 4, 5, 7, 8, 16, 64, 512, 4096, 65536)
ALPHABETS = ("ab", "abc", "\r\n", "\r\na", "a\r\n.", "xyz\0\xff", "01\t\\\"")
DISCONNECTED = ("ECONNRESET", "ENOTCONN", "ESHUTDOWN", "ECONNABORTED", "EPIPE", "EBADF")
BLOCKING = ("EAGAIN", "EWOULDBLOCK", "EINPROGRESS", "EALREADY")
OTHERS = ("EINVAL", "ECONNREFUSED", "ENOENT", "EDEADLK", "EOPNOTSUPP", "ETIMEDOUT", "EINTR", "EPERM")
PLAIN_ACTIONS = ("close_when_done", "discard_buffers", "close", "initiate_send", "handle_read",
                 "handle_close", "del_channel", "add_channel")

# How many bytes a peer may write before the channel reads, by `tcp`; then how many pieces; how many bytes a TCP channel
# may send before the peer reads; and how many connections may wait at a listener.
ROOM = {False: 150000, True: 50000}
FEEDS = 40
SENT_OVER_TCP = 200000
BACKLOG = 5


class Channel:
    def __init__(self, name, kind, tcp, peer, dialled=False):
        self.name = name
        self.kind = kind    # chat, sender, raw, listen
        self.tcp = tcp
        self.peer = peer
        self.dialled = dialled
        self.room = ROOM[tcp]
        self.feeds = FEEDS
        self.sends = SENT_OVER_TCP
        self.backlog = BACKLOG
        self.terminator = None


class Generator:
    """Makes one script. Of its source it uses only random(), which gives the same numbers in every Python."""

    def __init__(self, seed):
        self.source = random.Random(seed)
        self.lines = []
        self.channels = []
        self.names = 0
        self.alphabet = self.pick(ALPHABETS)
        # What this script does often, so that rare things come together.
        self.talkative = self.chance(0.5)
        self.violent = self.chance(0.4)
        self.network = self.chance(0.35)
        self.full = self.chance(0.12)

    # -- choices ------------------------------------------------------------------------------------

    def chance(self, probability):
        return self.source.random() < probability

    def below(self, n):
        return int(self.source.random() * n)

    def pick(self, choices):
        return choices[self.below(len(choices))]

    def weighted(self, choices):
        """The value of one of the (weight, value) pairs."""
        at = self.source.random() * sum(weight for weight, _ in choices)
        for weight, value in choices:
            at -= weight
            if at < 0:
                return value
        return choices[-1][1]

    def size(self):
        return self.pick(SIZES) if not self.chance(0.04) else 0

    # -- values -------------------------------------------------------------------------------------

    def text(self, longest):
        return "".join(self.pick(self.alphabet) for _ in range(self.below(longest + 1)))

    def quote(self, text):
        plain = {"\r": "\\r", "\n": "\\n", "\t": "\\t", "\\": "\\\\", '"': '\\"'}
        return '"%s"' % "".join(
            plain.get(c) or (c if " " <= c < "\x7f" else "\\x%02x" % ord(c)) for c in text)

    def data(self, most):
        """Bytes in the form of a script, and their number."""
        if self.chance(0.06) and most > 70:
            count = min(most, self.pick((65, 100, 513, 1000, 4096, 4097, 9000, 30000, 70000)))
            return "fill:%d:%d" % (count, self.below(300)), count
        text = self.text(min(most, self.pick((1, 3, 8, 12, 20))))
        if self.chance(0.5):
            text += self.text(2) + (self.pick(self.alphabet) * self.below(3))
        text = text[:most]
        return self.quote(text), len(text)

    def conversation(self, channel, most):
        """What a peer says; it often has the channel's terminator in it."""
        if channel.terminator is None or self.chance(0.3):
            return self.data(most)
        text = ""
        for _ in range(1 + self.below(5)):
            text += self.text(5) + channel.terminator
        text = text[:len(text) - self.below(len(channel.terminator) + 1)]
        text = text[self.below(2):][:most]
        return self.quote(text), len(text)

    def terminator(self, channel, text_only=False):
        if text_only or self.chance(0.55):
            if self.chance(0.04) and not text_only:
                return '""'
            text = self.text(self.pick((1, 2, 3, 4, 9))) or self.pick(self.alphabet)
            if channel:
                channel.terminator = text
            return self.quote(text)
        return self.weighted(((2, "none"), (1, "0"), (0.7, "-%d" % (1 + self.below(9))),
                              (6, str(1 + self.below(8))), (1, str(self.pick((20, 100, 5000))))))

    def errno(self):
        return self.pick(self.weighted(((4, DISCONNECTED), (2, BLOCKING), (3, OTHERS))))

    # -- actions ------------------------------------------------------------------------------------

    def send_size(self, channel):
        """How many bytes a channel may send; on a unix socket, as many as it likes."""
        if not channel.tcp:
            return 400000
        return channel.sends

    def pay(self, channel, count):
        channel.sends -= count
        return count

    def action(self, channel, depth=0):
        chat = channel.kind == "chat"
        sends = chat or channel.kind in ("sender", "raw")
        choices = [
            (1.0 if self.violent else 0.4, "raise"),
            (1.5 if self.violent else 0.4, "raise_os"),
            (0.4, "exit_now"),
            (1.0, "recv"),
            (0.6 if depth == 0 else 1.8, "plain_close"),
            (0.12 if depth == 0 else 0.6, "any"),
            (0.5 if chat or channel.kind == "sender" else 0.02, "initiate_send"),
            (0.8, "handle_read"),
            (0.4, "handle_close"),
            (0.15 if depth == 0 else 0.5, "del_channel"),
            (0.08 if depth == 0 else 0.3, "add_channel"),
            (2.0 if sends else 0.05, "send"),
            (1.0 if depth < 2 and len(self.channels) > 1 else 0, "at"),
        ]
        if chat or self.chance(0.02):
            choices += [
                (3.0 if self.talkative else 1.5, "push"),
                (0.8, "push_simple"), (0.8, "push_chunks"), (0.5, "push_bytes"), (0.25, "push_failing"),
                (3.0 if self.talkative else 1.0, "set_terminator"),
                (0.8, "close_when_done"), (0.4, "discard_buffers"),
            ]
        what = self.weighted(choices)
        if what == "plain_close":
            return "close"
        if what == "any":
            return self.pick(PLAIN_ACTIONS)
        if what == "raise_os":
            return "raise_os " + self.errno()
        if what == "recv":
            return "recv %d" % self.size()
        if what == "set_terminator":
            return "set_terminator " + self.terminator(channel)
        if what in ("push", "push_bytes", "send"):
            return "%s %s" % (what, self.outgoing(channel))
        if what == "push_simple":
            return "push_simple %d %s" % (self.size(), self.outgoing(channel))
        if what == "push_chunks":
            return "push_chunks " + " ".join(self.outgoing(channel) for _ in range(1 + self.below(4)))
        if what == "at":
            other = self.pick(self.channels)
            return "at %s %s" % (other.name, self.action(other, depth + 1))
        return what

    def outgoing(self, channel):
        """Bytes for a channel to send. They count once, for an `on` runs once."""
        if self.full and not channel.tcp and self.chance(0.5):
            return "fill:%d:%d" % (self.pick((60000, 65537, 220000, 300000)), self.below(256))
        data, count = self.data(self.send_size(channel))
        channel.sends -= count
        return data

    def event(self, channel):
        if self.chance(0.06):
            return self.pick(script.EVENTS)
        urgent = 2.5 if channel.tcp and channel.peer else 0.1
        return self.weighted({
            "chat": ((4, "collect"), (5, "found"), (2.5, "close"), (1.5, "error"), (urgent, "expt"),
                     (6 if channel.dialled else 0.1, "connect")),
            "sender": ((4, "read"), (3, "close"), (2, "error"), (urgent, "expt")),
            "raw": ((4, "read"), (4, "write"), (3, "close"), (2, "error"), (urgent, "expt")),
            "listen": ((5, "accept"), (2, "close"), (2, "error")),
        }[channel.kind])

    # -- directives ---------------------------------------------------------------------------------

    def say(self, line, *values):
        self.lines.append(line % values)

    def new_name(self):
        self.names += 1
        letters = "abcdefghijklmnoqrstuvwxyz"  # without p: the other end of a dialled channel has a name with p
        name = letters[(self.names - 1) % len(letters)]
        return name if self.names <= len(letters) else name + str(self.names)

    def make(self, kind=None):
        kind = kind or self.weighted(((6, "chat"), (2, "sender"), (2.5, "raw")))
        tcp = self.chance(0.5 if self.network else 0.25)
        line = "%s %s" % (kind, self.new_name())
        if tcp:
            line += " tcp"
        elif self.chance(0.1):
            line += " unix"
        if kind == "chat":
            if self.chance(0.5):
                line += " in=%d" % self.size()
            if self.chance(0.5):
                line += " out=%d" % self.size()
        elif kind == "raw" and self.chance(0.5):
            line += " read=%d" % self.size()
        channel = Channel(line.split()[1], kind, tcp, True)
        self.channels.append(channel)
        self.say("%s", line)
        if kind == "chat" and self.chance(0.7):
            self.say("do %s set_terminator %s", channel.name, self.terminator(channel, self.chance(0.5)))

    def listen(self):
        channel = Channel(self.new_name(), "listen", True, False)
        self.channels.append(channel)
        self.say("listen %s", channel.name)

    def listener(self):
        found = [c for c in self.channels if c.kind == "listen" and c.backlog > 0]
        if not found:
            self.listen()
            found = self.channels[-1:]
        channel = self.pick(found)
        channel.backlog -= 1
        return channel

    def knock(self):
        listener = self.listener()
        channel = Channel(self.new_name(), "chat", True, True)
        self.channels.append(channel)
        self.say("knock %s %s", listener.name, channel.name)

    def dial(self):
        if self.chance(0.25):
            channel = Channel(self.new_name(), "chat", True, False, True)
            self.channels.append(channel)
            self.say("dial %s refused", channel.name)
            self.perhaps_wait_for(channel, "error")
            return
        listener = self.listener()
        channel = Channel(self.new_name(), "chat", True, False, True)
        self.channels += [channel, Channel(channel.name + "p", "chat", True, False)]
        for each in self.channels[-2:]:
            each.sends = ROOM[True]
        self.say("dial %s %s", channel.name, listener.name)
        self.perhaps_wait_for(channel, "connect")

    def with_peer(self, tcp=False):
        found = [c for c in self.channels if c.peer and (c.tcp or not tcp)]
        return self.pick(found) if found else None

    def feed(self):
        channel = self.with_peer()
        if channel and channel.feeds > 0:
            data, count = self.conversation(channel, channel.room)
            channel.room -= count
            channel.feeds -= 1
            self.say("feed %s %s", channel.name, data)

    def urgent(self):
        channel = self.with_peer(tcp=True)
        if channel and channel.feeds > 0:
            data, count = self.data(min(channel.room, 20))
            channel.room -= count
            channel.feeds -= 1
            self.perhaps_wait_for(channel, "expt")
            self.say("urgent %s %s", channel.name, data)

    def peer_does(self, what):
        channel = self.with_peer(tcp=what == "reset")
        if channel:
            self.say("%s %s", what, channel.name)

    def act(self):
        channel = self.pick(self.channels)
        self.say("do %s %s", channel.name, self.action(channel))

    def wait_for(self):
        channel = self.pick(self.channels)
        self.say("on %s %s %s", channel.name, self.event(channel), self.action(channel))

    def perhaps_wait_for(self, channel, event):
        """Perhaps waits for an event that is about to happen."""
        if self.chance(0.35):
            self.say("on %s %s %s", channel.name, event, self.action(channel))

    def turn(self):
        if self.chance(0.1):
            self.say("loop %d", self.pick((0, 1, 2, 3, 5, 20)))
        elif self.chance(0.5):
            self.say("turn")
        else:
            self.say("turn %d", self.weighted(((5, 2), (3, 3), (2, 5), (1, 12), (0.2, 0), (0.5, 40))))

    def directive(self):
        quiet = 1.0 if not self.violent else 2.0
        what = self.weighted((
            (1.5 if len(self.channels) < 5 else 0.2, self.make),
            (0.7 if self.network else 0.05, self.listen),
            (1.2 if self.network else 0.1, self.knock),
            (1.5 if self.network else 0.1, self.dial),
            (6, self.feed), (0.8 if self.network else 0.3, self.urgent),
            (1.2, lambda: self.peer_does("drain")),
            (0.4 * quiet, lambda: self.peer_does("shut")),
            (0.4 * quiet, lambda: self.peer_does("hangup")),
            (0.4 * quiet, lambda: self.peer_does("reset")),
            (6, self.turn),
            (5 if self.talkative else 3, self.act),
            (5, self.wait_for),
            (1.5, lambda: self.say("state %s", self.pick(self.channels).name)),
            (0.4, lambda: self.say("map")),
            (0.06, lambda: self.say("close_all")),
            (0.4, lambda: self.say("delivery %s", self.pick(("select", "poll")))),
            (0.05, lambda: self.say("# a comment")), (0.05, lambda: self.say("")),
        ))
        what()

    def generate(self):
        if self.chance(0.5):
            self.say("delivery select")
        self.make()
        for _ in range(3 + self.below(self.pick((8, 20, 45)))):
            self.directive()
        self.epilogue()
        text = "".join(line + "\n" for line in self.lines)
        if self.chance(0.03):
            text = self.spoil(text)
        return text.encode("latin-1")

    def epilogue(self):
        """Looks at the state of everything: otherwise a wrong state might not show in the log."""
        self.say("turn")
        for channel in self.channels:
            if channel.peer:
                self.say("drain %s", channel.name)
        self.say("turn 2")
        for channel in self.channels:
            self.say("state %s", channel.name)
        self.say("map")

    def spoil(self, text):
        """Makes a script that may not be of the format. Digits stay, for a number could become too large."""
        for _ in range(1 + self.below(2)):
            at = self.below(len(text))
            if self.chance(0.3):
                words = text.split(" ")
                at = self.below(len(words))
                words[at] = self.pick(words[at:at + 2] + ['"', "none", "\\", "-1", "at", "=", "a"])
                text = " ".join(words)
            elif not text[at].isdigit():
                text = text[:at] + self.pick(("", " ", '"', "\\", "a", "z", "_", "#", ":")) + text[at + 1:]
        return text


def generate(seed):
    return Generator(seed).generate()


def schedule(seed, index):
    """The script number `index` of the sequence that belongs to `seed`."""
    return generate("%s:%d" % (seed, index))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", default=None)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else str(random.SystemRandom().randrange(10 ** 9))
    for index in range(args.first, args.first + args.count):
        sys.stdout.buffer.write(b"# seed %s:%d\n" % (seed.encode(), index) + schedule(seed, index))


if __name__ == "__main__":
    main()
