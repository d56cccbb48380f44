"""The injector leaves nothing out.

    check_symbols.py INJECTOR FILE ...

Each function of libc that the FILEs (programs and libraries) call is replaced by the injector, or stands in
harmless.txt with a reason.  Each class of calls that the injector replaces stands in calls.txt with its errors.
"""

import pathlib
import re
import subprocess
import sys

import plan

# The functions of the class "malloc".
ALLOCATE = {"malloc", "calloc", "realloc", "reallocarray", "memalign", "aligned_alloc", "posix_memalign"}


CANNOT_FAIL = {"abort"}  # replaced for its stack


def symbols(file, *options):
    """What nm lists, without the versions of the names."""
    output = subprocess.run(["nm", *options, file], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1].partition("@")[0] for line in output.splitlines() if len(line.split()) >= 2}


def libc_of(program):
    output = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    return re.search(r"libc\.so\S* => (\S+)", output)[1]


def class_of(symbol):
    return "malloc" if symbol in ALLOCATE else symbol.removesuffix("64")


def main(injector, *files):
    of_libc = symbols(libc_of(injector), "-D", "--defined-only")
    called = set()
    for file in files:
        called |= symbols(file, "--undefined-only") & of_libc
    replaced = symbols(injector, "-D", "--defined-only") & of_libc - CANNOT_FAIL
    harmless = plan.table("harmless.txt")

    faults = ["%s is neither replaced nor harmless" % name for name in called - replaced - set(harmless)]
    faults += ["%s is harmless and yet replaced" % name for name in replaced & set(harmless)]
    faults += ["%s is harmless for no reason" % name for name, reason in harmless.items() if not reason]
    faults += ["%s has no errors in calls.txt" % name for name in map(class_of, replaced) if name not in plan.ERRORS]
    faults += ["%s is in calls.txt and not replaced" % name for name in set(plan.ERRORS) - set(map(class_of, replaced))]
    print(*sorted(faults), sep="\n")
    print("%d functions called, %d replaced, %d harmless" % (len(called), len(replaced), len(harmless)))
    return bool(faults) or not called


if __name__ == "__main__":
    sys.exit(main(*map(str, map(pathlib.Path, sys.argv[1:]))))
