"""Prints the log of CPython's async_chat.  Its twin for the library is parsing.cpp, which says what the log has."""

import sys
import warnings

warnings.simplefilter("ignore")
import asynchat  # noqa: E402


def terminator_of(word):
    if word == "-":
        return None
    return int(word) if word.isdigit() else word.encode()


def shown(terminator):
    if terminator is None:
        return "-"
    return terminator.decode() if isinstance(terminator, bytes) else str(terminator)


class Reader(asynchat.async_chat):

    def __init__(self, terminators):
        asynchat.async_chat.__init__(self)
        self.log = []
        self.next = iter(terminators)
        self.found_one()

    def read(self, piece):
        self.piece = piece
        self.log.append(piece.decode() + ":")
        self.handle_read()
        self.log.append("=%s " % self.ac_in_buffer.decode())

    def recv(self, buffer_size):
        return self.piece

    def collect_incoming_data(self, data):
        self.log.append("(%s," % data.decode())
        self.log_state()

    def found_terminator(self):
        self.log.append("!(")
        self.log_state()
        self.found_one()

    def log_state(self):
        self.log.append("%s,%s)" % (self.ac_in_buffer.decode(), shown(self.terminator)))

    def found_one(self):
        for terminator in self.next:
            self.set_terminator(terminator)
            break


def texts_of(words, count):
    if count == 0:
        return {b""}
    return {text + word for text in texts_of(words, count - 1) for word in words}


def log_of(text, cuts, terminators):
    channel = Reader(terminators)
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or cuts >> (end - 1) & 1:
            channel.read(text[start:end])
            start = end
    return "".join(channel.log) + "\n"


def main(terminators, words, count):
    terminators = [terminator_of(word) for word in terminators.split(",")]
    words = [word.encode() for word in words.split(",")]
    for text in sorted(texts_of(words, int(count))):
        for cuts in range(1 << (len(text) - 1)):
            sys.stdout.write(log_of(text, cuts, terminators))


if __name__ == "__main__":
    main(*sys.argv[1:])
