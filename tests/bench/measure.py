"""Runs the cases in rounds, and takes ratios within a round."""

import random
import statistics

from servers import running


def cost(row):
    """CPU seconds of the server per request, or per byte for large messages."""
    return row["server_cpu"] / (row.get("bytes") or row["requests"])


def rate(row):
    return (row.get("bytes") or row["requests"]) / row["seconds"]


def quartiles(values):
    """Returns the median and the quartiles."""
    if len(values) == 1:
        return {"median": values[0], "low": values[0], "high": values[0], "count": 1}
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": statistics.median(values), "low": low, "high": high, "count": len(values)}


TRIES = 3  # of a run that other processes disturb
DISTURBED = 0.03  # a run is disturbed when a core was taken for more than this share of the time


def disturbed(measured):
    """Whether the server or the generator waited for its core, because other processes used it."""
    return any(row["server_waited"] > DISTURBED * row["seconds"] or
               row["generator_waited"] > DISTURBED * row["seconds"] for row in measured)


class Bench:
    """Where and for how long the measurements run, and what failed."""

    def __init__(self, generator, server_core, seconds, warm_up, say):
        self.generator = generator
        self.server_core = server_core
        self.seconds = seconds
        self.warm_up = warm_up
        self.say = say
        self.failures = []
        self.runs = self.repeated = self.kept_disturbed = 0

    def once(self, server, kind, load, mode="echo", options=()):
        """Returns the measurements of one run, or None where the run failed.

        A run that other processes disturbed is repeated.
        """
        self.runs += 1
        for _ in range(TRIES):
            measured = self._once(server, kind, load, mode, options)
            if measured is None or not disturbed(measured):
                return measured
            if server.slow_to_fill and max(row["connections"] for row in measured) > 2000:
                break
            self.repeated += 1
        self.kept_disturbed += 1
        return measured

    def _once(self, server, kind, load, mode, options):
        try:
            with running(server, self.server_core, mode, options) as process:
                return self.generator.run([kind, process.port, *load, "--pid", process.pid, "--seconds",
                                           self.seconds, "--warm-up", self.warm_up])
        except RuntimeError as error:
            self.failures.append(f"{server.label}, {kind} {' '.join(map(str, load))}: {error}")
            self.say(f"FAILED: {self.failures[-1]}")
            return None


def run_cases(bench, cases, servers, baseline, rounds, slow_rounds):
    """Returns samples: row name -> server name -> round -> measurement.

    In each round of a case the baseline runs first and, as a control, last.  The other servers run in between, in an
    order that differs from round to round.
    """
    samples = {row.name: {} for case in cases for row in case.rows}
    for number in range(rounds):
        order = random.Random(number)
        for case in cases:
            middle = [servers[name] for name in case.servers if name in servers
                      and name != baseline and case.connections <= servers[name].limit]
            if case.connections > 2000 and number >= slow_rounds:
                middle = [server for server in middle if not server.slow_to_fill]
            order.shuffle(middle)
            sequence = [(server.name, server) for server in middle]
            if baseline in servers:
                sequence = [(baseline, servers[baseline]), *sequence,
                            ("again", servers[baseline])]
            bench.say(f"round {number + 1} of {rounds}: {case.name}")
            for name, server in sequence:
                measured = bench.once(server, case.kind, case.load, case.mode, case.options)
                for row, figures in zip(case.rows, measured or ()):
                    samples[row.name].setdefault(name, {})[number] = figures
    return samples


def run_curve(bench, servers, names, connections, active, rounds, slow_rounds):
    """Returns samples: server name -> how many connections talk -> how many are open -> measurements."""
    samples = {name: {str(a): {} for a in active} for name in names if name in servers}
    for number in range(rounds):
        for count in connections:
            bench.say(f"curve, round {number + 1} of {rounds}: {count} connections")
            for name in samples:
                server = servers[name]
                if count > server.limit:
                    continue
                if server.slow_to_fill and count > 2000 and number >= slow_rounds:
                    continue
                load = ["--connections", count]
                for a in active:
                    load += ["--active", min(a, count)]
                for a, figures in zip(active, bench.once(server, "echo", load) or ()):
                    samples[name][str(a)].setdefault(str(count), []).append(figures)
    return samples


def ratios(ours, other, what):
    """Returns the ratio of two servers' figures for each round."""
    return [what(ours[number]) / what(other[number])
            for number in sorted(ours.keys() & other.keys()) if what(other[number]) > 0]


def against_baseline(rows, name, baseline, what):
    """Returns for each round the ratio of a server's figure to the mean of the baseline's two runs."""
    result = []
    for number, figures in sorted(rows.get(name, {}).items()):
        runs = [what(rows[key][number]) for key in (baseline, "again")
                if number in rows.get(key, {})]
        if runs and min(runs) > 0:
            result.append(what(figures) / statistics.mean(runs))
    return result
