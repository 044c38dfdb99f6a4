#!/usr/bin/env python3
"""Restriction lists against Debian's Postfix 3.7: configurations that a generator makes up
(restriction_cases.py), each on a port of its own, and dialogues with them; both systems ask one DNS
server. Replies and what is logged about decisions have to be the same, but for DIFFERENCES.

restrictions_test.py FIRST COUNT [SEED] looks at these configurations only, and prints all that differs."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import Instance, Smtp, check, check_equal, finish, is_root, skip
from postfix37 import Postfix37, free_nameserver, is_there
from restriction_cases import BASE, ZONE, cases

TOGETHER = 12    # configurations in one instance
DIALOGUES = 6    # with each
# How many configurations: with six dialogues each, 360 pairs in a long test.
COUNT = {"quick": 4, "long": 60}.get(os.environ.get("TEST_MODE"), 8)
LOGGED = re.compile(r"smtpd\[\d+\]: \w+: ((?:reject|reject_warning|hold|discard|filter|redirect|bcc|"
                    r"warn|info|permit): .*)")
# (pattern of Postfix 3.7's reply or line, pattern of ours, why)
DIFFERENCES = []


def lines(configurations):
    """master.cf: one listener for each configuration."""
    for number, settings in enumerate(configurations):
        overrides = " ".join("-o { %s = %s }" % item for item in settings.items())
        yield "127.0.0.1:{port%d} inet n - n - - smtpd %s" % (number + 1, overrides)


def plain(text):
    text = re.sub(r"queued as \w+", "queued as ID", text.replace("Postern", "Postfix"))
    return re.sub(r"\]:\d+", "]:PORT", text.replace("\r\n", "\n").rstrip("\n"))


def converse(mta, port, dialogue):
    """[(command, reply)], and what was logged meanwhile."""
    since = mta.log_position()
    smtp = Smtp(mta.port(port), greeting=None)
    said = [("", plain(smtp.reply()))]
    for line in dialogue:
        try:
            smtp.send(line + "\r\n")
        except OSError:
            break
        said.append((line, plain(smtp.reply())))
        if said[-1][1].startswith("354"):
            smtp.send("Subject: x\r\n\r\nx\r\n.\r\n")
            said.append((".", plain(smtp.reply())))
    smtp.close()
    mta.wait_for_log(r"smtpd\[\d+\]: disconnect from", since=since)
    text = mta.log_text(since)
    logged = [plain(line) for line in LOGGED.findall(text)]
    return [s for s in said if not s[1].startswith("250-")], logged


def is_known(theirs, ours):
    return any(re.match(a, theirs, re.S) and re.match(b, ours, re.S) for a, b, _ in DIFFERENCES)


def compare(number, settings, dialogue, theirs, ours):
    what = f"configuration {number}: {settings}\n\t{dialogue}"
    good = check_equal(len(ours[0]), len(theirs[0]), f"number of replies, {what}")
    for (line, want), (_, got) in zip(theirs[0], ours[0]):
        if not is_known(want, got):
            good = check_equal(got, want, f"reply to {line!r}, {what}") and good
    if good and not any(is_known(w, g) for w, g in zip(theirs[1], ours[1])):
        check_equal(ours[1], theirs[1], f"log of {what}")


def run(first, group, nameserver):
    configurations = [settings for settings, _ in group]
    theirs = Postfix37(BASE, extra_services=list(lines(configurations)), nameserver=nameserver)
    ours = Instance({**BASE, "dns_servers": nameserver}, extra_services=list(lines(configurations)))
    with theirs, ours:
        theirs.start()
        ours.start()
        for number, (settings, dialogues) in enumerate(group):
            for dialogue in dialogues:
                compare(first + number, settings, dialogue,
                        converse(theirs, number + 1, dialogue),
                        converse(ours, number + 1, dialogue))


def main():
    if not is_root():
        skip("needs root: Postfix runs as root only")
    check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
    arguments = [int(a) for a in sys.argv[1:]]
    first, count = arguments[:2] if arguments else (0, COUNT)
    everything = cases(first + count, DIALOGUES, *arguments[2:])
    nameserver = free_nameserver()
    with DnsServer(ZONE, nameserver, 53):
        for at in range(first, first + count, TOGETHER):
            run(at, everything[at:min(at + TOGETHER, first + count)], nameserver)
    finish()


main()
