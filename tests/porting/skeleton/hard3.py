# A source of Python 3 in which each class has something that a skeleton must find its way around.
import asyncore as ac
import collections
import ssl
import threading
from asynchat import async_chat as Chat, simple_producer
from asyncore import dispatcher as D, file_dispatcher

EINTR = 4
POLLIN = b"\x00one"
register = "a\\b\"c\n"
Base = D
PATTERN = "%s" \
    % "x"


class Closed(Exception):
    pass


class BadLine(Closed):
    def __init__(self, line, *rest):
        Closed.__init__(self, line)
        self.line = line


class Counting:
    """A mixin that uses super()."""
    sent = 0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

    def send(self, data):
        count = super().send(data)
        self.sent += count
        return count

    def handle_read(self): self.heard = True


class Limits:
    limit = 100

    def __init__(self, most, least=0, *, strict=True):
        self.most = most


class Plain(Limits):
    def tell(self, what: str) -> bool:
        return what == "x"


class Mixed(Counting, Limits, D):
    """Three bases."""

    def __init__(self, sock: "socket", server=None, map=None):
        D.__init__(self, sock, map)
        Limits.__init__(self, 5)
        self.server, self.peer = server, None


class MixedChat(Counting, Chat):
    ac_in_buffer_size = 8192
    terminator = b"\r\n"
    connected = 0

    def collect_incoming_data(self, data): pass

    def found_terminator(self): pass


class Diamond(Mixed, D):
    def close(self, reason=None):
        super().close()

    def handle_error(self, *args):
        raise


class Words(ac.dispatcher_with_send):
    delete = new = None
    operator = []
    template = {}
    register = {"a": 1}
    SIGTERM = 15
    _Private = 1
    __secret = "s"
    closing_time = 1.5
    errno = 0
    backlog_ = 5
    big = 123456789012345678901234567890
    union = set()
    this = {1, 2}
    empty = ()
    where = ("127.0.0.1", 80)
    octets = b"\xff\xfe"

    def __init__(self, this, template, default="x", *, register=False):
        ac.dispatcher_with_send.__init__(self)
        self.this = this
        self.Words = self
        self.std = 1
        self.lock = threading.Lock()
        self.queue = collections.deque()
        self.found = None
        self.found = [1]
        self.__late = 0.5
        self.handle_close = self.finish
        self.text = f"{this["a"]} and {self.closing_time}"

    def int(self): return 1

    def Words(self): pass

    def delete_it(self, delete, new, _=None, __=0): return delete

    def init(self): pass

    def connected(self): return True

    def finish(self):
        x = 1 \
            + 2 \
            + 3
        # a comment that ends in a backslash \
        return x

    def finish(self):
        """Twice."""

    @property
    def size(self): return len(self.queue)

    @size.setter
    def size(self, value): self.queue = value

    @staticmethod
    def make(a, b=2): return Words(a, b)

    @classmethod
    def create(cls, sock): return cls(sock)

    def __len__(self): return 0

    def __getattr__(self, name): return getattr(self.socket, name)

    def __repr__(self): return "words"

    async def wait(self): yield 1

    class Inner(D):
        def handle_connect(self): pass

    class Inner2:
        pass


class Signatures(Chat):
    def __init__(self, conn, addr, server):
        Chat.__init__(self, conn)
        self.addr = addr
        self.server = server

    def push(self, data, flag=0): return None

    def connect(self, host, port): pass

    def handle_accepted(self, sock): pass

    def recv(self, size): return b""

    def get_terminator(self): return None

    def _get_data(self): return b""

    def log_info(self, *args): pass

    def set_terminator(self, term): self.terminator = term

    def push_with_producer(self, producer, more=None): pass

    def accept(self): return None

    readable = lambda self: True
    writable = handle_expt = handle_read


class Listener(D):
    channel_class = Signatures

    def __init__(self, address):
        super().__init__()
        self.create_socket()
        self.bind(address)

    def handle_accept(self):
        pair = self.accept()
        if pair:
            Signatures(pair[0], pair[1], self)

    if ssl:
        def readable(self):
            return False
    else:
        def readable(self):
            return True


class TwoPhase(D):
    def __init__(self, sock, map):
        D.__init__(self, sock, map)

    def add_channel(self, map=None):
        D.add_channel(self, map)


class OverTwoPhase(TwoPhase):
    def __init__(self, sock, map, extra=()):
        TwoPhase.__init__(self, sock, map)


class Pipe(file_dispatcher):
    def __init__(self, fd):
        file_dispatcher.__init__(self, fd)


class Lines:
    def more(self):
        return b""


class Slow(simple_producer):
    def __init__(self, data):
        simple_producer.__init__(self, data, 10)

    def more(self): return b""


class terminator(Chat): pass


class dispatcher(D): pass


class dispatcher(D):
    def accepting(self): pass


class Wide(object, metaclass=type):
    value: int = 3
    other: "Listener" = None


def helper(self, sock, callback=None, *args, **kwargs):
    class Local(D):
        def handle_close(self): helper(self, None)
    return Local(sock)


def main(argv):
    match argv:
        case []:
            pass
    ac.loop(timeout=0.5, count=3)


if __name__ == "__main__":
    main([])
