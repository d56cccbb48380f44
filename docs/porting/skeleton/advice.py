"""Which pages of the guide, which additions and which differences concern a class.

Each rule is a row: where to read, and a function that finds the lines of the class that are the reason.
"""
import functools
import re
from collections import namedtuple
from pathlib import Path

from . import library
from .facts import Use, self_name
from .reader import closing, split_at, text_of, walk

PORTING = "docs/porting.md"
DIFFERENCES = Path(__file__).resolve().parents[2] / "differences.md"
Advice = namedtuple("Advice", "topic link why lines")


class View:
    """A class, as the rules look at it."""

    def __init__(self, source, facts):
        self.source, self.facts = source, facts
        self.tokens = [token for each in facts.methods for token in each.tokens]
        self.library = facts.library_base
        self.places = {}   # {text: where it stands in self.tokens}
        for at, token in enumerate(self.tokens):
            self.places.setdefault(token.text, []).append(at)

    def find(self, *words, method=None):
        """The lines where the words stand side by side; only in one method, if it is named."""
        found = self.facts.own_method(method) if method else None
        if method and not found:
            return []
        lines = {self.tokens[at].line for at in self.places.get(words[0], ())
                 if tuple(token.text for token in self.tokens[at:at + len(words)]) == words}
        return sorted(line for line in lines if not found or found.first <= line <= found.last)

    def calls(self, *names):
        """The lines where the class calls one of its own methods."""
        return sorted({use.line for use in self.facts.uses if use.kind == "call" and use.name in names})

    def uses(self, *names):
        return sorted({use.line for use in self.facts.uses if use.name in names})

    def sets(self, *names):
        return sorted({use.line for use in self.facts.uses if use.kind == "set" and use.name in names} | {
            each.line for name, each in self.facts.class_attributes if name in names})

    def defines(self, *names):
        return [each.first for each in self.facts.methods if each.name in names]

    def is_a(self, name):
        return bool(self.library) and library.derives(self.library, name)

    def modules(self, *names):
        """The lines where the class uses one of the modules."""
        return sorted({token.line for token in self.tokens if token.kind == "name"
                       and self.source.imports.get(token.text, "").split(".")[0] in names})


def clock(view):
    """A predicate that looks at the clock."""
    return view.find("time", method="readable") + view.find("time", method="writable") + view.find(
        "monotonic", method="readable")


def idle_time(view):
    """A time of the last activity that the class keeps."""
    return sorted({use.line for use in view.facts.uses if use.kind == "set" and use.value
                   and text_of(use.value).startswith(("time.time(", "time.monotonic(", "int(time.time("))})


def computed_getattr(view):
    """getattr(self, 'cmd_' + x)."""
    lines = []
    for at, token in enumerate(view.tokens[:-2]):
        if token.text in ("getattr", "hasattr") and view.tokens[at + 1].text == "(":
            parts = split_at(view.tokens[at + 2:closing(view.tokens, at + 1)], ",")
            if len(parts) > 1 and parts[0] and parts[0][0].text == "self" and (
                    len(parts[1]) > 1 or parts[1] and parts[1][0].kind == "name"):
                lines.append(token.line)
    return lines


def replaced_methods(view):
    """self.found_terminator = self.read_header"""
    methods = {each.name for each in view.facts.methods}
    of_base = {each.name for part in library.chain(view.library) for each in part.methods} if view.library else set()
    return sorted({use.line for use in view.facts.uses if use.kind == "set" and use.name in methods | of_base})


def self_given_away(view):
    lines = set()
    for method in view.facts.methods:
        self, tokens = self_name(method), method.tokens
        for at in range(1, len(tokens) - 1):
            if self and tokens[at].text == self and tokens[at - 1].text in ("(", ",") and tokens[at + 1].text in (")", ","):
                if "__init__" not in (tokens[at - 2].text if at > 1 else "") and tokens[at - 2].text not in (
                        "super", "isinstance", "getattr", "hasattr", "setattr", "repr", "str", "id", "len", "dir"):
                    if not base_call(tokens, at):
                        lines.add(tokens[at].line)
    return sorted(lines)


def base_call(tokens, at):
    """Whether `self` at this place is the first argument of asyncore.dispatcher.send(self, ...)."""
    return at > 3 and tokens[at - 1].text == "(" and tokens[at - 3].text == "." and tokens[at - 4].kind == "name" and (
        tokens[at - 4].text in library.CLASSES or tokens[at - 4].text[0].isupper())


def broadcasts(view):
    """for session in sessions: session.push(...)"""
    lines = []
    for method in view.facts.methods:
        for each in walk(method.body):
            if each.word == "for" and each.body and len(each.tokens) > 1:
                name = each.tokens[1].text
                inside = [token.text for part in walk(each.body) for token in part.tokens]
                lines += [each.first for a, b, c in zip(inside, inside[1:], inside[2:])
                          if a == name and b == "." and c in ("push", "send", "close", "handle_close", "close_when_done")]
    return sorted(set(lines))


def nulls_peer(view):
    """self.peer = None where a channel closes."""
    return sorted({each.first for name in ("close", "handle_close", "shutdown", "cleanup")
                   for method in [view.facts.own_method(name)] if method for each in walk(method.body)
                   if re.fullmatch(r"self\.\w+ = None", text_of(each.tokens))})


def bare_raise(view):
    method = view.facts.own_method("handle_error")
    return [each.first for each in walk(method.body) if [token.text for token in each.tokens] == ["raise"]] if method else []


def connects_again(view):
    """create_socket() or connect() outside of __init__."""
    lines = []
    for method in view.facts.methods:
        if method.name not in ("__init__", "connect", "create_socket"):
            tokens = method.tokens
            lines += [tokens[at + 2].line for at in range(len(tokens) - 3)
                      if tokens[at].text == self_name(method) and tokens[at + 2].text in ("create_socket", "connect")]
    return lines


def queue_in_predicate(view):
    return sorted(set(view.find("len", "(", method="readable") + view.find("producer_fifo", method="readable")))


def socket_methods(view):
    """Methods of the socket that Python 2's dispatcher forwarded."""
    own = {each.name for each in view.facts.methods}
    return view.calls(*(library.SOCKET_METHODS - own)) if view.is_a("dispatcher") else []


def spins(view):
    """A dispatcher that reads, and does not override writable()."""
    plain = view.library in ("dispatcher", "file_dispatcher")
    inherited = view.facts.find("writable") or any(name == "writable" for name, _ in view.facts.class_attributes)
    return view.defines("handle_read") if plain and not inherited and not view.defines("handle_accept", "handle_accepted") else []


PAGES = (
    ("the trigger", "docs/porting/trigger.md", "a pipe or a socket pair wakes the loop",
     lambda view: view.find("pipe", "(") + view.find("socketpair", "(") + view.find("pull_trigger")
     if view.is_a("dispatcher") or "trigger" in view.facts.name.lower() else []),
    ("threads", "docs/porting/threads.md#threads", "threads touch it",
     lambda view: view.modules("threading", "thread", "_thread", "queue", "Queue", "multiprocessing", "concurrent")),
    ("timers", "docs/porting/timers.md", "a predicate looks at the clock", clock),
    ("calls later", "docs/porting/timers.md", "it calls functions at a later time",
     lambda view: view.find("heappush") + view.find("call_later") + view.find("callLater") + view.find("CallLater", "(")
     + view.find("CallEvery", "(") + view.find("Timer", "(") + view.modules("sched")),
    ("an idle time-out", "docs/porting/timers.md#an-idle-time-out", "it keeps the time of the last activity", idle_time),
    ("signals", "docs/porting/signals.md#signals", "it handles signals", lambda view: view.modules("signal")),
    ("a child process", "docs/porting/signals.md#a-child-process", "it starts or waits for a process",
     lambda view: view.modules("subprocess", "popen2", "commands") + view.find("fork", "(") + view.find("waitpid", "(")),
    ("producers", "docs/porting/producers.md", "producers make what it sends",
     lambda view: view.calls("push_with_producer") + view.find("simple_producer") + (
         view.defines("more") if view.library in ("producer", "simple_producer") else [])),
    ("back-pressure", "docs/porting/back-pressure.md", "its reading depends on a queue or on a count", queue_in_predicate),
    ("how many connections", "docs/porting/back-pressure.md#how-many-connections", "it counts the map",
     lambda view: view.find("len", "(", "asyncore", ".", "socket_map") + view.find("len", "(", "self", ".", "_map")),
    ("logging", "docs/porting/log.md", "it logs in a way of its own",
     lambda view: view.defines("log", "log_info") + (view.modules("syslog", "logging") if view.is_a("dispatcher") else [])),
    ("TLS", "docs/porting/tls.md", "it speaks TLS", lambda view: view.modules("ssl", "OpenSSL") + view.find("wrap_socket", "(")),
    ("UDP", "docs/porting/udp.md", "it uses datagrams", lambda view: view.find("SOCK_DGRAM") or (
        view.find("recvfrom", "(") if view.is_a("dispatcher") else [])),
    ("files", "docs/porting/files.md", "it works on a file descriptor",
     lambda view: [view.facts.source.first] if view.library in ("file_dispatcher", "file_wrapper") else
     view.find("file_wrapper", "(")),
    ("broadcast", "docs/porting/broadcast.md", "it walks over channels and sends to each", broadcasts),
    ("commands by name", "docs/porting/commands.md", "it looks up a method by text", computed_getattr),
    ("another class", "docs/porting/commands.md#a-channel-that-becomes-another-class", "the channel changes its class",
     lambda view: view.sets("__class__")),
    ("giving self away", "docs/porting/self.md", "it gives self away", self_given_away),
    ("peers", "docs/porting/peers.md", "it sets a peer to None", nulls_peer),
    ("methods of one instance", PORTING + "#methods-replaced-on-one-instance", "it replaces a method of one object",
     replaced_methods),
    ("a bare raise", PORTING + "#handle_error-with-a-bare-raise", "handle_error() raises again", bare_raise),
    ("re-use", PORTING + "#object-re-use-after-close", "the object connects more than once", connects_again),
    ("construction", PORTING + "#construction", "a constructor in C++ does not call these overrides",
     lambda view: view.defines("add_channel", "set_socket") if view.is_a("dispatcher") else []),
    ("a loop that never waits", PORTING + "#construction", "it reads, and has no writable(): the loop never waits", spins),
    ("the socket", PORTING + "#selfsocket", "it replaces or hands over its socket",
     lambda view: view.sets("socket") if view.is_a("dispatcher") else []),
    ("Python 2", "docs/porting/python2.md", "it calls a method of its socket on itself", socket_methods),
    ("Python 2.5", "docs/porting/python2.md#ac_out_buffer-and-refill_buffer", "it has refill_buffer() or ac_out_buffer",
     lambda view: view.defines("refill_buffer") + view.uses("ac_out_buffer", "refill_buffer")),
)


def default_sizes(view):
    """A channel that leaves the sizes of its buffers alone.  Python 2 has the sizes of this library."""
    if not view.is_a("async_chat") or view.source.is_python_2():
        return view.sets("ac_in_buffer_size", "ac_out_buffer_size") if view.is_a("async_chat") else []
    return [view.facts.source.first]


def closes_in_predicate(view):
    return [line for method in ("readable", "writable") for word in ("close", "handle_close", "del_channel")
            for line in view.find(".", word, method=method)]


def terminators(view):
    """The lines that set a number of bytes as the terminator, if other lines set a delimiter."""
    kinds = {}
    for use in view.facts.uses:
        if use.name == "set_terminator" and use.kind == "call" and len(use.after) > 2:
            kind = {"number": "number", "string": "delimiter"}.get(use.after[1].kind, "")
            if use.after[1].text in ("int", "long") or "length" in use.after[1].text:
                kind = "number"
            kinds.setdefault(kind, []).append(use.line)
    return kinds.get("number", []) if "delimiter" in kinds else []


def no_terminator(view):
    never = not view.calls("set_terminator") and not view.sets("terminator")
    return [view.facts.source.first] if view.library == "async_chat" and never else []


def asked_from_outside(view):
    """Other code edits what a predicate looks at, and the class overrides neither predicate."""
    if not view.is_a("dispatcher") or view.facts.find("readable") or view.facts.find("writable"):
        return []
    edited = {"connected", "accepting", "producer_fifo", "out_buffer"}
    return [use.line for known, use in view.source.outside if use.name in edited and (known is view.facts or known is None)
            and (use.kind == "set" or use.name in ("producer_fifo", "out_buffer"))]


def of_dispatcher(find):
    return lambda view: find(view) if view.is_a("dispatcher") else []


RULES = {
    "D1": default_sizes,
    "D2": of_dispatcher(lambda view: view.calls("del_channel", "add_channel") or view.defines("del_channel", "add_channel")),
    "D3": of_dispatcher(lambda view: view.calls("set_socket") + view.sets("socket")),
    "D5": lambda view: view.find("compact_traceback"),
    "D6": lambda view: [use.line for use in view.facts.uses if view.is_a("dispatcher_with_send") and use.name == "send"
                        and use.kind == "call"] + (view.defines("send") if view.is_a("dispatcher_with_send") else []),
    "D7": lambda view: [view.facts.source.first] if view.library == "file_wrapper" else view.find("file_wrapper", "("),
    "D8": lambda view: view.sets("use_encoding", "encoding") if view.is_a("async_chat") else [],
    "D11": lambda view: view.uses("incoming") if view.is_a("async_chat") else [],
    "D12": terminators,
    "D13": of_dispatcher(lambda view: view.calls("accept")),
    "D14": asked_from_outside,
    "D15": of_dispatcher(closes_in_predicate),
    "D17": of_dispatcher(lambda view: view.find("os", ".", "close", "(")),
    "D19": no_terminator,
    "D20": of_dispatcher(lambda view: view.defines("__repr__")),
    "D21": of_dispatcher(lambda view: view.defines("log", "log_info")),
    "D22": lambda view: [view.facts.source.first] if view.library == "file_dispatcher" else [],
    "D24": lambda view: view.find("bytearray") if view.calls("push") else [],
    "D27": of_dispatcher(lambda view: view.calls("connect")),
    "D28": lambda view: view.calls("discard_buffers") + view.uses("producer_fifo") if view.is_a("async_chat") else [],
    "D30": of_dispatcher(lambda view: view.defines("handle_expt")),
    "D31": lambda view: [view.facts.source.first] if view.library == "file_dispatcher" else [],
    "D32": of_dispatcher(lambda view: view.defines("handle_accept", "handle_accepted")),
    "D34": of_dispatcher(lambda view: view.calls("listen")),
    "D35": of_dispatcher(lambda view: view.find("SOCK_DGRAM")),
    "D36": of_dispatcher(lambda view: view.defines("close")),
    "D37": of_dispatcher(spins),
}


@functools.lru_cache(maxsize=None)
def differences():
    """{"D1": (title, anchor)} of docs/differences.md.  Without that page there are only the numbers."""
    if not DIFFERENCES.is_file():
        return {}
    found = re.findall(r"^### (D\d+) (.*)$", DIFFERENCES.read_text(encoding="utf-8"), re.M)
    return {number: (title, re.sub(r"[^\w\- ]", "", f"{number} {title}".lower()).replace(" ", "-"))
            for number, title in found}


def advice(source, facts):
    """The Advice for a class, the pages first."""
    view = View(source, facts)
    for topic, link, why, find in PAGES:
        if lines := sorted(set(find(view))):
            yield Advice(topic, link, why, lines)
    titles = differences()
    for number, find in RULES.items():
        if lines := sorted(set(find(view))):
            title, anchor = titles.get(number, ("", ""))
            yield Advice(number, "docs/differences.md" + (f"#{anchor}" if anchor else ""), title, lines)


# What concerns the file.

def loop_calls(source):
    """Yields the Use of each call of loop(), poll() and poll2()."""
    for statement in walk(source.statements):
        tokens = statement.tokens
        for at in range(1, len(tokens) - 1):
            if tokens[at].text in ("loop", "poll", "poll2", "poll3") and tokens[at + 1].text == "(" and tokens[at - 1].text == ".":
                yield Use("", tokens[at].text, tokens[at].line, "call", tokens[at + 2:closing(tokens, at + 1)])


def advice_for_file(source):
    """The Advice for the loop of a file."""
    titles = differences()

    def row(number, lines):
        title, anchor = titles.get(number, ("", ""))
        return Advice(number, f"docs/differences.md#{anchor}", title, sorted(set(lines)))

    calls = list(loop_calls(source))
    texts = {use.line: text_of(use.value) for use in calls}
    rows = [
        ("D9", [line for line, text in texts.items() if re.search(r"\b0?\.00\d", text)]),
        ("D10", [line for line, text in texts.items() if re.search(r"(^|=\s*|\()-\s*1", text)]),
        ("D18", [line for line, text in texts.items() if re.search(r"(^|timeout\s*=\s*)None", text)]),
        ("D23", [use.line for use in calls if use.name == "loop"][:1]
         + [token.line for token in source.tokens if token.text == "KeyboardInterrupt"]),
        ("D25", [line for line, text in texts.items() if "use_poll" in text] + [use.line for use in calls if use.name != "loop"]),
        ("D29", [token.line for token in source.tokens if token.text == "EINTR"]),
    ]
    return [row(number, lines) for number, lines in rows if lines]
