#!/usr/bin/env python3
"""docs/authenticated-mail.md, as it stands: each of its commands is run in a mail system, and after each
step mail is verified, signed, published, sealed and refused as the document says."""
import os
import re
import subprocess
import sys
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p) for p in ("", "..", "../smtp")]
from dns_server import DnsServer, zone_of
from harness import Instance, check, check_equal, check_match, finish, wait_until
from sink import Sink
from verifiers import dkimpy_verifies, dkimpy_verifies_chain

GUIDE = os.path.join(os.environ.get("TOP_SRCDIR", "."), "docs/authenticated-mail.md")
STEPS = "verify sign publish check forward enforce".split()
STRANGER = b"From: Ann <ann@far.example>\nTo: kim@example.org\nSubject: x\n\nhello\n"
OURS = STRANGER.replace(b"ann@far.example", b"kim@example.org")


def blocks():
    """[(step, commands)] in the order of the document."""
    with open(GUIDE) as file:
        return re.findall(r"^```sh (\w+)\n(.*?)^```$", file.read(), re.M | re.S)


class Guide:
    def __init__(self, mta, sink, dns):
        self.mta, self.sink, self.dns = mta, sink, dns

    def run(self, step):
        """All commands of a step, a shell for each block; what they print."""
        text = ""
        for name, commands in blocks():
            if name == step:
                done = subprocess.run(["sh", "-ec", commands], cwd=self.mta.etc, capture_output=True,
                                      text=True, env=self.mta._environment(), timeout=60)
                check_equal(done.returncode, 0, f"{commands}: {done.stdout}{done.stderr}")
                text += done.stdout
        return text

    def say(self, message, sender, rcpt, client):
        smtp = self.mta.smtp()
        smtp.say("EHLO proxy.example", "250")
        smtp.say(f"XCLIENT ADDR={client} NAME=there.example", "220")
        smtp.say("EHLO there.example", "250")
        smtp.say(f"MAIL FROM:<{sender}>", "250")
        smtp.say(f"RCPT TO:<{rcpt}>", "250")
        smtp.say("DATA", "354")
        smtp.socket.sendall(message.replace(b"\n", b"\r\n") + b".\r\n")
        said = smtp.reply()
        smtp.close()
        return said

    def goes_on(self, message, sender, rcpt="x@other.example", client="127.0.0.1"):
        """What the next server gets, with LF."""
        n = len(self.sink.messages)
        check_match("^250 ", self.say(message, sender, rcpt, client), "taken")
        wait_until(lambda: len(self.sink.messages) > n, "the message at the next server")
        return b"".join(self.sink.messages[n][1]).replace(b"\r\n", b"\n")

    def records(self):
        return {name: texts[0] for (name, kind), texts in self.dns.zone.items() if kind == "TXT"}

    def verify(self):
        text = self.run("verify")
        check_match("spf=pass smtp.mailfrom=far.example", text, "postauth verify")
        check_match("(?m)^pass ", text, "postauth spf")
        mail = self.goes_on(STRANGER, "ann@far.example", "kim@example.org", "192.0.2.7")
        told = re.sub(rb"\n\s+", b" ", mail)
        check_match(rb"(?m)^Received-SPF: pass", told, "Received-SPF")
        check_match(rb"(?m)^Authentication-Results: mail\.test\.example;.* spf=pass .*dkim=none.*dmarc=pass",
                    told, "Authentication-Results")
        check(b"Authentication-Results" not in self.goes_on(OURS, "kim@example.org"), "our own users")

    def sign(self):
        text = self.run("sign")
        check_equal(re.findall(r"^(\w+)\._domainkey\.example\.org\. IN TXT", text, re.M), ["rsa", "ed"],
                    "what keygen prints")
        self.signed = self.goes_on(OURS, "kim@example.org")
        check_equal(self.signed.count(b"DKIM-Signature: "), 2, "a signature of each key")

    def publish(self):
        self.dns.zone.update(zone_of(self.run("publish")))
        self.dns.zone["mail.test.example", "A"] = ["127.0.0.1"]
        self.dns.zone["mta-sts.example.org", "A"] = ["127.0.0.1"]
        check_equal(dkimpy_verifies(self.signed, self.records()), [True, True], "dkimpy, by these records")
        with open(os.path.join(self.mta.etc, "signed"), "rb") as file:
            check_equal(dkimpy_verifies(file.read(), self.records()), [True], "postauth sign")

    def check(self):
        text = self.run("check")
        for what in ("MX", "SPF", "DKIM", "DMARC", "MTA-STS", "TLSRPT"):
            check_match(f"(?m)^ok: {what}: ", text, what)

    def forward(self):
        self.run("forward")
        at = len(self.sink.commands)
        mail = self.goes_on(STRANGER, "ann@far.example", "fw@example.org", "192.0.2.7")
        check_match(r"MAIL FROM:<SRS0=\w+=\w\w=far\.example=ann@example\.org>", str(self.sink.commands[at:]),
                    "its sender")
        check_equal(dkimpy_verifies_chain(mail, self.records()), ("pass", "success"), "its seal")

    def enforce(self):
        self.run("enforce")
        check_match("^550 5.7.26 ", self.say(STRANGER, "x@other.example", "kim@example.org", "192.0.2.9"),
                    "what its author's domain has rejected")
        self.goes_on(STRANGER, "ann@far.example", "kim@example.org", "192.0.2.7")


def main():
    check_equal(list(dict.fromkeys(step for step, _ in blocks())), STEPS, "the document's steps")
    zone = {("far.example", "TXT"): ["v=spf1 ip4:192.0.2.7 -all"],
            ("_dmarc.far.example", "TXT"): ["v=DMARC1; p=reject"]}
    with DnsServer(zone) as dns, Sink() as sink, Instance() as mta:
        mta.write_configuration(
            dns_servers=f"127.0.0.1:{dns.port}", smtpd_authorized_xclient_hosts="127.0.0.1",
            relay_domains="example.org", relay_recipient_maps="", notify_classes="",
            virtual_alias_maps="inline:{ {fw@example.org = x@other.example} }",
            transport_maps=f"static:smtp:[127.0.0.1]:{sink.port}",
            smtpd_relay_restrictions="permit_mynetworks,reject_unauth_destination")
        with open(os.path.join(mta.etc, "message"), "wb") as file:
            file.write(STRANGER)
        mta.start()
        guide = Guide(mta, sink, dns)
        for step in STEPS:
            getattr(guide, step)()
    finish()


main()
