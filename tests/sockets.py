"""What the tests do with a connection to a server on this machine."""

import select
import socket
import struct


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def read_exactly(sock, size):
    """So many bytes, or fewer where the peer sends its end of file before."""
    data = bytearray()
    while len(data) < size and (piece := sock.recv(size - len(data))):
        data += piece
    return bytes(data)


def read_all(sock):
    """All bytes until the peer's end of file."""
    data = bytearray()
    while piece := sock.recv(65536):
        data += piece
    return bytes(data)


def reset_on_close(sock):
    """Has close() reset the connection, as where a peer is lost."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def is_readable(sock):
    return bool(select.select([sock], [], [], 0)[0])


def tcp_info(sock, offset):
    """A number of Linux's struct tcp_info."""
    return struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), offset)[0]


def all_arrived(sock):
    """Whether the peer's system has received all that was sent, or the connection is gone.  Linux only."""
    unacknowledged, not_sent = tcp_info(sock, 24), tcp_info(sock, 144)
    return unacknowledged == not_sent == 0


def segments_received(sock):
    """One for each send() of the peer, if there is room on the way.  Linux only."""
    return tcp_info(sock, 152)
