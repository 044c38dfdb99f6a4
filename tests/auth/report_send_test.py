#!/usr/bin/env python3
"""dmarc_report_store: what strangers' mail was worth is counted, and postauth reports --send
tells those who want it, and nobody else."""
import email
import json
import os
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import Instance, check, check_equal, check_match, finish, mail_user

FAR, OTHER, SILENT = "far.example", "other.example", "silent.example"
ZONE = {
    (FAR, "TXT"): ["v=spf1 ip4:192.0.2.7 -all"],
    (f"_dmarc.{FAR}", "TXT"): ["v=DMARC1; p=reject; adkim=s; rua=mailto:reports@box.example!1m,"
                               "mailto:victim@else.example,mailto:small@box.example!10"],
    (f"{FAR}._report._dmarc.box.example", "TXT"): ["v=DMARC1"],
    (f"_dmarc.{OTHER}", "TXT"): ["v=DMARC1; p=quarantine; rua=mailto:reports@box.example"],
    (f"{OTHER}._report._dmarc.box.example", "TXT"): "SERVFAIL",
    (f"_dmarc.{SILENT}", "TXT"): ["v=DMARC1; p=none"],
}


class Site:
    def __init__(self, mta, folder):
        self.mta = mta
        self.store = os.path.join(folder, "reports")
        keys = os.path.join(mta.etc, "dkim")
        os.mkdir(keys, 0o700)
        mta.run("postauth", "keygen", "--selector", "s", "--key", os.path.join(keys, "s"),
                "box.example", as_user=False)

    def settings(self, dns):
        return {"mydestination": "", "local_recipient_maps": "", "mydomain": "box.example",
                "virtual_mailbox_domains": "box.example", "virtual_mailbox_maps": "static:u/",
                "virtual_mailbox_base": self.mta.mail, "virtual_minimum_uid": "1",
                "virtual_uid_maps": f"static:{mail_user().pw_uid}",
                "virtual_gid_maps": f"static:{mail_user().pw_gid}",
                "smtpd_authorized_xclient_hosts": "127.0.0.1", "mynetworks": "127.0.0.0/8",
                "dns_servers": f"127.0.0.1:{dns.port}", "dmarc_mode": "enforce",
                "dmarc_quarantine_action": "tag", "dmarc_report_store": self.store,
                "dmarc_report_email": "dmarc@box.example",
                "sendmail_path": os.path.join(self.mta.bin, "sendmail"), "dmarc_report_org_name": "Box & Co",
                "dkim_sign_maps": "inline:{ {box.example = s:s, domain=box.example} }"}

    def send(self, domain, client, answer="250"):
        smtp = self.mta.smtp()
        smtp.say("EHLO proxy.example", "250")
        smtp.say(f"XCLIENT ADDR={client} NAME={domain}", "220")
        smtp.say(f"EHLO {domain}", "250")
        smtp.say(f"MAIL FROM:<ann@{domain}>", "250")
        smtp.say("RCPT TO:<u@box.example>", "250")
        smtp.say("DATA", "354")
        smtp.send(f"From: ann@{domain}\r\nSubject: mail\r\n\r\nhello\r\n.\r\n")
        smtp.expect(answer)
        smtp.close()

    def report(self, status=0):
        done = self.mta.run("postauth", "reports", "--send", as_user=False)
        check_equal((done.returncode, done.stdout), (status, ""), f"--send: {done.stderr}")
        return done.stderr


def counted(site):
    site.send(FAR, "192.0.2.7")
    site.send(FAR, "192.0.2.7")
    site.send(FAR, "2001:db8::7", "550 5.7.26")
    site.send(SILENT, "192.0.2.9")
    site.send("none.example", "192.0.2.9")
    check_equal(oct(os.stat(site.store).st_mode & 0o777), "0o600", "nobody else reads it")
    check(os.stat(site.store).st_size > 0, "it is counted")


def sent(site):
    said = site.report()
    check_match("about far.example to small@box.example: larger than they want", said, "its limit")
    check_equal(os.stat(site.store).st_size, 0, "the store is empty")
    mails = [m for m in site.mta.maildir("u", 5) if "Report Domain:" in m]
    check_equal(len(mails), 1, "reports, to those who want them")
    mail = email.message_from_string(mails[0])
    identity = mail["Subject"].replace("\n", "").rpartition("Report-ID: ")[2]
    check_match(r"^Report Domain: far.example Submitter: box.example Report-ID: <\S+@box.example>$",
                mail["Subject"].replace("\n", ""), "Subject")
    check_equal((mail["From"], mail["To"]), ("<dmarc@box.example>", "<reports@box.example>"), "who")
    check_match("d=box.example; s=s;", mail["DKIM-Signature"] or "", "it is signed")
    check("victim@" not in site.mta.log_text(), "an address that did not ask for it")
    part = mail.get_payload()[1]
    check_equal(part.get_content_type(), "application/gzip", "its type")
    check_match(r"^box.example!far.example!\d+!\d+\.xml\.gz$", part.get_filename(), "its name")
    done = site.mta.run("postauth", "reports", "--json", "-", input=mails[0])
    report = json.loads(done.stdout)
    check_equal([report[key] for key in ("domain", "org_name", "email", "p", "sp", "adkim", "aspf")],
                [FAR, "Box & Co", "dmarc@box.example", "reject", "reject", "s", "r"], "its head")
    check_equal(f"<{report['report_id']}>", identity, "its id")
    check(report["begin"] <= report["end"], "its time")
    check_equal([[row[key] for key in ("count", "source_ip", "disposition", "dkim", "spf",
                                       "header_from", "envelope_from", "spf_results")]
                 for row in report["records"]],
                [[2, "192.0.2.7", "none", "fail", "pass", FAR, FAR,
                  [{"domain": FAR, "scope": "mfrom", "result": "pass"}]],
                 [1, "2001:db8::7", "reject", "fail", "fail", FAR, FAR,
                  [{"domain": FAR, "scope": "mfrom", "result": "fail"}]]], "its records")
    check_equal(site.report(), "", "nothing is left to report")


def kept(site, dns):
    """What the DNS does not tell now is asked again the next time."""
    site.send(OTHER, "192.0.2.9")
    check_match("about other.example: kept for the next time", site.report(status=1), "later")
    dns.zone[f"{OTHER}._report._dmarc.box.example", "TXT"] = ["v=DMARC1"]
    before = site.mta.logged("postfix/pickup.*from=<dmarc@box.example>")
    check_equal(site.report(), "", "now")
    site.mta.wait_for_log("postfix/pickup.*from=<dmarc@box.example>", before + 1)


def off(site, settings):
    os.unlink(site.store)
    site.mta.write_configuration(**{**settings, "dmarc_report_store": ""})
    site.mta.reload()
    site.send(FAR, "192.0.2.7")
    check(not os.path.exists(site.store), "nothing is counted when it is not wanted")
    check_match("dmarc_report_store is empty", site.report(status=1), "nothing to send")


with tempfile.TemporaryDirectory(prefix="postern-report-") as store, Instance() as daemons:
    here = Site(daemons, store)
    with DnsServer(ZONE) as server:
        os.chown(daemons.mail, mail_user().pw_uid, mail_user().pw_gid)
        os.chown(store, mail_user().pw_uid, mail_user().pw_gid)
        daemons.write_configuration(**here.settings(server))
        daemons.start()
        counted(here)
        sent(here)
        kept(here, server)
        off(here, here.settings(server))
finish()
