"""CPython's smtpd as a server under test.  Its twin on the port is server.cpp, which says how to call both."""

import socket
import sys
import warnings

warnings.simplefilter("ignore", DeprecationWarning)
import asyncore
import smtpd


class Picky(smtpd.SMTPChannel):
    """Refuses the recipient "nobody"."""

    def smtp_RCPT(self, arg):
        if arg and "nobody" in arg:
            self.push("550 no such user")
        else:
            smtpd.SMTPChannel.smtp_RCPT(self, arg)


class Recorder(smtpd.SMTPServer):
    """Prints each message: a line about it, which ends in its size; its bytes; a newline."""

    channel_class = Picky

    def process_message(self, peer, mailfrom, rcpttos, data, mail_options=[], rcpt_options=[]):
        data = data.encode() if isinstance(data, str) else data
        print("from", repr(mailfrom), "to", rcpttos, "options", mail_options, rcpt_options, len(data), flush=True)
        sys.stdout.buffer.write(data + b"\n")
        sys.stdout.buffer.flush()
        return "554 not from you" if mailfrom.startswith("unwelcome") else None


def main(name, *words):
    values = dict(word.split("=") for word in words if "=" in word)
    if "debug" in words:
        smtpd.DEBUGSTREAM = sys.stderr
    if "timeout" in values:
        socket.setdefaulttimeout(float(values["timeout"]))  # of the proxy's client
    class_ = Recorder if name == "Recorder" else getattr(smtpd, name)
    server = class_(("127.0.0.1", 0), ("127.0.0.1", int(values.get("remote", 1))),
                    int(values.get("size", smtpd.DATA_SIZE_DEFAULT)),
                    enable_SMTPUTF8="utf8" in words, decode_data="decode" in words)
    print("PORT", server.socket.getsockname()[1], file=sys.stderr, flush=True)
    try:
        asyncore.loop()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
