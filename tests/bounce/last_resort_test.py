#!/usr/bin/env python3
"""Mail of the mail system itself where $myorigin is not $myhostname, and mail to its address of last
resort, compared with Debian's Postfix 3.7: who the sender and the recipient are, in the envelope,
in the header and in the log."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "smtp"))
from harness import Instance, check, check_equal, finish, is_root, skip, wait_until
from postfix37 import Postfix37, is_there
from sink import Sink

SETTINGS = {"myorigin": "origin.example", "myhostname": "host.example",
            "mydestination": "host.example, local.example", "local_transport": "local",
            "local_recipient_maps": "", "alias_maps": "", "alias_database": "",
            "notify_classes": "protocol, bounce, 2bounce",
            "transport_maps": "inline:{gone.example=error:gone}",
            "smtpd_reject_unlisted_recipient": "no"}
RECORD = re.compile(r"(\w+)\[\d+\]: \w+: (to=<.*?>, (?:orig_to=<.*?>, )?relay=\S+),.*"
                    r"(dsn=\S+, status=\w+ \([^2].*)")


def records(mta):
    return sorted({m.groups() for m in map(RECORD.search, mta.log_text().splitlines()) if m})


def seen(kind):
    """(delivery records, envelopes and header lines of what came to the postmaster)"""
    with Sink() as sink, kind(SETTINGS) as mta:
        mta.write_configuration(relayhost=f"[127.0.0.1]:{sink.port}")
        mta.start()
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250")
        for sender, rcpt in (("a@x.example", "double-bounce@local.example"),
                             ("a@x.example", "Double-Bounce@HOST.example"),
                             ("a@origin.example", "x@gone.example"), ("", "y@gone.example")):
            smtp.message(sender, rcpt, "Subject: x\n\nbody\n")
        smtp.say("FOO", "50")
        smtp.say("QUIT", "221")
        smtp.close()
        wait_until(lambda: len(sink.messages) == 4, "two notices, a copy, and a transcript")
        envelopes = sorted(line for _, line in sink.commands if line.startswith(("MAIL", "RCPT")))
        heads = sorted(line.decode().rstrip() for _, lines in sink.messages for line in lines
                       if line.startswith((b"From:", b"To:")))
        return records(mta), envelopes, heads


ours = seen(Instance)
check(("qmgr", "to=<double-bounce@local.example>, relay=none",
       "dsn=2.0.0, status=sent (undeliverable postmaster notification discarded)") in ours[0],
      f"the address of last resort: {ours[0]}")
check("From: Mail Delivery System <MAILER-DAEMON@host.example>" in ours[2], "a transcript's sender")
check("To: Postmaster <postmaster@origin.example>" in ours[2], "a transcript's recipient")
if is_root() and is_there():
    for got, want, what in zip(ours, seen(Postfix37), ("records", "envelopes", "header lines")):
        check_equal(got, want, what)
finish()
