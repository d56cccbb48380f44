"""The load generator and a server understand each other: short_case.py LOAD SERVER.  Nothing is timed."""

import pathlib
import subprocess
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from program import Server  # noqa: E402

# For each list of the server's arguments, what the generator does with one server.
CASES = {
    "echo": ["echo --connections 20 --active 10 --in-flight 4 --requests 200 --greet",
             "echo --connections 2 --size 10000 --in-flight 3 --requests 50",
             "connect --connections 5 --requests 50"],
    "echo --coalesce": ["echo --connections 20 --in-flight 16 --requests 200"],
    "sink --buffer 1000": ["sink --connections 2 --bytes 100001 --requests 6",
                           "sink --bytes 0 --requests 3"],
}


def main(load, server):
    for arguments, loads in CASES.items():
        with Server(server, "0", *arguments.split()) as process:
            for words in loads:
                case, *options = words.split()
                subprocess.run([load, case, str(process.port), *options], check=True)
            if process.has_ended():
                sys.exit(f"{server} ended by itself, with status {process.process.returncode}")


if __name__ == "__main__":
    main(*sys.argv[1:])
