#!/usr/bin/env python3
"""dkim_mode in the running system: Authentication-Results on mail from strangers and on nobody
else's, ours that are not ours taken off, a mailauth that crashes, hangs or is not there."""
import os
import re
import signal
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import (Instance, check, check_equal, check_match, finish, kill, mail_user, program,
                     wait_until)

US = "mx.box.example"
TEXT = "From: Ann <ann@far.example>\nTo: u@box.example\nSubject: {}\nMessage-ID: <1@far.example>\n\nhello\n"


def field(text):
    """Our Authentication-Results, on one line."""
    found = re.findall(rf"(?m)^Authentication-Results: {US};((?:.*\n[\t ])*.*)$", text)
    check(len(found) <= 1, f"several of ours: {found}")
    return re.sub(r"\s+", " ", found[0]).strip() if found else None


class Site:
    def __init__(self, mta, folder):
        self.mta, self.folder = mta, folder
        done = subprocess.run([program("postauth"), "keygen", "--selector", "s", "far.example"],
                              cwd=folder, capture_output=True, text=True)
        self.record = "".join(re.findall(r'"(.*?)"', done.stdout))
        self.zone = {("s._domainkey.far.example", "TXT"): [self.record],
                     ("far.example", "TXT"): ["v=spf1 ip4:192.0.2.7 -all"],
                     ("_dmarc.far.example", "TXT"): ["v=DMARC1; p=reject"],
                     ("_dmarc.q.example", "TXT"): ["v=DMARC1; p=quarantine"]}

    def signed(self, text):
        done = subprocess.run([program("postauth"), "sign", "--key",
                               f"{self.folder}/s.far.example.pem", "--domain", "far.example",
                               "--selector", "s"], input=text, capture_output=True, text=True)
        check_equal(done.returncode, 0, f"sign: {done.stderr}")
        return done.stdout

    def send(self, text, client="192.0.2.7", rcpt="u@box.example"):
        smtp = self.mta.smtp()
        smtp.say("EHLO proxy.example", "250")
        smtp.say(f"XCLIENT ADDR={client} NAME=far.example", "220")
        smtp.say("EHLO far.example", "250")
        qid = smtp.message("ann@far.example", [rcpt], text.rstrip("\n"))
        smtp.close()
        return qid

    def arrives(self, text, client="192.0.2.7"):
        qid = self.send(text, client)
        self.mta.wait_for_log(rf"{qid}: to=.*status=sent")
        for mail in self.mta.maildir("u", 1):
            if f"id {qid}" in mail or f"\tid {qid}" in mail:
                return mail
        check(False, f"{qid} is not in the mailbox")
        return ""


def told(site):
    text = site.signed(TEXT.format("signed"))
    said = field(site.arrives(text))
    check_match(r"spf=pass smtp.mailfrom=far.example; dkim=pass header.d=far.example header.s=s "
                r"header.a=rsa-sha256 header.b=\S+$", said or "", "a stranger who signed")
    site.mta.wait_for_log(r"authentication: spf=pass .*; dkim=pass header.d=far.example")
    mail = site.arrives(text)
    check(mail.index("Authentication-Results:") < mail.index("Received: "), "on top of it")
    said = field(site.arrives(text.replace("hello", "hallo"), "192.0.2.8"))
    check_match(r"spf=fail .*dkim=fail reason=.*header.d=far.example", said or "", "changed, and by whom")
    check_match("dkim=none$", field(site.arrives(TEXT.format("plain"))) or "", "nobody signed")
    large = site.signed(TEXT.format("large") + "0123456789\n" * 150000)
    check_match("dkim=pass", field(site.arrives(large)) or "", "1.6 MB")


def requeued(site):
    """What was judged when it came is not judged again, with less to go by."""
    mta = site.mta
    mta.write_configuration(**{**settings(mta, site), "dmarc_mode": "enforce",
                               "defer_transports": "virtual"})
    mta.reload()
    qid = site.send(TEXT.format("again"))
    mta.wait_for_log(rf"{qid}: to=.*status=deferred")
    mta.write_configuration(defer_transports="")
    mta.reload()
    mta.run("postsuper", "-r", qid)
    mta.wait_for_log(rf"orig_id={qid}$")
    again = re.search(rf"(\w+): uid=\d+ .*orig_id={qid}\n", mta.log_text())[1]
    mta.wait_for_log(rf"{again}: to=.*status=sent")
    mail = next(m for m in mta.maildir("u", 1) if again in m)
    check_match("spf=pass .*dkim=none; dmarc=pass", field(mail) or "", "still told")


def claimed(site):
    """What says that it is ours, in whatever spelling."""
    claims = [f"Authentication-Results: {US}; dkim=pass header.d=bank.example",
              f"authentication-results:{US.upper()};spf=pass",
              f'Authentication-Results: "{US}"; spf=pass',
              f"Authentication-Results: (x)\n\t({US})\n {US} 1; spf=pass",
              f"Authentication-Results : {US}; none"]
    kept = "Authentication-Results: other.example; spf=pass"
    text = "\n".join(claims + [kept]) + "\n" + TEXT.format("claims")
    mail = site.arrives(text)
    check("bank.example" not in mail, "the first one")
    check_equal(len(re.findall(r"(?im)^authentication-results", mail)), 2, "ours, and another's")
    check(kept in mail, "another's stays")
    # From our own side it is a relay's of ours, or a filter's.
    mail = site.arrives(text, "127.0.0.1")
    check_equal(len(re.findall(r"(?im)^authentication-results", mail)), 6, "in mynetworks")
    check_equal(site.mta.logged("authentication: dkim=none"), 0, "nothing is said of our own")


def trouble(site):
    mta, text = site.mta, site.signed(TEXT.format("trouble"))
    mta.expect_trouble("killed by signal", "mailauth")
    site.arrives(text)
    first = mta.process("mailauth")
    os.kill(first, signal.SIGSTOP)
    smtp = mta.smtp()
    smtp.say("EHLO proxy.example", "250")
    smtp.say("XCLIENT ADDR=192.0.2.7 NAME=far.example", "220")
    smtp.say("EHLO far.example", "250")
    smtp.say("MAIL FROM:<ann@far.example>", "250")
    smtp.say("RCPT TO:<u@box.example>", "250")
    smtp.say("DATA", "354")
    smtp.send(text.replace("\n", "\r\n") + ".\r\n")
    mta.wait_for_log("client=far.example")
    # The one in its hands goes to another process.
    wait_until(lambda: open(f"/proc/{first}/stat").read().split()[2] == "T", "it to stand still")
    kill(first)
    qid = smtp.expect("250 2.0.0 Ok: queued as ").split()[-1]
    smtp.close()
    mta.wait_for_log(rf"{qid}: authentication: .*dkim=pass")
    check_match("dkim=pass", field(site.arrives(text)) or "", "the next process")
    # None at all.
    path = os.path.join(mta.sbin, "mailauth")
    os.rename(path, path + ".away")
    mta.reload()
    wait_until(lambda: not mta.processes("mailauth"), "it to leave")
    check_match(r"dkim=temperror reason=\"cannot be verified now\"$", field(site.arrives(text)) or "",
                "without one")
    os.rename(path + ".away", path)
    mta.reload()
    check_match("dkim=pass", field(site.arrives(text)) or "", "with one again")


def enforced(site):
    """What authors' domains want done, is."""
    mta = site.mta
    mta.write_configuration(**{**settings(mta, site), "dmarc_mode": "enforce"})
    mta.reload()
    signed, plain = site.signed(TEXT.format("dmarc")), TEXT.format("dmarc")
    said = field(site.arrives(signed, "192.0.2.9"))
    check_match(r"dmarc=pass \(p=reject dis=none\) header.from=far.example$", said or "", "signed")
    said = field(site.arrives(plain))
    check_match(r"dkim=none; dmarc=pass", said or "", "SPF alone")
    smtp = mta.smtp()
    smtp.say("EHLO proxy.example", "250")
    smtp.say("XCLIENT ADDR=192.0.2.9 NAME=far.example", "220")
    smtp.say("EHLO far.example", "250")
    for _ in range(2):
        smtp.say("MAIL FROM:<x@other.example>", "250")
        smtp.say("RCPT TO:<u@box.example>", "250")
        smtp.say("DATA", "354")
        smtp.send(plain.replace("\n", "\r\n") + ".\r\n")
        smtp.expect("550 5.7.26 not accepted, by the DMARC policy of far.example")
    strange = plain.replace("far.example>", "far.example>, x")
    crowd = plain.replace("Ann <", "".join(f"a@x{i}.example, " for i in range(16)) + "Ann <")
    for text, want in ((strange, "by the DMARC policy of far.example"),
                       (crowd, "From has more authors than can be checked")):
        smtp.say("MAIL FROM:<x@other.example>", "250")
        smtp.say("RCPT TO:<u@box.example>", "250")
        smtp.say("DATA", "354")
        smtp.send(text.replace("\n", "\r\n") + ".\r\n")
        check(want in smtp.expect("550 5.7.26 not accepted"), f"refused: {want}")
    smtp.close()
    mta.wait_for_log(r"reject: DMARC from .*: far.example$")
    for action, log in (("hold", "hold: DMARC from .*: q.example$"), ("tag", None),
                        ("redirect look@box.example", "redirect: DMARC from .*: q.example$")):
        mta.write_configuration(**{**settings(mta, site), "dmarc_mode": "enforce",
                                   "dmarc_quarantine_action": action})
        mta.reload()
        at = mta.log_position()
        qid = site.send(plain.replace("ann@far.example", "ann@q.example"), "192.0.2.9")
        if log:
            mta.wait_for_log(rf"{qid}: {log}", since=at)
        if action == "hold":
            wait_until(lambda: f"{qid}!" in mta.run("postqueue", "-p").stdout, "it to be held")
            mta.run("postsuper", "-d", qid)
        else:
            who = "look" if "redirect" in action else "u"
            mta.wait_for_log(rf"{qid}: to=<{who}@box.example>.*status=sent")
    # Our own users', and mynetworks', are not asked about.
    site.arrives(plain.replace("ann@far.example", "ann@q.example"), "127.0.0.1")


def settings(mta, site, mode="tag"):
    return {"mydestination": "", "local_recipient_maps": "", "myhostname": US,
            "virtual_mailbox_domains": "box.example", "virtual_mailbox_maps": "static:u/",
            "virtual_mailbox_base": mta.mail, "virtual_minimum_uid": "1",
            "virtual_uid_maps": f"static:{mail_user().pw_uid}",
            "virtual_gid_maps": f"static:{mail_user().pw_gid}",
            "smtpd_authorized_xclient_hosts": "127.0.0.1", "mynetworks": "127.0.0.0/8",
            "smtpd_relay_restrictions": "permit_mynetworks,reject_unauth_destination",
            "dns_servers": f"127.0.0.1:{site.dns.port}", "dkim_mode": mode, "spf_mode": mode,
            "dmarc_mode": "off", "dmarc_quarantine_action": "hold"}


def main():
    with tempfile.TemporaryDirectory(prefix="postern-verify-") as folder, Instance() as mta:
        site = Site(mta, folder)
        with DnsServer(site.zone) as dns:
            site.dns = dns
            os.chown(mta.mail, mail_user().pw_uid, mail_user().pw_gid)
            mta.write_configuration(**settings(mta, site))
            mta.start()
            told(site)
            claimed(site)
            requeued(site)
            enforced(site)
            mta.write_configuration(**settings(mta, site))
            mta.reload()
            trouble(site)
            mta.write_configuration(**settings(mta, site, "log"))
            mta.reload()
            at = mta.log_position()
            check_equal(field(site.arrives(site.signed(TEXT.format("log")))), None, "log only")
            mta.wait_for_log("authentication: .*dkim=pass", since=at)
            mta.write_configuration(**settings(mta, site, "off"))
            mta.reload()
            at = mta.log_position()
            check_equal(field(site.arrives(site.signed(TEXT.format("off")))), None, "off")
            check_equal(mta.logged("authentication:", since=at), 0, "and nothing said")
        check_equal(mta.logged("refused by the jail"), 0, "nothing is wanted that is not there")
    finish()


main()
