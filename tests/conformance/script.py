"""The grammar of replay scripts: parse() turns the bytes of a script into a list of directives.

This module uses neither asyncore nor sockets, so that every Python can import it. Its twin is `script.cpp`: both accept
the same scripts, and refuse any other script in the same words.
"""

import errno
import re
from collections import namedtuple

# A line of a script: `what` is the directive, `args` has its arguments in order, and `number` counts lines from 1.
Directive = namedtuple("Directive", "number what args")
# What a `do` or an `on` runs. The args of an `at` are a name and another Action.
Action = namedtuple("Action", "what args")

DIRECTIVES = ("delivery", "chat", "sender", "raw", "listen", "knock", "dial", "feed", "urgent", "drain", "shut",
              "hangup", "reset", "turn", "loop", "do", "on", "state", "map", "close_all")
EVENTS = ("collect", "found", "connect", "close", "read", "write", "accept", "error", "expt")

# One letter for each argument: B bytes, N number, T terminator, E errno, + bytes once or more often, @ name and action.
ACTIONS = {
    "push": "B", "push_simple": "NB", "push_chunks": "+", "push_bytes": "B", "push_failing": "",
    "send": "B", "recv": "N", "set_terminator": "T",
    "close_when_done": "", "discard_buffers": "", "close": "", "initiate_send": "", "handle_read": "",
    "handle_close": "", "del_channel": "", "add_channel": "",
    "raise": "", "raise_os": "E", "exit_now": "", "at": "@",
}

# What only the wide grammar has, which is for the scripts of exhaustive.py. The event `before_X` is a call of the
# method X: the action runs before the base class's own method does.
METHODS = ("readable", "writable", "handle_read_event", "handle_write_event", "handle_expt_event",
           "handle_connect_event", "handle_accept", "handle_accepted", "handle_read", "handle_write", "handle_close",
           "handle_error", "handle_expt", "recv", "send", "initiate_send", "close", "log_info", "more")
# C is a channel, W a new name, A another action.
WIDE_ACTIONS = {
    "pass": "", "raise_value": "", "nested": "", "make": "W", "reuse": "W", "destroy": "", "erase": "",
    "replace": "C", "clear": "", "close_all": "", "planted": "A",
}

# The kind of channel that a name stands for. `peer`: the script holds the channel's peer. `tcp`: it can be reset.
Kind = namedtuple("Kind", "listens peer tcp")

NAME = re.compile(r"[a-z][a-z0-9]*\Z")
NUMBER = re.compile(r"[0-9]{1,18}\Z")
FILL = re.compile(r"fill:([0-9]{1,9}):([0-9]{1,18})\Z")
ESCAPES = {"r": 13, "n": 10, "t": 9, "\\": 92, '"': 34}


class BadScript(Exception):
    """The script is not of the format; the message has the line and the reason."""

    def __init__(self, number, why):
        Exception.__init__(self, "bad script: line %d: %s" % (number, why))


def fill(count, first):
    return bytes((i * 31 + (i >> 8) * 17 + first) & 0xff for i in range(count))


class Line:
    """The words of one line, taken from left to right."""

    def __init__(self, number, text, script):
        self.number = number
        self.script = script
        self.words = self.split(text)

    def bad(self, why):
        return BadScript(self.number, why)

    def split(self, text):
        """Words as str, quoted strings as bytes."""
        words = []
        i = 0
        while i < len(text):
            if text[i] in " \t":
                i += 1
            elif text[i] == '"':
                word, i = self.unquote(text, i + 1)
                words.append(word)
                if i < len(text) and text[i] not in " \t":
                    raise self.bad("no space after a string")
            else:
                start = i
                while i < len(text) and text[i] not in ' \t"':
                    i += 1
                if i < len(text) and text[i] == '"':
                    raise self.bad("no space before a string")
                words.append(text[start:i])
        return words

    def unquote(self, text, i):
        """The string whose opening quote is before `i`, and the place behind its closing quote."""
        out = bytearray()
        while i < len(text):
            c = text[i]
            if c == '"':
                return bytes(out), i + 1
            if c != "\\":
                out.append(ord(c))
                i += 1
                continue
            escape = text[i + 1:i + 2]
            if escape == "x":
                digits = text[i + 2:i + 4]
                if not re.match(r"[0-9a-fA-F]{2}\Z", digits):
                    raise self.bad("\\x wants two hexadecimal digits")
                out.append(int(digits, 16))
                i += 4
            elif escape and escape in ESCAPES:
                out.append(ESCAPES[escape])
                i += 2
            else:
                raise self.bad("unknown escape")
        raise self.bad("the string has no end")

    def word(self, expected):
        if not self.words or isinstance(self.words[0], bytes):
            raise self.bad("expected " + expected)
        return self.words.pop(0)

    def one_of(self, choices, expected):
        word = self.word(expected)
        if word not in choices:
            raise self.bad("expected " + expected)
        return word

    def number_(self):
        word = self.word("a number")
        if not NUMBER.match(word):
            raise self.bad("expected a number")
        return int(word)

    def bytes_(self):
        if not self.words:
            raise self.bad("expected bytes")
        word = self.words.pop(0)
        if isinstance(word, bytes):
            return word
        match = FILL.match(word)
        if not match:
            raise self.bad("expected bytes")
        return fill(int(match.group(1)), int(match.group(2)))

    def new_name(self, kind):
        """A name that no earlier line made; from here on it stands for a `kind`."""
        name = self.word("a new name")
        if not NAME.match(name):
            raise self.bad("expected a new name")
        self.declare(name, kind)
        return name

    def declare(self, name, kind):
        if name in self.script.kinds:
            raise self.bad("the name is used already")
        self.script.kinds[name] = kind

    def name(self):
        name = self.word("a channel")
        if name not in self.script.kinds:
            raise self.bad("no such channel")
        return name

    def listener(self):
        name = self.name()
        if not self.script.kinds[name].listens:
            raise self.bad("not a listener")
        return name

    def peer(self, tcp=False):
        name = self.name()
        if not self.script.kinds[name].peer:
            raise self.bad("the channel has no peer")
        if tcp and not self.script.kinds[name].tcp:
            raise self.bad("the channel is not tcp")
        return name

    def options(self, allowed):
        """`unix`, `tcp` and `KEY=N`, each at most once, in any order."""
        found = {}
        while self.words:
            word = self.word("an option")
            key, equals, value = word.partition("=")
            if not equals and word in ("unix", "tcp"):
                key, value = "tcp", word == "tcp"
            elif key in allowed and NUMBER.match(value):
                value = int(value)
            else:
                raise self.bad("unknown option")
            if key in found:
                raise self.bad("an option is there twice")
            found[key] = value
        return found

    def terminator(self):
        if self.words and self.words[0] == "none":
            self.words.pop(0)
            return None
        if self.words and isinstance(self.words[0], str):
            minus = self.words[0].startswith("-")
            if NUMBER.match(self.words[0][minus:]):
                return int(self.words.pop(0))
        if not self.words:
            raise self.bad("expected a terminator")
        return self.bytes_()

    def errno_(self):
        name = self.word("an errno")
        value = getattr(errno, name, None) if re.match(r"E[A-Z0-9]+\Z", name) else None
        if not isinstance(value, int):
            raise self.bad("expected an errno")
        return value

    def action(self, deferred):
        """`deferred`: the action belongs to an `on`, and may name a channel that a later line makes."""
        what = self.word("an action")
        if what not in self.script.actions:
            raise self.bad("unknown action")
        args = []
        for shape in self.script.actions[what]:
            if shape == "B":
                args.append(self.bytes_())
            elif shape == "N":
                args.append(self.number_())
            elif shape == "T":
                args.append(self.terminator())
            elif shape == "E":
                args.append(self.errno_())
            elif shape == "+":
                args.append(self.bytes_())
                while self.words:
                    args.append(self.bytes_())
            elif shape == "W":
                args.append(self.new_name(Kind(False, True, False)))
            elif shape == "A":
                args.append(self.action(deferred))
            elif shape == "C":
                args.append(self.other(deferred))
            else:
                args.append(self.other(deferred))
                args.append(self.action(deferred))
        return Action(what, args)

    def other(self, deferred):
        """The channel that an `at` names."""
        if not deferred:
            return self.name()
        name = self.word("a channel")
        if not NAME.match(name):
            raise self.bad("expected a channel")
        self.script.promises.append((self.number, name))
        return name

    def directive(self):
        what = self.word("a directive")
        if what not in self.script.directives:
            raise self.bad("unknown directive")
        args = getattr(self, "parse_" + what)()
        if self.words:
            raise self.bad("more on the line than belongs there")
        return Directive(self.number, what, args)

    def parse_delivery(self):
        return [self.one_of(("select", "poll"), "select or poll")]

    def channel(self, what, allowed):
        name = self.new_name(Kind(False, True, False))
        options = self.options(allowed)
        self.script.kinds[name] = Kind(False, True, options.get("tcp", False))
        return [name, options]

    def parse_chat(self):
        return self.channel("chat", ("in", "out"))

    def parse_sender(self):
        return self.channel("sender", ())

    def parse_raw(self):
        return self.channel("raw", ("read",))

    def parse_listen(self):
        return [self.new_name(Kind(True, False, True))]

    def parse_knock(self):
        return [self.listener(), self.new_name(Kind(False, True, True))]

    def parse_dial(self):
        name = self.new_name(Kind(False, False, True))
        if self.words and self.words[0] == "refused":
            self.words.pop(0)
            return [name, None]
        listener = self.listener()
        self.declare(name + "p", Kind(False, False, True))
        return [name, listener]

    def parse_feed(self):
        return [self.peer(), self.bytes_()]

    def parse_urgent(self):
        return [self.peer(tcp=True), self.bytes_()]

    def parse_drain(self):
        return [self.peer()]

    def parse_shut(self):
        return [self.peer()]

    def parse_hangup(self):
        return [self.peer()]

    def parse_reset(self):
        return [self.peer(tcp=True)]

    def parse_turn(self):
        return [self.number_() if self.words else 1]

    def parse_loop(self):
        return [self.number_()]

    def parse_do(self):
        return [self.name(), self.action(deferred=False)]

    def parse_on(self):
        return [self.name(), self.one_of(self.script.events, "an event"), self.action(deferred=True)]

    def parse_state(self):
        return [self.name()]

    def parse_map(self):
        return []

    def parse_close_all(self):
        return []

    def parse_predicates(self):
        return []


class Script:
    """What the parser knows while it reads the lines."""

    def __init__(self, wide):
        self.directives = DIRECTIVES + ("predicates",) * wide
        self.events = EVENTS + tuple("before_" + method for method in METHODS) * wide
        self.actions = dict(ACTIONS, **WIDE_ACTIONS) if wide else ACTIONS
        self.kinds = {}
        self.promises = []  # (line, name) of each channel that an `on` names


def parse(text, wide=False):
    """The directives of a script. The first line that is not of the format raises BadScript."""
    script = Script(wide)
    directives = []
    for number, line in enumerate(text.decode("latin-1").split("\n"), 1):
        line = line.rstrip("\r")
        if not line.strip(" \t") or line.lstrip(" \t").startswith("#"):
            continue
        directives.append(Line(number, line, script).directive())
    for number, name in script.promises:
        if name not in script.kinds:
            raise BadScript(number, "no such channel")
    return directives
