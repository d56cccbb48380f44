"""The dict of the user is the truth, however it is edited; and what is no dict of descriptors is served, too."""

import asyncore
import collections
import gc
import threading
import time
import unittest

from channels import MapTest, Recorder, both_deliveries, descriptors, is_sanitized, replaced, resident_bytes


class Duck:
    """An object with the methods that a turn calls, and nothing else."""

    accepting = False

    def __init__(self, sock):
        self.socket = sock
        self.called = []

    def readable(self):
        return True

    def writable(self):
        return False

    def handle_read_event(self):
        self.called.append("read")
        self.socket.recv(4096)

    def handle_close(self):
        self.called.append("close")


class Mapping(collections.UserDict):
    """A map that is no dict."""


class EditedByHand(MapTest):

    @both_deliveries
    def test_an_object_that_was_put_in_is_served(self, poll):
        one, other = self.pair()
        duck = Duck(one)
        self.turns(poll=poll)
        self.map[one.fileno()] = duck
        other.send(b"x")
        self.turns(poll=poll)
        self.assertEqual(duck.called, ["read"])

    @both_deliveries
    def test_an_object_that_was_taken_out_is_left_alone(self, poll):
        channel, other = self.channel()
        self.turns(poll=poll)
        other.send(b"x")
        del self.map[channel._fileno]
        self.turns(poll=poll)
        self.assertEqual(channel.called, [])

    @both_deliveries
    def test_an_object_in_the_place_of_another_gets_its_events(self, poll):
        channel, other = self.channel()
        self.turns(poll=poll)
        duck = Duck(channel.socket)
        self.map[channel._fileno] = duck
        other.send(b"x")
        self.turns(poll=poll)
        self.assertEqual((channel.called, duck.called), ([], ["read"]))

    @both_deliveries
    def test_edits_of_every_kind_are_seen(self, poll):
        channels = [self.channel() for _ in range(4)]
        self.turns(poll=poll)
        copy = dict(self.map)
        edits = [lambda: self.map.clear(), lambda: self.map.update(copy), lambda: self.map.popitem(),
                 lambda: self.map.update(reversed(copy.items())), lambda: self.map.pop(next(iter(self.map))),
                 lambda: self.map.setdefault(channels[0][0]._fileno, channels[0][0])]
        for edit in edits:
            edit()
            for channel, other in channels:
                channel.called.clear()
                other.send(b"x")
            self.turns(poll=poll)
            for channel, _ in channels:
                self.assertEqual(channel.called, ["read"] if channel._fileno in self.map else [])
                if not channel.called:
                    channel.recv(10)

    @both_deliveries
    def test_the_order_is_that_of_the_dict(self, poll):
        order = []

        class Ordered(Recorder):
            def readable(self):
                order.append(self)
                return True

        channels = [self.channel(Ordered)[0] for _ in range(4)]
        self.turns(poll=poll)
        first = self.map.pop(channels[0]._fileno)
        self.map[first._fileno] = first
        del order[:]
        self.turns(poll=poll)
        self.assertEqual(order, channels[1:] + channels[:1])

    @both_deliveries
    def test_a_hook_that_clears_the_map_ends_the_events(self, poll):
        class Clearing(Recorder):
            def handle_read(self):
                super().handle_read()
                self._map.clear()

        channels = [self.channel(Clearing) for _ in range(3)]
        for _, other in channels:
            other.send(b"x")
        self.turns(2, poll=poll)
        self.assertEqual(sum(len(channel.called) for channel, _ in channels), 1)

    @both_deliveries
    def test_a_predicate_that_edits_the_map_does_no_harm(self, poll):
        class Editing(Recorder):
            def readable(self):
                for fd in range(5000, 5064):
                    self._map[fd] = self
                for fd in range(5000, 5064):
                    del self._map[fd]
                return True

        channels = [self.channel(Editing) for _ in range(3)]
        for _, other in channels:
            other.send(b"x")
        self.turns(poll=poll)
        self.assertEqual([channel.called for channel, _ in channels], [["read"]] * 3)


class EditedByAThread(MapTest):
    """The thread edits while the loop waits: it can, because the wait lets it run."""

    def during_a_wait(self, poll, edit):
        waits = threading.Event()
        channel, other = self.channel()

        class Asked(Recorder):
            def readable(self):
                waits.set()
                return True

        asked, wake = self.channel(Asked)

        def edit_and_wake():
            waits.wait()
            time.sleep(0.05)
            edit(channel)
            other.send(b"x")
            wake.send(b"x")

        thread = threading.Thread(target=edit_and_wake)
        thread.start()
        poll(30, self.map)
        thread.join()
        self.turns(poll=poll)
        return channel, asked

    @both_deliveries
    def test_an_object_taken_out_is_not_served(self, poll):
        channel, asked = self.during_a_wait(poll, lambda channel: self.map.pop(channel._fileno))
        self.assertEqual((channel.called, asked.called), ([], ["read"]))

    @both_deliveries
    def test_an_object_put_in_is_served_in_the_next_turn(self, poll):
        one, other = self.pair()
        duck = Duck(one)
        other.send(b"x")
        self.during_a_wait(poll, lambda _: self.map.update({one.fileno(): duck}))
        self.assertEqual(duck.called, ["read"])

    @both_deliveries
    def test_an_object_replaced_gets_nothing(self, poll):
        ducks = []

        def replace(channel):
            ducks.append(Duck(channel.socket))
            self.map[channel._fileno] = ducks[0]

        channel, _ = self.during_a_wait(poll, replace)
        self.assertEqual((channel.called, ducks[0].called), ([], ["read"]))

    @both_deliveries
    def test_another_thread_may_take_turns_on_the_same_map(self, poll):
        channel, other = self.channel()
        until = time.monotonic() + 0.3

        def take_turns():
            while time.monotonic() < until:
                poll(0.001, self.map)

        threads = [threading.Thread(target=take_turns) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        other.send(b"x")
        self.turn_until(lambda: channel.called == ["read"])

    def test_a_map_on_which_another_thread_waits_is_left_to_python(self):
        for name in "poll", "poll2":
            taken = []
            in_python = getattr(asyncore, "_%s_in_python" % name)
            channel, other = self.channel()
            thread = threading.Thread(target=getattr(asyncore, name), args=(30, self.map))
            waits = threading.Event()
            channel.readable = lambda: waits.set() or True
            thread.start()
            waits.wait()
            time.sleep(0.1)
            with replaced(asyncore, "_%s_in_python" % name,
                          lambda *arguments: (taken.append(name), in_python(*arguments))):
                getattr(asyncore, name)(0, self.map)
            self.assertEqual(taken, [name])
            other.send(b"x")
            thread.join()
            self.assertEqual(channel.called, ["read"])
            channel.close()


class OtherMaps(MapTest):

    @both_deliveries
    def test_a_map_that_is_no_dict(self, poll):
        for kind in Mapping, collections.OrderedDict, collections.defaultdict:
            one, other = self.pair()
            channels = kind()
            channel = Recorder(one, channels)
            other.send(b"x")
            poll(0, channels)
            self.assertEqual(channel.called, ["read"], kind)
            channel.close()
            self.assertEqual(len(channels), 0)

    @both_deliveries
    def test_a_dict_with_methods_of_its_own(self, poll):
        class Hiding(dict):
            def items(self):
                return [(fd, obj) for fd, obj in super().items() if fd != hidden._fileno]

        channels = Hiding()
        channel, other = self.channel()
        hidden, peer = self.channel()
        channels.update(self.map)
        other.send(b"x")
        peer.send(b"x")
        poll(0, channels)
        self.assertEqual((channel.called, hidden.called), (["read"], []))

    def test_keys_that_are_no_descriptors_are_refused_as_by_cpython(self):
        """An idle object under such a key does no harm."""
        class Idle(Duck):
            def readable(self):
                return False

        one, other = self.pair()
        channel, peer = self.channel()
        for key in None, "name", -1, -5, 1 << 40:
            self.map[key] = Idle(one)
            peer.send(b"x")
            del channel.called[:]
            for poll in asyncore.poll, asyncore.poll2:
                poll(0, self.map)
            self.assertEqual(channel.called, ["read"], key)
            self.map[key] = Duck(one)
            for poll in asyncore.poll, asyncore.poll2:
                with self.assertRaises((TypeError, ValueError, OverflowError), msg=key):
                    poll(0, self.map)
            del self.map[key]

    def test_a_key_true_is_the_descriptor_one(self):
        self.map[True] = Duck(self.pair()[0])
        self.map[True].readable = lambda: False
        self.turns()
        self.turns(poll=asyncore.poll)

    @both_deliveries
    def test_an_empty_map_and_no_map(self, poll):
        poll(0, {})
        poll(0.0)
        poll(0, Mapping())

    def test_what_is_no_map_at_all_is_an_error(self):
        for wrong in 5, [1], object():
            for poll in asyncore.poll, asyncore.poll2:
                with self.assertRaises((TypeError, AttributeError)):
                    poll(0, wrong)


class MapsThatComeAndGo(MapTest):

    def use_one(self):
        one, other = self.pair_at_once()
        channels = {}
        channel = Recorder(one, channels)
        other.send(b"x")
        asyncore.poll2(0, channels)
        self.assertEqual(channel.called, ["read"])
        if len(self.kept) < 3:
            self.kept.append(channels)  # some channels outlive other channels
        else:
            channel.close()
            self.kept.clear()
        other.close()

    def pair_at_once(self):
        import socket
        return socket.socketpair()

    def test_ten_thousand(self):
        self.kept = []
        for _ in range(500):
            self.use_one()
        open_before, memory_before = descriptors(), resident_bytes()
        for _ in range(1000 if is_sanitized() else 10_000):
            self.use_one()
        self.kept.clear()
        gc.collect()
        self.assertLessEqual(descriptors(), open_before + 16)  # a map that may be used again keeps its poller
        if not is_sanitized():
            self.assertLess(resident_bytes() - memory_before, 4 << 20)

    def test_a_dict_at_the_address_of_a_dead_one(self):
        for _ in range(200):
            one, other = self.pair_at_once()
            channels = {}
            channel = Recorder(one, channels)
            other.send(b"x")
            asyncore.poll2(0, channels)
            self.assertEqual(channel.called, ["read"])
            channel.socket.close()
            other.close()
            del channel, channels  # the next dict is at the same address, and its sockets have the same descriptors

    def test_more_maps_at_once_than_are_kept(self):
        maps = []
        for _ in range(40):
            one, other = self.pair()
            channels = {}
            maps.append((channels, Recorder(one, channels), other))
        for _ in range(3):
            for channels, channel, other in maps:
                other.send(b"x")
                asyncore.poll2(0, channels)
                self.assertEqual(channel.called.pop(), "read")

    def test_turns_one_inside_another_in_more_maps_than_are_kept(self):
        depth = 20 if is_sanitized() else 30

        class Nested(Recorder):
            def handle_read(channel):
                super().handle_read()
                if left.pop():
                    inner, _ = make()
                    asyncore.poll2(0, inner)

        def make():
            one, other = self.pair()
            channels = {}
            channel = Nested(one, channels)
            made.append(channel)
            other.send(b"x")
            return channels, channel

        made, left = [], [False] + [True] * depth
        asyncore.poll2(0, make()[0])
        self.assertEqual([channel.called for channel in made], [["read"]] * (depth + 1))

    def test_an_attribute_that_takes_turns_in_more_maps_than_are_kept(self):
        class Asking(Recorder):
            @property
            def asked_every_turn_(channel):
                self.test_more_maps_at_once_than_are_kept()
                return True

        channel, other = self.channel(Asking)
        other.send(b"x")
        self.turns(2)
        self.assertEqual(channel.called, ["read"])


if __name__ == "__main__":
    unittest.main()
