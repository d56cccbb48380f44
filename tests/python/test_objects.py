"""The dict owns the objects: a turn uses no object that is gone, whatever a hook or a predicate does."""

import asynchat
import asyncore
import gc
import os
import socket
import time
import unittest
import weakref

import _asyncore

from channels import MapTest, Recorder, both_deliveries, descriptors, is_sanitized, resident_bytes


class Victim(Recorder):
    """Nothing but the dict refers to it."""

    asked = 0

    def readable(self):
        Victim.asked += 1
        return True


class Freed(MapTest):

    def victims(self, count=4):
        """Their descriptors, and a weak reference to each."""
        found = {}
        for _ in range(count):
            channel, other = self.channel(Victim)
            other.send(b"x")
            channel.socket = None  # the test has it
            found[channel._fileno] = weakref.ref(channel)
        return found

    @both_deliveries
    def test_by_a_predicate_of_another(self, poll):
        class Freeing(Recorder):
            def readable(channel):
                for fd in victims:
                    self.map.pop(fd, None)
                return True

        self.channel(Freeing)
        victims = self.victims()
        Victim.asked = 0
        self.turns(2, poll=poll)
        self.assertEqual(Victim.asked, 0)
        self.assertEqual([ref() for ref in victims.values()], [None] * 4)

    @both_deliveries
    def test_by_a_predicate_of_another_in_a_later_turn(self, poll):
        class Freeing(Recorder):
            def readable(channel):
                if frees:
                    for fd in victims:
                        self.map.pop(fd, None)
                return True

        frees = False
        self.channel(Freeing)
        victims = self.victims()
        for fd in victims:
            self.map[fd].readable = lambda: False
        self.turns(3, poll=poll)
        frees = True
        self.turns(2, poll=poll)
        self.assertEqual([ref() for ref in victims.values()], [None] * 4)

    @both_deliveries
    def test_by_its_own_predicates(self, poll):
        for predicate in "readable", "writable":
            class Freeing(Recorder):
                def free(channel):
                    self.map.pop(channel._fileno, None)
                    return True

            setattr(Freeing, predicate, Freeing.free)
            channel, other = self.channel(Freeing)
            channel.socket = None
            other.send(b"x")
            ref = weakref.ref(channel)
            del channel
            self.turns(2, poll=poll)
            self.assertIsNone(ref(), predicate)

    @both_deliveries
    def test_by_an_attribute_that_is_asked_after_a_predicate(self, poll):
        class Freeing(Recorder):
            def writable(channel):
                return True

            @property
            def accepting(channel):
                self.map.pop(fd, None)
                return False

            @accepting.setter
            def accepting(channel, value):
                pass

        fd = None
        channel, other = self.channel(Freeing)
        fd = channel._fileno
        channel.socket = None
        ref = weakref.ref(channel)
        del channel
        self.turns(2, poll=poll)
        self.assertIsNone(ref())

    @both_deliveries
    def test_by_a_hook_of_another(self, poll):
        class Freeing(Recorder):
            def handle_read(channel):
                channel.recv(10)
                for fd in victims:
                    self.map.pop(fd, None)

        channel, other = self.channel(Freeing)
        other.send(b"x")
        victims = self.victims()
        self.turns(2, poll=poll)
        self.assertEqual([ref() for ref in victims.values()], [None] * 4)

    @both_deliveries
    def test_by_its_own_hook(self, poll):
        class Freeing(Recorder):
            def handle_read_event(channel):
                del self.map[channel._fileno]

        channel, other = self.channel(Freeing)
        channel.socket = None
        other.send(b"x")
        ref = weakref.ref(channel)
        del channel
        self.turns(2, poll=poll)
        self.assertIsNone(ref())

    @both_deliveries
    def test_by_the_collector_during_a_predicate(self, poll):
        class Collecting(Recorder):
            def readable(channel):
                self.map.clear()
                gc.collect()
                return True

        self.channel(Collecting)
        victims = self.victims()
        self.turns(2, poll=poll)
        gc.collect()
        self.assertEqual([ref() for ref in victims.values()], [None] * 4)

    @both_deliveries
    def test_the_dict_itself_by_a_hook(self, poll):
        class Last(Recorder):
            def handle_read(channel):
                super().handle_read()
                self.map = channel._map = {}
                gc.collect()

        channel, other = self.channel(Last)
        self.channel()
        other.send(b"x")
        poll(0, self.map)
        self.assertEqual(channel.called, ["read"])


class UsedAgain(MapTest):

    @both_deliveries
    def test_a_descriptor_by_a_new_channel(self, poll):
        """epoll forgets what was closed, and must be told anew."""
        for _ in range(50):
            channel, other = self.channel()
            self.turns(poll=poll)
            fd = channel._fileno
            channel.close()
            again, peer = self.channel()
            self.assertEqual(again._fileno, fd)
            peer.send(b"x")
            self.turns(poll=poll)
            self.assertEqual(again.called, ["read"])
            again.close()
            other.close()
            peer.close()

    @both_deliveries
    def test_a_descriptor_by_the_same_object(self, poll):
        channel, other = self.channel()
        self.turns(poll=poll)
        for _ in range(50):
            fd = channel._fileno
            channel.close()
            one, peer = self.pair()
            one.setblocking(False)
            channel.set_socket(one)
            self.assertEqual(channel._fileno, fd)
            peer.send(b"x")
            del channel.called[:]
            self.turns(poll=poll)
            self.assertEqual(channel.called, ["read"])
            peer.close()

    @both_deliveries
    def test_a_descriptor_and_an_address_in_one_turn(self, poll):
        class Reborn(Recorder):
            def handle_read(channel):
                super().handle_read()
                channel.close()
                fresh.append(self.channel(Victim))

        fresh = []
        for _ in range(50):
            channel, other = self.channel(Reborn)
            other.send(b"x")
            del channel
            self.turns(poll=poll)
            new, peer = fresh.pop()
            peer.send(b"x")
            self.turns(poll=poll)
            self.assertEqual(new.called, ["read"])
            new.close()
            other.close()
            peer.close()

    @both_deliveries
    def test_a_descriptor_by_dup2_behind_the_dict(self, poll):
        """The object is the same, the number is the same, and the file is another."""
        channel, other = self.channel()
        self.turns(poll=poll)
        one, peer = self.pair()
        os.dup2(one.fileno(), channel._fileno)
        channel.add_channel()  # the word that the descriptor is another
        peer.send(b"x")
        self.turns(poll=poll)
        self.assertEqual(channel.called, ["read"])

    @both_deliveries
    def test_a_descriptor_and_an_address_by_hand(self, poll):
        """Nothing tells the map that another object and another file have the number now."""
        class Bare(Recorder):
            def __init__(self, sock):
                self.called, self.socket, self.accepting = [], sock, False

        addresses = set()
        for _ in range(50):
            one, other = socket.socketpair()
            bare = Bare(one)
            addresses.add(id(bare))
            self.map[one.fileno()] = bare
            other.send(b"x")
            bare.handle_read_event = lambda called=bare.called, sock=one: called.append(sock.recv(10))
            self.turns(2, poll=poll)
            self.assertEqual(bare.called, [b"x"])
            self.map.clear()
            one.close()
            other.close()
            del bare
        self.assertLess(len(addresses), 50)

    @both_deliveries
    def test_objects_that_have_no_weak_references(self, poll):
        class Slotted:
            __slots__ = ("sock", "called")
            accepting = False

            def __init__(self, sock):
                self.sock, self.called = sock, 0

            def readable(self):
                return True

            def writable(self):
                return False

            def handle_read_event(self):
                self.called += 1
                self.sock.recv(10)

        for _ in range(50):
            one, other = socket.socketpair()
            slotted = Slotted(one)
            self.map[one.fileno()] = slotted
            other.send(b"x")
            self.turns(2, poll=poll)
            self.assertEqual(slotted.called, 1)
            self.map.clear()
            one.close()
            other.close()


class ClosedBehindTheDict(MapTest):
    """A hardened map looks at all channels every ten seconds, and in each turn at the channels it just served."""

    def setUp(self):
        super().setUp()
        self.addCleanup(_asyncore.set_exact, _asyncore.is_exact())
        _asyncore.set_exact(True)

    def test_the_channel_is_told_within_seconds_in_a_hardened_map(self):
        _asyncore.set_exact(False)
        channel, other = self.channel()
        self.turns(2)
        channel.socket.close()
        until = time.monotonic() + 60
        while not channel.called and time.monotonic() < until:
            asyncore.poll2(0.1, self.map)
        self.assertEqual(channel.called, ["close"])

    @both_deliveries
    def test_the_channel_is_told(self, poll):
        channels = [self.channel()[0] for _ in range(20)]
        self.turns(2, poll=poll)
        for channel in channels[3], channels[17]:
            channel.socket.close()
        self.turn_until(lambda: channels[3].called and channels[17].called, lambda: self.turns(poll=poll))
        self.turns(3, poll=poll)
        self.assertEqual([channels.index(each) for each in channels if each.called], [3, 17])
        self.assertEqual(channels[3].called, ["close"])

    @both_deliveries
    def test_in_its_own_hook(self, poll):
        class Closing(Recorder):
            def handle_read(channel):
                super().handle_read()
                channel.socket.close()

        _asyncore.set_exact(False)
        channel, other = self.channel(Closing)
        other.send(b"x")
        self.turn_until(lambda: "close" in channel.called, lambda: self.turns(poll=poll))
        self.assertEqual(channel.called, ["read", "close"])

    @both_deliveries
    def test_the_number_is_another_file_by_now(self, poll):
        """The old object says that its socket is closed; the new owner of the number is not in the map."""
        channel, other = self.channel()
        self.turns(2, poll=poll)
        number = channel._fileno
        channel.socket.close()
        one, peer = self.pair()
        self.assertEqual(one.fileno(), number)
        peer.send(b"x")
        self.turn_until(lambda: channel.called, lambda: self.turns(poll=poll))
        self.assertEqual(channel.called, ["close"])
        self.assertEqual(one.recv(10), b"x")

    def test_by_detach_and_by_os_close(self):
        for close in lambda channel: os.close(channel.socket.detach()), lambda channel: os.close(channel._fileno):
            channel, other = self.channel()
            self.turns(2)
            close(channel)
            self.turn_until(lambda: channel.called)
            self.assertEqual(channel.called[0], "close")
            channel.socket.detach()


class Collected(MapTest):

    def test_a_cycle_over_the_map(self):
        """The channels refer to their dict, and the dict to them; a mirror refers to neither."""
        class Chat(asynchat.async_chat):
            pass

        one, other = self.pair()
        channels = {}
        chat = Chat(one, channels)
        chat.set_terminator(b"\n")
        chat.itself = chat
        asyncore.poll2(0, channels)
        asyncore.poll(0, channels)
        ref = weakref.ref(chat)
        del chat, channels
        gc.collect()
        self.assertIsNone(ref())

    def test_an_exception_that_left_the_loop_keeps_nothing(self):
        class Failing(Recorder):
            def handle_read(self):
                raise asyncore.ExitNow

        channel, other = self.channel(Failing)
        other.send(b"x")
        ref = weakref.ref(channel)
        with self.assertRaises(asyncore.ExitNow):
            self.turns()
        channel.socket.close()
        self.map.clear()
        del channel
        gc.collect()
        self.assertIsNone(ref())

    def test_what_a_dead_map_had_is_gone(self):
        before = descriptors()
        for _ in range(100):
            channels = {}
            one, other = socket.socketpair()
            Recorder(one, channels)
            asyncore.poll2(0, channels)
            del one, other
        gc.collect()
        self.assertLessEqual(descriptors() - before, 16)


class Memory(MapTest):

    def serve(self, count):
        for _ in range(count):
            one, other = socket.socketpair()
            chat = asynchat.async_chat(one, self.map)
            chat.set_terminator(b"\n")
            chat.collect_incoming_data = chat._collect_incoming_data
            chat.found_terminator = lambda: chat.push(chat._get_data() + b"\n")
            other.send(b"hello\n")
            asyncore.poll2(0, self.map)
            self.assertEqual(other.recv(100), b"hello\n")
            other.close()
            asyncore.poll2(0, self.map)
            self.assertEqual(len(self.map), 0)
            chat.__dict__.clear()

    @unittest.skipIf(is_sanitized(), "AddressSanitizer keeps what was freed")
    def test_is_flat_over_connections(self):
        self.serve(1000)
        open_before, memory_before = descriptors(), resident_bytes()
        self.serve(int(os.environ.get("ASYNCORE_CONNECTIONS", "4000")))
        self.assertEqual(descriptors(), open_before)
        self.assertLess(resident_bytes() - memory_before, 1 << 20)


if __name__ == "__main__":
    unittest.main()
