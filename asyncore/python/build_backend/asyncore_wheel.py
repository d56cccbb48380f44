"""Makes a wheel of the modules asyncore and asynchat: what pip calls, by PEP 517 and PEP 660.

It needs no package and no network, but a C++20 compiler, Meson and Ninja.  The wheel has

    asyncore.py, asynchat.py       on Python 3.11 in the folder asyncore_cpp/instead/
    _asyncore.*.so                 the extension module that they import
    asyncore_cpp/                  libasyncore-python.so, and the headers for extension modules of C++
    asyncore_cpp.pth               only on Python 3.11

PYTHON 3.11 HAS MODULES OF THESE NAMES, and its standard library stands before site-packages on sys.path.  There the
.pth file changes sys.path when Python starts, for every program of the environment that the wheel is installed in:
asyncore_cpp/precedence.py says how.  Install it into a virtual environment if the others are not to be changed.
"""

import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent.parent
ROOT = HERE.parent.parent
NAME = "asyncore_cpp"
MODULES = (ROOT / "asyncore" / "python" / "asyncore.py", ROOT / "asynchat" / "python" / "asynchat.py")
OLDEST, NEWEST = (3, 11), (3, 13)
HIDDEN_BY_THE_LIBRARY = sys.version_info < (3, 12)  # the standard library has modules of these names


# -- the hooks that pip calls -----------------------------------------------------------------------

def get_requires_for_build_wheel(config_settings=None):
    check_tools()
    return []


get_requires_for_build_editable = get_requires_for_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    folder = NAME + "/instead/" if HIDDEN_BY_THE_LIBRARY else ""
    files = {folder + path.name: path.read_bytes() for path in MODULES}
    return write_wheel(wheel_directory, files, [] if HIDDEN_BY_THE_LIBRARY else None, config_settings)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """Python imports asyncore.py and asynchat.py from where they are.  What is C++ is installed, as by build_wheel."""
    return write_wheel(wheel_directory, {}, [str(path.parent) for path in MODULES], config_settings)


def build_sdist(sdist_directory, config_settings=None):
    raise SystemExit("asyncore-cpp: there is no source distribution; install it from the folder of the project")


# -- the build --------------------------------------------------------------------------------------

def check_tools():
    if sys.implementation.name != "cpython" or not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise SystemExit("asyncore-cpp: CPython %d.%d to %d.%d is needed, and this is %s"
                         % (*OLDEST, *NEWEST, sys.version))
    if not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")):
        raise SystemExit("asyncore-cpp: there is no Python.h in %s; Debian has it in the package python3-dev"
                         % sysconfig.get_path("include"))
    missing = [tool for tool in ("meson", "ninja") if not shutil.which(tool)]
    if not any(shutil.which(tool) for tool in (os.environ.get("CXX", "c++").split()[0], "g++", "clang++")):
        missing.append("a C++ compiler")
    if missing:
        raise SystemExit("asyncore-cpp: please install %s (Debian: apt-get install g++ meson ninja-build)"
                         % ", ".join(missing))


def run(*command):
    # pip tells its own Python, by these variables, where to look for modules.  Meson is another program.
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("PYTHONPATH", "PYTHONNOUSERSITE", "PYTHONHOME")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit("asyncore-cpp: %s failed:\n%s" % (" ".join(command), (done.stdout + done.stderr)[-10_000:]))
    return done.stdout


def install(staged, build):
    """Builds in the folder `build`, and installs all of the project below the folder `staged`."""
    if not os.path.exists(os.path.join(build, "build.ninja")):
        run("meson", "setup", build, str(ROOT), "--prefix=/", "--libdir=lib", "--includedir=include",
            "--buildtype=release", "-Dprograms=false", "-Dstrip=true", "-Dpython=" + sys.executable)
    run("ninja", "-C", build)
    run("meson", "install", "-C", build, "--no-rebuild", "--destdir", str(staged))


def compiled_files(build):
    """What the wheel has beside the modules, by name."""
    with tempfile.TemporaryDirectory() as folder:
        staged = pathlib.Path(folder, "staged")
        install(staged, build or os.path.join(folder, "build"))
        files = {path.name: path.read_bytes() for path in staged.glob("_asyncore.*.so")}
        for path in (staged / NAME).glob("*.so*"):
            files["%s/%s" % (NAME, path.name)] = path.read_bytes()
        headers = staged / "include" / "asyncore-cpp"
        for path in headers.rglob("*.hpp"):
            files["%s/include/%s" % (NAME, path.relative_to(headers).as_posix())] = path.read_bytes()
    for path in (HERE / NAME).glob("*.py"):
        files["%s/%s" % (NAME, path.name)] = path.read_bytes()
    return files


# -- the wheel --------------------------------------------------------------------------------------

def version():
    project = run("meson", "introspect", "--projectinfo", str(ROOT / "meson.build"))
    return json.loads(project)["version"]


def tag():
    version = "cp%d%d" % sys.version_info[:2]
    return "%s-%s-%s" % (version, version, sysconfig.get_platform().replace("-", "_").replace(".", "_"))


def pth(folders):
    return "import asyncore_cpp.precedence as p; p.go_before_the_standard_library(%s)\n" % ", ".join(map(repr, folders))


def metadata(number):
    return ("Metadata-Version: 2.1\nName: asyncore-cpp\nVersion: %s\n"
            "Summary: Python's asyncore and asynchat, on the loop of a C++ library\nLicense: MIT\n"
            "Requires-Python: >=%d.%d,<%d.%d\n" % (number, *OLDEST, NEWEST[0], NEWEST[1] + 1))


def record_line(name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return "%s,sha256=%s,%d\n" % (name, digest, len(data))


def write_wheel(directory, files, folders, config_settings):
    """Writes a wheel with `files` and what is compiled, and returns its name.  The .pth file puts `folders` before the
    standard library; None: there is no such file.  `pip install --config-settings builddir=FOLDER` keeps the build."""
    check_tools()
    number = version()
    info = "%s-%s.dist-info" % (NAME, number)
    files = {**files, **compiled_files((config_settings or {}).get("builddir"))}
    if folders is not None:
        files[NAME + ".pth"] = pth(folders).encode()
    files[info + "/METADATA"] = metadata(number).encode()
    files[info + "/LICENSE"] = (ROOT / "LICENSE").read_bytes()
    files[info + "/WHEEL"] = ("Wheel-Version: 1.0\nGenerator: asyncore_wheel\nRoot-Is-Purelib: false\nTag: %s\n"
                              % tag()).encode()
    record = "".join(record_line(name, data) for name, data in files.items()) + info + "/RECORD,,\n"
    files[info + "/RECORD"] = record.encode()
    name = "%s-%s-%s.whl" % (NAME, number, tag())
    with zipfile.ZipFile(os.path.join(directory, name), "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            mode = 0o755 if ".so" in path else 0o644
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return name
