"""The servers that are compared, and how one is started and stopped."""

import contextlib
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass(frozen=True)
class Server:
    name: str  # as --server takes it
    label: str  # as a reader sees it
    command: tuple  # up to the port
    options: tuple = ()  # after the mode
    limit: int = 1_000_000  # how many connections it can hold
    slow_to_fill: bool = False  # takes long to accept thousands of connections


def find_python():
    """A Python that still has asynchat: Debian's if it is one, else the one in the path."""
    for candidate in (sys.executable, shutil.which("python3"), shutil.which("python3.11")):
        if not candidate:
            continue
        probe = [candidate, "-W", "ignore", "-c", "import asynchat, asyncore"]
        if subprocess.run(probe, stderr=subprocess.DEVNULL).returncode == 0:
            return candidate
    return None


def all_servers(build, ours, python):
    """Returns all servers by name.  The command of a server that is not there is empty."""
    bench = build / "tests" / "bench"
    select_limit = 1000  # FD_SETSIZE is 1024, and a process has other descriptors too
    candidates = []

    def candidate(name, label, program, options=(), before=(), **traits):
        present = program is not None and pathlib.Path(program).exists()
        command = (*before, str(program)) if present else ()
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
    """Starts the server on a core; gives its process and its port; ends it."""
    command = [*wrapper, *server.command, "0", mode, *server.options, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                               env={**os.environ, **(environment or {})},
                               preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    try:
        word, _, port = process.stdout.readline().partition(" ")
        if word != "PORT":
            raise RuntimeError(f"{server.label} did not start")
        yield process, int(port)
        if process.poll() is not None:
            raise RuntimeError(f"{server.label} ended by itself ({process.returncode})")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
