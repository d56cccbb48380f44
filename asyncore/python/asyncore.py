"""Python's asyncore, on the loop of the C++ library asyncore-cpp.

The classes are Python, and behave as those of CPython 3.11.  What is different is below poll() and poll2(): the
extension module _asyncore waits, by epoll where there is epoll, and calls read(), write(), _exception() and
readwrite() of this module for each channel that is ready.

Where a server in Python would end, spin or go deaf, the library does better by default; _asyncore.set_exact(True), or
ASYNCORE_EXACT=1 in the environment, gives exactly what CPython does.  A name that ends in an underscore names
something that CPython's module does not have.
"""

import os
import select
import socket
import sys
import time
import warnings
from errno import (EAGAIN, EALREADY, EBADF, ECONNABORTED, ECONNRESET, EINPROGRESS, EINVAL, EISCONN, ENOTCONN, EPIPE,
                   ESHUTDOWN, EWOULDBLOCK, errorcode)

import _asyncore

_DISCONNECTED = frozenset({EBADF, ECONNABORTED, ECONNRESET, ENOTCONN, EPIPE, ESHUTDOWN})

# A reload of this module keeps the channels.
socket_map = globals().get("socket_map", {})

_select = select.select
_poll = select.poll


def _strerror(err):
    try:
        return os.strerror(err)
    except (ValueError, OverflowError, NameError):
        return errorcode[err] if err in errorcode else "Unknown error %s" % err


class ExitNow(Exception):
    """Raised in a hook, it leaves loop()."""


_reraised_exceptions = (ExitNow, KeyboardInterrupt, SystemExit)


# -- a turn -----------------------------------------------------------------------------------------

def read(obj):
    try:
        obj.handle_read_event()
    except _reraised_exceptions:
        raise
    except:
        obj.handle_error()


def write(obj):
    try:
        obj.handle_write_event()
    except _reraised_exceptions:
        raise
    except:
        obj.handle_error()


def _exception(obj):
    try:
        obj.handle_expt_event()
    except _reraised_exceptions:
        raise
    except:
        obj.handle_error()


def readwrite(obj, flags):
    try:
        if flags & select.POLLIN:
            obj.handle_read_event()
        if flags & select.POLLOUT:
            obj.handle_write_event()
        if flags & select.POLLPRI:
            obj.handle_expt_event()
        if flags & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
            obj.handle_close()
    except OSError as error:
        if error.errno in _DISCONNECTED:
            obj.handle_close()
        else:
            obj.handle_error()
    except _reraised_exceptions:
        raise
    except:
        obj.handle_error()


def _refused_(obj, error):
    """The poller refused the descriptor of `obj`."""
    try:
        raise error
    except:
        obj.handle_error()


def poll(timeout=0.0, map=None):
    if map is None:
        map = socket_map
    if not map:
        return
    if select.select is not _select or not _asyncore.poll(timeout, map, globals()):
        _poll_in_python(timeout, map)


def poll2(timeout=0.0, map=None):
    if map is None:
        map = socket_map
    if select.poll is not _poll or not _asyncore.poll2(timeout, map, globals()):
        _poll2_in_python(timeout, map)


poll3 = poll2


# The next two are for what _asyncore does not take: a map that is no dict or has keys that are no descriptors, a
# select module that the program replaced, and a map on which another thread waits.

def _poll_in_python(timeout, map):
    r, w, e = [], [], []
    for fd, obj in list(map.items()):
        is_r = obj.readable()
        is_w = obj.writable()
        if is_r:
            r.append(fd)
        if is_w and not obj.accepting:
            w.append(fd)
        if is_r or is_w:
            e.append(fd)
    if not e:
        time.sleep(timeout)
        return
    ready = select.select(r, w, e, timeout)
    for deliver, fds in zip((read, write, _exception), ready):
        for fd in fds:
            obj = map.get(fd)
            if obj is not None:
                deliver(obj)


def _poll2_in_python(timeout, map):
    if timeout is not None:
        timeout = int(timeout * 1000)  # in milliseconds
    pollster = select.poll()
    if not map:
        return
    for fd, obj in list(map.items()):
        flags = 0
        if obj.readable():
            flags |= select.POLLIN | select.POLLPRI
        if obj.writable() and not obj.accepting:
            flags |= select.POLLOUT
        if flags:
            pollster.register(fd, flags)
    for fd, flags in pollster.poll(timeout):
        obj = map.get(fd)
        if obj is not None:
            readwrite(obj, flags)


def loop(timeout=30.0, use_poll=False, map=None, count=None):
    if map is None:
        map = socket_map
    poll_fun = poll2 if use_poll and hasattr(select, "poll") else poll
    if count is None:
        while map:
            poll_fun(timeout, map)
    else:
        while map and count > 0:
            poll_fun(timeout, map)
            count = count - 1


# -- the channels -----------------------------------------------------------------------------------

class dispatcher:

    debug = False
    connected = False
    accepting = False
    connecting = False
    closing = False
    addr = None
    ignore_log_types = frozenset({"warning"})

    def __init__(self, sock=None, map=None):
        self._map = socket_map if map is None else map
        self._fileno = None
        if not sock:
            self.socket = None
            return
        sock.setblocking(False)  # it may have been blocking where it comes from
        self.set_socket(sock, map)
        self.connected = True
        try:
            self.addr = sock.getpeername()
        except OSError as err:
            if err.errno not in (ENOTCONN, EINVAL):
                # The socket is broken in some unknown way, so no loop must watch it.
                self.del_channel(map)
                raise
            self.connected = False

    def __repr__(self):
        cls = self.__class__
        status = [cls.__module__ + "." + cls.__qualname__]
        if self.accepting and self.addr:
            status.append("listening")
        elif self.connected:
            status.append("connected")
        if self.addr is not None:
            try:
                status.append("%s:%d" % self.addr)
            except TypeError:
                status.append(repr(self.addr))
        return "<%s at %#x>" % (" ".join(status), id(self))

    def add_channel(self, map=None):
        if map is None:
            map = self._map
        map[self._fileno] = self
        _asyncore.entered(map, self._fileno)

    def del_channel(self, map=None):
        fd = self._fileno
        if map is None:
            map = self._map
        if fd in map:
            del map[fd]
        self._fileno = None

    def create_socket(self, family=socket.AF_INET, type=socket.SOCK_STREAM):
        self.family_and_type = family, type
        sock = socket.socket(family, type)
        sock.setblocking(False)
        self.set_socket(sock)

    def set_socket(self, sock, map=None):
        self.socket = sock
        self._fileno = sock.fileno()
        self.add_channel(map)

    def set_reuse_addr(self):
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR,
                                   self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) | 1)
        except OSError:
            pass  # a system without the option is no error

    # The predicates: a turn asks them, unless it knows that the answer is still the same.

    def readable(self):
        return True

    def writable(self):
        return True

    # Socket methods.

    def listen(self, num):
        self.accepting = True
        _asyncore.changed(self)
        if os.name == "nt" and num > 5:
            num = 5
        return self.socket.listen(_asyncore.backlog(self.socket, num))

    def bind(self, addr):
        self.addr = addr
        return self.socket.bind(addr)

    def connect(self, address):
        self.connected = False
        self.connecting = True
        _asyncore.changed(self)
        err = self.socket.connect_ex(address)
        if err in (EINPROGRESS, EALREADY, EWOULDBLOCK) or err == EINVAL and os.name == "nt":
            self.addr = address
        elif err in (0, EISCONN):
            self.addr = address
            self.handle_connect_event()
        else:
            raise OSError(err, errorcode[err])

    def accept(self):
        try:
            conn, addr = self.socket.accept()
        except TypeError:
            return None
        except OSError as why:
            if why.errno in (EWOULDBLOCK, ECONNABORTED, EAGAIN):
                return None
            if _asyncore.no_connection(self, why.errno):
                return None
            raise
        return conn, addr

    def send(self, data):
        try:
            return self.socket.send(data)
        except OSError as why:
            if why.errno == EWOULDBLOCK:
                return 0
            if why.errno not in _DISCONNECTED:
                raise
            self.handle_close()
            return 0

    def recv(self, buffer_size):
        try:
            data = self.socket.recv(buffer_size)
            if data:
                return data
            # A closed connection is readable, and has no data.  If handle_close() raises the error of a lost
            # peer, it is called again.
            self.handle_close()
            return b""
        except OSError as why:
            if why.errno not in _DISCONNECTED:
                raise
            self.handle_close()
            return b""

    def close(self):
        self.connected = False
        self.accepting = False
        self.connecting = False
        self.del_channel()
        if self.socket is None:
            return
        try:
            self.socket.close()
        except OSError as why:
            if why.errno not in (ENOTCONN, EBADF):
                raise

    # log() is for a line about each request that is served, log_info() for everything else.

    def log(self, message):
        sys.stderr.write("log: %s\n" % str(message))

    def log_info(self, message, type="info"):
        if type not in self.ignore_log_types:
            print("%s: %s" % (type, message))

    # What a turn calls.  Each of these calls a hook below.

    def handle_read_event(self):
        if self.accepting:
            self.handle_accept()
            return
        if not self.connected and self.connecting:
            self.handle_connect_event()
        self.handle_read()

    def handle_connect_event(self):
        err = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if err != 0:
            raise OSError(err, _strerror(err))
        self.handle_connect()
        self.connected = True
        self.connecting = False
        _asyncore.changed(self)

    def handle_write_event(self):
        if self.accepting:
            return  # a listener has nothing to write
        if not self.connected and self.connecting:
            self.handle_connect_event()
        self.handle_write()

    def handle_expt_event(self):
        # select() calls both an error and out-of-band data exceptional.
        err = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if err != 0:
            self.handle_close()
        else:
            self.handle_expt()

    # The hooks.

    def handle_error(self):
        nil, t, v, tbinfo = compact_traceback()
        try:
            self_repr = repr(self)
        except:
            self_repr = "<__repr__(self) failed for object at %0x>" % id(self)
        if self.accepting and not _asyncore.is_exact():
            self.log_info("uncaptured python exception, keeping listener %s (%s:%s %s)"
                          % (self_repr, t, v, tbinfo), "error")
            return
        self.log_info("uncaptured python exception, closing channel %s (%s:%s %s)" % (self_repr, t, v, tbinfo), "error")
        self.handle_close()

    def handle_expt(self):
        self.log_info("unhandled incoming priority event", "warning")

    def handle_read(self):
        self.log_info("unhandled read event", "warning")

    def handle_write(self):
        self.log_info("unhandled write event", "warning")

    def handle_connect(self):
        self.log_info("unhandled connect event", "warning")

    def handle_accept(self):
        pair = self.accept()
        if pair is not None:
            self.handle_accepted(*pair)

    def handle_accepted(self, sock, addr):
        sock.close()
        self.log_info("unhandled accepted event", "warning")

    def handle_close(self):
        self.log_info("unhandled close event", "warning")
        self.close()


class dispatcher_with_send(dispatcher):
    """A dispatcher with a buffer for what could not be sent yet."""

    def __init__(self, sock=None, map=None):
        dispatcher.__init__(self, sock, map)
        self.out_buffer = b""

    def initiate_send(self):
        num_sent = dispatcher.send(self, self.out_buffer[:65536])
        self.out_buffer = self.out_buffer[num_sent:]

    def handle_write(self):
        self.initiate_send()

    def writable(self):
        return not self.connected or len(self.out_buffer)

    def send(self, data):
        if self.debug:
            self.log_info("sending %s" % repr(data))
        self.out_buffer = self.out_buffer + data
        self.initiate_send()
        _asyncore.changed(self)


# -- helpers ----------------------------------------------------------------------------------------

def compact_traceback():
    t, v, tb = sys.exc_info()
    if not tb:
        raise AssertionError("traceback does not exist")
    tbinfo = []
    while tb:
        code = tb.tb_frame.f_code
        tbinfo.append((code.co_filename, code.co_name, str(tb.tb_lineno)))
        tb = tb.tb_next
    del tb  # a frame that refers to itself is a cycle
    return tbinfo[-1], t, v, " ".join("[%s|%s|%s]" % each for each in tbinfo)


def close_all(map=None, ignore_all=False):
    if map is None:
        map = socket_map
    for obj in list(map.values()):
        try:
            obj.close()
        except OSError as why:
            if why.errno != EBADF and not ignore_all:
                raise
        except _reraised_exceptions:
            raise
        except:
            if not ignore_all:
                raise
    map.clear()


if os.name == "posix":
    class file_wrapper:
        """Gives a duplicate of a descriptor the methods of a socket that a dispatcher calls."""

        def __init__(self, fd):
            self.fd = os.dup(fd)

        def __del__(self):
            if self.fd >= 0:
                warnings.warn("unclosed file %r" % self, ResourceWarning, source=self)
            self.close()

        def recv(self, *args):
            return os.read(self.fd, *args)

        def send(self, *args):
            return os.write(self.fd, *args)

        def getsockopt(self, level, optname, buflen=None):
            if level == socket.SOL_SOCKET and optname == socket.SO_ERROR and not buflen:
                return 0
            raise NotImplementedError("Only asyncore specific behaviour implemented.")

        read = recv
        write = send

        def close(self):
            if self.fd < 0:
                return
            fd, self.fd = self.fd, -1
            os.close(fd)

        def fileno(self):
            return self.fd

    class file_dispatcher(dispatcher):
        """A dispatcher of a file: a pipe, a terminal."""

        def __init__(self, fd, map=None):
            dispatcher.__init__(self, None, map)
            self.connected = True
            try:
                fd = fd.fileno()
            except AttributeError:
                pass
            self.set_file(fd)
            os.set_blocking(fd, False)

        def set_file(self, fd):
            self.socket = file_wrapper(fd)
            self._fileno = self.socket.fileno()
            self.add_channel()


_asyncore.know(dispatcher.readable)
_asyncore.know(dispatcher.writable)
_asyncore.know(dispatcher_with_send.writable, "connected", "out_buffer")
