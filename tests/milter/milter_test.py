#!/usr/bin/env python3
"""Milters, end to end: who is asked about which mail, what becomes of the mail, and what a milter that
breaks the rules costs. What a milter sees is compared with Postfix in postfix_test.py."""
import os
import re
import sys
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p)
                for p in ("", "..", "../smtp")]
from harness import Instance, Smtp, check, check_equal, check_match, finish, kill, wait_until
from recorder import (CLOSE, CONTINUE, DISCARD, DRIP, HANG, RAW, REJECT, Recorder, edit, packet,
                      reply)
from sink import Sink

TEXT = "Subject: hello\nTo: x@far.example\n\nhello\n"


class Site:
    """A mail system, the server that its mail goes to, and milters."""

    def __init__(self, milters=1, lines=(), **settings):
        self.sink = Sink()
        self.milters = [Recorder() for _ in range(milters)]
        settings = {name: self.filled(value) for name, value in settings.items()}
        self.mta = Instance({
            "milter_default_action": "tempfail", "milter_command_timeout": "1s",
            "milter_content_timeout": "1s", "milter_connect_timeout": "1s", "notify_classes": "",
            "transport_maps": f"static:smtp:[127.0.0.1]:{self.sink.port}",
            "smtpd_milters": ", ".join(m.endpoint for m in self.milters), **settings},
            extra_services=[self.filled(line) for line in lines])

    def filled(self, text):
        return re.sub(r"<(\d)>", lambda n: self.milters[int(n[1])].endpoint, text)

    def __enter__(self):
        self.mta.start()
        return self

    def __exit__(self, *_):
        self.mta.__exit__(*_)
        for milter in self.milters:
            milter.stop()

    @property
    def milter(self):
        return self.milters[0]

    def send(self, text=TEXT, rcpts=("x@far.example",), sender="a@here.example", number=0):
        """The reply to the message, or to what was refused before."""
        smtp = self.mta.smtp(number, greeting=None)
        text = text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()
        said = smtp.reply()
        for line in (b"EHLO client.example", f"MAIL FROM:<{sender}>".encode(),
                     *(f"RCPT TO:<{rcpt}>".encode() for rcpt in rcpts), b"DATA", text + b".\r\n"):
            if said[:1] not in "23":
                break
            smtp.send(line if line.endswith(b"\n") else line + b"\r\n")
            said = smtp.reply()
        if said[:3] != "421":
            smtp.send("QUIT\r\n")
            smtp.reply()
        smtp.close()
        return said.strip()

    def arrives(self, said):
        """The content of a message that was taken."""
        queue_id = re.search(r"queued as (\w+)", said)
        if not check(queue_id, f"not queued: {said}"):
            return ""
        self.mta.wait_for_log(rf"{queue_id[1]}: removed")
        return b"".join(self.sink.messages[-1][1]).decode("latin-1").replace("\r\n", "\n")


def in_order():
    """The second milter sees what the first one did; the last word is the first objection."""
    with Site(2) as site:
        first, second = site.milters
        first.script = {"E": [edit.insert(1, "X-First", "1"), edit.change(1, "Subject", "changed"),
                              edit.body(b"other\r\ntext"), CONTINUE]}
        second.script = {"E": [edit.add("X-Second", "2"), edit.change(1, "X-First", "one"), CONTINUE]}
        text = site.arrives(site.send())
        for line in ("Subject: changed", "X-First: one", "X-Second: 2", "\n\nother\ntext\n"):
            check(line in text, f"{line!r} in {text}")
        check("L 'Subject' | 'changed'" in second.events(), "the second one sees the new Subject")
        check("L 'X-First' | '1'" in second.events(), "and the new field")
        check(any(line.startswith("B 11 b'other") for line in second.events()), "and the new text")
        first.script = {("R", b"<x@far.example>"): [reply("550 5.7.1 not that one")]}
        said = site.send(rcpts=("x@far.example",))
        check_equal(said, "550 5.7.1 not that one", "the reply of the first")
        check(not any(line.startswith("R ") for line in second.events()), "the second one did not hear")


def held():
    with Site() as site:
        site.milter.script = {"E": [edit.quarantine("looks bad"), CONTINUE]}
        queue_id = re.search(r"queued as (\w+)", site.send())[1]
        site.mta.wait_for_log(rf"{queue_id}: milter-hold: END-OF-MESSAGE from localhost\[127\.0\.0\.1\]: "
                              r"looks bad; from=<a@here\.example> to=<x@far\.example> proto=ESMTP "
                              r"helo=<client\.example>")
        wait_until(lambda: f"{queue_id}!" in site.mta.run("postqueue", "-p").stdout, "on hold")
        site.mta.run("postsuper", "-H", queue_id)
        site.mta.run("postqueue", "-f")
        site.mta.wait_for_log(rf"{queue_id}: removed")
        check_equal(len(site.sink.messages), 1, "released")
        site.milter.script = {"E": [edit.without("<x@far.example>"), CONTINUE]}
        check_match("^250 ", site.send(), "without recipients")
        site.mta.wait_for_log("milters have deleted all recipients")
        site.milter.script = {"E": [DISCARD]}
        check_match("^250 ", site.send(), "discarded")
        site.mta.wait_for_log("milter-discard: END-OF-MESSAGE from .*: milter triggers DISCARD action;")
        check_equal(len(site.sink.messages), 1, "neither arrives")


LATER = "451 4.7.1 Service unavailable - try again later"
# What it does, at which command, and what is in the log.
BREACHES = [
    ("closes", CLOSE, "can't read {} reply packet header: it closed the connection"),
    ("hangs", HANG, "can't read {} reply packet header: Connection timed out"),
    ("drips", DRIP(packet("c") * 20), None),
    ("no length", RAW(b"\0\0\0\0"), "bad packet length: 0"),
    ("a large packet", RAW(b"\x01\0\0\0c"), "unreasonable packet length: 16777216 > 1048576"),
    ("garbage", RAW(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "unreasonable packet length: "),
    ("half a packet", RAW(b"\0\0\0\x10y55"), "can't read {} reply packet data: Connection timed out"),
    ("an unknown answer", packet("?"), "unexpected filter response (unknown filter reply) after event {}"),
    ("a skip that was not agreed on", packet("s"), "unexpected filter response SMFIR_SKIP after event {}"),
    ("data with an answer", packet("c", b"more"), "reply SMFIR_CONTINUE was followed by 4 data bytes"),
]
EVENTS = {"M": "SMFIC_MAIL", "E": "SMFIC_BODYEOB"}
BAD_EDITS = [
    ("a field without a value", packet("h", b"X-A\0"), "malformed SMFIR_ADDHEADER"),
    ("an index that is cut", packet("i", b"\0\0"), "malformed SMFIR_INSHEADER"),
    ("no end of a string", packet("+", b"<a@b.example>"), "malformed SMFIR_ADDRCPT"),
]
ODD_EDITS = [
    ("no name", edit.add("", "x"), "wants a field without a proper name"),
    ("a name with a line end", edit.add("X-A\nX-B", "x"), "wants a field without a proper name"),
    ("no address", edit.rcpt("<a b@c>"), 'wants a bad address: "<a b@c>"'),
]


def breaches():
    """Each in a session of its own; the next session has nothing of it."""
    with Site() as site:
        site.milter.pause = 0.3
        cases = [(name, at, step, log) for name, step, log in BREACHES for at in EVENTS]
        cases += [(name, "E", step, log) for name, step, log in BAD_EDITS]
        for name, at, step, log in cases:
            site.milter.script = {at: [step]}
            since = site.mta.log_position()
            check_equal(site.send(), LATER, f"{name} at {at}")
            if log:
                site.mta.wait_for_log(re.escape(f"milter {site.milter.endpoint}: " +
                                                log.format(EVENTS[at])), since=since)
            state = "MAIL" if at == "M" else "END-OF-MESSAGE"
            site.mta.wait_for_log(rf"milter-reject: {state} from localhost\[127\.0\.0\.1\]: ", since=since)
        for name, step, log in ODD_EDITS:
            site.milter.script = {"E": [step, edit.add("X-Good", "1"), CONTINUE]}
            since = site.mta.log_position()
            text = site.arrives(site.send())
            check("X-Good: 1" in text, f"{name}: {text}")
            site.mta.wait_for_log(re.escape(log), since=since)
        site.milter.script = {"E": [edit.add("X-Lines", "a\r\nX-Evil: b\n\nc"), CONTINUE]}
        check("X-Lines: a\n\tX-Evil: b\n\tc\n" in site.arrives(site.send()), "lines of a field")
        # It answers what it was not asked: that is no answer to what comes next.
        site.milter.script = {"H": [RAW(CONTINUE * 2)]}
        check_equal(site.send(), LATER, "an answer too much")


def default_actions():
    """The milter dies at the end of the message, in the middle of its changes."""
    step = [edit.add("X-Half", "1"), edit.rcpt("<more@far.example>"), CLOSE]
    with Site(5, smtpd_milters="", lines=[
            f"127.0.0.1:{{port{n}}} inet n - n - - smtpd\n"
            f"  -o {{ smtpd_milters = {{ <{n - 1}>, default_action={action} }} }}" for n, action in
            enumerate(("accept", "reject", "tempfail", "quarantine", "shutdown"), 1)]) as site:
        for milter in site.milters:
            milter.script = {"E": step}
        text = site.arrives(site.send(number=1))
        check("X-Half" not in text, f"accepted as it was: {text}")
        check(not any("more@far" in line for _, line in site.sink.commands), "its recipients")
        check_equal(site.send(number=2), "550 5.5.0 Service unavailable", "reject")
        check_equal(site.send(number=3), LATER, "tempfail")
        queue_id = re.search(r"queued as (\w+)", site.send(number=4))[1]
        site.mta.wait_for_log(rf"{queue_id}: milter-hold: END-OF-MESSAGE")
        check_equal(site.send(number=5), "421 4.7.0 Server closing connection", "shutdown")
        for milter in site.milters:
            milter.stop()
        since = site.mta.log_position()
        check("X-Half" not in site.arrives(site.send(number=1)), "accepted without it")
        site.mta.wait_for_log(rf"warning: connect to Milter service {site.milter.endpoint}: "
                              "Connection refused", since=since)
        check_equal(site.send(number=2), "554 mail.test.example ESMTP not accepting connections",
                    "rejected")
        check_equal(site.send(number=3), LATER, "put off at MAIL")
        for state in ("CONNECT", "EHLO", "MAIL"):
            site.mta.wait_for_log(rf"NOQUEUE: milter-reject: {state} from localhost\[127\.0\.0\.1\]: "
                                  r"451 4\.7\.1 Service unavailable - try again later;", since=since)
        check_equal(site.send(number=5),
                    "421 mail.test.example Service unavailable - try again later", "shut")


def by_client():
    with Site(2, smtpd_milters="<0>", smtpd_milter_maps="cidr:milters.cidr") as site:
        path = site.mta.write("milters.cidr", site.filled(
            "127.0.0.2/32 DISABLE\n127.0.0.3/32 <1>\n"))
        site.mta.write_configuration(smtpd_milter_maps=f"cidr:{path}")
        site.mta.reload()
        for source, asked in (("127.0.0.1", [1, 0]), ("127.0.0.2", [0, 0]), ("127.0.0.3", [0, 1])):
            before = [len(milter.sessions) for milter in site.milters]
            smtp = Smtp(site.mta.port(0), source=(source, 0))
            smtp.say("QUIT", "221")
            smtp.close()
            check_equal([len(m.sessions) - n for m, n in zip(site.milters, before)], asked, source)


def not_by_smtp():
    """non_smtpd_milters see mail of sendmail; of our own notices where they are to."""
    with Site(2, smtpd_milters="<1>", non_smtpd_milters="<0>", lines=[
            "127.0.0.1:{port1} inet n - n - - smtpd -o receive_override_options=no_milters"]) as site:
        milter = site.milter

        def sendmail(rcpt="x@far.example"):
            before = len(milter.sessions)
            since = site.mta.log_position()
            site.mta.run("sendmail", "-f", "me@here.example", rcpt, input=TEXT)
            wait_until(lambda: len(milter.sessions) > before, "the milter is asked")
            return since, milter.events()

        milter.script = {"E": [edit.add("X-Seen", "yes"), CONTINUE]}
        since, events = sendmail()
        site.mta.wait_for_log(": removed", since=since)
        check(b"X-Seen: yes\r\n" in b"".join(site.sink.messages[-1][1]), "the field")
        for line in ("C localhost 4 False 127.0.0.1", "H 'localhost'", "M 'me@here.example'",
                     "R 'x@far.example'", "T ", "L 'Subject' | 'hello'", "E ", "Q "):
            check(line in events, f"{line!r} in {events}")
        check_match(r"D C j=mail\.test\.example \{daemon_name\}=mail\.test\.example "
                    r"\{daemon_addr\}=127\.0\.0\.1 v=\S+ \S+ _=localhost \[127\.0\.0\.1\]$", events[1],
                    "macros")
        check(any(re.match(r"D M i=\w+ \{mail_addr\}=me@here\.example$", line) for line in events),
              f"macros of MAIL: {events}")
        site.arrives(site.send(number=1))
        check_equal(len(site.milters[1].sessions), 0, "no_milters")
        milter.script = {"R": [REJECT]}
        since, _ = sendmail()
        site.mta.wait_for_log(r"milter-reject: RCPT from localhost\[127\.0\.0\.1\]: 5\.7\.1 Command "
                              r"rejected; from=<me@here\.example> to=<x@far\.example>", since=since)
        site.mta.wait_for_log("can't reject recipient in non-smtpd", since=since)
        milter.script = {"E": [REJECT]}
        since, _ = sendmail()
        site.mta.wait_for_log(r"milter-reject: END-OF-MESSAGE from localhost\[127\.0\.0\.1\]: 5\.7\.1 "
                              r"Command rejected; from=<me@here\.example> to=<x@far\.example>", since=since)
        site.mta.wait_for_log("sender non-delivery notification", since=since)
        site.mta.wait_for_log("from=<>, .*queue active", since=since)
        check(not any(line.startswith("M ''") for s in milter.sessions for line in s.log),
              "the notice is not shown")
        site.mta.write_configuration(internal_mail_filter_classes="bounce")
        site.mta.reload()
        milter.script = {"E": [edit.add("X-Seen", "yes"), CONTINUE], ("M", b"me@here.example"): [REJECT]}
        before = len(milter.sessions)
        since = site.mta.log_position()
        site.mta.run("sendmail", "-f", "me@here.example", "x@far.example", input=TEXT)
        wait_until(lambda: len(milter.sessions) > before + 1, "the notice is shown")
        wait_until(lambda: "M ''" in milter.events(), "mail of nobody")


def large():
    """More than anything keeps at once, there and back."""
    line = b"0123456789" * 7 + b"\r\n"
    with Site(milter_content_timeout="60s", message_size_limit="40000000") as site:
        body = line * (6 * 1024 * 1024 // len(line))
        other = [edit.body(body[at:at + 65000]) for at in range(0, len(body), 65000)]
        site.milter.script = {"E": [edit.add("X-Size", "large"), *other, CONTINUE]}
        said = site.send(b"Subject: large\r\n\r\n" + line[::-1][2:] + b"\r\n" + body)
        text = site.arrives(said)
        check_equal(len(text.partition("\n\n")[2]), len(body.replace(b"\r\n", b"\n")), "size of the text")
        check_equal(len(site.milter.sessions[-1].body), len(body) + 72, "what the milter saw")
        site.milter.script = {"E": [*(other * 7), CONTINUE]}
        check_equal(site.send(), "451 4.3.5 Server configuration problem - try again later",
                    "it wants to make it larger than messages may be")


def many_at_once():
    """One session waits for a milter that hangs; others go on."""
    with Site(milter_command_timeout="600s") as site:
        site.milter.script = {("M", b"<slow@here.example>"): [HANG]}
        slow = site.mta.smtp()
        slow.say("EHLO slow", "250")
        slow.send("MAIL FROM:<slow@here.example>\r\n")
        wait_until(site.milter.hung.is_set, "it hangs")
        others = [site.mta.smtp() for _ in range(40)]
        for smtp in others:
            smtp.say("EHLO client.example", "250")
            smtp.say("MAIL FROM:<a@here.example>", "250")
            smtp.say("RCPT TO:<x@far.example>", "250")
        ids = []
        for smtp in others:
            smtp.say("DATA", "354")
            smtp.send(TEXT.replace("\n", "\r\n") + ".\r\n")
        for smtp in others:
            ids.append(re.search(r"queued as (\w+)", smtp.expect("250"))[1])
            smtp.close()
        for queue_id in ids:
            site.mta.wait_for_log(rf"{queue_id}: removed")
        check_equal(len(site.sink.messages), 40, "mail of the others")
        slow.close()


def cleanup_dies():
    """In the middle of a conversation: nobody knows where that stands, so it ends there."""
    with Site(milter_content_timeout="600s") as site:
        site.mta.expect_trouble("killed by signal 9", "no answer for a message")
        site.milter.script = {"E": [HANG]}
        smtp = site.mta.smtp()
        smtp.say("EHLO client.example", "250")
        smtp.say("MAIL FROM:<a@here.example>", "250")
        smtp.say("RCPT TO:<x@far.example>", "250")
        smtp.say("DATA", "354")
        smtp.send(TEXT.replace("\n", "\r\n") + ".\r\n")
        wait_until(site.milter.hung.is_set, "it hangs")
        kill(site.mta.process("cleanup"))
        smtp.expect("451 4.3.0 Error: queue file write error")
        smtp.say("MAIL FROM:<a@here.example>", LATER)
        smtp.close()
        site.milter.script = {}
        site.arrives(site.send())


TESTS = [cleanup_dies, in_order, held, breaches, default_actions, by_client, not_by_smtp, large, many_at_once]
for test in TESTS:
    if len(sys.argv) < 2 or test.__name__ in sys.argv[1:]:
        test()
finish()
