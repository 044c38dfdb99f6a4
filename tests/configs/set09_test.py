#!/usr/bin/env python3
"""09-backup-mx: relay_domains, ETRN and the list of exchangers that ends at ourselves.

The README lets 192.0.2.x ask for its mail; but check_etrn_access looks for the domain that ETRN
names, so nobody outside of mynetworks may. Not seen here: what is verified of beta.example, times of
days, the start with 50,000 messages, and the concurrency of relay."""
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flows import INSIDE, Site, check_equal, check_match, finish

CLIENT, FRIEND = "203.0.113.7", "192.0.2.50"
ZONE = {("alpha.example", "MX"): [(10, "mx1.alpha.example"), (20, "mx2.friends.example"),
                                  (30, "mx3.alpha.example")],
        ("mx1.alpha.example", "A"): ["192.0.2.10"], ("mx3.alpha.example", "A"): ["192.0.2.30"],
        ("mx2.friends.example", "A"): [INSIDE],
        ("ours.example", "MX"): [(10, "mx2.friends.example")],
        ("proxied.example", "MX"): [(10, "front.friends.example"), (20, "mx3.alpha.example")],
        ("front.friends.example", "A"): ["198.51.100.77"]}


def queued(site, rcpt):
    """Accepted while the first exchanger is away; gives the queue id when it is deferred."""
    smtp = site.client(CLIENT)
    queue_id = smtp.message("a@outside.example", rcpt, "Subject: x\n\nx")
    smtp.close()
    site.mta.wait_for_log(rf"{queue_id}: to=<{rcpt}>.* status=deferred \(connect to "
                          r"mx1\.alpha\.example\[192\.0\.2\.10\]:25: Connection refused\)")
    return queue_id


def etrn(site, source, reply):
    smtp = site.client(source)
    smtp.say("ETRN alpha.example", reply)
    smtp.say("QUIT", "221")
    smtp.close()


with Site("09-backup-mx", ZONE) as host:
    worse = host.host("192.0.2.30")
    host.start()
    waiting = queued(host, "ann@alpha.example")
    host.refused(CLIENT, "a@outside.example", "zoe@alpha.example",
                 "550 5.1.1 <zoe@alpha.example>: Recipient address rejected: User unknown in "
                 "relay recipient table")
    host.refused(CLIENT, "a@outside.example", "x@far.example", "554 5.7.1 ")
    first = host.host("192.0.2.10")
    etrn(host, CLIENT, "554 ")
    etrn(host, FRIEND, "554 ")
    etrn(host, "127.0.0.1", "250 ")
    host.mta.wait_for_log(rf"postfix/relay/smtp\[\d+\]: {waiting}: .* status=sent")
    check_equal(first.mail[-1].rcpts, ["ann@alpha.example"], "ETRN sends what waits")
    first.close()
    waiting = queued(host, "bob@alpha.example")
    first = host.host("192.0.2.10")
    check_equal(host.mta.run("postqueue", "-s", "alpha.example").returncode, 0, "postqueue -s")
    host.mta.wait_for_log(rf"{waiting}: .* status=sent")
    check_equal(first.mail[-1].rcpts, ["bob@alpha.example"], "so does postqueue -s")
    for rcpt in ("x@ours.example", "x@proxied.example"):
        log = host.send("127.0.0.1", "a@outside.example", rcpt, "Subject: x\n\nx\n")
        check_match(r"dsn=5\.4\.6, status=bounced \(.*mail.* loops back to myself\)|"
                    r"status=bounced \(mail loops back to myself\)", log, f"{rcpt} leads to us")
    check_equal(worse.mail, [], "nothing for exchangers that are worse than we are")
finish()
