"""A corpus in one file: each line is an input, in hexadecimal, and the lines are sorted.

    corpus.py unpack FILE FOLDER    writes the files that libFuzzer reads
    corpus.py pack FOLDER FILE      writes the one file
"""

import pathlib
import sys


def unpack(file, folder):
    for number, line in enumerate(pathlib.Path(file).read_text().splitlines()):
        (pathlib.Path(folder) / str(number)).write_bytes(bytes.fromhex(line))


def pack(folder, file):
    inputs = sorted(path.read_bytes().hex() for path in pathlib.Path(folder).iterdir())
    pathlib.Path(file).write_text("".join(line + "\n" for line in inputs))


if __name__ == "__main__":
    command, source, target = sys.argv[1:]
    {"pack": pack, "unpack": unpack}[command](source, target)
