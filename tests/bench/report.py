"""Writes the results as Markdown."""

import statistics

from cases import BASELINE, CPYTHON, PEERS
from measure import DISTURBED, against_baseline, cost, quartiles, rate, ratios

INTRODUCTION = """\
# Performance

This page and the files in `performance/` are written by one command; every figure on it was
measured by that run:

    {command}

`line_echo`, an `async_chat` that sends back each line, runs beside servers that do the same work
with other loops: a bare epoll loop, which is the limit; libev, libuv, Asio and libevent; CPython's
own asynchat. The servers are in `tests/bench/peers/`, and the load generator is in
`tests/bench/load/`. The server and the generator have a core each. The generator checks every byte
that comes back.

**How to read it.** Speeds differ from machine to machine and from minute to minute; ratios differ
much less. In each round of a case the bare loop runs first and last, and the other servers run in
between, in an order that differs from round to round. A ratio is taken to the mean of the bare
loop's two runs in that round. The tables give the median over the rounds and, in brackets, the
quartiles. The column *bare loop again* divides the bare loop's last run by its first: its distance
from 1 is noise, and a difference of that size in another column is noise too. A line is 64 bytes
with its end. "CPU time" is the server's, user and system, per request.
"""

SPENT = """\
Our server does more for a request than its peers, since a port needs it. It makes two virtual calls
for each line, to hooks that may close or destroy the channel, and checks for that after each call.
It collects the line in `incoming` before the hook answers it. The answer enters a queue, which may
hold producers, and leaves it by an overridable `send()`. After its hooks, a channel is asked again
what it wants, so that the next turn need not ask all channels. This shows most where the kernel has
least to do for a line: with 16 lines in a read, coalesced into one send.
"""

CURVE = """\
## Why epoll exists

![requests/s over the number of connections](performance/curve.svg)

`select` and `poll` are told on every call which descriptors to watch, and look at each of them.
That is no loss while most descriptors are ready, for each call then brings many events. But where
thousands of connections are open and few of them talk, the work for each event grows with the number
of silent connections, and the curve falls. `epoll` is told once, and a silent connection costs it
nothing: the curve stays level. `select` ends before 1,024, since its set of descriptors has no room
for more.
"""


def number(value):
    """Three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    if value >= 0.1:
        return f"{value:.2f}"
    return f"{value:.2g}"


def spread(quartile):
    if quartile is None:
        return "–"
    if quartile["count"] == 1:
        return number(quartile["median"])
    return f"{number(quartile['median'])} ({number(quartile['low'])}–{number(quartile['high'])})"


def table(head, rows, align=None):
    align = align or ["---"] + ["---:"] * (len(head) - 1)
    lines = [head, align, *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


class Report:
    def __init__(self, results, cases, servers):
        self.results = results
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
        parts = [INTRODUCTION.format(command=self.results["command"]), self.machine()]
        parts += [self.targets(), self.comparison(), self.figures()]
        if self.results.get("curve"):
            parts += [CURVE, self.mechanisms()]
        parts += [self.counted(), self.failures()]
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
        if self.results["missing"]:
            lines.append("- left out, because it is not installed: " +
                         ", ".join(self.results["missing"]))
        return "## The machine and the run\n\n" + "\n".join(lines) + "\n"

    # The targets.

    def targets(self):
        lines = []
        for row in self.rows:
            for target in row.targets:
                values = self.target_ratios(row, target)
                if not values:
                    continue
                quartile = quartiles(values)
                met = target.at_least <= quartile["median"] <= target.at_most
                measured = spread(quartile) + self.bare_too(row, target)
                lines.append((row.title, target.text(), measured, "yes" if met else "no"))
            if row.peers_count:
                lines += self.against_peers(row)
        lines += self.scan()
        if not lines:
            return ""
        lines = [("" if i > 0 and lines[i - 1][0] == line[0] else line[0], *line[1:])
                 for i, line in enumerate(lines)]
        head = ("case", "aim", "measured", "reached")
        return ("## What is aimed at\n\n" +
                table(head, lines, ("---", "---", "---:", "---")) +
                "\n*Level* with a peer: our server is the faster in some rounds and the peer in "
                "other rounds, so that 1 lies between the quartiles of their ratio.\n")

    def target_ratios(self, row, target, of=None):
        """The ratios of our server's figures, or of server `of`, to the figures that the target names."""
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
        """The bare loop's ratio to the same figures, which is the limit; "" where these are its own."""
        if target.against == BASELINE:
            return ""
        values = self.target_ratios(row, target, of=BASELINE)
        return f"; the bare loop's own: {spread(quartiles(values))}" if values else ""

    def against_peers(self, row):
        """Our server beside the best peer: in CPU time where messages are large, since the generator limits
        their number; else in requests/s."""
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
        what = "the peer's CPU time / ours" if large else "requests/s, ours / the peer's"
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
        parts = ["## Beside the peers\n\n![ratios to the bare loop](performance/peers.svg)\n"]
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
                        lines.append((f"*{poller}, {title}: ours / CPython's*", *cells))
            talk = "one of them talks" if active == "1" else f"at most {active} of them talk"
            parts.append(f"Requests/s over the number of connections where {talk}:\n\n" +
                         table(("", *(f"{n:,}" for n in counts)), lines))
        return "\n".join(parts)

    @staticmethod
    def median_ratio(ours, theirs, what):
        if not ours or not theirs:
            return "–"
        return number(statistics.median(what(a) / what(b) for a, b in zip(ours, theirs)))

    # What is counted.

    def counted(self):
        counts = self.results.get("counts")
        if not counts:
            return ""
        parts = ["## What a request costs\n\nThese figures are counted, not timed: they are the same "
                 "from run to run.\n"]
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
                         "anonymous memory with 9,000 connections (select: with 1,000):\n\n" +
                         table(("server", "the client never spoke", "the client has said a line"),
                               lines))
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
        for server in counted:
            functions = counted[server][shown_load]["functions"]
            shown = [(f"`{shorten(name)}`", number(count))
                     for name, count in list(functions.items())[:25]]
            parts.append(f"Where {label[server]} spends them ({shown_load}; an inlined function "
                         "counts as part of the function that it is in):\n\n" +
                         table(("function", "instructions"), shown))
        return "\n".join(parts)

    def failures(self):
        if not self.results["failures"]:
            return ""
        return "## What failed\n\n" + "\n".join(f"- {what}" for what in self.results["failures"])


def shorten(name, limit=90):
    name = name.replace("(anonymous namespace)::", "").replace("|", "\\|")
    name = name.replace("std::__cxx11::basic_string<char, std::char_traits<char>, "
                        "std::allocator<char> >", "std::string")
    name = name.replace("std::basic_string_view<char, std::char_traits<char> >",
                        "std::string_view")
    return name if len(name) <= limit else name[:limit] + "…"
