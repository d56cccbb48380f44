"""The tool docs/porting/skeleton.py: test_skeleton.py [-k PATTERN] COMPILER... -- LIBRARY...

- Its tables are held against CPython 3.11, where that is at hand, and against the headers, by the compiler.
- Skeletons are compiled: of the hard sources in skeleton/, of docs/examples/chat/chat.py, and of CPython's own servers,
  where they are at hand.  One is linked, and run.  skeleton/chat.golden.cpp is what the tool writes for chat.py.
"""
import contextlib
import importlib
import importlib.util
import inspect
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

from try_servers import HEADERS, ROOT, Compiler, skeleton_of

sys.path.insert(0, str(ROOT / "docs/porting"))
from skeleton import library, needs  # noqa: E402
from skeleton.advice import DIFFERENCES, PAGES, RULES, advice, advice_for_file, differences  # noqa: E402
from skeleton.command import main  # noqa: E402
from skeleton.facts import read_source  # noqa: E402
from skeleton.lexer import SourceError  # noqa: E402
from skeleton.names import is_free  # noqa: E402
from skeleton.reader import assignments_of, statements_of, text_of, walk  # noqa: E402
from skeleton.report import report  # noqa: E402

CHAT = ROOT / "docs/examples/chat/chat.py"
SOURCES = pathlib.Path(__file__).parent / "skeleton"
GOLDEN = SOURCES / "chat.golden.cpp"
SERVERS = {"smtpd.py": 4, "test/test_asyncore.py": 18, "test/test_asynchat.py": 1, "test/test_ftplib.py": 7,
           "test/test_poplib.py": 3, "test/test_smtplib.py": 6, "test/test_ssl.py": 2}
COMMAND, LIBRARIES = [], []
has_asyncore = importlib.util.find_spec("asyncore") and sys.version_info[:2] == (3, 11)


class Case(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def write(self, text, name="server.py"):
        path = self.folder / name
        path.write_text(textwrap.dedent(text))
        return path

    def source(self, text):
        return read_source(self.write(text))

    def skeleton(self, text):
        return skeleton_of(self.write(text))[2]

    def run_tool(self, *words):
        """(exit status, standard output, standard error)."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([str(word) for word in words])
        return status, out.getvalue(), err.getvalue()


class Compiled(Case):
    """Cases that compile: they share a precompiled header."""
    compiler = None

    def setUp(self):
        if not COMMAND:
            self.skipTest("no compiler was given")
        if Compiled.compiler is None:
            Compiled.header_folder = tempfile.TemporaryDirectory()
            Compiled.compiler = Compiler(COMMAND, Compiled.header_folder.name)

    def check(self, text):
        compiled, message = self.compiler.compile(text)
        self.assertEqual((compiled, message), (True, ""))


class Tables(Compiled):
    @unittest.skipUnless(has_asyncore, "this is no CPython 3.11")
    def test_methods_are_those_of_cpython(self):
        for name, class_ in library.CLASSES.items():
            module = "asynchat" if class_.cpp.startswith("asynchat") else "asyncore"
            python = getattr(importlib.import_module(module), name, None)
            if python is None or name == "ExitNow":
                continue
            defined = {each: value for each, value in vars(python).items() if inspect.isfunction(value)}
            wanted = {each for each in defined if not each.startswith("__") or each == "__repr__"} - {"__del__"}
            self.assertEqual({each.name for each in class_.methods}, wanted, name)
            for each in class_.methods:
                self.assertEqual(each.python, self.parameters(defined[each.name]), f"{name}.{each.name}")

    def parameters(self, function):
        text = str(inspect.signature(function))[1:-1].partition(", ")[2]
        text = re.sub(r"<AddressFamily.AF_INET: \d+>", "AF_INET", text)
        return re.sub(r"<SocketKind.SOCK_STREAM: \d+>", "SOCK_STREAM", text)

    def test_attributes_are_those_of_the_list_of_names(self):
        lines = (ROOT / "tests/docs/names.txt").read_text().splitlines()
        for name, class_ in library.CLASSES.items():
            listed = {line.split()[1] for line in lines if line.split()[0].endswith("." + name)}
            if listed and name != "ExitNow":
                methods = {each.name for each in class_.methods}
                self.assertEqual(set(class_.attributes), listed - methods, name)

    def test_the_compiler_knows_every_signature(self):
        lines = []
        for name, class_ in library.CLASSES.items():
            for each in class_.methods:
                cpp = "repr" if each.name == "__repr__" else each.name
                parameters = ", ".join(f"{kind} {word}" for kind, word in each.cpp)
                body = f"{each.result} {cpp}({parameters}){each.suffix} override;" if each.virtual else \
                    f"using {class_.cpp}::{cpp};"
                lines.append(f"namespace {name}_ {{ struct {each.name}_m : {class_.cpp} {{ {body} }}; }}")
            for each in class_.attributes:
                lines.append(f"namespace {name}_ {{ struct {each}_a : {class_.cpp} {{ using {class_.cpp}::{each}; }}; }}")
            for index, parameters in enumerate(class_.constructors):
                types = ", ".join(kind for kind, _ in parameters)
                derived = f"struct made{index} : {class_.cpp} {{ using {class_.cpp}::{class_.cpp.split('::')[1]}; }}"
                if name != "producer":
                    lines.append(f"namespace {name}_ {{ {derived}; "
                                 f"static_assert(std::is_constructible_v<made{index}{', ' + types if types else ''}>); }}")
        self.check("\n".join(lines) + "\n")

    def test_names_that_only_cpp_has_are_those_of_the_headers(self):
        headers = {"channel": "asyncore/channel.hpp", "dispatcher": "asyncore/dispatcher.hpp",
                   "async_chat": "asynchat/async_chat.hpp", "producer": "asynchat/producer.hpp"}
        for name, header in headers.items():
            text = re.sub(r"//[^\n]*", "", (ROOT / header).read_text())
            body = re.search(rf"^class {name}\b[^;{{]*\{{(.*?)^\}};", text, re.M | re.S)[1]
            found = set(re.findall(r"\b(\w*[a-z]_|default_\w+|init|repr|hidden_in_)(?=\(|;| =|\{)", body))
            found -= {"self_", "socket_", "home_", "life_", "borrowings_", "is_released_", "next_released_", "become_owned_",
                      "spawned_self_", "events_in_vain_", "is_alive_", "watched_", "outer_"}
            self.assertEqual(found - library.taken(name), set(), name)
            for each in library.CLASSES[name].own:
                self.assertRegex(text, rf"\b{each}\b", name)

    def test_no_macro_of_the_headers_is_a_free_name(self):
        source = self.folder / "macros.cpp"
        source.write_text("".join(f"#include <{each}>\n" for each in HEADERS))
        done = subprocess.run([*COMMAND, "-std=c++20", f"-I{ROOT}", "-dM", "-E", str(source)], stdout=subprocess.PIPE,
                              text=True, check=True)
        macros = set(re.findall(r"^#define ([A-Za-z]\w*)", done.stdout, re.M))
        self.assertGreater(len(macros), 100)
        self.assertEqual({each for each in macros if is_free(each)} - {"NDEBUG"}, set())

    def test_every_link_leads_somewhere(self):
        self.assertEqual(set(RULES) - set(differences()), set())
        text = DIFFERENCES.read_text()
        for title, anchor in differences().values():
            self.assertIn(f"(#{anchor})", text)
        for _, link, _, _ in PAGES:
            page, _, anchor = link.partition("#")
            headings = re.findall(r"^#+ (.*)$", (ROOT / page).read_text(), re.M)
            anchors = {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
            self.assertTrue(not anchor or anchor in anchors, link)

    def test_the_helpers_of_python_hpp_exist(self):
        header = (ROOT / "docs/porting/python.hpp").read_text()
        for text in [*needs.METHODS.values(), *needs.FUNCTIONS.values()]:
            for name in re.findall(r"py::(?:bytes::)?(\w+)", text):
                self.assertRegex(header, rf"\b{name}\b", text)


class Skeletons(Compiled):
    def check_file(self, path):
        source, _, text = skeleton_of(path)
        self.check(text)
        return source, text

    def test_hard_sources_compile(self):
        for path in sorted(SOURCES.glob("hard*.py")):
            source, text = self.check_file(path)
            namespace = re.search(r"^namespace (\w+) \{", text, re.M)[1]
            names = [each for each in re.findall(r"^class (\w+) : public \w+::(?!producer|runtime|simple)", text, re.M)]
            self.check(text + "".join(f"static_assert(asyncore::plain_channel<{namespace}::{name}>);\n" for name in names))

    def test_chat_is_as_the_golden_skeleton(self):
        _, text = self.check_file(CHAT)
        if os.environ.get("WRITE_GOLDEN"):
            GOLDEN.write_text(text)
        self.assertEqual(text, GOLDEN.read_text())

    def test_a_skeleton_is_linked_and_runs(self):
        if not LIBRARIES:
            self.skipTest("no library was given")
        source, program = self.folder / "chat.cpp", self.folder / "chat"
        source.write_text(skeleton_of(CHAT)[2])
        subprocess.run([*COMMAND, "-std=c++20", f"-I{ROOT}", str(source), "-o", str(program), *LIBRARIES, "-pthread"],
                       check=True)
        self.assertEqual(subprocess.run([str(program)], timeout=30).returncode, 0)

    @unittest.skipUnless(has_asyncore, "this is no CPython 3.11")
    def test_servers_of_cpython_compile(self):
        for name, channels in SERVERS.items():
            path = pathlib.Path(os.__file__).parent / name
            if path.is_file():
                with self.subTest(name):
                    source, _ = self.check_file(path)
                    self.assertEqual(sum(each.is_channel for each in source.classes), channels)

    def test_two_runs_write_the_same(self):
        for path in (CHAT, SOURCES / "hard2.py", SOURCES / "hard3.py"):
            results = {subprocess.run([sys.executable, ROOT / "docs/porting/skeleton.py", path, "-o", "-"],
                                      env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True, check=True).stdout for seed in "123"}
            self.assertEqual(len(results), 1)


class Page(Compiled):
    """docs/porting/skeleton.md shows a server, what the tool says of it, and what it writes."""

    def test_the_example_is_what_the_tool_does(self):
        page = (ROOT / "docs/porting/skeleton.md").read_text()
        server, = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
        said, = re.findall(r"^```console\n\$ python3 docs/porting/skeleton.py server.py\n(.*?)^```", page, re.M | re.S)
        written, = re.findall(r"^```cpp\n(.*?)^```", page, re.M | re.S)
        path, out = self.write(server), self.folder / "server.cpp"
        status, printed, error = self.run_tool(path, "-o", out)
        self.assertEqual((status, error), (0, ""))
        self.assertEqual(printed.replace(str(self.folder) + "/", ""), said)
        self.assertEqual(out.read_text(), written)
        self.check(written)


class OtherPythons(Case):
    def test_every_python_writes_the_same(self):
        found = {pathlib.Path(sys.executable)}
        found |= {path for path in map(shutil.which, ("python3.11", "python3.12", "python3.13")) if path}
        found |= set(pathlib.Path.home().glob(".pyenv/versions/3.1[1-9]*/bin/python3"))
        results = {}
        for python in found:
            for path in (CHAT, SOURCES / "hard2.py", SOURCES / "hard3.py"):
                done = subprocess.run([python, ROOT / "docs/porting/skeleton.py", path, "-o", "-"], stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, text=True)
                if done.returncode != 127:  # a name of a Python that is not installed
                    results.setdefault((path, done.returncode, done.stdout), []).append(python)
        self.assertEqual([path for path, _, _ in results], [CHAT, SOURCES / "hard2.py", SOURCES / "hard3.py"])


class Writing(Case):
    def test_hooks_have_the_signatures_of_the_library(self):
        text = self.skeleton("""
            import asyncore
            class S(asyncore.dispatcher):
                def handle_accepted(self, conn, where): pass
                def readable(self): return len(self.x) < 3
                def writable(self): return False
                def recv(self, size): return b''
            """)
        self.assertIn("void handle_accepted(asyncore::socket_t conn, const asyncore::address& where) override {", text)
        self.assertIn("return asyncore::dispatcher::readable();", text)
        self.assertIn("bool writable() override {\n        // TODO(port): writable, line 6\n"
                      "        // return False\n        return false;", re.sub(r"\n +// +def.*", "", text))
        self.assertIn("using asyncore::dispatcher::recv;", text)
        self.assertIn("std::size_t recv(std::span<char> size) override", text)

    def test_a_further_parameter_is_an_overload(self):
        text = self.skeleton("""
            import asyncore
            class S(asyncore.dispatcher):
                def close(self, reason=None): pass
                def connect(self, host, port): pass
            """)
        self.assertIn("void close() override {", text)
        self.assertIn("void close(const std::string& reason) {", text)
        self.assertNotIn("override", text[text.index("void connect("):])

    def test_a_constructor_gives_its_base_the_socket_and_the_map(self):
        text = self.skeleton("""
            import asynchat
            class S(asynchat.async_chat):
                def __init__(self, server, sock, map=None):
                    asynchat.async_chat.__init__(self, sock, map)
                    self.server = server
            class T(S):
                def __init__(self, sock, port):
                    S.__init__(self, self, sock)
            """)
        self.assertIn("asynchat::async_chat(std::move(sock), map), server(server) {", text)
        self.assertIn("T(asyncore::socket_t sock, long port) : S(std::any{}, std::move(sock)) {", text)

    def test_a_class_that_overrides_set_socket_calls_init(self):
        text = self.skeleton("""
            import asyncore
            class S(asyncore.dispatcher):
                def __init__(self, sock): asyncore.dispatcher.__init__(self, sock)
                def set_socket(self, sock, map=None): pass
            """)
        self.assertRegex(text, r"explicit S\(asyncore::socket_t sock\) \{[^}]*init\(std::move\(sock\)\);")

    def test_a_mixin_becomes_a_template(self):
        text = self.skeleton("""
            import asyncore
            class M:
                def send(self, data): return super().send(data)
            class S(M, asyncore.dispatcher): pass
            """)
        self.assertIn("template <class Base>\nclass M : public Base {", text)
        self.assertIn("class S : public M<asyncore::dispatcher> {", text)

    def test_members_have_the_types_of_their_values(self):
        text = self.skeleton("""
            import asyncore
            class S(asyncore.dispatcher):
                limit = 0o17
                def __init__(self, server):
                    self.text, self.count = '', 0
                    self.ready = False
                    self.names = {'a': 1}
                    self.connected = True
                    self.other = frobnicate(1)
            """)
        for line in ("long limit = 15;  // limit = 0o17, line 4", 'std::string text = "";', "long count = 0;",
                     "bool ready = false;", "std::map<std::string, long> names;",
                     "std::any other;  // TODO(port): its type. self.other = frobnicate(1), line 10"):
            self.assertIn(line, text)
        self.assertNotIn("bool connected", text)

    def test_a_comment_never_goes_on_in_the_next_line(self):
        text = skeleton_of(SOURCES / "hard3.py")[2]
        self.assertEqual([line for line in text.splitlines() if line.endswith("\\")], [])

    def test_main_has_the_loop_with_its_arguments(self):
        text = self.skeleton("import asyncore\nclass S(asyncore.dispatcher): pass\nS()\nasyncore.loop(timeout=0.5, count=3)\n")
        self.assertIn("asyncore::loop({.timeout = 0.5, .count = 3});", text)
        self.assertNotIn("int main", self.skeleton("import asyncore\nclass S(asyncore.dispatcher): pass\n"))


class Reading(Case):
    def test_bases_are_found_through_imports_aliases_and_classes_of_the_file(self):
        source = self.source("""
            import asyncore as ac, smtpd
            from asyncore import dispatcher as D
            from supervisor.medusa import asynchat_25 as asynchat
            E = ac.dispatcher_with_send
            class A(D): pass
            class B(A): pass
            class C(ac.file_dispatcher): pass
            class F(E): pass
            class G(asynchat.async_chat): pass
            class H(smtpd.SMTPServer): pass
            class I(unknown.Thing):
                def found_terminator(self): pass
            class J(asynchat.asyncore.dispatcher): pass
            class K(object): pass
            """)
        self.assertEqual([each.library_base for each in source.classes],
                         ["dispatcher", "dispatcher", "file_dispatcher", "dispatcher_with_send", "async_chat", "dispatcher",
                          "async_chat", "dispatcher", ""])
        self.assertIn("guess", source.classes[6].guessed)

    def test_a_base_of_a_file_in_the_same_folder_is_found(self):
        self.write("import asynchat\nclass Base(asynchat.async_chat): pass\n", "near.py")
        source = self.source("from near import Base\nclass A(Base): pass\n")
        self.assertEqual(source.classes[0].library_base, "async_chat")

    def test_python_2_is_read_in_every_python(self):
        source = read_source(SOURCES / "hard2.py")
        self.assertTrue(source.is_python_2())
        self.assertEqual([len(each.methods) for each in source.classes], [6, 2])
        self.assertEqual([each.name for each in source.classes[0].methods[0].parameters],
                         ["self", "server", "host_port", "conn"])
        self.assertFalse(read_source(SOURCES / "hard3.py").is_python_2())

    def test_uses_from_outside_are_found(self):
        source = read_source(SOURCES / "hard2.py")
        self.assertEqual([(use.owner, use.name, use.kind) for known, use in source.outside if known is source.classes[0]],
                         [("session", "set_terminator", "call"), ("session", "ac_in_buffer_size", "set")])

    def test_targets_of_assignments(self):
        for text, wanted in (("a = self.b = 1", ["a", "self.b"]), ("a, (self.b, c) = x", ["a", "self.b", "c"]),
                             ("for self.x in y: pass", ["self.x"]), ("with a as self.b, c as d: pass", ["self.b", "d"]),
                             ("self.x += 1", ["self.x"]), ("self.x: int = 1", ["self.x"]), ("f(a=1)", []), ("a == b", []),
                             ("x = lambda a=1: a", ["x"]), ("print >>f, x", [])):
            found = [text_of(each.target) for part in walk(statements_of(text)) for each in assignments_of(part)]
            self.assertEqual(found, wanted, text)

    def test_encodings(self):
        path = self.folder / "latin.py"
        for data in (b"# \xe9\nclass A: pass\n", b"# -*- coding: latin-1 -*-\n# \xe9\nclass A: pass\n",
                     b"\xef\xbb\xbfclass A:\r\n    x = 1\r\n", "class Ä:\n    é = 1\n".encode()):
            path.write_bytes(data)
            self.assertEqual(len(read_source(path).classes), 1)


class Advising(Case):
    def topics(self, text):
        source = self.source(text)
        return {each.topic for facts in source.classes for each in advice(source, facts)} | {
            each.topic for each in advice_for_file(source)}

    def check(self, topic, body, base="asyncore.dispatcher", extra=""):
        text = f"import asyncore, asynchat, os, ssl, signal, socket, subprocess, threading, time\n" \
               f"class S({base}):\n" + textwrap.indent(textwrap.dedent(body), "    ") + "\n" + extra
        self.assertIn(topic, self.topics(text), body)
        nothing = f"import asyncore, asynchat\nclass S({base}):\n    def handle_close(self): pass\n"
        if topic not in ("D1", "D19", "D22", "D31", "files"):
            self.assertNotIn(topic, self.topics(nothing))

    def test_each_page_and_each_difference_can_be_told(self):
        chat = "asynchat.async_chat"
        cases = [
            ("the trigger", "def f(self): r, w = os.pipe()"), ("threads", "def f(self): threading.Lock()"),
            ("timers", "def readable(self): return time.time() > self.x"),
            ("calls later", "def f(self): threading.Timer(1, g)"), ("an idle time-out", "def f(self): self.last = time.time()"), ("signals", "def f(self): signal.signal(1, g)"),
            ("a child process", "def f(self): os.fork()"), ("producers", "def f(self): self.push_with_producer(x)", chat),
            ("back-pressure", "def readable(self): return len(self.q) < 3"),
            ("how many connections", "def f(self): return len(asyncore.socket_map)"), ("logging", "def log(self, m): pass"),
            ("TLS", "def f(self): self.socket = ssl.wrap_socket(self.socket)"),
            ("UDP", "def f(self): self.create_socket(socket.AF_INET, socket.SOCK_DGRAM)"),
            ("files", "pass", "asyncore.file_dispatcher"), ("broadcast", "def f(self):\n    for s in x:\n        s.push(b'')"),
            ("commands by name", "def f(self, x): getattr(self, 'cmd_' + x)"),
            ("another class", "def f(self): self.__class__ = T"), ("giving self away", "def f(self): x.append(self)"),
            ("peers", "def close(self): self.peer = None"), ("methods of one instance", "def f(self): self.handle_read = self.g"),
            ("a bare raise", "def handle_error(self): raise"), ("re-use", "def again(self): self.create_socket()"),
            ("construction", "def add_channel(self, map=None): pass"), ("a loop that never waits", "def handle_read(self): pass"),
            ("the socket", "def f(self): self.socket = x"), ("Python 2", "def f(self): self.getpeername()"),
            ("Python 2.5", "def refill_buffer(self): pass", chat),
            ("D1", "pass", chat), ("D2", "def f(self): self.del_channel()"), ("D3", "def f(self): self.set_socket(x)"),
            ("D5", "def f(self): asyncore.compact_traceback()"), ("D6", "def f(self): self.send(b'')", "asyncore.dispatcher_with_send"),
            ("D7", "def f(self): asyncore.file_wrapper(1)"), ("D8", "use_encoding = 1", chat), ("D11", "def f(self): self.incoming", chat),
            ("D12", "def f(self):\n    self.set_terminator(5)\n    self.set_terminator(b'x')", chat),
            ("D13", "def f(self): self.accept()"), ("D14", "pass", chat, "c = S()\nc.connected = True\n"),
            ("D15", "def readable(self): self.close()"), ("D17", "def f(self): os.close(3)"), ("D19", "pass", chat),
            ("D20", "def __repr__(self): return ''"), ("D21", "def log_info(self, m, type): pass"),
            ("D22", "pass", "asyncore.file_dispatcher"), ("D24", "def f(self): self.push(bytearray(3))", chat),
            ("D27", "def f(self): self.connect(x)"), ("D28", "def f(self): self.discard_buffers()", chat),
            ("D30", "def handle_expt(self): pass"), ("D31", "pass", "asyncore.file_dispatcher"),
            ("D32", "def handle_accept(self): pass"), ("D34", "def f(self): self.listen(5)"),
            ("D35", "def f(self): self.create_socket(2, socket.SOCK_DGRAM)"), ("D36", "def close(self): pass"),
            ("D37", "def handle_read(self): pass"), ("D9", "pass", chat, "asyncore.loop(0.001)\n"),
            ("D10", "pass", chat, "asyncore.poll(-1)\n"), ("D18", "pass", chat, "asyncore.loop(timeout=None)\n"),
            ("D23", "pass", chat, "asyncore.loop()\n"), ("D25", "pass", chat, "asyncore.loop(use_poll=True)\n"),
            ("D29", "pass", chat, "if e == EINTR: pass\n"),
        ]
        for case in cases:
            self.check(*case)
        self.assertEqual({row[0] for row in PAGES} | set(RULES) - {case[0] for case in cases}, {row[0] for row in PAGES})

    def test_the_report_names_collisions_and_needs(self):
        source = self.source("""
            import asyncore, time, frob
            class S(asyncore.dispatcher):
                def connect(self, host, port): self.log = 1
                def socket(self): return self.x.strip().split(' ')
                def init(self): return time.time()
            """)
        text = report(source, False)
        for part in ("connect() has other parameters than the library's", "socket() has the name of an attribute",
                     "init() has a name that the C++ class has", "the attribute log has the name of a method",
                     ".strip()", "py::split(", "time.time()", "frob", "nothing here"):
            self.assertIn(part, text)


class Refusing(Case):
    def test_a_bad_source_is_named_with_its_line(self):
        for text, line, message in (
                ("x = (1,\n", 1, "'(' is not closed"), ("x = 1)\n", 1, "')' closes nothing"),
                ("x = [1)\n", 1, "')' closes '[' of line 1"), ("x = 'a\n", 1, "a string without an end"),
                ("a = 1\nx = '''a\n", 2, "a string without an end"), ("class A:\npass\n", 1, "without an indented block"),
                ("a = 1\n  b = 2\n", 2, "an indentation that nothing asks for"),
                ("class A:\n    def f(self):\n        pass\n      x = 1\n", 4, "an indentation"),
                ("class :\n    pass\n", 1, "a class without a name"), ("def f:\n    pass\n", 1, "a def without"),
                ("class A(x:\n    pass\n", 1, "'(' is not closed"), ("Dear reader, hello there\n", 1, "this is no Python"),
                ("x = $1\n", 1, "a character that Python does not know"), ("class A\n", 1, "without a colon"),
                ("x = 1\0\n", 1, "a zero byte"), ("", 1, "an empty file"), ("x = 1\n", 1, "nothing to port"),
                ("# coding: klingon\nx = 1\n", 1, "an encoding that cannot be read")):
            path = self.folder / "bad.py"
            path.write_text(text)
            out = self.folder / "bad.cpp"
            status, printed, error = self.run_tool(path, "-o", out)
            self.assertEqual((status, printed, out.exists()), (2, "", False), text)
            self.assertIn(f"bad.py:{line}: ", error)
            self.assertIn(message, error)

    def test_files_that_cannot_be_read_or_written(self):
        good = self.write("import asyncore\nclass A(asyncore.dispatcher): pass\n", "good.py")
        self.assertEqual(self.run_tool(self.folder / "none.py")[0], 2)
        self.assertEqual(self.run_tool(self.folder)[0], 2)
        self.assertIn("no such folder", self.run_tool(good, "-o", self.folder / "no/where.cpp")[2])

    def test_an_output_is_overwritten_only_by_force(self):
        good = self.write("import asyncore\nclass A(asyncore.dispatcher): pass\n", "good.py")
        out = self.folder / "good.cpp"
        self.assertEqual(self.run_tool(good, "-o", self.folder)[0], 0)
        self.assertIn("A skeleton of good.py", out.read_text())
        out.write_text("mine")
        status, _, error = self.run_tool(good, "-o", out)
        self.assertEqual((status, out.read_text()), (2, "mine"))
        self.assertIn("--force", error)
        self.assertEqual(self.run_tool(good, "-o", out, "--report-only")[0], 0)
        self.assertEqual(out.read_text(), "mine")
        self.assertEqual(self.run_tool(good, "-o", out, "--force")[0], 0)
        self.assertNotEqual(out.read_text(), "mine")

    def test_one_bad_source_of_two_writes_nothing(self):
        good = self.write("import asyncore\nclass A(asyncore.dispatcher): pass\n", "fine.py")
        bad = self.write("class :\n", "worse.py")
        self.assertEqual(self.run_tool(good, bad, "-o", self.folder)[0], 2)
        self.assertFalse((self.folder / "fine.cpp").exists())


if __name__ == "__main__":
    words = sys.argv[1:]
    options = words[:2] if words[:1] == ["-k"] else []
    words = words[len(options):]
    at = words.index("--") if "--" in words else len(words)
    COMMAND, LIBRARIES = words[:at], words[at + 1:]
    unittest.main(argv=[sys.argv[0], *options], warnings="ignore")
