"""What the tests of the proxy share: certificates, and the program itself."""

import os
import pathlib
import ssl
import subprocess
import sys
import tempfile

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))
from program import LITTLE_QUARANTINE, Program, open_sockets, wait_until  # noqa: E402
import sockets  # noqa: E402


class Files:
    """A folder with certificates that sign themselves."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.make("server", "DNS:localhost,IP:127.0.0.1")
        self.make("other", "DNS:other.example")
        pathlib.Path(self / "both.pem").write_bytes(
            b"".join(pathlib.Path(self / name).read_bytes() for name in ("server.pem", "other.pem")))

    def __truediv__(self, name):
        return os.path.join(self.folder.name, name)

    def make(self, name, names):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=" + names,
                        "-keyout", self / (name + ".key"), "-out", self / (name + ".pem")],
                       check=True, stderr=subprocess.DEVNULL)

    def for_server(self, name="server"):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self / (name + ".pem"), self / (name + ".key"))
        return context

    def for_client(self):
        """A client for which an end without close_notify is an SSLEOFError, unless it says otherwise."""
        context = ssl.create_default_context(cafile=self / "server.pem")
        context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
        return context


class Proxy(Program):
    """The program, with a listener for each (PROTOCOL, CLIENT'S MODE, SERVER'S MODE, PORT or HOST PORT ...)."""

    def __init__(self, program, files, poller, listeners, options=()):
        words = [program, "--poller", poller, "--cert", files / "server.pem", "--key", files / "server.key"]
        if "--cafile" not in options:
            words += ["--cafile", files / "server.pem"]
        words += options
        for protocol, client_mode, server_mode, *ports in listeners:
            hosts = [word for port in ports for word in ("--or", "127.0.0.1", port)]
            words += ["--listen", protocol, client_mode, 0, "--to", server_mode, *hosts[1:]]
        super().__init__(*words, environment={"ASYNCORE_CHECK": "1", **LITTLE_QUARANTINE})
        self.ports = [int(self.out.find(r"^PORT (\d+)$")[1]) for _ in listeners]
        self.port = self.ports[0]
        self.usual = open_sockets(self.pid)
        self.first_kib = self.status("VmHWM")

    def connect(self, at=0):
        return sockets.connect(self.ports[at])

    def wait_until_idle(self):
        """Waits until every connection has been closed, on both sides."""
        wait_until(lambda: open_sockets(self.pid) <= self.usual)
