"""Every difference from CPython has its entry and its test: check_differences.py ROOT PROGRAM.

The headings `### Dn ...` of docs/differences.md, the test cases of PROGRAM, and what the headers
say after "Differs:" must name the same things.  Each entry begins with its mark, and has a row in
the table.  In all documents, a number such as D13 is a link to the heading of its entry.  The
headings `### Pn ...` and the tests of tests/python/test_differences.py must name the same things.
"""
import pathlib
import re
import subprocess
import sys


def wrong_numbers(document, numbers):
    """Yields what is wrong with the numbers in a document; headings and code may have them without a link."""
    text = re.sub(r"^```.*?^```|^#+ .*?$", "", document.read_text(), flags=re.M | re.S)
    for number, link in re.findall(r"\b(D\d+)\b(?:\]\((.*?)\))?", text):
        if number not in numbers:
            yield f"{document}: {number} has no entry"
        elif f"#{number.lower()}-" not in link:
            yield f"{document}: {number} is not a link to its entry"


def main(root, program):
    text = (root / "docs/differences.md").read_text()
    entries = re.findall(r"^### (D\d+ .*)$", text, re.M)
    listed = subprocess.run([program, "--list-test-cases", "--no-colors=true"], check=True,
                            capture_output=True, text=True).stdout
    cases = re.findall(r"^(D\d+ .*)$", listed, re.M)
    wrong = [f"no test: {name}" for name in entries if name not in cases]
    wrong += [f"no entry in docs/differences.md: {name}" for name in cases if name not in entries]

    numbers = [name.split()[0] for name in entries]
    if numbers != re.findall(r"^\| \[(D\d+)\]", text, re.M):
        wrong.append("the table of docs/differences.md does not have the entries in their order")
    marked = re.findall(r"^### (D\d+) .*\n\n\*(?:always|hardened)\*\.", text, re.M)
    wrong += [f"{number} does not begin with a mark" for number in numbers if number not in marked]

    for document in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        wrong += wrong_numbers(document, numbers)
    named = set()
    for folder in ("platform", "asyncore", "asynchat"):
        for file in sorted((root / folder).glob("*.?pp")):
            here = set(re.findall(r"Differs:\s+(D\d+)", file.read_text()))
            wrong += [f"{file}: {number} has no entry" for number in here.difference(numbers)]
            named |= here
    wrong += [f"no source file says \"Differs: {n}\"" for n in numbers if n not in named]
    of_python = [re.sub(r"\W+", "_", name) for name in re.findall(r"^### (P\d+ .*)$", text, re.M)]
    tested = re.findall(r"def test_(P\d+_\w+)", (root / "tests/python/test_differences.py").read_text())
    wrong += [f"an entry or a test is missing: {name}" for name in set(of_python) ^ set(tested)]
    print("\n".join(wrong) or f"{len(entries) + len(of_python)} differences, each with its test")
    return 1 if wrong or not entries else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), sys.argv[2]))
