"""What a request costs in things that can be counted.  These figures are the same from run to run."""

import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile

from servers import running

IDLE = 9000
TRACED_REQUESTS = 20_000


def anonymous_bytes(pid):
    """The memory that belongs to the process alone and is not a file's."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Anonymous:\s+(\d+) kB", text, re.M)[1]) * 1024


def memory_per_connection(bench, server, greet):
    """Bytes of user space per idle connection; with `greet`, each client has sent a line before."""
    count = min(IDLE, server.limit)
    with running(server, bench.server_core) as process:
        bench.generator.run(["echo", process.port, "--requests", 100])
        before = anonymous_bytes(process.pid)
        load = ["echo", process.port, "--connections", count, "--active", 0, "--requests", 1]
        with_them, _ = bench.generator.stepwise(load + ["--greet"] * greet,
                                                lambda: anonymous_bytes(process.pid),
                                                lambda: None)
    return (with_them - before) / count


def system_calls(bench, server, connections):
    """System calls per request, by name, while the connections are open and warm."""
    if not shutil.which("strace"):
        return None
    with tempfile.NamedTemporaryFile("r") as table, \
            running(server, bench.server_core) as process:
        tracers = []

        def attach():
            tracer = subprocess.Popen(["strace", "-c", "-f", "-U", "name,calls", "-o", table.name,
                                       "-p", str(process.pid)],
                                      stderr=subprocess.PIPE, text=True)
            tracers.append(tracer)
            if "attached" not in tracer.stderr.readline():
                raise RuntimeError("strace cannot attach")

        def detach():
            tracers[0].send_signal(signal.SIGINT)
            tracers[0].communicate()

        try:
            bench.generator.stepwise(["echo", process.port, "--connections", connections, "--requests",
                                      TRACED_REQUESTS], attach, detach)
        finally:
            for tracer in tracers:
                tracer.kill()
                tracer.wait()
        rows = re.findall(r"^\s*(\w+)\s+(\d+)\s*$", table.read(), re.M)
    # strace leaves out a call that was never made; of epoll_ctl the report is to show the zero.
    calls = {"epoll_ctl": 0.0}
    calls.update({name: int(count) / TRACED_REQUESTS for name, count in rows if name != "total"})
    return calls


def allocations(bench, server, module, load, options=()):
    """Heap allocations per request."""
    if not module.exists():
        return None
    requests = 50_000
    with tempfile.NamedTemporaryFile() as counter:
        counter.write(bytes(8))
        counter.flush()

        def count():
            return struct.unpack("Q", pathlib.Path(counter.name).read_bytes())[0]

        environment = {"LD_PRELOAD": str(module.resolve()), "MALLOC_COUNT": counter.name}
        with running(server, bench.server_core, options=options,
                     environment=environment) as process:
            if count() == 0:
                raise RuntimeError("the allocation counter counts nothing")
            first, second = bench.generator.stepwise(
                ["echo", process.port, *load, "--requests", requests], count, count)
    return (second - first) / requests


def have_valgrind():
    return shutil.which("valgrind") is not None


def instructions(bench, server, load, options):
    """Instructions in user space per request, in all and by function, counted by callgrind.

    The figures are the difference of two runs, so that they do not contain the start, the connecting and the end.
    """
    few, many = 2_000, 22_000
    total, by_function = {}, {}
    for requests in (few, many):
        with tempfile.TemporaryDirectory() as directory:
            out = pathlib.Path(directory) / "profile"
            wrapper = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"]
            with running(server, bench.server_core, wrapper=wrapper, options=options) as process:
                bench.generator.run(["echo", process.port, *load, "--requests", requests])
            total[requests], by_function[requests] = read_profile(out)
    spent = many - few
    functions = {name: (count - by_function[few].get(name, 0)) / spent
                 for name, count in by_function[many].items()}
    functions = {name: count for name, count in functions.items() if count >= 0.5}
    return {"total": (total[many] - total[few]) / spent,
            "functions": dict(sorted(functions.items(), key=lambda item: -item[1]))}


def read_profile(path):
    """Returns all instructions of a callgrind profile, and those of each function itself.

    The functions of a library that have no name are counted together, under the name of the library.
    """
    summary = re.search(r"^(?:summary|totals): (\d+)", path.read_text(), re.M)
    listing = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", path],
                             capture_output=True, text=True).stdout
    functions = {}
    for count, name, library in re.findall(
            r"^\s*([\d,]+) \([ \d.]+%\)\s+\S*?:(.+?)(?: \[(.*)\])?$", listing, re.M):
        # A stripped library names only the functions that it exports.
        if re.fullmatch(r"0x[0-9a-f]+|\?\?\?", name):
            name = pathlib.Path(library).name
        functions[name] = functions.get(name, 0) + int(count.replace(",", ""))
    return int(summary[1]), functions
