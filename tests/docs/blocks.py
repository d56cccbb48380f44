"""blocks.py FILE.md COMPILER... -- LIBRARY... : compiles and runs every code block of a document.

A ```cpp block is a whole program: it is compiled with COMPILER (the command with its flags), linked to the
libraries, run, and must exit with 0.  A ```python block is run with this interpreter, where that has asyncore.  A
block that is only indented, or says ```text, ```console or ```sh, is not code to be run.  Any other
fence is an error, so that nothing is passed over in silence.
"""
import importlib.util
import pathlib
import re
import subprocess
import sys
import tempfile

NOT_RUN = {"text", "console", "sh", "diff"}


def blocks(text):
    """Yields (line number, language, code) of each fenced block."""
    language, start, code = None, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("```"):
            code.append(line)
        elif language is None:
            language, start, code = line[3:].strip(), number, []
        else:
            yield start, language, "\n".join(code) + "\n"
            language = None


def run(command, where):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300)
    if done.returncode != 0:
        print(f"{where}: exit status {done.returncode}\n{done.stdout}")
    return done.returncode == 0


def check_cpp(code, where, compiler, folder):
    source, program = folder / "block.cpp", folder / "block"
    source.write_text(code)
    at = compiler.index("--")
    command = [*compiler[:at], str(source), "-o", str(program), *compiler[at + 1:]]
    return run(command, where) and run([str(program)], where)


def check_python(code, where, folder):
    if importlib.util.find_spec("asyncore") is None and re.search("asyncore|asynchat", code):
        print(f"{where}: not run, this Python has no asyncore")
        return None
    source = folder / "block.py"
    source.write_text(code)
    return run([sys.executable, "-W", "ignore::DeprecationWarning", str(source)], where)


def main(document, compiler):
    results = []
    with tempfile.TemporaryDirectory() as name:
        for line, language, code in blocks(document.read_text()):
            where = f"{document.name}:{line}"
            if language == "cpp":
                results.append(check_cpp(code, where, compiler, pathlib.Path(name)))
            elif language == "python":
                results.append(check_python(code, where, pathlib.Path(name)))
            elif language not in NOT_RUN:
                print(f"{where}: what is ```{language}?")
                results.append(False)
    counts = results.count(True), results.count(False), results.count(None)
    print("%d passed, %d failed, %d skipped" % counts)
    return 1 if counts[1] else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2:]))
