"""Measures the FTP server beside pyftpdlib and vsftpd: `compare.py SERVER [--rounds N] [--mb N] [--files N]`.

All servers run all the time, and every round measures one after the other.  Prints the lines of each class beside
pyftpdlib's, and MB/s and files/s as the median of the rounds.  Needs a Python with pyftpdlib; vsftpd, which needs root,
is left out where it is missing.
"""

import argparse
import ast
import contextlib
import io
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tokenize

from support import Client, FTPServer
import cpython
from program import Program, Server, wait_until

FOLDER = pathlib.Path(__file__).resolve().parent
PORT = FOLDER.parent.parent / "docs/examples/ftp"
# A class, its module in pyftpdlib, and the files of the port that have it.
CLASSES = (
    ("FTPServer", "servers", "servers.* settings.hpp"),
    ("FTPHandler", "handlers", "handler*.?pp commands.cpp"),
    ("PassiveDTP ActiveDTP DTPHandler", "handlers", "data_channel.* ascii.*"),
    ("AbstractedFS", "filesystems", "filesystem.* listing.*"),
    ("DummyAuthorizer", "authorizers", "authorizer.*"),
)


# Lines of code.  Blank lines, comments and docstrings do not count.

def python_lines(module, names):
    source = pathlib.Path(module).read_text()
    silent = tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER
    code = {line for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in silent
            for line in range(token.start[0], token.end[0] + 1)}
    count = 0
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            code.difference_update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name in names:
            count += len(code & set(range(node.lineno, node.end_lineno + 1)))
    return count


def cpp_lines(patterns):
    files = {file for pattern in patterns.split() for file in PORT.glob(pattern)}
    lines = "\n".join(file.read_text() for file in files).splitlines()
    return sum(1 for line in lines if line.strip() and not line.strip().startswith("//"))


def show_lines(python):
    where = subprocess.run([python, "-c", "import pyftpdlib; print(pyftpdlib.__path__[0])"], check=True, capture_output=True, text=True)
    for names, module, patterns in CLASSES:
        theirs = python_lines(os.path.join(where.stdout.strip(), module + ".py"), names.split())
        print("%-32s %4d lines of Python, %4d of C++" % (names, theirs, cpp_lines(patterns)))


# Speed.

def download(client, line):
    """How many bytes a command sends.  It does not keep them."""
    size, room = 0, bytearray(1 << 20)
    with client.data() as sock:
        client.say(line)
        while count := sock.recv_into(room):
            size += count
    if client.reply().code != 226:
        raise RuntimeError("the transfer failed: " + line)
    return size


def large_file(client, megabytes):
    start = time.perf_counter()
    size = download(client, "RETR large")
    if size != megabytes << 20:
        raise RuntimeError("the file is not whole")
    return size / 1e6 / (time.perf_counter() - start)


def upload(client, megabytes):
    start = time.perf_counter()
    if client.put("STOR uploaded", bytes(megabytes << 20)).code != 226:
        raise RuntimeError("the upload failed")
    return (megabytes << 20) / 1e6 / (time.perf_counter() - start)


def small_files(client, count):
    start = time.perf_counter()
    for _ in range(count):
        download(client, "RETR small")
    return count / (time.perf_counter() - start)


@contextlib.contextmanager
def vsftpd(root):
    """The port of a vsftpd that serves the folder; None where there is none."""
    program = shutil.which("vsftpd") or shutil.which("/usr/sbin/vsftpd")
    if not program or os.geteuid() != 0:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = os.path.join(root, "..", "vsftpd.conf")
    with open(config, "w") as file:
        file.write("listen=YES\nlisten_address=127.0.0.1\nlisten_port=%d\nbackground=NO\nanonymous_enable=YES\nno_anon_password=YES\n"
                   "anon_root=%s\nftp_username=nobody\nwrite_enable=YES\nanon_upload_enable=YES\nanon_other_write_enable=YES\nanon_umask=022\n"
                   "secure_chroot_dir=%s\nseccomp_sandbox=NO\nallow_writeable_chroot=YES\n" % (port, root, os.path.join(root, "..", "empty")))
    os.makedirs(os.path.join(root, "..", "empty"), exist_ok=True)
    with Program(program, config) as running:
        def listens():
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port)).close()
                return True
            return running.has_ended()
        wait_until(listens)
        yield None if running.has_ended() else port


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mb", type=int, default=1024)
    parser.add_argument("--files", type=int, default=1000)
    args = parser.parse_args()
    python = cpython.find_python("pyftpdlib.handlers")
    if not python:
        print("skipped: no Python here has pyftpdlib")
        return cpython.SKIPPED
    show_lines(python)
    with contextlib.ExitStack() as stack:
        base = stack.enter_context(tempfile.TemporaryDirectory())
        os.chmod(base, 0o755)
        root = os.path.join(base, "root")
        os.mkdir(root)
        os.chmod(root, 0o777)
        with open(root + "/large", "wb") as large, open(root + "/small", "wb") as small:
            large.truncate(args.mb << 20)
            small.write(b"x" * 1000)
        ports = {"the port": stack.enter_context(FTPServer(args.server, "--root", root, "--write")).port,
                 "pyftpdlib": stack.enter_context(Server(python, FOLDER / "original.py", root)).port,
                 "vsftpd": stack.enter_context(vsftpd(root))}
        measures = {"MB/s, one large file": lambda client: large_file(client, args.mb),
                    "MB/s, an upload": lambda client: upload(client, min(args.mb, 256)),
                    "files/s, 1 kB": lambda client: small_files(client, args.files)}
        found = {}
        for _ in range(args.rounds):
            for name, take in measures.items():
                for server, port in ports.items():
                    if port:
                        with Client(port) as client:
                            client.login(), client.say("TYPE I")
                            found.setdefault((name, server), []).append(take(client))
                        with contextlib.suppress(FileNotFoundError):
                            os.unlink(root + "/uploaded")
    for (name, server), figures in found.items():
        print("%-22s %-10s %8.0f  (%.0f to %.0f)" % (name, server, statistics.median(figures), min(figures), max(figures)))
    print("load average: %.1f" % os.getloadavg()[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
