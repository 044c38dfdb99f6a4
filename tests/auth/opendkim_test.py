#!/usr/bin/env python3
"""Debian's opendkim as a milter, and mailauth: what it signs as mail leaves comes back from outside and
is verified, and is found changed when it is; what our own dkimsign signs, it finds good as a milter."""
import os
import re
import subprocess
import sys
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p) for p in ("..", "../smtp")]
from dns_server import DnsServer
from harness import Instance, check, check_equal, check_match, finish, free_port, kill, wait_until
from postfix37 import HOME
from sink import Sink
from verifiers import record_of

FORMS = ("simple/simple", "relaxed/simple", "simple/relaxed", "relaxed/relaxed")
FROM = b"From: Kim <kim@here.example>\nTo: x@far.example\n"
MESSAGES = {"plain": FROM + b"Subject: x\n\nhello\n",
            "blanks": FROM + b"Subject:  x \t y\n\t z \n\nhello \t w  \n \n\n\n",
            "no body": FROM + b"Subject: x\n\n",
            "dots": FROM + b"\n.\n..\n.x\n",
            "large": FROM + b"\n" + b"a line of a large message\n" * 20000}


class Opendkim:
    """One that signs or verifies; it ends with the block."""

    def __init__(self, mta, name, *lines):
        self.port = free_port()
        conf = mta.write(f"opendkim-{name}", "".join(line + "\n" for line in (
            f"Socket inet:{self.port}@127.0.0.1", "Syslog no", "Background no", "RequireSafeKeys no",
            "MultipleSignatures no", *lines)))
        libraries = ":".join(os.path.join(HOME, path) for path in ("usr/lib", "usr/lib/x86_64-linux-gnu"))
        self.process = subprocess.Popen([os.path.join(HOME, "usr/sbin/opendkim"), "-f", "-x", conf],
                                        env={**os.environ, "LD_LIBRARY_PATH": libraries})

    def __enter__(self):
        wait_until(self.listens, "opendkim to listen")
        return self

    def listens(self):
        with open("/proc/net/tcp") as file:
            return f"0100007F:{self.port:04X} 00000000:0000 0A" in file.read()

    def __exit__(self, *_):
        kill(self.process.pid)
        self.process.wait()


class Site:
    def __init__(self, mta, sink):
        self.mta, self.sink = mta, sink
        keys = os.path.join(mta.etc, "dkim")
        os.mkdir(keys, 0o700)
        self.key = os.path.join(keys, "s")
        done = mta.run("postauth", "keygen", "--selector", "s", "--key", self.key, "here.example",
                       as_user=False)
        self.name, self.text = record_of(done.stdout)

    def configure(self, dns, milter, signs=""):
        self.mta.write_configuration(
            smtpd_authorized_xclient_hosts="127.0.0.1", mynetworks="127.0.0.0/8", notify_classes="",
            relay_domains="far.example", transport_maps=f"static:smtp:[127.0.0.1]:{self.sink.port}",
            dns_servers=f"127.0.0.1:{dns.port}", dkim_mode="tag", dkim_sign_maps=signs,
            smtpd_relay_restrictions="permit_mynetworks,reject_unauth_destination",
            smtpd_milters=f"inet:127.0.0.1:{milter.port}" if milter else "")

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


def it_signs(site, dns, form):
    """Out through opendkim, and in again from outside."""
    with Opendkim(site.mta, "s", "Mode s", "Domain here.example", "Selector s", f"KeyFile {site.key}",
                  f"Canonicalization {form}", "OversignHeaders From") as milter:
        site.configure(dns, milter)
        site.mta.reload()
        signed = {what: site.through(message) for what, message in MESSAGES.items()}
    site.configure(dns, None)
    site.mta.reload()
    for what, message in signed.items():
        check_match(rb"(?m)^DKIM-Signature: v=1; a=rsa-sha256; c=" + form.encode(), message, f"{what}: signed")
        for change, result in ((message, b"pass"), (message + b"more\n", b"fail")):
            told = re.sub(rb"\n\s+", b" ", site.through(change, "192.0.2.7"))
            check_match(rb"(?m)^Authentication-Results: mail\.test\.example;.* dkim=" + result +
                        rb" .*header\.d=here\.example header\.s=s", told, f"{what}, {form}")


def it_verifies(site, dns):
    """Out through dkimsign, and in again past opendkim as the milter."""
    site.configure(dns, None, "inline:{here.example=s:s}")
    site.mta.reload()
    signed = {what: site.through(message) for what, message in MESSAGES.items()}
    keys = site.mta.write("opendkim-keys", f"{site.name} {site.text}\n")
    with Opendkim(site.mta, "v", "Mode v", f"TestDNSData file:{keys}", "AlwaysAddARHeader yes",
                  "AuthservID opendkim.example", "InternalHosts file:/dev/null") as milter:
        site.configure(dns, milter)
        site.mta.reload()
        for what, message in signed.items():
            check_equal(message.count(b"DKIM-Signature:"), 1, f"{what}: ours")
            for change, result in ((message, b"pass"), (message + b"more\n", b"fail")):
                told = re.sub(rb"\n\s+", b" ", site.through(change, "192.0.2.7"))
                check_match(rb"(?m)^Authentication-Results: opendkim\.example;.*dkim=" + result, told,
                            f"{what}: opendkim")


def main():
    with Sink() as sink, Instance() as mta:
        site = Site(mta, sink)
        with DnsServer({(site.name, "TXT"): [site.text]}) as dns:
            site.configure(dns, None)
            mta.start()
            for form in FORMS:
                it_signs(site, dns, form)
            it_verifies(site, dns)
        check_equal(mta.logged("milter.*(can't|cannot)"), 0, "no trouble with the milter")
    finish()


check(os.path.exists(os.path.join(HOME, "usr/sbin/opendkim")), "opendkim in build/debian: ./dev test")
main()
