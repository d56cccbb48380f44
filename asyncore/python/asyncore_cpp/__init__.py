"""What an extension module of C++ needs, to put its classes into the loop of the modules asyncore and asynchat.

    c++ -std=c++20 -shared -fPIC handler.cpp $(python3 -m asyncore_cpp) -o handler$(python3-config --extension-suffix)
"""

import os
import sysconfig

_here = os.path.dirname(os.path.abspath(__file__))


def include_folder():
    """The folder of <asyncore/dispatcher.hpp>, <asyncore/python/object.hpp> and the like."""
    return os.path.join(_here, "include")


def library_folder():
    """The folder of libasyncore-python.so.  Every extension module of a process must use the same one."""
    return _here


def arguments():
    """What a compiler is told, as a list of words."""
    return ["-I" + include_folder(), "-isystem", sysconfig.get_path("include"), "-L" + library_folder(),
            "-Wl,-rpath," + library_folder(), "-lasyncore-python"]
