#!/usr/bin/env python3
"""12-internal-relay-checks: header and body checks, canonical, masquerade and generic, commands.

The README takes `!10.66.0.0/16` of mynetworks.cidr for an exception. For Postfix it is a pattern that
all other addresses match, behind 10.0.0.0/8, which has taken 10.66 by then: everybody is a member.
So extra listeners with other mynetworks show what the set's settings mean for a stranger."""
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flows import Site, check, check_equal, check_match, finish, header

OFFICE = "10.5.0.1"
GUESTS = "10.66.0.1"
STRANGER = "198.51.100.7"
ZONE = {(f"{name}.corp.example", "A"): [f"192.0.2.{number}"] for number, name in enumerate(
    ("gateway", "gateway-b", "mailbox", "plant-hub", "fax", "dlp"), 10)}
OTHER_NETWORKS = """2526 inet n - n - - smtpd -o smtpd_client_restrictions= -o mynetworks=10.5.0.0/16
2527 inet n - n - - smtpd -o mynetworks=10.5.0.0/16
"""


def text(*fields, body="hello"):
    return "\n".join((*fields, "", body, ""))


def addresses(site, mailbox, gateway, hub):
    site.send(OFFICE, "jdoe@corp.example", ["jdoe@corp.example", "u12345@corp.example",
                                            "x@legacy.corp.example"],
              text("From: jdoe@corp.example", "To: jdoe@corp.example, u12345@corp.example",
                   "Cc: x@legacy.corp.example"))
    mail = mailbox.mail[-1]
    check_equal(mail.sender, "john.doe@corp.example", "canonical sender")
    check_equal(sorted(mail.rcpts), ["john.doe@corp.example", "staff-12345@corp.example",
                                     "x@corp.example"], "canonical recipients")
    check_equal(header(mail.text, "From"), "john.doe@corp.example", "canonical From")
    check_equal(header(mail.text, "To"), "john.doe@corp.example, staff-12345@corp.example",
                "canonical To")
    check_equal(header(mail.text, "Cc"), "x@corp.example", "canonical Cc of a domain")

    for sender, seen in (("bob@m1.plant.corp.example", "bob@plant.corp.example"),
                         ("bob@x.lab.corp.example", "bob@x.lab.corp.example"),
                         ("bob@x.corp.example", "bob@corp.example"),
                         # Not masqueraded; what is left of plant's names is generic's affair.
                         ("root@m1.plant.corp.example", "root-m1@corp.example"),
                         ("root@x.corp.example", "it@corp.example")):
        site.send(OFFICE, sender, "y@far.example", text(f"From: {sender}", "To: y@far.example"))
        mail = gateway.mail[-1]
        check_equal((mail.sender, header(mail.text, "From")), (seen, seen), f"sender {sender}")
    log = site.send(OFFICE, "a@corp.example", "bob@m1.plant.corp.example",
                    text("From: a@corp.example", "To: bob@m1.plant.corp.example"))
    check_match(r"to=<bob@m1\.plant\.corp\.example>.* relay=plant-hub\.corp\.example\[.*\]:26",
                log, "recipients are not masqueraded")
    check_equal(hub.mail[-1].rcpts, ["bob-m1@corp.example"], "generic recipient")
    check_equal(header(hub.mail[-1].text, "To"), "bob@plant.corp.example", "masqueraded To")


def domainless(site, mailbox):
    for source, port, seen in ((OFFICE, 25, "walter@corp.example"),
                               (STRANGER, 2526, "walter@unknown.invalid")):
        site.send(source, "a@far.example", "b@corp.example", text("From: walter"), port=port)
        check_equal(header(mailbox.mail[-1].text, "From"), seen, f"From of {source}")
    for source in (GUESTS, STRANGER):
        site.send(source, "a@corp.example", "b@far.example", text("From: a@corp.example"))
    site.refused(STRANGER, "a@corp.example", "b@corp.example",
                 f"554 5.7.1 <unknown[{STRANGER}]>: Client host rejected: Access denied", port=2527)
    site.refused(STRANGER, "a@corp.example", "b@far.example",
                 "554 5.7.1 <b@far.example>: Relay access denied", port=2526)


def header_checks(site, mailbox, gateway, dlp):
    def sent(*fields, rcpts=("b@far.example",)):
        return site.send(OFFICE, "a@corp.example", rcpts, text("From: a@corp.example", *fields))

    before = len(gateway.mail), len(mailbox.mail)
    sent("Subject: very confidential", rcpts=["b@far.example", "c@corp.example"])
    check_equal(sorted(dlp.mail[-1].rcpts), ["b@far.example", "c@corp.example"], "filtered as a whole")
    check_equal((len(gateway.mail), len(mailbox.mail)), before, "and nowhere else")

    sent("X-Priority: 1", "Subject: now")
    check_equal(gateway.mail[-1].rcpts, ["b@far.example"], "X-Priority: recipient")
    check_equal(mailbox.mail[-1].rcpts, ["watch@corp.example"], "X-Priority: copy")
    before = len(gateway.mail)
    sent("X-Route: fax", rcpts=["b@far.example", "c@corp.example"])
    check_equal(mailbox.mail[-1].rcpts, ["fax@corp.example"], "X-Route: all recipients replaced")
    check_equal(len(gateway.mail), before, "X-Route: nothing for the old ones")
    log = sent("X-Strip: secret", "X-Big: " + "x" * 50, "Subject: (no subject)")
    mail = gateway.mail[-1].text
    check_equal(header(mail, "X-Strip"), None, "stripped")
    check_match(r"cleanup\[\d+\]: \w+: strip: header X-Strip: secret from .*: stripped by rule", log,
                "and logged")
    check_equal(header(mail, "X-Big"), "x" * 20, "replaced")
    check_equal(header(mail, "X-Note"), "subject missing", "prepended")
    smtp = site.client(OFFICE)
    smtp.say("MAIL FROM:<a@corp.example>", "250")
    smtp.say("RCPT TO:<b@far.example>", "250")
    smtp.say("DATA", "354")
    smtp.send("Subject: x\r\n\r\nbegin 644 a.exe\r\n.\r\n")
    smtp.expect("550 5.7.1 uuencoded program")
    smtp.say("MAIL FROM:<a@corp.example>", "250")
    smtp.say("RCPT TO:<b@far.example>", "250")
    smtp.say("DATA", "354")
    smtp.send('Content-Type: application/octet-stream; name="a.exe"\r\n\r\nx\r\n.\r\n')
    smtp.expect("550 5.7.1 file type")
    smtp.close()


def leaving(site, gateway):
    """All that is delivered leaves by SMTP: `*` of the transport table is for local names too."""
    log = site.send(OFFICE, "a@corp.example", ["b@far.example", "postmaster@relay.corp.example"],
                    text("Subject: [INTERN] plans", "X-Internal-Level: 5", "X-Internal-Token: t",
                         "Return-Path: <z@z.example>", "Bcc: hidden@corp.example",
                         "Content-Length: 7", "To: b@far.example",
                         body="text\n-- INTERNAL FOOTER --\nend"))
    check_match(r"to=<postmaster@relay\.corp\.example>, relay=gateway\.corp\.example", log, "a local name")
    out = gateway.mail[-1].text
    check_equal(header(out, "Subject"), "plans", "[INTERN] of what leaves")
    check("text\nend\n" in out, "footer of what leaves")
    for dropped in ("X-Internal-Level", "X-Internal-Token", "Return-Path", "Bcc", "Content-Length"):
        check_equal(header(out, dropped), None, f"{dropped} of what leaves")


def conversions(site, gateway, mailbox):
    site.send(OFFICE, "a@corp.example", "b@far.example", text("Subject: x", body="y" * 1500))
    body = gateway.mail[-1].text.partition("\n\n")[2].splitlines()
    check_equal([len(line) for line in body], [998, 503], "a long line is folded")
    site.send(OFFICE, "a@corp.example", "b@far.example", text(
        "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit", body="gr\u00fcn").replace("\n", "\r\n").encode()
        + b".\r\n")
    out = gateway.mail[-1].text
    check_equal((header(out, "Content-Transfer-Encoding"), out.partition("\n\n")[2]),
                ("quoted-printable", "gr=C3=BCn\n"), "8-bit text")
    before = len(mailbox.mail)
    log = site.send(OFFICE, "a@corp.example", "j\u00f6rg@far.example", text("Subject: x"),
                    mail_options=" SMTPUTF8")
    check_match("dsn=5.6.7, status=bounced", log, "a UTF-8 address")
    site.await_mail(mailbox, before + 2)
    site.mta.wait_for_log(r"to=<mailwatch@corp\.example>.* status=sent")
    check_equal(sorted(rcpt for mail in mailbox.mail[before:] for rcpt in mail.rcpts),
                ["a@corp.example", "mailwatch@corp.example"], "the bounce and its report")


def commands(site, mailbox):
    site.send(OFFICE, "a@corp.example", "a@oldname.example", text("Subject: x"))
    check_equal(mailbox.mail[-1].rcpts, ["a@corp.example"], "command filter")
    smtp = site.client(OFFICE)
    smtp.say("XHELLO", "250 2.0.0 Ok")
    smtp.say("HELO two words", "250 relay.corp.example")
    smtp.close()
    smtp = site.client(OFFICE)
    since = site.mta.log_position()
    smtp.say("MAIL FROM:<a@corp.example>", "250")
    smtp.say("RCPT TO:<all-staff@corp.example>", "451 4.3.5 ")
    check_match("Server configuration error", smtp.last, "the mistake in all-staff")
    smtp.say("RCPT TO:<b-outsider@corp.example>", "554 5.1.1 ")
    smtp.say("RCPT TO:<b@corp.example>", "250")
    smtp.close()
    site.mta.wait_for_log("disconnect from", since=since)
    check_equal(site.mta.logged(r"smtpd\[\d+\]: warning: ", since), 3, "warnings of it")


def printers(site, mailbox):
    log = site.send(OFFICE, "jdoe@corp.example", "b@corp.example",
                    text("From: <x@printer3.corp.example>", "X-Route: fax", "X-Strip: y"), port=2525)
    mail = mailbox.mail[-1]
    check_equal((mail.sender, mail.rcpts), ("jdoe@corp.example", ["b@corp.example"]),
                "neither canonical nor REDIRECT")
    check_equal(header(mail.text, "X-Strip"), "y", "no header checks of main.cf")
    check_equal(header(mail.text, "From"), "<x@corp.example>", "nor those of printer-cleanup")
    check_match(r"postfix/printers/smtpd\[\d+\]: \w+: client=", log, "syslog name")


with Site("12-internal-relay-checks", ZONE, extra_lines=OTHER_NETWORKS) as relay:
    gateway_host, mailbox_host = relay.host("192.0.2.10"), relay.host(
        "192.0.2.12", replies={"EHLO": "250-mailbox\r\n250-8BITMIME\r\n250 SMTPUTF8"})
    hub_host, dlp_host = relay.host("192.0.2.13", 26), relay.host("192.0.2.15", 10027)
    relay.start()
    addresses(relay, mailbox_host, gateway_host, hub_host)
    domainless(relay, mailbox_host)
    header_checks(relay, mailbox_host, gateway_host, dlp_host)
    leaving(relay, gateway_host)
    conversions(relay, gateway_host, mailbox_host)
    commands(relay, mailbox_host)
    printers(relay, mailbox_host)
finish()
