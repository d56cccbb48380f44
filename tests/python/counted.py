"""Runs one module of tests, and says in its last line how many passed, failed and were skipped.

    counted.py own NAME           a module of this folder
    counted.py alone NAME         the same, for tests that import no module under test
    counted.py cpython NAME       a module of CPython's own tests, as the Python that runs it has it
    counted.py of PYTHON NAME     the module of the tests of CPython 3.11, whose program is PYTHON

test.support.asyncore and test.support.asynchat, which are in CPython 3.12 and later, are the modules under test.
"""

import faulthandler
import importlib.util
import os
import signal
import subprocess
import sys
import unittest
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
faulthandler.register(signal.SIGTERM, chain=True)
warnings.simplefilter("ignore", DeprecationWarning)


def refuse_the_modules_of_cpython():
    """A test of these modules must not pass because CPython's own were imported."""
    import asynchat
    import asyncore
    for module in asyncore, asynchat:
        if not hasattr(module, "_asyncore"):
            sys.exit("%s is not the module under test" % module.__file__)


def alias_the_modules():
    import asynchat
    import asyncore
    from test import support
    support.use_resources = ["cpu", "walltime"]  # without "network", which leaves this machine
    for module in asyncore, asynchat:
        sys.modules["test.support." + module.__name__] = module
        setattr(support, module.__name__, module)


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def library_of(python):
    command = [python, "-I", "-c", "import os; print(os.path.dirname(os.__file__))"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def load_of_311(python, name):
    """test_smtpd tests a module that CPython 3.12 has no more; it refuses to be imported there."""
    library = library_of(python)
    if sys.version_info >= (3, 12):
        warnings._deprecated = lambda *_, **__: None
        load("smtpd", os.path.join(library, "smtpd.py"))
    return load(name, os.path.join(library, "test", name + ".py"))


def tests(kind, *arguments):
    loader = unittest.defaultTestLoader
    if kind in ("own", "alone"):
        sys.path.insert(0, HERE)
        return loader.loadTestsFromNames(arguments)
    alias_the_modules()
    if kind == "cpython":
        return loader.loadTestsFromNames("test." + name for name in arguments)
    return loader.loadTestsFromModule(load_of_311(*arguments))


def main():
    if sys.argv[1] != "alone":
        refuse_the_modules_of_cpython()
    result = unittest.TextTestRunner(verbosity=1).run(tests(*sys.argv[1:]))
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    skipped = len(result.skipped)
    print("\n%d passed, %d failed, %d skipped" % (max(result.testsRun - failed - skipped, 0), failed, skipped))
    sys.stdout.flush()
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
