"""The soak finds what is wrong: test_soak.py FOLDER.

Each check of the soak sees one server that is wrong on purpose, and must fail; and one that is right, and must pass.
"""

import os
import pathlib
import sys
import tempfile
import threading

import soak

# What wrong.cpp does: what the soak must say of it.
ECHO = {
    "nothing": None,
    "changes": "what came back is not what was said",
    "loses": "what came back is not what was said",
    "doubles": "came back",
    "mixes": "came back",
    "is_silent": "the server has been silent for too long",
    "closes": "the server closed the connection too early",
    "keeps_descriptors": "descriptors more than before",
    "keeps_memory": "bytes are allocated more",
    "spins": "waits without a client|of a processor without a client",
    "ends": "the server ended with 3",
}
failures = 0


def expect(what, said, wanted):
    """Whether one of the failures has one of the texts; without `wanted` there must be no failure."""
    global failures
    found = not said if wanted is None else any(text in why for why in said for text in wanted.split("|"))
    if not found:
        failures += 1
    print("%s %s: %s" % ("ok  " if found else "NOT FOUND", what, said[:2]), flush=True)


def one_round(name, servers, folder, work, site, clients=300, rounds=1, filtered=None, more=()):
    """What the soak says of a server.  `filtered` changes what it prints."""
    subject = soak.Subject(name, "epoll", folder, work, site, 0.5, servers)
    if filtered:
        interpose(subject, filtered)
    for number in range(rounds):
        if not subject.has_ended():
            subject.round(7 + number, ["--clients", str(clients), *more], 50)
    subject.stop()
    return subject.failures


def interpose(subject, change):
    """Passes what the server prints through a function of one message."""
    source, (subject.printed, end) = subject.printed, os.pipe()

    def run():
        with open(source, "rb") as lines, open(end, "wb", buffering=0) as to:
            message, number = b"", 0
            for line in lines:
                message += line
                if line.startswith(b"------------ END"):
                    number += 1
                    to.write(change(message) if number == 20 else message)
                    message = b""

    threading.Thread(target=run, daemon=True).start()


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        site = work / "site"
        soak.make_site(site)

        servers = {"wrong " + how: ("echo", ["wrong", how], 0) for how in ECHO}
        soak.WARM_UP, soak.PATIENCE = 0, 10.0
        for how, wanted in ECHO.items():
            rounds = 2 if how == "keeps_memory" else 1
            more = ["--patience", "3"] if how == "is_silent" else []
            expect(how, one_round("wrong " + how, servers, folder, work, site, rounds=rounds, more=more), wanted)

        # Other files than those that the server has.
        other = work / "other"
        soak.make_site(other)
        for file, change in (("1000.bin", lambda data: data[:500] + b"?" + data[501:]), ("16384.bin", lambda data: data[:-1])):
            path = other / file
            path.write_bytes(change(path.read_bytes()))
        command = ["http_server", "--root", str(other), "--timeout", "600", "--linger", "600"]
        said = one_round("http", {"http": ("http", command, 1)}, folder, work, site)
        expect("a byte of a file", said, "the body is not the file")
        expect("the length of a file", said, "another length")
        (other / "4096.bin").unlink()
        expect("a file", one_round("http", {"http": ("http", command, 1)}, folder, work, site), "the answer is not 200")

        mail = ["smtpd", "--hardened", "-n", "-c", "DebuggingServer", "127.0.0.1:0"]
        expect("a reply of smtpd", one_round("smtpd", {"smtpd": ("smtp", mail, 1)}, folder, work, site),
               "the reply is not '250-SIZE 33554432'")
        mail[2:2] = ["-s", "33554432"]
        for what, change, wanted in (
                ("no change of a message", lambda message: message, None),
                ("a message that is lost", lambda message: b"", "were accepted, and not delivered"),
                ("a message that comes twice", lambda message: message * 2, "was delivered twice"),
                ("a byte of a message", lambda message: message.replace(b"b'end", b"b'eNd"), "not delivered as it was sent"),
                ("a line that is lost", lambda message: message.replace(b"b'end'\n", b""), "not delivered as it was sent")):
            expect(what, one_round("smtpd", {"smtpd": ("smtp", mail, 1)}, folder, work, site, 100, 1, change, ["--patience", "3"]), wanted)

    expect("memory that grows", [str(soak.growth([10, 11, 12, 13, 14, 15, 16, 17, 18]))], "1")
    expect("memory that does not grow", [str(soak.growth([10, 30, 12, 13, 14, 15, 16, 30, 18]))], "0")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
