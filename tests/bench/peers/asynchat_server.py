"""CPython's asynchat, used as its manual says.

    asynchat_server.py PORT [echo|sink] [--buffer N] [--coalesce] [--poller select|poll] [--promise]
                       [--ported]

asynchat sends on every push and cannot coalesce, so --coalesce changes nothing.  --promise sets a class attribute that
CPython's modules do not know, and those of asyncore/python/ do.  --ported takes the class Echo of the extension module
echo_cpp.
"""

import argparse
import asynchat
import asyncore
import resource
import socket


class Echo(asynchat.async_chat):
    def __init__(self, sock):
        super().__init__(sock)
        self.set_terminator(b"\r\n")

    def collect_incoming_data(self, data):
        self._collect_incoming_data(data)

    def found_terminator(self):
        self.push(self._get_data() + b"\r\n")


class Sink(asynchat.async_chat):
    def __init__(self, sock):
        super().__init__(sock)
        self.header = None
        self.set_terminator(8)

    def collect_incoming_data(self, data):
        if self.header is None:
            self._collect_incoming_data(data)

    def found_terminator(self):
        if self.header is None:
            self.header = self._get_data()
            length = int.from_bytes(self.header, "big")
            if length > 0:  # a terminator of 0 would have asynchat collect everything
                self.set_terminator(length)
                return
        self.push(self.header)
        self.header = None
        self.set_terminator(8)


class Server(asyncore.dispatcher):
    def __init__(self, port, channel):
        super().__init__()
        self.channel = channel
        self.create_socket(socket.AF_INET, socket.SOCK_STREAM)
        self.set_reuse_addr()
        self.bind(("127.0.0.1", port))
        self.listen(4096)

    def handle_accepted(self, sock, addr):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.channel(sock)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("mode", nargs="?", choices=("echo", "sink"), default="echo")
    parser.add_argument("--buffer", type=int, default=4096)
    parser.add_argument("--coalesce", action="store_true")
    parser.add_argument("--poller", choices=("select", "poll"), default="select")
    parser.add_argument("--promise", action="store_true")
    parser.add_argument("--ported", action="store_true")
    options = parser.parse_args()

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    channel = {"echo": Echo, "sink": Sink}[options.mode]
    if options.ported:
        from echo_cpp import Echo as channel
        channel.ac_in_buffer_size = options.buffer
    asynchat.async_chat.ac_in_buffer_size = options.buffer
    if options.promise:
        asyncore.dispatcher.asked_every_turn_ = False
    server = Server(options.port, channel)
    print("PORT", server.socket.getsockname()[1], flush=True)
    asyncore.loop(use_poll=options.poller == "poll")


main()
