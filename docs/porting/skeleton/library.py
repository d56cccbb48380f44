"""Tables: the classes of asyncore and asynchat, with their names in Python and their signatures in C++.

tests/porting/test_skeleton.py holds the tables against CPython 3.11 and against the headers.
"""
from dataclasses import dataclass

SOCKET = "asyncore::socket_t"
MAP = "asyncore::channel_map*"
ADDRESS = "const asyncore::address&"
VIEW = "std::string_view"


@dataclass(frozen=True)
class Method:
    """A method: `python` has its parameters as Python writes them, `cpp` as pairs of a type and a name."""
    name: str
    python: str = ""
    result: str = "void"
    cpp: tuple = ()
    virtual: bool = True
    suffix: str = ""

    @property
    def most(self):
        """How many arguments the base gives it, at most, and (`least`) at least."""
        return len([each for each in self.python.split(",") if each.strip()])

    @property
    def least(self):
        return self.most - self.python.count("=")


def hook(name):
    return Method(name)


def predicate(name):
    return Method(name, result="bool")


@dataclass(frozen=True)
class LibraryClass:
    """A class of the library.  `own`: names that only C++ has; a port must not use them for something else."""
    cpp: str
    base: str = ""
    methods: tuple = ()
    attributes: tuple = ()
    own: tuple = ()
    constructors: tuple = ()   # each a tuple of pairs of a type and a name


CLASSES = {
    "channel": LibraryClass(
        "asyncore::channel",
        own=("asked_every_turn_", "handle_hung_up_write_event_", "readwrite_", "shared_from_this", "weak_from_this",
             "stream_", "reports_changes_to_", "leave_maps_", "use_stream_of_", "become_spawned_"),
    ),
    "dispatcher": LibraryClass(
        "asyncore::dispatcher", "channel",
        methods=(
            Method("__repr__", result="std::string", suffix=" const"),
            Method("add_channel", "map=None", cpp=((MAP, "map"),)),
            Method("del_channel", "map=None", cpp=((MAP, "map"),)),
            Method("create_socket", "family=AF_INET, type=SOCK_STREAM", cpp=(("int", "family"), ("int", "type"))),
            Method("set_socket", "sock, map=None", cpp=((SOCKET, "sock"), (MAP, "map"))),
            Method("set_reuse_addr"),
            predicate("readable"),
            predicate("writable"),
            Method("listen", "num", cpp=(("int", "num"),)),
            Method("bind", "addr", cpp=((ADDRESS, "addr"),)),
            Method("connect", "address", cpp=((ADDRESS, "address"),)),
            Method("accept", result="std::optional<std::pair<asyncore::socket_t, asyncore::address>>"),
            Method("send", "data", "std::size_t", ((VIEW, "data"),)),
            Method("recv", "buffer_size", "std::size_t", (("std::span<char>", "buffer"),)),
            Method("close"),
            Method("log", "message", cpp=((VIEW, "message"),)),
            Method("log_info", "message, type='info'", cpp=((VIEW, "message"), (VIEW, "type"))),
            hook("handle_read_event"),
            hook("handle_connect_event"),
            hook("handle_write_event"),
            hook("handle_expt_event"),
            hook("handle_error"),
            hook("handle_expt"),
            hook("handle_read"),
            hook("handle_write"),
            hook("handle_connect"),
            hook("handle_accept"),
            Method("handle_accepted", "sock, addr", cpp=((SOCKET, "sock"), (ADDRESS, "addr"))),
            hook("handle_close"),
        ),
        attributes=("debug", "connected", "accepting", "connecting", "closing", "addr", "ignore_log_types", "_map",
                    "_fileno", "socket", "family_and_type"),
        own=("init", "repr", "default_debug", "default_ignore_log_types", "backlog_", "handle_eof_",
             "interest_changed_", "hidden_in_", "exact_", "serve_listener_", "describe_error_", "no_connection_",
             "check_for_spin_", "throw_spin_", "failed_accepts_", "events_in_vain_", "most_events_in_vain_"),
        constructors=(((MAP, "map"),), ((SOCKET, "sock"), (MAP, "map"))),
    ),
    "dispatcher_with_send": LibraryClass(
        "asyncore::dispatcher_with_send", "dispatcher",
        methods=(
            Method("initiate_send"),
            hook("handle_write"),
            predicate("writable"),
            Method("send", "data", "std::size_t", ((VIEW, "data"),)),
        ),
        attributes=("out_buffer",),
        constructors=(((MAP, "map"),), ((SOCKET, "sock"), (MAP, "map"))),
    ),
    "file_dispatcher": LibraryClass(
        "asyncore::file_dispatcher", "dispatcher",
        methods=(Method("set_file", "fd", cpp=(("int", "fd"),)),),
        attributes=("connected", "socket", "_fileno"),
        constructors=(((MAP, "map"),), (("int", "fd"), (MAP, "map"))),
    ),
    "async_chat": LibraryClass(
        "asynchat::async_chat", "dispatcher",
        methods=(
            Method("collect_incoming_data", "data", cpp=((VIEW, "data"),)),
            Method("_collect_incoming_data", "data", cpp=((VIEW, "data"),), virtual=False),
            Method("_get_data", result="std::string", virtual=False),
            hook("found_terminator"),
            Method("set_terminator", "term", cpp=(("asynchat::terminator_t", "term"),)),
            Method("get_terminator", result="asynchat::terminator_t&"),
            hook("handle_read"),
            hook("handle_write"),
            hook("handle_close"),
            Method("push", "data", cpp=((VIEW, "data"),)),
            Method("push_with_producer", "producer", cpp=(("std::shared_ptr<asynchat::producer>", "source"),)),
            predicate("readable"),
            predicate("writable"),
            Method("close_when_done"),
            Method("initiate_send"),
            Method("discard_buffers"),
        ),
        attributes=("ac_in_buffer_size", "ac_out_buffer_size", "use_encoding", "encoding", "ac_in_buffer", "incoming",
                    "producer_fifo", "terminator"),
        own=("default_ac_in_buffer_size", "default_ac_out_buffer_size", "default_queue_limit_", "coalesce_",
             "send_later_", "finish_sending_", "queue_limit_", "more_to_send_", "handle_queue_limit_", "in_vain_",
             "parsing_", "waiting_", "queued_at_most_", "release_idle_memory_", "rest_if_in_vain_",
             "collect_copy_", "collect_", "parse_", "collect_all_", "collect_number_", "collect_until_", "join_last_",
             "waits_for_producer_", "send_within_limit_", "send_and_count_", "ask_first_producer_", "send_first_"),
        constructors=(((MAP, "map"),), ((SOCKET, "sock"), (MAP, "map"))),
    ),
    "producer": LibraryClass(
        "asynchat::producer",
        methods=(Method("more", result="std::string"),),
        own=("not_done_yet_",),
        constructors=((),),
    ),
    "simple_producer": LibraryClass(
        "asynchat::simple_producer", "producer",
        methods=(Method("more", result="std::string"),),
        attributes=("data", "buffer_size"),
        constructors=((("std::string", "data"), ("std::size_t", "buffer_size")),),
    ),
    "file_wrapper": LibraryClass(
        "asyncore::file_wrapper",
        methods=(
            Method("recv", "*args", "asyncore::platform::transfer", (("std::span<char>", "buffer"),)),
            Method("send", "*args", "asyncore::platform::transfer", ((VIEW, "data"),)),
            Method("getsockopt", "level, optname, buflen=None", "int", (("int", "level"), ("int", "option"))),
            Method("read", "*args", "std::string", (("std::size_t", "size"),), virtual=False),
            Method("write", "*args", "asyncore::platform::transfer", ((VIEW, "data"),), virtual=False),
            Method("close"),
            Method("fileno", result="int", suffix=" const noexcept"),
        ),
        attributes=("fd",),
        own=("pending", "raises_sigpipe", "shutdown", "recv_needs", "send_needs"),
        constructors=((("int", "fd"),),),
    ),
    "fifo": LibraryClass(
        "asynchat::fifo",
        own=("entry", "size", "bytes", "empty", "front", "back", "append", "append_bytes", "appendleft", "popleft",
             "del_first", "clear", "is_empty", "first", "push", "pop"),
        constructors=((),),
    ),
    "ExitNow": LibraryClass("asyncore::ExitNow", constructors=((("std::string", "message"),),)),
}

CHANNELS = ("dispatcher", "dispatcher_with_send", "file_dispatcher", "async_chat")

# What a class of another known module derives from.  A port of smtpd is in docs/examples/smtpd/.
ELSEWHERE = {
    "smtpd.SMTPServer": "dispatcher",
    "smtpd.DebuggingServer": "dispatcher",
    "smtpd.PureProxy": "dispatcher",
    "smtpd.MailmanProxy": "dispatcher",
    "smtpd.SMTPChannel": "async_chat",
    "ioloop.AsyncChat": "async_chat",
    "ioloop.Acceptor": "dispatcher",
    "ioloop.Connector": "dispatcher",
    "http_server.http_channel": "async_chat",
    "http_server.http_server": "dispatcher",
    "medusa.http_server.http_channel": "async_chat",
    "secure_smtpd.SMTPServer": "dispatcher",
}

# Names of methods that only a channel has.  A class whose base is in no file at hand is taken for a channel if it has
# one of them.
ONLY_OF_CHANNELS = {
    "found_terminator": "async_chat", "collect_incoming_data": "async_chat", "handle_read": "dispatcher",
    "handle_write": "dispatcher", "handle_accept": "dispatcher", "handle_accepted": "dispatcher",
    "handle_connect": "dispatcher", "handle_expt": "dispatcher", "handle_read_event": "dispatcher",
    "handle_write_event": "dispatcher",
}

# Methods of socket.socket, which Python 2's dispatcher found in self.socket.
SOCKET_METHODS = {"setsockopt", "getsockopt", "getsockname", "getpeername", "recvfrom", "sendto", "shutdown", "fileno",
                  "setblocking", "settimeout", "gettimeout", "makefile", "sendall", "connect_ex"}


def chain(name):
    """The class and the classes that it derives from, the class itself first."""
    while name:
        yield CLASSES[name]
        name = CLASSES[name].base


def method(name, python_name):
    """The Method of a class of the library, or None."""
    for each in chain(name):
        for found in each.methods:
            if found.name == python_name:
                return found
    return None


def attributes(name):
    return {attribute for each in chain(name) for attribute in each.attributes}


def taken(name):
    """Every name of a class of the library, methods and all."""
    names = set()
    for each in chain(name):
        names |= {found.name for found in each.methods} | set(each.attributes) | set(each.own)
    return names | {name}


def derives(one, other):
    return CLASSES[other] in chain(one)
