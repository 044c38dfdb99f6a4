#!/usr/bin/env python3
"""Debian's opendkim and rspamd as milters, and mailauth: what they sign as mail leaves comes back from
outside and is verified, and is found changed when it is; what our own dkimsign signs they find good.
The same with the seals of ARC, which rspamd knows."""
import os
import re
import sys
import tempfile
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p)
                for p in ("", "..", "../smtp", "../milter")]
import filters
from dns_server import DnsServer
from harness import Instance, check, check_equal, check_match, finish, is_root, skip, wait_until
from sink import Sink
from verifiers import record_of

FORMS = ("simple/simple", "relaxed/simple", "simple/relaxed", "relaxed/relaxed")
FROM = b"From: Kim <kim@here.example>\nTo: x@far.example\n"
MESSAGES = {"plain": FROM + b"Subject: x\n\nhello\n",
            "blanks": FROM + b"Subject:  x \t y\n\t z \n\nhello \t w  \n \n\n\n",
            "no body": FROM + b"Subject: x\n\n",
            "dots": FROM + b"\n.\n..\n.x\n",
            "large": FROM + b"\n" + b"a line of a large message\n" * 20000}


class Site:
    def __init__(self, mta, sink):
        self.mta, self.sink = mta, sink
        keys = os.path.join(mta.etc, "dkim")
        os.mkdir(keys, 0o700)
        self.key = os.path.join(keys, "s")
        done = mta.run("postauth", "keygen", "--selector", "s", "--key", self.key, "here.example",
                       as_user=False)
        self.name, self.text = record_of(done.stdout)

    def configure(self, dns, milter, signs="", seals=""):
        self.mta.write_configuration(
            smtpd_authorized_xclient_hosts="127.0.0.1", mynetworks="127.0.0.0/8", notify_classes="",
            relay_domains="far.example", transport_maps=f"static:smtp:[127.0.0.1]:{self.sink.port}",
            dns_servers=f"127.0.0.1:{dns.port}", dkim_mode="tag", arc_mode="tag",
            dkim_sign_maps=signs, arc_sign_maps=seals,
            smtpd_relay_restrictions="permit_mynetworks,reject_unauth_destination",
            smtpd_milters=milter or "", milter_default_action="tempfail")

    def through(self, message, client=None):
        """What the next server gets, with LF, of a message of our own or of a stranger."""
        n = len(self.sink.messages)
        smtp = self.mta.smtp()
        smtp.say("EHLO client.example", "250")
        if client:
            smtp.say(f"XCLIENT ADDR={client} NAME=there.example", "220")
            smtp.say("EHLO there.example", "250")
        smtp.say("MAIL FROM:<kim@here.example>", "250")
        smtp.say("RCPT TO:<x@far.example>", "250")
        smtp.say("DATA", "354")
        smtp.socket.sendall(re.sub(rb"(?m)^\.", b"..", message).replace(b"\n", b"\r\n") + b".\r\n")
        smtp.expect("250 2.0.0 Ok: queued as ")
        smtp.close()
        wait_until(lambda: len(self.sink.messages) > n, "the message at the next server")
        got = b"".join(self.sink.messages[n][1]).replace(b"\r\n", b"\n")
        return re.sub(rb"(?m)^\.\.", b".", got)


def comes_back(site, dns, milter, form, seals=False):
    """Out through a milter that signs, and perhaps seals, and in again from outside."""
    site.configure(dns, milter)
    site.mta.reload()
    signed = {what: site.through(message) for what, message in MESSAGES.items()}
    site.configure(dns, None)
    site.mta.reload()
    for what, message in signed.items():
        check_match(rb"(?m)^DKIM-Signature: v=1; a=rsa-sha256; c=" + form.encode(), message,
                    f"{what}: signed")
        for change, result in ((message, b"pass"), (message + b"more\n", b"fail")):
            told = re.sub(rb"\n\s+", b" ", site.through(change, "192.0.2.7"))
            check_match(rb"(?m)^Authentication-Results: mail\.test\.example;.* dkim=" + result +
                        rb" .*header\.d=here\.example header\.s=s.*arc=" + (result if seals else b"none"),
                        told, f"{what}, {form}")


def ours(site, dns):
    """Out through dkimsign."""
    site.configure(dns, None, "inline:{here.example=s:s}")
    site.mta.reload()
    signed = {what: site.through(message) for what, message in MESSAGES.items()}
    for what, message in signed.items():
        check_equal(message.count(b"DKIM-Signature:"), 1, f"{what}: ours")
    return signed


def ours_sealed(site, dns):
    """A stranger's, sealed as it goes on."""
    site.configure(dns, None, seals="inline:{ {far.example = s:s domain=here.example} }")
    site.mta.reload()
    return {what: site.through(message, "192.0.2.7") for what, message in MESSAGES.items()}


def opendkim(site, dns, folder, signed):
    for form in FORMS:
        with filters.opendkim(folder, "signer", f"Mode s\nDomain here.example\nSelector s\n"
                              f"KeyFile {site.key}\nCanonicalization {form}\n"
                              "OversignHeaders From\n") as milter:
            comes_back(site, dns, milter, form)
    filters.put(folder, "keys", f"{site.name} {site.text}\n")
    with filters.opendkim(folder, "verifier", f"Mode v\nTestDNSData file:{folder}/keys\n"
                          "AlwaysAddARHeader yes\nAuthservID opendkim.example\n") as milter:
        site.configure(dns, milter)
        site.mta.reload()
        for what, message in signed.items():
            for change, result in ((message, b"pass"), (message + b"more\n", b"fail")):
                told = re.sub(rb"\n\s+", b" ", site.through(change, "192.0.2.7"))
                check_match(rb"(?m)^Authentication-Results: opendkim\.example;.*dkim=" + result, told,
                            f"{what}: opendkim")


def said_by_rspamd(folder):
    with open(os.path.join(folder, "rspamd.log")) as log:
        return log.read()


def rspamd(site, dns, folder, signed, sealed):
    keys = f'use_esld = false; domain {{ here.example {{ selector = "s"; path = "{site.key}"; }} }}'
    settings = f"dkim {{ }}\ndkim_signing {{ {keys} }}\narc {{ sign_local = true; {keys} }}\n"
    with filters.rspamd(folder, "dkim", ["dkim_signing", "arc"], settings, dns.port) as milter:
        comes_back(site, dns, milter, "relaxed/relaxed", seals=True)
        site.configure(dns, milter)
        site.mta.reload()
        for messages, good, bad in ((signed, "R_DKIM_ALLOW", "R_DKIM_REJECT"),
                                    (sealed, "ARC_ALLOW", "ARC_REJECT")):
            for what, message in messages.items():
                for change, verdict in ((message, good), (message + b"more\n", bad)):
                    before = said_by_rspamd(folder).count(verdict)
                    site.through(change, "192.0.2.7")
                    wait_until(lambda: said_by_rspamd(folder).count(verdict) > before, f"{what}: {verdict}")


def main():
    with tempfile.TemporaryDirectory(prefix="postern-both-ways-") as folder, Sink() as sink, Instance() as mta:
        os.chmod(folder, 0o755)
        site = Site(mta, sink)
        with DnsServer({(site.name, "TXT"): [site.text]}) as dns:
            site.configure(dns, None)
            mta.start()
            signed, sealed = ours(site, dns), ours_sealed(site, dns)
            opendkim(site, dns, folder, signed)
            rspamd(site, dns, folder, signed, sealed)
    finish()


if not is_root():
    skip("needs root: the filters run as root here")
check(filters.are_there(), "opendkim and rspamd in build/debian: ./dev test puts them there")
main()
