#!/usr/bin/env python3
"""Names of clients and DNS lists: questions go out together, are asked once, and hold up only those
who wait for them."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import Instance, check, check_equal, finish, wait_until

LISTS = ("one.example", "two.example", "three.example")
REVERSED = "2.0.0.127"
ZONE = {
    (f"{REVERSED}.three.example", "A"): ["127.0.0.2"],
    (f"{REVERSED}.three.example", "TXT"): ["listed"],
    ("3.0.0.127.in-addr.arpa", "PTR"): ["quick.example"], ("quick.example", "A"): ["127.0.0.3"],
    ("4.0.0.127.in-addr.arpa", "PTR"): ["liar.example"], ("liar.example", "A"): ["127.0.0.99"],
}


class Together(DnsServer):
    """Does not answer about any of the lists before it was asked about all of them."""

    def answer(self, packet, most):
        reply = super().answer(packet, most)
        name = self._question(packet)[0]
        wanted = {f"{REVERSED}.{zone}" for zone in LISTS}
        return None if name in wanted and not wanted <= {n for n, _ in self.asked} else reply


def lists():
    with Together(ZONE) as dns, Instance({
            "dns_servers": f"127.0.0.1:{dns.port}", "mydestination": "here.example",
            "local_recipient_maps": "", "smtpd_peername_lookup": "no", "mynetworks": "127.0.0.1",
            "smtpd_client_restrictions": ", ".join(f"reject_rbl_client {zone}" for zone in LISTS),
            }) as mta:
        mta.start()
        smtp = mta.smtp(source=("127.0.0.2", 0))
        smtp.say("EHLO client.example", "250-")
        asked = None
        for _ in range(2):
            smtp.say("MAIL FROM:<a@far.example>", "250 ")
            smtp.say("RCPT TO:<joe@here.example>", "554 5.7.1 Service unavailable; Client host "
                     "[127.0.0.2] blocked using three.example; listed")
            smtp.say("RSET", "250 ")
            asked = asked or len(dns.asked)
        smtp.say("QUIT", "221 ")
        smtp.close()
        check_equal(dns.asked[asked:], [], "questions for the second message")


def names():
    zone = {**ZONE, ("2.0.0.127.in-addr.arpa", "PTR"): "DROP"}
    with DnsServer(zone) as dns, Instance({
            "dns_servers": f"127.0.0.1:{dns.port}", "mydestination": "here.example",
            "local_recipient_maps": "", "mynetworks": "127.0.0.1",
            "smtpd_client_restrictions": "reject_unknown_client_hostname",
            "unknown_client_reject_code": "550"}) as mta:
        mta.start()
        # One waits for its name; the other has one meanwhile.
        slow = mta.smtp(source=("127.0.0.2", 0), greeting=None)
        wait_until(lambda: ("2.0.0.127.in-addr.arpa", "PTR") in dns.asked, "the slow question")
        for address, reply in (("127.0.0.3", "250 2.1.5"),
                               ("127.0.0.4", "550 5.7.25 Client host rejected: cannot find your "
                                             "hostname, [127.0.0.4]"),
                               ("127.0.0.5", "550 5.7.25")):
            smtp = mta.smtp(source=(address, 0))
            smtp.say("EHLO client.example", "250-")
            smtp.say("MAIL FROM:<a@far.example>", "250 ")
            smtp.say("RCPT TO:<joe@here.example>", reply)
            smtp.say("QUIT", "221 ")
            smtp.close()
        check("connect from unknown[127.0.0.2]" not in mta.log_text(), "it still waits")
        mta.wait_for_log(r"connect from quick\.example\[127\.0\.0\.3\]")
        mta.wait_for_log(r"warning: hostname liar\.example does not resolve to address 127\.0\.0\.4")
        slow.close()


lists()
names()
finish()
