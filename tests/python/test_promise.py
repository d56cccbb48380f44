"""`asked_every_turn_ = False`: a class promises that only methods of the library, or of itself through them, change
what its predicates answer; then a turn asks only who has changed."""

import asynchat
import asyncore
import socket
import unittest

from channels import MapTest, both_deliveries


class Promising(asynchat.async_chat):
    asked_every_turn_ = False

    def __init__(self, sock=None, map=None):
        self.asked, self.got = 0, []
        super().__init__(sock, map)
        self.set_terminator(b"\n")

    def readable(self):
        self.asked += 1
        return super().readable()

    def collect_incoming_data(self, data):
        self._collect_incoming_data(data)

    def found_terminator(self):
        self.got.append(self._get_data())


class Sending(asyncore.dispatcher_with_send):
    asked_every_turn_ = False

    def handle_read(self):
        self.recv(100)

    def handle_connect(self):
        pass


class Promise(MapTest):

    def fill(self, channel):
        """Pushes until something is left in the queue, with a socket that takes no more."""
        data = b"x" * 65536
        while not channel.producer_fifo:
            channel.push(data)

    def drain(self, other, poll):
        other.setblocking(False)
        got = 0
        for _ in range(2000):
            self.turns(poll=poll)
            try:
                got += len(other.recv(1 << 20))
            except BlockingIOError:
                return got
        self.fail("there is no end")

    @both_deliveries
    def test_who_has_not_changed_is_not_asked(self, poll):
        channels = [self.channel(Promising) for _ in range(5)]
        self.turns(3, poll=poll)
        before = [channel.asked for channel, _ in channels]
        self.turns(20, poll=poll)
        self.assertEqual([channel.asked for channel, _ in channels], before)
        channels[2][1].send(b"hello\n")
        self.turns(2, poll=poll)
        self.assertEqual(channels[2][0].got, [b"hello"])

    @both_deliveries
    def test_a_push_from_outside_is_sent(self, poll):
        channel, other = self.channel(Promising)
        self.turns(3, poll=poll)
        self.fill(channel)
        self.assertFalse(not channel.producer_fifo)
        self.assertGreater(self.drain(other, poll), 65536)
        self.assertEqual(len(channel.producer_fifo), 0)

    @both_deliveries
    def test_a_push_from_the_hook_of_another(self, poll):
        class Relay(Promising):
            def found_terminator(relay):
                self.fill(target)

        target, other = self.channel(Promising)
        relay, peer = self.channel(Relay)
        self.turns(3, poll=poll)
        peer.send(b"go\n")
        self.turns(poll=poll)
        self.assertTrue(target.producer_fifo)
        self.drain(other, poll)
        self.assertFalse(target.producer_fifo)

    @both_deliveries
    def test_close_when_done_from_outside(self, poll):
        channel, other = self.channel(Promising)
        self.turns(3, poll=poll)
        channel.close_when_done()
        self.turns(2, poll=poll)
        self.assertEqual(other.recv(10), b"")
        self.assertEqual(self.map, {})

    @both_deliveries
    def test_a_producer_from_outside(self, poll):
        channel, other = self.channel(Promising)
        self.turns(3, poll=poll)
        channel.push_with_producer(asynchat.simple_producer(b"y" * 5000))
        self.assertEqual(self.drain(other, poll), 5000)

    @both_deliveries
    def test_discard_buffers_from_outside(self, poll):
        channel, other = self.channel(Promising)
        self.fill(channel)
        self.turns(3, poll=poll)
        channel.discard_buffers()
        self.turns(3, poll=poll)
        asked = channel.asked
        self.turns(5, poll=poll)
        self.assertEqual(channel.asked, asked)

    @both_deliveries
    def test_send_of_dispatcher_with_send(self, poll):
        channel, other = self.channel(Sending)
        self.turns(3, poll=poll)
        while not channel.out_buffer:
            channel.send(b"x" * 65536)
        self.assertGreater(self.drain(other, poll), 65536)
        self.assertEqual(channel.out_buffer, b"")

    @both_deliveries
    def test_listen_and_connect_after_turns(self, poll):
        accepted = []

        class Listening(asyncore.dispatcher):
            asked_every_turn_ = False

            def handle_accepted(self, sock, addr):
                accepted.append(sock)

        server = Listening(map=self.map)
        server.create_socket()
        server.bind(("127.0.0.1", 0))
        server.listen(5)
        self.turns(2, poll=poll)
        client = Promising(map=self.map)
        client.create_socket()
        client.connect(server.socket.getsockname())
        client.push(b"hello\n")
        self.turn_until(lambda: accepted and not client.producer_fifo, lambda: self.turns(poll=poll))
        accepted[0].setblocking(True)
        self.assertEqual(accepted[0].recv(100), b"hello\n")
        accepted[0].close()

    @both_deliveries
    def test_a_new_socket_for_the_same_object(self, poll):
        channel, other = self.channel(Promising)
        self.turns(3, poll=poll)
        channel.close()
        one, peer = self.pair()
        one.setblocking(False)
        channel.set_socket(one)
        channel.connected = True
        peer.send(b"again\n")
        self.turns(2, poll=poll)
        self.assertEqual(channel.got, [b"again"])

    @both_deliveries
    def test_a_promise_of_an_object_in_another_place_does_not_count(self, poll):
        """It reports under its own descriptor, so under another one it is asked."""
        one, other = self.pair()
        channel, peer = self.channel(Promising)
        del self.map[channel._fileno]
        self.map[one.fileno()] = channel
        self.turns(3, poll=poll)
        before = channel.asked
        self.turns(4, poll=poll)
        self.assertEqual(channel.asked, before + 4)

    @both_deliveries
    def test_who_promises_nothing_is_asked_in_each_turn(self, poll):
        class Asked(Promising):
            asked_every_turn_ = True

        channel, _ = self.channel(Asked)
        self.turns(3, poll=poll)
        before = channel.asked
        self.turns(4, poll=poll)
        self.assertEqual(channel.asked, before + 4)


if __name__ == "__main__":
    unittest.main()
