"""check_links.py finds each kind of mistake, and nothing else, in a small project that is made for the test."""

import contextlib
import io
import pathlib
import tempfile
import unittest

import check_links

DIFFERENCES = """# Differences

## D1 it's *one* difference
## D12 another `difference`
D1 and D12 need no links here.
"""

TURN = """// A comment mentions ghost() and class phantom.
namespace asyncore {
class turn {
    bool done = false;
    std::size_t places;
};
enum class mechanism { select, poll };
using serial = unsigned;
void turn::wait(double timeout) { poller_->call("ghost()"); }
}
"""


class CheckLinks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("README.md", "[Differences](docs/differences.md)\n")
        self.write("docs/differences.md", DIFFERENCES)
        self.write("asyncore/turn.cpp", TURN)
        self.write("tests/tool.py", "def run(words):\n    total = 0\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def check(self, text):
        """The exit status for a guide with this text, and the lines that are printed about it."""
        self.write("docs/guide.md", text)
        check_links.prose.cache_clear()
        check_links.anchors.cache_clear()
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            status = check_links.main(self.root)
        return status, printed.getvalue().splitlines()[:-1]

    def assertGood(self, text):
        self.assertEqual(self.check(text), (0, []))

    def assertWrong(self, text, *mistakes):
        self.assertEqual(self.check(text), (1, [f"docs/guide.md:{mistake}" for mistake in mistakes]))

    def test_files(self):
        self.assertGood("[a](differences.md) [b](../asyncore/turn.cpp) [c](../asyncore/) [d](https://example.org/x)\n"
                        "![picture](differences.md), and [text\nof two lines](../README.md)\n")
        self.assertWrong("x\n[a](nothing.md)\n", "2: there is no nothing.md in the project")
        self.assertWrong("[a](/etc)\n", "1: there is no /etc in the project")
        self.assertWrong("[a](../../)\n", "1: there is no ../../ in the project")
        self.assertWrong("![a\nb](nothing.svg)\n", "1: there is no nothing.svg in the project")

    def test_anchors(self):
        self.assertGood("# The `end_of()` a-b: é!\n## Twice\n## Twice\n### [Link](differences.md) ###\n"
                        "[a](#the-end_of-a-b-é) [b](#twice) [c](#twice-1) [d](#link)\n"
                        "[e](differences.md#d1-its-one-difference)\n")
        self.assertWrong("# Once\n\n[a](#twice)\n", "3: guide.md has no heading #twice")
        self.assertWrong("# Once\n\n[a](#once-1)\n", "3: guide.md has no heading #once-1")
        self.assertWrong("```text\n# Once\n```\n[a](#once)\n", "4: guide.md has no heading #once")
        self.assertWrong("[a](differences.md#d2)\n", "1: differences.md has no heading #d2")
        self.assertWrong("[a](../asyncore/turn.cpp#L1)\n", "1: turn.cpp has no heading #L1")

    def test_code_names(self):
        for name in ("turn::wait()", "wait(timeout)", "asyncore::turn", "turn", "mechanism", "serial", "done", "places",
                     "turn.cpp", "asyncore/turn.cpp", "<asyncore/turn.cpp>"):
            with self.subTest(name):
                self.assertGood(f"[`{name}`](../asyncore/turn.cpp)\n")
        for name in "turn::serve()", "ghost()", "phantom", "poller::wait()", "call", "timeout":
            with self.subTest(name):
                self.assertWrong(f"[`{name}`](../asyncore/turn.cpp)\n", f"1: turn.cpp does not declare `{name}`")
        self.assertWrong("[`loop.cpp`](../asyncore/turn.cpp)\n", "1: the link leads to turn.cpp, and not to `loop.cpp`")
        self.assertGood("[`run()`](../tests/tool.py) [`total`](../tests/tool.py) [`another`](differences.md)\n")
        self.assertWrong("[`words`](../tests/tool.py)\n", "1: tool.py does not declare `words`")
        self.assertWrong("[`ghost()`](differences.md)\n", "1: differences.md does not mention `ghost()`")

    def test_differences(self):
        self.assertGood("[D1](differences.md#d1-its-one-difference), [`D12`](differences.md#d12-another-difference)\n")
        must = "must be a link to its heading in docs/differences.md"
        self.assertWrong("a\n| b | D12 |\n", f"2: D12 {must}")
        self.assertWrong("[D1](differences.md)\n", f"1: D1 {must}")
        self.assertWrong("[D1](differences.md#d12-another-difference)\n", f"1: D1 {must}")
        self.assertWrong("# D1 it's one difference\n[D1](#d1-its-one-difference)\n", f"1: D1 {must}", f"2: D1 {must}")

    def test_what_is_no_prose(self):
        self.assertGood("```text\n[a](nothing.md) D1\n```\n\n    [a](nothing.md) D1\n\n    D1\n\n<!-- [a](nothing.md)\nD1 -->\n")
        self.assertGood("`a[i](x)`, ``b`[i](x)`` and `c[i]`[text](../README.md)\n")
        self.assertWrong("- a\n  [a](nothing.md)\n", "2: there is no nothing.md in the project")

    def test_what_only_looks_like_a_link(self):
        none = "this looks like a link, and is none of the form [text](target)"
        for text in "[a](differences.md 'title')", "[a][b]", "[b]: differences.md", "[a](two words)", "[a]()":
            with self.subTest(text):
                self.assertWrong("x\n" + text + "\n", f"2: {none}")

    def test_project_without_links(self):
        self.write("README.md", "x\n")
        self.assertEqual(self.check("x\n"), (1, []))


if __name__ == "__main__":
    unittest.main()
