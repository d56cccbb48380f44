"""Holds one dialogue with a server whose classes are Python, and again with a class that is C++, and compares.

    python3 -m asyncore_cpp.dialogue MODULE:SERVE DIALOGUE MODULE.CLASS=OTHER.CLASS ...

SERVE is a function of MODULE: serve(address, map) makes the server on `map`, and returns its listener, or a tuple
that begins with the listener.  DIALOGUE is a text file: each line is what the client says next, with the escapes of
Python's bytes (`QUIT\\r\\n`).  Each MODULE.CLASS is replaced by OTHER.CLASS the second time.

Prints each reply that differs, and then "N replies, N differ"; the exit status is 0 if none does.
"""

import asyncore
import contextlib
import importlib
import socket
import sys

QUIET = 3  # turns in a row that brought the client nothing: then the server has answered


def attribute(path, separator="."):
    module, _, name = path.rpartition(separator)
    return importlib.import_module(module), name


@contextlib.contextmanager
def replaced(pairs):
    """While it is open, each class has its other one in its place."""
    before = []
    try:
        for old, new in pairs:
            module, name = attribute(old)
            before.append((module, name, getattr(module, name)))
            other, other_name = attribute(new)
            setattr(module, name, getattr(other, other_name))
        yield
    finally:
        for module, name, value in reversed(before):
            setattr(module, name, value)


def reply(client, map, pause=0.05):
    """What the client hears until the server is quiet.  None stands for the end of the connection."""
    heard, silent = b"", 0
    while silent < QUIET:
        asyncore.poll(pause, map)
        try:
            piece = client.recv(65536)
        except BlockingIOError:
            silent += 1
            continue
        except ConnectionError:
            piece = b""
        if not piece:
            return heard or None
        heard, silent = heard + piece, 0
    return heard


def hold(serve, lines):
    """The replies to `lines`.  The first reply is the greeting."""
    map = {}
    made = serve(("127.0.0.1", 0), map)
    listener = made[0] if isinstance(made, tuple) else made
    try:
        with socket.create_connection(listener.socket.getsockname()) as client:
            client.setblocking(False)
            replies = [reply(client, map)]
            for line in lines:
                with contextlib.suppress(ConnectionError):
                    client.sendall(line)
                replies.append(reply(client, map))
            return replies
    finally:
        asyncore.close_all(map, ignore_all=True)


def read_dialogue(path):
    with open(path, encoding="latin-1") as file:
        return [line.rstrip("\n").encode("latin-1").decode("unicode_escape").encode("latin-1") for line in file]


def compare(serve_path, lines, pairs):
    """The replies of both, in pairs."""
    def serve(address, map):
        module, name = attribute(serve_path, ":")
        return getattr(module, name)(address, map)

    ours = hold(serve, lines)
    with replaced(pairs):
        theirs = hold(serve, lines)
    return list(zip(ours, theirs))


def main(arguments):
    if len(arguments) < 3 or not all("=" in each for each in arguments[2:]):
        print(__doc__, file=sys.stderr)
        return 2
    lines = read_dialogue(arguments[1])
    answers = compare(arguments[0], lines, [each.split("=", 1) for each in arguments[2:]])
    differing = 0
    for said, (one, other) in zip([b"(the greeting)", *lines], answers):
        if one != other:
            differing += 1
            print("%r\n    Python: %r\n    C++:    %r" % (said, one, other))
    print("%d replies, %d differ" % (len(answers), differing))
    return 1 if differing else 0


if __name__ == "__main__":
    sys.path.insert(0, "")
    sys.exit(main(sys.argv[1:]))
