"""The twin of conformance/replay.py that runs on the modules under test, on the mechanism ASYNCORE_POLLER."""

import os
import socket
import sys

import asyncore

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "conformance"))
import replay  # noqa: E402


def refuse_what_does_not_exist():
    """A mechanism that this system has not must not be taken for one that passed."""
    if not hasattr(asyncore, "_asyncore"):
        sys.exit("%s is not the module under test" % asyncore.__file__)
    one, other = socket.socketpair()
    with one, other:
        channels = {}
        asyncore.dispatcher(one, channels)
        try:
            asyncore.poll2(0, channels)
        except ValueError as error:
            sys.exit(str(error))


refuse_what_does_not_exist()
sys.exit(replay.main(sys.argv[1:]))
