"""The results of a sweep: a file with one line a run, so that a sweep can go on where it was stopped.

The first line tells the programs and the usual counts of calls.  Results of other programs are thrown away.
"""

import hashlib
import json
import os
import pathlib

import plan
import table
from trial import Verdict


def programs(folder):
    """A text that tells the built programs, and what the sweep does with them, from any other."""
    found = hashlib.sha1()
    here = pathlib.Path(__file__).resolve().parent
    for path in sorted([here / "scripts.py", here / "trial.py", *(path for path in folder.iterdir()
                        if path.is_file() and os.access(path, os.X_OK))]):
        found.update(path.read_bytes())
    return found.hexdigest()


class Results:
    def __init__(self, path, folder, only_read=False):
        self.verdicts = {}  # of the kind, the setting and the faults
        self.usual = {}     # the counts of calls without a fault, of each setting
        self.file = None
        mark = programs(folder)
        if str(path) == "-":
            return
        path = pathlib.Path(path)
        text = path.read_text() if path.exists() else ""
        lines = [json.loads(line) for line in text.splitlines(True) if line.endswith("\n")]
        if only_read or (lines and lines[0] == mark):
            for line in lines[1:]:
                self._take(line)
        if only_read:
            return
        if self.verdicts or self.usual:
            self.file = path.open("a")
        else:
            self.file = path.open("w")
            self._write(mark)

    def _take(self, line):
        if len(line) == 2:
            self.usual[line[0]] = line[1]
        else:
            self.verdicts[tuple(line[:3])] = Verdict(**line[3])

    def _write(self, line):
        if self.file:
            self.file.write(json.dumps(line) + "\n")
            self.file.flush()

    def counts(self, settings, count):
        for setting in settings:
            if str(setting) not in self.usual:
                self.usual[str(setting)] = count(setting)
                self._write([str(setting), self.usual[str(setting)]])
        return {setting: self.usual[str(setting)] for setting in settings}

    def failures(self):
        """The faults whose runs must not have ended as they did, without those of the classes in accepted.txt and those
        that last for ever, which are only reported."""
        accepted = plan.table("accepted.txt")
        return [faults for (kind, _, faults), verdict in self.verdicts.items() if kind != "forever" and table.bad(kind, verdict)
                and not any(fault.split(":")[0] in accepted for fault in faults.split(","))]

    def close(self):
        if self.file:
            self.file.close()

    def has(self, kind, setting, faults):
        return (kind, str(setting), faults) in self.verdicts

    def add(self, kind, setting, faults, verdict):
        self.verdicts[kind, setting, faults] = verdict
        known = {name: value for name, value in vars(verdict).items() if value}
        self._write([kind, setting, faults, known])
