"""What each class derives from, overrides, sets and reads."""
import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

from . import library
from .lexer import SourceError, read_text
from .reader import (assignments_of, classes_of, definitions, function_of, kind_of, split_at, statements_of, text_of,
                     walk)

MODULE = re.compile(r"asyn(core|chat)", re.I)   # asyncore, asynchat_25, wasyncore
PYTHON_2 = {"ConfigParser", "SocketServer", "BaseHTTPServer", "Queue", "StringIO", "cStringIO", "thread", "httplib",
            "urllib2", "urlparse", "xmlrpclib", "SimpleXMLRPCServer", "cPickle", "md5", "rfc822", "mimetools", "__builtin__"}


@dataclass
class Use:
    """A use of `owner.name`: kind is "set", "call", "read" or "delete"."""
    owner: str
    name: str
    line: int
    kind: str
    value: list = field(default_factory=list)
    after: list = field(default_factory=list)    # the tokens behind the name


@dataclass
class ClassFacts:
    """A class of the source."""
    source: object                   # its reader.Class
    name: str                        # unique in the file
    methods: list
    bases: list = field(default_factory=list)     # ClassFacts, in the order of the source
    library_base: str = ""           # the class of the library that it derives from, at last
    guessed: str = ""                # why library_base is a guess, or where the base stands
    others: list = field(default_factory=list)    # texts of bases that are in no file at hand
    uses: list = field(default_factory=list)      # of self
    class_attributes: list = field(default_factory=list)
    mixin: bool = False              # it stands beside a channel as a base

    @property
    def is_channel(self):
        return self.library_base in library.CHANNELS

    def own_method(self, name):
        return next((each for each in self.methods if each.name == name), None)

    def find(self, name):
        """(class, method) of this class or a base of the file, or None."""
        if found := self.own_method(name):
            return self, found
        return next((found for base in self.bases if (found := base.find(name))), None)

    def set_names(self):
        return {use.name for use in self.uses if use.kind == "set"} | {name for name, _ in self.class_attributes}

    def overrides(self):
        """(method, library.Method) of each method that the library's class has, too."""
        if self.library_base:
            for each in self.methods:
                if found := library.method(self.library_base, each.name):
                    yield each, found


@dataclass
class Source:
    """A file and what is in it."""
    path: Path
    text: str
    statements: list
    imports: dict                     # a name of the file -> the dotted name that it stands for
    classes: list = field(default_factory=list)
    functions: list = field(default_factory=list)
    variables: list = field(default_factory=list)
    main: list = field(default_factory=list)      # statements that run when the file is run as a program
    outside: list = field(default_factory=list)   # uses of the library's names in objects other than self
    known: dict = field(default_factory=dict)     # a name of the file -> the class that it stands for

    @property
    def module(self):
        return re.sub(r"\W", "_", self.path.stem)

    @functools.cached_property
    def rows(self):
        return self.text.split("\n")

    @functools.cached_property
    def tokens(self):
        return [token for each in walk(self.statements) for token in each.tokens]

    def is_python_2(self):
        """Whether something in the source is what only Python 2 reads."""
        return next(python_2_habits(self), None) is not None

    def dotted(self, text):
        """A dotted name, with the import behind its first part."""
        first, dot, rest = text.partition(".")
        return self.imports.get(first, first) + dot + rest


# Imports.

def imported(statement):
    """Yields (name, dotted name) of an import, or of `name = a.b.c` at the top of the file."""
    tokens = [token for token in statement.tokens if token.text not in "()"]
    words = [token.text for token in tokens]
    if statement.word == "from" and "import" in words:
        at = words.index("import")
        module = "".join(words[1:at]).lstrip(".")
        for part in split_at(tokens[at + 1:], ","):
            if part:
                yield part[-1].text, f"{module}.{part[0].text}".lstrip(".")
    elif statement.word == "import":
        for part in split_at(tokens[1:], ","):
            names = [token.text for token in part]
            if "as" in names:
                yield names[-1], "".join(names[:names.index("as")])
            elif names:
                yield names[0], names[0]


def alias(statement):
    """("D", "asyncore.dispatcher") of the statement D = asyncore.dispatcher, or None."""
    tokens = statement.tokens
    if len(tokens) < 3 or tokens[0].kind != "name" or tokens[1].text != "=":
        return None
    value = tokens[2:]
    plain = value[0].kind == "name" and all(
        token.kind == "name" if index % 2 == 0 else token.text == "." for index, token in enumerate(value))
    return (tokens[0].text, text_of(value)) if plain else None


def imports_of(statements):
    names = {}
    for each in walk(statements):
        names.update(imported(each))
    for each in walk(statements, inner=False):
        if found := alias(each):
            first, dot, rest = found[1].partition(".")
            if found[0] != first and first in names:
                names[found[0]] = names[first] + dot + rest
    return names


# Bases.

def library_class(dotted):
    """The class of the library that a dotted name means, or ""."""
    *modules, name = dotted.split(".")
    if name in library.CLASSES and name not in ("channel", "producer") and modules and MODULE.search(modules[-1]):
        return name
    return ""


def elsewhere(dotted):
    """The class of the library behind a class of a module that is known."""
    return library.ELSEWHERE.get(".".join(dotted.split(".")[-2:]), "")


def neighbour(source, dotted):
    """The class of the library behind a class of a file in the same folder, or ""."""
    *modules, name = dotted.split(".")
    if not modules:
        return ""
    path = source.path.parent / (modules[-1] + ".py")
    if not path.is_file() or path == source.path:
        return ""
    return library_bases(path).get(name, "")


@functools.lru_cache(maxsize=None)
def library_bases(path):
    """{class: the class of the library that it derives from} of a file; nothing where it cannot be read."""
    try:
        return {each.name: each.library_base for each in read_source(path, with_neighbours=False).classes}
    except (SourceError, OSError, RecursionError):
        return {}


def add_base(source, facts, tokens, with_neighbours):
    """Notes one base of a class."""
    text = "".join(token.text for token in tokens)
    if text in source.known and source.known[text] is not facts:
        facts.bases.append(source.known[text])
        return
    dotted = source.dotted(text)
    if found := library_class(dotted):
        facts.library_base = nearer(facts.library_base, found)
        return
    if text != "object":
        facts.others.append(text)
    found = elsewhere(dotted) or (neighbour(source, dotted) if with_neighbours and "." in dotted else "")
    if found:
        facts.library_base = nearer(facts.library_base, found)
        facts.guessed = f"through {text}, which is in another file"


def nearer(one, other):
    """Of two classes of the library, the one that derives from the other; or the first."""
    if one and other and not library.derives(other, one):
        return one
    return other or one


def guess_base(facts):
    """A class whose base is in no file at hand is a channel if it has methods that only channels have."""
    if facts.library_base or facts.bases or not facts.others:
        return
    found = {library.ONLY_OF_CHANNELS[each.name] for each in facts.methods if each.name in library.ONLY_OF_CHANNELS}
    if found:
        facts.library_base = "async_chat" if "async_chat" in found else "dispatcher"
        facts.guessed = f"a guess, by its methods: {', '.join(facts.others)} is in no file at hand"


def resolve(source, facts, with_neighbours):
    for tokens in facts.source.bases:
        add_base(source, facts, tokens, with_neighbours)
    for base in facts.bases:
        facts.library_base = nearer(facts.library_base, base.library_base)
    guess_base(facts)
    if not facts.library_base and not facts.bases and not facts.others and facts.own_method("more"):
        facts.library_base = "producer"


def mark_mixins(classes):
    for each in classes:
        if each.is_channel:
            for base in each.bases:
                base.mixin = base.mixin or not base.library_base


# Uses.

def self_name(function):
    """The name of the first parameter of a method, or ""."""
    static = not function.in_class or any(each in ("staticmethod", "classmethod") for each in function.decorators)
    return function.parameters[0].name if function.parameters and not static else ""


def is_self(target, self):
    return len(target) == 3 and target[0].text == self and target[1].text == "." and target[2].kind == "name"


def owner_before(tokens, dot):
    """The text of the object in front of a dot: a.b.c of a.b.c.name, and `f(...)` of a call."""
    parts, at = [], dot - 1
    while at >= 0:
        if tokens[at].text in (")", "]"):
            parts.append("(...)" if tokens[at].text == ")" else "[...]")
            at = opening(tokens, at) - 1
            continue
        if tokens[at].kind not in ("name", "string"):
            break
        parts.append(tokens[at].text)
        if at == 0 or tokens[at - 1].text != ".":
            break
        parts.append(".")
        at -= 2
    return "".join(reversed(parts))


def opening(tokens, end):
    depth = 0
    for index in range(end, -1, -1):
        if tokens[index].kind == "op":
            depth += (tokens[index].text in ")]}") - (tokens[index].text in "([{")
        if depth == 0:
            return index
    return 0


def uses_in(statement):
    """Yields a Use for each `owner.name` of a statement."""
    tokens = statement.tokens
    values = {id(each.target[-1]): each.value for each in assignments_of(statement)
              if len(each.target) >= 3 and each.target[-2].text == "."}
    for index in range(1, len(tokens) - 1):
        if tokens[index].text != "." or tokens[index + 1].kind != "name":
            continue
        token, after = tokens[index + 1], tokens[index + 2:]
        if id(token) in values:
            kind = "set"
        elif statement.word == "del":
            kind = "delete"
        else:
            kind = "call" if after and after[0].text == "(" else "read"
        yield Use(owner_before(tokens, index), token.text, token.line, kind, values.get(id(token), []), after)
    for token in tokens:
        if token.kind == "string" and re.match("[rR]?[fF]", token.text):
            for name in re.findall(r"\{[^}]*?\bself\.(\w+)", token.text):
                yield Use("self", name, token.line, "read")


def collect_uses(source, facts):
    for method in facts.methods:
        self = self_name(method)
        for statement in walk(method.body):
            for use in uses_in(statement):
                if self and use.owner == self:
                    facts.uses.append(use)
    facts.class_attributes = [
        (each.target[0].text, each) for each in facts.source.assignments()
        if len(each.target) == 1 and each.target[0].kind == "name" and each.operator == "="]


# Names that tell a channel even where the object in front of them is not known.
DISTINCTIVE = {name for each in ("async_chat", "dispatcher_with_send") for name in library.taken(each)} - {
    "send", "recv", "close", "connect", "bind", "listen", "accept", "log", "log_info", "socket", "addr", "debug", "closing",
    "incoming", "push", "encoding", "init", "repr", "readable", "writable", "connected", "async_chat",
    "dispatcher_with_send", "terminator", "_map",
    "handle_error"}


def channel_variables(source):
    """Names of variables and attributes that are set to a new channel of the file: "x" and "self.x"."""
    names = {}
    for statement in walk(source.statements):
        for each in assignments_of(statement):
            made = each.value[0].text if len(each.value) > 1 and each.value[1].text == "(" else ""
            if made in source.known and source.known[made].is_channel:
                names["".join(token.text for token in each.target)] = source.known[made]
    return names


def collect_outside(source):
    """Uses of the library's names in objects that are not self, and whose class is known or plainly a channel."""
    variables = channel_variables(source)
    for statement in walk(source.statements):
        for use in uses_in(statement):
            if use.owner in ("", "self") or use.owner.split(".")[-1] in source.known or use.owner.endswith("super(...)"):
                continue
            if use.owner.split(".")[0] in source.imports or use.owner.split(".")[-1] in library.CLASSES:
                continue
            known = variables.get(use.owner)
            if use.name in DISTINCTIVE or known and use.name in library.taken(known.library_base):
                source.outside.append((known, use))


# The file.

def is_main_test(statement):
    return statement.word == "if" and any(token.text == "__name__" for token in statement.tokens)


def loops(tokens):
    """Whether the tokens call loop() of asyncore, or a method of that name."""
    return any(one.text == "loop" and two.text == "(" and index and tokens[index - 1].text in (".",)
               for index, (one, two) in enumerate(zip(tokens, tokens[1:])))


def top_level(source):
    """Sorts the statements of the file itself: functions, variables, and what runs as a program."""
    for each, decorators in definitions(source.statements, "def"):
        source.functions.append(function_of(each, decorators))
    for each in source.statements:
        if is_main_test(each):
            source.main += each.body
        elif kind_of(each) is None and each.word not in ("import", "from", "@"):
            inside = [token for part in walk([each], inner=False) for token in part.tokens]
            if loops(inside):
                source.main.append(each)
            elif each.body is None:
                source.variables += [found for found in assignments_of(each)
                                     if len(found.target) == 1 and found.operator == "="]


def unique(name, names):
    number = 2
    result = name
    while result in names:
        result, number = f"{name}_{number}", number + 1
    return result


def read_source(path, with_neighbours=True):
    """Reads a file: everything that the tool knows of it."""
    path = Path(path)
    text = read_text(path)
    statements = statements_of(text)
    source = Source(path, text, statements, imports_of(statements))
    for each in classes_of(statements):
        facts = ClassFacts(each, unique(each.name, {found.name for found in source.classes}), each.methods())
        source.classes.append(facts)
        resolve(source, facts, with_neighbours)
        source.known[each.name] = facts
        collect_uses(source, facts)
    mark_mixins(source.classes)
    top_level(source)
    collect_outside(source)
    return source


# Python 2.

def python_2_habits(source):
    """(line, habit) of what only Python 2 reads."""
    for statement in walk(source.statements):
        tokens = statement.tokens
        for index, token in enumerate(tokens):
            following = tokens[index + 1].text if index + 1 < len(tokens) else ""
            if token.text in ("print", "exec") and index == 0 and following not in ("(", "=", ".", ",", "", ")"):
                yield token.line, f"{token.text} as a statement"
            elif token.text == "<>" or token.text == "`":
                yield token.line, token.text
            elif token.kind == "number" and re.fullmatch(r"0[0-7]+[lL]?|\w*[lL]", token.text) and token.text.strip("0"):
                yield token.line, token.text
            elif token.kind == "string" and token.text[:2].lower() == "ur":
                yield token.line, "ur''"
        if statement.word in ("except", "raise") and len(split_at(tokens, ",")) > 1:
            yield statement.first, f"{statement.word} X, y"
        for _, dotted in imported(statement):
            if dotted.split(".")[0] in PYTHON_2:
                yield statement.first, f"import {dotted.split('.')[0]}"
