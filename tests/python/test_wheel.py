"""pip makes a wheel without a network, and installs it; then Python imports these modules, and not its own.

Each class has a virtual environment.  ASYNCORE_WHEEL_BUILD names a build folder that stays from one test to the next.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.join(os.path.dirname(os.path.dirname(HERE)), "asyncore", "python")
HIDDEN = sys.version_info < (3, 12)  # the standard library has modules of these names
WHERE = "import asyncore, asynchat, _asyncore as c; print(asyncore.__file__, asynchat.__file__, c.__file__, sep='\\n')"
EXTENSION = """
#include <asyncore/channel_map.hpp>
#include <asyncore/python/mirror.hpp>
namespace {
PyObject* size_of(PyObject*, PyObject* dict) {
    auto* const found = asyncore::python::mirror::find(dict);
    return PyLong_FromLong(found ? static_cast<long>(found->size()) : -1);
}
PyMethodDef methods[] = {{"size_of", size_of, METH_O, nullptr}, {nullptr, nullptr, 0, nullptr}};
PyModuleDef definition = {PyModuleDef_HEAD_INIT, "seen", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};
}
PyMODINIT_FUNC PyInit_seen() { return PyModule_Create(&definition); }
"""
USES_EXTENSION = """
import asyncore, socket, seen
one, other = socket.socketpair()
asyncore.dispatcher(one)
asyncore.poll(0)
print(seen.size_of(asyncore.socket_map), seen.size_of({}))
"""


def call(*command, **how):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment.update(how.pop("environment", {}))
    return subprocess.run([str(word) for word in command], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **how)


class Environment(unittest.TestCase):
    """A virtual environment with the modules."""

    options = ()

    @classmethod
    def setUpClass(cls):
        if cls is Environment:
            raise unittest.SkipTest("the base of the other classes")
        cls.holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.holder.cleanup)
        cls.folder = cls.holder.name
        cls.python = os.path.join(cls.folder, "venv", "bin", "python")
        made = call(sys.executable, "-m", "venv", os.path.join(cls.folder, "venv"))
        if made.returncode:
            raise unittest.SkipTest("this Python makes no virtual environments: " + made.stdout[-300:])
        installed = cls.install(*cls.options, PROJECT)
        if installed.returncode:
            raise AssertionError(installed.stdout[-5000:])

    @classmethod
    def install(cls, *arguments, **how):
        build = os.environ.get("ASYNCORE_WHEEL_BUILD")
        settings = ["--config-settings", "builddir=" + build] if build else []
        return call(cls.python, "-m", "pip", "install", "--no-index", *settings, *arguments, **how)

    def run_python(self, *arguments, **how):
        how.setdefault("cwd", self.folder)
        done = call(self.python, *arguments, **how)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout.splitlines()

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path


class Wheel(Environment):

    def assert_ours(self, lines):
        for line in lines[-3:]:
            self.assertIn("site-packages", line)
            self.assertTrue(line.startswith(self.folder), line)

    def test_a_program_imports_ours(self):
        program = self.write("program.py", WHERE)
        package = self.write("package/__main__.py", WHERE)
        self.assert_ours(self.run_python("-c", WHERE))
        self.assert_ours(self.run_python(program))
        self.assert_ours(self.run_python(program, cwd="/"))
        self.assert_ours(self.run_python("-m", "program"))
        self.assert_ours(self.run_python("-m", "package"))
        self.assert_ours(self.run_python(os.path.dirname(package)))

    def test_isolated_python_imports_ours(self):
        self.assert_ours(self.run_python("-I", "-c", WHERE))
        self.assert_ours(self.run_python("-s", "-E", "-c", WHERE))

    def test_python_without_site_does_not(self):
        done = call(self.python, "-S", "-W", "ignore", "-c", "import asyncore; print(asyncore.__file__)", cwd="/")
        if HIDDEN:
            self.assertEqual(done.stdout.strip(), os.path.join(os.path.dirname(os.__file__), "asyncore.py"))
        else:
            self.assertIn("ModuleNotFoundError", done.stdout)

    def test_an_asyncore_of_the_program_comes_before_ours(self):
        self.write("own/asyncore.py", "mine = True\n")
        program = self.write("own/program.py", "import asyncore; print(asyncore.mine)")
        self.assertEqual(self.run_python(program), ["True"])
        self.assertEqual(self.run_python("-m", "program", cwd=os.path.dirname(program)), ["True"])
        path = {"PYTHONPATH": os.path.dirname(program)}
        self.assertEqual(self.run_python("-c", "import asyncore; print(asyncore.mine)", environment=path), ["True"])

    def test_the_rest_of_the_standard_library_is_still_before_site_packages(self):
        path = self.run_python("-c", "import sys; print(*sys.path, sep='\\n')")
        library = path.index(os.path.dirname(os.__file__))
        packages = [line for line in path if line.endswith("site-packages")]
        self.assertTrue(all(path.index(each) > library for each in packages), path)

    def test_pip_knows_what_is_installed(self):
        lines = self.run_python("-m", "pip", "show", "--files", "asyncore-cpp")
        self.assertIn("Name: asyncore-cpp", lines)
        for name in "asyncore.py", "asynchat.py":
            self.assertIn("  " + ("asyncore_cpp/instead/" if HIDDEN else "") + name, lines)
        self.assertIn("  _asyncore" + sysconfig.get_config_var("EXT_SUFFIX"), lines)
        self.assertIn("  asyncore_cpp/libasyncore-python.so", lines)
        self.assertIn("  asyncore_cpp/include/asyncore/python/object.hpp", lines)
        self.assertEqual("  asyncore_cpp.pth" in lines, HIDDEN)
        self.assertEqual(self.run_python("-m", "pip", "check"), ["No broken requirements found."])
        info = next(line.strip() for line in lines if line.endswith("dist-info/WHEEL"))
        packages = self.run_python("-c", "import sysconfig; print(sysconfig.get_path('purelib'))")[0]
        with open(os.path.join(packages, info)) as file:
            tag = "cp%d%d" % sys.version_info[:2]
            self.assertRegex(file.read(), r"Tag: %s-%s-linux_\w+\n" % (tag, tag))

    def test_an_extension_of_the_user_sees_the_same_maps(self):
        source = self.write("seen.cpp", EXTENSION)
        words = self.run_python("-m", "asyncore_cpp")[0].split()
        target = os.path.join(self.folder, "seen" + sysconfig.get_config_var("EXT_SUFFIX"))
        done = call("c++", "-std=c++20", "-shared", "-fPIC", source, *words, "-o", target)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.run_python("-c", USES_EXTENSION), ["1 -1"])

    def test_uninstalling_gives_back_what_was(self):
        self.run_python("-m", "pip", "uninstall", "--yes", "asyncore-cpp")
        done = call(self.python, "-W", "ignore", "-c", "import asyncore; print(asyncore.__file__)", cwd="/")
        self.assertNotIn("site-packages", done.stdout.splitlines()[-1])
        self.assertEqual(done.returncode == 0, HIDDEN)
        self.assertEqual(self.install(PROJECT).returncode, 0)
        self.assert_ours(self.run_python("-c", WHERE))


class Editable(Environment):

    options = ("--editable",)

    def test_python_imports_the_sources(self):
        lines = self.run_python("-c", WHERE)
        self.assertEqual(lines[0], os.path.join(PROJECT, "asyncore.py"))
        self.assertIn("site-packages", lines[2])
        self.run_python("-c", "import asyncore_cpp; print(asyncore_cpp.arguments())")


class Missing(unittest.TestCase):

    def test_tools_are_named(self):
        program = "import sys; sys.path.insert(0, %r); import asyncore_wheel; asyncore_wheel.check_tools()" % \
            os.path.join(PROJECT, "build_backend")
        done = call(sys.executable, "-c", program, environment={"PATH": "/nonexistent"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("please install meson, ninja, a C++ compiler (Debian: apt-get install", done.stdout)


if __name__ == "__main__":
    unittest.main()
