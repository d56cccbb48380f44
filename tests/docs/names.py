"""Checks the tables of docs/porting/names.md.

    names.py PAGE LIST COMPILER...
    names.py --write LIST

LIST has every name that CPython's asyncore and asynchat define: of the modules, of their classes, and what their
methods set on self.  Where this is Python 3.11, LIST itself is checked against them.  PAGE has a table under a heading
for each module and class, with a row for each name.  The names in the second column must exist in C++: COMPILER
compiles a program that has a using-declaration for each.
"""

import errno
import importlib
import inspect
import pathlib
import re
import sys
import types
import warnings

from compiler import compiled

MODULES = "asyncore", "asynchat"
warnings.simplefilter("ignore", DeprecationWarning)


def is_own(module, name):
    """Whether the module defines the name, which is neither imported nor a text or a number."""
    value = getattr(module, name)
    imported = isinstance(value, (types.ModuleType, str, int)) or value is errno.errorcode
    return not imported and not name.startswith("__") and getattr(value, "__module__", module.__name__) == module.__name__


def names_of_class(class_):
    """The names that a class defines, and those that its methods set on self."""
    defined = [name for name in vars(class_) if not name.startswith("__") or name == "__repr__"]
    return dict.fromkeys([*defined, *re.findall(r"self\.(\w+) = ", inspect.getsource(class_))])


def names_in(module):
    """Yields (where, name)."""
    for name in filter(lambda name: is_own(module, name), dir(module)):
        yield module.__name__, name
    for name, value in vars(module).items():
        if inspect.isclass(value) and is_own(module, name) and not issubclass(value, Exception):
            yield from ((f"{module.__name__}.{name}", each) for each in names_of_class(value))


def names_in_page(text):
    """Yields (where, name, the C++ cell) of each row of a table of names."""
    where = None
    for line in text.splitlines():
        if heading := re.match(r"#+ `((?:asyncore|asynchat)[\w.]*)`$", line):
            where = heading.group(1)
        elif line.startswith("#"):
            where = None
        elif where and (row := re.match(r"\| (`.*?`) \| (.*?) \|", line)):
            for name in re.findall(r"`(\w+)", row.group(1)):
                yield where, name, row.group(2)


def program(rows):
    """A program that compiles only where each name that begins a C++ cell exists."""
    lines = ["#include <asynchat/asynchat.hpp>", "#include <asyncore/asyncore.hpp>"]
    for number, (where, name, cell) in enumerate(rows):
        scope = "::".join(where.split("."))
        known = " ".join(f"using {scope}::{member};" for member in re.findall(r"`(\w+).*?`", cell))
        lines.append(f"struct n{number} : {scope} {{ {known} }};" if "." in where else f"namespace n{number} {{ {known} }}")
        lines[-1] += f"  // {name}"
    return "\n".join([*lines, "int main() {}", ""])


def compare(what, missing, unknown):
    for each in missing:
        print(what, "lacks", *each)
    for each in unknown:
        print(what, "has", *each, "and CPython does not have it")
    return not missing and not unknown


def main(page, list_, *compiler):
    known = sys.version_info[:2] == (3, 11)
    if page == "--write":
        pathlib.Path(list_).write_text("".join(
            f"{where} {name}\n" for module in map(importlib.import_module, MODULES) for where, name in names_in(module)))
        return 0
    wanted = {tuple(line.split()) for line in pathlib.Path(list_).read_text().splitlines()}
    good = True
    if known:
        source = {each for module in map(importlib.import_module, MODULES) for each in names_in(module)}
        good &= compare("the list", source - wanted, wanted - source)
    print("CPython 3.11 is", "at hand" if known else "not at hand: the list stands alone")
    rows = list(names_in_page(pathlib.Path(page).read_text()))
    in_page = {(where, name) for where, name, _ in rows}
    good &= compare("the page", wanted - in_page, in_page - wanted)
    good &= compiled("names", program(rows), compiler) is not None
    print(f"{len(in_page & wanted)} of {len(wanted)} names")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
