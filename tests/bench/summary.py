"""The beginning of performance.md: what its tables come to."""

from cases import PEERS
from measure import cost, rate
from port import ratio
from tables import number

BEGINNING = """\
In short. Each ratio is the median of a table below, and compares a server with a bare epoll loop that
does the same work: 1.00 is as fast as the bare loop.
"""

MISSING = "–"  # a ratio that was not measured: its line is left out


def summary(report):
    """Ten lines, of what was measured."""
    rows = {row.name: row for row in report.rows}
    counts = report.results.get("counts", {})

    def of(row, server="ours", what=rate):
        quartile = report.ratio(rows[row], server, what)
        return number(quartile["median"]) if quartile else MISSING

    def between(names, server="ours", what=rate):
        found = [report.ratio(rows[name], server, what) for name in names]
        medians = [quartile["median"] for quartile in found if quartile]
        return f"{number(min(medians))} to {number(max(medians))}" if medians else MISSING

    large = [name for name in rows if name.startswith("sink-")]
    small = [name for name in rows if name not in large and rows[name].peers_count]
    peers = ", ".join(f"{report.servers[name].label} {between(small, name)}" for name in PEERS)
    lines = [
        f"One client that waits for each answer gets {of('echo-1')} times the answers of the bare loop; the server "
        f"needs {of('echo-1', what=cost)} times the CPU time.",
        f"100 such clients get {of('echo-100')} times the answers, and 1,000 clients {of('echo-1000')}. From CPython's "
        f"asynchat they get {of('echo-100', 'cpython-select')} and {of('echo-1000', 'cpython-select')}.",
        f"With 9,000 connections, 100 clients that talk get {of('9000-100')} times the answers, and a single client "
        f"{of('9000-1')}. From CPython's asynchat they get {of('9000-100', 'cpython-poll')} and "
        f"{of('9000-1', 'cpython-poll')}, because poll(2) looks at all 9,000 on every turn.",
        "If the class overrides a predicate, the loop asks all 9,000 channels on every turn. Then 100 clients get "
        f"{of('asked-9000-100', 'ours-asked')} times the answers, and a single client "
        f"{of('asked-9000-1', 'ours-asked')}.",
        f"Clients that send 16 lines at a time get {of('pipelined')} times the answers with a send for each line, and "
        f"{of('pipelined-coalesced')} with one send for all 16.",
        f"Messages of 64 MiB arrive with {between(large)} times the bytes a second.",
        f"Clients that connect, send one line and close are served {of('connect')} times as often; by CPython's "
        f"asynchat {of('connect', 'cpython-select')}.",
        f"Other libraries, from the slowest to the fastest case of small messages: {peers}. This library: "
        f"{between(small)}.",
    ]
    memory, allocations = counts.get("memory", {}), counts.get("allocations", {})
    if "ours" in memory and "cpython-poll" in memory and "ours" in allocations:
        most = max(allocations["ours"].values())
        lines.append(f"An idle connection takes {memory['ours'][0]:,.0f} bytes of user space, and "
                     f"{memory['cpython-poll'][0]:,.0f} in CPython. A request makes {number(most) if most else 'no'} "
                     "heap allocations.")
    if report.port:
        found = {name: number(ratio(pairs)) for name, pairs in report.port["figures"].items()}
        lines.append("The port of CPython's `smtpd`, a real server, takes "
                     f"{found['bytes for an open connection']} times the memory of the original for a connection, and "
                     f"{found['messages/s, 1 kB, pipelined']} times as many messages of 1 kB a second.")
    lines = [f"- {line}\n" for line in lines if MISSING not in line]
    return BEGINNING + "\n" + "".join(lines) if lines else ""
