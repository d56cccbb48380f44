"""Guesses the parameters and results of methods, and takes them from the class that a method overrides."""
from dataclasses import dataclass, field, replace

from . import guess, library
from .facts import self_name
from .names import Names
from .reader import closing, split_at, walk

MANY = 1000   # as many arguments as one likes


@dataclass
class Parameter:
    type: str
    name: str
    python: str = ""
    default: str = ""


@dataclass
class Signature:
    """A method in C++."""
    name: str
    result: str = "void"
    parameters: list = field(default_factory=list)
    overrides: bool = False
    virtual: bool = False
    static: bool = False
    suffix: str = ""
    of_library: bool = False
    note: str = ""

    def declaration(self):
        words = "static " if self.static else "virtual " if self.virtual and not self.overrides else ""
        parameters = ", ".join(each.type + " " + each.name + (f" = {each.default}" if each.default else "")
                               for each in self.parameters)
        return f"{words}{self.result} {self.name}({parameters}){self.suffix}{' override' if self.overrides else ''}"


def arity(function):
    """How few and how many arguments a method takes, without self."""
    given = function.parameters[1 if self_name(function) or "classmethod" in function.decorators else 0:]
    plain = [each for each in given if not each.star and not each.keyword_only]
    least = sum(each.default is None for each in plain)
    return least, MANY if any(each.star == "*" for each in given) else len(plain)


def is_accepted(function, least, most):
    """Whether a method can be called as its base calls it."""
    own_least, own_most = arity(function)
    return own_least <= most and least <= own_most


def plain_parameters(function):
    start = 1 if self_name(function) or "classmethod" in function.decorators else 0
    return [each for each in function.parameters[start:] if not each.star]


# Parameters.

def annotated(annotation, classes):
    """The type of an annotation, or "" where the tool does not know it."""
    note = "".join(token.text for token in annotation).strip("'\"").removeprefix("Optional[").rstrip("]")
    return guess.ANNOTATIONS.get(note) or classes.get(note, "")


def type_of_parameter(parameter, scope, hints):
    """The type of one parameter: by its annotation, by what callers give, by its default, or by its name."""
    if note := annotated(parameter.annotation, scope.classes):
        return note
    if parameter.name in hints:
        return hints[parameter.name]
    kind = guess.of_value(parameter.default or [], guess.Scope(scope.classes))
    return kind or guess.BY_NAME.get(parameter.name, guess.ANY)


def by_reference(kind):
    """How a parameter of the type is passed."""
    if kind in (guess.BOOL, guess.WHOLE, guess.REAL, "int", guess.SOCKET) or kind.endswith(("*", "&")):
        return kind
    return f"const {kind}&" if not kind.startswith("std::shared_ptr") else kind


def cpp_parameters(function, scope, hints, taken, python_2=False):
    names, result = Names(taken), []
    must_have_default = False
    for each in plain_parameters(function):
        kind = type_of_parameter(each, scope, hints)
        default = ""
        if each.default is not None or must_have_default:
            default = guess.value_in_cpp(each.default or [], python_2) or "{}"
            must_have_default = True
        if default.startswith("std::string(") or kind in ("std::mutex",):
            default = "{}"
        if guess.of_value(each.default or [], guess.Scope({})) != kind:
            default = default and "{}"
        result.append(Parameter(by_reference(kind), names.new(each.name or "_"), each.name, default))
    return result


def hints_from_callers(source, classes):
    """What callers give: {class: {index of an argument: type}}, where an argument is the caller itself."""
    hints = {}
    for facts in source.classes:
        kind = classes.get(facts.source.name, "")
        for method in facts.methods if kind else ():
            self = self_name(method)
            tokens = method.tokens
            for index, token in enumerate(tokens[:-1]):
                if token.text not in source.known or tokens[index + 1].text != "(" or not self:
                    continue
                arguments = split_at(tokens[index + 2:closing(tokens, index + 1)], ",")
                for number, argument in enumerate(arguments):
                    if [each.text for each in argument] == [self]:
                        found = hints.setdefault(token.text, {})
                        found[number] = kind if found.get(number, kind) == kind else guess.ANY
    return hints


# Results.

def returned_values(function):
    return [each.tokens[1:] for each in walk(function.body, inner=False) if each.word == "return" and len(each.tokens) > 1]


def result_of(function, scope):
    """The type that a method returns."""
    if any(token.text == "yield" for token in function.tokens):
        return guess.ANY
    note = annotated(function.result, scope.classes)
    if note and note != guess.SOCKET:
        return note
    values = returned_values(function)
    if not values:
        return "void"
    kinds = {guess.of_value(value, scope) for value in values if [each.text for each in value] != ["None"]}
    kind = kinds.pop() if len(kinds) == 1 else ""
    return kind if kind and kind not in ("std::mutex", "std::recursive_mutex", guess.SOCKET) else guess.ANY


# Overrides.

def renamed(parameters, function, taken):
    """The parameters of a base, under the names that the override gives them."""
    own, names = [each.name for each in plain_parameters(function)], Names(taken)
    result = []
    for index, (kind, name) in enumerate(parameters):
        python = own[index] if index < len(own) else ""
        result.append(Parameter(kind, names.new(python or name), python))
    return result


def of_library(found, function, taken):
    """The signature of a method that overrides a method of the library."""
    name = "repr" if found.name == "__repr__" else found.name
    return Signature(name, found.result, renamed(found.cpp, function, taken), overrides=found.virtual,
                     suffix=found.suffix, of_library=True,
                     note="" if found.virtual else "this hides the library's method, which is not virtual")


def overload(found, function, scope, hints, taken, python_2):
    """A further method where the override takes more arguments than the base gives, or None."""
    least, most = arity(function)
    if most <= found.most or most == MANY or not found.virtual:
        return None
    parameters = cpp_parameters(function, scope, hints, taken, python_2)
    for each in parameters[:found.most + 1]:
        each.default = ""
    return Signature(found.name, result_of(function, scope), parameters,
                     note=f"Python's {found.name}() has more parameters than the library gives it")


def of_base_in_file(base, function, taken):
    """The signature of a method that overrides a method of a class of the file."""
    parameters = renamed([(each.type, each.name) for each in base.parameters], function, taken)
    return replace(base, parameters=parameters, overrides=True, virtual=True, note="")
