"""links.py ROOT: every link of a document to a file of this tree, or to a heading, leads somewhere."""
import pathlib
import re
import sys


def without_code(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def anchors(text):
    """What "#..." may name in a document: its headings, as GitHub turns them into names."""
    headings = re.findall(r"^#+ (.*)$", without_code(text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def wrong_links(document):
    for link in re.findall(r"\]\((.*?)\)", without_code(document.read_text())):
        if re.match(r"\w+:", link):
            continue
        name, _, heading = link.partition("#")
        target = document.parent / name if name else document
        if not target.exists():
            yield f"{document}: there is no {link}"
        elif heading and heading not in anchors(target.read_text()):
            yield f"{document}: there is no heading {link}"


def main(root):
    documents = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    wrong = [each for document in documents for each in wrong_links(document)]
    print("\n".join(wrong) or f"the links of {len(documents)} documents lead somewhere")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
