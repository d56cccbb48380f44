"""Runs the load generator."""

import json
import os
import subprocess


class Generator:
    """The load generator, on a core of its own."""

    def __init__(self, program, core):
        self.program = str(program)
        self.core = core

    def _start(self, arguments, **how):
        return subprocess.Popen([self.program, *map(str, arguments)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True,
                                preexec_fn=lambda: os.sched_setaffinity(0, {self.core}), **how)

    def run(self, arguments):
        """Returns the measurements, each a dictionary.  The generator ends by itself where a server keeps silent."""
        process = self._start(arguments)
        output, complaint = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(complaint.strip())
        return [json.loads(line) for line in output.splitlines()]

    def stepwise(self, arguments, before, after):
        """Measures with --step, and returns what before() and after() returned.

        before() is called when all connections are open and warm, and after() when all requests have been answered.
        The generator waits meanwhile.
        """
        process = self._start([*arguments, "--step"], stdin=subprocess.PIPE)
        try:
            self._await(process, "ready")
            first = before()
            print(file=process.stdin, flush=True)
            self._await(process, "measured")
            second = after()
            process.communicate("\n")
            return first, second
        finally:
            process.kill()
            process.wait()

    @staticmethod
    def _await(process, state):
        for line in process.stdout:
            if json.loads(line).get("state") == state:
                return
        raise RuntimeError(process.stderr.read().strip())
