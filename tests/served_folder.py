"""Tests of a server that serves a folder: one server for each class of tests."""

import os
import tempfile
import unittest


class ServedFolder(unittest.TestCase):
    """The server has the folder `root`.  What stands beside the folder must never be served.

    A class derived from this one has FOLDER, its name; FILES, what is in it, beside hello.txt; and start(*options), which
    returns a server for `root`."""

    OPTIONS = ()  # of the server that the tests share

    @classmethod
    def setUpClass(cls):
        cls.base = cls.entered(tempfile.TemporaryDirectory())
        cls.root = os.path.join(cls.base, cls.FOLDER)
        cls.write("../secret.txt", b"SECRET")
        cls.write("../%s-secret/secret.txt" % cls.FOLDER, b"SECRET")
        cls.write("hello.txt", b"hello, world\n")
        for path, data in cls.FILES.items():
            cls.write(path, data)
        cls.make_files()
        cls.server = cls.entered(cls.start(*cls.OPTIONS))

    @classmethod
    def entered(cls, manager):  # unittest has enterClassContext() from 3.11 on
        cls.addClassCleanup(manager.__exit__, None, None, None)
        return manager.__enter__()

    @classmethod
    def make_files(cls):
        pass

    @classmethod
    def path(cls, path):
        return os.path.join(os.fsencode(cls.root), os.fsencode(path))

    @classmethod
    def write(cls, path, data):
        os.makedirs(os.path.dirname(cls.path(path)), exist_ok=True)
        with open(cls.path(path), "wb") as file:
            file.write(data)
