"""The command line: what is read, printed and written."""
import argparse
import sys
from pathlib import Path

from .facts import read_source
from .lexer import SourceError
from .report import report
from .writer import Writer


def arguments_of(words):
    parser = argparse.ArgumentParser(prog="skeleton.py", description="Says what a port of a Python server needs, and "
                                     "writes a C++ skeleton of it.  docs/porting/skeleton.md says more.")
    parser.add_argument("server", nargs="+", metavar="SERVER.py", help="a source of Python 2 or 3")
    parser.add_argument("-o", "--output", default=".", metavar="FILE|FOLDER",
                        help="where the skeleton goes: a file, a folder, or - for the standard output (default: this folder)")
    parser.add_argument("--report-only", action="store_true", help="write no skeleton")
    parser.add_argument("--force", action="store_true", help="overwrite a skeleton that exists")
    return parser.parse_args(words)


def output_of(server, output, several):
    """Where the skeleton of a source goes."""
    path = Path(output)
    if path.is_dir() or several or output.endswith("/"):
        return path / (Path(server).stem + ".cpp")
    return path


class Refusal(Exception):
    """Why nothing is written."""


def read(server):
    try:
        source = read_source(server)
    except SourceError as error:
        raise Refusal(f"{server}:{error.line}: {error.message}") from None
    except OSError as error:
        raise Refusal(f"{server}: {error.strerror}") from None
    except RecursionError:
        raise Refusal(f"{server}: it is nested too deeply") from None
    if not source.classes and not source.functions and not source.main and not source.imports:
        raise Refusal(f"{server}:1: no class, no function and no import: there is nothing to port")
    return source


def check_output(path, force):
    if path.exists() and not force:
        raise Refusal(f"{path}: it exists, and is not overwritten without --force")
    if not path.parent.is_dir():
        raise Refusal(f"{path.parent}: no such folder")


def run(given):
    to_stdout = given.output == "-"
    several = len(given.server) > 1
    sources = [read(server) for server in given.server]
    outputs = [] if given.report_only or to_stdout else [output_of(each, given.output, several) for each in given.server]
    if len(set(outputs)) < len(outputs):
        raise Refusal("two of the sources have the same name")
    for path in outputs:
        check_output(path, given.force)
    for index, source in enumerate(sources):
        python_2 = source.is_python_2()
        print(report(source, python_2), file=sys.stderr if to_stdout else sys.stdout, end="")
        if given.report_only:
            continue
        text = Writer(source, python_2).text()
        if to_stdout:
            print(text, end="")
        else:
            outputs[index].write_text(text, encoding="utf-8")
            print(f"\nwritten: {outputs[index]}")


def main(words):
    """Returns: the exit status: 2 if nothing was written."""
    given = arguments_of(words)
    try:
        run(given)
    except Refusal as refusal:
        print(f"skeleton.py: {refusal}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"skeleton.py: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return 0
