"""Puts folders before the standard library on sys.path; asyncore_cpp.pth calls it when Python starts.

Python 3.11 has an asyncore and an asynchat of its own, and the standard library stands before site-packages on
sys.path.  So a wheel for 3.11 has its two modules in a folder of their own, which takes the place just before the
standard library.  The folder of the program and those of PYTHONPATH stand before it, as they do before the standard
library: a program that brings an asyncore.py of its own keeps it.

`python -S` reads no .pth file, and then 3.11 imports its own modules.  `python -I` reads them.
"""

import os
import sys

_of_the_library = os.path.dirname(os.__file__)
_as_archive = os.path.join(sys.base_prefix, sys.platlibdir, "python%d%d.zip" % sys.version_info[:2])


def go_before_the_standard_library(*folders):
    folders = folders or (os.path.join(os.path.dirname(os.path.abspath(__file__)), "instead"),)
    at = next((i for i, path in enumerate(sys.path) if path in (_of_the_library, _as_archive)), 0)
    sys.path[at:at] = [folder for folder in folders if folder not in sys.path]
