"""Every difference from CPython has its entry and its test: check_differences.py ROOT PROGRAM.

The headings `## Dn ...` of docs/differences.md and the test cases of PROGRAM must have the same names, and each number
after "Differs:" in a header must have a heading.
"""
import pathlib
import re
import subprocess
import sys


def main(root, program):
    text = (root / "docs/differences.md").read_text()
    entries = re.findall(r"^## (D\d+ .*)$", text, re.M)
    listed = subprocess.run([program, "--list-test-cases", "--no-colors=true"], check=True,
                            capture_output=True, text=True).stdout
    cases = re.findall(r"^(D\d+ .*)$", listed, re.M)
    wrong = [f"no test: {name}" for name in entries if name not in cases]
    wrong += [f"no entry in docs/differences.md: {name}" for name in cases if name not in entries]

    numbers = {name.split()[0] for name in entries}
    for folder in ("platform", "asyncore", "asynchat"):
        for file in sorted((root / folder).glob("*.?pp")):
            for number in re.findall(r"Differs:\s+(D\d+)", file.read_text()):
                if number not in numbers:
                    wrong.append(f"{file}: {number} has no entry")
    print("\n".join(wrong) or f"{len(entries)} differences, each with its test")
    return 1 if wrong or not entries else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2]))
