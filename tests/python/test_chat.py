"""The server of docs/examples/chat: the same tests with each choice of classes that are C++."""

import asyncore
import gc
import itertools
import os
import socket
import sys
import unittest
import warnings
import weakref

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "docs", "examples", "chat"))
import chat  # noqa: E402
import chat_cpp  # noqa: E402

CLASSES = ("ChatServer", "ChatSession", "StatusPort")


class ChatTests:
    """What every choice must pass."""

    ported = ()

    def setUp(self):
        for name in CLASSES:
            original = getattr(chat, name)
            self.addCleanup(setattr, chat, name, original)
            if name in self.ported:
                setattr(chat, name, getattr(chat_cpp, name))
        self.map = {}
        self.addCleanup(asyncore.close_all, self.map)
        self.server, self.status = chat.serve(("127.0.0.1", 0), self.map)

    def turns(self, count=4):
        for _ in range(count):
            asyncore.poll(0.02, self.map)

    def client(self):
        made = socket.create_connection(self.server.socket.getsockname())
        self.addCleanup(made.close)
        made.setblocking(False)
        self.turns()
        return made

    def heard(self, client):
        self.turns()
        try:
            return client.recv(65536).decode()
        except BlockingIOError:
            return ""

    def say(self, client, *lines):
        client.sendall(b"".join(line.encode() + b"\r\n" for line in lines))
        return self.heard(client)

    def test_a_session_is_welcomed(self):
        self.assertEqual(self.heard(self.client()), "welcome\r\n")

    def test_what_one_says_the_others_hear(self):
        one, other = self.client(), self.client()
        self.assertEqual(self.say(one, "NICK ann"), "welcome\r\nhello ann\r\n")
        self.assertEqual(self.say(other, "nick bob"), "welcome\r\nann is here\r\nhello bob\r\n")
        self.assertEqual(self.say(one, "SAY gr\u00fc\u00df dich"), "bob is here\r\n")
        self.assertEqual(self.heard(other), "ann: gr\u00fc\u00df dich\r\n")

    def test_a_name_is_given_once(self):
        one, other = self.client(), self.client()
        self.say(one, "NICK ann")
        self.assertEqual(self.say(other, "NICK ann", "NICK"), "welcome\r\nann is here\r\nno\r\nno\r\n")

    def test_commands_may_come_in_one_packet(self):
        one = self.client()
        self.assertEqual(self.say(one, "SAY hi", "NICK ann", "WHO", "JUMP"),
                         "welcome\r\nwho?\r\nhello ann\r\nann\r\nwhat? JUMP\r\n")

    def test_quit_closes_when_all_is_sent(self):
        one, other = self.client(), self.client()
        self.say(one, "NICK ann")
        self.heard(other)
        self.assertEqual(self.say(one, "QUIT"), "bye\r\n")
        self.assertEqual(one.recv(10), b"")
        self.assertEqual(self.heard(other), "ann is gone\r\n")
        self.assertEqual(len(self.server.sessions), 1)

    def test_a_reset_is_a_close(self):
        one, other = self.client(), self.client()
        self.say(one, "NICK ann")
        self.heard(other)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        one.close()
        self.assertEqual(self.heard(other), "ann is gone\r\n")

    def test_a_datagram_is_answered(self):
        self.say(self.client(), "NICK ann")
        asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(asker.close)
        asker.settimeout(5)
        asker.sendto(b"?", self.server.socket.getsockname())
        self.turns(2)
        self.assertEqual(asker.recv(100), b"1 sessions, 1 lines")

    def test_the_map_has_the_channels(self):
        self.client()
        self.assertEqual(sorted(type(each).__name__ for each in self.map.values()), sorted(CLASSES))
        self.assertEqual(list(self.map), [each._fileno for each in self.map.values()])

    def test_a_server_that_is_let_go_of_is_collected(self):
        self.client()
        ends = [weakref.ref(each) for each in self.map.values()]
        self.server = self.status = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # nothing closes the sockets
            self.map.clear()
            gc.collect()
        self.assertEqual([end() for end in ends], [None] * 3)


class Border(unittest.TestCase):
    def setUp(self):
        self.map = {}
        self.addCleanup(asyncore.close_all, self.map)
        self.server, _ = chat.serve(("127.0.0.1", 0), self.map)

    def session(self, of=chat_cpp.ChatSession):
        one, other = socket.socketpair()
        self.addCleanup(other.close)
        return of(self.server, one, self.map)

    def test_a_ported_class_has_the_values_of_the_module(self):
        for name in "ac_in_buffer_size", "ac_out_buffer_size":
            self.assertEqual(getattr(chat_cpp.ChatSession, name), 65536)
            self.assertEqual(getattr(self.session(), name), 65536)
        self.assertIs(chat_cpp.ChatSession.debug, False)

    def test_a_value_of_a_class_reaches_the_members_of_C(self):
        class Small(chat_cpp.ChatSession):
            ac_in_buffer_size = 5

        class Smaller(Small):
            pass

        class Mixin:
            ac_in_buffer_size = 7

        class Mixed(Mixin, chat_cpp.ChatSession):
            pass

        small = self.session(Small)
        self.assertEqual(small.ac_in_buffer_size, 5)
        self.assertEqual(self.session(Smaller).ac_in_buffer_size, 5)
        self.assertEqual(self.session(Mixed).ac_in_buffer_size, 7)
        self.assertEqual(Mixin.ac_in_buffer_size, 7)
        self.assertEqual(self.session().ac_in_buffer_size, 65536)
        small.ac_in_buffer_size = 6  # the member, and not an attribute of Python that hides it
        self.assertEqual((small.ac_in_buffer_size, Small.ac_in_buffer_size), (6, 5))
        self.assertNotIn("ac_in_buffer_size", vars(small))
        Small.ac_in_buffer_size = 8
        self.assertEqual(self.session(Small).ac_in_buffer_size, 8)
        self.assertEqual(self.session(Smaller).ac_in_buffer_size, 8)
        self.assertEqual(small.ac_in_buffer_size, 6)

    def test_reads_are_as_long_as_the_class_says(self):
        class Small(chat_cpp.ChatSession):
            ac_in_buffer_size = 5

            def collect_incoming_data(self, data):
                pieces.append(data)
                super().collect_incoming_data(data)

        pieces = []
        one, other = socket.socketpair()
        self.addCleanup(other.close)
        Small(self.server, one, self.map)
        other.send(b"a longer line")
        asyncore.loop(timeout=1, map=self.map, count=3)
        self.assertEqual(pieces, [b"a lon", b"ger l", b"ine"])

    def test_a_wrong_value_of_a_class_is_an_error(self):
        class Wrong(chat_cpp.ChatSession):
            ac_in_buffer_size = 1 << 40

        with self.assertRaises(OverflowError):
            self.session(Wrong)
        Wrong.ac_in_buffer_size = "5"
        with self.assertRaises(TypeError):
            self.session(Wrong)
        self.assertEqual(self.session().ac_in_buffer_size, 65536)

    def test_a_number_that_does_not_fit_is_an_overflow(self):
        session = self.session()
        with self.assertRaises(OverflowError):
            session.ac_in_buffer_size = -1
        self.assertEqual(session.ac_in_buffer_size, 65536)


for count in range(len(CLASSES) + 1):
    for ported in itertools.combinations(CLASSES, count):
        name = "Test_" + ("_".join(ported) or "nothing") + "_in_C++"
        globals()[name] = type(name, (ChatTests, unittest.TestCase), {"ported": ported})


if __name__ == "__main__":
    unittest.main()
