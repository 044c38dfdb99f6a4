#!/usr/bin/env python3
"""spf_engine: libspf2 in mailauth judges, or only differs. And what it costs when it crashes or hangs:
one temperror, and nobody else's verdict."""
import os
import sys

from brittle_site import BRITTLE, Site, together
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import Instance, check_equal, finish, mail_user, skip

ZONE = {
    ("good.example", "TXT"): ["v=spf1 a mx ip4:192.0.2.0/24 ip6:2001:db8::/32 ~all"],
    ("good.example", "A"): ["198.51.100.1"], ("good.example", "MX"): [(10, "mx.good.example")],
    ("mx.good.example", "AAAA"): ["2001:db9::1"],
    ("ptr.example", "TXT"): ["v=spf1 ptr -all"],
    ("1.2.0.192.in-addr.arpa", "PTR"): ["h.ptr.example"], ("h.ptr.example", "A"): ["192.0.2.1"],
    ("late.example", "TXT"): "SERVFAIL",
    ("wrong.example", "TXT"): ["v=spf1 moo -all"],
    ("bomb.example", "TXT"): ["v=spf1 exists:" + 15000 * "%{s}" + ".example -all"],
    ("deep.example", "TXT"): ["v=spf1 include:deep.example -all"],
    # One of those that libspf2 gets wrong: more void look-ups than RFC 7208 section 4.6.4 has.
    ("voids.example", "TXT"): ["v=spf1 a:v1.example a:v2.example a:v3.example ip4:192.0.2.1 -all"],
}
VERDICTS = [("192.0.2.1", "u@good.example", "pass"), ("2001:db9::1", "u@good.example", "pass"),
            ("198.51.100.1", "u@good.example", "pass"), ("203.0.113.1", "u@good.example", "softfail"),
            ("192.0.2.1", "u@ptr.example", "pass"), ("192.0.2.2", "u@ptr.example", "fail"),
            ("192.0.2.1", "u@void.example", "none"), ("192.0.2.1", "u@late.example", "temperror"),
            ("192.0.2.1", "u@wrong.example", "permerror"), ("192.0.2.1", "u@deep.example", "permerror")]


def judges(site, dns):
    site.configure(dns, spf_engine="libspf2")
    for client, sender, want in VERDICTS:
        check_equal(site.verdict(client, sender), want, f"libspf2: {client} {sender}")
    # A harmless way to ask what might not be: the answer may be any but none at all.
    site.verdict("192.0.2.1", "u@bomb.example")
    site.mta.write_configuration(spf_mode="enforce")
    site.mta.reload()
    site.rcpt("192.0.2.2", "u@ptr.example", "550 5.7.23 <u@ptr.example>: Sender address rejected: "
              "[192.0.2.2] may not send for ptr.example (SPF)\r\n").close()
    site.rcpt("192.0.2.2", "u@late.example", "451 4.7.24 ").close()


def differs(site, dns):
    site.configure(dns, spf_engine="both")
    at = site.mta.log_position()
    for client, sender, want in VERDICTS:
        check_equal(site.verdict(client, sender), want, f"both: {client} {sender}")
    check_equal(site.mta.logged("spf-difference", since=at), 0, "where they agree")
    check_equal(site.verdict("192.0.2.1", "u@voids.example"), "permerror", "ours counts")
    site.mta.wait_for_log(r"\S+: spf-difference: RCPT from \S+: permerror mailfrom voids\.example: "
                          r"more than 2 look-ups that found nothing, but libspf2: pass mailfrom "
                          r"voids\.example; from=<u@voids\.example>", since=at)


def suffers(site, dns):
    """A word in the sender brings it down."""
    site.configure(dns, spf_engine="libspf2")
    site.becomes_brittle()
    at = site.mta.log_position()
    for word, want in [("hello", "pass"), ("library-once", "pass"), ("library-crash", "temperror"),
                       ("library-hang", "temperror"), ("hello", "pass")]:
        # The watchdog takes ten seconds to be sure, twice; whoever waits is served then.
        together(lambda: check_equal(site.verdict("192.0.2.1", f"{word}@good.example"), want, word),
                 lambda: check_equal(site.verdict("192.0.2.1", "u@good.example"), "pass",
                                     f"in its hands beside {word}"))
    check_equal(site.mta.logged(r"libspf2: no verdict for good\.example: mailauth: ", since=at), 2,
                "one line for each temperror")


def main():
    if not os.path.exists(BRITTLE):
        skip("needs libspf2 and libopendkim")
    with Instance() as mta:
        site = Site(mta)
        with DnsServer(ZONE) as dns:
            os.chown(mta.mail, mail_user().pw_uid, mail_user().pw_gid)
            site.configure(dns)
            mta.start()
            for part in judges, differs, suffers:
                part(site, dns)
        check_equal(mta.logged("refused by the jail"), 0, "nothing is wanted that is not there")
    finish()


main()
