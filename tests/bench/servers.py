"""The servers that the benchmark compares, and how it starts and stops one."""

import contextlib
import dataclasses
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent))
import program  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Server:
    name: str  # the argument of --server
    label: str  # the server's name in the report
    command: tuple  # the words before the port
    options: tuple = ()  # the words after the mode
    limit: int = 1_000_000  # how many connections the server can hold
    slow_to_fill: bool = False  # whether the server takes long to accept thousands of connections
    environment: dict = dataclasses.field(default_factory=dict)  # what is added to that of the benchmark


def all_servers(build, ours, python):
    """Returns all servers by name.  The command of a server that is not there is empty."""
    bench = build / "tests" / "bench"
    select_limit = 1000  # FD_SETSIZE is 1024, and a process has other descriptors too
    candidates = []

    def candidate(name, label, path, options=(), before=(), **traits):
        present = path is not None and pathlib.Path(path).exists()
        command = (*before, str(path)) if present else ()
        candidates.append(Server(name, label, command, tuple(options), **traits))

    candidate("bare", "bare loop", bench / "bare")
    candidate("ours", "this library", ours)
    candidate("ours-asked", "this library, predicates overridden", ours, ["--asked"])
    for poller in ("select", "poll", "epoll"):
        limit = select_limit if poller == "select" else 1_000_000
        candidate(f"ours-{poller}", f"this library, {poller}", ours, ["--poller", poller], limit=limit)
    for name, label in (("libev", "libev"), ("libuv", "libuv"), ("asio", "Asio"),
                        ("libevent", "libevent")):
        candidate(name, label, bench / name)
    script = HERE / "peers" / "asynchat_server.py" if python else None
    for poller in ("select", "poll"):
        limit = select_limit if poller == "select" else 1_000_000
        candidate(f"cpython-{poller}", f"CPython, {poller}", script, ["--poller", poller],
                  before=(python, "-W", "ignore"), limit=limit, slow_to_fill=True)

    return {server.name: server for server in candidates}


def find_servers(build, ours, python):
    """Returns the servers that are there, by name, and the labels of the servers that are not."""
    servers = all_servers(build, ours, python)
    found = {name: server for name, server in servers.items() if server.command}
    missing = [server.label for server in servers.values() if not server.command]
    return found, missing


@contextlib.contextmanager
def running(server, core, mode="echo", options=(), wrapper=(), environment=None):
    """A process of the server on a core; it has the attributes pid and port, and is ended afterwards."""
    command = [*wrapper, *server.command, "0", mode, *server.options, *options]
    with program.Server(*command, environment={**server.environment, **(environment or {})},
                        before=lambda: os.sched_setaffinity(0, {core})) as process:
        yield process
        if process.has_ended():
            raise RuntimeError(f"{server.label} ended by itself, with status {process.process.returncode}")
