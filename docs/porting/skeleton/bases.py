"""Decides what each C++ class derives from, and in which order the classes come."""
from dataclasses import dataclass, field

from . import library
from .names import Names

EXCEPTIONS = {"ValueError": "std::invalid_argument", "TypeError": "std::invalid_argument"}


@dataclass
class Plan:
    """One C++ class.  `main` is the Plan, or the class of the library, that holds the channel."""
    facts: object
    name: str
    template: bool = False
    main: object = None
    bases: list = field(default_factory=list)      # texts
    secondary: list = field(default_factory=list)  # Plans of further bases
    wrappers: list = field(default_factory=list)   # Plans of templates around `main`
    left_out: list = field(default_factory=list)   # sentences
    bindings: set = field(default_factory=set)     # for a template: the classes of the library that it is used with

    @property
    def library(self):
        return self.facts.library_base

    @property
    def pointer(self):
        return f"std::shared_ptr<{self.name}>"

    def ancestors(self):
        """This class and all that it derives from, in the file."""
        yield self
        for each in [*([self.main] if isinstance(self.main, Plan) else []), *self.secondary, *self.wrappers]:
            yield from each.ancestors()


def is_template(facts):
    """A mixin that uses or overrides what the channel beside it has becomes a template on its base."""
    if not facts.mixin or facts.library_base or facts.bases:
        return False
    of_channels = library.taken("async_chat") | library.taken("dispatcher_with_send")
    uses_super = any(token.text == "super" for each in facts.methods for token in each.tokens)
    names = {each.name for each in facts.methods} | facts.set_names()
    return uses_super or bool(names & of_channels)


def exception_base(facts):
    """The C++ exception behind a base such as `Exception`, or ""."""
    for text in facts.others:
        name = text.split(".")[-1]
        if name.endswith(("Error", "Exception", "Warning")):
            return EXCEPTIONS.get(name, "std::runtime_error")
    return ""


def choose_main(plan, candidates):
    """Of several bases that hold a channel, only one can stay."""
    fitting = [each for each in candidates if each.library == plan.library]
    if not fitting:
        plan.main = library.CLASSES[plan.library].cpp if plan.library else None
    else:
        plan.main = fitting[0]
    for each in candidates:
        if each is not plan.main and each not in (plan.main.ancestors() if isinstance(plan.main, Plan) else ()):
            plan.left_out.append(f"Python derives from {each.facts.source.name}, too: a second channel in one C++ object")


def add_secondary(plan, base):
    chosen = [plan.main] if isinstance(plan.main, Plan) else []
    for each in [*chosen, *plan.secondary]:
        if base in each.ancestors():
            return
    plan.secondary.append(base)


def write_bases(plan):
    main = plan.main.name if isinstance(plan.main, Plan) else plan.main
    if plan.template:
        main = "Base"
    for wrapper in reversed(plan.wrappers):
        main = f"{wrapper.name}<{main}>"
    if not main:
        main = exception_base(plan.facts) if not plan.secondary else ""
        plan.main = main or None
    plan.bases = [each for each in [main] if each] + [each.name for each in plan.secondary]


def plan_class(facts, name, plans):
    plan = Plan(facts, name, is_template(facts))
    found = [plans[base.name] for base in facts.bases if base.name in plans]
    choose_main(plan, [each for each in found if each.library and not each.template])
    for base in found:
        if base.template:
            plan.wrappers.append(base)
            base.bindings.add(plan.library)
        elif not base.library:
            add_secondary(plan, base)
    if not plan.main and plan.secondary and not plan.wrappers:
        plan.main = plan.secondary.pop(0)
    elif not plan.main and plan.wrappers:
        plan.left_out += [f"{each.facts.source.name} is a mixin for channels" for each in plan.wrappers]
        plan.wrappers = []
    return plan


def in_order(classes):
    """The classes, each behind its bases."""
    done, result = set(), []

    def add(facts):
        if facts.name in done:
            return
        done.add(facts.name)
        for base in facts.bases:
            add(base)
        result.append(facts)

    for each in classes:
        add(each)
    return result


def name_of(facts):
    """The name of a class, which must not be the name of a member of its base: it would hide the member."""
    hides = facts.library_base and facts.name in library.taken(facts.library_base) - set(library.CLASSES)
    return facts.name + "_" if hides else facts.name


def plan_classes(source):
    """The Plan of each class, by its name in the file, in the order of C++."""
    names, plans = Names({"Base"}), {}
    for facts in in_order(source.classes):
        plans[facts.name] = plan_class(facts, names.new(name_of(facts)), plans)
    for plan in plans.values():
        write_bases(plan)
    return plans
