"""The FTP server with real clients: `test_ftp.py SERVER POLLER [unittest's arguments]`."""

import contextlib
import ftplib
import io
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from support import Client, FTPServer  # first: support knows where the next modules are
from program import heed_sigint, open_sockets, wait_until
from served_folder import ServedFolder
from sockets import connect, is_readable, read_all, reset_on_close

PROGRAM, POLLER = "ftp_server", "poll"
IAC, IP, DM = b"\xff", b"\xf4", b"\xf2"   # Telnet


class Case(ServedFolder):
    """Anonymous may write into the folder."""

    FOLDER = "ftp"
    FILES = {"sub/inner.txt": b"inner"}
    OPTIONS = ("--write",)

    @classmethod
    def start(cls, *options, before=None):
        return FTPServer(PROGRAM, "--root", cls.root, "--poller", POLLER, *options, before=before)

    @classmethod
    def read(cls, path):
        with open(cls.path(path), "rb") as file:
            return file.read()

    def client(self, server=None, login=True):
        client = Client((server or self.server).port)
        self.addCleanup(client.close)
        if login:
            self.assertEqual(client.login().code, 230)
            client.say("TYPE I")
        return client

    def assertAlive(self, server=None):
        self.assertEqual(self.client(server).get("RETR /hello.txt")[0], b"hello, world\n")


class FTPLib(Case):
    def setUp(self):
        self.ftp = ftplib.FTP(encoding="latin-1")
        self.ftp.connect("127.0.0.1", self.server.port)
        self.ftp.login()
        self.addCleanup(self.ftp.close)

    def get(self, name, **how):
        got = io.BytesIO()
        self.assertEqual(self.ftp.retrbinary("RETR " + name, got.write, **how)[:3], "226")
        return got.getvalue()

    def test_transfers_on_each_kind_of_connection(self):
        data = os.urandom(300_000)
        for passive in True, False:
            self.ftp.set_pasv(passive)
            self.ftp.storbinary("STOR random", io.BytesIO(data))
            self.assertEqual(self.get("random"), data)
            self.assertEqual(self.ftp.size("random"), len(data))
            self.ftp.storbinary("APPE random", io.BytesIO(b"more"))
            self.assertEqual(self.read("random"), data + b"more")
            self.assertEqual(self.get("random", rest=300_000), b"more")
            self.ftp.storbinary("STOR random", io.BytesIO(b"MO"), rest=300_000)
            self.assertEqual(self.read("random"), data + b"MOre")
        self.ftp.delete("random")

    def test_empty_file(self):
        self.ftp.storbinary("STOR empty", io.BytesIO(b""))
        self.assertEqual(self.read("empty"), b"")
        self.assertEqual(self.get("empty"), b"")
        self.ftp.delete("empty")

    def test_folders(self):
        self.assertEqual(self.ftp.mkd("a \"b\""), "/a \"b\"")
        self.ftp.cwd("a \"b\"")
        self.assertEqual(self.ftp.pwd(), "/a \"b\"")
        self.ftp.storbinary("STOR x", io.BytesIO(b"x"))
        self.ftp.rename("x", "/a \"b\"/y")
        self.assertEqual(self.ftp.nlst(), ["y"])
        self.assertRaisesRegex(ftplib.error_perm, "550", self.ftp.rmd, "/a \"b\"")
        self.ftp.delete("y")
        self.ftp.cwd("..")
        self.ftp.rmd("a \"b\"")
        self.assertNotIn("a \"b\"", self.ftp.nlst())

    def test_listings(self):
        os.utime(self.path("hello.txt"), (1e9, 1e9))
        facts = dict(self.ftp.mlsd())
        self.assertEqual(facts["hello.txt"]["size"], "13")
        self.assertEqual(facts["hello.txt"]["modify"], "20010909014640")
        self.assertEqual(facts["sub"]["type"], "dir")
        self.assertEqual(self.ftp.voidcmd("MDTM hello.txt"), "213 20010909014640")
        self.assertEqual(self.ftp.voidcmd("MFMT 20020304050607 hello.txt")[:25], "213 Modify=20020304050607")
        self.assertEqual(self.ftp.voidcmd("MDTM hello.txt"), "213 20020304050607")
        lines = []
        self.ftp.retrlines("LIST -la", lines.append)
        self.assertRegex(lines[0], r"^-rw-r--r-- +1 \S+ +\S+ +13 Mar 04  2002 hello.txt$")
        self.assertRegex(lines[1], r"^drwxr-xr-x .* sub$")
        self.assertEqual(self.ftp.nlst("sub"), ["inner.txt"])

    def test_abort(self):
        with open(self.path("sparse"), "wb") as file:
            file.truncate(1 << 28)
        with self.ftp.transfercmd("RETR sparse") as sock:
            sock.recv(10)
            self.assertEqual(self.ftp.abort()[:3], "426")  # sent with urgent data
            self.assertEqual(self.ftp.getresp()[:3], "226")
        self.assertEqual(self.get("hello.txt"), b"hello, world\n")
        os.unlink(self.path("sparse"))

    def test_ipv6(self):
        with contextlib.suppress(OSError):
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
            with self.start("--host", "::1") as server, ftplib.FTP() as ftp:
                ftp.connect("::1", server.port)
                ftp.login()
                for passive in True, False:
                    ftp.set_pasv(passive)
                    self.assertEqual(ftp.nlst("sub"), ["inner.txt"])
                self.assertRaisesRegex(ftplib.error_perm, "522", ftp.voidcmd, "PASV")
                self.assertRaisesRegex(ftplib.error_perm, "522", ftp.voidcmd, "EPRT |1|127.0.0.1|2000|")


class Commands(Case):
    def test_replies(self):
        client = self.client()
        for line, code in (
                ("NOOP", 200), ("noop", 200), ("SYST", 215), ("ALLO 5", 202), ("MODE S", 200), ("MODE B", 504),
                ("MODE X", 501), ("STRU F", 200), ("STRU R", 504), ("STRU X", 501), ("TYPE A", 200), ("TYPE L 8", 200),
                ("TYPE E", 504), ("REST x", 501), ("REST -1", 501), ("REST 5", 350), ("FEAT", 211), ("HELP", 214),
                ("HELP STOR", 214), ("HELP X", 501), ("SITE HELP", 214), ("SITE X", 500), ("SITE", 501), ("STAT", 211),
                ("STAT /", 213), ("STAT *", 550), ("OPTS UTF8 ON", 200), ("OPTS MLST size;type;", 200), ("OPTS X", 501),
                ("XPWD", 257), ("RNTO x", 503), ("RNFR nothing", 550), ("SIZE sub", 550), ("SIZE nothing", 550),
                ("CWD hello.txt", 550), ("RMD /", 550), ("DELE sub", 550), ("MKD sub", 550), ("MLST nothing", 550),
                ("SITE CHMOD 644 hello.txt", 200), ("SITE CHMOD 9 hello.txt", 501), ("", 500), ("X", 500), ("PASS", 503),
                ("NOOP x", 501), ("STOR", 501), ("RETR hello.txt", 425), ("LIST", 425), ("ABOR", 225), ("EPSV 2", 522),
                ("EPSV 9", 501), ("EPSV ALL", 220), ("PASV", 501), ("PORT 1,2,3,4,5,6", 501), ("EPSV", 229), ("REIN", 230),
                ("PWD", 530), ("QUIT", 221)):
            self.assertEqual(client.say(line).code, code, line)
        self.assertEqual(client.reply().code, 0)

    def test_ascii(self):
        client = self.client()
        client.say("TYPE A")
        for sent, kept in (b"a\r\nb\r\n", b"a\nb\n"), (b"a\nb\r", b"a\nb\r"), (b"\r\r\n\n", b"\r\n\n"), (b"", b""):
            self.assertEqual(client.put("STOR text", sent).code, 226)
            self.assertEqual(self.read("text"), kept)
        self.write("text", b"a\nb\r\nc\r\r\n\n")
        self.assertEqual(client.get("RETR text")[0], b"a\r\nb\r\nc\r\r\n\r\n")
        big = b"line\r\n" * 50_000  # a \r at the end of some pieces
        self.assertEqual(client.put("STOR text", big).code, 226)
        self.assertEqual(self.read("text"), big.replace(b"\r\n", b"\n"))
        self.assertEqual(client.get("RETR text")[0], big)
        self.assertEqual(client.say("SIZE text").code, 550)
        os.unlink(self.path("text"))

    def test_stou(self):
        client = self.client()
        for line, begin in ("STOU", "ftpd."), ("STOU sub/name", "name."):
            with client.data() as sock:
                reply = client.say(line)
                sock.sendall(b"unique")
            self.assertEqual(client.reply().code, 226)
            name = re.search(r"FILE: (\S+)", reply.text)[1]
            self.assertTrue(name.startswith(begin))
            path = ("sub/" if "sub" in line else "") + name
            self.assertEqual(self.read(path), b"unique")
            os.unlink(self.path(path))

    def test_rest_beyond_the_end(self):
        client = self.client()
        for line in "RETR hello.txt", "STOR hello.txt":
            client.say("REST 14")
            self.assertEqual(client.get(line)[1].code, 554)
        client.say("REST 5")
        self.assertEqual(client.say("APPE hello.txt").code, 450)
        self.assertEqual(client.get("RETR hello.txt")[0], b", world\n")
        self.assertEqual(self.read("hello.txt"), b"hello, world\n")

    def test_users(self):
        self.write("users", b"# a comment\n\nann:secret:%s\nbob::%s:el\n" % (self.path("."), self.path("sub")))
        with self.start("--users", self.root + "/users", "--user", "eve:p w:" + self.root + "/sub:elr") as server:
            for name, password, code in (("ann", "secret", 230), ("ann", "secre", 530), ("ann", "", 530), ("ann", "secretsecret", 530),
                                         ("bob", "", 230), ("eve", "p w", 230), ("mallory", "x", 530), ("anonymous", "", 230)):
                self.assertEqual(self.client(server, login=False).login(name, password).code, code, name)
            client = self.client(server, login=False)
            client.login("eve", "p w")
            self.assertEqual(client.get("NLST")[0], b"inner.txt\r\n")
            self.assertEqual(client.put("STOR x", b"").code, 550)
            client.login("bob", "")
            self.assertEqual(client.get("RETR inner.txt")[1].code, 550)
            self.assertEqual(client.get("NLST")[0], b"inner.txt\r\n")
            anonymous = self.client(server)
            for line in "STOR x", "DELE hello.txt", "MKD x", "RNFR hello.txt", "SITE CHMOD 777 hello.txt", "APPE hello.txt":
                self.assertEqual(anonymous.say(line).code, 550, line)


class Names(Case):
    NAMES = [b"sp ace", b" leading", b"trailing ", b"-dash", b"line\nfeed", b"c\rr", b"\xff\xfe", "\u00fcn\u00ef".encode(), b"a*?[b]",
             b"...", b"..hidden", b"quo\"te", b"%41", b"x" * 255, b"\x01\x1b[31m"]

    def test_odd_names(self):
        client = self.client()
        for name in self.NAMES:
            with self.subTest(name):
                said = name.replace(IAC, IAC + IAC).replace(b"\r", b"\r\0")
                self.assertEqual(client.put(b"STOR " + said, name).code, 226)
                self.assertEqual(self.read(name), name)
                self.assertEqual(client.get(b"RETR " + said)[0], name)
                self.assertEqual(client.say(b"SIZE " + said).code, 213)
                self.assertEqual(client.say(b"RNFR " + said).code, 350)
                self.assertEqual(client.say(b"RNTO " + said + b"2" if len(name) < 255 else b"RNTO long").code, 250)
                self.assertEqual(client.say(b"DELE " + said + b"2" if len(name) < 255 else b"DELE long").code, 250)

    def test_a_name_forges_no_line(self):
        name = b"a\r\ntype=dir; forged"
        self.write(name, b"")
        client = self.client()
        for line in "LIST", "NLST", "MLSD":
            lines = client.get(line)[0].split(b"\r\n")
            self.assertEqual(len(lines), 4, lines)
            self.assertTrue(any(each.endswith(b"a??type=dir; forged") for each in lines))
        self.assertEqual(client.say(b"CWD x\ny\x1b").text.count("\n"), 1)
        os.unlink(self.path(name))

    def test_unescaped_ff(self):
        client = self.client()
        self.assertEqual(client.put(b"STOR \xff.txt", b"x").code, 226)
        self.assertEqual(self.read(b"\xff.txt"), b"x")
        self.assertEqual(client.say(b"DELE \xff.txt").code, 250)

    def test_refused_names(self):
        client = self.client()
        for name, code in ((b"a\0b", 550), (b"x" * 256, 550), (b"/".join([b"y" * 100] * 20), 550), (b"z" * 3000, 500)):
            self.assertEqual(client.say(b"MKD " + name).code, code)
        self.assertAlive()


class Paths(Case):
    @classmethod
    def make_files(cls):
        for name, target in (("out", ".."), ("out-file", "../secret.txt"), ("absolute", cls.base + "/secret.txt"), ("root", "/"),
                             ("inside", "sub"), ("inside-absolute", cls.root + "/sub"), ("sibling", "../ftp-secret"),
                             ("loop", "loop"), ("dangling", "nowhere"), ("dangling-out", "../nowhere")):
            os.symlink(target, cls.root + "/" + name)
        os.mkfifo(cls.root + "/fifo")

    def test_no_path_leads_out(self):
        client = self.client()
        for path in ("../secret.txt", "/../secret.txt", "sub/../../secret.txt", "out/secret.txt", "out-file", "absolute", "root/etc/passwd",
                     "sibling/secret.txt", "inside/../../secret.txt", "out/ftp/../secret.txt", "loop", "dangling-out"):
            self.assertEqual(client.get("RETR " + path)[1].code, 550, path)
            for command in "SIZE", "MDTM", "MLST", "CWD":
                self.assertEqual(client.say(command + " " + path).code, 550, command + " " + path)
        for path in "out/new", "out-file", "absolute", "sibling/new", "root/tmp/new", "dangling-out":
            self.assertEqual(client.put("STOR " + path, b"x").code, 550, path)
        for line in ("MKD out/new", "DELE out/secret.txt", "DELE sibling/secret.txt", "RMD out/ftp-secret", "MKD sibling/new", "STOU out/x",
                     "SITE CHMOD 777 out-file", "MFMT 20200101000000 out-file", "RNFR out/secret.txt", "STAT out/ftp-secret", "CWD root"):
            self.assertIn(client.say(line).code, (425, 450, 550), line)
        client.say("RNFR hello.txt")
        self.assertEqual(client.say("RNTO out/hello.txt").code, 550)
        self.assertEqual(sorted(os.listdir(self.base)), ["ftp", "ftp-secret", "secret.txt"])
        self.assertEqual(os.listdir(self.base + "/ftp-secret"), ["secret.txt"])
        self.assertEqual(self.read("../secret.txt"), b"SECRET")
        # MLSD tells nothing of what a link outside leads to.
        self.assertNotIn(b"out", client.get("MLSD")[0])

    def test_links_that_stay_inside(self):
        client = self.client()
        for path in "inside/inner.txt", "inside-absolute/inner.txt", "/inside/./inner.txt", "//sub//inner.txt":
            self.assertEqual(client.get("RETR " + path)[0], b"inner", path)
        client.say("CWD inside")
        self.assertIn('"/inside"', client.say("PWD").text)
        self.assertEqual(client.get("NLST")[0], b"inner.txt\r\n")
        self.assertIn(b"inside -> sub\r\n", client.get("LIST /")[0])

    def test_a_fifo_does_not_block(self):
        client = self.client()
        self.assertEqual(client.get("RETR fifo")[1].code, 550)
        self.assertEqual(client.put("STOR fifo", b"").code, 550)
        self.assertAlive()


class Wire(Case):
    @classmethod
    def make_files(cls):
        with open(cls.root + "/sparse", "wb") as file:
            file.truncate(256 << 20)
            file.seek(-3, os.SEEK_END)
            file.write(b"end")

    def test_byte_by_byte(self):
        client = self.client(login=False)
        for byte in b"USER anonymous\r\nPASS x\r\nPWD\r\n":
            client.sock.sendall(bytes([byte]))
            self.server.wait_until_served(client.sock)
        self.assertEqual([client.reply().code for _ in range(3)], [331, 230, 257])

    def test_pipelined(self):
        client = self.client(login=False)
        client.sock.sendall(b"USER anonymous\r\nPASS x\r\nSTAT /\r\nFEAT\r\nNOOP\r\nQUIT\r\nNOOP\r\n")
        self.assertEqual([client.reply().code for _ in range(7)], [331, 230, 213, 211, 200, 221, 0])

    def test_half_close(self):
        client = self.client(login=False)
        client.sock.sendall(b"USER anonymous\r\nPASS x\r\nNOOP\r\n")
        client.sock.shutdown(socket.SHUT_WR)
        self.assertEqual([client.reply().code for _ in range(4)], [331, 230, 200, 0])

    def test_long_lines(self):
        client = self.client()
        client.sock.sendall(b"x" * 100_000 + b"\r\nNOOP\r\n")
        self.assertEqual([client.reply().code for _ in range(2)], [500, 200])
        client.sock.sendall(b"y" * 2048 + b"\r\n" + b"z" * 2049 + b"\r\n")
        self.assertEqual([client.reply().code for _ in range(2)], [500, 500])
        self.assertEqual(client.say("NOOP").code, 200)

    def test_flood_of_commands_in_little_memory(self):
        client, line, sent = self.client(), b"STAT\r\nHELP\r\nSTAT /\r\n", 0
        before = self.server.status("VmHWM")
        client.sock.setblocking(False)
        while sent < 64 << 20:
            try:
                sent += client.sock.send(line * 1000)
            except BlockingIOError:
                wait_until(self.server.is_asleep)
                with contextlib.suppress(BlockingIOError):
                    sent += client.sock.send(line)
                    continue
                break
        self.assertLess(sent, 64 << 20)  # the server reads no more
        # AddressSanitizer's quarantine alone has 4 MiB.
        self.assertLess(self.server.status("VmHWM") - before, 8 * 1024)
        self.assertAlive()

    def test_random_bytes(self):
        client = self.client(login=False)
        client.sock.sendall(os.urandom(30_000) + b"\r\n" + bytes(range(256)) * 10 + b"\r\nQUIT\r\n")
        self.assertIn(b"\r\n221 ", b"\r\n" + read_all(client.sock))
        self.assertAlive()

    def test_telnet(self):
        client = self.client()
        self.assertEqual(client.say(IAC + b"\xfb\x01NO" + IAC + DM + b"OP").code, 200)
        self.assertEqual(client.say(IAC + IP + IAC + DM + b"NOOP").code, 200)
        client.sock.sendall(IAC + IP + IAC)
        client.sock.send(DM, socket.MSG_OOB)
        self.assertEqual(client.say("ABOR").code, 225)

    def test_slow_readers_in_little_memory(self):
        self.assertAlive()
        before = self.server.status("VmHWM")
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                client = self.client()
                sock = stack.enter_context(client.data())
                self.assertIn(client.say("RETR sparse").code, (125, 150))
                self.assertTrue(sock.recv(1))
            wait_until(self.server.is_asleep)
            self.assertAlive()
            grown = self.server.status("VmHWM") - before
            print("20 readers of 256 MiB on %s: %d KiB more than before" % (POLLER, grown))
            self.assertLess(grown, 20 * 256 + 8 * 1024)

    def test_large_file_is_whole_in_little_memory(self):
        client, size, tail = self.client(), 0, b""
        before = self.server.status("VmHWM")
        with client.data() as sock:
            client.say("RETR sparse")
            while piece := sock.recv(1 << 20):
                size, tail = size + len(piece), (tail + piece)[-3:]
        self.assertEqual((size, tail, client.reply().code), (256 << 20, b"end", 226))
        self.assertLess(self.server.status("VmHWM") - before, 8 * 1024)

    def test_large_upload_in_little_memory(self):
        client = self.client()
        before = self.server.status("VmHWM")
        self.assertEqual(client.put("STOR upload", bytes(32 << 20)).code, 226)
        self.assertEqual(os.path.getsize(self.path("upload")), 32 << 20)
        self.assertLess(self.server.status("VmHWM") - before, 8 * 1024)
        os.unlink(self.path("upload"))


class Transfers(Case):
    @classmethod
    def make_files(cls):
        with open(cls.root + "/sparse", "wb") as file:
            file.truncate(256 << 20)

    def transferring(self):
        """A client, and its data connection in the middle of a transfer."""
        client = self.client()
        sock = client.data()
        self.addCleanup(sock.close)
        self.assertIn(client.say("RETR sparse").code, (125, 150))
        self.assertTrue(sock.recv(1))
        return client, sock

    def test_abor(self):
        client, sock = self.transferring()
        self.assertEqual(client.say("ABOR").code, 426)
        self.assertEqual(client.reply().code, 226)
        self.assertEqual(client.get("RETR hello.txt")[0], b"hello, world\n")
        client.passive()
        self.assertEqual(client.say("RETR hello.txt").code, 150)
        self.assertEqual(client.say("ABOR").code, 426)
        self.assertEqual(client.reply().code, 226)
        client.passive()
        self.assertEqual(client.say("ABOR").code, 225)
        self.assertEqual(client.say("RETR hello.txt").code, 425)

    def test_abor_of_an_upload(self):
        client = self.client()
        with client.data() as sock:
            client.say("STOR aborted")
            sock.sendall(b"some")
            self.server.wait_until_served(sock)
            self.assertEqual(client.say("ABOR").code, 426)
            self.assertEqual(client.reply().code, 226)
        self.assertEqual(self.read("aborted"), b"some")

    def test_commands_during_a_transfer(self):
        client, sock = self.transferring()
        for line, code in ("NOOP", 200), ("RETR hello.txt", 503), ("PASV", 503), ("STAT", 211), ("PWD", 257):
            self.assertEqual(client.say(line).code, code, line)
        self.assertEqual(client.say("QUIT").code, 221)
        self.assertEqual(1 + len(read_all(sock)), 256 << 20)
        self.assertEqual([client.reply().code for _ in range(2)], [226, 0])

    def test_client_closes_the_control_connection(self):
        with self.start("--write") as server:
            idle = open_sockets(server.pid)
            for is_reset in False, True:
                client = self.client(server)
                with client.data() as sock:
                    client.say("RETR sparse")
                    sock.recv(1)
                    if is_reset:
                        reset_on_close(client.sock)
                    client.close()
                    with contextlib.suppress(ConnectionResetError):
                        self.assertLess(len(read_all(sock)), 256 << 20)
                server.out.find("RETR /sparse completed=0")
                wait_until(lambda: open_sockets(server.pid) == idle)

    def test_client_closes_the_data_connection(self):
        for is_reset in False, True:
            client, sock = self.transferring()
            if is_reset:
                reset_on_close(sock)
            sock.close()
            self.assertEqual(client.reply().code, 426)
            self.assertEqual(client.get("RETR hello.txt")[0], b"hello, world\n")

    def test_an_upload_that_is_reset_is_not_complete(self):
        client = self.client()
        with client.data() as sock:
            client.say("STOR reset")
            sock.sendall(b"some")
            self.server.wait_until_served(sock)
            reset_on_close(sock)
        self.assertEqual(client.reply().code, 426)

    def test_the_connection_may_come_after_the_command(self):
        client = self.client()
        for line, reply in (b"RETR hello.txt", b"hello, world\n"), (b"NLST sub", b"inner.txt\r\n"):
            where = client.passive()
            self.assertEqual(client.say(line).code, 150)
            with socket.create_connection(where) as sock:
                self.assertEqual(read_all(sock), reply)
            self.assertEqual(client.reply().code, 226)

    def test_connections_of_others_are_refused(self):
        client = self.client()
        where = client.passive()
        self.assertEqual(client.say("RETR hello.txt").code, 150)
        with socket.create_connection(where, source_address=("127.0.0.2", 0)) as thief:
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(thief.recv(100), b"")
        self.server.out.find("refused a data connection of 127.0.0.2:")
        with socket.create_connection(where) as sock:
            self.assertEqual(read_all(sock), b"hello, world\n")
        self.assertEqual(client.reply().code, 226)

    def test_bounce_is_refused(self):
        client = self.client()
        for line, code in (("PORT 127,0,0,2,100,100", 501), ("PORT 10,0,0,1,0,80", 501), ("PORT 127,0,0,1,3,255", 501), ("PORT 1,2", 501),
                           ("PORT 127,0,0,1,256,1", 501), ("EPRT |1|127.0.0.2|2000|", 501), ("EPRT |1|127.0.0.1|1023|", 501),
                           ("EPRT |1|127.0.0.1|70000|", 501), ("EPRT |2|::1|2000|", 522), ("EPRT |3|x|2000|", 501), ("EPRT |", 501)):
            self.assertEqual(client.say(line).code, code, line)

    def test_active_connection_that_is_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        client = self.client()
        client.sock.sendall(b"PORT 127,0,0,1,%d,%d\r\nRETR hello.txt\r\n" % divmod(port, 256))
        self.assertEqual([client.reply().code for _ in range(2)], [425, 425])  # in the order of the commands

    def test_the_file_shrinks(self):
        self.write("shrinks", bytes(64 << 20))
        client = self.client()
        with client.data() as sock:
            client.say("RETR shrinks")
            sock.recv(1)
            os.truncate(self.path("shrinks"), 10)
            self.assertLess(len(read_all(sock)), 64 << 20)
        self.assertEqual(client.reply().code, 226)

    def test_the_disk_is_full(self):
        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        with self.start("--write", before=small_files) as server:
            client = self.client(server)
            with client.data() as sock, contextlib.suppress(ConnectionError):
                client.say("STOR full")
                sock.sendall(bytes(1 << 20))
            self.assertEqual(client.reply().code, 426)
            self.assertAlive(server)


class Limits(Case):
    def test_connections(self):
        with self.start("--max-connections", 2) as server:
            clients = [self.client(server) for _ in range(2)]
            self.assertEqual(self.client(server, login=False).greeting.code, 421)
            clients[0].say("QUIT")
            clients[0].reply()
            wait_until(lambda: self.client(server, login=False).greeting.code == 220)

    def test_connections_of_one_address(self):
        with self.start("--max-per-address", 1) as server:
            self.client(server)
            self.assertEqual(self.client(server, login=False).greeting.code, 421)
            with socket.create_connection(("127.0.0.1", server.port), source_address=("127.0.0.2", 0)) as other:
                self.assertEqual(other.recv(3), b"220")

    def test_flood_of_connections(self):
        with self.start(before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))) as server, contextlib.ExitStack() as stack:
            idle = open_sockets(server.pid)
            socks = [stack.enter_context(connect(server.port)) for _ in range(300)]
            greetings = [sock.recv(3) for sock in socks]
            self.assertEqual(set(greetings), {b"220", b"421"})
            for sock in socks:
                sock.close()
            wait_until(lambda: open_sockets(server.pid) == idle)
            self.assertAlive(server)

    def test_login_attempts(self):
        with self.start("--user", "ann:secret:" + self.root, "--login-attempts", 3) as server:
            client = self.client(server, login=False)
            client.sock.sendall(b"USER ann\r\nPASS a\r\n" * 5)
            self.assertEqual([client.reply().code for _ in range(7)], [331, 530, 331, 530, 331, 530, 0])

    def test_a_wrong_password_is_answered_later(self):
        with self.start("--user", "ann:secret:" + self.root, "--login-delay", 60) as server:
            client = self.client(server, login=False)
            client.sock.sendall(b"USER ann\r\nPASS a\r\nNOOP\r\nNOOP\r\n")
            self.assertEqual(client.reply().code, 331)
            server.wait_until_served(client.sock)
            self.assertFalse(is_readable(client.sock))
            self.assertAlive(server)

    def test_passive_ports(self):
        with contextlib.ExitStack() as stack:
            free = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = free.getsockname()[1]
            free.close()
            server = stack.enter_context(self.start("--passive-ports", "%d-%d" % (port, port)))
            first, second = self.client(server), self.client(server)
            self.assertEqual(first.passive()[1], port)
            self.assertEqual(second.say("PASV").code, 425)
            self.assertEqual(first.say("ABOR").code, 225)
            self.assertEqual(second.passive()[1], port)

    def test_idle(self):
        with self.start("--timeout", 0.1) as server:
            client = self.client(server, login=False)
            self.assertEqual(client.reply().code, 421)
            self.assertEqual(client.reply().code, 0)

    def test_login_that_takes_too_long(self):
        with self.start("--login-timeout", 0.1) as server:
            self.assertEqual(self.client(server, login=False).reply().code, 421)

    def test_data_connection_that_never_comes(self):
        with self.start("--accept-timeout", 0.1) as server:
            client = self.client(server)
            client.passive()
            self.assertIn(client.say("RETR hello.txt").code, (150, 425))
            if client.say("NOOP").code == 425:
                client.reply()
            wait_until(lambda: client.say("LIST").code == 425)

    def test_stalled_transfer(self):
        with open(self.path("sparse"), "wb") as file:
            file.truncate(256 << 20)
        with self.start("--write", "--data-timeout", 0.2) as server:
            idle = open_sockets(server.pid)
            for line in "RETR sparse", "STOR stalled":
                client = self.client(server)
                with client.data():
                    self.assertIn(client.say(line).code, (125, 150))
                    self.assertEqual(client.reply().code, 421)
                    self.assertEqual(client.reply().code, 0)
                wait_until(lambda: open_sockets(server.pid) == idle)

    def test_a_transfer_is_not_idle(self):
        with open(self.path("sparse"), "wb") as file:
            file.truncate(64 << 20)
        with self.start("--timeout", 0.5) as server:
            client = self.client(server)
            with client.data() as sock:
                client.say("RETR sparse")
                with socket.create_connection(("127.0.0.1", server.port)) as other:
                    self.assertIn(b"421", read_all(other))  # so the time has passed
                self.assertEqual(len(read_all(sock)), 64 << 20)
            self.assertEqual(client.reply().code, 226)

    def test_a_client_that_does_not_take_the_last_reply(self):
        with self.start("--timeout", 0.1, "--linger", 0.1) as server:
            idle = open_sockets(server.pid)
            client = self.client(server)
            client.sock.setblocking(False)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                while True:
                    client.sock.send(b"STAT /\r\nHELP\r\n" * 1000)
            wait_until(lambda: open_sockets(server.pid) == idle)


class Programs(Case):
    @classmethod
    def make_files(cls):
        cls.data = os.urandom(1_000_000)
        cls.write("megabyte", cls.data)

    def run_program(self, *command):
        if not shutil.which(command[0]):
            self.skipTest(command[0] + " is not installed")
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heed_sigint).stdout

    def curl(self, *options, target=""):
        return self.run_program("curl", "--silent", "--show-error", "--noproxy", "*", *options, "ftp://127.0.0.1:%d/%s" % (self.server.port, target))

    def test_curl(self):
        for how in [], ["--ftp-port", "-"], ["--disable-epsv"]:
            self.assertEqual(self.curl(*how, target="megabyte"), self.data)
        self.assertIn(b" sub\n", self.curl().replace(b"\r", b""))
        self.assertEqual(self.curl("--list-only", target="sub/"), b"inner.txt\n")
        self.assertEqual(self.curl("--range", "999990-", target="megabyte"), self.data[999990:])
        self.assertIn(b"Content-Length: 1000000\r\n", self.curl("--head", target="megabyte"))

    def test_curl_uploads(self):
        for options, target in ([], "up"), (["--ftp-create-dirs"], "new/folder/up"):
            self.curl("-T", self.root + "/megabyte", *options, target=target)
            self.assertEqual(self.read(target), self.data)
        self.curl("--append", "-T", self.root + "/hello.txt", target="up")
        self.assertEqual(self.read("up"), self.data + b"hello, world\n")
        self.curl("-Q", "-DELE up", target="hello.txt")
        self.assertFalse(os.path.exists(self.path("up")))

    def test_lftp(self):
        for name in "sub/one", "sub/deep/two two":
            self.write("mirrored/" + name, name.encode())
        with tempfile.TemporaryDirectory() as there:
            settings = "set cmd:fail-exit yes; set net:max-retries 1; set ftp:ssl-allow no; "
            self.run_program("lftp", "-c", settings + "open -u anonymous,x ftp://127.0.0.1:%d; mirror --parallel=3 mirrored %s/got; "
                             "mirror -R %s/got back; cat megabyte > %s/megabyte; pget -n 3 megabyte -o %s/pieces; "
                             "mv back/sub/one back/moved; rm -r back/sub; mkdir -p a/b; put %s/megabyte -o a/b/c; ls; nlist; quit"
                             % (self.server.port, there, there, there, there, there))
            for name in "megabyte", "pieces":
                with open(there + "/" + name, "rb") as file:
                    self.assertEqual(file.read(), self.data)
            with open(there + "/got/sub/deep/two two") as file:
                self.assertEqual(file.read(), "sub/deep/two two")
        self.assertEqual(os.listdir(self.path("back")), [b"moved"])
        self.assertEqual(self.read("a/b/c"), self.data)


class Program(Case):
    def test_arguments(self):
        for words in (["--port", "x"], ["--root", "/nothing"], ["--user", "a:b"], ["--user", "a:b:/nothing"], ["--user", "a:b:/:Q"], ["--what"],
                      ["--users", "/nothing"], ["--passive-ports", "5-4"], ["--passive-ports", "0-4"], ["--port"], ["--poller", "x"]):
            done = subprocess.run([PROGRAM, *words], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertRegex(done.stderr, "^ftp_server: .+\n$")

    def test_log(self):
        self.write("log me", b"x")
        with self.start("--write", "--log", self.base + "/log") as server:
            client = self.client(server)
            client.get("RETR log me")
            client.say(b"MKD a\x1b[31m\nb")
            self.assertEqual(server.stop(), 0)
        lines = self.read("../log").decode().splitlines()
        self.assertEqual([re.sub(r"^.*? info: 127.0.0.1:\d+-", "", line).rpartition(" seconds=")[0] or line.rpartition("] ")[2] for line in lines],
                         ["logged in", "[anonymous] RETR /log me completed=1 bytes=1", "MKD a?[31m?b", "disconnected"])


if __name__ == "__main__":
    PROGRAM, POLLER = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
