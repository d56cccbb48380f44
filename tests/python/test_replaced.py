"""What programs replace: the module select, functions of asyncore, the whole module."""

import asyncore
import importlib.util
import select
import types
import unittest

from channels import MapTest, Recorder, both_deliveries, replaced


class Select(MapTest):

    def test_the_function_select(self):
        calls = []

        def counted(*arguments):
            calls.append(arguments)
            return original(*arguments)

        original = select.select
        channel, other = self.channel()
        for name in "read", "read again":
            other.send(b"x")
            with replaced(select, "select", counted):
                self.turns(poll=asyncore.poll)
        self.assertEqual(channel.called, ["read", "read"])
        self.assertEqual([list(arguments) for arguments in calls], [[[channel._fileno], [], [channel._fileno], 0]] * 2)
        other.send(b"x")
        self.turns(poll=asyncore.poll)
        self.assertEqual((len(channel.called), len(calls)), (3, 2))

    def test_the_function_poll(self):
        calls = []

        class Poll:
            def __init__(self):
                self.system = original()

            def register(self, *arguments):
                calls.append(arguments)
                self.system.register(*arguments)

            def poll(self, timeout):
                return self.system.poll(timeout)

        original = select.poll
        channel, other = self.channel()
        other.send(b"x")
        with replaced(select, "poll", Poll):
            self.turns()
        self.assertEqual(channel.called, ["read"])
        self.assertEqual(calls, [(channel._fileno, select.POLLIN | select.POLLPRI)])

    def test_the_module_that_asyncore_knows(self):
        answers = [([], [], [])]
        fake = types.SimpleNamespace(select=lambda *_: answers[0], poll=None, POLLIN=1)
        channel, other = self.channel()
        other.send(b"x")
        with replaced(asyncore, "select", fake):
            self.turns(poll=asyncore.poll)
            self.assertEqual(channel.called, [])
            answers[0] = [channel._fileno], [], []
            self.turns(poll=asyncore.poll)
        self.assertEqual(channel.called, ["read"])


class Functions(MapTest):

    def test_those_that_a_turn_calls(self):
        for name, poll in ("read", asyncore.poll), ("readwrite", asyncore.poll2):
            seen = []
            channel, other = self.channel()
            other.send(b"x")
            with replaced(asyncore, name, lambda obj, *flags: seen.append((obj, *flags))):
                self.turns(poll=poll)
            self.assertEqual(seen, [(channel,) if name == "read" else (channel, select.POLLIN)])
            self.assertEqual(channel.called, [])
            channel.close()

    def test_poll_and_poll2_below_loop(self):
        self.channel()
        for name, use_poll in ("poll", False), ("poll2", True):
            seen = []
            with replaced(asyncore, name, lambda timeout, map: seen.append((timeout, map))):
                asyncore.loop(0.5, use_poll, self.map, 2)
            self.assertEqual(seen, [(0.5, self.map)] * 2)

    def test_exit_now(self):
        class Mine(Exception):
            pass

        class Leaving(Recorder):
            def handle_read(self):
                raise Mine

        channel, other = self.channel(Leaving)
        other.send(b"x")
        with replaced(asyncore, "ExitNow", Mine), replaced(asyncore, "_reraised_exceptions", (Mine,)):
            with self.assertRaises(Mine):
                self.turns()

    @both_deliveries
    def test_a_method_of_the_class_while_the_loop_runs(self, poll):
        channel, other = self.channel()
        self.turns(poll=poll)
        other.send(b"x")
        with replaced(Recorder, "handle_read", lambda self: self.called.append(self.recv(10))):
            self.turns(poll=poll)
        with replaced(Recorder, "readable", lambda self: False):
            other.send(b"y")
            self.turns(poll=poll)
        self.assertEqual(channel.called, [b"x"])
        self.turns(poll=poll)
        self.assertEqual(channel.called, [b"x", "read"])

    def test_the_global_map(self):
        channel, other = self.channel()
        other.send(b"x")
        with replaced(asyncore, "socket_map", self.map):
            asyncore.loop(0, True, None, 1)
            asyncore.poll()
        self.assertEqual(channel.called, ["read"])


class Copies(MapTest):
    """A vendored copy of the module beside the installed one."""

    def copy(self):
        spec = importlib.util.spec_from_file_location("vendored_asyncore", asyncore.__file__)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def test_each_calls_its_own_functions(self):
        vendored = self.copy()
        for caller, other_module in (asyncore, vendored), (vendored, asyncore):
            for name, poll in ("read", "poll"), ("readwrite", "poll2"):
                channel, peer = self.channel()
                peer.send(b"x")
                seen = []
                with replaced(caller, name, lambda *_: seen.append("mine")), \
                        replaced(other_module, name, lambda *_: seen.append("not mine")):
                    getattr(caller, poll)(0, self.map)
                self.assertEqual(seen, ["mine"])
                channel.close()

    def test_the_maps_and_exceptions_are_each_their_own(self):
        vendored = self.copy()
        self.assertIsNot(vendored.socket_map, asyncore.socket_map)
        for module in asyncore, vendored:
            class Leaving(module.dispatcher):
                def handle_read(self):
                    raise module.ExitNow("now")

            one, other = self.pair()
            Leaving(one, self.map)
            other.send(b"x")
            for poll in module.poll, module.poll2:
                with self.assertRaises(module.ExitNow):
                    poll(0, self.map)
            self.map.clear()

    def test_a_turn_of_one_inside_a_turn_of_the_other(self):
        vendored = self.copy()

        class Outer(Recorder):
            def handle_read(channel):
                super().handle_read()
                vendored.poll2(0, inner)

        inner = {}
        one, other = self.pair()
        nested = Recorder(one, inner)
        other.send(b"x")
        channels = [self.channel(Outer) for _ in range(2)]
        for _, peer in channels:
            peer.send(b"x")
        seen = []
        with replaced(vendored, "readwrite", lambda obj, flags: seen.append(obj)):
            self.turns()
        self.assertEqual(seen, [nested, nested])
        self.assertEqual([channel.called for channel, _ in channels], [["read"], ["read"]])

    def test_a_reload_keeps_the_channels(self):
        vendored = self.copy()
        before = vendored.socket_map
        vendored.__spec__.loader.exec_module(vendored)
        self.assertIs(vendored.socket_map, before)


if __name__ == "__main__":
    unittest.main()
