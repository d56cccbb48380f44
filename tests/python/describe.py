"""Prints, as JSON, what the modules asyncore and asynchat of the Python that runs this look like from outside."""

import inspect
import json
import types
import warnings

warnings.simplefilter("ignore")
import asynchat  # noqa: E402
import asyncore  # noqa: E402

OF_EVERY_CLASS = {"__module__", "__dict__", "__weakref__", "__doc__", "__firstlineno__", "__static_attributes__"}


def describe(value):
    if isinstance(value, types.ModuleType):
        return "module " + value.__name__
    if inspect.isclass(value):
        if value.__module__ not in ("asyncore", "asynchat"):
            return "class " + value.__name__
        members = {name: describe(member) for name, member in vars(value).items() if name not in OF_EVERY_CLASS}
        return {"bases": [base.__name__ for base in value.__mro__], "members": members}
    if inspect.isfunction(value):
        return "function " + str(inspect.signature(value))
    if isinstance(value, (frozenset, set)):
        return "%s %s" % (type(value).__name__, sorted(map(repr, value)))
    if callable(value):
        return "callable"
    return "%s %r" % (type(value).__name__, value)


def describe_module(module):
    return {name: describe(value) for name, value in vars(module).items() if not name.startswith("__")}


if __name__ == "__main__":
    print(json.dumps({module.__name__: describe_module(module) for module in (asyncore, asynchat)}))
