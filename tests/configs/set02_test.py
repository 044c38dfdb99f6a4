#!/usr/bin/env python3
"""02-satellite-smarthost: all mail leaves through servers of providers, with passwords and over TLS.

The certificate that tls_policy wants of freelance is nobody's: mail waits until the test names the one
that the server has. Not seen here: hours and days in the queue (tests/bounce has them in seconds)."""
import base64
import contextlib
import os
import re
import socket
import ssl
import sys
import tempfile
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flows import Host, Site, check, check_equal, check_match, finish, header, put, wait_until
from certificates import Certificates

US, HOME = "127.0.0.1", "desk7.office.example"
SERVERS = {"smtp.provider.example": "192.0.2.10", "mail.club.example": "192.0.2.11",
           "smtp.freelance.example": "192.0.2.12"}
# A relay host in brackets has no mail exchanger.
ZONE = {(name, "A"): [place] for name, place in SERVERS.items()}
ZONE.update({(name, "MX"): [(10, "trap.example")] for name in SERVERS})
TEXT = "From: a@office.example\nTo: x@far.example\nSubject: x\n\nx\n"


class Provider(Host):
    """Offers passwords, before TLS, too; keeps what it was shown in clear."""

    def __init__(self, mechanisms="PLAIN LOGIN", **options):
        self.mechanisms, self.in_clear, self.open = mechanisms, [], []
        self.answer = "235 2.7.0 welcome"
        super().__init__(**options)

    def _authenticate(self, conn, file, number):
        if not isinstance(conn, ssl.SSLSocket):
            self.in_clear.append(self.commands[-1])
        self.replies["AUTH"] = [self.answer]
        self.open.append(conn)
        return super()._authenticate(conn, file, number)

    def _say(self, conn, verb, text):
        if verb == "EHLO":
            tls = "" if isinstance(conn, ssl.SSLSocket) or not self.tls else "250-STARTTLS\r\n"
            text = f"250-sink.example\r\n{tls}250 AUTH {self.mechanisms}"
        elif verb == "MAIL" and not isinstance(conn, ssl.SSLSocket):
            self.in_clear.append((0, "MAIL"))
        super()._say(conn, verb, text)

    def hang_up(self):
        """The next message needs a login of its own."""
        for conn in self.open:
            with contextlib.suppress(OSError):  # it has gone already
                conn.shutdown(socket.SHUT_RDWR)
        self.open.clear()

    @property
    def logins(self):
        """user:password of each AUTH PLAIN."""
        words = [line.split(" ") for _, line in self.commands if line.startswith("AUTH PLAIN ")]
        return [base64.b64decode(word[2]).decode()[1:].replace("\0", ":") for word in words]


def provider(site, name, certificates=None, port=587, **options):
    with site.outside():
        server = Provider(host=SERVERS[name], port=port, tls=certificates and
                          certificates.context(name), **options)
    site.hosts.append(server)
    return server


def make_certificates(folder):
    made = Certificates(folder)
    for name in SERVERS:
        made.make(name, f"DNS:{name}")
    made.make("other.example", "DNS:other.example")
    with open(made.ca) as file:
        put("/etc/ssl/certs/ca-certificates.crt", file.read(), "root", 0o644)
    return made


def smarthost(site, smart):
    log = site.send(US, "a@office.example", "x@far.example", TEXT)
    check_match(r"relay=smtp\.provider\.example\[192\.0\.2\.10\]:587, .*status=sent", log, "sent there")
    check_match(r"Verified TLS connection established to smtp\.provider\.example\[192\.0\.2\.10\]:587",
                site.mta.log_text(), "the name was checked")
    check_equal(smart.logins, ["office-desk7:correct horse"], "its login")
    site.mta.run("sendmail", "-f", "a@office.example", "x@far.example", input=TEXT)
    check_equal(site.await_mail(smart, 2)[-1].rcpts, ["x@far.example"], "by sendmail")
    check_equal(smart.in_clear, [], "in clear")


def by_sender(site, club, freelance, certificates):
    log = site.send(US, "dora@club.example", "x@far.example", TEXT)
    check_match(r"relay=mail\.club\.example\[192\.0\.2\.11\]:587, .*status=sent", log, "dora's server")
    check_equal(club.logins, ["dora:s3cr3t:with:colons"], "her password")
    queue_id = waits(site, "max@freelance.example", r"\(Server certificate not verified\)")
    check_equal((freelance.mail, freelance.logins), ([], []), "nothing for a certificate not listed")
    with open(site.path("tls_policy")) as file:
        policies = re.sub(r"match=3D\S+", "match=" + certificates.fingerprint(
            "smtp.freelance.example"), file.read())
    since = site.mta.log_position()
    site.mta.write("tls_policy", policies)
    site.mta.run("postmap", "-c", site.mta.etc, f"hash:{site.path('tls_policy')}")
    wait_until(lambda: site.mta.run("postqueue", "-c", site.mta.etc, "-i", queue_id) and
               freelance.mail, "the certificate that is listed now")
    check_match(r"relay=smtp\.freelance\.example\[192\.0\.2\.12\]:587, .*status=sent",
                site.done(queue_id, since), "sent there")
    check_equal(freelance.logins, ["fl-0017:pa55"], "by the key with the port's name")


def waits(site, sender, why, rcpt="x@far.example"):
    """Mail that is deferred with that reason; its queue id."""
    since = site.mta.log_position()
    smtp = site.client(US)
    queue_id = smtp.message(sender, [rcpt], TEXT)
    smtp.close()
    site.mta.wait_for_log(rf"{queue_id}: to=<{rcpt}>.*status=deferred {why}", since=since)
    return queue_id


def refused_and_bare(site, smart, club):
    smart.answer = "535 5.7.8 no such password"
    smart.hang_up()
    waits(site, "b@office.example", r"\(SASL authentication failed; server smtp\.provider\.example"
          r"\[192\.0\.2\.10\] said: 535 5\.7\.8 no such password\)")
    smart.answer = "235 2.7.0 welcome"
    club.tls = None
    club.hang_up()
    waits(site, "dora@club.example", r"\(TLS is required, but was not offered by host "
          r"mail\.club\.example\[192\.0\.2\.11\]\)")
    check_equal((smart.in_clear, club.in_clear), ([], []), "in clear")


def names(site, smart):
    """Generic names and the header on the way out; the old ones in a mailbox here."""
    before = len(smart.mail)
    text = (f"From: root@{HOME}\nTo: x@far.example, cron@{HOME}\nUser-Agent: Thing/1\n"
            "X-Originating-Host: here\nSubject: x\n\nx\n")
    site.send(US, f"root@{HOME}", ["x@far.example", f"dora@{HOME}"], text)
    out = site.await_mail(smart, before + 1)[-1]
    check_equal((out.sender, header(out.text, "From"), header(out.text, "To")),
                ("it-desk7@office.example", "it-desk7@office.example",
                 "x@far.example, it-cron@office.example"), "generic names")
    check_equal((header(out.text, "User-Agent"), header(out.text, "X-Originating-Host")),
                ("office-mailer", None), "the header on the way out")
    with open("/var/mail/dora") as mailbox:
        here = mailbox.read()
    check_match(rf"^From root@{re.escape(HOME)} ", here, "the old sender")
    check_equal((header(here, "From"), header(here, "User-Agent"),
                 header(here, "X-Originating-Host")), (f"root@{HOME}", "Thing/1", "here"),
                "the header of a mailbox")


class Wrapped(Provider):
    """TLS from the first byte."""

    def _talk(self, conn, number):
        super()._talk(self.tls.wrap_socket(conn, server_side=True), number)


def other_client(site, certificates):
    with site.outside():
        wrapped = Wrapped(host=SERVERS["smtp.provider.example"], port=465,
                          tls=certificates.context("smtp.provider.example"))
    site.hosts.append(wrapped)
    check_match(r"^(?!(.|\n)*smtps-client)", site.mta.log_text(), "nobody named smtps so far")
    site.mta.run("postconf", "-c", site.mta.etc, "-e", "transport_maps = inline:{wrapped.example="
                 "smtps:[smtp.provider.example]:465}")
    site.mta.stop()
    site.mta.start()
    log = site.send(US, "a@office.example", "x@wrapped.example", TEXT)
    check_match(r"postfix/smtps-client/smtp\[\d+\]: \w+: to=<x@wrapped\.example>, "
                r"relay=smtp\.provider\.example\[192\.0\.2\.10\]:465, .*status=sent", log, "smtps")
    check_equal(len(wrapped.mail), 1, "within TLS")


with tempfile.TemporaryDirectory(prefix="postern-certificates-") as folder, \
        Site("02-satellite-smarthost", ZONE, users=("dora",)) as host:
    keys = make_certificates(folder)
    smart_server = provider(host, "smtp.provider.example", keys)
    club_server = provider(host, "mail.club.example", keys)
    freelance_server = provider(host, "smtp.freelance.example", keys)
    host.start()
    smarthost(host, smart_server)
    by_sender(host, club_server, freelance_server, keys)
    refused_and_bare(host, smart_server, club_server)
    names(host, smart_server)
    other_client(host, keys)
finish()
