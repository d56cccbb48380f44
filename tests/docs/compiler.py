"""Compiles a program, and keeps it in the folder programs/ until a part of it changes."""
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
    done = subprocess.run([*compiler, str(source), "-o", str(program), *libraries],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout, end="")
    return program if done.returncode == 0 else None
