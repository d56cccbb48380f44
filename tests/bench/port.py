"""The section of performance.md about the port of smtpd, from what tests/smtpd/compare.py measured."""

import statistics

from tables import number, table

TEXT = """\
## A port beside CPython: smtpd

`docs/examples/smtpd/` is CPython's `smtpd`, ported class by class. This command counted the lines of both
and measured both servers, and wrote the figures into `performance/smtpd.json`:

    {command}

Lines are lines of code, without blank lines, comments and docstrings:

{lines}
The port also has what Python has in its library and C++ has not: {brought}. `SMTPChannel` is shorter in C++,
because each of its properties with a deprecated name takes a line there, and ten lines in Python. The other
classes are longer, because a header declares what the source defines, and because `init()` stands beside the
constructor.

Both servers ran all the time, and each round measured one after the other with the same client, which shares
the machine with them. Given are the median of {rounds} rounds and, in brackets, the least and the most. The
memory is what Private_Dirty grows by from {few:,} to {many:,} connections that have said HELO.

{figures}
The machine: {machine}.
"""


def ratio(pairs):
    """The medians' ratio, C++ to Python."""
    return statistics.median(cpp for cpp, _ in pairs) / statistics.median(python for _, python in pairs)


def spread(values):
    return f"{number(statistics.median(values))} ({number(min(values))}–{number(max(values))})"


def section(found):
    """`found` is what is in smtpd.json."""
    lines = [(name if name == "the rest" else f"`{name}`", python, cpp, number(cpp / python))
             for name, (python, cpp) in found["lines"].items()]
    python, cpp = map(sum, zip(*found["lines"].values()))
    lines.append(("all of `smtpd`", python, cpp, number(cpp / python)))
    few, many = found["connections"]
    brought = [f"{count} lines for `{name}.*`" for name, count in found["brought"].items()]
    figures = [(name, spread([python for _, python in pairs]), spread([cpp for cpp, _ in pairs]),
                number(ratio(pairs))) for name, pairs in found["figures"].items()]
    return TEXT.format(
        command=found["command"], rounds=len(next(iter(found["figures"].values()))), few=few, many=many,
        lines=table(("lines of code", "Python", "C++", "C++ / Python"), lines),
        brought=", ".join(brought), machine=found["machine"],
        figures=table(("", "Python", "C++", "C++ / Python"), figures))
