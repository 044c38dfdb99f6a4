#!/usr/bin/env python3
"""arc_sign_maps in the running system: what goes on to others is sealed, and dkimpy finds the chain
good; what our own users write is not, whatever they claim."""
import os
import re
import subprocess
import sys
import yaml
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p) for p in ("", "..", "../smtp")]
from dns_server import DnsServer
from harness import Instance, check, check_equal, check_match, finish
from sink import Sink
from verifiers import dkimpy_verifies_chain, record_of

SHARED = os.path.join(os.environ.get("POSTERN_SHARED", "../shared"), "vectors")
US = "mx.box.example"
PLAIN = b"From: Ann <ann@far.example>\nTo: fw@box.example\nSubject:  x \ty\n\nhello\n"
FORGED = f"Authentication-Results: {US};\n\tdmarc=pass header.from=bank.example;\n\tarc=none\n".encode()


class Site:
    def __init__(self, mta):
        with open(os.path.join(SHARED, "arc-valimail", "arc-draft-validation-tests.yml")) as file:
            section = next(yaml.safe_load_all(file))
        self.mta, self.sink = mta, Sink()
        self.records = dict(section["txt-records"])
        self.two = section["tests"]["cv_pass_i2_1"]["message"].encode()
        self.broken = section["tests"]["cv_fail_i1_as_invalid"]["message"].encode()
        keys = os.path.join(mta.etc, "dkim")
        os.mkdir(keys, 0o700)
        for domain in ("box.example", "lists.example"):
            done = mta.run("postauth", "keygen", "--selector", "s", "--key", os.path.join(keys, domain),
                           domain, as_user=False)
            self.records.update([record_of(done.stdout)])

    def configure(self, dns):
        aliases = self.mta.write("aliases", "al x@far.example\n")
        sealers = self.mta.write("sealers", "fw@box.example s:box.example\nal@box.example s:box.example\n"
                                 "lost@box.example s:none\nlists.example s:lists.example\n")
        self.mta.write_configuration(
            myhostname=US, mydestination="box.example", local_recipient_maps="",
            mynetworks="127.0.0.0/8", alias_maps=f"texthash:{aliases}",
            virtual_alias_maps="inline:{ {fw@box.example = x@far.example} {other@box.example = x@far.example}"
                               " {lost@box.example = x@far.example} }",
            transport_maps=f"inline:{{ {{far.example = smtp:[127.0.0.1]:{self.sink.port}}} }}",
            smtpd_authorized_xclient_hosts="127.0.0.1", notify_classes="",
            smtpd_relay_restrictions="permit_mynetworks,reject_unauth_destination",
            dns_servers=f"127.0.0.1:{dns.port}", arc_mode="tag", arc_sign_maps=f"texthash:{sealers}")

    def say(self, message, rcpt, sender="ann@far.example", client="192.0.2.7", login=""):
        smtp = self.mta.smtp()
        smtp.say("EHLO proxy.example", "250")
        smtp.say(f"XCLIENT ADDR={client} NAME=far.example{login and ' LOGIN=' + login}", "220")
        smtp.say("EHLO far.example", "250")
        smtp.say(f"MAIL FROM:<{sender}>", "250")
        smtp.say(f"RCPT TO:<{rcpt}>", "250")
        smtp.say("DATA", "354")
        smtp.socket.sendall(message.replace(b"\n", b"\r\n") + b".\r\n")
        said = smtp.reply()
        smtp.close()
        return said

    def goes_on(self, message, rcpt="fw@box.example", **arguments):
        """What the next server gets, with LF."""
        n = len(self.sink.messages)
        queued = re.search(r"queued as (\w+)", said := self.say(message, rcpt, **arguments))
        check(queued, f"not queued: {said}")
        return self.arrived(n)

    def arrived(self, n):
        self.mta.wait_for_log(r"to=<x@far.example>.*status=sent", count=n + 1)
        return b"".join(self.sink.messages[n][1]).replace(b"\r\n", b"\n")

    def chain(self, message):
        """The sealers, the first one first, and dkimpy's verdict."""
        sealed = re.findall(rb"(?m)^ARC-Seal: i=(\d+);(?:.*\n[\t ])*?.*?d=([^;]+);", message)
        seals = [domain.decode() for _, domain in sorted(sealed)]
        return seals, dkimpy_verifies_chain(message, self.records)


def strangers(site):
    text = site.goes_on(PLAIN)
    check_equal(site.chain(text), (["box.example"], ("pass", "success")), "the first one to seal")
    check_match(rb"^ARC-Seal: i=1; a=rsa-sha256; cv=none; [^\0]*?\nARC-Message-Signature: i=1; [^\0]*?\n"
                rb"ARC-Authentication-Results: i=1; mx.box.example;\n\tdkim=none;\n\tarc=none\n", text,
                "in front, with what we saw")
    changed = text.replace(b"hello", b"hallo")
    check_equal(site.chain(changed)[1][0], "fail", "what is changed later is found")
    text = site.goes_on(b"DKIM-Signature: v=1; d=x\n" + site.two.replace(b"Return-Path", b"X-Path"))
    seals, said = site.chain(text)
    check_equal(said, ("pass", "success"), "the third one")
    check_equal(len(re.findall(rb"(?m)^ARC-Seal", text)), 3, "behind two others")
    check_match(rb"cv=pass", text.split(b"\n")[0], "which were good")
    check_match(rb"(?s)^ARC-Seal.*?ARC-Message.*?:dkim-signature;", text, "their signatures are signed")
    text = site.goes_on(site.broken)
    check_equal(len(re.findall(rb"(?m)^ARC-Seal", text)), 1, "nothing is put on a broken chain")
    site.mta.wait_for_log(r"not sealed: its chain is broken$")
    text = site.goes_on(FORGED + PLAIN)
    check("bank.example" not in str(text), "a stranger's claim is taken out")
    check_equal(site.chain(text)[1][0], "pass", "before we seal")
    large = PLAIN + b"a line of a large message\n" * 40000
    check_equal(site.chain(site.goes_on(large))[1], ("pass", "success"), "1 MB")
    text = site.goes_on(PLAIN, "other@box.example")
    check(b"ARC-" not in text, "without a row")
    text = site.goes_on(PLAIN, "al@box.example")
    check(b"Delivered-To: al@box.example" in text, "through an alias of local")
    check_equal(site.chain(text), (["box.example"], ("pass", "success")), "it is still good")
    check_match(r"^451 4\.7\.0 ", site.say(PLAIN, "lost@box.example"), "without its key it waits")
    site.mta.wait_for_log(r"ARC: there is no file none among the keys$")


def lists(site):
    ours = {"client": "127.0.0.1", "sender": "news-bounces@lists.example"}
    came = site.goes_on(PLAIN)
    check_equal(site.chain(came)[0], ["box.example"], "sealed when it came")
    posted = came.replace(b"hello\n", b"hello\n-- \nthe list\n").replace(b"Subject:  x", b"Subject: [news] x")
    text = site.goes_on(posted, "x@far.example", **ours)
    check_equal(site.chain(text), (["lists.example"], ("pass", "success")), "and again, changed")
    check_equal(len(re.findall(rb"(?m)^ARC-", text)), 3, "one set")
    came = site.goes_on(site.two, "other@box.example")
    text = site.goes_on(came.replace(b"Subject:", b"Subject: [news]"), "x@far.example", **ours)
    check_equal(site.chain(text)[1], ("pass", "success"), "behind two others")
    check_equal(len(re.findall(rb"(?m)^ARC-Seal", text)), 3, "which stay")
    text = site.goes_on(PLAIN, "x@far.example", **ours)
    check(b"ARC-" not in text, "what did not come from outside is not sealed")
    text = site.goes_on(came, "x@far.example", client="127.0.0.1")
    check_equal(len(re.findall(rb"(?m)^ARC-Seal", text)), 2, "nor what has another sender")


def own_users(site):
    """Who writes our field into his mail gets it neither sealed nor sent."""
    n = len(site.sink.messages)
    done = subprocess.run(site.mta._argv(["sendmail", "-C", site.mta.etc, "-f", "me@lists.example",
                                          "al@box.example"]), input=FORGED + PLAIN, timeout=60,
                          env=site.mta._environment(), **site.mta._as_user())
    check_equal(done.returncode, 0, "sendmail")
    text = site.arrived(n)
    check(b"ARC-" not in text and b"bank.example" not in text, "by sendmail, through an alias")
    for rcpt in ("fw@box.example", "al@box.example"):
        text = site.goes_on(FORGED + PLAIN, rcpt, sender="me@lists.example", login="me")
        check(b"ARC-" not in text and b"bank.example" not in text, f"after a login, to {rcpt}")


with Instance() as mta:
    site = Site(mta)
    with DnsServer({(name, "TXT"): [text] for name, text in site.records.items()}) as dns:
        site.configure(dns)
        mta.start()
        strangers(site)
        lists(site)
        own_users(site)
    check_equal(mta.logged("refused by the jail"), 0, "nothing is wanted that is not there")
finish()
