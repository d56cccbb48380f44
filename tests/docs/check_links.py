"""Checks the links in the project's documents: check_links.py ROOT.

- A relative link must name a file or a folder that exists.  Its #anchor must be a heading of that document.
- Where the text of a link is a code name, as in [`turn::wait()`](../asyncore/turn.cpp), the file must define or declare
  that name; a document must only mention it.  Where the text is a file name, the link must lead to that file.
- A mention of a difference, D and a number, must link to the heading of the difference in docs/differences.md.  Only
  that document itself may mention differences without a link.

Code blocks and comments are not checked, and neither are links to other sites.  Each mistake is printed with its file
and line, and makes the exit status 1.
"""

import functools
import pathlib
import re
import sys
import urllib.parse
from collections import Counter, namedtuple

Link = namedtuple("Link", "start end text target")

# Fenced blocks, indented blocks behind an empty line, and comments.
NOT_PROSE = re.compile(r"^```.*?^```|(?<=\n\n)(?: {4}[^\n]*\n|\n)+|<!--.*?-->", re.M | re.S)
CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.S)
LINK = re.compile(r"\[([^][]*)\]\(([^()\s]+)\)")
NO_CODE = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])'", re.S)
CPP = ".cpp", ".hpp", ".h"


def documents(root):
    return [root / "README.md", *sorted((root / "docs").rglob("*.md")), *sorted((root / "tests").rglob("*.md"))]


def blanked(pattern, text, blank=" "):
    """The text with what the pattern matches replaced by blanks, so that all places in the text stay the same."""
    return pattern.sub(lambda found: re.sub(r"[^\n]", blank, found[0]), text)


@functools.lru_cache(maxsize=None)
def prose(path):
    return blanked(NOT_PROSE, path.read_text())


def links(text):
    """Yields a Link for each link of a text, and for each thing that looks like a link with None as its target."""
    masked = blanked(CODE_SPAN, text, "x")  # code may have brackets
    at = 0
    while found := re.compile(r"\]\(|\]\[|^\[[^][\n]*\]:", re.M).search(masked, at):
        start = masked.rfind("[", 0, found.start() + 1)
        link = LINK.match(masked, max(start, 0))
        if link and link.end() > found.start():
            yield Link(link.start(), link.end(), text[slice(*link.span(1))], link[2])
        else:
            yield Link(found.start(), found.end(), "", None)
        at = found.end()


# What a link leads to.

@functools.lru_cache(maxsize=None)
def anchors(path):
    """The anchors of a document's headings, by GitHub's rules."""
    found, seen = set(), Counter()
    for heading in re.findall(r"^#{1,6} +(.*?)(?: +#+)? *$", prose(path), re.M):
        heading = LINK.sub(r"\1", heading).lower().strip()
        anchor = re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")
        found.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return found


def declares_in_cpp(source, name):
    name = re.escape(name)
    if re.search(rf"\b(?:class|struct|enum|union|namespace|concept|define)\s+(?:\w+::)*{name}\b", source):
        return True
    if re.search(rf"(?<![.\w])(?<!->){name}\s*(?:\(|=[^=])", source):
        return True
    before = re.findall(rf"([\w>*&]+)\s+{name}\s*[;{{\[]", source)  # a variable without `=`
    return any(word not in ("return", "throw", "delete", "new", "goto", "case", "else") for word in before)


def declares(path, name, scope):
    """Whether a file defines or declares the name, in the scope if there is one; a document need only mention it."""
    text = path.read_text()
    if path.suffix in CPP:
        text = NO_CODE.sub(" ", text)
        in_scope = not scope or re.search(rf"\b{scope}::{name}\b", text) or declares_in_cpp(text, scope)
        return in_scope and declares_in_cpp(text, name)
    if path.suffix == ".py":
        return re.search(rf"\b(?:def|class) +{name}\b|\b{name} *=[^=]", text)
    return re.search(rf"\b{name}\b", text)


def wrong_name(code, path):
    """What is wrong with a link from a code name to a file, or None."""
    if "/" in code or code.endswith(path.suffix):
        is_same = code.strip('<>"').rpartition("/")[2] == path.name
        return None if is_same else f"the link leads to {path.name}, and not to `{code}`"
    bare = re.sub(r"\(.*\)|<.*>", "", code, flags=re.S)
    scope, name = re.search(r"(?:(\w+)::)?~?(\w+)\W*$", bare).groups() if re.search(r"\w", bare) else (None, None)
    if name is None or declares(path, name, scope):
        return None
    return f"{path.name} does not {'mention' if path.suffix == '.md' else 'declare'} `{code}`"


def wrong_link(root, document, link):
    """What is wrong with a link, or None."""
    if link.target is None:
        return "this looks like a link, and is none of the form [text](target)"
    if re.match(r"[a-z][a-z0-9+.-]*:", link.target):
        return None
    name, _, anchor = link.target.partition("#")
    path = (document.parent / urllib.parse.unquote(name)).resolve() if name else document
    if not path.exists() or root not in (path, *path.parents):
        return f"there is no {name} in the project"
    if anchor and (path.suffix != ".md" or anchor not in anchors(path)):
        return f"{path.name} has no heading #{anchor}"
    code = re.fullmatch(r"`([^`]+)`", link.text.strip())
    return wrong_name(code[1], path) if code and path.is_file() else None


# Mentions of differences.

def unlinked_differences(document, differences, found_links):
    """Yields (place, mistake) for each mention of a difference that is no link to its heading."""
    for mention in re.finditer(r"\bD(\d+)\b", prose(document)):
        link = next((each for each in found_links if each.start < mention.start() < each.end), None)
        name, _, anchor = link.target.partition("#") if link and link.target else ("", "", "")
        leads_there = name and (document.parent / name).resolve() == differences
        if not leads_there or not re.match(rf"d{mention[1]}(-|$)", anchor):
            yield mention.start(), f"{mention[0]} must be a link to its heading in docs/differences.md"


def check(root, document):
    """Yields (place, mistake) for each mistake of a document."""
    differences = root / "docs/differences.md"
    found = list(links(prose(document)))
    for link in found:
        if mistake := wrong_link(root, document, link):
            yield link.start, mistake
    if document != differences:
        yield from unlinked_differences(document, differences, found)


def main(root):
    root = pathlib.Path(root).resolve()
    count = mistakes = 0
    for document in documents(root):
        count += len(list(links(prose(document))))
        for place, mistake in sorted(check(root, document)):
            mistakes += 1
            print(f"{document.relative_to(root)}:{prose(document).count(chr(10), 0, place) + 1}: {mistake}")
    print(f"{count} links, {mistakes} mistakes")
    return 1 if mistakes or not count else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
