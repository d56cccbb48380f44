"""smtpd with one class of C++, or with both: the dialogues of tests/smtpd, and what Python sees of the classes."""

import asyncore
import gc
import os
import socket
import sys
import traceback
import unittest
import warnings
import weakref

import half_ported

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(half_ported.TESTS), "smtpd"))
import dialogues
from support import SMTPServer, hold

import smtpd_cpp

smtpd = half_ported.import_smtpd()
PORTED = "SMTPChannel", "SMTPServer", "SMTPChannel,SMTPServer"


def start(ported, *words):
    return SMTPServer(sys.executable, os.path.join(HERE, "half_ported.py"), ported, "Recorder", *words)


class Dialogues(unittest.TestCase):
    """Each dialogue is held with the classes of Python and with those of C++."""

    def held(self, ported, all_dialogues, *words):
        with start(ported, *words) as server:
            replies = [hold(server.port, [line + b"\r\n" for line in said]) for said in all_dialogues]
            return replies, server.out.bytes()

    def check(self, all_dialogues, *words):
        expected, printed = self.held("", all_dialogues, *words)
        for ported in PORTED:
            with self.subTest(ported=ported, words=words):
                replies, also_printed = self.held(ported, all_dialogues, *words)
                for said, theirs, ours in zip(all_dialogues, expected, replies):
                    self.assertEqual(ours, theirs, said)
                self.assertEqual(messages(also_printed), messages(printed))

    def test_all(self):
        self.check(dialogues.DIALOGUES)

    def test_utf8(self):
        self.check([*dialogues.EIGHT_BIT, *dialogues.LONGER], "utf8")

    def test_decoded(self):
        self.check([*dialogues.EIGHT_BIT, *dialogues.LONGER], "decode")

    def test_size_limit(self):
        for size in "size=100", "size=0":
            self.check([*dialogues.LONGER, *dialogues.after(
                dialogues.EHLO, dialogues.MAIL, dialogues.RCPT, dialogues.DATA)(*dialogues.MESSAGES)], size)

    def test_at_random(self):
        self.check(list(dialogues.at_random(7, 100)))


def messages(printed):
    """What a Recorder printed, without the lines about exceptions, which name places in the code."""
    return [line for line in printed.split(b"\n") if not line.startswith(b"error: ")]


class Server(smtpd.SMTPServer):
    """A server of Python whose messages the test reads."""

    def __init__(self, **keywords):
        self.heard = []
        super().__init__(("127.0.0.1", 0), None, map={}, **keywords)

    def process_message(self, *arguments, **keywords):
        self.heard.append((arguments, keywords))
        return "250 heard"


class ServerOfCpp(smtpd_cpp.SMTPServer):

    def __init__(self, **keywords):
        super().__init__(("127.0.0.1", 0), None, map={}, **keywords)

    process_message = Server.process_message


class Seen(unittest.TestCase):
    """What Python sees of the classes of C++."""

    def setUp(self):
        self.server = Server()
        self.addCleanup(asyncore.close_all, self.server._map)

    def channel(self, cls=smtpd_cpp.SMTPChannel, server=None, **keywords):
        near, self.client = socket.socketpair()
        self.addCleanup(self.client.close)
        server = server or self.server
        made = cls(server, near, ("192.0.2.1", 25), map=server._map, **keywords)
        self.addCleanup(made.close)
        return made

    def say(self, channel, *lines):
        for line in lines:
            self.client.sendall(line + b"\r\n")
            channel.handle_read()
        self.client.settimeout(5)
        return self.client.recv(10000)

    def say_message(self, channel):
        return self.say(channel, b"EHLO me", b"MAIL FROM:<a@b> BODY=8BITMIME", b"RCPT TO:<c@d>", b"DATA", b".x\r\n.")

    def test_constructor_has_the_names_and_defaults_of_python(self):
        channel = self.channel(data_size_limit=None, decode_data=True)
        self.assertEqual((channel.data_size_limit, channel._decode_data, channel.enable_SMTPUTF8), (None, True, False))
        self.assertEqual(self.channel().data_size_limit, smtpd.DATA_SIZE_DEFAULT)
        self.assertEqual(self.channel().addr, ("192.0.2.1", 25))
        with self.assertRaises(ValueError):
            self.channel(decode_data=True, enable_SMTPUTF8=True)
        with self.assertRaises(TypeError):
            self.channel(no_such=1)
        with self.assertRaises(TypeError):
            smtpd_cpp.SMTPChannel(self.server)

    def test_attributes_have_the_types_of_python(self):
        for decode, data in (False, b"\xc3\xa9"), (True, "\xe9"):
            theirs = self.channel(smtpd.SMTPChannel, decode_data=decode)
            ours = self.channel(decode_data=decode)
            for name in ("smtp_server", "mailfrom", "rcpttos", "received_data", "received_lines", "seen_greeting",
                         "fqdn", "peer", "smtp_state", "num_bytes", "extended_smtp", "command_size_limit", "addr",
                         "max_command_size_limit", "command_size_limits", "COMMAND", "DATA", "require_SMTPUTF8"):
                self.assertEqual(getattr(ours, name), getattr(theirs, name), name)
            self.say(ours, b"EHLO x", b"MAIL FROM:<a@b>", b"RCPT TO:<c@d>", b"DATA", b"\xc3\xa9\r\n.")
            self.assertEqual(ours.received_data, data)
            ours.collect_incoming_data(b"line")
            self.assertEqual(ours.received_lines, ["line" if decode else b"line"])

    def test_attributes_are_set(self):
        channel = self.channel()
        channel.data_size_limit, channel.mailfrom, channel.rcpttos = 100, "a@b", ["c@d"]
        channel.received_data, channel.received_lines = b"data", [b"one", b"two"]
        self.assertEqual((channel.data_size_limit, channel.mailfrom, channel.rcpttos), (100, "a@b", ["c@d"]))
        self.assertEqual((channel.received_data, channel.received_lines), (b"data", [b"one", b"two"]))
        channel.mailfrom = channel.data_size_limit = None
        self.assertEqual((channel.mailfrom, channel.data_size_limit), (None, None))
        with self.assertRaises(TypeError):
            channel.smtp_state = "text"
        channel.own = 1
        self.assertEqual(channel.own, 1)

    def test_a_deprecated_name_warns_and_works(self):
        channel = self.channel()
        names = {"server": "smtp_server", "line": "received_lines", "state": "smtp_state", "greeting": "seen_greeting",
                 "mailfrom": "mailfrom", "rcpttos": "rcpttos", "data": "received_data", "fqdn": "fqdn", "peer": "peer",
                 "conn": "conn", "addr": "addr"}
        for old, new in names.items():
            with self.assertWarns(DeprecationWarning) as caught:
                value = getattr(channel, "_SMTPChannel__" + old)
            self.assertEqual(value, getattr(channel, new))
            self.assertEqual(caught.filename, __file__)
            with self.assertWarns(DeprecationWarning):
                setattr(channel, "_SMTPChannel__" + old, value)
            self.assertEqual(getattr(channel, new), value)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with self.assertRaises(DeprecationWarning):
                channel._SMTPChannel__state

    def test_a_message_gets_to_either_server(self):
        for server in self.server, ServerOfCpp():
            self.addCleanup(server.close)
            for cls in smtpd.SMTPChannel, smtpd_cpp.SMTPChannel:
                server.heard = []
                channel = self.channel(cls, server)
                self.assertIn(b"250 heard", self.say_message(channel))
                self.assertEqual(server.heard, [
                    ((channel.peer, "a@b", ["c@d"], b"x"), {"mail_options": ["BODY=8BITMIME"], "rcpt_options": []})])

    def test_a_server_of_cpp_makes_channels_of_either_class(self):
        for cls in smtpd.SMTPChannel, smtpd_cpp.SMTPChannel:
            server = ServerOfCpp(data_size_limit=77)
            self.addCleanup(asyncore.close_all, server._map)
            self.assertIs(server.channel_class, smtpd_cpp.SMTPChannel)
            server.channel_class = cls
            with socket.create_connection(server.socket.getsockname()) as client:
                asyncore.loop(timeout=5, count=1, map=server._map)
                channel, = (each for each in server._map.values() if each is not server)
                self.assertIs(type(channel), cls)
                self.assertIs(channel.smtp_server, server)
                self.assertEqual((channel.data_size_limit, channel.peer), (77, client.getsockname()))
                self.assertEqual(client.recv(4), b"220 ")

    def test_a_method_of_cpp_takes_keywords(self):
        server = smtpd_cpp.SMTPServer(("127.0.0.1", 0), None, map={})
        self.addCleanup(server.close)
        peer = "127.0.0.1", 5
        with self.assertRaises(NotImplementedError):
            server.process_message(peer, "a", ["b"], b"data", mail_options=[], rcpt_options=[])
        with self.assertRaises(NotImplementedError):
            server.process_message(peer, mailfrom=None, rcpttos=[], data="data")
        for wrong in (dict(), dict(data="x"), dict(peer=peer), dict(no_such=1)):
            with self.assertRaises(TypeError):
                server.process_message(peer, "a", **wrong)

    def test_a_class_of_python_overrides_commands_and_push(self):
        class Channel(smtpd_cpp.SMTPChannel):
            def smtp_NOOP(self, arg):
                pushed.append(arg)
                super().smtp_NOOP(arg)

            def smtp_XTRA(self, arg):
                self.push("250 extra %s" % arg)

            def push(self, msg):
                pushed.append(msg)
                super().push(msg)

        pushed = []
        channel = self.channel(Channel)
        self.say(channel, b"NOOP", b"XTRA one", b"RSET", b"NOOP\0")
        # The constructor of C++, which pushes the greeting, calls no override.
        self.assertEqual(pushed, [None, "250 OK", "250 extra one", "250 OK",
                                  "500 Error: command \"NOOP\0\" not recognized"])

    def test_an_event_that_python_calls_runs_the_override(self):
        class Channel(smtpd_cpp.SMTPChannel):
            def handle_read(self):
                called.append("read")

            def handle_close(self):
                called.append("close")

        called = []
        channel = self.channel(Channel)
        channel.handle_read_event()
        channel.close_when_done()
        channel.initiate_send()
        self.assertEqual(called, ["read", "close"])

    def test_exceptions_cross_both_ways(self):
        def raise_it(*arguments, **keywords):
            raise KeyError("in Python")

        channel = self.channel()
        self.server.process_message = raise_it
        try:
            self.say_message(channel)
        except KeyError as error:
            names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        self.assertEqual((names[0], names[-1]), ("test_exceptions_cross_both_ways", "raise_it"))
        with self.assertRaises(UnicodeError):
            channel.push("\xe9")
        with self.assertRaisesRegex(AttributeError, "isdigit"):
            self.say(self.channel(), b"EHLO x", b"MAIL FROM:<a@b> SIZE")

    def test_a_cycle_over_the_border_is_collected(self):
        server = Server()
        channel = self.channel(server=server)
        server.kept = channel
        found = weakref.ref(channel)
        self.doCleanups()
        asyncore.close_all(server._map)
        del channel, server
        gc.collect()
        self.assertIsNone(found())


if __name__ == "__main__":
    unittest.main()
