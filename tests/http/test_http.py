"""The HTTP server with real clients: `test_http.py SERVER POLLER [unittest's arguments]`."""

import contextlib
import email.utils
import html.parser
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest
import urllib.parse

from support import PATIENT, Answer, HTTPServer  # first: support knows where the next modules are
from program import Program, heed_sigint, open_sockets, wait_until
from served_folder import ServedFolder
from sockets import connect, is_readable, read_all, read_exactly, reset_on_close

PROGRAM, POLLER = "http_server", "poll"

MOST_BODY = 1024 * 1024
LOG_LINE = re.compile(
    r'^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] '
    r'"([ !#-\[\]-~]|\\["\\]|\\x[0-9a-f]{2})*" \d{3} (-|[1-9]\d*)$')


class Case(ServedFolder):
    FOLDER = "www"
    FILES = {"sub/page.html": b"<p>page"}

    @classmethod
    def start(cls, *options, before=None):
        return HTTPServer(PROGRAM, cls.root, "--poller", POLLER, *options, before=before)

    def read_into_the_body(self, sock):
        """Reads some of the body of a file of zeros too: the log counts the bytes of the body."""
        got = b""
        while b"\r\n\r\n\0" not in got:
            piece = sock.recv(1000)
            self.assertTrue(piece, got)
            got += piece
        self.assertTrue(got.startswith(b"HTTP/1.0 200 OK"))

    def assertAlive(self, server=None):
        self.assertEqual((server or self.server).get("/hello.txt").body, b"hello, world\n")

    def assertRefused(self, answer, status):
        self.assertEqual(answer.status, status, answer.data[:200])
        self.assertEqual(answer.fields["connection"], "close")
        self.assertEqual(int(answer.fields["content-length"]), len(answer.body))
        self.assertIn(str(status), answer.text)

    def assertLogged(self, request, status, size):
        line = '"%s" %d %s' % (request, status, size or "-")
        self.server.out.find(re.escape(line) + "$")


class Files(Case):
    @classmethod
    def make_files(cls):
        cls.write("empty", b"")
        cls.write("indexed/index.html", b"<p>index")
        os.makedirs(cls.root + "/folder-index/index.html")
        cls.write("folder-index/a", b"a")
        cls.write("upper.TXT", b"x")
        cls.write("back\\slash", b"x")
        os.symlink("hello.txt", cls.root + "/inside")
        os.symlink(cls.root + "/sub", cls.root + "/inside-folder")
        cls.names = [b"plain", b"a<b>&'\".txt", b"javascript:alert(1)", b"sp ace", "\u00fcn\u00ef".encode(),
                     b"line\nbreak", b"100%", b"q?x=1", b"a#b", b"%41", b"..hidden", b"\xff\xfe", b"&lt;"]
        for name in cls.names:
            cls.write(b"odd/" + name, b"I am " + name)

    def test_get(self):
        answer = self.server.get("/hello.txt")
        self.assertEqual(answer.status_line, "HTTP/1.0 200 OK")
        self.assertEqual(answer.body, b"hello, world\n")
        self.assertEqual(answer.fields["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(answer.fields["content-length"], "13")
        self.assertEqual(answer.fields["connection"], "close")
        modified = email.utils.parsedate_to_datetime(answer.fields["last-modified"])
        self.assertEqual(modified.timestamp(), int(os.stat(self.root + "/hello.txt").st_mtime))
        self.assertLogged("GET /hello.txt HTTP/1.0", 200, 13)

    def test_head(self):
        for target in "/hello.txt", "/", "/indexed/", "/missing", "/sub":
            get, head = self.server.get(target), self.server.get(target, "HEAD")
            self.assertEqual(head.status, get.status)
            self.assertEqual(head.body, b"")
            get.fields.pop("date"), head.fields.pop("date")
            self.assertEqual(head.fields, get.fields)
        self.assertLogged("HEAD /hello.txt HTTP/1.0", 200, 0)
        # The answer to a bad HEAD request has no body either.
        self.assertEqual(self.server.ask(b"HEAD / HTTP/1.0\r\nbad\r\n\r\n").body, b"")

    def test_forms_of_the_request(self):
        for request in (
                *(b"GET /hello.txt HTTP/1.1\r\nHost: " + host + b"\r\n\r\n" for host in (
                    b"a", b"127.0.0.1:8080", b"[::1]", b"[::1]:80", b"a-b.example:", b"a_b", b"%41")),
                b"GET /hello.txt HTTP/1.0\r\nHost: a\r\n\r\n",
                b"GET /hello.txt?a=b/../c HTTP/1.0\r\n\r\n",
                b"GET /%68ello.%74xt HTTP/1.0\r\n\r\n",
                b"GET //hello.txt HTTP/1.0\r\n\r\n",
                b"GET /./hello.txt HTTP/1.0\r\n\r\n",
                b"GET http://127.0.0.1/hello.txt HTTP/1.0\r\n\r\n",
                b"\r\nGET /hello.txt HTTP/1.0\r\n\r\n",
                b"GET /hello.txt HTTP/1.0\r\nA:\r\nB:\t x \r\nC: \xff\r\n\r\n",
                b"GET /hello.txt HTTP/1.0\r\nContent-Length: nonsense\r\n\r\n"):
            with self.subTest(request):
                self.assertEqual(self.server.ask(request).body, b"hello, world\n")

    def test_types(self):
        for target, kind in (("/upper.TXT", "text/plain; charset=utf-8"), ("/empty", "application/octet-stream"),
                             ("/sub/page.html", "text/html; charset=utf-8")):
            self.assertEqual(self.server.get(target).fields["content-type"], kind)

    def test_empty_file(self):
        answer = self.server.get("/empty")
        self.assertEqual((answer.status, answer.fields["content-length"], answer.body), (200, "0", b""))
        self.assertLogged("GET /empty HTTP/1.0", 200, 0)

    def test_missing(self):
        for target in "/missing", "/hello.txt/", "/hello.txt/x", "/" + "x" * 5000, "/missing/", "/sub%2fx":
            self.assertRefused(self.server.get(target), 404)
        self.assertLogged("GET /missing HTTP/1.0", 404, len(self.server.get("/missing").body))

    def test_links_that_stay_inside(self):
        self.assertEqual(self.server.get("/inside").body, b"hello, world\n")
        self.assertEqual(self.server.get("/inside-folder/page.html").body, b"<p>page")

    def test_index_file(self):
        answer = self.server.get("/indexed/")
        self.assertEqual((answer.body, answer.fields["content-type"]), (b"<p>index", "text/html; charset=utf-8"))
        self.assertIn("last-modified", answer.fields)

    def test_index_that_is_a_folder(self):
        self.assertIn("Index of /folder-index/", self.server.get("/folder-index/").text)

    def test_index(self):
        answer = self.server.get("/odd/")
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.fields["content-type"], "text/html; charset=utf-8")
        links = Links(answer.text)
        self.assertEqual(links.tags - {"html", "meta", "title", "h1", "ul", "li", "a"}, set())
        found = {urllib.parse.unquote_to_bytes(href) for href in links.found}
        self.assertEqual(found, set(self.names))
        for href in links.found:
            target = urllib.parse.urlsplit(urllib.parse.urljoin(self.server.url + "odd/", href))
            self.assertEqual(target.netloc, "127.0.0.1:%d" % self.server.port)
            name = urllib.parse.unquote_to_bytes(href)
            self.assertEqual(self.server.get(target.path).body, b"I am " + name)
        self.assertIn("sub/", Links(self.server.get("/").text).found)

    def test_folder_without_slash(self):
        answer = self.server.get("/sub")
        self.assertEqual(answer.status, 301)
        self.assertEqual(answer.fields["location"], "/sub/")

    def test_folder_without_slash_keeps_the_query(self):
        for query, kept in (("?a=b&c=%20d/e?f", "?a=b&c=%20d/e?f"), ("?", "?"), ("?<a>'\"#\xe9\\", "?%3Ca%3E'%22%23%E9%5C")):
            for target in "/sub", "http://127.0.0.1/sub":
                with self.subTest(target + query):
                    answer = self.server.get(target + query)
                    self.assertEqual((answer.status, answer.fields["location"]), (301, "/sub/" + kept))
                    self.assertEqual(Links(answer.text).found, ["/sub/" + kept])

    def test_backslash_is_a_letter(self):
        self.assertEqual(self.server.get("/back%5cslash").body, b"x")


class Links(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.tags = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.found += [value for name, value in attributes if name == "href"]


class Escapes(Case):
    """No request is answered with a file that lies outside of the root."""

    @classmethod
    def make_files(cls):
        cls.write("x\r\nSet-Cookie: a=b/f", b"x")
        cls.write("evil.example/f", b"x")
        os.symlink("../secret.txt", cls.root + "/link")
        os.symlink(cls.base + "/secret.txt", cls.root + "/absolute-link")
        os.symlink("..", cls.root + "/up")
        os.symlink("/", cls.root + "/top")
        os.symlink("../www-secret", cls.root + "/sibling")
        os.symlink("link", cls.root + "/link-to-link")
        os.symlink("loop", cls.root + "/loop")
        os.symlink("nothing", cls.root + "/dangling")
        os.mkdir(cls.root + "/linked-index")
        os.symlink("../../secret.txt", cls.root + "/linked-index/index.html")
        os.mkfifo(cls.root + "/fifo")
        with socket.socket(socket.AF_UNIX) as sock:
            with contextlib.chdir(cls.root) if hasattr(contextlib, "chdir") else contextlib.nullcontext():
                sock.bind("socket" if hasattr(contextlib, "chdir") else cls.root + "/socket")

    def test_paths(self):
        targets = [
            "/../secret.txt", "/..%2fsecret.txt", "/%2e%2e/secret.txt", "/%2E%2E%2Fsecret.txt", "/.%2e/secret.txt",
            "/sub/../../secret.txt", "/sub/..%2f..%2fsecret.txt", "/..//secret.txt", "//../secret.txt",
            "/./../secret.txt", "/%252e%252e/secret.txt", "/%252e%252e%252fsecret.txt", "/..%5csecret.txt",
            "/..\\secret.txt", "/%c0%ae%c0%ae/secret.txt", "/....//secret.txt", "/..;/secret.txt", "/..", "/../",
            "/../www/hello.txt", "/../www-secret/secret.txt", "http://a/../secret.txt", "//" + self.base + "/secret.txt",
            self.base + "/secret.txt", "/../" * 20 + "etc/passwd", "/%2e%2e" * 20 + "/etc/passwd",
            "/hello.txt/../../secret.txt", "/..?", "/..%00"]
        for target in targets:
            for op in "GET", "HEAD":
                with self.subTest(target=target, op=op):
                    answer = self.server.get(target, op)
                    self.assertIn(answer.status, (400, 403, 404))
                    self.assertNotIn(b"SECRET", answer.data)
                    self.assertNotIn(b"root:", answer.data)
        self.assertRefused(self.server.get("/..%2fsecret.txt"), 403)
        self.assertRefused(self.server.get("/%252e%252e/secret.txt"), 404)

    def test_links(self):
        for target in ("/link", "/absolute-link", "/up/secret.txt", "/up/", "/up", "/top/etc/passwd", "/top/",
                       "/sibling/secret.txt", "/sibling/", "/link-to-link", "/loop", "/linked-index/"):
            with self.subTest(target):
                answer = self.server.get(target)
                self.assertRefused(answer, 403)
                self.assertNotIn(b"SECRET", answer.data)
        self.assertRefused(self.server.get("/dangling"), 404)

    def test_fifo_and_socket(self):
        self.assertRefused(self.server.get("/fifo"), 403)
        self.assertRefused(self.server.get("/socket"), 403)

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_file_without_permission(self):
        self.write("mine", b"SECRET")
        os.chmod(self.root + "/mine", 0)
        self.assertRefused(self.server.get("/mine"), 403)

    def test_no_header_is_injected(self):
        answer = self.server.get("/x%0d%0aSet-Cookie:%20a=b")
        self.assertEqual(answer.status, 301)
        self.assertNotIn("set-cookie", answer.fields)
        self.assertEqual(answer.fields["location"], "/x%0D%0ASet-Cookie%3A%20a%3Db/")

    def test_no_redirection_to_another_host(self):
        for target in "//evil.example", "///evil.example", "/%2fevil.example", "/.//evil.example":
            location = self.server.get(target).fields["location"]
            self.assertEqual(urllib.parse.urlsplit(location).netloc, "", location)
            self.assertRegex(location, "^/[^/]")

    def test_no_script_is_injected(self):
        for target in "/<script>", "/%3cscript%3e", "/<script>?<script>":
            self.assertNotIn(b"<script", self.server.get(target).data)
            self.assertNotIn(b"<script", self.server.post(b"<script>=%3cscript%3e", target=target).data)


class Refusals(Case):
    def test_400(self):
        for request in (
                b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET  / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.0 \r\n\r\n",
                b" GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1\r\n\r\n", b"GET / HTTP/1.x\r\n\r\n", b"GET / FTP/1.0\r\n\r\n",
                b"GET / http/1.0\r\n\r\n", b"GET x HTTP/1.0\r\n\r\n", b"GET ftp://x/ HTTP/1.0\r\n\r\n",
                b"GET ? HTTP/1.0\r\n\r\n", b"G@T / HTTP/1.0\r\n\r\n", b"GET / y HTTP/1.0\r\n\r\n",
                b"GET /% HTTP/1.0\r\n\r\n", b"GET /%4 HTTP/1.0\r\n\r\n", b"GET /%zz HTTP/1.0\r\n\r\n",
                b"GET /%00 HTTP/1.0\r\n\r\n", b"GET /hello.txt%00.html HTTP/1.0\r\n\r\n", b"GET /\x00 HTTP/1.0\r\n\r\n",
                b"GET /\x1b[2J HTTP/1.0\r\n\r\n", b"GET /\x7f HTTP/1.0\r\n\r\n",
                b"GET / HTTP/1.0\r\nno colon\r\n\r\n", b"GET / HTTP/1.0\r\n: x\r\n\r\n",
                b"GET / HTTP/1.0\r\na : b\r\n\r\n", b"GET / HTTP/1.0\r\na: b\r\n c: d\r\n\r\n",
                b"GET / HTTP/1.0\r\n a: b\r\n\r\n", b"GET / HTTP/1.0\r\na\xe9: b\r\n\r\n",
                b"GET / HTTP/1.0\r\na: \x00\r\n\r\n", b"GET / HTTP/1.0\r\na: b\r\r\n\r\n",
                b"GET / HTTP/1.0\r\na: b\rc: d\r\n\r\n", b"GET / HTTP/1.0\r\r\n\r\n"):
            with self.subTest(request):
                self.assertRefused(self.server.ask(request), 400)
        self.assertAlive()

    def test_400_before_the_end(self):
        """Bytes that cannot become a request are refused at once: their end may never come."""
        for request in (b"GET / HTTP/1.0\n\n", b"GET / HTTP/1.0\n", b"\n", b"\x00", b"GET /\rx",
                        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(32))):
            with self.subTest(request):
                self.assertRefused(self.server.ask(request), 400)
            with self.subTest(request, pieces=True):
                self.assertRefused(self.server.ask(*(request[i:i + 1] for i in range(len(request)))), 400)

    def test_400_for_lengths(self):
        for length in (b"-1", b"+5", b"0x10", b"1e3", b"5 5", b"5,5", b"", b"5.0", b"\xd9\xa3", b"five", b"5;",
                       b"5\r\nContent-Length: 5", b"5\r\ncontent-length: 6", b"5\r\nTransfer-Encoding: chunked",
                       b"-99999999999999999999999"):
            with self.subTest(length):
                request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + length + b"\r\n\r\na=bcd"
                self.assertRefused(self.server.ask(request), 400)
        self.assertRefused(self.server.ask(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\na=bcd"), 400)

    def test_400_for_hosts(self):
        for fields in (b"", b"Host: a\r\nHost: a\r\n", b"Host: a\r\nhost: b\r\n", b"Host:\r\n", b"Host: a b\r\n",
                       b"Host: a/b\r\n", b"Host: a@b\r\n", b"Host: a:b\r\n", b"Host: a:1:2\r\n",
                       b"Host: :80\r\n", b"Host: [::1\r\n", b"Host: []\r\n", b"Host: [::1]x\r\n", b"Host: ::1\r\n",
                       b"Host: %4\r\n", b"Host: \xe9\r\n", b"Host: <a>\r\n", b"X-Host: a\r\n"):
            for line in b"GET /hello.txt HTTP/1.1\r\n", b"GET http://a/hello.txt HTTP/1.1\r\n", b"GET / HTTP/1.9\r\n":
                with self.subTest(line + fields):
                    self.assertRefused(self.server.ask(line + fields + b"\r\n"), 400)
        for fields in b"Host: a\r\nHost: a\r\n", b"Host: a b\r\n":
            self.assertRefused(self.server.ask(b"GET / HTTP/1.0\r\n" + fields + b"\r\n"), 400)
        self.assertAlive()

    def test_400_for_a_body_that_ends_early(self):
        request = b"POST / HTTP/1.0\r\nContent-Length: 10\r\n\r\na=b"
        self.assertRefused(self.server.ask(request, half_close=True), 400)
        self.assertRefused(self.server.ask(b"GET / HT", half_close=True), 400)
        self.assertRefused(self.server.ask(b"GET / HTTP/1.0\r\n\r", half_close=True), 400)

    def test_nothing_at_all(self):
        with self.server.connect() as sock:
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(sock), b"")
        self.assertAlive()

    def test_411(self):
        for fields in b"", b"Transfer-Encoding: chunked\r\n", b"Content_Length: 5\r\n":
            request = b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n"
            self.assertRefused(self.server.ask(request), 411)

    def test_413(self):
        for length in MOST_BODY + 1, 2**31, 2**63, 2**64, 2**64 + 5, 10**400:
            request = "POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % length
            self.assertRefused(self.server.ask(request.encode()), 413)
        self.assertEqual(self.server.post(b"x" * MOST_BODY, "text/plain").status, 200)

    def test_431(self):
        start = b"GET / HTTP/1.0\r\n"
        self.assertRefused(self.server.ask(b"x" * 65537), 431)
        self.assertRefused(self.server.ask(start + b"a: b\r\n" * 11000), 431)
        self.assertRefused(self.server.ask(start + b"a: " + b"b" * 65536 + b"\r\n\r\n"), 431)
        self.assertRefused(self.server.ask(b"GET /" + b"b" * 70000 + b" HTTP/1.0\r\n\r\n"), 431)
        fits = start + b"a: " + b"b" * (65536 - len(start) - 3)
        self.assertEqual(self.server.ask(fits + b"\r\n\r\n").status, 200)
        self.assertRefused(self.server.ask(fits + b"b\r\n\r\n"), 431)
        self.assertAlive()

    def test_501(self):
        for op in "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW", "GETT", "G", "get", "Get", "head", "post":
            self.assertRefused(self.server.get("/hello.txt", op), 501)
        self.assertRefused(self.server.get("*", "OPTIONS"), 501)
        self.assertRefused(self.server.get("example.org:443", "CONNECT"), 501)

    def test_505(self):
        self.assertRefused(self.server.ask(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505)
        self.assertRefused(self.server.ask(b"GET / HTTP/0.9\r\n\r\n"), 505)

    def test_log_cannot_be_forged(self):
        self.server.ask(b'GET /"\\\xff\xc2\x9b HTTP/1.0\r\n\r\n')
        line = self.server.out.find(r"\\xc2").string
        self.assertIn(r'"GET /\"\\\xff\xc2\x9b HTTP/1.0" 404 ', line)
        self.server.ask(b'GET /\x1b[31m\n127.0.0.1 HTTP/1.0\r\n\r\n')
        self.assertRegex(self.server.out.find(r"\[31m").string, r'"GET /\\x1b\[31m\\x0a127.0.0.1 HTTP/1.0" 400 ')


class Forms(Case):
    def rows(self, answer):
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.fields["content-type"], "text/html; charset=utf-8")
        rows = re.findall("<tr><th>(.*?)<td>(.*?)\n(?=<tr>|</table>)", answer.text, re.S)
        return [(html.unescape(name), html.unescape(value)) for name, value in rows]

    def test_urlencoded(self):
        body = b"name=Ada+Lovelace&city=S%C3%A3o&e=&f&=g&&p=100%&q=a%3Db%26c&r=%zz+%4&a=b=c&name=again"
        answer = self.server.post(body, target="/any/path?x=y")
        self.assertEqual(self.rows(answer), [
            ("name", "Ada Lovelace"), ("city", "S\u00e3o"), ("e", ""), ("f", ""), ("", "g"), ("p", "100%"),
            ("q", "a=b&c"), ("r", "%zz %4"), ("a", "b=c"), ("name", "again")])
        self.assertIn("%d bytes" % len(body), answer.text)
        self.assertIn("/any/path", answer.text)
        self.assertLogged("POST /any/path?x=y HTTP/1.0", 200, len(answer.body))

    def test_html_is_escaped(self):
        answer = self.server.post(b"<b>=%3Cscript%3Ealert('1')%3C/script%3E%22", target="/<i>")
        self.assertEqual(self.rows(answer), [("<b>", "<script>alert('1')</script>\"")])
        for text in "<b>", "<script", "<i>":
            self.assertNotIn(text, answer.text)

    def test_multipart(self):
        body = (b'preamble\r\n--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\none\r\n'
                b'--XX\r\ncontent-disposition: form-data; name="b;\\"c"; x=y\r\nContent-Type: text/plain\r\n\r\n'
                b'two\r\nlines --XX\r\n--XX\r\nContent-Disposition: form-data; name=f; filename="C:\\f.bin"\r\n\r\n'
                b'\x00\x01\xff\r\n--XX\r\nContent-Disposition: form-data; name=""\r\n\r\n\r\n--XX--\r\nepilogue')
        for kind in "multipart/form-data; boundary=XX", 'Multipart/Form-Data; charset=x; boundary="XX"':
            answer = self.server.post(body, kind)
            self.assertEqual(self.rows(answer), [
                ("a", "one"), ('b;"c', "two\r\nlines --XX"), ("f", "C:\\f.bin, 3 bytes"), ("", "")])
            self.assertIn("%d bytes" % len(body), answer.text)

    def test_multipart_with_blanks_and_folded_heads(self):
        body = (b'--XX \t\r\nContent-Disposition: form-data;\r\n name="a"\r\n\r\none\r\n'
                b'--XX\t\r\nContent-Type:\r\n\ttext/plain;\r\n\tcharset=utf-8\r\ncontent-disposition:form-data\r\n\t;name=b\r\n\r\n'
                b' two\r\n three\r\n--XX \r\n\r\nno head\r\n'
                b'--XX  \r\nContent-Disposition: form-data; name="c\r\n d"\r\n\r\n\r\n--XX-- \t\r\n\r\nepilogue')
        rows = [("a", "one"), ("b", " two\r\n three"), ("", "no head"), ("c d", "")]
        kind = "multipart/form-data; boundary=XX"
        for sent in body, b"preamble\r\n" + body, body[:body.index(b"\r\n\r\nepilogue")]:
            self.assertEqual(self.rows(self.server.post(sent, kind)), rows)

    def test_broken_multipart(self):
        part = b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\none'
        for body in (b"", b"--", b"--XX", b"--XX\r\n", b"--XX\r\n\r\n", part, part + b"\r\n--XX", part + b"\r\n--XX-",
                     part + b"\r\n--XX\r\n", b"--XX\r\nno colon\r\n\r\n--XX--", b"--XX\r\n--XX--", b"--YY--", b"x" * 1000,
                     b"--XX \r\n folded: x\r\n\r\n\r\n--XX--", b"--XX x\r\n\r\n\r\n--XX--", part + b"\r\n--XX-- x", part + b"\r\n--XX --",
                     b"--XX" * 100, b"\r\n--XX" * 1000):
            with self.subTest(body):
                self.assertRefused(self.server.post(body, "multipart/form-data; boundary=XX"), 400)
        for kind in "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=" + "X" * 71:
            self.assertRefused(self.server.post(part + b"\r\n--XX--", kind), 400)
        self.assertEqual(self.server.post(b"--XX--", "multipart/form-data; boundary=XX").status, 200)

    def test_other_types(self):
        for kind in "text/plain", "application/json", "", "application/octet-stream":
            answer = self.server.post(b"a=b&c=d", kind)
            self.assertEqual(self.rows(answer), [])
            self.assertIn("7 bytes", answer.text)

    def test_no_body(self):
        answer = self.server.post(b"")
        self.assertIn("0 bytes", answer.text)
        self.assertEqual(self.server.ask(b"POST / HTTP/1.0\r\nContent-Length: 0000\r\n\r\n").status, 200)

    def test_too_many_fields(self):
        self.assertEqual(len(self.rows(self.server.post(b"&".join([b"a"] * 1000)))), 1000)
        self.assertRefused(self.server.post(b"&".join([b"a"] * 1001)), 413)

    def test_every_byte(self):
        data = bytes(range(256))
        answer = self.server.post(b"x=" + urllib.parse.quote_from_bytes(data, safe="").encode())
        value = re.search(b"<tr><th>x<td>(.*?)\n</table>", answer.body, re.S).group(1)
        for escape, byte in ((b"&lt;", b"<"), (b"&gt;", b">"), (b"&quot;", b'"'), (b"&#39;", b"'"), (b"&amp;", b"&")):
            value = value.replace(escape, byte)
        self.assertEqual(value, data)


class Wire(Case):
    """However a request arrives, the answer is the same; and however it is read, the server stays small."""

    @classmethod
    def make_files(cls):
        cls.write("large", b"".join(b"%07d\n" % i for i in range(1024 * 1024)))  # 8 MiB
        with open(cls.root + "/sparse", "wb") as file:
            file.truncate(256 * 1024 * 1024)
            file.seek(-3, os.SEEK_END)
            file.write(b"end")

    def test_byte_by_byte(self):
        request = b"POST /x HTTP/1.0\r\nContent-Length: 7\r\n" \
                  b"Content-Type: application/x-www-form-urlencoded\r\n\r\na=1&b=2"
        whole = self.server.ask(request)
        self.assertIn("<tr><th>b<td>2", whole.text)
        self.assertEqual(self.server.ask(*[request[i:i + 1] for i in range(len(request))]).body, whole.body)

    def test_split_anywhere(self):
        request = b"GET /hello.txt HTTP/1.0\r\nA: b\r\n\r\n"
        for at in range(1, len(request)):
            answer = self.server.ask(request[:at], request[at:])
            self.assertEqual(answer.body, b"hello, world\n", at)

    def test_over_send(self):
        """A client may send more than it announced: a line end, garbage, or megabytes."""
        head = b"POST / HTTP/1.0\r\nContent-Length: 3\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\na=1"
        expected = self.server.ask(head)
        self.assertIn("3 bytes", expected.text)
        for more in b"\r\n", b"\x00\n\n", b"x" * 100, head, b"GET / HTTP/1.0\r\n\r\n", b"x" * 4 * 1024 * 1024:
            self.assertEqual(self.server.ask(head + more).body, expected.body)
            self.assertEqual(self.server.over_send(head, more).body, expected.body)

    def test_pipelining_gets_one_answer(self):
        for request in b"GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /hello.txt HTTP/1.0\r\nContent-Length: 27\r\n\r\n":
            answer = self.server.ask(request * 3)
            self.assertEqual(answer.body, b"hello, world\n")
            self.assertEqual(answer.fields["connection"], "close")

    def test_refusal_arrives_while_the_body_is_sent(self):
        """The server does not close while data is unread: that would reset the connection and lose the answer."""
        body = b"x" * (8 * 1024 * 1024)
        for _ in range(5):
            request = b"POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body)
            self.assertRefused(self.server.ask(request + body), 413)
            self.assertRefused(self.server.ask(b"x" * 100_000 + body), 431)
            self.assertRefused(self.server.ask(b"BREW / HTTP/1.0\r\n\r\n" + body), 501)

    def test_endless_body_ends_in_a_reset(self):
        with self.server.connect() as sock:
            with self.assertRaises((ConnectionResetError, BrokenPipeError)):
                for _ in range(64):
                    sock.sendall(b"x" * 1024 * 1024)
        self.assertAlive()

    def test_half_close(self):
        answer = self.server.ask(b"GET /large HTTP/1.0\r\n\r\n", half_close=True)
        self.assertEqual(len(answer.body), 8 * 1024 * 1024)
        self.assertEqual(self.server.ask(b"GET /hello.txt HTTP/1.0\r\n\r\n", half_close=True).body, b"hello, world\n")

    def test_client_that_leaves(self):
        with self.server.connect() as sock:
            sock.sendall(b"GET /sparse HTTP/1.0\r\nX-Leaves: yes\r\n\r\n")
            self.read_into_the_body(sock)
        sent = int(self.server.out.find(r'"GET /sparse HTTP/1.0" 200 (\d+)$').group(1))
        self.assertLess(sent, 256 * 1024 * 1024)
        with self.server.connect() as sock:
            sock.sendall(b"GET /large HTTP/1.0\r\n\r\n")
            reset_on_close(sock)
        with self.server.connect() as sock:
            sock.sendall(b"POST / HTTP/1.0\r\nContent-Length: 100\r\n\r\nabc")
            reset_on_close(sock)
        self.assertAlive()

    def test_large_file_in_little_memory(self):
        self.server.get("/large")
        before = self.server.status("VmHWM")
        size, tail = 0, b""
        with self.server.connect() as sock:
            sock.sendall(b"GET /sparse HTTP/1.0\r\n\r\n")
            while piece := sock.recv(1 << 20):
                size += len(piece)
                tail = piece[-3:]
        self.assertEqual(tail, b"end")
        self.assertGreater(size, 256 * 1024 * 1024)
        self.assertLogged("GET /sparse HTTP/1.0", 200, 256 * 1024 * 1024)
        grown = self.server.status("VmHWM") - before
        print("256 MiB on %s: at most %d KiB resident, %d KiB more than before" % (POLLER, before + grown, grown))
        self.assertLess(grown, 8 * 1024)

    def test_many_slow_readers_in_little_memory(self):
        before = self.server.status("VmHWM")
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                sock = stack.enter_context(self.server.connect())
                sock.sendall(b"GET /sparse HTTP/1.0\r\n\r\n")
                self.assertTrue(sock.recv(1).startswith(b"H"))
            self.assertAlive()
            self.assertLess(self.server.status("VmHWM") - before, 40 * 256 + 8 * 1024)

    def test_large_file_is_whole(self):
        with open(self.root + "/large", "rb") as file:
            self.assertEqual(self.server.get("/large").body, file.read())

    def test_file_that_shrinks(self):
        self.write("shrinks", b"x" * 64 * 1024 * 1024)
        with self.server.connect() as sock:
            sock.sendall(b"GET /shrinks HTTP/1.0\r\n\r\n")
            data = sock.recv(1000)
            os.truncate(self.root + "/shrinks", 10)
            answer = Answer(data + read_all(sock))
        self.assertEqual(answer.fields["content-length"], str(64 * 1024 * 1024))
        self.assertLess(len(answer.body), 64 * 1024 * 1024)
        self.assertAlive()

    def test_out_of_band(self):
        if POLLER == "kqueue":
            self.skipTest("kqueue does not report out-of-band data on every system")
        with self.server.connect() as sock:
            sock.send(b"!", socket.MSG_OOB)
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(read_all(sock), b"")
        self.assertAlive()

    def test_many_at_once(self):
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(self.server.connect()) for _ in range(200)]
            for sock in socks:
                sock.sendall(b"GET /hello.txt HTTP/1.0\r\n")
            for sock in reversed(socks):
                sock.sendall(b"\r\n")
            for sock in socks:
                self.assertEqual(Answer(read_all(sock)).body, b"hello, world\n")

    def test_continue(self):
        """A client that asks before it sends the body is told to go on, or is refused."""
        with self.server.connect() as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
            self.assertEqual(read_exactly(sock, len(go_on)), go_on)
            sock.sendall(b"a=1")
            answer = Answer(read_all(sock))
        self.assertIn("3 bytes", answer.text)
        self.assertLogged("POST / HTTP/1.1", 200, len(answer.body))
        with self.server.connect() as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3000000\r\n\r\n")
            self.assertRefused(Answer(read_all(sock)), 413)

    def test_every_line_of_the_log(self):
        with self.start() as server:
            server.get("/hello.txt"), server.get("/?\xff\"", "BREW"), server.ask(b"\x00\n"), server.post(b"a")
            server.ask(b"x" * 70000), server.get("/" + "x" * 5000)
            self.assertEqual(server.stop(), 0)
            lines = server.out.rest()
        self.assertEqual(len(lines), 6)
        for line in lines:
            self.assertRegex(line, LOG_LINE)
            self.assertLess(len(line), 5000)


class Curl(Case):
    @classmethod
    def make_files(cls):
        cls.write("megabyte", os.urandom(1_000_000))

    def curl(self, *options, target=""):
        command = ["curl", "--silent", "--show-error", "--noproxy", "*"]
        return subprocess.run([*command, *options, self.server.url + target], check=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE).stdout

    def setUp(self):
        if not shutil.which("curl"):
            self.skipTest("curl is not installed")

    def test_get(self):
        with open(self.root + "/megabyte", "rb") as file:
            self.assertEqual(self.curl(target="megabyte"), file.read())

    def test_range_is_not_known(self):
        self.assertEqual(self.curl("--range", "0-4", target="hello.txt"), b"hello, world\n")

    def test_head(self):
        self.assertIn(b"Content-Length: 13\r\n", self.curl("--head", target="hello.txt"))

    def test_redirection(self):
        self.assertIn(b"page.html", self.curl("--location", target="sub"))

    def test_traversal(self):
        code = self.curl("--path-as-is", "-o", os.devnull, "-w", "%{http_code}", target="../secret.txt")
        self.assertEqual(code, b"403")

    def test_form(self):
        page = self.curl("--data", "name=Ada", "--data-urlencode", "city=S\u00e3o Paulo").decode()
        self.assertIn("<tr><th>name<td>Ada\n<tr><th>city<td>S\u00e3o Paulo", page)

    def test_multipart(self):
        page = self.curl("--form", "name=Ada", "--form", "file=@%s/megabyte;filename=a\"b" % self.root).decode()
        self.assertIn("<tr><th>name<td>Ada\n<tr><th>file<td>a", page)
        self.assertIn(", 1000000 bytes\n", page)

    def test_upload(self):
        self.assertEqual(self.curl("-T", self.root + "/megabyte", "-o", os.devnull, "-w", "%{http_code}"), b"501")
        for size, code in (MOST_BODY, b"200"), (MOST_BODY + 1, b"413"), (12_000_000, b"413"):
            self.write("../upload", b"x" * size)
            for expect in "Expect:", "Expect: 100-continue":
                self.assertEqual(code, self.curl(
                    "--header", "Content-Type: text/plain", "--header", expect, "-o", os.devnull, "-w", "%{http_code}",
                    "--data-binary", "@%s/upload" % self.base))

    def test_chunked(self):
        code = self.curl("--header", "Transfer-Encoding: chunked", "--data", "a=1", "-o", os.devnull,
                         "-w", "%{http_code}")
        self.assertEqual(code, b"411")


class Limits(Case):
    def test_time(self):
        """A client that is silent, or stops in the middle of a request, does not stay for ever."""
        seconds = 1
        while not self.drops_clients_after(seconds):
            seconds *= 4

    def drops_clients_after(self, seconds):
        """False: the machine was so slow that the clients may have been dropped before they said their part."""
        begun = time.monotonic()
        with self.start("--timeout", seconds) as server, server.connect() as silent, \
                server.connect() as slow, server.connect() as body, server.connect() as no_body:
            slow.sendall(b"GET / HTT")
            body.sendall(b"POST / HTTP/1.0\r\nContent-Length: 100\r\n\r\nabc")
            no_body.sendall(b"POST / HTTP/1.0\r\nContent-Length: 100\r\n\r\n")
            for sock in slow, body, no_body:
                server.wait_until_served(sock)
            if time.monotonic() - begun >= seconds:
                return False
            self.assertEqual(read_all(silent), b"")
            for sock in slow, body, no_body:
                self.assertRefused(Answer(read_all(sock)), 408)
            return True

    def test_reset_before_it_is_accepted(self):
        """The server lets go of a connection for which getpeername() fails: it was reset before it was accepted."""
        with self.start() as server:
            server.process.send_signal(signal.SIGSTOP)
            os.waitpid(server.pid, os.WUNTRACED)  # until it has stopped
            for said in b"GET /he", b"GET /hello.txt HTTP/1.0\r\n\r\n", b"":
                with server.connect() as sock:
                    sock.sendall(said)
                    sock.shutdown(socket.SHUT_WR)
                    reset_on_close(sock)
            server.process.send_signal(signal.SIGCONT)
            self.assertAlive(server)
            wait_until(lambda: open_sockets(server.pid) == 1)  # the listener's

    def test_client_that_does_not_close_is_dropped(self):
        with self.start("--linger", 1) as server, server.connect() as sock:
            sock.sendall(b"GET /hello.txt HTTP/1.0\r\n\r\n")
            self.assertEqual(Answer(read_all(sock)).body, b"hello, world\n")
            wait_until(lambda: open_sockets(server.pid) == 1)  # the listener's

    def test_reader_that_is_too_slow(self):
        """The log has fewer bytes than the answer, which the system has only partly sent."""
        with open(self.root + "/sparse", "wb") as file:
            file.truncate(1 << 30)
        with self.start("--timeout", 1, "--least-rate", 1 << 30) as server, server.connect() as sock:
            sock.sendall(b"GET /sparse HTTP/1.0\r\n\r\n")
            self.assertLess(int(server.out.find(r'"GET /sparse HTTP/1.0" 200 (\d+)$')[1]), 1 << 30)

    def test_sessions(self):
        """Where the descriptors are used up, a client waits until another client leaves."""
        with self.start(before=forty_descriptors) as server, contextlib.ExitStack() as stack:
            idle = [stack.enter_context(server.connect()) for _ in range(4)]
            late = stack.enter_context(server.connect())
            late.sendall(b"GET /hello.txt HTTP/1.0\r\n\r\n")
            server.wait_until_served(late)
            self.assertFalse(is_readable(late))
            idle[0].sendall(b"GET /hello.txt HTTP/1.0\r\n\r\n")
            self.assertEqual(Answer(read_all(idle[0])).body, b"hello, world\n")
            idle[0].close()
            self.assertEqual(Answer(read_all(late)).body, b"hello, world\n")

    @unittest.skipUnless(hasattr(resource, "prlimit"), "Linux only")
    def test_no_descriptor_left(self):
        """accept() fails with EMFILE: the server neither ends nor spins, and accepts again later."""
        with self.start() as server, server.connect() as early:
            early.sendall(b"GET /hello.txt HTTP/1.0\r\n")
            server.wait_until_served(early)
            _, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (lowest_free(server.pid), hard))
            with server.connect() as late:
                late.sendall(b"GET /hello.txt HTTP/1.0\r\n\r\n")
                server.err.find("no descriptors left, a connection was dropped")
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(late.recv(1), b"")
            early.sendall(b"\r\n")
            self.assertRefused(Answer(read_all(early)), 503)  # there is no descriptor for its file
            wait_until(server.is_asleep)
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (hard, hard))
            self.assertAlive(server)
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.err.rest(), [])  # the complaint came once


def forty_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))


def lowest_free(pid):
    """The number that the process's next descriptor will have."""
    used = {int(name) for name in os.listdir("/proc/%d/fd" % pid)}
    return next(number for number in range(len(used) + 1) if number not in used)


class Process(Case):
    def test_interrupt(self):
        with self.start() as server:
            self.assertAlive(server)
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.err.rest(), [])

    def test_interrupt_amid_requests(self):
        with open(self.root + "/big", "wb") as file:
            file.truncate(1 << 30)
        with self.start() as server, server.connect() as download, server.connect(), server.connect() as half:
            download.sendall(b"GET /big HTTP/1.0\r\n\r\n")
            self.read_into_the_body(download)
            half.sendall(b"GET /")
            server.wait_until_served(half)
            self.assertEqual(server.stop(), 0)
            lines = server.out.rest()
            self.assertEqual(len(lines), 1)
            self.assertRegex(lines[0], r'"GET /big HTTP/1.0" 200 \d+$')
            self.assertEqual(server.err.rest(), [])

    def test_address_can_be_used_again(self):
        with socket.socket() as reserved:
            # This socket is bound and does not listen: only a server that reuses addresses can have its port.
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind(("127.0.0.1", 0))
            port = reserved.getsockname()[1]
            for _ in range(2):
                with self.start("--port", port) as server:
                    self.assertEqual(server.port, port)
                    self.assertAlive(server)
                    self.assertEqual(server.stop(), 0)

    @contextlib.contextmanager
    def logging_into_a_pipe(self):
        """A server's process, its port, and both ends of the pipe that it writes its log into."""
        with contextlib.ExitStack() as stack:
            reader, writer = (stack.enter_context(open(fd, mode, 0)) for fd, mode in zip(os.pipe(), ("rb", "wb")))
            process = subprocess.Popen([PROGRAM, "--root", self.root, "--timeout", str(PATIENT)], stdout=writer,
                                       preexec_fn=heed_sigint)
            try:
                said = b""
                while b"Try" not in said:
                    said += reader.read(1000)
                yield process, int(re.search(rb"127\.0\.0\.1:(\d+)", said)[1]), reader, writer
            finally:
                process.send_signal(signal.SIGINT)
                self.assertEqual(process.wait(), 0)

    def get_hello(self, port):
        with connect(port) as sock:
            sock.sendall(b"GET /hello.txt HTTP/1.0\r\n\r\n")
            self.assertEqual(Answer(read_all(sock)).body, b"hello, world\n")

    def test_the_log_goes_on_where_it_could_not_be_written(self):
        """A pipe without room stands for a disk that was full for a while."""
        with self.logging_into_a_pipe() as (process, port, reader, writer):
            os.set_blocking(writer.fileno(), False)
            for size in 4096, 1:
                while writer.write(b"x" * size) is not None:
                    pass
            for _ in range(2):
                self.get_hello(port)
                wait_until(lambda: open_sockets(process.pid) == 1)  # the listener's: the request is over, and logged
                said = reader.read(1 << 20)  # all that is in the pipe, which has room again
            self.assertRegex(said, rb'"GET /hello.txt HTTP/1.0" 200 13\n$')

    def test_the_log_has_no_reader(self):
        with self.logging_into_a_pipe() as (_, port, reader, _):
            reader.close()
            for _ in range(3):
                self.get_hello(port)

    def test_bad_arguments(self):
        with self.start() as server:
            taken = str(server.port)
            for words in (["--port"], ["--port", "x"], ["--port", "65536"], ["--port", "-1"], ["--root", "/no/such"],
                          ["--root", self.root + "/hello.txt"], ["--poller", "magic"], ["--timeout", "1s"],
                          ["--linger", "-1"], ["--least-rate", "x"], ["--what"], ["x"],
                          ["--port", taken]):
                done = subprocess.run([PROGRAM, *words], capture_output=True)
                self.assertEqual(done.returncode, 2, words)
                self.assertTrue(done.stderr.startswith(b"http_server: "), done.stderr)
                self.assertEqual(done.stdout, b"")

    def test_says_what_it_uses(self):
        with HTTPServer(PROGRAM, self.root + "/../www", "--poller", POLLER) as server:
            self.assertEqual(server.get("/hello.txt").status, 200)
        with Program(PROGRAM, "--root", self.root, "--poller", POLLER) as program:
            line = program.out.next()
            self.assertIn(" with " + POLLER, line)
            self.assertIn(os.path.realpath(self.root), line)


if __name__ == "__main__":
    PROGRAM, POLLER = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
