#!/usr/bin/env python3
"""Mail to a simulated Internet: 50 sets of MX hosts, some of them slow, greylisting, limiting, dead,
lying in DNS, or broken in TLS. Each message ends delivered, once, or bounced or deferred, for the
right reason."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check_equal, check_match, finish, wait_until
from load import LONG
from world import Internet, UNREACHABLE, instance, send_all

MESSAGES = 100_000 if LONG else 2000

TAKEN = ("sent", r"250 2\.0\.0 taken")
HOST = r"mx\d\.set\d+\.test\[[\d.]+\]"
ENDS = {  # of each kind: status and reason
    "healthy": TAKEN,
    "slow": TAKEN,
    "greylisting": TAKEN,
    "limiting": TAKEN,
    "half": TAKEN,
    "broken TLS": TAKEN,
    "refusing": ("deferred", rf"connect to {HOST}:\d+: Connection refused"),
    "black hole": ("deferred", rf"connect to {HOST}:\d+: Connection timed out"),
    "silent": ("deferred", rf"conversation with {HOST} timed out while receiving the initial "
               "server greeting"),
    "unknown host": ("bounced", r"Name service error for name=mx\d\.set\d+\.test type=A: "
                     "Host not found"),
    "no answer": ("deferred", r"Name service error for name=d\d+\.test type=MX: "
                  "Host not found, try again"),
    "null": ("bounced", r"does not accept mail \(nullMX\)"),
}
FATE = re.compile(r"(?:smtp|qmgr)\[\d+\]: \w+: to=<(.*?)>, .*dsn=(\S+), status=(\w+) \((.*)\)$", re.M)


class Fates:
    """Of each recipient what the log said of him last."""

    def __init__(self, mta, wanted):
        self.mta, self.at, self.wanted = mta, 0, wanted  # recipient: status to wait for
        self.last, self.missing = {}, set(wanted)

    def are_all_known(self):
        text = self.mta.log_text(self.at)
        self.at += len(text[:text.rfind("\n") + 1].encode())
        for recipient, dsn, status, reason in FATE.findall(text):
            self.last[recipient] = (status, dsn, reason)
            if status == self.wanted.get(recipient):
                self.missing.discard(recipient)
        return not self.missing


def each_message_has_its_end(mta, net):
    recipients = {net.recipient(i): net.kind(i) for i in range(MESSAGES)}
    check_equal(send_all(mta, net, MESSAGES), [], "messages not taken")
    fates = Fates(mta, {r: ENDS[kind][0] for r, kind in recipients.items()})
    wait_until(fates.are_all_known, "an end for each message", 1500 if LONG else 120)
    for recipient, kind in recipients.items():
        status, dsn, reason = fates.last.get(recipient, ("", "", "nothing"))
        check_match(ENDS[kind][1], reason, f"{kind}, {recipient}: {status} {dsn}")
    seen = net.report()
    for recipient, kind in recipients.items():
        taken = seen[kind].taken[recipient]
        check_equal(taken, int(kind not in UNREACHABLE), f"{kind}: copies for {recipient}")


with Internet(1000) as net, instance(net) as mta:
    mta.start()
    each_message_has_its_end(mta, net)
finish()
