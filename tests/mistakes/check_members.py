"""The names that a class must not reuse: check_members.py ROOT COMPILER...

The data members of the library's classes are those that spawn() looks for, and those that docs/porting/member-names.md
lists.  For each of them, a class that has a member of that name is found out, and one that sets it is not.
"""

import pathlib
import re
import subprocess
import sys

CLASSES = {"channel": "asyncore/channel.hpp", "dispatcher": "asyncore/dispatcher.hpp",
           "dispatcher_with_send": "asyncore/dispatcher_with_send.hpp", "async_chat": "asynchat/async_chat.hpp"}
NAMESPACE = {"async_chat": "asynchat"}


def public_parts(body):
    """What stands between `public:` and the next such word; a class begins with what is private."""
    return "".join(part for access, part in re.findall(r"^(public|protected|private):(.*?)(?=^\w+:|\Z)", body, re.M | re.S)
                   if access == "public")


def members(root, class_):
    """The public data members that the class declares."""
    text = (root / CLASSES[class_]).read_text()
    body = re.search(r"^class %s\b[^;{]*\{$(.*?)^};" % class_, text, re.M | re.S)[1]
    body = re.sub(r"//.*", "", public_parts(body))
    body = re.sub(r"\[\[.*?\]\]", "", body)
    body = re.sub(r"\{[^{}]*\}", "", re.sub(r"\([^()]*\)", "()", body))
    found = [re.match(r"([\w:<>, ]+?)[\s*&]+(\w+)(\s*=.*)?$", each.strip(), re.S) for each in body.split(";")]
    return [each[2] for each in found
            if each and each[2] != "operator" and not re.match(r"(static|using|virtual|explicit|friend|template|enum)\b", each[1])]


def looked_for(root):
    text = "".join(file.read_text() for file in root.glob("asyn*/hidden_members.hpp"))
    return re.findall(r"&T::(\w+)", text)


def listed(root):
    """The classes and names of the page."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", (root / "docs/porting/member-names.md").read_text(), re.M)
    return {class_: re.findall(r"`(\w+)`", names) for class_, names in rows if class_ in CLASSES}


def program(found):
    lines = ["#include <asynchat/asynchat.hpp>", "#include <asyncore/asyncore.hpp>"]
    for class_, names in found.items():
        base = "dispatcher" if class_ == "channel" else class_
        scope = NAMESPACE.get(base, "asyncore") + "::" + base
        for name in names:
            for kind in "struct", "class":  # public and private
                lines += [f"{kind} hides_in_{kind}_{name} : public {scope} {{ int {name} = 0; }};",
                          f"static_assert(asyncore::hidden_member<hides_in_{kind}_{name}>() == &{scope}::{name});"]
            lines += [f"struct sets_{name} : {scope} {{ sets_{name}() {{ static_cast<void>({name}); }} }};",
                      f"static_assert(asyncore::hidden_member<sets_{name}>() == nullptr);"]
    return "\n".join([*lines, ""])


def main(root, *compiler):
    root = pathlib.Path(root)
    found = {class_: members(root, class_) for class_ in CLASSES}
    declared = sorted(name for names in found.values() for name in names)
    wrong = [f"{name} is declared, and spawn() does not look for it" for name in set(declared) - set(looked_for(root))]
    wrong += [f"spawn() looks for {name}, which is not declared" for name in set(looked_for(root)) - set(declared)]
    page = listed(root)
    wrong += [f"docs/porting/member-names.md has {page.get(class_)} for {class_}, and not {found[class_]}"
              for class_ in CLASSES if sorted(page.get(class_, [])) != sorted(found[class_])]
    print("\n".join([*wrong, f"{len(declared)} members"]))
    if wrong:
        return 1
    return subprocess.run([*compiler, "-std=c++20", "-fsyntax-only", "-I", str(root), "-x", "c++", "-"],
                          input=program(found), text=True).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
