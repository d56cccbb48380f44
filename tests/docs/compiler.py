"""Compiles a program, and keeps it in the folder programs/ until a part of it changes."""
import fcntl
import functools
import glob
import hashlib
import os
import pathlib
import subprocess


def state_of(code, command):
    """A digest of all parts of a program: its text, the command, and each file that the command names or may include."""
    files = [word for word in command if os.path.isfile(word)]
    for word in command:
        if word.startswith("-I"):
            for depth in "/*.hpp", "/*/*.hpp", "/*/*/*.hpp":
                files += sorted(glob.glob(word[2:] + depth))
    state = hashlib.sha256("\0".join([code, *command]).encode())
    for file in files:
        state.update(pathlib.Path(file).read_bytes())
    return state.hexdigest()[:16]


@functools.cache
def with_precompiled_headers(compiler):
    """The command with a folder in which g++ looks for headers first: it has the library's two, precompiled.  g++ takes
    such a header where a program includes it before any other, as most programs do, so the program means the same, and
    takes a fifth of the time."""
    if any("clang" in word for word in compiler):
        return compiler
    folder = pathlib.Path("precompiled-" + state_of("", compiler)).absolute()
    at = next(index for index, word in enumerate(compiler) if word.startswith("-I"))
    with open("precompiled.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests of several documents may run at once
        for header in "asyncore/asyncore.hpp", "asynchat/asynchat.hpp":
            made = folder / (header + ".gch")
            if not made.exists():
                made.parent.mkdir(parents=True, exist_ok=True)
                source = compiler[at][2:] + "/" + header
                subprocess.run([*compiler, "-w", "-x", "c++-header", source, "-o", f"{made}.part"], check=True)
                os.rename(f"{made}.part", made)
    return (*compiler[:at], f"-I{folder}", *compiler[at:])


def compiled(label, code, compiler, libraries=()):
    """The path of the program; or None, where it does not compile and the compiler's messages were printed.  The program
    replaces an earlier program of the same label."""
    folder = pathlib.Path("programs")
    folder.mkdir(exist_ok=True)
    program = folder / f"{label}-{state_of(code, [*compiler, *libraries])}"
    if program.exists():
        return program
    for earlier in folder.glob(f"{label}-????????????????*"):
        earlier.unlink()
    source = folder / f"{program.name}.cpp"
    source.write_text(code)
    command = with_precompiled_headers(tuple(compiler))
    done = subprocess.run([*command, str(source), "-o", str(program), *libraries],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, end="")
    return program if done.returncode == 0 else None
