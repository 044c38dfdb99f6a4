#!/usr/bin/env python3
"""arc_mode and arc_trusted_sealers in the running system, with chains of ValiMail's suite: what is
told, and whose word saves a message from its author's policy."""
import os
import re
import sys
import yaml
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import Instance, check, check_equal, check_match, finish, mail_user, wait_until

SHARED = os.path.join(os.environ.get("POSTERN_SHARED", "../shared"), "vectors")
US = "mx.box.example"
TRUST = "inline:{{ {{example.org = {}}} }}"


class Site:
    def __init__(self, mta):
        with open(os.path.join(SHARED, "arc-valimail", "arc-draft-validation-tests.yml")) as file:
            section = next(yaml.safe_load_all(file))
        self.mta = mta
        self.zone = {(name, "TXT"): [text] for name, text in section["txt-records"].items()}
        self.zone["_dmarc.d1.example.org", "TXT"] = ["v=DMARC1; p=reject"]
        self.one, self.two = (section["tests"][name]["message"] for name in ("cv_pass_i1_1", "cv_pass_i2_1"))

    def configure(self, **changes):
        self.mta.write_configuration(**{
            "mydestination": "", "local_recipient_maps": "", "myhostname": US,
            "virtual_mailbox_domains": "box.example", "virtual_mailbox_maps": "static:u/",
            "virtual_mailbox_base": self.mta.mail, "virtual_minimum_uid": "1",
            "virtual_uid_maps": f"static:{mail_user().pw_uid}",
            "virtual_gid_maps": f"static:{mail_user().pw_gid}", "mynetworks": "127.0.0.0/8",
            "smtpd_authorized_xclient_hosts": "127.0.0.1",
            "smtpd_relay_restrictions": "permit_mynetworks,reject_unauth_destination",
            "dns_servers": f"127.0.0.1:{self.dns.port}", "dkim_mode": "off", "spf_mode": "off",
            "dmarc_mode": "enforce", "dmarc_quarantine_action": "hold", "arc_mode": "tag",
            "arc_trusted_sealers": "", **changes})

    def again(self, **changes):
        self.configure(**changes)
        self.mta.reload()

    def answer(self, text):
        smtp = self.mta.smtp()
        smtp.say("EHLO proxy.example", "250")
        smtp.say("XCLIENT ADDR=192.0.2.7 NAME=far.example", "220")
        smtp.say("EHLO far.example", "250")
        smtp.say("MAIL FROM:<ann@far.example>", "250")
        smtp.say("RCPT TO:<u@box.example>", "250")
        smtp.say("DATA", "354")
        smtp.send(text.replace("\n", "\r\n") + ".\r\n")
        said = smtp.reply()
        smtp.close()
        return said

    def arrives(self, text):
        """Our Authentication-Results on what is delivered."""
        queued = re.search(r"queued as (\w+)", said := self.answer(text))
        if not check(queued, f"not queued: {said}"):
            return ""
        self.mta.wait_for_log(rf"{queued[1]}: to=.*status=sent")
        mail = next(m for m in self.mta.maildir("u", 1) if queued[1] in m)
        found = re.search(rf"(?m)^Authentication-Results: {US};((?:.*\n[\t ])*.*)$", mail)
        return re.sub(r"\s+", " ", found[1]).strip() if found else ""


def told(site):
    site.again(dmarc_mode="off")
    check_equal(site.arrives(site.one), "dkim=none; arc=pass (i=1 d=example.org)", "one sealer")
    check_equal(site.arrives(site.two), "dkim=none; arc=pass (i=2 d=example.org)", "two")
    check_equal(site.arrives(site.one + "more\n"), 'dkim=none; arc=fail (i=1 d=example.org) '
                'reason="message signature 1: the body has been changed"', "changed since")
    check_equal(site.arrives("From: ann@far.example\n\nhello\n"), "dkim=none; arc=none", "nobody sealed")
    at = site.mta.log_position()
    site.again(dmarc_mode="off", arc_mode="log")
    check_equal(site.arrives(site.one), "", "log only")
    site.mta.wait_for_log(r"authentication: dkim=none; arc=pass \(i=1 d=example.org\)$", since=at)
    at = site.mta.log_position()
    site.again(dmarc_mode="off", arc_mode="off")
    check_equal(site.arrives(site.one), "", "off")
    check_equal(site.mta.logged("authentication:", since=at), 0, "nothing is said")


def trusted(site):
    mta = site.mta
    refused = r"^550 5\.7\.26 not accepted, by the DMARC policy of d1.example.org"
    for what, settings, text in (
            ("nobody is trusted", {}, site.one),
            ("another one is", {"arc_trusted_sealers": "inline:{ {d1.example.org = none} }"}, site.one),
            ("chains are not looked at", {"arc_mode": "off", "arc_trusted_sealers": TRUST.format("none")}, site.one),
            ("the chain is broken", {"arc_trusted_sealers": TRUST.format("none")}, site.one + "more\n"),
            ("there is a second author", {"arc_trusted_sealers": TRUST.format("none")},
             "From: eve@far.example\n" + site.one),
            ("the table says something else", {"arc_trusted_sealers": TRUST.format("yes")}, site.one)):
        site.again(**settings)
        check_match(refused, site.answer(text), what)
    mta.wait_for_log(r'arc_trusted_sealers: example.org: "yes": wanted is none or quarantine$')
    site.again(arc_trusted_sealers=TRUST.format("none"))
    for n, text in ((1, site.one), (2, site.two)):
        check_equal(site.arrives(text), "spf=none smtp.mailfrom=far.example; dkim=none; "
                    "dmarc=fail (p=reject dis=none) "
                    f"header.from=d1.example.org; arc=pass (i={n} d=example.org)", f"{n} trusted")
    site.again(arc_trusted_sealers=TRUST.format("quarantine"))
    at = mta.log_position()
    qid = re.search(r"queued as (\w+)", site.answer(site.one))[1]
    mta.wait_for_log(rf"{qid}: hold: DMARC from .*: d1.example.org$", since=at)
    wait_until(lambda: f"{qid}!" in mta.run("postqueue", "-p").stdout, "it to be held")
    site.again(arc_trusted_sealers="texthash:" + os.path.join(mta.home, "not-there"))
    check_match(r"^451 4\.3\.0 ", site.answer(site.one), "a table that fails")


def in_doubt(site):
    site.zone["dummy._domainkey.example.org", "TXT"] = "SERVFAIL"
    with DnsServer(site.zone) as site.dns:
        site.configure(arc_trusted_sealers=TRUST.format("none"))
        site.mta.start()
        check_match(r"^451 4\.7\.0 ", site.answer(site.one), "a key that may come")
        site.again()
        check_match(r"^550 5\.7\.26 ", site.answer(site.one), "of one who is not trusted")


with Instance() as mta:
    site = Site(mta)
    with DnsServer(site.zone) as site.dns:
        os.chown(mta.mail, mail_user().pw_uid, mail_user().pw_gid)
        site.configure()
        mta.start()
        told(site)
        trusted(site)
    check_equal(mta.logged("refused by the jail"), 0, "nothing is wanted that is not there")
with Instance() as mta:
    in_doubt(Site(mta))
finish()
