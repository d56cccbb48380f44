"""Writes the results as Markdown."""

import statistics

from cases import BASELINE, CPYTHON, PEERS
from measure import DISTURBED, against_baseline, cost, quartiles, rate, ratios
from port import section as section_of_port
from summary import summary
from tables import number, spread, table

INTRODUCTION = """\
## How this was measured

One command writes this page and the files in `performance/`. It measured every figure, where a section
names no other command:

    {command}

`line_echo` is an `async_chat` that sends back each line. It runs beside servers that do the same work
with other loops: a bare epoll loop, which is the limit; libev, libuv, Asio and libevent; and CPython's own
asynchat. These servers are in `tests/bench/peers/`, the load generator is in `tests/bench/load/`. The
server has one core and the generator has another. The generator checks every byte that comes back.

**How to read it.** Speeds differ from machine to machine and from minute to minute; ratios differ much
less. In each round of a case the bare loop runs first and last, and the other servers run in between, in
another order each time. A ratio is taken to the mean of the bare loop's two runs in that round. Given are
the median over the rounds and, in brackets, the quartiles. The column *bare loop again* divides the bare
loop's last run by its first run. It shows the noise: differences of that size are noise in the other
columns too. A line is 64 bytes with its end. "CPU time" is the server's, user and system, per request.
"""

SPENT = """\
A server of this library does more for a request than the other servers, because a port needs it:

- Each line takes two virtual calls, to hooks that may close or destroy the channel; the library checks for
  that after each call.
- The line is collected in `incoming` before the hook answers it.
- The answer enters a queue, which may also hold producers, and leaves it by an overridable `send()`.
- After its hooks, a channel is asked again what it wants. That saves asking all channels in the next turn.

This shows most where the kernel does least for a line: 16 lines in one read, with their answers coalesced
into one send.
"""

CURVE = """\
## Why epoll exists

![requests/s over the number of connections](performance/curve.svg)

`select` and `poll` are told on every call which descriptors to watch, and look at each of them. That costs
little while most descriptors are ready, because then each call brings many events. But where thousands of
connections are open and few talk, the work per event grows with the number of silent connections, and the
curve falls. `epoll` is told once: a silent connection costs nothing, and the curve stays level. `select`
ends before 1,024, because its set of descriptors has no room for more.
"""


class Report:
    """`port`: what tests/smtpd/compare.py measured, or None."""

    def __init__(self, results, cases, servers, port=None):
        self.results = results
        self.port = port
        self.cases = cases
        self.rows = [row for case in cases for row in case.rows]
        self.samples = results["samples"]
        self.servers = servers

    def ratio(self, row, name, what):
        values = against_baseline(self.samples.get(row.name, {}), name, BASELINE, what)
        return quartiles(values) if values else None

    def rate_table(self):
        """For the plot: row title -> server -> quartiles of its rate against the bare loop's."""
        result = {}
        for row in self.rows:
            found = {}
            for name in self.samples.get(row.name, {}):
                quartile = self.ratio(row, name, rate)
                if name not in (BASELINE, "again") and quartile:
                    found[name] = quartile
            if found:
                result[row.title] = found
        return result

    def text(self):
        parts = ["# Performance\n", summary(self)]
        parts += [INTRODUCTION.format(command=self.results["command"]), self.machine()]
        parts += [self.targets(), self.comparison(), self.figures()]
        if self.results.get("curve"):
            parts += [CURVE, self.mechanisms()]
        parts += [self.counted()]
        if self.port:
            parts.append(section_of_port(self.port))
        parts.append(self.failures())
        return "\n".join(part for part in parts if part)

    def machine(self):
        lines = [f"- {key}: {value}" for key, value in self.results["machine"].items()]
        again = [value for by_server in self.samples.values()
                 if BASELINE in by_server and "again" in by_server
                 for value in ratios(by_server["again"], by_server[BASELINE], rate)]
        if again:
            noise = quartiles(again)
            lines.append(f"- noise: the bare loop's last run of a round divided by its first, "
                         f"over all cases: {spread(noise)}, extremes {number(min(again))} and "
                         f"{number(max(again))}")
        settings = self.results["settings"]
        lines.append(f"- {settings['rounds']} rounds, {settings['seconds']:g} s each after "
                     f"{settings['warm_up']:g} s of warm-up; {settings['curve_rounds']} of the "
                     f"curve; niceness {settings['nice']}; CPython has 9,000 connections in "
                     f"{settings['slow_rounds']} of the rounds only, since it takes long to accept "
                     "them")
        runs = self.results["runs"]
        lines.append(f"- other processes: {runs['all']} runs, of which {runs['repeated']} were "
                     f"repeated because the server or the generator waited for its core for more "
                     f"than {DISTURBED:.0%} of the time; {runs['disturbed all the same']} runs were "
                     "disturbed every time and are in the figures")
        for part, again in self.results.get("later", {}).items():
            lines.append(f"- measured anew: the {part}, by `{again['command']}` on {again['date']}")
        if self.results["missing"]:
            lines.append("- left out, because it is not installed: " +
                         ", ".join(self.results["missing"]))
        return "## The machine and the run\n\n" + "\n".join(lines) + "\n"

    # The aims.

    def targets(self):
        titles = {row.name: row.title for row in self.rows}
        lines = []
        for row in self.rows:
            for target in row.targets:
                values = self.target_ratios(row, target)
                if not values:
                    continue
                quartile = quartiles(values)
                met = target.at_least <= quartile["median"] <= target.at_most
                measured = spread(quartile) + self.bare_too(row, target)
                lines.append((row.title, target.text(titles), measured, "yes" if met else "no"))
            if row.peers_count:
                lines += self.against_peers(row)
        lines += self.scan()
        if not lines:
            return ""
        lines = [("" if i > 0 and lines[i - 1][0] == line[0] else line[0], *line[1:])
                 for i, line in enumerate(lines)]
        head = ("case", "aim", "measured", "reached")
        return ("## The aims\n\n" +
                table(head, lines, ("---", "---", "---:", "---")) +
                "\n*Level* with a peer: this library is faster in some rounds and the peer in "
                "other rounds, so that 1 lies between the quartiles of their ratio.\n")

    def target_ratios(self, row, target, of=None):
        """The ratios of this library's server, or of the server `of`, to what the target is set against."""
        of = of or row.ours
        what = {"rate": rate, "cost": cost}[target.of]
        rows = self.samples.get(row.name, {})
        if target.against == BASELINE:
            return against_baseline(rows, of, BASELINE, what)
        if target.against == "cpython":
            found = [ratios(rows.get(of, {}), rows.get(name, {}), what) for name in CPYTHON]
            return min((values for values in found if values), key=statistics.median, default=[])
        other = self.samples.get(target.against, {})
        return ratios(rows.get(of, {}), other.get(of, {}), what)

    def bare_too(self, row, target):
        """The bare loop's own ratio, if the target is not set against the bare loop: it is the limit."""
        if target.against == BASELINE:
            return ""
        values = self.target_ratios(row, target, of=BASELINE)
        return f"; the bare loop's own: {spread(quartiles(values))}" if values else ""

    def against_peers(self, row):
        """This library beside the peer that does best: in CPU time where messages are large, because
        the generator limits their number; else in requests/s."""
        rows = self.samples.get(row.name, {})
        large = any("bytes" in figures for figures in rows.get(row.ours, {}).values())
        found = {}
        for name in PEERS:
            values = (ratios(rows.get(name, {}), rows.get(row.ours, {}), cost) if large
                      else ratios(rows.get(row.ours, {}), rows.get(name, {}), rate))
            if values:
                found[name] = quartiles(values)
        if not found:
            return []
        best = min(found, key=lambda name: found[name]["median"])
        low, median, high = (found[best][key] for key in ("low", "median", "high"))
        verdict = "level" if low <= 1 <= high else "yes" if median > 1 else "no"
        what = "CPU time, the peer's / this library's" if large else "requests/s, this library's / the peer's"
        return [(row.title, f"not behind any peer ({what})",
                 f"{spread(found[best])} {self.servers[best].label}", verdict)]

    def scan(self):
        """The cost of asking a channel for its interest, found in turns of a loop where one of many channels talks."""
        asked = self.samples.get("asked-9000-1", {}).get("ours-asked", {})
        plain = self.samples.get("9000-1", {}).get("ours", {})
        both = sorted(asked.keys() & plain.keys())
        if not both:
            return []
        values = [(cost(asked[i]) - cost(plain[i])) / 9000 * 1e9 for i in both]
        quartile = quartiles(values)
        return [("9,000, of which 1 talks, all are asked", "≤ 10 ns a channel and turn",
                 spread(quartile) + " ns", "yes" if quartile["median"] <= 10 else "no")]

    # The figures of all servers.

    def comparison(self):
        names = [name for name in self.servers
                 if any(name in rows for rows in self.samples.values()) and name != BASELINE]
        if not names:
            return ""
        parts = ["## Beside other servers\n\n![ratios to the bare loop](performance/peers.svg)\n"]
        for what, title in ((rate, "Requests/s (large messages: bytes/s, where the generator is "
                                   "the limit), as a share of the bare loop's:"),
                            (cost, "CPU time per request (large messages: per byte), as a "
                                   "multiple of the bare loop's:")):
            lines = []
            for row in self.rows:
                rows = self.samples.get(row.name, {})
                again = ratios(rows.get("again", {}), rows.get(BASELINE, {}), what)
                cells = [spread(self.ratio(row, name, what)) for name in names]
                if again:
                    lines.append((row.title, spread(quartiles(again)), *cells))
            head = ("case", "bare loop again", *(self.servers[name].label for name in names))
            parts.append(title + "\n\n" + table(head, lines))
        return "\n".join(parts)

    def figures(self):
        names = [name for name in self.servers
                 if any(name in rows for rows in self.samples.values())]
        lines = []
        for row in self.rows:
            rows = self.samples.get(row.name, {})
            cells = []
            for name in names:
                measured = rows.get(name, {}).values()
                if not measured:
                    cells.append("–")
                    continue
                speed = statistics.median(map(rate, measured))
                effort = statistics.median(map(cost, measured))
                if any("bytes" in figures for figures in measured):
                    cells.append(f"{speed / 1e9:.2f} GB/s, {effort * 1e9:.3f} s/GB")
                else:
                    cells.append(f"{speed:,.0f}/s, {effort * 1e6:.2f} µs")
            if rows:
                lines.append((row.title, *cells))
        if not lines:
            return ""
        head = ("case", *(self.servers[name].label for name in names))
        return ("The medians of the figures: requests/s and CPU time per request, or bytes/s and CPU "
                "seconds per 10⁹ bytes.\n\n" + table(head, lines))

    def mechanisms(self):
        samples = self.results["curve"]
        counts = sorted({int(n) for by in samples.values() for ns in by.values() for n in ns})
        parts = []
        for active in next(iter(samples.values())):
            lines = []
            for name, by_active in samples.items():
                points = by_active[active]
                lines.append((self.servers[name].label, *(
                    f"{statistics.median(map(rate, points[str(n)])):,.0f}" if str(n) in points
                    else "–" for n in counts)))
            for poller in ("select", "poll"):
                ours = samples.get(f"ours-{poller}", {}).get(active, {})
                theirs = samples.get(f"cpython-{poller}", {}).get(active, {})
                for what, title in ((rate, "requests/s"), (cost, "CPU time")):
                    cells = [self.median_ratio(ours.get(str(n)), theirs.get(str(n)), what)
                             for n in counts]
                    if ours and theirs:
                        lines.append((f"*{poller}, {title}: this library's / CPython's*", *cells))
            talk = "one of them talks" if active == "1" else f"at most {active} of them talk"
            parts.append(f"Requests/s over the number of connections where {talk}:\n\n" +
                         table(("", *(f"{n:,}" for n in counts)), lines))
        return "\n".join(parts)

    @staticmethod
    def median_ratio(ours, theirs, what):
        if not ours or not theirs:
            return "–"
        return number(statistics.median(what(a) / what(b) for a, b in zip(ours, theirs)))

    # The counts.

    def counted(self):
        counts = self.results.get("counts")
        if not counts:
            return ""
        parts = ["## What a request costs\n\nThese figures are counted, not timed: they hardly change from run to run.\n"]
        label = {name: server.label for name, server in self.servers.items()}
        parts.append(self.calls(counts.get("system_calls", {}), label))
        if counts.get("allocations"):
            loads = list(next(iter(counts["allocations"].values())))
            lines = [(label[name], *(number(value) if value else "0"
                                     for value in by_load.values()))
                     for name, by_load in counts["allocations"].items()]
            parts.append("Heap allocations per request, when connections are open and warm:\n\n" +
                         table(("server", *loads), lines))
        if counts.get("memory"):
            lines = [(label[name], f"{silent:,.0f}", f"{greeted:,.0f}")
                     for name, (silent, greeted) in counts["memory"].items()]
            parts.append("Bytes of user space per idle connection, as the growth of the process's "
                         "anonymous memory with 9,000 connections:\n\n" +
                         table(("server", "that has sent nothing", "that has sent a line"), lines))
        parts.append(self.instructions(counts.get("instructions", {}), label))
        return "\n".join(part for part in parts if part)

    @staticmethod
    def calls(counted, label):
        if not counted:
            return ""
        names = sorted({name for calls in counted.values() for name in calls})
        lines = [(label[server], *(number(calls[name]) if calls.get(name) else "0"
                                   for name in names)) for server, calls in counted.items()]
        return ("System calls per request at 100 × 1, counted by strace when connections are open "
                "and warm. strace slows the server down, so that each wait brings almost all "
                "connections:\n\n" + table(("server", *(f"`{name}`" for name in names)), lines))

    @staticmethod
    def instructions(counted, label):
        if not counted:
            return ""
        loads = list(next(iter(counted.values())))
        lines = [(label[server], *(f"{by_load[load]['total']:,.0f}" for load in loads))
                 for server, by_load in counted.items()]
        parts = ["Instructions in user space per request, counted by callgrind. With one "
                 "connection each request is a turn of the loop; with 100 connections a turn "
                 "brings almost all of them:\n\n" + table(("server", *loads), lines), SPENT]
        shown_load = "100 × 1"
        parts.append(f"These functions spend the instructions at {shown_load}. An inlined function counts as "
                     "the function that it is in. The name of a library stands for all its functions that "
                     "have no name, because Debian strips the library.\n")
        for server in counted:
            functions = joined(counted[server][shown_load]["functions"])
            shown = [(f"`{name}`", number(count)) for name, count in functions[:25]]
            title = "The bare loop" if server == "bare" else f"The server of {label[server]}"
            parts.append(f"{title}:\n\n" + table(("function", "instructions"), shown))
        return "\n".join(parts)

    def failures(self):
        if not self.results["failures"]:
            return ""
        return "## What failed\n\n" + "\n".join(f"- {what}" for what in self.results["failures"])


def joined(functions):
    """Names and counts, the greatest first; overloads count together."""
    result = {}
    for name, count in functions.items():
        result[shorten(name)] = result.get(shorten(name), 0) + count
    return sorted(result.items(), key=lambda item: -item[1])


def shorten(name):
    """A demangled name without its arguments, its template arguments and its result."""
    name = name.replace("(anonymous namespace)::", "")
    kept, depth = "", 0
    for character in name:
        depth += character in "(<"
        kept += character if depth == 0 else ""
        depth -= character in ")>"
    kept = kept.removesuffix(" const")
    return kept.split(" ")[-1] if "<" in name else kept  # only a template has its result before it
