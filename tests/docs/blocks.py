"""Compiles and runs every code block of a document.

    blocks.py FILE.md COMPILER... -- LIBRARY...

A ```cpp block is a whole program.  It is compiled with COMPILER (the command with its flags), linked to the libraries,
and run; it must exit with 0.  A ```python block is run with this interpreter, where the interpreter has asyncore.  A
block that is only indented, or that begins with ```text, ```console, ```sh or ```diff, is not run.  Any other fence is
an error, so that no block is left out by mistake.
"""
import importlib.util
import pathlib
import re
import subprocess
import sys

from compiler import compiled

NOT_RUN = {"text", "console", "sh", "diff"}


def blocks(text):
    """Yields (line number, language, code) of each fenced block.  An indented fence, or a block without an end, is an
    error."""
    language, start, code = None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```") and not line.startswith("```"):
            raise ValueError(f"line {number}: an indented fence")
        if not line.startswith("```"):
            code.append(line)
        elif language is None:
            language, start, code = line[3:].strip(), number, []
        else:
            yield start, language, "\n".join(code) + "\n"
            language = None
    if language is not None:
        raise ValueError(f"line {start}: a block without an end")


def run(command, where):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        print(f"{where}: exit status {done.returncode}\n{done.stdout}")
    return done.returncode == 0


def check_cpp(code, where, compiler):
    at = compiler.index("--")
    program = compiled(where.replace(":", "-"), code, compiler[:at], compiler[at + 1:])
    if program is None:
        print(f"{where}: does not compile")
        return False
    return run([str(program)], where)


def check_python(code, where):
    if importlib.util.find_spec("asyncore") is None and re.search("asyncore|asynchat", code):
        print(f"{where}: not run, this Python has no asyncore")
        return None
    return run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", code], where)


def main(document, compiler):
    results = []
    for line, language, code in blocks(document.read_text()):
        where = f"{document.name}:{line}"
        if language == "cpp":
            results.append(check_cpp(code, where, compiler))
        elif language == "python":
            results.append(check_python(code, where))
        elif language not in NOT_RUN:
            print(f"{where}: ```{language} is no language that a block may have")
            results.append(False)
    counts = results.count(True), results.count(False), results.count(None)
    print("%d passed, %d failed, %d skipped" % counts)
    return 1 if counts[1] else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2:]))
