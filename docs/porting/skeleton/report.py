"""Prints what the tool knows of a source, class by class."""
from . import library
from .advice import advice, advice_for_file
from .facts import python_2_habits
from .needs import PAGE, functions_and_methods, modules
from .signatures import is_accepted

MEMBER_NAMES = "docs/porting/member-names.md"


def lines_text(lines, most=6):
    lines = sorted(set(lines))
    shown = ", ".join(map(str, lines[:most])) + (" ..." if len(lines) > most else "")
    return ("line " if len(lines) == 1 else "lines ") + shown


def heading(facts):
    bases = [each.source.name for each in facts.bases] + facts.others
    text = ", ".join(bases)
    if facts.library_base:
        text += (" -> " if text else "") + library.CLASSES[facts.library_base].cpp.replace("::", ".")
    return f"class {facts.source.name} (line {facts.source.first}): {text or 'no channel'}"


def row(label, text):
    return f"  {label:<12}{text}"


def by_name(uses):
    """{name: lines}, in the order of the source."""
    found = {}
    for use in uses:
        found.setdefault(use.name, []).append(use.line)
    return found


def of_base(facts, kinds):
    """The uses of what the library's class has, apart from what the class itself defines."""
    names = library.taken(facts.library_base) - {each.name for each in facts.methods}
    return by_name(use for use in facts.uses if use.kind in kinds and use.name in names)


def overrides(facts):
    for method, _ in facts.overrides():
        if method.name != "__init__":
            parameters = ", ".join(each.star + each.name for each in method.parameters[1:])
            yield f"{method.name}({parameters}), line {method.first}"


def class_attributes(facts):
    known = library.attributes(facts.library_base)
    return {name: [each.line] for name, each in facts.class_attributes if name in known}


def collisions(facts):
    """Sentences about names that mean something else in the library."""
    of_library = {each.name: each for part in library.chain(facts.library_base) for each in part.methods}
    own = {name for part in library.chain(facts.library_base) for name in part.own}
    data = library.attributes(facts.library_base)
    if facts.name in library.taken(facts.library_base) - set(library.CLASSES):
        yield f"the class has the name of a member of the library, line {facts.source.first}"
    for method in facts.methods:
        if method.name in data:
            yield f"{method.name}() has the name of an attribute of the library, line {method.first}"
        elif method.name in own:
            yield f"{method.name}() has a name that the C++ class has for itself, line {method.first}"
        elif method.name in of_library:
            found = of_library[method.name]
            if not is_accepted(method, found.least, found.most):
                yield f"{method.name}() has other parameters than the library's, and hides it, line {method.first}"
    methods = {each.name for each in facts.methods}
    for name, lines in by_name(use for use in facts.uses if use.kind == "set").items():
        if name in own or name in of_library and name not in methods:
            yield f"the attribute {name} has the name of a method of the library, {lines_text(lines)}"


def from_outside(source, facts):
    """Other code that uses the channel."""
    for known, use in source.outside:
        if known is facts:
            yield f"{use.owner}.{use.name} ({use.kind}), line {use.line}"


def report_class(source, facts):
    yield ""
    yield heading(facts)
    if facts.guessed:
        yield row("base", facts.guessed)
    if facts.library_base:
        for each in overrides(facts):
            yield row("overrides", each)
        for label, found in (("sets", {**class_attributes(facts), **of_base(facts, ("set",))}),
                             ("reads", of_base(facts, ("read", "delete"))), ("calls", of_base(facts, ("call",)))):
            if found:
                yield row(label, "; ".join(f"{name}, {lines_text(lines, 3)}" for name, lines in found.items()))
        for each in from_outside(source, facts):
            yield row("from outside", " " + each)
        for each in collisions(facts):
            yield row("name", f"{each}: {MEMBER_NAMES}")
    if facts.mixin:
        yield row("mixin", "it stands beside a channel as a base: docs/porting.md#mixins-placed-before-the-base")
    for each in advice(source, facts):
        topic = f"{each.topic} {each.why}" if each.topic.startswith("D") and each.topic[1:].isdigit() else each.why
        yield row("see", f"{each.link}: {topic}, {lines_text(each.lines)}")


def report_file(source, python_2):
    unknown = [use for known, use in source.outside if known is None]
    if unknown:
        yield ""
        yield "used from outside, in objects that may be channels:"
        for name, lines in by_name(unknown).items():
            yield row("", f"{name}, {lines_text(lines)}")
    found = advice_for_file(source)
    if found:
        yield ""
        yield "the loop:"
        for each in found:
            yield row("see", f"{each.link}: {each.topic} {each.why}, {lines_text(each.lines)}")
    if python_2:
        habits = {}
        for line, habit in python_2_habits(source):
            habits.setdefault(habit, []).append(line)
        yield ""
        yield "only Python 2 reads this: docs/porting/python2.md"
        for habit, lines in sorted(habits.items()):
            yield row("", f"{habit}, {lines_text(lines, 3)}")
    needed = [*functions_and_methods(source), *modules(source)]
    if needed:
        yield ""
        yield f"of Python's library: {PAGE}"
        for each in needed:
            yield row("", f"{each.python:<24}{each.cpp}" + (f"  ({lines_text(each.lines, 3)})" if each.lines else ""))


def report(source, python_2):
    """The whole report, as text."""
    channels = sum(each.is_channel for each in source.classes)
    lines = [f"{source.path.name}: Python {'2' if python_2 else '3'}, {len(source.classes)} classes, {channels} channels"]
    for facts in source.classes:
        lines += report_class(source, facts)
    lines += report_file(source, python_2)
    return "\n".join(line.rstrip() for line in lines) + "\n"
