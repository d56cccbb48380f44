"""Random dialogues with the port and with pyftpdlib.

    compare_dialogues.py SERVER POLLER [--seed N] [--count N]     says the same to both
    compare_dialogues.py --record FILE [--seed N] [--count N]     writes what pyftpdlib replies
    compare_dialogues.py SERVER POLLER --recorded FILE            compares the port with that

pyftpdlib is Debian's python3-pyftpdlib.  Where no Python has it, the first two are skipped.

A dialogue begins on a folder that is always the same.  What is compared: the code of each reply; the path of a 257 and
the size of a 213; the data of each transfer; and at the end the tree of files, with their modes and contents.  What is
not compared: other texts; the owner and the time of a line of LIST; the order of MLSD's lines and facts, and its facts
modify and unique; whether a transfer begins with 125 or 150, which is a race.

Each known difference, which the dialogues do not say:

- A transfer without a data connection is refused (425).  pyftpdlib says 150, and waits for ever.
- A second transfer, and PASV or PORT during a transfer, are refused (503).  pyftpdlib drops the first transfer without
  a reply, or mixes the two.
- ABOR of a transfer that waits for its connection is answered by 426 and 226.  pyftpdlib says 225, keeps the transfer,
  and gives it to the next data connection.  So it does after REIN.
- A transfer whose upload is reset by the client has failed (426).  pyftpdlib says 226.
- In ASCII, a last "\\r" of an upload stays.  pyftpdlib loses it.
- DELE and RNFR of a link act on the link, wherever it leads.  pyftpdlib refuses a link that leads out (550).  LIST of
  such a link shows the link itself.
- MLSD leaves out a link that leads out.  pyftpdlib tells the size and the time of the file outside.
- A link that leads nowhere is no place for an upload (550).  pyftpdlib makes the file that the link names.
- REST is forgotten after a RETR of a path that leads out.  pyftpdlib keeps it.
- TYPE A N is TYPE A; OPTS UTF8 ON is taken; LIST -l NAME and NLST -a take no option for a name; unix.mode is 0644 and not 0o644.
- PORT takes six numbers up to 255, and REST digits alone.  pyftpdlib takes what Python's int() takes.
- A user who may not SITE CHMOD or MFMT is told so (550) before a missing argument is found (501); and who may not STOU,
  before the folder is found to be gone (450).
- Control characters of names are shown as '?', so no name forges a line; bytes 0xff are Telnet's.
- An unsolicited reply of pyftpdlib is none here: 425 for a data connection from another host, and 421 for a passive
  port that was never used.
"""

import argparse
import json
import os
import random
import re
import shutil
import socket
import sys
import tempfile
import zlib

from support import Client, FTPServer, pathlib, read_all
import cpython
from program import Server

FOLDER = pathlib.Path(__file__).resolve().parent
NAMES = ["a.txt", "b.bin", "empty", "sub", "sub/inner.txt", "sub/deep", "sub/deep/x", "new", "new2", "sub/new", "sub/dir", "dir", "dir/file",
         "..", ".", "/", "/sub/../a.txt", "missing", "missing/x", "sp ace", "q\"uote", "link", "linked", "linked/inner.txt", "\u00fcn\u00ef",
         "../../a.txt", "a.txt/x", "sub//inner.txt", "dangling"]
LINKS = ["link", "linked", "dangling"]
PLACES = [name for name in NAMES if name not in LINKS]
OUTSIDE = ["out", "out/x", "out-file"]
PLAIN = ["NOOP", "SYST", "PWD", "XPWD", "FEAT", "HELP", "HELP RETR", "HELP XX", "SITE HELP", "STAT", "ALLO 5", "MODE S", "MODE B", "MODE Q", "STRU F",
         "STRU R", "STRU Q", "CDUP", "XCUP", "CWD", "ABOR", "RNTO x", "EPSV 2", "EPSV 7", "PORT 1,2,3", "PORT 9,9,9,9,9,9", "PORT 127,0,0,1,0,80",
         "EPRT |2|::1|2000|", "EPRT |9|x|2000|", "EPRT x", "EPRT |1|9.9.9.9|2000|", "OPTS MLST size;type;", "OPTS MLST type;perm;size;modify;unique;",
         "OPTS MLST", "OPTS XX", "OPTS MLST type; size;", "TYPE X", "TYPE L8", "TYPE L7", "NONSENSE", "", " NOOP", "noop", "Noop", "NOOP x", "RETR",
         "STOR", "SITE", "SITE XX", "SITE CHMOD 999 a.txt", "REST x", "REST -1", "MFMT 2020 a.txt", "MFMT 20201301000000 a.txt",
         "PASS x", "STAT *", "PWD x", "PASV x"]
ON_NAMES = ["CWD", "XCWD", "MKD", "XMKD", "RMD", "XRMD", "DELE", "SIZE", "MLST", "STAT", "MDTM"]
LISTS = ["LIST", "NLST", "MLSD"]
KINDS = ["PASV", "EPSV", "EPSV 1", "PORT", "EPRT"]


# A dialogue is a list of steps: ["say", line], ["get", kind, line] and ["put", kind, line, data].

def make_dialogue(rng):
    steps = [["say", "USER anonymous"], ["say", "PASS x"]] if rng.random() < 0.95 else []
    while rng.random() < 0.97 and len(steps) < 60:
        steps += make_steps(rng)
    return [*steps, ["say", "QUIT"]]


def make_steps(rng):
    name, other, kind = rng.choice(NAMES), rng.choice(NAMES), rng.choice(KINDS)
    what = rng.random()
    if what < 0.15:
        return [["say", rng.choice(PLAIN)]]
    if what < 0.4:
        return [["say", "%s %s" % (rng.choice(ON_NAMES), name)]]
    if what < 0.45:
        return [["say", "%s %s" % (rng.choice(["CWD", "SIZE", "MLST", "MKD", "MDTM"]), rng.choice(OUTSIDE))]]
    if what < 0.5:
        return [["say", "RNFR " + rng.choice(PLACES)], ["say", "RNTO " + other]]
    if what < 0.55:
        return [["say", rng.choice(["SITE CHMOD 755 ", "SITE CHMOD 600 ", "SITE CHMOD 0700 ", "MFMT 20200304050607 "]) + name]]
    if what < 0.6:
        return [["say", rng.choice(["TYPE A", "TYPE I"])]]
    if what < 0.62:
        return [["say", rng.choice(["REIN", "USER ann", "USER anonymous", "USER nobody"])], ["say", rng.choice(["PASS secret", "PASS wrong", "PASS"])]]
    if what < 0.75:
        return [["get", kind, rng.choice([*LISTS, "LIST -a"]) if rng.random() < 0.5 else "%s %s" % (rng.choice(LISTS), name)]]
    rest = [["say", "REST %d" % rng.choice([0, 1, 5, 13, 100, 70000])]] if rng.random() < 0.3 else []
    if what < 0.88:
        return [*rest, ["get", kind, "RETR " + name]]
    data = rng.choice(["", "text\r\nof\r\nlines\r\n", "x" * rng.randrange(300), "\r\n" * 10, "a\nb\r\nc", "binary\0\x80\xfe"])
    return [*rest, ["put", kind, rng.choice(["STOR ", "STOR ", "APPE "]) + rng.choice(PLACES), data] if rng.random() < 0.9 else ["put", kind, "STOU", data]]


def make_folder(folder):
    """The files on which a dialogue begins."""
    for name in "sub/deep", "dir":
        os.makedirs(os.path.join(folder, name))
    for name, data in (("a.txt", b"one\ntwo\r\nthree\n"), ("b.bin", bytes(range(256)) * 300), ("empty", b""), ("sub/inner.txt", b"inner"),
                       ("sp ace", b"x"), ("q\"uote", b"y"), ("\u00fcn\u00ef", b"z")):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
        os.utime(os.path.join(folder, name), (1e9, 1e9))
    for name, target in (("link", "a.txt"), ("linked", "sub"), ("out", ".."), ("out-file", "../outside"), ("dangling", "nowhere")):
        os.symlink(target, os.path.join(folder, name))


# One dialogue with one server.

def shorter(data):
    """Data as a text; or its size and checksum, if it is long."""
    return data.decode("latin-1") if len(data) <= 300 else "%d bytes, %08x" % (len(data), zlib.crc32(data))


def told(line, reply):
    """What is compared of a reply."""
    command, _, _ = line.partition(" ")
    if reply.code == 257 or (command == "SIZE" and reply.code == 213):
        return "%d %s" % (reply.code, re.search(r'"(.*)"|\d+\r', reply.text)[0].strip())
    return "%d" % (150 if reply.code == 125 else reply.code)


def told_of_list(line, data):
    command = line.split(" ")[0]
    text = data.decode("utf-8")
    if command == "LIST":
        return [re.sub(r"^(\S+) +(\d+) +\S+ +\S+ +(\d+) \w+ +\S+ +\S+ ", without_size_of_folder, each) for each in text.split("\r\n")]
    if command == "MLSD":
        return sorted(without_changing_facts(each) for each in text.split("\r\n") if not each.endswith((" out", " out-file")))
    return shorter(data)


def without_size_of_folder(found):
    mode, links, size = found.groups()
    return "%s %s %s " % (mode, links, "-" if mode[0] == "d" else size)


def without_changing_facts(line):
    facts, _, name = line.partition(" ")
    kept = sorted(each for each in facts.split(";") if not each.startswith(("modify=", "unique=")))
    if "type=dir" in kept:
        kept = [each for each in kept if not each.startswith("size=")]
    return ";".join(kept) + " " + name


class Data:
    """A data connection of one kind.  `replies` is what the server said of it."""

    def __init__(self, client, kind):
        self.listener = self.sock = None
        if kind in ("PORT", "EPRT"):
            self.listener = socket.create_server(("127.0.0.1", 0))
            port = self.listener.getsockname()[1]
            line = "PORT 127,0,0,1,%d,%d" % divmod(port, 256) if kind == "PORT" else "EPRT |1|127.0.0.1|%d|" % port
            self.reply = client.say(line)
            if self.reply.code == 200:
                self.sock, _ = self.listener.accept()
        else:
            self.reply = client.say(kind)
            if self.reply.code in (227, 229):
                numbers = [int(each) for each in re.findall(r"\d+", self.reply.text)]
                port = numbers[-1] if self.reply.code == 229 else numbers[-2] * 256 + numbers[-1]
                self.sock = socket.create_connection(("127.0.0.1", port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.sock, self.listener:
            if each:
                each.close()


def hold_step(client, step):
    if step[0] == "say":
        return [told(step[1], client.say(step[1]))]
    what, kind, line, *data = step
    with Data(client, kind) as channel:
        results = [told(kind, channel.reply)]
        if not channel.sock:
            return results
        first = client.say(line)
        results.append(told(line, first))
        if first.code not in (125, 150):
            channel.sock.close()
            client.say("ABOR")  # the server may have the connection still
            return results
        if what == "put":
            channel.sock.sendall(data[0].encode("latin-1"))
            channel.sock.close()
        else:
            got = read_all(channel.sock)
            results.append(told_of_list(line, got) if line.split(" ")[0] in LISTS else shorter(got))
    return [*results, told(line, client.reply())]


def tree(folder):
    """The files, their modes and contents.  The names that STOU made are not compared."""
    found = []
    for base, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(base, name)
            about = os.lstat(path)
            with open(path, "rb") if os.path.isfile(path) and not os.path.islink(path) else open(os.devnull, "rb") as file:
                data = shorter(file.read())
            shown = re.sub(r"ftpd\.\w+$", "ftpd", os.path.relpath(path, folder))
            found.append([shown, oct(about.st_mode), data])
    return sorted(found)


def hold(port, folder, dialogue):
    """All results of a dialogue on a new folder."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    make_folder(folder)
    results = []
    with Client(port) as client:
        for step in dialogue:
            results.append(hold_step(client, step))
            if results[-1][-1] == "0":
                break
    return [*results, tree(folder)]


# All dialogues.

def has_stou_names(result):
    return any("ftpd." in str(each) for each in result)


def difference(dialogue, ours, theirs):
    """The first step whose results differ, as a text; or None."""
    for step, mine, other in zip([*dialogue, "the files"], ours, theirs):
        if mine != other and not (has_stou_names(mine) and has_stou_names(other)):
            return "%s:\n  the port: %s\n  original: %s" % (step, mine, other)
    return None if len(ours) == len(theirs) else "one of the two ended early"


def report(dialogue, ours, theirs, name):
    why = difference(dialogue, ours, theirs)
    if why:
        print("dialogue %s differs at %s\nThe dialogue: %s" % (name, why, dialogue))
    return bool(why)


def port_server(program, poller, root):
    return FTPServer(program, "--root", root, "--write", "--user", "ann:secret:%s:elr" % root, "--poller", poller,
                     before=lambda: os.umask(0o022))


def original_server(root):
    python = cpython.find_python("pyftpdlib.handlers")
    if not python:
        print("skipped: no Python here has pyftpdlib")
        sys.exit(cpython.SKIPPED)
    return Server(python, FOLDER / "original.py", root)


def dialogues(args):
    for number in range(args.count):
        name = "%d/%d" % (args.seed, number)
        yield name, make_dialogue(random.Random(name))


def record(args, base):
    root = os.path.join(base, "theirs")
    os.mkdir(root)
    with original_server(root) as server, open(args.record, "w") as file:
        for name, dialogue in dialogues(args):
            file.write(json.dumps([name, dialogue, hold(server.port, root, dialogue)]) + "\n")


def compare_recorded(args, base):
    root = os.path.join(base, "ours")
    os.mkdir(root)
    with port_server(args.server, args.poller, root) as server, open(args.recorded) as file:
        lines = [json.loads(line) for line in file]
        failed = sum(report(dialogue, hold(server.port, root, dialogue), theirs, name) for name, dialogue, theirs in lines)
    return len(lines), failed


def compare(args, base):
    roots = [os.path.join(base, name) for name in ("ours", "theirs")]
    for root in roots:
        os.mkdir(root)
    with original_server(roots[1]) as original, port_server(args.server, args.poller, roots[0]) as port:
        failed = sum(report(dialogue, hold(port.port, roots[0], dialogue), hold(original.port, roots[1], dialogue), name)
                     for name, dialogue in dialogues(args))
    return args.count, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", nargs="?")
    parser.add_argument("poller", nargs="?", default="poll")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--record")
    parser.add_argument("--recorded")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as base:
        if args.record:
            return record(args, base)
        count, failed = (compare_recorded if args.recorded else compare)(args, base)
    print("%d dialogues, %d differ" % (count, failed))
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
