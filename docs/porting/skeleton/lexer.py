"""Cuts a Python source into tokens, and the tokens into logical lines.  It knows what Python 2 and Python 3 know."""
import re
import tokenize
from collections import namedtuple


class SourceError(Exception):
    """What is wrong with a source, and in which line of it."""

    def __init__(self, line, message):
        super().__init__(message)
        self.line, self.message = line, message


Token = namedtuple("Token", "kind text line")          # kind: name, number, string, op
Line = namedtuple("Line", "tokens column first last")  # a logical line, and the lines of the file that it fills

TOKEN = re.compile(r"""
    (?P<blank>[ \t\f]+|\\\n)
  | (?P<comment>\#[^\n]*)
  | (?P<newline>\n)
  | (?P<string>[bBrRuUfFtT]{0,3}(?:'''|\"""|'|"))
  | (?P<number>0[xX][0-9a-fA-F_]+[lL]?|0[bB][01_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?(?:0[oO][0-7_]+)?[jJlL]?)
  | (?P<name>\w+)
  | (?P<op>\*\*=|//=|>>=|<<=|\.\.\.|[-+*/%&|^=!<>@:]=|->|<>|\*\*|//|>>|<<|[-+*/%&|^~=<>()\[\]{},:;.`@])
""", re.VERBOSE)
OCTAL = re.compile(r"0[oO][0-7_]+[lL]?")
BRACKETS = {")": "(", "]": "[", "}": "{"}


def read_text(path):
    """The text of a file, with plain line ends.  A file that says no encoding, and is not UTF-8, is latin-1: so were
    many sources of Python 2."""
    with open(path, "rb") as file:
        data = file.read()
    if b"\0" in data:
        raise SourceError(data[:data.index(b"\0")].count(b"\n") + 1, "a zero byte: this is no Python source")
    try:
        encoding, _ = tokenize.detect_encoding(iter(data.splitlines(keepends=True)).__next__)
    except SyntaxError as error:
        encoding = "latin-1"
        if b"coding" in b"".join(data.splitlines()[:2]):
            raise SourceError(1, f"an encoding that cannot be read: {error}") from None
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def end_of_string(text, start, opening, line):
    """Where a string ends whose text begins at `start`, behind its opening quotes."""
    quotes = opening.lstrip("bBrRuUfFtT")
    formatted = len(quotes) == 1 and set(opening.lower()) & {"f", "t"}
    depth, at = 0, start
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if text.startswith(quotes, at) and depth == 0:
            return at + len(quotes)
        if text[at] == "\n" and len(quotes) == 1:
            break
        if formatted and text[at] in "{}":
            if depth == 0 and text[at:at + 2] in ("{{", "}}"):
                at += 2
                continue
            depth = max(0, depth + (1 if text[at] == "{" else -1))
        elif depth and text[at] in "'\"":
            at = end_of_string(text, at + 1, text[at], line)  # Python 3.12: the same quotes, inside of braces
            continue
        at += 1
    raise SourceError(line, "a string without an end")


def tokens_of(text):
    """Yields a Token for each token, and for each end of a line a Token of the kind "newline"."""
    at, line = 0, 1
    while at < len(text):
        found = OCTAL.match(text, at) or TOKEN.match(text, at)
        if not found:
            raise SourceError(line, f"a character that Python does not know: {text[at]!r}")
        kind, end = found.lastgroup or "number", found.end()
        if kind == "string":
            end = end_of_string(text, end, found[0], line)
        if kind not in ("blank", "comment"):
            yield Token(kind, text[at:end], line)
        line += text.count("\n", at, end)
        at = end


def column_of(text):
    """The column of the first character, with a tab stop at each eighth column, as in Python 2."""
    blanks = text[:len(text) - len(text.lstrip(" \t\f"))]
    return len(blanks.rpartition("\f")[2].expandtabs(8))


def follow_brackets(token, open_brackets):
    """Keeps `open_brackets`, the stack of brackets that are open after this token."""
    if token.kind != "op":
        return
    if token.text in "([{":
        open_brackets.append(token)
    elif token.text in BRACKETS:
        if not open_brackets:
            raise SourceError(token.line, f"{token.text!r} closes nothing")
        opened = open_brackets.pop()
        if opened.text != BRACKETS[token.text]:
            raise SourceError(token.line, f"{token.text!r} closes {opened.text!r} of line {opened.line}")


def lines_of(text):
    """The logical lines of a source.  Empty lines and comments are no lines."""
    rows = text.split("\n")
    lines, tokens, open_brackets = [], [], []
    for token in tokens_of(text if text.endswith("\n") else text + "\n"):
        if token.kind != "newline":
            follow_brackets(token, open_brackets)
            tokens.append(token)
        elif tokens and not open_brackets:
            first = tokens[0].line
            lines.append(Line(tokens, column_of(rows[first - 1]), first, token.line))
            tokens = []
    if open_brackets:
        raise SourceError(open_brackets[-1].line, f"{open_brackets[-1].text!r} is not closed")
    if tokens:
        raise SourceError(tokens[-1].line, "the last line has no end")
    return lines
