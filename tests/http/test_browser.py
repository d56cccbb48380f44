"""The HTTP server with a real browser, Chromium without a window.

    test_browser.py SERVER POLLER [unittest's arguments]

Where there is no Chromium, the test is skipped.
"""

import html.parser
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import HTTPServer  # first: support knows where the next module is
from cpython import SKIPPED

PROGRAM, POLLER = "http_server", "poll"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page(html.parser.HTMLParser):
    """A page as the browser has it: the texts by tag, and the links."""

    def __init__(self, text):
        super().__init__()
        self.source, self.tag, self.texts, self.links = text, None, {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tag = tag
        self.links += [value for name, value in attributes if tag == "a" and name == "href"]

    def handle_data(self, data):
        if text := data.strip():
            self.texts.setdefault(self.tag, []).append(text)

    def text(self, tag):
        return " ".join(self.texts.get(tag, []))


class Browser(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.profile = os.path.join(folder.name, "profile")
        self.root = pathlib.Path(folder.name, "www")
        self.root.mkdir()
        self.server = HTTPServer(PROGRAM, self.root, "--poller", POLLER)
        self.addCleanup(self.server.__exit__, None, None, None)

    def load(self, path):
        """The page after its scripts have run and all that they asked for has come.

        The browser's clock is virtual: it stands still while the browser loads something, and jumps otherwise."""
        done = subprocess.run(
            [CHROMIUM, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-dev-shm-usage", "--no-proxy-server",
             "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # the browser reaches this machine only
             *(["--no-sandbox"] if os.geteuid() == 0 else []),
             "--user-data-dir=" + self.profile, "--virtual-time-budget=60000", "--dump-dom", self.server.url + path],
            stdin=subprocess.DEVNULL, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return Page(done.stdout.decode())

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def test_index(self):
        names = ["a.txt", "b & c.txt", "d\u00e9.html", "folder/x"]
        for name in names:
            self.write(name, "x")
        page = self.load("")
        self.assertEqual(page.text("title"), "Index of /")
        self.assertEqual(page.texts["a"], ["a.txt", "b & c.txt", "d\u00e9.html", "folder/"])
        for link in page.links[:3]:
            self.assertIn(["x"], self.load(link).texts.values())
        self.assertEqual(self.load("folder").text("title"), "Index of /folder/")  # by way of a redirection

    def test_file(self):
        self.write("index.html", "<!DOCTYPE html><title>Title</title><p>It's <b>me</b>")
        page = self.load("")
        self.assertEqual(page.text("title"), "Title")
        self.assertEqual(page.text("b"), "me")
        self.assertIn("404", self.load("nothing").text("title"))
        self.server.out.find('"GET / HTTP/1.1" 200 ')
        self.server.out.find('"GET /nothing HTTP/1.1" 404 ')

    def test_page_with_parts(self):
        """The browser takes a style sheet, a picture and a script only where each has its type."""
        self.write("style.css", "p { width: 123px }")
        self.write("picture.svg", '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>')
        self.write("script.js", """addEventListener('load', () => {
            const p = document.querySelector('p'), img = document.querySelector('img')
            p.textContent = getComputedStyle(p).width + ' ' + img.naturalWidth + 'x' + img.naturalHeight
        })""")
        self.write("page.html", """<!DOCTYPE html><link rel=stylesheet href=style.css>
            <p></p><img src=picture.svg><script src=script.js></script>""")
        self.assertEqual(self.load("page.html").text("p"), "123px 40x30")

    def test_form(self):
        self.write("form.html", """<!DOCTYPE html><meta charset=utf-8>
            <form method=post action=/there><input name=name value="J\u00fcrgen &amp; &lt;Co&gt;"><input name=empty>
            <textarea name=text>two\nlines</textarea></form><script>document.forms[0].submit()</script>""")
        page = self.load("form.html")
        self.assertEqual(page.text("title"), "POST /there")
        self.assertEqual(page.texts["th"], ["name", "empty", "text"])
        self.assertEqual(page.texts["td"][0], "J\u00fcrgen & <Co>")
        self.assertEqual(page.texts["td"][1].split(), ["two", "lines"])
        self.server.out.find('"POST /there HTTP/1.1" 200 ')

    def test_many_at_once(self):
        """The browser asks for files of many sizes, and posts forms, as fast as it can."""
        sizes = [0, 1, 1000, 100_000, 1_000_000] * 8
        for i, size in enumerate(sizes):
            self.write("files/%d" % i, "x" * size)
        self.write("page.html", """<!DOCTYPE html><p></p><script>
            async function length(i) { return (await (await fetch('files/' + i)).text()).length }
            async function posted(i) {
                const answer = await fetch('/', {method: 'POST', body: new URLSearchParams({number: i})})
                return (await answer.text()).includes('<td>' + i + '\\n') ? i : 'wrong'
            }
            const numbers = [...Array(%d).keys()]
            Promise.all([...numbers.map(length), ...numbers.map(posted)])
                .then(all => document.querySelector('p').textContent = all.join(' '))
            </script>""" % len(sizes))
        self.assertEqual(self.load("page.html").text("p"), " ".join(map(str, [*sizes, *range(len(sizes))])))


if __name__ == "__main__":
    if not CHROMIUM:
        print("skipped: there is no Chromium here")
        sys.exit(SKIPPED)
    PROGRAM, POLLER = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
