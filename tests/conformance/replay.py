"""Runs a replay script with CPython's asyncore and asynchat: `replay.py SCRIPT > LOG`.

This is the twin of replay.cpp, for CPython 3.6 to 3.11. `replay.py --batch` reads many scripts from standard input,
each after a line with its length. It answers each script with `STATUS LENGTH` and the log, or the reason of a failure;
then it closes everything that the script opened.

Status: 0 after `end`; 2 for a bad script; 3 for a script that could never end, because its peer waits for a channel
that has no turn; in a batch also 4 for a script whose log is not to be compared (see excused).
"""

import contextlib
import errno
import fcntl
import os
import select
import socket
import struct
import sys
import warnings
import zlib
from collections import deque

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import asynchat
    import asyncore

import script

# A peer that has waited for ten seconds will wait for ever, since everything happens in one thread.
PATIENCE = struct.pack("ll", 10, 0)
RESET = struct.pack("ii", 1, 0)
# Linux's SIOCOUTQNSD: the ioctl that tells how many sent bytes have not left the machine's queue.
UNSENT = 0x894B if sys.platform.startswith("linux") else None


class Boom(Exception):
    """What `raise` and `push_failing` raise."""


class Stuck(Exception):
    """A call of the peer would never return."""


def quote(data):
    """Bytes in the form of the log."""
    if len(data) > 64:
        return "#%d:%08x" % (len(data), zlib.crc32(data) & 0xffffffff)
    plain = {13: "\\r", 10: "\\n", 9: "\\t", 92: "\\\\", 34: '\\"'}
    return '"%s"' % "".join(
        plain.get(c) or (chr(c) if 32 <= c < 127 else "\\x%02x" % c) for c in data)


def kind(error):
    if isinstance(error, OSError):
        return "OSError " + errno.errorcode.get(error.errno, str(error.errno))
    return type(error).__name__


def raised_by(error):
    """The code of the function that raised the error."""
    traceback = error.__traceback__
    while traceback.tb_next:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code


def excused(error):
    """The difference of docs/differences.md for which asynchat itself raised the error; only then may the logs differ.

    D12: collect_incoming_data() set a terminator of another kind while async_chat counted bytes, and asynchat subtracts
    from None or from bytes. D28: a hook emptied the queue that async_chat sends from.
    """
    if isinstance(error, TypeError) and raised_by(error) is asynchat.async_chat.handle_read.__code__:
        return "D12"
    if isinstance(error, IndexError) and raised_by(error) is asynchat.async_chat.initiate_send.__code__:
        return "D28"
    return None


class Chunks:
    """The producer of push_chunks."""

    def __init__(self, chunks, called):
        self.chunks = deque(chunks)
        self.called = called

    def more(self):
        self.called()
        return self.chunks.popleft() if self.chunks else b""


class Failing:
    """The producer of push_failing."""

    def more(self):
        raise Boom


class Watched:
    """What all channels of a script have in common: each hook writes a line of the log, then its `on` runs."""

    def __init__(self, replay, name, sock=None):
        self.replay = replay
        self.name = name
        super().__init__(sock)

    def log_line(self, text):
        self.replay.log("%s %s" % (self.name, text))

    def waiting(self, event):
        return self.replay.hooks.get((self.name, event))

    def happened(self, event):
        actions = self.waiting(event)
        if actions:
            self.replay.act(self.name, actions.popleft())

    def handle_connect(self):
        self.log_line("connect")
        self.happened("connect")

    def handle_close(self):
        self.log_line("close")
        super().handle_close()
        self.happened("close")

    def handle_error(self):
        self.log_line("error " + self.replay.kind(sys.exc_info()[1]))
        super().handle_error()
        self.happened("error")

    def handle_expt(self):
        self.log_line("expt")
        super().handle_expt()
        self.happened("expt")

    def log_info(self, message, type="info"):
        self.log_line("log error" if type == "error" else "log %s %s" % (type, message))


class Chat(Watched, asynchat.async_chat):
    terminator = None
    ac_in_buffer_size = 4096
    ac_out_buffer_size = 4096

    def __init__(self, replay, name, sock=None, options={}):
        self.ac_in_buffer_size = options.get("in", 4096)
        self.ac_out_buffer_size = options.get("out", 4096)
        super().__init__(replay, name, sock)

    def collect_incoming_data(self, data):
        self.log_line("collect " + quote(data))
        self.happened("collect")

    def found_terminator(self):
        self.log_line("found")
        self.happened("found")


class Reader(Watched):
    """The handle_read of a raw and of a sender."""

    read_size = 64

    def handle_read(self):
        self.log_line("read " + quote(self.recv(self.read_size)))
        self.happened("read")


class Sender(Reader, asyncore.dispatcher_with_send):
    def __init__(self, replay, name, sock, options):
        super().__init__(replay, name, sock)


class Raw(Reader, asyncore.dispatcher):
    def __init__(self, replay, name, sock, options):
        self.read_size = options.get("read", 64)
        super().__init__(replay, name, sock)

    def writable(self):
        return bool(self.waiting("write"))

    def handle_write(self):
        self.log_line("write")
        self.happened("write")


class Listener(Watched, asyncore.dispatcher):
    def __init__(self, replay, name):
        super().__init__(replay, name)
        # The names of the connections that wait, in the order of `knock` and `dial`.
        self.expected = replay.expected[name] = deque()
        self.create_socket()
        self.set_reuse_addr()
        self.bind((replay.home, 0))
        replay.addresses[name] = self.socket.getsockname()
        # This keeps the port when the listener closes: no other process may answer a later dial.
        replay.others.append(bound_socket(replay.addresses[name]))
        self.listen(5)

    def handle_accepted(self, sock, addr):
        name = self.expected.popleft()
        self.replay.channels[name] = self.replay.kinds["chat"](self.replay, name, self.replay.renumber(sock))
        self.log_line("accept " + name)
        self.happened("accept")


class Replay:
    """Runs one script."""

    # Accepted sockets get descriptors from this range, far above all other descriptors.
    FIRST_NUMBER, LAST_NUMBER = 256, 1000

    wide = False
    kinds = {"chat": Chat, "sender": Sender, "raw": Raw, "listen": Listener}

    def __init__(self, home="127.0.0.1"):
        self.home = home
        self.lines = []     # the lines of the log that are not written yet
        self.channels = {}  # name -> channel, open or closed
        self.peers = {}     # name -> the blocking socket at the other end
        self.addresses = {}  # listener -> its address
        self.expected = {}  # listener -> the names of the channels that it will accept
        self.hooks = {}     # (name, event) -> the actions that wait for the event
        self.others = []    # sockets that only have to stay open
        self.echo = None    # the socket of settle(), from the first TCP in the script on
        self.datagrams = 0  # how many datagrams settle() has waited for
        self.number = self.FIRST_NUMBER
        self.poll2 = True
        self.left_out = None  # the difference for which the log is not to be compared

    def log(self, line):
        self.lines.append(line)

    def kind(self, error):
        self.left_out = self.left_out or self.excused(error)
        return kind(error)

    def excused(self, error):
        return excused(error)

    def run(self, directives):
        for directive in directives:
            if uses_tcp(directive):
                self.join_network()
            self.settle()
            getattr(self, "do_" + directive.what)(*directive.args)
            yield
        self.log("end")
        yield

    # -- sockets ------------------------------------------------------------------------------------

    def renumber(self, sock):
        """The same socket under a number for which this turn has no event.

        asyncore looks channels up by number when it delivers, and so hands the event of a closed descriptor to the
        channel that got its number. Which channel that is depends on what else is open, and not on the script.
        """
        number = fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, self.number)
        self.number = number + 1 if number < self.LAST_NUMBER else self.FIRST_NUMBER
        sock.close()
        return at_once(socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=number))

    def pair(self, tcp):
        """A connected pair: the channel's socket and the peer's."""
        if not tcp:
            mine, peer = socket.socketpair()
        else:
            with bound_socket((self.home, 0)) as listener:
                listener.listen(1)
                peer = socket.socket()
                peer.connect(listener.getsockname())
                mine = at_once(listener.accept()[0])
            at_once(peer)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, PATIENCE)
        return mine, peer

    def under_way(self, name):
        """Whether bytes of the channel waited in the kernel for room at the peer, and have arrived now, for the peer
        has read. (The loopback is fast, but the kernel's timers are not.)"""
        channel = self.channels.get(name)
        if UNSENT is None or channel is None or channel.socket.fileno() < 0:
            return False
        if channel.socket.family != socket.AF_INET:
            return False
        if struct.unpack("i", fcntl.ioctl(channel.socket, UNSENT, b"\0" * 4))[0] == 0:
            return False
        return bool(select.select([self.peers[name]], [], [], 10)[0])

    def join_network(self):
        if self.echo is None:
            stay_on_one_processor()
            self.echo = udp_echo(self.home)
            self.others.append(self.echo)

    LONGEST_DIALOGUE = 4

    def settle(self):
        """Waits until all that was sent over TCP has arrived. The loopback delivers in the order of sending: when a
        datagram has arrived, everything that was sent before it has arrived too. The answers to that (SYN|ACK and ACK,
        or RST) were sent meanwhile, and each needs a datagram of its own."""
        if self.echo is None:
            return
        for _ in range(self.LONGEST_DIALOGUE):
            self.datagrams += 1
            number, came = b"%d" % self.datagrams, None
            while came != number:  # a datagram may be late, and may even be lost
                self.echo.send(number)
                with contextlib.suppress(socket.timeout):
                    came = self.echo.recv(20)

    # -- directives ---------------------------------------------------------------------------------

    def do_delivery(self, which):
        self.poll2 = which == "poll"

    def make(self, cls, name, options):
        mine, self.peers[name] = self.pair(options.get("tcp", False))
        self.channels[name] = cls(self, name, mine, options)

    def do_chat(self, name, options):
        self.make(self.kinds["chat"], name, options)

    def do_sender(self, name, options):
        self.make(self.kinds["sender"], name, options)

    def do_raw(self, name, options):
        self.make(self.kinds["raw"], name, options)

    def do_listen(self, name):
        self.channels[name] = self.kinds["listen"](self, name)

    def do_knock(self, listener, name):
        peer = self.peers[name] = at_once(socket.socket())
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, PATIENCE)
        with Peer(self, name):
            peer.connect(self.addresses[listener])
            self.expected[listener].append(name)

    def do_dial(self, name, listener):
        channel = self.channels[name] = self.kinds["chat"](self, name)
        channel.create_socket()
        at_once(channel.socket)
        if listener is None:
            # This socket is bound and does not listen, and no other socket can listen there while it is open.
            self.others.append(bound_socket((self.home, 0)))
            address = self.others[-1].getsockname()
        else:
            address = self.addresses[listener]
            self.expected[listener].append(name + "p")
        self.attempt(name, lambda: channel.connect(address))

    def do_feed(self, name, data):
        with Peer(self, name) as peer:
            sent = peer.send(data)
            while sent < len(data):
                sent += peer.send(data[sent:])

    def do_urgent(self, name, data):
        with Peer(self, name) as peer:
            peer.send(data, socket.MSG_OOB)

    def do_drain(self, name):
        data = []
        end = None
        with Peer(self, name) as peer:
            while end is None:
                try:
                    data.append(peer.recv(65536, socket.MSG_DONTWAIT))
                    if not data[-1]:
                        end = "eof"
                except BlockingIOError:
                    if not self.under_way(name):
                        break
                except ConnectionResetError:
                    end = "reset"
            self.log("%s peer %s" % (name, quote(b"".join(data))))
            if end:
                self.log("%s peer %s" % (name, end))

    def do_shut(self, name):
        with Peer(self, name) as peer:
            peer.shutdown(socket.SHUT_WR)

    def do_hangup(self, name):
        with Peer(self, name) as peer:
            peer.close()

    def do_reset(self, name):
        with Peer(self, name) as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            peer.close()

    def do_turn(self, times):
        poll = asyncore.poll2 if self.poll2 else asyncore.poll
        for _ in range(times):
            self.settle()
            self.log("turn")
            try:
                poll(0.0)
            except Exception as error:
                self.log("turn raised " + self.kind(error))
                break

    def do_loop(self, count):
        self.log("loop")
        try:
            asyncore.loop(timeout=0, use_poll=self.poll2, count=count)
        except Exception as error:
            self.log("turn raised " + self.kind(error))

    def do_do(self, name, action):
        self.attempt(name, lambda: self.act(name, action))

    def do_on(self, name, event, action):
        self.hooks.setdefault((name, event), deque()).append(action)

    def do_state(self, name):
        self.attempt(name, lambda: self.state(name))

    def do_map(self):
        self.log("map %d" % len(asyncore.socket_map))

    def do_close_all(self):
        self.log("close_all")
        try:
            asyncore.close_all()
        except Exception as error:
            self.log("close_all raised " + self.kind(error))

    def attempt(self, name, call):
        try:
            call()
        except Exception as error:
            self.log("%s raised %s" % (name, self.kind(error)))

    def state(self, name):
        channel = self.channels[name]
        mapped = any(value is channel for value in asyncore.socket_map.values())
        incoming = fifo = term = "-"
        if isinstance(channel, Chat):
            incoming = len(channel.ac_in_buffer)
            fifo = len(channel.producer_fifo)
            term = channel.get_terminator()
            term = "none" if term is None else quote(term) if isinstance(term, bytes) else term
        elif isinstance(channel, Sender):
            fifo = len(channel.out_buffer)
        self.log("%s state connected=%d accepting=%d connecting=%d mapped=%d in=%s fifo=%s term=%s" % (
            name, channel.connected, channel.accepting, channel.connecting, mapped, incoming, fifo, term))

    # -- actions ------------------------------------------------------------------------------------

    def act(self, name, action):
        """Runs an action on the channel. A channel that does not exist (yet) is a KeyError, and a method that the
        channel does not have is an AttributeError."""
        channel = self.channels[name]
        what, args = action
        if what == "at":
            self.act(*args)
        elif what == "push_simple":
            channel.push_with_producer(asynchat.simple_producer(args[1], args[0]))
        elif what == "push_chunks":
            channel.push_with_producer(Chunks(args, lambda: self.more(name)))
        elif what == "push_bytes":
            channel.push_with_producer(args[0])
        elif what == "push_failing":
            channel.push_with_producer(Failing())
        elif what == "send":
            sent = channel.send(args[0])
            self.log("%s sent %s" % (name, "-" if sent is None else sent))
        elif what == "recv":
            self.log("%s got %s" % (name, quote(channel.recv(args[0]))))
        elif what == "raise":
            raise Boom
        elif what == "raise_os":
            raise OSError(args[0], os.strerror(args[0]))
        elif what == "exit_now":
            raise asyncore.ExitNow
        else:
            getattr(channel, what)(*args)

    def more(self, name):
        """A producer of the channel is asked for more."""

    # -- the end ------------------------------------------------------------------------------------

    def clean(self):
        """Closes everything for the next script of a batch, and leaves no TIME_WAIT behind."""
        asyncore.socket_map.clear()
        for sock in [c.socket for c in self.channels.values()] + list(self.peers.values()) + self.others:
            if sock.fileno() >= 0:
                if sock.family == socket.AF_INET and sock.type == socket.SOCK_STREAM:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                sock.close()


class Peer:
    """A call of the peer's; where it fails, the log has a line."""

    def __init__(self, replay, name):
        self.replay = replay
        self.name = name

    def __enter__(self):
        return self.replay.peers[self.name]

    def __exit__(self, error_type, error, traceback):
        if isinstance(error, BlockingIOError):
            raise Stuck("the peer of %s waits for ever" % self.name)
        if isinstance(error, OSError):
            self.replay.log(self.name + " peer broken")
            return True


def at_once(sock):
    """The socket sends at once. Otherwise the kernel may hold back a small segment until the delayed acknowledgement
    of the other side, and a log would depend on the clock."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def uses_tcp(directive):
    if directive.what in ("chat", "sender", "raw"):
        return directive.args[1].get("tcp", False)
    return directive.what in ("listen", "dial")


def bound_socket(address):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    return sock


def udp_echo(home):
    """A datagram socket that sends to itself."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((home, 0))
    sock.connect(sock.getsockname())
    sock.settimeout(1)
    return sock


def stay_on_one_processor():
    """A processor has one queue of what the loopback is to deliver, so that the order of sending is kept."""
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[os.getpid() % len(processors)]})


def homes():
    """Yields a loopback address for each script of a batch, on Linux: a closed connection keeps its ports busy for a
    minute, and a long batch has more connections than an address has ports."""
    i = 0
    while True:
        i += 1
        yield "127.%d.%d.%d" % (i >> 16 & 127, i >> 8 & 255, i & 255 or 1) if UNSENT else "127.0.0.1"


def run_batch(requests, replies, kind_of_replay=Replay):
    for home in homes():
        size = requests.readline()
        if not size:
            return
        text = requests.read(int(size))
        replay = kind_of_replay(home)
        try:
            for _ in replay.run(script.parse(text, replay.wide)):
                pass
            status, answer = 0, "".join(line + "\n" for line in replay.lines)
            if replay.left_out:
                status, answer = 4, replay.left_out + "\n"
        except script.BadScript as error:
            status, answer = 2, "%s\n" % error
        except Stuck as error:
            status, answer = 3, "%s\n" % error
        replay.clean()
        answer = answer.encode("ascii")
        replies.write(b"%d %d\n" % (status, len(answer)) + answer)
        replies.flush()


def main(args):
    if args == ["--batch"]:
        run_batch(sys.stdin.buffer, sys.stdout.buffer)
        return 0
    if len(args) != 1:
        sys.stderr.write("usage: replay.py SCRIPT|- > LOG\n")
        return 1
    if args[0] == "-":
        text = sys.stdin.buffer.read()
    else:
        with open(args[0], "rb") as file:
            text = file.read()
    replay = Replay()
    try:
        for _ in replay.run(script.parse(text)):
            sys.stdout.write("".join(line + "\n" for line in replay.lines))
            sys.stdout.flush()
            del replay.lines[:]
    except script.BadScript as error:
        sys.stderr.write("%s\n" % error)
        return 2
    except Stuck as error:
        sys.stderr.write("%s\n" % error)
        return 3
    # Nothing is closed here, not even by the destructors of an interpreter that ends.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
