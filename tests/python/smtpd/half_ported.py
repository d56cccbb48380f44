"""Puts classes of C++ in the place of those of CPython's smtpd.

`ported` names the classes: "SMTPChannel", "SMTPServer".  The module smtpd_cpp has them.
"""

import os
import sys
import warnings

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS)
from counted import library_of, load  # noqa: E402

warnings.simplefilter("ignore", DeprecationWarning)


def import_smtpd():
    """CPython's smtpd, which is that of CPython 3.11 if this is a later version."""
    if sys.version_info < (3, 12):
        import smtpd
        return smtpd
    warnings._deprecated = lambda *_, **__: None
    return load("smtpd", os.path.join(library_of(os.environ["ASYNCORE_PYTHON_311"]), "smtpd.py"))


def port(ported):
    """Returns smtpd, of which these classes are C++."""
    smtpd = import_smtpd()
    if not ported:
        return smtpd
    import smtpd_cpp
    for name in ported:
        setattr(smtpd, name, getattr(smtpd_cpp, name))
    smtpd.SMTPServer.channel_class = smtpd.SMTPChannel
    return smtpd


def main(ported, *words):
    """Runs the server of tests/smtpd/server.py, unchanged, with these classes of C++: "SMTPChannel,SMTPServer"."""
    port(ported.split(",") if ported else [])
    load("server", os.path.join(os.path.dirname(TESTS), "smtpd", "server.py")).main(*words)


if __name__ == "__main__":
    main(*sys.argv[1:])
