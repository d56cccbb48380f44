"""Works out the members, constructors and methods of each C++ class."""
import re
from dataclasses import dataclass, field

from . import guess, library, signatures
from .bases import Plan
from .facts import owner_before, self_name
from .names import Names
from .reader import closing, split_at, text_of

# Attributes of the library that a constructor can set to a plain value.
SETTABLE = {"debug", "connected", "accepting", "connecting", "closing", "ac_in_buffer_size", "ac_out_buffer_size",
            "terminator"}
TWO_PHASE = ("add_channel", "set_socket")   # a constructor of C++ does not call overrides of these
KEEP_OVERLOADS = ("recv", "push", "push_with_producer")


@dataclass
class Member:
    python: str
    type: str
    name: str
    value: str          # the initial value in C++, or ""
    comment: str


@dataclass
class Setting:
    """A place that sets an attribute: `early` is the body of the class, or __init__."""
    name: str
    value: list
    text: str
    line: int
    early: bool
    type: str = ""


@dataclass
class Constructor:
    function: object
    parameters: list = field(default_factory=list)
    initializers: list = field(default_factory=list)
    body: list = field(default_factory=list)
    inherits: bool = False      # it has the constructors of its base
    forwards: bool = False      # a mixin: it gives all to its base


@dataclass
class Built:
    """A C++ class, ready to be written."""
    plan: Plan
    members: list = field(default_factory=list)
    methods: list = field(default_factory=list)       # (reader.Function, [Signature])
    aliases: list = field(default_factory=list)       # (name of a hook, Assignment)
    constructor: Constructor = None
    left_to_base: list = field(default_factory=list)  # attributes that the library has
    overloads: list = field(default_factory=list)     # names for using-declarations
    python_members: dict = field(default_factory=dict)

    second_bases: list = field(default_factory=list)  # initializers of bases that have no default constructor

    def signature(self, python_name):
        return next((found[0] for function, found in self.methods if function.name == python_name and found), None)


class Builder:
    """Builds all classes of a file, the bases first."""

    def __init__(self, source, plans, python_2):
        self.source, self.plans, self.python_2 = source, plans, python_2
        self.class_names = {plan.name for plan in plans.values()} | {"Base"}
        self.types = {plan.facts.source.name: plan.pointer for plan in plans.values() if not plan.template}
        self.hints = signatures.hints_from_callers(source, self.types)
        self.built = {}

    def build(self):
        for name, plan in self.plans.items():
            self.built[name] = self.build_class(plan)
        return self.built

    def libraries(self, plan):
        """The classes of the library whose names the class must respect."""
        found = plan.bindings if plan.template else {plan.library}
        return sorted(each for each in found if each)

    def bases(self, plan):
        """The Built of each base that is a class of the file and no template."""
        found = [plan.main] if isinstance(plan.main, Plan) else []
        return [self.built[each.facts.name] for each in found + plan.secondary]

    def build_class(self, plan):
        libraries = self.libraries(plan)
        taken = self.class_names | {name for each in libraries for name in library.taken(each)}
        built, names = Built(plan), Names(taken)
        used = set()
        for function in plan.facts.methods:
            if function.name == "__init__" and built.constructor is None:
                built.constructor = Constructor(function)
            else:
                found = self.signatures(built, function, names, libraries)
                self.without_twins(found, used, names, function)
                built.methods.append((function, found))
        self.add_aliases(built, libraries)
        self.add_members(built, names, libraries)
        if built.constructor:
            ConstructorBuilder(self, built).build()
        if not built.constructor or built.constructor.inherits:
            built.second_bases = self.second_bases(plan)
        if built.constructor:
            self.add_types_of_parameters(built)
            self.add_initializers(built)
        return built

    def second_bases(self, plan):
        """What the second and further bases must be given, where a class has the constructors of its first base."""
        builder = ConstructorBuilder(self, Built(plan, constructor=Constructor(None)))
        for each in plan.secondary:
            builder.write_secondary(each)
        return builder.constructor.initializers

    # Methods.

    def library_method(self, libraries, name):
        found = [library.method(each, name) for each in libraries]
        return found[0] if found and all(found) else None

    def scope(self, parameters=()):
        return guess.Scope(self.types, {each.python: each.type for each in parameters})

    def signatures(self, built, function, names, libraries):
        """The signatures of a method: one, or two where it takes more than the library gives."""
        found = self.library_method(libraries, function.name)
        if found and signatures.is_accepted(function, found.least, found.most):
            further = signatures.overload(found, function, self.scope(), {}, self.class_names, self.python_2)
            if found.name in KEEP_OVERLOADS and found.virtual:
                built.overloads.append(found.name)
            return [signatures.of_library(found, function, self.class_names)] + ([further] if further else [])
        if base := self.overridden(built, function):
            return [signatures.of_base_in_file(base, function, self.class_names)]
        note = ""
        if found:
            note = f"other parameters than the library's {found.name}(): this is no override"
            name = found.name
            if found.virtual and found.name != "__repr__":
                built.overloads.append(found.name)
        if not found or found.name == "__repr__":
            name = names.get(function.name)
        return [self.own_signature(function, name, note)]

    def own_signature(self, function, name, note):
        parameters = signatures.cpp_parameters(function, self.scope(), {}, self.class_names, self.python_2)
        static = "staticmethod" in function.decorators or "classmethod" in function.decorators
        return signatures.Signature(name, signatures.result_of(function, self.scope(parameters)), parameters,
                                    static=static, note=note)

    def overridden(self, built, function):
        """The signature of the method of a base of the file that the method overrides."""
        for base in self.bases(built.plan):
            found = base.signature(function.name)
            if found and not found.static and not found.of_library:
                fewest = sum(not each.default for each in found.parameters)
                if signatures.is_accepted(function, fewest, len(found.parameters)) and self_name(function):
                    found.virtual = True
                    return found
            if deeper := self.overridden(base, function):
                return deeper
        return None

    def without_twins(self, found, used, names, function):
        """A method that Python defines twice gets a second name."""
        for each in found:
            key = each.name, tuple(parameter.type for parameter in each.parameters)
            if key in used:
                each.name, each.overrides, each.virtual = names.new(function.name), False, False
                each.suffix, each.of_library = "", False
                each.note = "Python defines this name twice"
            used.add((each.name, tuple(parameter.type for parameter in each.parameters)))

    def add_aliases(self, built, libraries):
        """`readable = other_method` in the body of a class is an override, too."""
        own = {function.name for function, _ in built.methods}
        for name, assignment in built.plan.facts.class_attributes:
            found = self.library_method(libraries, name)
            if found and found.virtual and name not in own and name not in {each for each, _ in built.aliases}:
                built.aliases.append((name, assignment))

    # Members.

    def known_in_bases(self, plan):
        """The names that the bases of the file have: members and methods."""
        return {name for base in self.bases(plan) for each in base.plan.ancestors() if each.facts.name in self.built
                for name in [*self.built[each.facts.name].python_members,
                             *(function.name for function, _ in self.built[each.facts.name].methods)]}

    def settings(self, facts):
        """Yields a Setting for each place that sets an attribute of a class, the body of the class first."""
        for name, each in facts.class_attributes:
            yield Setting(name, each.value, f"{name} = {text_of(each.value)}", each.line, True,
                          signatures.annotated(each.annotation, self.types))
        function = facts.own_method("__init__")
        for use in facts.uses:
            if use.kind == "set":
                early = function is not None and function.first <= use.line <= function.last
                yield Setting(use.name, use.value, f"{use.owner}.{use.name} = {text_of(use.value)}", use.line, early)

    def add_members(self, built, names, libraries):
        facts = built.plan.facts
        of_library = {name for each in libraries for name in library.attributes(each)}
        methods = {function.name for function in facts.methods} | {name for name, _ in built.aliases}
        hidden = methods | self.known_in_bases(built.plan)
        for each in libraries:
            hidden |= {found.name for part in library.chain(each) for found in part.methods}
        settings = {}
        for each in self.settings(facts):
            if each.name in of_library:
                if each.name not in built.left_to_base:
                    built.left_to_base.append(each.name)
            elif each.name not in hidden and not (each.name.startswith("__") and each.name.endswith("__")):
                settings.setdefault(each.name, []).append(each)
        for name, found in settings.items():
            built.members.append(self.member(name, found, names))
            built.python_members[name] = built.members[-1]

    def member(self, name, settings, names):
        """A member.  It begins with the value that Python gives it in the body of the class or in __init__."""
        first = settings[0]
        kinds = [kind for each in settings if (kind := each.type or guess.of_value(each.value, self.scope()))]
        kind = joined(kinds)
        value = ""
        if first.early and guess.of_value(first.value, self.scope()) == kind:
            value = guess.value_in_cpp(first.value, self.python_2)
        shown = next((each for each in settings if each.value), first)
        return Member(name, kind, names.get(name), value or guess.empty(kind),
                      f"{one_line(shown.text.removesuffix('= '))}, line {shown.line}")

    def add_types_of_parameters(self, built):
        """A member that the constructor sets to one of its parameters has the type of that parameter."""
        types = {each.python: guess.value_type(each.type) for each in built.constructor.parameters}
        for name, value in parameter_assignments(built):
            member = built.python_members.get(name)
            if member and not member.type and types.get(value) and types[value] != guess.ANY:
                member.type, member.value = types[value], guess.empty(types[value])

    def add_initializers(self, built):
        """Members that are set to a parameter, in the order of the members."""
        constructor = built.constructor
        if constructor.inherits or constructor.forwards:
            return
        parameters = {each.python: each for each in constructor.parameters}
        given = {name for each in constructor.initializers + constructor.body for name in re.findall(r"std::move\((\w+)", each)}
        wanted = {}
        for name, value in parameter_assignments(built):
            wanted.setdefault(name, value)
        for member in built.members:
            each = parameters.get(wanted.get(member.python, ""))
            if each and (member.type or guess.ANY) == guess.value_type(each.type) and each.name not in given:
                moved = each.type.startswith(("std::shared_ptr", guess.SOCKET))
                if moved:
                    given.add(each.name)
                constructor.initializers.append(f"{member.name}({'std::move(' + each.name + ')' if moved else each.name})")


def joined(kinds):
    """One type for all values of a member."""
    if not kinds:
        return ""
    if len(set(kinds)) == 1:
        return kinds[0]
    if set(kinds) <= {guess.BOOL, guess.WHOLE, guess.REAL}:
        return guess.REAL if guess.REAL in kinds else guess.WHOLE
    return kinds[0]


def one_line(text):
    """A piece of Python in one line of a comment."""
    text = " ".join(text.replace("\\\n", " ").split())
    return text if len(text) <= 80 else text[:77] + "..."


def parameter_assignments(built):
    """Yields (attribute, parameter) of each `self.x = y` that __init__ runs in any case."""
    function = built.constructor.function
    self = self_name(function)
    names = {each.name for each in function.parameters}
    for each in function.body:
        texts = [token.text for token in each.tokens]
        if each.body is None and len(texts) == 5 and texts[:2] == [self, "."] and texts[3] == "=" and texts[4] in names:
            yield texts[2], texts[4]


class ConstructorBuilder:
    """The constructor that stands for __init__."""

    def __init__(self, builder, built):
        self.builder, self.built, self.plan = builder, built, built.plan
        self.constructor = built.constructor
        self.function = self.constructor.function
        self.own = signatures.plain_parameters(self.function) if self.function else []
        self.hints, self.moved = {}, set()

    def build(self):
        if self.plan.template:
            self.constructor.forwards = True
            return
        if not self.own and self.plan.bases and any(each.star for each in self.function.parameters):
            self.constructor.inherits = True
            return
        self.add_hints_from_callers()
        arguments = self.arguments_of_base()
        pending = self.base_arguments(arguments)
        self.constructor.parameters = signatures.cpp_parameters(
            self.function, self.builder.scope(), self.hints, self.builder.class_names, self.builder.python_2)
        self.write_base(pending)
        for each in self.plan.secondary:
            self.write_secondary(each)
        self.add_class_attributes()

    def add_hints_from_callers(self):
        found = self.builder.hints.get(self.plan.facts.source.name, {})
        for index, kind in found.items():
            if index < len(self.own):
                self.hints[self.own[index].name] = kind

    def arguments_of_base(self):
        """The arguments that __init__ gives to __init__ of its base: [(keyword or "", tokens)]."""
        tokens, calls = self.function.tokens, {}
        main = self.plan.main.facts.source.name if isinstance(self.plan.main, Plan) else str(self.plan.main).split("::")[-1]
        for index in range(2, len(tokens) - 1):
            if tokens[index].text != "__init__" or tokens[index + 1].text != "(":
                continue
            owner = owner_before(tokens, index - 1)
            parts = [part for part in split_at(tokens[index + 2:closing(tokens, index + 1)], ",") if part]
            if "super" not in owner:
                parts = parts[1:]
            calls.setdefault(owner.split(".")[-1] == main, parts)   # the first call counts
        found = calls.get(True) or calls.get(False) or []
        return [(part[0].text, part[2:]) if len(part) > 2 and part[1].text == "=" else ("", part) for part in found]

    def bare(self, tokens):
        """The name of our own parameter, if that is all that the argument is."""
        names = {each.name for each in self.own}
        return tokens[0].text if len(tokens) == 1 and tokens[0].text in names else ""

    def base_arguments(self, arguments):
        """What the base gets: [(type, name of our parameter or "")].  Notes the types of our parameters."""
        parameters = self.constructor_of(self.plan.main)
        if parameters is None:
            return []
        positional = [tokens for name, tokens in arguments if not name]
        named = {name: tokens for name, tokens in arguments if name}
        pending = []
        for index, (kind, names, optional) in enumerate(parameters):
            tokens = positional[index] if index < len(positional) else next(
                (named[name] for name in names if name in named), [])
            name = self.bare(tokens) if tokens else ""
            if name and name not in self.moved:
                self.hints[name] = kind
                self.moved.add(name)
            else:
                name = ""
            pending.append((kind, name, optional))
        return pending

    def constructor_of(self, main):
        """The parameters of the base's constructor, as (type, names in Python, may be left out); or None."""
        if isinstance(main, Plan):
            built = self.builder.built[main.facts.name]
            if built.constructor and not built.constructor.inherits:
                return [(each.type, (each.python,), bool(each.default)) for each in built.constructor.parameters]
            return self.constructor_of(main.main)
        if main in ("std::runtime_error", "std::invalid_argument"):
            return [("std::string", (), False)]
        for name, each in library.CLASSES.items():
            if each.cpp == main and each.constructors:
                return self.constructor_of_library(name, each)
        return None

    def constructor_of_library(self, name, class_):
        if name in library.CHANNELS:
            first = ("int", ("fd",), True) if name == "file_dispatcher" else (library.SOCKET, ("sock", "conn"), True)
            return [first, (library.MAP, ("map",), True)]
        return [(kind, (python,), index > 0 or name == "ExitNow")
                for index, (kind, python) in enumerate(class_.constructors[0])]

    def is_two_phase(self):
        """Whether a class of the file overrides what the constructor of the library would call."""
        classes = [each.facts for each in self.plan.ancestors()]
        return self.plan.library in library.CHANNELS and any(each.own_method(name) for each in classes for name in TWO_PHASE)

    def write_base(self, pending):
        while pending and pending[-1][2] and not pending[-1][1]:
            pending.pop()
        if not self.plan.bases or not pending:
            return
        by_python = {each.python: each.name for each in self.constructor.parameters}
        written, skipped = [], False
        for kind, name, optional in pending:
            if name:
                needs_move = kind.startswith(("std::shared_ptr", guess.SOCKET))
                written.append(f"std::move({by_python[name]})" if needs_move else by_python[name])
            elif optional and kind in (library.SOCKET, "int") and self.is_library_constructor():
                skipped = True   # the form of the constructor that has only the map
            else:
                written.append(guess.value_of(kind))
        if self.is_library_constructor() and self.is_two_phase() and not skipped:
            self.constructor.body.append(f"init({', '.join(written)});")
        elif written:
            self.constructor.initializers.append(f"{self.plan.bases[0]}({', '.join(written)})")

    def is_library_constructor(self):
        main = self.plan.main
        while isinstance(main, Plan):
            built = self.builder.built[main.facts.name]
            if built.constructor and not built.constructor.inherits:
                return False
            main = main.main
        return self.plan.library in library.CHANNELS

    def write_secondary(self, plan):
        parameters = self.constructor_of(plan) or []
        needed = [guess.value_of(kind) for kind, _, optional in parameters if not optional]
        if needed:
            self.constructor.initializers.append(f"{plan.name}({', '.join(needed)})")

    def add_class_attributes(self):
        """A class attribute of Python that the library has is set in the constructor."""
        for name, each in self.plan.facts.class_attributes:
            value = guess.value_in_cpp(each.value, self.builder.python_2)
            if name in self.built.left_to_base and name in SETTABLE and value:
                self.constructor.body.append(f"{name} = {value};  // Python: an attribute of the class")
