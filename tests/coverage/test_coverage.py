"""The check of the coverage finds what is wrong, and unreachable.txt names lines that exist."""

import pathlib
import sys

import coverage

failures = 0


def expect(what, found, wanted):
    global failures
    if found != wanted:
        failures += 1
        print("%s: %r, and not %r" % (what, found, wanted))


def file_of(counts):
    """A file of one function, which has so many lines with these counts."""
    file = coverage.File.__new__(coverage.File)
    file.name, file.source = "asyncore/x.cpp", ["line %d;" % number for number in range(1, len(counts) + 1)]
    file.lines = dict(enumerate(counts, 1))
    file.functions = dict.fromkeys(file.lines, "f")
    file.branches = {}
    return file


def wrong(counts, entries, branches=(1, 1)):
    coverage.read_unreachable = lambda: entries
    return coverage.judge([file_of(counts)], [sum(map(bool, counts)), len(counts), *branches])


def region(first, last, count, kind=0):
    return [*first, *last, count, 0, 0, kind]


def main():
    entry = "asyncore/x.cpp f: line 2;"
    expect("all is reached", wrong([1, 1], []), [])
    expect("a line is not reached", wrong([1, 0], []), ["not reached: %s (asyncore/x.cpp:2)" % entry])
    expect("it has an entry", wrong([1, 0], [entry]), [])
    expect("its entry is reached", wrong([1, 1], [entry]), ["reached, or not in the source: " + entry])
    expect("an entry names nothing", wrong([1], ["asyncore/x.cpp g: y"]),
           ["reached, or not in the source: asyncore/x.cpp g: y"])
    expect("an entry is there twice", wrong([1, 0], [entry, entry]), ["this entry is there twice: " + entry])
    expect("branches", wrong([1], [], (94, 100)), ["94.00 % of the branches are reached, at least 95 % must be"])

    body, inner = region((1, 10), (5, 2), 7), region((2, 20), (4, 6), 0)
    expect("lines of a block that is not reached", coverage.line_counts([body, inner], 1, 5), {1: 7, 2: 7, 3: 0, 4: 0, 5: 7})
    gap, rest = region((2, 12), (3, 3), 0, coverage.GAP), region((3, 3), (5, 2), 0)
    expect("lines behind a return", coverage.line_counts([body, gap, rest], 1, 5), {1: 7, 2: 7, 3: 0, 4: 0, 5: 0})
    expect("a name", coverage.simple("asyncore::spares<std::vector<int>, 5ul>::give(std::vector<int>*)"), "spares::give")
    expect("a name in no namespace", coverage.simple("asyncore::platform::(anonymous namespace)::make(int)"), "make")

    for line in ENTRIES:
        place, _, text = line.partition(": ")
        source = (coverage.ROOT / place.split(" ")[0]).read_text().splitlines()
        expect(line, text in map(str.strip, source), True)
    return 1 if failures else 0


ENTRIES = coverage.read_unreachable()

if __name__ == "__main__":
    sys.exit(main())
