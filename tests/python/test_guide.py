"""The page docs/porting/one-class-at-a-time.md: each file that it shows, and each command, in their order."""

import os
import re
import shlex
import unittest

from test_wheel import PROJECT, Environment, call

ROOT = os.path.dirname(os.path.dirname(PROJECT))
PAGE = os.path.join(ROOT, "docs", "porting", "one-class-at-a-time.md")
NAMED = re.compile(r"(?:#|//) (\S+\.(?:py|cpp|txt))\n")


def blocks():
    with open(PAGE, encoding="utf-8") as file:
        return re.findall(r"^```(\w+)\n(.*?)^```$", file.read(), re.M | re.S)


class Guide(Environment):
    def test_each_step_of_the_page_works(self):
        commands = 0
        for language, text in blocks():
            if language != "console":
                self.write_file(text)
                continue
            for line in text.splitlines():
                self.assertTrue(line.startswith("$ "), line)
                commands += self.run_line(line[2:])
        self.assertGreaterEqual(commands, 6)

    def write_file(self, text):
        """The first line of a block names its file; it is a comment, but in a dialogue every line counts."""
        named = NAMED.match(text)
        self.assertIsNotNone(named, text[:60])
        if named[1].endswith(".txt"):
            text = text[named.end():]
        self.write(named[1], text)

    def run_line(self, line):
        if line.startswith("pip install"):
            return 0  # the environment has the wheel
        path = os.path.dirname(self.python) + os.pathsep + os.environ["PATH"]
        done = call("sh", "-c", line, cwd=self.folder, environment={"PATH": path})
        self.assertEqual(done.returncode, 0, "%s\n%s" % (shlex.quote(line), done.stdout))
        if "dialogue" in line:
            self.assertEqual(done.stdout.splitlines()[-1], "7 replies, 0 differ")
        return 1


del Environment  # its tests are test_wheel's

if __name__ == "__main__":
    unittest.main()
