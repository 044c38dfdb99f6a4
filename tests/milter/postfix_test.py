#!/usr/bin/env python3
"""Milters against Debian's Postfix 3.7: the same clients and the same milter, which records what it
is told. Compared are the replies, the events in their order with their macros, the log lines about
milters, and the mail that arrives at the next hop."""
import difflib
import os
import re
import struct
import sys
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p)
                for p in ("", "..", "../smtp")]
from compared import envelope, plain
from harness import Instance, check, finish, is_root, skip
from postfix37 import Postfix37, is_there
from recorder import (ACCEPT, CLOSE, CONTINUE, DISCARD, PROGRESS, RAW, REJECT, SHUTDOWN, SKIP, TEMPFAIL,
                      Recorder, edit, packet, reply)
from sink import Sink

HEAD = "Subject: hello\nX-Two: 1\nX-Two: 2\nX-Fold: a\n\tb\n c\nX-Blank:  two\nTo: x@y.example\n"
CHECKS = ("/^(X|Content)-Drop/ IGNORE\n/^(X|Content)-Warn/ WARN seen\n/^X-Rep/ REPLACE X-Replaced: yes\n"
          "/^X-Pre/ PREPEND X-Before: it\n/^X-Rej/ REJECT no such header\n"
          "/^X-Filter/ FILTER smtp:[127.0.0.1]:{sink}\n/^X-Redirect/ REDIRECT z@far.example\n")
BASE = {
    "milter_default_action": "tempfail", "milter_command_timeout": "3s", "milter_content_timeout": "3s",
    "milter_connect_timeout": "3s", "milter_macro_v": "v", "notify_classes": "",
    "virtual_alias_maps": "inline:{al@here.example=t1@far.example}", "local_header_rewrite_clients": "",
    "sender_canonical_maps": "inline:{c@here.example=canonical@here.example}",
    "milter_macro_defaults": "{nosuch}=default {auth_type}=none",
    "milter_mail_macros": "i {auth_type} {mail_addr} {mail_host} {mail_mailer} {nosuch} {other}",
    "milter_data_macros": "i {client_addr} {client_name} {client_ptr} {client_resolve} {rcpt_addr}",
    "milter_connect_macros": "j _ v {client_addr} {client_name} {client_port} {client_ptr} "
                             "{client_resolve} {daemon_addr} {daemon_name}",
    "smtpd_authorized_xclient_hosts": "127.0.0.1", "inet_protocols": "all",
    "milter_unknown_command_macros": "j {client_name}",
}
ENVELOPE = ["EHLO client.example", "MAIL FROM:<a@here.example> BODY=8BITMIME"]
QUIT = ["QUIT"]


def message(*lines_or_text, head=HEAD, body="hello\n.dot\nend\n"):
    text = (head + "\n" + body).replace("\n.", "\n..").replace("\n", "\r\n") + ".\r\n"
    return text.encode("latin-1")


def mail(*rcpts, text=message()):
    return [*ENVELOPE, *(f"RCPT TO:<{rcpt}>" for rcpt in rcpts or ("x@far.example",)), "DATA", text,
            *QUIT]


def macros(stage, names):
    return struct.pack("!I", stage) + names.encode() + b"\0"


# (name, lines of the client, answers of the milter, options of the milter)
CASES = [
    ("plain", mail(), {}, {}),
    ("no HELO", ["MAIL FROM:<>", "RCPT TO:<x@far.example>", "RSET", "NOOP", *QUIT], {}, {}),
    ("many transactions", [
        "HELO c", "FOO bar", "MAIL FROM:<>", "RCPT TO:a@here.example", "RSET", "MAIL FROM: <q@r> SIZE=12",
        'RCPT TO:<"a b"@c.example>', "DATA", message(), "EHLO again",
        "MAIL FROM:<c@here.example>", "RCPT TO:<al@here.example> NOTIFY=NEVER", "HELO third", *QUIT],
     {}, {}),
    ("a recipient is refused", ["EHLO c", "MAIL FROM:<a@here.example>", "RCPT TO:<bad@mail.test.example>",
                                "RCPT TO:<x@far.example>", "DATA", message(), *QUIT], {},
     {"protocol": 0x800}),
    ("another client", ["EHLO c", "MAIL FROM:<a@b.example>", "RCPT TO:<x@far.example>", "RSET",
                        "XCLIENT ADDR=192.0.2.9 NAME=client.example REVERSE_NAME=other.example PORT=77",
                        "HELO d", *mail()[1:]], {}, {}),
    ("a client of IPv6", ["XCLIENT ADDR=IPv6:2001:db8::9 NAME=[UNAVAILABLE] REVERSE_NAME=[UNAVAILABLE] HELO=e", *mail()], {}, {}),
    ("chunks", [*ENVELOPE, "RCPT TO:<x@far.example>", b"BDAT 12\r\nSubject: x\r\n",
                b"BDAT 9 LAST\r\n\r\nhello\r\n", "MAIL FROM:<second@here.example>",
                "RCPT TO:<x@far.example>", b"BDAT 5 LAST\r\nhello", *QUIT], {}, {}),
    ("chunks that are refused", [*ENVELOPE, "RCPT TO:<x@far.example>", b"BDAT 5\r\nhello",
                                 b"BDAT 5 LAST\r\nhello", *QUIT], {"T": [REJECT]}, {}),
    ("nothing wanted", mail(), {}, {"protocol": 0x37f}),
    ("no answers", mail(), {}, {"protocol": 0xff080}),
    ("leading space", mail(), {"E": [edit.add("X-A", " 1"), edit.add("X-B", "2"),
                                     edit.change(1, "X-Two", "  c"), CONTINUE]}, {"protocol": 0x100000}),
    ("version 2", ["EHLO c", "FOO", *mail()], {}, {"version": 2}),
    ("macros of its own", mail(), {}, {"symlists": macros(
        0, "j {client_addr} {client_name} {client_ptr} {client_resolve} {if_addr}") +
        macros(1, "{nosuch}, j") + macros(5, "i, {client_addr}") + macros(6, "")}),
    ("long body", mail(text=message(body="".join(f"line {n:070}\n" for n in range(3000)))), {}, {}),
    ("skip", mail(text=message(body="".join(f"line {n:070}\n" for n in range(3000)))), {"B": [SKIP]},
     {"protocol": 0x400}),
    ("add", mail(), {"E": [edit.add("X-A", "1"), edit.add("X-B", "two\n\tlines"),
                           edit.add("X-C", "  blank"), CONTINUE]}, {}),
    ("insert", mail(), {"E": [edit.insert(0, "X-I0", "0"), edit.insert(1, "X-I1", "1"),
                              edit.insert(4, "X-I4", "4"), edit.insert(99, "X-I99", "99"), CONTINUE]}, {}),
    ("change", mail(), {"E": [
        edit.change(1, "X-Two", "new1"), edit.change(2, "x-two", "new2"), edit.change(3, "X-Two", "new3"),
        edit.change(0, "X-Fold", "zero"), edit.change(1, "Received", "changed"),
        edit.change(1, "X-None", "added"), CONTINUE]}, {}),
    ("delete", mail(), {"E": [
        edit.change(1, "X-Two", ""), edit.change(1, "X-Two", "was two"), edit.add("X-Two", "3"),
        edit.change(2, "X-Two", "three"), edit.change(1, "X-Fold", ""), edit.change(5, "X-Two", ""),
        edit.change(1, "Received", ""), CONTINUE]}, {}),
    ("sender", mail(), {"E": [edit.sender("<new@else.example>", "RET=HDRS ENVID=ab+2Bc FOO"), CONTINUE]},
     {}),
    ("null sender", mail(), {"E": [edit.sender("<>"), CONTINUE]}, {}),
    ("bare sender", mail(), {"E": [edit.sender("plain"), CONTINUE]}, {}),
    ("canonical sender", mail(), {"E": [edit.sender("<c@here.example>"), CONTINUE]}, {}),
    ("recipients", mail(), {"E": [
        edit.rcpt("<add@far.example>"), edit.rcpt("al@here.example"), edit.rcpt("<x@far.example>"),
        edit.rcpt_with("<par@far.example>", "NOTIFY=FAILURE ORCPT=rfc822;o@far.example X=Y"), CONTINUE]},
     {}),
    ("recipients deleted", mail("x@far.example", "al@here.example", "y@far.example"), {"E": [
        edit.without("<x@far.example>"), edit.without("al@here.example"), edit.without("<t1@far.example>"),
        CONTINUE]}, {}),
    ("targets are not deleted", mail("al@here.example"), {"E": [edit.without("<t1@far.example>"),
                                                                CONTINUE]}, {}),
    ("body", mail(), {"E": [edit.body(b"new\r\n"), edit.body(b"body\r\n.dot\r\nno end"), CONTINUE]}, {}),
    ("body with others between", mail(), {"E": [edit.body(b"one\r\n"), edit.add("X-M", "m"),
                                                edit.body(b"two\r\n"), CONTINUE]}, {}),
    ("fields that are checked", mail(), {"E": [
        *(edit.add(name, "v") for name in ("X-Drop", "X-Warn", "X-Rep", "X-Pre")),
        edit.insert(1, "X-Drop", "i"), edit.change(1, "X-Two", "changed"), CONTINUE]}, {}),
    ("MIME fields that are checked", mail(), {"E": [
        *(edit.add(name, "v") for name in ("Content-Drop", "Content-Warn", "MIME-Version")), CONTINUE]}, {}),
    ("a field that is refused", mail(), {"E": [edit.add("X-Rej", "v"), CONTINUE]}, {}),
    ("a field that redirects", mail(), {"E": [edit.add("X-Redirect", "v"), CONTINUE]}, {}),
    ("a field that filters", mail(), {"E": [edit.add("X-Filter", "v"), CONTINUE]}, {}),
    ("progress", mail(), {"E": [PROGRESS, edit.add("X-A", "1"), PROGRESS, CONTINUE]}, {}),
    ("accept with changes", mail(), {"E": [edit.add("X-A", "1"), ACCEPT]}, {}),
    ("multi-line reply", mail(), {"M": [reply("550-5.7.1 one\r\n550 5.7.1 two")]}, {}),
    ("reply without a status", mail(), {"E": [reply("550 just words")]}, {}),
    ("bad reply", mail(), {"M": [reply("250 ok")]}, {}),
    ("percent", mail(), {"M": [reply("550 5.7.1 100% sure 50%% %d")]}, {}),
    ("continue with data", mail(), {"M": [packet("c", b"x")]}, {}),
    ("unknown answer", mail(), {"M": [packet("?")]}, {}),
    ("change too early", mail(), {"M": [edit.add("a", "b")]}, {}),
    ("no length", mail(), {"M": [RAW(b"\0\0\0\0")]}, {}),
    ("other version", mail(), {"O": [packet("O", struct.pack("!III", 7, 0, 0))]}, {}),
    ("too many actions", mail(), {"O": [packet("O", struct.pack("!III", 6, 0x3ff, 0))]}, {}),
    ("no handshake", mail(), {"O": [packet("c")]}, {}),
]
ANSWERS = {"reject": REJECT, "tempfail": TEMPFAIL, "accept": ACCEPT, "close": CLOSE, "shutdown": SHUTDOWN,
           "reply": reply("554 5.7.9 no %% thanks"), "421": reply("421 4.7.9 bye")}
LINES = ["EHLO client.example", "FOO", *mail("x@far.example", "y@far.example")[1:]]
CASES += [(f"{name} at {at}", LINES, {at: [answer]}, {}) for name, answer in ANSWERS.items()
          for at in "CHMRTLNBEU"
          # Postfix dies of the one, and loses mail with the other.
          if (name, at) not in (("accept", "U"), ("shutdown", "E"), ("shutdown", "L"), ("shutdown", "N"),
                                ("shutdown", "B"))]
CASES += [(f"discard at {at}", LINES, {at: [DISCARD]}, {}) for at in "CHTLNBE"]

IN_THE_LOG = re.compile(r"(?:smtpd|cleanup)\[\d+\]: (.*(?:milter|ilter service|SMFI_|ESMTP arg).*)")
# (pattern of Postfix's, pattern of ours, why)
DIFFERENCES = [
    (r"(.*): Application error", r"\1: it closed the connection", "says what happened"),
    (r"(.*CONTINUE was followed by) \d+( data bytes)", r"\1 1\2", "it counts what it did not read"),
    (r"(.* one)\?(\?550.*)", r"\1\2", "CR and LF are one line end"),
]


class System:
    def __init__(self, kind, settings):
        self.sink, self.milter = Sink(), Recorder()
        self.mta = kind({**BASE, "smtpd_milters": self.milter.endpoint,
                         "transport_maps": f"static:smtp:[127.0.0.1]:{self.sink.port}", **settings})
        rules = self.mta.write("rules", CHECKS.replace("{sink}", str(self.sink.port)))
        self.mta.write_configuration(milter_header_checks=f"regexp:{rules}")

    def dialogue(self, lines):
        smtp = self.mta.smtp(greeting=None)
        said = [smtp.reply()]
        content = True
        for line in lines:
            if isinstance(line, bytes) and not content:
                continue
            try:
                smtp.send(line if isinstance(line, bytes) else line + "\r\n")
            except OSError:
                break
            got = smtp.reply()
            if not got or got.startswith("("):
                break
            said.append(f"{line if isinstance(line, str) else '.'}: {got}")
            content = not (line == "DATA" and not got.startswith("354"))
        smtp.close()
        return [self.neutral(text) for text in said]

    def neutral(self, text):
        text = text.replace("Postern", "Postfix").replace(self.milter.endpoint, "MILTER")
        text = text.replace(f":{self.sink.port}", ":SINK")
        text = re.sub(r"queued as \w+", "queued as ID", text)
        text = re.sub(r"\b[0-9A-F]{9,}: ", "ID: ", text)
        return re.sub(r"\{client_port\}=\d{3,}", "{client_port}=PORT", re.sub(r"\bi=\w+", "i=ID", text))

    def outcome(self, lines, script, options):
        """(replies, events, log, mail)"""
        m = self.milter
        m.script = script
        m.actions, m.protocol, m.version, m.symlists = (
            options.get(name, usual) for name, usual in
            (("actions", 0x1ff), ("protocol", 0), ("version", 6), ("symlists", b"")))
        m.sessions.clear()
        since, before, commands = (self.mta.log_position(), len(self.sink.messages),
                                   len(self.sink.commands))
        replies = self.dialogue(lines)
        self.mta.wait_for_log("disconnect from", since=since)
        ids = re.findall(r"(\w+): client=", self.mta.log_text(since))
        for queue_id in ids if any("queued as" in r for r in replies) else ():
            if re.search(rf"{queue_id}: (?:from=|message-id)", self.mta.log_text(since)):
                self.mta.wait_for_log(rf"{queue_id}: (removed|milter-(?:\w+-)?discard|milters have)",
                                      since=since)
        arrived = self.sink.messages[before:]
        events = [self.neutral(line) for session in m.sessions for line in self.events_of(session)]
        log = [self.neutral(line) for line in IN_THE_LOG.findall(self.mta.log_text(since))]
        return (replies, events, log, envelope(self.sink.commands[commands:]),
                sorted(plain(content) for _, content in arrived))

    @staticmethod
    def events_of(session):
        session.ended.wait(15)
        return session.log


def same_line(theirs, ours):
    if theirs == ours:
        return True
    for pattern, other, _ in DIFFERENCES:
        found = re.fullmatch(pattern, theirs)
        if found and re.fullmatch(other if ".*" in other else re.escape(found.expand(other)), ours):
            return True
    return False


def compare(case, theirs, ours):
    for part, want, got in zip(("replies", "events", "log", "envelope", "mail"), theirs, ours):
        if part == "log" and len(want) == len(got) and all(map(same_line, want, got)):
            continue
        if not check(got == want, f"{part} of {case}"):
            print("\n".join(difflib.unified_diff([str(w) for w in want], [str(g) for g in got], "Postfix",
                                                 "Postern", n=1, lineterm="")))


def main():
    if not is_root():
        skip("needs root: Postfix runs as root only")
    check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
    theirs, ours = System(Postfix37, {}), System(Instance, {})
    with theirs.mta, ours.mta:
        theirs.mta.start()
        ours.mta.start()
        for name, *case in CASES:
            if len(sys.argv) < 2 or any(word in name for word in sys.argv[1:]):
                compare(name, theirs.outcome(*case), ours.outcome(*case))


main()
finish()
