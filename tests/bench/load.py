"""Runs the load generator."""

import json
import os
import subprocess

PATIENCE = 300  # seconds; CPython takes a minute to accept nine thousand connections


class Generator:
    def __init__(self, program, core):
        self.program = str(program)
        self.core = core

    def _start(self, arguments, **how):
        return subprocess.Popen([self.program, *map(str, arguments)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True,
                                preexec_fn=lambda: os.sched_setaffinity(0, {self.core}), **how)

    def run(self, arguments):
        """Returns the measurements, one dictionary each."""
        process = self._start(arguments)
        try:
            output, complaint = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise RuntimeError("the generator took too long") from None
        if process.returncode != 0:
            raise RuntimeError(complaint.strip())
        return [json.loads(line) for line in output.splitlines()]

    def stepwise(self, arguments, before, after):
        """Measures with --step; returns what before() and after() returned.

        They are called when all connections are open and warm, and when the requests have been
        answered, while the generator waits.
        """
        process = self._start([*arguments, "--step"], stdin=subprocess.PIPE)
        try:
            self._await(process, "ready")
            first = before()
            print(file=process.stdin, flush=True)
            self._await(process, "measured")
            second = after()
            process.communicate("\n", timeout=PATIENCE)
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
