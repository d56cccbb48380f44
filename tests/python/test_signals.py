"""Signals during a wait: Python's handlers run, and what they raise leaves the loop."""

import asyncore
import os
import signal
import threading
import time
import unittest

from channels import MapTest, both_deliveries, run_program

WAIT = 30  # seconds; a test that waits so long has failed

INTERRUPTED = """
import asyncore, os, signal, socket, sys, threading, time
one, other = socket.socketpair()
channel = asyncore.dispatcher(one)
channel.writable = lambda: False
signal.signal(signal.SIGINT, signal.default_int_handler)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
began = time.monotonic()
try:
    asyncore.loop(use_poll=sys.argv[1] == "poll2")
except KeyboardInterrupt:
    print("interrupted", time.monotonic() - began < 15)
asyncore.close_all()
"""


class Signals(MapTest):

    def in_a_wait(self, poll, handler, number=signal.SIGUSR1):
        """Takes a turn of 30 seconds, in which the signal comes; returns how long the turn was."""
        channel, other = self.channel()
        before = signal.signal(number, handler)
        timer = threading.Timer(0.1, os.kill, (os.getpid(), number))
        timer.start()
        began = time.monotonic()
        try:
            poll(WAIT, self.map)
        finally:
            timer.join()
            signal.signal(number, before)
            self.channel_of_the_wait = channel
        return time.monotonic() - began

    @both_deliveries
    def test_a_handler_runs_during_the_wait_and_the_wait_goes_on(self, poll):
        ran = []
        peer = []

        def handler(*_):
            ran.append(time.monotonic())
            threading.Timer(0.1, peer[0].send, (b"x",)).start()

        channel, other = self.channel()
        peer.append(other)
        took = self.in_a_wait(poll, handler)
        self.assertEqual(len(ran), 1)
        self.assertEqual(channel.called, ["read"])
        self.assertLess(took, WAIT / 2)

    @both_deliveries
    def test_what_a_handler_raises_leaves_the_loop(self, poll):
        for kind in ValueError, KeyboardInterrupt, SystemExit, asyncore.ExitNow:
            def handler(*_):
                raise kind("of the handler")

            with self.assertRaisesRegex(kind, "of the handler"):
                self.in_a_wait(poll, handler)
            self.assertEqual(self.channel_of_the_wait.called, [])

    @both_deliveries
    def test_a_handler_may_edit_the_map(self, poll):
        def handler(*_):
            self.map.clear()
            other.send(b"x")

        channel, other = self.channel()
        took = self.in_a_wait(poll, handler)
        self.assertEqual(channel.called, [])
        self.assertLess(took, WAIT / 2)

    @both_deliveries
    def test_a_handler_may_take_a_turn_on_the_map(self, poll):
        def handler(*_):
            other.send(b"x")
            poll(0, self.map)
            other.send(b"y")

        channel, other = self.channel()
        took = self.in_a_wait(poll, handler)
        self.assertEqual(channel.called, ["read", "read"])
        self.assertLess(took, WAIT / 2)

    @both_deliveries
    def test_many_signals_do_not_make_the_wait_longer_or_shorter(self, poll):
        ran = []
        self.channel()
        before = signal.signal(signal.SIGALRM, lambda *_: ran.append(1))
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
        began = time.monotonic()
        try:
            poll(0.5, self.map)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        self.assertGreater(time.monotonic() - began, 0.49)
        self.assertGreater(len(ran), 2)

    def test_ctrl_c_is_a_keyboard_interrupt_out_of_loop(self):
        for name in "poll", "poll2":
            status, output, errors = run_program(INTERRUPTED, name)
            self.assertEqual((status, output, errors), (0, "interrupted True\n", ""))


if __name__ == "__main__":
    unittest.main()
