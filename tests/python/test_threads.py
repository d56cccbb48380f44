"""Threads: a wait lets them run, each may have a loop of its own, and an interpreter may end while they wait."""

import asyncore
import os
import socket
import threading
import time
import unittest

from channels import MapTest, Recorder, both_deliveries, is_sanitized, run_program

# Daemon threads in waits, in hooks, and between them, when the interpreter ends.
AT_EXIT = """
import asyncore, socket, sys, threading, time
poll = getattr(asyncore, sys.argv[1])

class Busy(asyncore.dispatcher):
    def writable(self):
        return False
    def handle_read(self):
        self.recv(4096)
        self.other.send(b"x" * 10)

def serve(busy):
    channels = {}
    for _ in range(5):
        one, other = socket.socketpair()
        channel = Busy(one, channels)
        channel.other = other
        if busy:
            other.send(b"x")
    ready.release()
    while True:
        poll(0.001 if busy else 30, channels)

ready = threading.Semaphore(0)
for i in range(6):
    threading.Thread(target=serve, args=(i % 3 > 0,), daemon=True).start()
for i in range(6):
    ready.acquire()
time.sleep(float(sys.argv[2]))
print("end")
"""


class Wait(MapTest):

    @both_deliveries
    def test_lets_other_threads_run(self, poll):
        channel, other = self.channel()
        counted = []

        def count():
            for _ in range(100):
                counted.append(1)
                time.sleep(0.0001)
            other.send(b"x")

        thread = threading.Thread(target=count)
        thread.start()
        poll(30, self.map)
        thread.join()
        self.assertEqual((len(counted), channel.called), (100, ["read"]))

    @both_deliveries
    def test_a_loop_for_each_thread(self, poll):
        failures = []

        def serve():
            channels = {}
            for _ in range(20):
                one, other = socket.socketpair()
                channel = Recorder(one, channels)
                for _ in range(5):
                    other.send(b"x")
                    poll(30, channels)
                if channel.called != ["read"] * 5:
                    failures.append(channel.called)
                channel.close()
                other.close()

        threads = [threading.Thread(target=serve) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    @both_deliveries
    def test_another_thread_collects_and_frees_maps(self, poll):
        """More threads than mirrors are kept, each with maps that come and go while other threads wait."""
        until = time.monotonic() + 0.5
        failures = []

        def serve():
            try:
                while time.monotonic() < until:
                    channels = {}
                    one, other = socket.socketpair()
                    channel = Recorder(one, channels)
                    poll(0.001, channels)
                    other.send(b"x")
                    poll(30, channels)
                    assert channel.called == ["read"], channel.called
                    channel.close()
                    other.close()
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=serve) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class End(unittest.TestCase):

    @unittest.skipIf(is_sanitized(), "AddressSanitizer takes a thread that is ended by unwinding for a fault")
    def test_of_the_interpreter_with_daemon_threads(self):
        for run in range(int(os.environ.get("ASYNCORE_EXITS", "10"))):
            with self.subTest(run=run):
                status, output, errors = run_program(AT_EXIT, ("poll", "poll2")[run % 2], run % 7 * 0.003)
                self.assertEqual((status, output, errors), (0, "end\n", ""))


if __name__ == "__main__":
    unittest.main()
