"""What the server needs of Python's own library, and what to write in C++.  docs/porting/library.md says more."""
from collections import namedtuple

from .facts import uses_in
from .reader import walk

Need = namedtuple("Need", "python cpp lines")

# Methods of str and bytes.
METHODS = {
    "strip": "py::strip(s), py::bytes::strip(s)", "lstrip": "py::lstrip(s)", "rstrip": "py::rstrip(s)",
    "split": "py::split(s, separator)", "rsplit": "py::rsplit(s, separator)", "splitlines": "py::splitlines_of_str(s)",
    "partition": "py::partition(s, separator)", "rpartition": "py::rpartition(s, separator)",
    "lower": "py::lower(s), py::bytes::lower(s)", "upper": "py::upper(s), py::bytes::upper(s)",
    "replace": "py::replace(s, old, with)", "join": "py::join(separator, parts)", "isdigit": "py::isdigit(s)",
    "isalnum": "py::isalnum(s)", "isspace": "py::bytes::isspace(s)", "startswith": "s.starts_with(x)",
    "endswith": "s.ends_with(x)", "encode": "a std::string is UTF-8 already, or py::encode_ascii(s)",
    "decode": "py::decode_utf8(s), py::decode_latin1(s)",
}
# Functions, by the name with its module.
FUNCTIONS = {
    "int": "py::to_int(s)", "repr": "py::repr(x), py::repr_of(x)", "print": "py::print(f, x)",
    "time.time": "std::time(nullptr), or std::chrono", "time.monotonic": "std::chrono::steady_clock::now()",
    "time.strftime": "py::strftime(format, when)", "time.gmtime": "py::gmtime(t)", "time.localtime": "py::localtime(t)",
    "time.asctime": "py::asctime(when)", "time.ctime": "py::asctime(py::localtime(t))",
    "email.utils.formatdate": "py::formatdate(t), py::http_date(t)",
    "socket.getfqdn": "py::getfqdn(), which may block", "socket.getaddrinfo": "asyncore::platform::getaddrinfo()",
    "socket.gethostbyname": "asyncore::platform::getaddrinfo(host, 0, AF_INET).at(0).host(), which may block",
    "socket.create_server": "asyncore::platform::create_server()",
    "traceback.format_exc": "asyncore::compact_traceback()", "traceback.print_exc": "asyncore::compact_traceback()",
    "struct.pack": "htons(), htonl() and std::memcpy", "struct.unpack": "ntohs(), ntohl() and std::memcpy",
    "os.fork": "::fork()", "os.setsid": "::setsid()", "os._exit": "::_exit(status)", "os.getpid": "::getpid()",
    "os.path.join": "std::filesystem::path, with /", "os.path.exists": "std::filesystem::exists()",
    "os.path.normpath": "lexically_normal() of std::filesystem::path", "sys.exit": "throw asyncore::SystemExit{code}",
}
# Modules.  An empty text: there is nothing to say, or FUNCTIONS says it.
MODULES = {
    "asyncore": "", "asynchat": "", "socket": "", "sys": "", "os": "", "time": "", "errno": "", "string": "", "types": "",
    "__future__": "", "traceback": "", "struct": "", "typing": "", "collections": "", "io": "", "StringIO": "", "cStringIO": "",
    "thread": "docs/porting/threads.md", "threading": "docs/porting/threads.md, and std::thread, std::mutex",
    "queue": "docs/porting/trigger.md", "Queue": "docs/porting/trigger.md", "select": "the loop does it",
    "ssl": "docs/porting/tls.md", "OpenSSL": "docs/porting/tls.md", "signal": "docs/porting/signals.md",
    "subprocess": "docs/porting/signals.md#a-child-process", "logging": "docs/porting/log.md", "syslog": "docs/porting/log.md",
    "smtpd": "docs/examples/smtpd/ is a port", "re": "std::regex, or find() by hand", "random": "<random>",
    "datetime": "<chrono>", "math": "<cmath>", "copy": "", "functools": "", "itertools": "", "warnings": "", "unittest": "",
    "heapq": "std::priority_queue", "bisect": "std::lower_bound", "email": "", "zlib": "docs/porting/producers.md",
    "tempfile": "::mkstemp()", "stat": "std::filesystem", "shutil": "std::filesystem", "getopt": "::getopt_long()",
}
PAGE = "docs/porting/library.md"


def add(found, python, cpp, line):
    known = found.get(python)
    if known is None:
        found[python] = Need(python, cpp, [line])
    elif line not in known.lines:
        known.lines.append(line)


def functions_and_methods(source):
    found = {}
    for statement in walk(source.statements):
        for use in uses_in(statement):
            dotted = source.dotted(f"{use.owner}.{use.name}")
            if use.kind == "call" and dotted in FUNCTIONS:
                add(found, dotted + "()", FUNCTIONS[dotted], use.line)
            elif use.kind == "call" and use.name in METHODS and use.owner != "self" and use.owner not in source.imports:
                add(found, f".{use.name}()", METHODS[use.name], use.line)
        for one, two in zip(statement.tokens, statement.tokens[1:]):
            plain = one.text in FUNCTIONS and (two.text == "(" or one is statement.tokens[0] and one.text == "print")
            dotted = source.imports.get(one.text, "")
            if plain or dotted in FUNCTIONS and two.text == "(":
                add(found, f"{one.text}()", FUNCTIONS.get(one.text) or FUNCTIONS[dotted], one.line)
    return sorted(found.values())


def modules(source):
    """The modules that a source imports, with what stands for them."""
    names = sorted({dotted.split(".")[0] for dotted in source.imports.values()})
    own = {each.source.name for each in source.classes} | {each.name for each in source.functions}
    for name in names:
        if name in own or "asyncore" in name or "asynchat" in name:
            continue
        cpp = MODULES.get(name, "nothing here: a library, or code, of your own")
        if cpp:
            yield Need(name, cpp, [])
