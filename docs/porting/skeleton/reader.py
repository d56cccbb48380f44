"""Makes statements of logical lines, and classes, functions and assignments of statements."""
import functools
import keyword
from dataclasses import dataclass, field

from .lexer import SourceError, lines_of

COMPOUND = {"class", "def", "if", "elif", "else", "for", "while", "try", "except", "finally", "with", "async",
            "match", "case"}
KEYWORDS = set(keyword.kwlist) | {"print", "exec", "match", "case", "type"}


@dataclass
class Statement:
    """A simple statement; or a compound one, which has a body."""
    tokens: list
    first: int
    last: int
    body: list = None

    @property
    def word(self):
        return self.tokens[0].text if self.tokens else ""


@dataclass
class Parameter:
    name: str
    star: str = ""          # "*" or "**"
    annotation: list = field(default_factory=list)
    default: list = None    # None: there is no default
    keyword_only: bool = False


@dataclass
class Assignment:
    """A target and a value.  Where the value is not known, as in `for self.x in y`, its list of tokens is empty."""
    target: list
    value: list
    line: int
    operator: str = "="
    annotation: list = field(default_factory=list)


@dataclass
class Function:
    name: str
    parameters: list
    body: list
    first: int
    body_first: int
    last: int
    decorators: list
    result: list = field(default_factory=list)
    in_class: bool = False

    @functools.cached_property
    def tokens(self):
        return [token for each in walk(self.body) for token in each.tokens]


@dataclass
class Class:
    name: str
    bases: list             # of lists of tokens
    body: list
    first: int
    last: int
    outer: str = ""         # the name of the class or function around it

    def methods(self):
        return [function_of(each, decorators, in_class=True) for each, decorators in definitions(self.body, "def")]

    def assignments(self):
        """The assignments in the body of the class itself."""
        return [found for each in walk(self.body, inner=False) for found in assignments_of(each)]


def fail(line, message):
    raise SourceError(line, message)


# Tokens.

def text_of(tokens):
    """The tokens as text, with blanks where Python has to have them."""
    text = ""
    for before, token in zip([None, *tokens], tokens):
        words = before and before.kind != "op" and token.kind != "op"
        loose = before and (before.text == "," or "op" == before.kind and before.text in "=+%" and token.kind != "op"
                            or token.kind == "op" and token.text in "=+%")
        text += (" " if words or loose else "") + token.text
    return text


def split_at(tokens, separator):
    """The parts between the separators that stand in no brackets."""
    parts, depth = [[]], 0
    for token in tokens:
        if token.kind == "op" and token.text in "([{":
            depth += 1
        elif token.kind == "op" and token.text in ")]}":
            depth -= 1
        if depth == 0 and token.kind == "op" and token.text == separator:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def end_of_header(tokens):
    """The index of the colon that ends the header of a compound statement, or -1."""
    depth = lambdas = 0
    for index, token in enumerate(tokens):
        if token.kind == "op" and token.text in "([{":
            depth += 1
        elif token.kind == "op" and token.text in ")]}":
            depth -= 1
        elif depth == 0 and token.text == "lambda":
            lambdas += 1
        elif depth == 0 and token.text == ":" and token.kind == "op":
            if lambdas == 0:
                return index
            lambdas -= 1
    return -1


def closing(tokens, start):
    """The index of the bracket that closes the one at `start`."""
    depth = 0
    for index in range(start, len(tokens)):
        if tokens[index].kind != "op":
            continue
        depth += (tokens[index].text in "([{") - (tokens[index].text in ")]}")
        if depth == 0:
            return index
    return len(tokens)


def check_neighbours(tokens):
    """Two values that stand side by side are no Python, except words such as `in`, and `print x`."""
    for one, two in zip(tokens, tokens[1:]):
        value_ends = one.kind == "number" or one.kind == "string" or one.text in (")", "]", "}") and one.kind == "op" \
            or one.kind == "name" and one.text not in KEYWORDS
        value_begins = two.kind == "number" or two.kind == "string" or two.kind == "name" and two.text not in KEYWORDS
        if value_ends and value_begins and not one.kind == two.kind == "string":
            fail(two.line, f"this is no Python: {one.text.splitlines()[0]} {two.text.splitlines()[0]}")


# Statements.

def is_compound(tokens):
    """Whether the line is the head of a compound statement.  `match` and `case` may be plain names, too."""
    if tokens[0].text not in COMPOUND or tokens[0].kind != "name":
        return False
    soft = tokens[0].text in ("match", "case")
    return not soft or end_of_header(tokens) == len(tokens) - 1 and len(tokens) > 2


def simple_statements(tokens, line):
    return [Statement(part, part[0].line, line.last) for part in split_at(tokens, ";") if part]


def block(lines, index, column):
    """The statements from lines[index] on that stand at `column`, and the index of the line behind them."""
    statements = []
    while index < len(lines) and lines[index].column >= column:
        line = lines[index]
        if line.column > column:
            fail(line.first, "an indentation that nothing asks for")
        check_neighbours(line.tokens)
        index += 1
        if not is_compound(line.tokens):
            statements += simple_statements(line.tokens, line)
            continue
        end = end_of_header(line.tokens)
        if end < 0:
            fail(line.first, f"'{line.tokens[0].text}' without a colon")
        header, rest = line.tokens[:end], line.tokens[end + 1:]
        if rest:
            body = simple_statements(rest, line)
        elif index == len(lines) or lines[index].column <= column:
            fail(line.first, f"'{line.tokens[0].text}' without an indented block below it")
        else:
            body, index = block(lines, index, lines[index].column)
            if index < len(lines) and lines[index].column > column:
                fail(lines[index].first, "an indentation that fits no outer block")
        statements.append(Statement(header, line.first, body[-1].last, body))
    return statements, index


def statements_of(text):
    lines = lines_of(text)
    if not lines:
        fail(1, "an empty file")
    statements, index = block(lines, 0, lines[0].column)
    if index < len(lines):
        fail(lines[index].first, "an indentation that fits no outer block")
    return statements


def walk(statements, inner=True):
    """Yields each statement, and the statements in it; without `inner`, not the statements of inner classes and functions."""
    for each in statements:
        yield each
        if each.body is not None and (inner or kind_of(each) is None):
            yield from walk(each.body, inner)


def kind_of(statement):
    """"class", "def" or None."""
    word = statement.word
    if word == "async" and len(statement.tokens) > 1 and statement.tokens[1].text == "def":
        return "def"
    return word if word in ("class", "def") and statement.body is not None else None


def definitions(statements, kind):
    """Yields (statement, decorators) of each class or function of a body, also in an `if` or a `try`."""
    decorators = []
    for each in statements:
        if each.word == "@":
            decorators.append(each)
            continue
        if kind_of(each) == kind:
            yield each, decorators
        elif each.body is not None and kind_of(each) is None:
            yield from definitions(each.body, kind)
        decorators = []


# Classes and functions.

def class_of(statement, outer=""):
    tokens = statement.tokens
    if len(tokens) < 2 or tokens[1].kind != "name":
        fail(statement.first, "a class without a name")
    inside = tokens[3:closing(tokens, 2)] if len(tokens) > 2 else []
    if len(tokens) > 2 and (tokens[2].text != "(" or closing(tokens, 2) != len(tokens) - 1) and tokens[2].text != "[":
        fail(statement.first, f"the bases of class {tokens[1].text} cannot be read")
    parts = [part for part in split_at(inside, ",") if part and not (len(part) > 1 and part[1].text == "=")]
    return Class(tokens[1].text, parts, statement.body, statement.first, statement.last, outer)


def classes_of(statements, outer=""):
    """Yields every class, wherever it stands.  A class comes before the class that it stands in."""
    for each in statements:
        kind = kind_of(each)
        if kind == "class":
            found = class_of(each, outer)
            yield from classes_of(each.body, found.name)
            yield found
        elif each.body is not None:
            yield from classes_of(each.body, each.tokens[1].text if kind == "def" else outer)


def parameter_of(part, keyword_only):
    star = part[0].text if part[0].text in ("*", "**") else ""
    part = part[1:] if star else part
    before, *default = split_at(part, "=")
    name, *annotation = split_at(before, ":")
    words = [token.text for token in name if token.kind == "name"]  # Python 2: def f(self, (host, port))
    return Parameter("_".join(words), star, annotation[0] if annotation else [], default[0] if default else None,
                     keyword_only)


def parameters_of(tokens):
    parameters, keyword_only = [], False
    for part in split_at(tokens, ","):
        if not part or part[0].text == "/":
            continue
        if part[0].text == "*" and len(part) == 1:
            keyword_only = True
            continue
        parameters.append(parameter_of(part, keyword_only))
        keyword_only = keyword_only or part[0].text == "*"
    return parameters


def function_of(statement, decorators=(), in_class=False):
    tokens = statement.tokens[1:] if statement.word == "async" else statement.tokens
    if len(tokens) < 3 or tokens[1].kind != "name" or tokens[2].text not in "([":
        fail(statement.first, "a def without a name and parameters")
    start = 2 if tokens[2].text == "(" else closing(tokens, 2) + 1
    end = closing(tokens, start)
    result = tokens[end + 2:] if len(tokens) > end + 1 else []
    first = statement.body[0].first
    same_line = first == statement.tokens[-1].line
    header_last = max(token.line for token in statement.tokens)
    return Function(tokens[1].text, parameters_of(tokens[start + 1:end]), statement.body, statement.first,
                    first if same_line else header_last + 1, statement.last,
                    ["".join(token.text for token in each.tokens[1:]) for each in decorators], result, in_class)


# Assignments.

AUGMENTED = {"+=", "-=", "*=", "/=", "//=", "%=", "&=", "|=", "^=", ">>=", "<<=", "**="}


def flat_targets(tokens, value, line):
    """Yields an Assignment for each target of `a, (b, c) = value`."""
    while len(tokens) > 1 and tokens[0].text in "([" and closing(tokens, 0) == len(tokens) - 1:
        tokens = tokens[1:-1]
    targets = [part for part in split_at(tokens, ",") if part]
    if len(targets) == 1:
        if targets[0] == tokens:
            yield Assignment(tokens, value, line)
        else:
            yield from flat_targets(targets[0], [], line)
        return
    values = split_at(value, ",")
    for index, target in enumerate(targets):
        yield from flat_targets(target, values[index] if len(values) == len(targets) else [], line)


def assignments_of(statement):
    """The assignments that a statement makes itself, without the assignments of its body."""
    tokens, line = statement.tokens, statement.first
    if not tokens:
        return []
    if statement.word in ("for", "with", "async", "except"):
        return list(bound_by_header(tokens, line))
    if statement.body is not None or statement.word in ("return", "assert", "del", "print", "raise"):
        return []
    for index, token in enumerate(tokens):
        if token.text in AUGMENTED and token.kind == "op":
            return [Assignment(tokens[:index], tokens[index + 1:], line, token.text)]
    words = [token.text for token in tokens]
    end = words.index("lambda") if "lambda" in words else len(tokens)  # `lambda a=1: a` assigns nothing
    *targets, value = split_at(tokens[:end], "=")
    value += tokens[end:]
    if targets:
        name, *annotation = split_at(targets[0], ":")
        targets[0] = name
        found = [each for target in targets for each in flat_targets(target, value, line)]
        for each in found if annotation else []:
            each.annotation = annotation[0]
        return found
    name, *annotation = split_at(tokens, ":")
    if annotation and "lambda" not in (token.text for token in name):
        return [Assignment(name, [], line, "=", annotation[0])]
    return []


def bound_by_header(tokens, line):
    """What `for x in y`, `with y as x` and `except y as x` bind."""
    words = [token.text for token in tokens]
    if "for" in words[:2] and "in" in words:
        yield from flat_targets(tokens[words.index("for") + 1:words.index("in")], [], line)
    for index, word in enumerate(words):
        if word == "as":
            part = split_at(tokens[index + 1:], ",")[0]
            yield from flat_targets(part, [], line) if part else ()
