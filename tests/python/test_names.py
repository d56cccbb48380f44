"""Names, signatures, defaults and class attributes are those of CPython 3.11."""

import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
NOT_PROMISED = {"_DEPRECATION_MSG", "_deprecated"}  # what 3.11 warns of its own modules with


def description(python, **environment):
    done = subprocess.run([python, os.path.join(HERE, "describe.py")], capture_output=True, text=True, check=True,
                          env={**os.environ, **environment})
    return json.loads(done.stdout)


def differences(place, theirs, ours):
    """Yields a line for each name of CPython's that is another here, and each new name that does not look like one."""
    for name, value in theirs.items():
        if name in NOT_PROMISED:
            continue
        if name not in ours:
            yield "%s.%s is missing" % (place, name)
        elif isinstance(value, dict) and isinstance(ours[name], dict):
            yield from differences("%s.%s" % (place, name), value, ours[name])
        elif value != ours[name]:
            yield "%s.%s: %s, and here %s" % (place, name, value, ours[name])
    for name in ours.keys() - theirs.keys():
        if not name.startswith("_") and not name.endswith("_"):
            yield "%s.%s is new" % (place, name)


class Names(unittest.TestCase):

    maxDiff = None

    @unittest.skipUnless("ASYNCORE_PYTHON_311" in os.environ, "there is no CPython 3.11 here with modules of its own")
    def test_all_are_those_of_cpython(self):
        theirs = description(os.environ["ASYNCORE_PYTHON_311"], PYTHONPATH="")
        ours = description(sys.executable)
        self.assertNotIn("_asyncore", theirs["asyncore"])
        self.assertIn("_asyncore", ours["asyncore"])
        found = [line for module in theirs for line in differences(module, theirs[module], ours[module])]
        self.assertEqual(found, [])

    def test_a_difference_is_seen(self):
        theirs = {"a": "function (x)", "c": {"members": {"n": "int 1"}}, "gone": "int 2"}
        ours = {"a": "function (y)", "c": {"members": {"n": "int 3"}}, "more": "int 4", "more_": "int 5"}
        self.assertEqual(len(list(differences("m", theirs, ours))), 4)
