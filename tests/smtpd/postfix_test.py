#!/usr/bin/env python3
"""smtpd against Debian's Postfix 3.7: the same commands to both, good ones and bad ones in all
states, and the replies compared letter by letter. What may differ is in DIFFERENCES.

A dialogue is a block of lines: commands as sent, with Python's escapes for bytes. A line that
ends in \\c is sent without CRLF; one that begins with ~ expects no reply. What follows DATA up
to the line with a dot is sent only to a server that answered 354. `> CLIENT` starts as that
client, by XCLIENT; without it the client is one of mynetworks."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, is_root, skip
from postfix37 import Postfix37, is_there
from smtpd_dialogues import BASE, DIALOGUES, SETTINGS

# Replies that differ on purpose: (pattern of Postfix 3.7's, pattern of ours, why).
FORGIVING = "paths that RFC 5321 and 5322 have no reading for are refused: VIOLATIONS.md"
NO_CONTROLS = "NUL, CR and odd blanks are refused: VIOLATIONS.md"
DIFFERENCES = [
    (r"250 2\.1\.0 Ok", r"501 5\.1\.7 Bad sender address syntax", FORGIVING),
    (r"[45]5. .\..\.. <.*@.*@.*>: .*", r"501 5\.1\.3 Bad recipient address syntax", FORGIVING),
    (r"250 2\.1\.5 Ok", r"501 5\.1\.3 Bad recipient address syntax", FORGIVING),
    (r"250 2\.1\.5 Ok", r"501 5\.5\.4 Error: Bad ORCPT parameter syntax",
     "an address that is none, control characters, a type that is no atom"),
    (r"501 5\.1\.3 Bad recipient address syntax",
     r"553 5\.6\.7 Must declare SMTPUTF8 to send unicode address", "says what is missing"),
    (r"555 5\.5\.4 Unsupported option: .*", r"501 5\.1\.[37] Bad \w+ address syntax", FORGIVING),
    (r"250.*", r"500 5\.5\.2 Error: (bad syntax|command not recognized)", NO_CONTROLS),
    (r"500 5\.5\.2 Error: command not recognized", r"214 2\.0\.0 Commands: .*", "HELP: 3.12"),
    (r"220 .*", r"501 5\.5\.4 Bad PORT syntax: 70000", "no such port"),
]


def decode(line):
    return line.encode().decode("unicode_escape").encode("latin-1")


def plain(reply):
    """Without what differs between any two servers."""
    reply = re.sub(r"queued as \w+", "queued as ID", reply.replace("Postern", "Postfix"))
    return reply.replace("\r\n", "\n").rstrip("\n")


class Session:
    """One dialogue with one server."""

    def __init__(self, mta):
        self.smtp = mta.smtp(greeting=None)
        self.replies = []
        self.content = False   # after 354
        self.ended = False

    def reply(self, to):
        got = plain(self.smtp.reply())
        self.ended = got == "" or got.startswith("(")
        self.replies.append((to, "(closed)" if self.ended else got))
        return got

    def send(self, data):
        try:
            self.smtp.send(data)
        except OSError:
            self.ended = True

    def run(self, text):
        lines = text.strip("\n").split("\n")
        skipping = False
        if lines[0].startswith("> "):
            self.smtp.reply()
            self.send("XCLIENT " + lines.pop(0)[2:] + "\r\n")
        self.reply("")
        for line in lines:
            if self.ended:
                break
            if skipping or self.content:
                if self.content:
                    self.send(decode(line) + b"\r\n")
                if line == ".":
                    if self.content:
                        self.reply(line)
                    skipping = self.content = False
                continue
            silent = line.startswith("~")
            data = decode(line[1:] if silent else line.removesuffix("\\c"))
            self.send(data + (b"" if line.endswith("\\c") else b"\r\n"))
            if silent:
                continue
            got = self.reply(line)
            if line.upper().startswith("DATA"):
                self.content = got.startswith("354")
                skipping = not self.content and "." in lines[lines.index(line):]
        if self.ended is False:
            self.send(b"QUIT\r\n")
            self.reply("QUIT")
        self.smtp.close()
        return self.replies


def may_differ(theirs, ours):
    return any(re.fullmatch(a, theirs, re.S) and re.fullmatch(b, ours, re.S)
               for a, b, why in DIFFERENCES)


def compare(name, number, theirs, ours):
    for (command, want), (_, got) in zip(theirs, ours):
        check(want == got or may_differ(want, got),
              f"{name} {number}: {command!r}\n   Postfix: {want!r}\n   Postern: {got!r}")
    check_equal(len(ours), len(theirs), f"{name} {number}: replies")


def run(name):
    settings = {**BASE, **SETTINGS.get(name, {})}
    with Postfix37(settings) as peer, Instance(settings) as mta:
        mta.write_configuration(virtual_mailbox_base=mta.mail)
        peer.start()
        mta.start()
        for number, text in enumerate(DIALOGUES[name].strip("\n").split("\n\n"), 1):
            compare(name, number, Session(peer).run(text), Session(mta).run(text))


if not is_root():
    skip("needs root: Postfix runs as root only")
check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
for which in sys.argv[1:] or DIALOGUES:
    run(which)
finish()
