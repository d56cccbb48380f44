"""The cases of the benchmark, and their targets.

A case is one run of the load generator against each of its servers.  A run may give several measurements on the same
connections, and each of these is a row of the table.
"""

import dataclasses

BASELINE = "bare"
PEERS = ("libev", "libuv", "asio", "libevent")
CPYTHON = ("cpython-select", "cpython-poll")


@dataclasses.dataclass(frozen=True)
class Target:
    """A bound on the ratio of our server's figure to another figure of the same round."""

    of: str  # "rate" or "cost"
    against: str  # a server, "cpython" for the better of its two, or another row, of our server too
    at_least: float = 0.0
    at_most: float = float("inf")

    def text(self, titles):
        """`titles`: those of the rows, by name."""
        what = {"rate": "requests/s", "cost": "CPU time"}[self.of]
        other = {BASELINE: "the bare loop's", "cpython": "CPython's"}.get(
            self.against, f"that of *{titles.get(self.against)}*")
        if self.at_least > 0:
            return f"{what} ≥ {self.at_least:g} × {other}"
        return f"{what} ≤ {self.at_most:g} × {other}"


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    title: str
    targets: tuple = ()
    peers_count: bool = True  # whether our server is to be as fast as each peer
    ours: str = "ours"  # the server of ours that the targets are about


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    load: tuple  # the generator's arguments after the port
    rows: tuple
    servers: tuple
    mode: str = "echo"
    options: tuple = ()  # the server's
    kind: str = "echo"  # the generator's first argument

    @property
    def connections(self):
        return int(self.load[self.load.index("--connections") + 1])


def rate(at_least, against=BASELINE):
    return Target("rate", against, at_least=at_least)


def cost(at_most, against=BASELINE):
    return Target("cost", against, at_most=at_most)


ALL = (BASELINE, "ours", *PEERS, *CPYTHON)


def _echo(connections):
    return Case(f"echo-{connections}", ("--connections", connections),
                (Row(f"echo-{connections}", f"{connections:,} × 1 line in flight",
                     (rate(0.97), cost(1.05))),), ALL)


def _sink(connections, buffer):
    name = f"sink-{connections}-{buffer}"
    title = f"messages of 64 MiB on {connections}, reading {buffer:,} bytes"
    return Case(name, ("--connections", connections),
                (Row(name, title, (cost(1.03),), peers_count=buffer == 65536),), ALL,
                mode="sink", kind="sink", options=("--buffer", str(buffer)))


CASES = (
    _echo(1),
    _echo(100),
    _echo(1000),
    Case("pipelined-coalesced", ("--connections", 100, "--in-flight", 16),
         (Row("pipelined-coalesced", "100 × 16 lines in flight, coalesced", (rate(0.97),)),),
         (BASELINE, "ours", *PEERS), options=("--coalesce",)),
    Case("pipelined", ("--connections", 100, "--in-flight", 16),
         (Row("pipelined", "100 × 16 lines in flight, a send per line",
              (rate(0.97), rate(1.4, "cpython")), peers_count=False),),
         (BASELINE, "ours", *CPYTHON)),
    Case("idle-9000", ("--connections", 9000, "--active", 100, "--active", 1),
         (Row("9000-100", "9,000, of which 100 talk",
              (rate(0.97), cost(1, "echo-100"), rate(25, "cpython"))),
          Row("9000-1", "9,000, of which 1 talks",
              (rate(0.97), cost(1, "echo-1"), rate(300, "cpython")))),
         (BASELINE, "ours", *PEERS, "cpython-poll")),
    Case("asked-9000", ("--connections", 9000, "--active", 100, "--active", 1),
         (Row("asked-9000-100", "9,000, of which 100 talk, all are asked",
              (rate(4, "cpython"),), peers_count=False, ours="ours-asked"),
          Row("asked-9000-1", "9,000, of which 1 talks, all are asked",
              (rate(4, "cpython"),), peers_count=False, ours="ours-asked")),
         (BASELINE, "ours-asked", "cpython-poll")),
    _sink(1, 4096),
    _sink(8, 4096),
    _sink(1, 65536),
    _sink(8, 65536),
    Case("connect", ("--connections", 50),
         (Row("connect", "connect, one line, close; 50 at a time", (rate(0.97),)),), ALL,
         kind="connect"),
)

# What is counted instead of timed: the generator's arguments, and the server's.
COUNTED = {
    "1 × 1": (("--connections", 1), ()),
    "100 × 1": (("--connections", 100), ()),
    "100 × 16": (("--connections", 100, "--in-flight", 16), ()),
    "100 × 16, coalesced": (("--connections", 100, "--in-flight", 16), ("--coalesce",)),
}

# The curve: our mechanisms, and CPython's, over the number of connections.
MECHANISMS = ("ours-select", "ours-poll", "ours-epoll", *CPYTHON)
CURVE_CONNECTIONS = (1, 3, 10, 30, 100, 300, 1000, 3000, 9000)
CURVE_ACTIVE = (100, 1)  # how many connections talk, or all where there are fewer
