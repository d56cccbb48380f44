"""What a hook or a predicate may do: raise anything, and fork."""

import asyncore
import os
import socket
import sys
import traceback
import unittest

from channels import MapTest, Recorder, both_deliveries

LEAVE = (asyncore.ExitNow, KeyboardInterrupt, SystemExit)
PLAIN = (ValueError, OSError, ZeroDivisionError, StopIteration, RecursionError, MemoryError, GeneratorExit)


class Planned(asyncore.dispatcher):
    """Raises in the method that is named."""

    def __init__(self, sock, map, where, error):
        self.where, self.error, self.errors, self.closed = where, error, [], 0
        super().__init__(sock, map)

    def at(self, name):
        if name == self.where:
            raise self.error

    def readable(self):
        self.at("readable")
        return True

    def writable(self):
        self.at("writable")
        return self.where == "handle_write"

    def handle_read(self):
        self.at("handle_read")
        if not self.recv(100):
            return

    def handle_write(self):
        self.at("handle_write")

    def handle_close(self):
        self.closed += 1
        self.close()
        self.at("handle_close")

    def handle_expt(self):
        self.at("handle_expt")

    def handle_error(self):
        self.errors.append(sys.exc_info()[:2])
        self.close()
        self.at("handle_error")


class Raise(MapTest):

    def planned(self, where, error):
        channel, other = self.channel(Planned, where, error)
        if where == "handle_close":
            other.close()
        elif where != "handle_write":
            other.send(b"x")
        return channel

    def what_leaves(self, poll):
        """The exception that leaves the loop, and the functions in its traceback."""
        try:
            self.turns(2, poll=poll)
        except BaseException as error:
            return error, [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        return None, []

    @both_deliveries
    def test_what_leaves_the_loop_leaves_it_from_everywhere(self, poll):
        for kind in LEAVE:
            for where in "readable", "writable", "handle_read", "handle_write", "handle_close":
                with self.subTest(kind=kind.__name__, where=where):
                    error = kind("reason")
                    channel = self.planned(where, error)
                    caught, names = self.what_leaves(poll)
                    channel.close()
                    self.assertIs(caught, error)
                    self.assertEqual(names[-2:], [where, "at"])
                    self.assertEqual(channel.errors, [])

    @both_deliveries
    def test_a_plain_exception_of_a_hook_goes_to_handle_error(self, poll):
        for kind in PLAIN:
            for where in "handle_read", "handle_write":
                with self.subTest(kind=kind.__name__, where=where):
                    error = kind("reason")
                    channel = self.planned(where, error)
                    self.turns(2, poll=poll)
                    self.assertEqual(channel.errors, [(kind, error)])

    @both_deliveries
    def test_a_plain_exception_of_a_predicate_leaves_the_loop(self, poll):
        for kind in PLAIN:
            for where in "readable", "writable":
                with self.subTest(kind=kind.__name__, where=where):
                    error = kind("reason")
                    channel = self.planned(where, error)
                    with self.assertRaises(kind) as caught:
                        self.turns(poll=poll)
                    self.assertIs(caught.exception, error)
                    self.assertEqual(channel.errors, [])
                    channel.close()

    @both_deliveries
    def test_an_exception_of_handle_error_leaves_the_loop(self, poll):
        class Twice(Planned):
            def handle_read(self):
                raise ValueError("first")

        error = KeyError("second")
        channel, other = self.channel(Twice, "handle_error", error)
        other.send(b"x")
        with self.assertRaises(KeyError) as caught:
            self.turns(poll=poll)
        self.assertIs(caught.exception, error)
        self.assertEqual(str(error.__context__), "first")

    @both_deliveries
    def test_the_answer_of_a_predicate_may_raise(self, poll):
        class Answer:
            def __bool__(self):
                raise ValueError("neither")

        channel, _ = self.channel()
        for predicate in "readable", "writable":
            setattr(channel, predicate, Answer)
            with self.assertRaisesRegex(ValueError, "neither"):
                self.turns(poll=poll)
            delattr(channel, predicate)

    @both_deliveries
    def test_a_missing_method_is_an_attribute_error(self, poll):
        one, other = self.pair()
        self.map[one.fileno()] = object()
        with self.assertRaises(AttributeError):
            self.turns(poll=poll)

    @both_deliveries
    def test_the_loop_goes_on_after_each(self, poll):
        channel, other = self.channel(Planned, "readable", asyncore.ExitNow())
        with self.assertRaises(asyncore.ExitNow):
            self.turns(poll=poll)
        channel.where = None
        healthy, peer = self.channel()
        peer.send(b"x")
        self.turns(poll=poll)
        self.assertEqual(healthy.called, ["read"])

    def test_a_bare_raise_and_exc_info_in_handle_error(self):
        class Again(Recorder):
            def handle_read(self):
                raise LookupError("again")

        channel, other = self.channel(Again)
        other.send(b"x")
        with self.assertRaisesRegex(LookupError, "again"):
            self.turns()
        self.assertEqual(channel.called, ["error"])
        self.assertEqual(sys.exc_info(), (None, None, None))

    def test_compact_traceback_names_the_hook(self):
        lines = []

        class Logged(asyncore.dispatcher):
            def handle_read(self):
                raise LookupError("once")

            def log_info(self, message, type="info"):
                lines.append(message)

        channel, other = self.channel(Logged)
        other.send(b"x")
        self.turns()
        self.assertIn("<class 'LookupError'>:once", lines[0])
        self.assertIn("|handle_read|", lines[0])


class Fork(MapTest):

    @both_deliveries
    def test_a_child_of_a_hook_serves_on_and_the_parent_too(self, poll):
        class Forking(Recorder):
            child = None

            def handle_read(self):
                super().handle_read()
                if len(self.called) == 1:
                    self.child = os.fork()

        channel, other = self.channel(Forking)
        second, peer = self.channel()
        other.send(b"x")
        self.turns(poll=poll)
        if channel.child == 0:
            self.in_the_child(second, peer, poll)
        status = os.waitpid(channel.child, 0)[1]
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)
        # What the child closed and watched is still watched here.
        peer.send(b"y")
        other.send(b"y")
        self.turns(2, poll=poll)
        self.assertEqual((channel.called, second.called), (["read", "read"], ["read"]))

    def in_the_child(self, second, peer, poll):
        status = 1
        try:
            peer.send(b"x")
            self.turns(2, poll=poll)
            new, its_peer = socket.socketpair()
            added = Recorder(new, self.map)
            its_peer.send(b"x")
            self.turns(2, poll=poll)
            if (second.called, added.called) == (["read"], ["read"]):
                status = 0
            asyncore.close_all(self.map)
        finally:
            os._exit(status)


if __name__ == "__main__":
    unittest.main()
