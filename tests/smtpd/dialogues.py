"""Dialogues to hold with two servers.  Each is a list of what a client says; a piece has one reply."""

import random

HELO, EHLO = b"HELO example", b"EHLO example"
MAIL, RCPT, DATA = b"MAIL FROM:<ann@example>", b"RCPT TO:<bob@example>", b"DATA"
MESSAGE = b"Subject: hi\r\n\r\nhello\r\n."


def after(*start):
    """Makes dialogues: each is the same beginning and one line more."""
    return lambda *lines: [[*start, line] for line in lines]


# None of these ends the connection, whatever state it is in.
ONE_LINE = [
    b"", b" ", b"  ", b"\t", b"x", b"X Y", b"HELO", b"HELO ", b"HELO  a b ", b"helo\texample", b"EHLO", b"EHLO ",
    b"ehlo example", b"NOOP", b"NOOP ", b"NOOP x", b"RSET", b"RSET x", b"rset ", b"VRFY", b"VRFY ann", b"VRFY ann@b",
    b"VRFY <ann@b>", b"VRFY @", b"VRFY <", b"VRFY <>", b"EXPN", b"EXPN list", b"expn ", b"HELP", b"HELP ",
    b"HELP x", b"HELP MAIL", b"help rcpt", b"HELP HELO", b"HELP EHLO", b"HELP DATA", b"HELP RSET", b"HELP NOOP",
    b"HELP QUIT", b"HELP VRFY", b"HELP EXPN", b"HELP HELP", b"HELP a b", b"MAIL", b"MAIL ", b"MAIL x", b"mail from:",
    MAIL, b"RCPT", b"RCPT ", b"RCPT x", RCPT, b"DATA", b"DATA ", b"DATA x", b"data", b"STARTTLS", b"AUTH PLAIN x",
    b"__class__", b"MAIL\x00", b"a\x00b", b"HELO a\rb", b"HELO a\nb", b"\r", b"\n", b"QUITE", b" NOOP", b"NOOP\tx",
    b"HELO \xc3\xa9"[:5], b"x" * 511, b"x" * 512, b"x" * 513, b"x" * 600, b"NOOP " + b" " * 505, b"NOOP " + b" " * 508,
    b"HELO " + b"h" * 507, b"HELO " + b"h" * 508, b"x" * 5000]

ADDRESSES = [
    b"", b"<>", b"<ann>", b"ann", b"<ann@example>", b"ann@example", b" <ann@example> ", b"< ann@example >",
    b"<ann@example", b"ann@example>", b"<@a:ann@example>", b"<@a,@b:ann@example>", b"<a.b.c@d.e.f>", b"<.a@b>",
    b"<a.@b>", b"<a..b@c>", b'<"ann b"@example>', b'<"ann\\"b"@example>', b'"ann b"@example', b"<ann@[127.0.0.1]>",
    b"ann@[127.0.0.1]", b"<ann@[IPv6:::1]>", b"<a(comment)@b>", b"(comment) a@b", b"a@b (comment)", b"<a@b> (comment)",
    b"<a@b>x", b"<a@b> x", b"<a@b> <c@d>", b"<a b@c>", b"a b@c", b"<a@b c>", b"<a@@b>", b"<@>", b"@", b"<a@>", b"<a@b.>",
    b"Ann <ann@example>", b"<=?utf-8?q?ann?=@example>", b"=?utf-8?q?a=20b?=@example", b"a,b@c", b"<a;b@c>", b"<a!b%c@d>",
    b'""', b'<"">', b'""@b']

OPTIONS = [
    b"SIZE=10", b"size=10", b"SIZE=0", b"SIZE=", b"SIZE=x", b"SIZE=-1", b"SIZE=33554432", b"SIZE=33554433", b"SIZE=1 SIZE=2",
    b"SIZE=99999999999999999999999", b"BODY=7BIT", b"BODY=8BITMIME", b"body=8bitmime", b"BODY=BINARYMIME", b"BODY",
    b"BODY=", b"SMTPUTF8", b"smtputf8", b"SMTPUTF8=1", b"SMTPUTF8=", b"SIZE=10 BODY=8BITMIME SMTPUTF8", b"AUTH=<>",
    b"RET=FULL", b"x", b"x=y", b"=y", b"a-b=c", b"SIZE=10 x", b"BODY=8BITMIME  SIZE=5", b"\tSIZE=5", b"==", b"A=B=C"]

# No message is just a dot: to smtpd that would not be the end, which is CRLF, dot, CRLF.
MESSAGES = [
    b"\r\n.", b"x\r\n.", b"..\r\n.", b"...\r\n.", b".x\r\n.", b"..x\r\n.y\r\n.", b"x\n.\ny\r\n.", b"x\r.\ry\r\n.",
    b"Subject: a\r\n\r\nbody\r\n.", b"a: b\r\nc: d\r\n\r\n\r\n\r\ne\r\n\r\n.", b"a\r\n\r\n..\r\n...\r\n.", b"\r\n\r\n.",
    b"x\r\n..\r\n.", b"tab\there\r\nnul\x00here\r\nbell\x07\x1b[31m\r\n.", b"'\"\\\r\n.", b"\x7f\x1c\x1d\x1e\x0b\x0cz\r\n.",
    b"a" * 99 + b"\r\n.", b"a" * 100 + b"\r\n.", b"a" * 101 + b"\r\n.", b"a" * 2000 + b"\r\n.", b"line\r\n" * 500 + b"."]

SHORT_MESSAGES = [message for message in MESSAGES if len(message) < 100]

# Bytes that are not ASCII.  Some of these raise an exception in the server, which then closes.
EIGHT_BIT = [
    [b"HELO \xc3\xa9"], [b"HELO \xff"], [b"\xc3\xa9"], [b"EHLO a", b"NOOP \xc3\xa9"], [b"\xff\xfe"],
    [b"HELO a", b"VRFY \xc3\xa9@b"], [b"VRFY <\xc3\xa9"], [EHLO, b"MAIL FROM:<\xc3\xa9@b>", RCPT],
    [EHLO, b"MAIL FROM:<\xc3\xa9@b> SMTPUTF8", b"RCPT TO:<\xe4\xb8\xad@b>", DATA, b"Subject: \xc3\xa9\r\n\r\n\xe2\x82\xac\r\n."],
    [EHLO, b"MAIL FROM:<a@b> SMTPUTF8", b"\xc3\xa9 x", b"VRFY \xc3\xa9", b"RSET", b"NOOP"],
    [EHLO, b"MAIL FROM:<a@b> BODY=8BITMIME", RCPT, DATA, b"\xc3\xa9\r\n.", b"NOOP"],
    [EHLO, MAIL, RCPT, DATA, b"\xff\xfe\x80\r\n\r\n\xc3\r\n.", b"NOOP"],
    [EHLO, b"MAIL FROM:<a@b> \xc3\xa9=1"], [EHLO, b"MAIL FROM:<a@b> \xc3\x9f=1"],
    [b"HELP m\xc3\xa4il"]]

# With debugging on, the two servers print these differently.  Python's repr() escapes characters of which the port does
# not know; and how much a server keeps of a message that is too long depends on how TCP cut it.
DEBUGGED_OTHERWISE = [
    [HELO, MAIL, RCPT, DATA, b"x" * 70000 + b"\r\n."], [HELO, MAIL, RCPT, DATA, b"x\r\n" * 70000 + b"."],
    [b"HELO\xc2\xa0a"], [b"HELO \xc2\xa0"], [EHLO, MAIL, RCPT, DATA, b"\xc2\x85x\xe2\x80\xa8y\r\n.", b"NOOP"]]

# Longer dialogues, which move between the states.
LONGER = [
    [HELO, HELO, EHLO, b"RSET", HELO], [EHLO, EHLO, HELO], [MAIL, RCPT, DATA], [HELO, RCPT, DATA, MAIL, DATA],
    [HELO, MAIL, MAIL, RCPT, MAIL, RCPT, DATA, MESSAGE], [HELO, MAIL, RCPT, b"RSET", RCPT, DATA, MAIL, RCPT, DATA, MESSAGE],
    [HELO, MAIL, RCPT, DATA, MESSAGE, DATA, RCPT, MAIL, RCPT, DATA, MESSAGE], [EHLO, MAIL, RCPT, DATA, MESSAGE, HELO, MAIL],
    [HELO, MAIL, *[RCPT] * 5, DATA, MESSAGE], [HELO, MAIL, RCPT, b"EHLO x", DATA, MESSAGE],
    [HELO, MAIL, RCPT, b"DATA x", b"DATA"],
    [EHLO, MAIL, b"RCPT TO:<nobody@example>", RCPT, DATA, MESSAGE],
    [EHLO, b"MAIL FROM:<unwelcome@example>", RCPT, DATA, MESSAGE, MAIL, RCPT, DATA, MESSAGE],
    [HELO, b"MAIL FROM:<ann@example> SIZE=1"], [HELO, MAIL, b"RCPT TO:<bob@example> x"],
    [EHLO, b"MAIL FROM:<ann@example> SIZE"], [EHLO, MAIL, b"RCPT TO:<bob@example> SIZE=1"],
    [EHLO, MAIL, b"RCPT TO:<bob@example> ="], [EHLO, MAIL, b"RCPT TO:<bob@example> a.b=1", RCPT],
    [EHLO, b"MAIL FROM:<a@b> " + b"x" * 500], [EHLO, b"MAIL FROM:<" + b"a" * 480 + b"@b> SIZE=10"],
    [EHLO, b"MAIL FROM:<" + b"a" * 520 + b"@b>"], [EHLO, b"MAIL FROM:<" + b"a" * 530 + b"@b>"],
    [EHLO, b"NOOP", b"x" * 513, b"x" * 530, b"MAIL " + b"x" * 530], [EHLO, b"X", b"Y", b"x" * 520],
    # smtpd refuses a message that is too long, and still waits for data.
    [HELO, MAIL, RCPT, DATA, b"a" * 300 + b"\r\n.", b"NOOP\r\n.", b"b" * 300 + b"\r\n.", b"c\r\n."]]

DIALOGUES = [
    *after()(*ONE_LINE), *after(HELO)(*ONE_LINE), *after(EHLO)(*ONE_LINE), *after(EHLO, MAIL)(*ONE_LINE),
    *after(HELO, MAIL, RCPT)(*(line for line in ONE_LINE if line.strip().upper() != DATA)),
    *after(HELO)(*(b"MAIL FROM:" + address for address in ADDRESSES)),
    *after(EHLO)(*(b"MAIL FROM: " + address for address in ADDRESSES)),
    *after(EHLO, MAIL)(*(b"RCPT TO:" + address for address in ADDRESSES)),
    *after(HELO)(*(b"VRFY " + address for address in ADDRESSES)),
    *after(EHLO)(*(b"MAIL FROM:<ann@example> " + option for option in OPTIONS)),
    *after(HELO)(*(b"MAIL FROM:<ann@example> " + option for option in OPTIONS)),
    *after(EHLO, MAIL)(*(b"RCPT TO:<bob@example> " + option for option in OPTIONS)),
    *after(EHLO, MAIL, RCPT, DATA)(*MESSAGES), *EIGHT_BIT, *LONGER]


def at_random(seed, count):
    """So many random dialogues; the same seed gives the same dialogues."""
    rng = random.Random(seed)
    for _ in range(count):
        lines = [rng.choice([HELO, EHLO])]
        for _ in range(rng.randrange(2, 12)):
            kind = rng.randrange(6)
            if kind == 0:
                lines.append(rng.choice([line for line in ONE_LINE if line.strip().upper() != DATA]))
            elif kind == 1:
                lines.append(rng.choice([b"MAIL FROM:", b"RCPT TO:", b"VRFY "]) + rng.choice(ADDRESSES))
            elif kind == 2:
                lines.append(b"MAIL FROM:<ann@example> " + rng.choice(OPTIONS))
            elif kind == 3:
                lines += [b"RSET", MAIL, RCPT, DATA, rng.choice(SHORT_MESSAGES)]
            else:
                lines.append(rng.choice([MAIL, RCPT, b"RSET", b"NOOP"]))
        yield lines
