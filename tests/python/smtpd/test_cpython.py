"""CPython 3.11's test_smtpd, with the SMTPChannel of C++ in the place of Python's; the servers stay Python.

The file cannot_pass.txt has each test that asks for what a class of C++ cannot give, and why.
"""

import os
import unittest

import counted
import half_ported

HERE = os.path.dirname(os.path.abspath(__file__))


def cannot_pass():
    with open(os.path.join(HERE, "cannot_pass.txt")) as file:
        return dict(line.strip().split(": ", 1) for line in file)


def each_test(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each_test(test)
        else:
            yield test


def name_of(test):
    return "%s.%s" % (type(test).__name__, test._testMethodName)


def load_tests(loader, own, pattern):
    half_ported.port(["SMTPChannel"])
    module = counted.load_of_311(os.environ["ASYNCORE_PYTHON_311"], "test_smtpd", smtpd_is_loaded=True)
    tests = list(each_test(loader.loadTestsFromModule(module)))
    listed = cannot_pass()
    unknown = listed.keys() - {name_of(test) for test in tests}
    if unknown:
        raise ValueError("cannot_pass.txt lists tests that do not exist: %s" % sorted(unknown))
    for test in tests:
        test.__unittest_expecting_failure__ = name_of(test) in listed
    return unittest.TestSuite([*tests, *each_test(own)])


class Ported(unittest.TestCase):

    def test_the_class_is_that_of_cpp(self):
        import smtpd
        import smtpd_cpp
        self.assertIs(smtpd.SMTPServer.channel_class, smtpd_cpp.SMTPChannel)
        self.assertIs(smtpd.SMTPChannel, smtpd_cpp.SMTPChannel)
