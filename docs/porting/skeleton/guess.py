"""Guesses the C++ type of a Python value, and writes plain values down in C++."""
import ast
import re
import warnings

from .reader import closing, split_at

ANY = "std::any"      # stands for a type that the tool cannot tell
TEXT, BOOL, WHOLE, REAL = "std::string", "bool", "long", "double"
SOCKET, ADDRESS = "asyncore::socket_t", "asyncore::address"

MADE_BY = {
    "dict": "std::map<std::string, std::string>", "list": "std::vector<std::string>", "set": "std::set<std::string>",
    "OrderedDict": "std::map<std::string, std::string>", "defaultdict": "std::map<std::string, std::string>",
    "frozenset": "std::set<std::string>", "deque": "std::deque<std::string>", "fifo": "asynchat::fifo",
    "str": TEXT, "bytes": TEXT, "unicode": TEXT, "bytearray": TEXT, "repr": TEXT, "int": WHOLE, "long": WHOLE, "len": WHOLE,
    "float": REAL, "bool": BOOL, "isinstance": BOOL, "hasattr": BOOL, "time": REAL, "monotonic": REAL, "Lock": "std::mutex",
    "RLock": "std::recursive_mutex", "socket": SOCKET, "StringIO": "std::stringstream", "BytesIO": "std::stringstream",
    "getsockname": ADDRESS, "getpeername": ADDRESS, "getfqdn": TEXT, "gethostname": TEXT, "getpid": WHOLE, "fileno": "int",
    "strip": TEXT, "lower": TEXT, "upper": TEXT, "join": TEXT, "replace": TEXT, "encode": TEXT, "decode": TEXT, "format": TEXT,
    "hexdigest": TEXT, "strftime": TEXT, "ctime": TEXT, "rstrip": TEXT, "lstrip": TEXT, "_get_data": TEXT, "recv": TEXT,
    "split": "std::vector<std::string>", "startswith": BOOL, "endswith": BOOL, "isdigit": BOOL, "find": WHOLE, "count": WHOLE,
    "keys": "std::vector<std::string>", "splitlines": "std::vector<std::string>",
}
OF_PARAMETER = {
    SOCKET: "sock conn client_socket client_sock newsocket new_sock socket s_sock",
    "asyncore::channel_map*": "map socket_map sock_map",
    ADDRESS: "addr address peer peeraddr client_addr client_address remote_addr remoteaddr localaddr local_addr bind_address "
             "remote_address peername",
    TEXT: "data line text msg message name host hostname path file_name filename arg args_text command cmd user username "
          "password passwd key ip nick channel_name what reply request_line header body string reason server_name prefix "
          "ident realm url uri method version content encoding title description mailfrom mode",
    WHOLE: "port size n num count length code backlog limit max_size fd index status level pid",
    REAL: "timeout seconds delay interval when now",
}
BY_NAME = {name: kind for kind, names in OF_PARAMETER.items() for name in names.split()}
ANNOTATIONS = {"int": WHOLE, "str": TEXT, "bytes": TEXT, "bool": BOOL, "float": REAL, "bytearray": TEXT,
               "socket": SOCKET, "socket.socket": SOCKET}
COMPARISONS = {"==", "!=", "<", ">", "<=", ">=", "<>", "in", "is", "not"}


def whole_number(text):
    """The value of an int as Python 2 or 3 writes it; or None for a float."""
    text = text.replace("_", "").rstrip("lL").lower()
    try:
        if re.fullmatch("0[0-7]+", text):
            return int(text, 8)
        return int(text, 0)
    except ValueError:
        return None


def of_number(text):
    if text[-1] in "jJ":
        return ""
    value = whole_number(text)
    if value is None:
        return REAL
    return WHOLE if value < 1 << 63 else ""


class Scope:
    """What the names of a place mean: parameters and the classes of the file."""

    def __init__(self, classes, parameters=None):
        self.classes, self.parameters = classes, parameters or {}


def of_name(token, scope):
    if token.text in ("True", "False"):
        return BOOL
    return value_type(scope.parameters.get(token.text, ""))


def value_type(cpp):
    """A parameter's type without its reference: what a member of that kind has."""
    cpp = re.sub(r"^const (.*)&$", r"\1", cpp)
    return TEXT if cpp == "std::string_view" else cpp


def of_items(tokens, scope):
    """The type of the elements of a display: that of the first element."""
    kind = of_value(split_at(tokens, ",")[0], scope)
    return kind if kind and kind not in ("std::mutex", SOCKET) else TEXT


def of_braces(inside, scope):
    first = split_at(inside, ",")[0]
    key, *value = split_at(first, ":")
    if inside and not value:
        return f"std::set<{of_items(inside, scope)}>"
    key_type = of_items(key, scope) if key else TEXT
    if key_type not in (TEXT, WHOLE):
        key_type = TEXT
    return f"std::map<{key_type}, {of_items(value[0], scope) if value else TEXT}>"


def of_tuple(inside, scope):
    parts = [part for part in split_at(inside, ",") if part]
    kinds = [of_value(part, scope) for part in parts]
    if len(split_at(inside, ",")) == 1:
        return kinds[0] if kinds else ""
    return ADDRESS if kinds == [TEXT, WHOLE] else ""


def of_call(tokens, scope):
    """The type of `a.b.name(...)`."""
    at = len(tokens) - 1
    depth = 0
    while at >= 0:
        depth += (tokens[at].text in ")]}") - (tokens[at].text in "([{") if tokens[at].kind == "op" else 0
        if depth == 0:
            break
        at -= 1
    if at < 1 or tokens[at].text != "(" or tokens[at - 1].kind != "name":
        return ""
    name = tokens[at - 1].text
    if at == 1 and name in scope.classes:
        return scope.classes[name]
    return MADE_BY.get(name, "")


def of_value(tokens, scope):
    """The C++ type of an expression, or "" where the tool cannot tell."""
    if not tokens:
        return ""
    first, last = tokens[0], tokens[-1]
    if len(tokens) == 1:
        return {"number": lambda: of_number(first.text), "string": lambda: TEXT,
                "name": lambda: of_name(first, scope)}.get(first.kind, lambda: "")()
    for word in ("if", "or", "and"):
        texts = [token.text for token in tokens]
        if word in texts and first.text not in ("[", "{", "(", "lambda"):
            return of_value(tokens[:texts.index(word)], scope)
    if first.text == "-" and len(tokens) == 2:
        return of_value(tokens[1:], scope)
    if first.kind == "op" and first.text in "([{" and closing(tokens, 0) == len(tokens) - 1:
        inside = tokens[1:-1]
        if first.text == "(":
            return of_tuple(inside, scope)
        return of_braces(inside, scope) if first.text == "{" else f"std::vector<{of_items(inside, scope)}>"
    if first.text == "not" or any(part.text in COMPARISONS for part in outside_brackets(tokens)):
        return BOOL
    if first.kind == "string":
        return TEXT
    if all(token.kind == "number" or token.kind == "op" and token.text in "+-*/()**//" for token in tokens):
        return REAL if any(token.text == "/" or of_number(token.text) == REAL for token in tokens
                           if token.kind == "number" or token.text == "/") else WHOLE
    return of_call(tokens, scope) if last.text == ")" else ""


def outside_brackets(tokens):
    depth = 0
    for token in tokens:
        if token.kind == "op":
            depth += (token.text in "([{") - (token.text in ")]}")
        if depth == 0:
            yield token


# Values.

def bytes_of(text, python_2):
    """The bytes of a string token, or None where it is no plain string."""
    prefix = re.match("[a-zA-Z]*", text)[0].lower()
    if "f" in prefix or "t" in prefix:
        return None
    body = text[len(prefix):]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = ast.literal_eval(prefix.replace("u", "") + body)
    except (SyntaxError, ValueError):
        return None
    if isinstance(value, bytes):
        return value
    if python_2 and "u" not in prefix and all(ord(c) < 256 for c in value) and "\\x" in text:
        return value.encode("latin-1")
    return value.encode("utf-8", "surrogatepass")


def literal(data):
    """Bytes as a C++ literal.  Three octal digits end an escape, whatever follows."""
    text = ""
    for byte in data:
        char = chr(byte)
        text += {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\"": "\\\"", "\\": "\\\\"}.get(
            char, char if 32 <= byte < 127 else f"\\{byte:03o}")
    return f'"{text}"'


def value_in_cpp(tokens, python_2=False):
    """A plain value in C++, or "" where it is not plain: a number, a string, True or False."""
    sign = "-" if len(tokens) == 2 and tokens[0].text == "-" else ""
    if len(tokens) != 1 + len(sign):
        return ""
    token = tokens[-1]
    if token.kind == "number" and of_number(token.text):
        value = whole_number(token.text)
        return sign + (token.text.replace("_", "") if value is None else str(value))
    if token.kind == "string" and not sign:
        data = bytes_of(token.text, python_2)
        if data is None or len(data) > 200:
            return ""
        return f"std::string({literal(data)}, {len(data)})" if b"\0" in data else literal(data)
    return {"True": "true", "False": "false"}.get(token.text, "") if not sign else ""


def empty(cpp):
    """The initial value of a member whose value in Python is not plain."""
    return {BOOL: "false", WHOLE: "0", REAL: "0", "int": "0", "asyncore::channel_map*": "nullptr"}.get(cpp, "")


def value_of(cpp):
    """An expression of the type, for an argument that the tool cannot tell."""
    plain = value_type(cpp)
    if plain.endswith("*"):
        return "nullptr"
    return {BOOL: "false", WHOLE: "0L", REAL: "0.0", "int": "0"}.get(plain, plain + "{}")
