#!/usr/bin/env python3
"""reject_dmarc_fail in lists of smtpd: refuses what an author's policy wants refused, at the end of the
message, only for whom the list gets there, and what of DMARC, DKIM and SPF milters hear as macros."""
import os
import sys

from brittle_site import Site
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p) for p in ("..", "../milter")]
from dns_server import DnsServer
from harness import Instance, check, check_equal, finish, mail_user
from recorder import Recorder

ZONE = {("_dmarc.firm.example", "TXT"): ["v=DMARC1; p=reject"],
        ("_dmarc.mild.example", "TXT"): ["v=DMARC1; p=quarantine"],
        ("firm.example", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"]}
OURS, OTHER = "192.0.2.1", "203.0.113.9"  # firm.example's own client, and one that is not
TEXT = "From: ann@{}\nSubject: x\n\nhello\n"
REFUSAL = "550 5.7.26 not accepted, by the DMARC policy of firm.example\r\n"


def answer(site, client, author, sender="u@firm.example"):
    smtp = site.rcpt(client, sender)
    smtp.send("DATA\r\n")
    smtp.expect("354 ")
    smtp.send(TEXT.format(author).replace("\n", "\r\n") + ".\r\n")
    said = smtp.reply()
    smtp.close()
    return said


def refuses(site, dns):
    access = f"check_client_access inline:{{ {OTHER}=OK }}"
    for settings, refused in [
            ({"smtpd_sender_restrictions": "reject_dmarc_fail"}, True),
            ({"smtpd_data_restrictions": "reject_dmarc_fail"}, True),
            ({"smtpd_data_restrictions": f"{access}, reject_dmarc_fail"}, False),
            ({"smtpd_data_restrictions": "warn_if_reject reject_dmarc_fail"}, False),
            ({"smtpd_data_restrictions": "reject_dmarc_fail", "dkim_exempt_clients": OTHER}, False),
            ({}, False)]:
        site.configure(dns, **{"smtpd_sender_restrictions": "", "smtpd_data_restrictions": "",
                               "dkim_exempt_clients": "", "dmarc_mode": "log", **settings})
        at = site.mta.log_position()
        said = answer(site, OTHER, "firm.example")
        check_equal(said == REFUSAL, refused, f"{settings}: {said}")
        check(said.startswith("550 " if refused else "250 "), said)
        warned = "warn_if_reject" in settings.get("smtpd_data_restrictions", "")
        check_equal(site.mta.logged(r": reject_warning: DMARC from .*: firm\.example$", since=at),
                    int(warned), f"{settings}: a warning")
        for client, author in (OURS, "firm.example"), (OTHER, "mild.example"), (OTHER, "none.example"):
            said = answer(site, client, author)
            check(said.startswith("250 "), f"{settings}: {client} {author}: {said}")


def exempt(site, dns):
    """Whose mail is not verified, of him the DNS is not asked for DMARC's sake."""
    for client, asked in (OTHER, False), (OURS, True):
        site.configure(dns, smtpd_data_restrictions="", dmarc_mode="log", dkim_exempt_clients=OTHER)
        site.mta.write_configuration(spf_mode="off")
        site.mta.reload()
        at = len(dns.asked)
        said = answer(site, client, "firm.example")
        check(said.startswith("250 "), said)
        check_equal(len(dns.asked) > at, asked, f"{client}: {dns.asked[at:]}")


def tells_milters(site, dns):
    names = "{spf_result} {dkim_result} {dmarc_result} {dmarc_policy} {arc_result} i"
    milter = Recorder()
    site.configure(dns, smtpd_milters=milter.endpoint, smtpd_data_restrictions="", dkim_exempt_clients="",
                   dmarc_mode="log", milter_end_of_data_macros=names, milter_mail_macros="i")
    for client, want in [(OURS, "{spf_result}=pass {dkim_result}=none {dmarc_result}=pass "
                                "{dmarc_policy}=none"),
                         (OTHER, "{spf_result}=fail {dkim_result}=none {dmarc_result}=fail "
                                 "{dmarc_policy}=reject")]:
        said = answer(site, client, "firm.example")
        check(said.startswith("250 "), said)
        told = [event for event in milter.events() if event.startswith("D E")]
        check_equal(len(told), 1, f"macros at the end of data: {milter.events()}")
        said = told[0] if told else ""
        check(want in said, f"{client}: {said}, not {want}")
        check("{arc_result}" not in said, f"arc_mode is off: {said}")


with Instance() as mta, DnsServer(ZONE) as server:
    host = Site(mta)
    os.chown(mta.mail, mail_user().pw_uid, mail_user().pw_gid)
    host.configure(server)
    mta.start()
    refuses(host, server)
    exempt(host, server)
    tells_milters(host, server)
finish()
