"""Finds a CPython that has the modules that a test compares with: Python 3.12 removed some."""

import shutil
import subprocess
import sys

SKIPPED = 77  # the exit status of a test that could not run, as Meson has it


def find_python(*modules):
    """The path of a CPython that can import the modules, or None.  Those of asyncore/python/ are not CPython's."""
    test = ("import sys, %s; assert sys.implementation.name == 'cpython' and '_asyncore' not in sys.modules"
            % ", ".join(modules))
    for name in (sys.executable, "python3", "/usr/bin/python3", "python3.11", "python3.10", "python3.9"):
        program = shutil.which(name)
        if program and subprocess.run([program, "-c", test], capture_output=True).returncode == 0:
            return program
    return None
