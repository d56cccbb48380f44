"""Writes the C++ skeleton."""
import re

from . import guess, library
from .bases import plan_classes
from .facts import loops, self_name
from .members import Builder, one_line
from .names import Names
from .reader import closing, split_at, text_of
from .signatures import Signature, cpp_parameters, result_of

INCLUDES = {
    "std::any": "any", "std::deque": "deque", "std::map": "map", "std::mutex": "mutex", "std::recursive_mutex": "mutex",
    "std::optional": "optional", "std::set": "set", "std::span": "span", "std::runtime_error": "stdexcept",
    "std::invalid_argument": "stdexcept", "std::string": "string", "std::string_view": "string_view",
    "std::stringstream": "sstream", "std::move": "utility", "std::pair": "utility", "std::forward": "utility",
    "std::vector": "vector", "std::shared_ptr": "memory",
}
INDENT = "    "


def commented(rows, indent):
    """Rows of Python as comments.  A comment must not end in a backslash, or it would go on in the next line."""
    rows = [re.sub(r"[\x00-\x08\x0b-\x1f\x7f\u0085\u2028-\u202e\u2066-\u2069]", " ", row).expandtabs(8).rstrip() for row in rows]
    while rows and not rows[-1]:
        rows.pop()
    filled = [len(row) - len(row.lstrip()) for row in rows if row]
    cut = min(filled, default=0)
    for row in rows:
        row = row[cut:]
        row += " //" if row.endswith("\\") else ""
        yield (f"{indent}// {row}" if row else f"{indent}//").rstrip()


def plain_return(function):
    """The value of a body that is only `return False` or `return 1`, as a bool of C++; or ""."""
    if len(function.body) != 1 or function.body[0].word != "return":
        return ""
    return {"True": "true", "1": "true", "False": "false", "0": "false"}.get(text_of(function.body[0].tokens[1:]), "")


def default_return(signature, owner, function=None):
    """The statement that returns something, until the body is ported."""
    if signature.result == "void":
        return []
    if signature.result == guess.BOOL and function and plain_return(function):
        return [f"return {plain_return(function)};"]
    if signature.of_library and signature.overrides and owner and owner != "asynchat::producer":
        arguments = ", ".join(f"std::move({each.name})" if "shared_ptr" in each.type or each.type == guess.SOCKET
                              else each.name for each in signature.parameters)
        return [f"return {owner}::{signature.name}({arguments});"]
    return [f"return {guess.empty(signature.result) or '{}'};"]


class Writer:
    """Writes one source."""

    def __init__(self, source, python_2):
        self.source, self.python_2 = source, python_2
        self.plans = plan_classes(source)
        self.built = Builder(source, self.plans, python_2).build()
        self.lines = []

    def text(self):
        self.write_body()
        body = "\n".join(self.lines)
        return self.head(body) + body + "\n"

    def add(self, *lines):
        self.lines += lines

    def head(self, body):
        includes = sorted({header for name, header in INCLUDES.items() if re.search(re.escape(name) + r"\b", body)})
        return "\n".join([
            f"// A skeleton of {self.source.path.name}, written by docs/porting/skeleton.py.  What stands behind // is the",
            "// Python.  Each TODO(port) is a body, or a choice, that is left to the person who ports it.",
            "#include <asynchat/asynchat.hpp>",
            "#include <asyncore/asyncore.hpp>",
            "",
            *[f"#include <{each}>" for each in includes],
            "",
            "#pragma GCC diagnostic ignored \"-Wunused-parameter\"  // remove it when the bodies are ported",
            "", ""])

    def write_body(self):
        self.add(f"namespace {self.namespace()} {{", "")
        declared = [plan.name for plan in self.plans.values() if not plan.template]
        self.add(*[f"class {name};" for name in declared], *([""] if declared else []))
        names = Names({plan.name for plan in self.plans.values()})
        self.write_variables(names)
        for built in self.built.values():
            self.write_class(built)
        for function in self.source.functions:
            self.write_function(function, names)
        self.add(f"}}  // namespace {self.namespace()}")
        if self.has_program():
            self.write_main()

    def namespace(self):
        return re.sub(r"[^A-Za-z0-9_]|^(?=[0-9_])", "p", self.source.module).replace("__", "_").strip("_") + "_port"

    # The file.

    def write_variables(self, names):
        seen = set()
        for each in self.source.variables:
            name, kind = each.target[0].text, guess.of_value(each.value, guess.Scope({}))
            if len(each.target) != 1 or name in seen or name.startswith("__") or name in self.source.known:
                continue
            seen.add(name)
            value = guess.value_in_cpp(each.value, self.python_2)
            shown = one_line(f"{name} = {text_of(each.value)}")
            if value:
                self.add(f"{kind} {names.get(name)} = {value};  // line {each.line}")
            else:
                self.add(*commented([f"TODO(port): {shown}"], ""))
        if seen:
            self.add("")

    def rows(self, first, last):
        return self.source.rows[first - 1:last]

    def comments_above(self, line):
        """The comments right above a definition."""
        first = line
        while first > 1 and self.source.rows[first - 2].lstrip().startswith(("#", "@")):
            first -= 1
        return [row for row in self.rows(first, line - 1) if not row.lstrip().startswith("#!")]

    def write_python(self, function, indent):
        """The body of a function as comments.  A body on the line of the def is cut from there."""
        rows = self.rows(function.body_first, function.last)
        header = function.body[0]
        if header.tokens and function.first == function.body_first and rows:
            match = re.match(r"\s*(?:async\s+)?def\b.*?:\s(?=[^:]*$)", rows[0])
            rows[0] = rows[0][match.end():] if match else rows[0]
        self.add(*commented(rows, indent))

    # Classes.

    def write_class(self, built):
        plan = built.plan
        self.add(*commented(self.comments_above(plan.facts.source.first), ""))
        self.add(f"// class {plan.facts.source.name}: {self.source.path.name}, line {plan.facts.source.first}"
                 + (f", in {plan.facts.source.outer}" if plan.facts.source.outer else ""))
        for each in [*self.notes_of_bases(plan), *plan.left_out]:
            self.add(*commented([f"TODO(port): {each}."], ""))
        if plan.template:
            self.add("template <class Base>")
        bases = ", ".join(f"public {each}" for each in plan.bases)
        self.add(f"class {plan.name}{' : ' + bases if bases else ''} {{", "public:")
        self.write_constructors_of_base(built)
        for name in dict.fromkeys(built.overloads):
            self.add(f"{INDENT}using {self.owner(plan)}::{name};")
        self.write_members(built)
        for function in plan.facts.methods:
            if built.constructor and function is built.constructor.function:
                self.write_constructor(built)
        for function, found in built.methods:
            self.write_method(built, function, found)
        for name, assignment in built.aliases:
            self.write_alias(built, name, assignment)
        if self.lines[-1] == "":
            self.lines.pop()
        self.add("};", "")

    def notes_of_bases(self, plan):
        if plan.facts.guessed:
            yield f"the base is {plan.facts.guessed}"
        kept = {base.split("::")[-1] for base in plan.bases}
        for each in plan.facts.others:
            if not plan.facts.guessed and each.split(".")[-1] not in kept and not each.endswith(("Error", "Exception")):
                yield f"Python derives from {one_line(each)}, too"

    def owner(self, plan):
        return "Base" if plan.template else (plan.bases[0] if plan.bases else "")

    def write_constructors_of_base(self, built):
        plan, constructor = built.plan, built.constructor
        if constructor and not constructor.inherits or not plan.bases and not plan.template:
            return
        owner = self.owner(plan)
        if owner == "asynchat::producer":
            return
        last = owner.split("<")[0].split("::")[-1]
        if built.second_bases:
            self.add(f"{INDENT}template <class... Arguments>",
                     f"{INDENT}explicit {plan.name}(Arguments&&... arguments)",
                     f"{INDENT * 2}: {owner}(std::forward<Arguments>(arguments)...), {', '.join(built.second_bases)} {{}}", "")
        else:
            self.add(f"{INDENT}using {owner}::{last};", "")
        if constructor:
            self.add(f"{INDENT}// TODO(port): __init__, line {constructor.function.first}")
            self.write_python(constructor.function, INDENT)
            self.add("")

    def write_members(self, built):
        if built.left_to_base:
            self.add(*commented([f"The library has these attributes, which the class sets: {', '.join(built.left_to_base)}."],
                                INDENT))
        if not built.constructor or built.constructor.inherits:
            for name, each in built.plan.facts.class_attributes:
                if name in built.left_to_base:
                    self.add(*commented([f"TODO(port): {one_line(name + ' = ' + text_of(each.value))}"], INDENT))
        for member in built.members:
            known = f" = {member.value}" if member.value else ""
            todo = "" if member.type else "TODO(port): its type. "
            self.add(f"{INDENT}{member.type or guess.ANY} {member.name}{known};  // {todo}{member.comment}")
        if built.members or built.left_to_base:
            self.add("")

    def write_constructor(self, built):
        constructor, plan = built.constructor, built.plan
        if constructor.inherits:
            return
        function = constructor.function
        self.add(*commented(self.comments_above(function.first), INDENT))
        if constructor.forwards:
            self.add(f"{INDENT}template <class... Arguments>",
                     f"{INDENT}explicit {plan.name}(Arguments&&... arguments) : Base(std::forward<Arguments>(arguments)...) {{")
        else:
            parameters = Signature("", "", constructor.parameters).declaration().strip()
            initializers = f" : {', '.join(constructor.initializers)}" if constructor.initializers else ""
            required = sum(not each.default for each in constructor.parameters)
            explicit = "explicit " if constructor.parameters and required <= 1 else ""
            head = f"{INDENT}{explicit}{plan.name}{parameters}"
            if initializers and len(head + initializers) > 100:
                self.add(head, f"{INDENT * 2}{initializers.lstrip()} {{")
            else:
                self.add(head + initializers + " {")
        self.write_todo(function)
        self.add(*[INDENT * 2 + each for each in constructor.body], f"{INDENT}}}", "")

    def write_todo(self, function):
        self.add(f"{INDENT * 2}// TODO(port): {function.name}, line {function.first}")
        self.write_python(function, INDENT * 2)

    def write_method(self, built, function, found):
        self.add(*commented(self.comments_above(function.first), INDENT))
        for index, each in enumerate(found):
            if each.note:
                self.add(f"{INDENT}// {each.note}.")
            self.add(f"{INDENT}{each.declaration()} {{")
            if index == 0:
                self.write_todo(function)
            else:
                self.add(f"{INDENT * 2}// TODO(port): the body above")
            self.add(*[INDENT * 2 + line for line in default_return(each, self.owner(built.plan), function)], f"{INDENT}}}", "")

    def write_alias(self, built, name, assignment):
        libraries = sorted(built.plan.bindings) if built.plan.template else [built.plan.library]
        method = library.method(libraries[0], name)
        signature = Signature("repr" if name == "__repr__" else name, method.result,
                              [_Named(kind, each) for kind, each in method.cpp], overrides=True, suffix=method.suffix,
                              of_library=True)
        self.add(f"{INDENT}{signature.declaration()} {{")
        self.add(*commented([f"TODO(port): line {assignment.line}", one_line(f"{name} = {text_of(assignment.value)}")],
                            INDENT * 2))
        self.add(*[INDENT * 2 + line for line in default_return(signature, self.owner(built.plan))], f"{INDENT}}}", "")

    # Functions and main().

    def write_function(self, function, names):
        types = {plan.facts.source.name: plan.pointer for plan in self.plans.values() if not plan.template}
        class_names = {plan.name for plan in self.plans.values()}
        parameters = cpp_parameters(function, guess.Scope(types), {}, class_names, self.python_2)
        scope = guess.Scope(types, {each.python: each.type for each in parameters})
        signature = Signature(names.new(function.name), result_of(function, scope), parameters)
        self.add(*commented(self.comments_above(function.first), ""))
        self.add(f"{signature.declaration()} {{", f"{INDENT}// TODO(port): {function.name}, line {function.first}")
        self.write_python(function, INDENT)
        self.add(*[INDENT + line for line in default_return(signature, "")], "}", "")

    def has_program(self):
        return bool(self.source.main) or loops(self.source.tokens)

    def write_main(self):
        self.add("", "int main(int argc, char** argv) {")
        if any(each.library == "async_chat" for each in self.plans.values()) and not self.python_2:
            self.add(f"{INDENT}asynchat::async_chat::default_ac_in_buffer_size = 65536;",
                     f"{INDENT}asynchat::async_chat::default_ac_out_buffer_size = 65536;")
        self.add(f"{INDENT}const asyncore::interrupt_on_sigint stoppable;", f"{INDENT}try {{")
        for each in self.source.main:
            self.add(f"{INDENT * 2}// TODO(port): line {each.first}" if each is self.source.main[0] else "")
            self.lines = self.lines if self.lines[-1] else self.lines[:-1]
            self.add(*commented(self.rows(each.first, each.last), INDENT * 2))
        if loops(self.source.tokens):
            self.add(f"{INDENT * 2}asyncore::loop({self.loop_arguments()});")
        self.add(f"{INDENT}}} catch (const asyncore::KeyboardInterrupt&) {{", f"{INDENT}}}", "}")

    def loop_arguments(self):
        """The arguments of the first loop() of the source that are plain numbers."""
        tokens = self.source.tokens
        index = next(at for at in range(len(tokens) - 1)
                     if tokens[at].text == "loop" and tokens[at + 1].text == "(" and tokens[at - 1].text == ".")
        given = {}
        for number, part in enumerate(split_at(tokens[index + 2:closing(tokens, index + 1)], ",")):
            name = part[0].text if len(part) > 2 and part[1].text == "=" else ("timeout", "use_poll", "map", "count")[number % 4]
            given[name] = part[2:] if len(part) > 2 and part[1].text == "=" else part
        written = []
        for name, form in (("timeout", float), ("use_poll", bool), ("count", int)):
            value = guess.value_in_cpp(given.get(name, []))
            if value in ("true", "false") or re.fullmatch(r"[0-9.]+", value):
                number = {"true": 1, "false": 0}.get(value) if value in ("true", "false") else float(value)
                written.append(f".{name} = {str(form(number)).lower()}")
        return "{" + ", ".join(written) + "}" if written else ""


class _Named:
    """A parameter of an alias, which has no name in Python."""

    def __init__(self, kind, name):
        self.type, self.name, self.default = kind, name, ""
