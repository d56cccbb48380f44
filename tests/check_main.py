"""Whether the checks of main.cpp can fail: each of broken_cases.cpp's cases fails for its reason, and the last case passes.

    check_main.py PROGRAM [WHAT THE BUILD DOES NOT COUNT...]
"""

import os
import subprocess
import sys

REASONS = {
    "leaves a descriptor": "was left: ",
    "closes a descriptor": "descriptor 9 was closed: ",
    "leaves an allocation": "2 allocations were left",
    "leaves a thread": "1 threads were left",
    "spins": " waits in a row made no progress",
    "keeps memory once, and moves what is reported": None,
}


def main(program, *uncounted):
    wrong = 0
    for name, reason in REASONS.items():
        if name in uncounted:
            continue
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 9, inheritable=True)
        run = subprocess.run([program, "--test-case=" + name.replace(",", "?")], stdout=subprocess.PIPE, text=True,
                             pass_fds=[9], env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        os.close(null)
        failed = [line for line in run.stdout.splitlines() if ": ERROR: in the case \"%s\", " % name in line]
        right = any(reason in line for line in failed) and run.returncode == 1 if reason else not failed and run.returncode == 0
        if not right:
            wrong += 1
            print("the case %r, with the status %d:\n%s" % (name, run.returncode, run.stdout))
    print("%d of %d cases end as they must" % (len(REASONS) - len(uncounted) - wrong, len(REASONS) - len(uncounted)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
