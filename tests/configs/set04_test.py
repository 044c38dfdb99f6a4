#!/usr/bin/env python3
"""04-isp-virtual-sql: domains in SQL, LMTP, and users who log in by Dovecot on 587 and 465.

Not seen here: which certificate the SNI name chooses, and DANE (tests/smtp/dane_test.py does). Not
compared with Postfix, whose sqlite tables are not among what ./dev unpacks."""
import base64
import os
import re
import shutil
import sqlite3
import ssl
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flows import (INSIDE, JUDGE, Site, Smtp, check, check_equal, check_match, finish, header,
                   skip)
from dovecot import Dovecot, USERS
from lmtp_server import LmtpServer

CLIENT, USERS_HOST, BUSY, GUESSER = ("198.51.100.7", "198.51.100.8", "198.51.100.9",
                                     "198.51.100.10")
ZONE = {("client.example", "A"): ["198.51.100.7"],
        ("far.example", "MX"): [(10, "mx.far.example")], ("mx.far.example", "A"): ["203.0.113.10"]}
for domain in ("isp.example", "shop.example", "club.example"):
    ZONE[(domain, "MX")] = [(10, "mx1.isp.example")]
ZONE[("mx1.isp.example", "A")] = ["198.18.0.1"]
DATABASE = "/srv/mail.sqlite"
INA, JO = "ina@shop.example", "jo@club.example"
TLS = ssl.create_default_context()
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE
MAIL = ("Received: from phone (home [192.0.2.200])\n\tby dial.example; "
        "Fri, 27 Nov 2026 09:00:00 +0000\n"
        "From: {0}\nTo: x\nSubject: x\nX-Mailer: phone 1.0\n\nx\n")


def prepare(site):
    with open(os.path.join(site.folder, "schema.sql"), encoding="utf-8") as schema:
        with sqlite3.connect(DATABASE) as database:
            database.executescript(schema.read())
    for name in os.listdir(site.path("sql")):
        path = os.path.join(site.path("sql"), name)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("/var/lib/isp/mail.sqlite", DATABASE))
    os.makedirs("/etc/ssl/mx1", exist_ok=True)
    for name in ("rsa.pem", "ecdsa.pem"):
        shutil.copy(site.mta.certificate(), f"/etc/ssl/mx1/{name}")


# ---- port 25 ----

def incoming(site, lmtp, far):
    smtp = site.client(CLIENT)
    check("AUTH" not in smtp.last, "port 25 offers no AUTH")
    check("STARTTLS" in smtp.last, "port 25 offers STARTTLS")
    smtp.say("AUTH PLAIN =", "503 5.5.1 Error: authentication not enabled")
    smtp.close()
    for rcpt, want in ((INA, [INA]), ("ina+x@shop.example", ["ina+x@shop.example"]),
                       ("sales@shop.example", [INA]), ("anything@club.example", [JO]), (JO, [JO])):
        site.send(CLIENT, "a@client.example", rcpt, "Subject: x\n\nx\n")
        check_equal(lmtp.messages[-1][0], want, f"LMTP for {rcpt}")
    before = len(lmtp.messages)
    site.send(CLIENT, "a@client.example", "all@shop.example", "Subject: all\n\nx\n")
    check_equal(sorted(r for m in lmtp.messages[before:] for r in m[0]), sorted([INA, JO]),
                "the members here")
    check_equal(site.await_mail(far, 1)[-1].rcpts, ["ext@far.example"], "the member elsewhere")
    site.refused(CLIENT, "a@client.example", "x@shop.example",
                 "550 5.1.1 <x@shop.example>: Recipient address rejected: "
                 "User unknown in virtual mailbox table")
    site.refused(CLIENT, "a@client.example", "old@shop.example", "550 5.1.6 ")
    smtp = site.client(CLIENT)
    qid = smtp.message("a@client.example", "quarantine@isp.example", "Subject: x\n\nx\n")
    smtp.close()
    check_match(rf"(?m)^{qid}!", site.mta.run("postqueue", "-c", site.mta.etc, "-p").stdout,
                "goes on hold")


# ---- 587 and 465 ----

def secured(smtp):
    smtp.socket = TLS.wrap_socket(smtp.socket)
    smtp.file = smtp.socket.makefile("rb")
    return smtp


def submission(site, source=USERS_HOST):
    smtp = site.client(source, 587)
    smtp.say("STARTTLS", "220 ")
    secured(smtp)
    smtp.say("EHLO phone", "250")
    return smtp


def submissions(site):
    with site.outside():
        smtp = Smtp(465, INSIDE, greeting=None, source=(USERS_HOST, 0))
    secured(smtp)
    smtp.expect("220 ")
    smtp.say("EHLO phone", "250")
    return smtp


def log_in(smtp, user, password=None):
    secret = f"\0{user}\0{password or USERS[user]}"
    smtp.say(f"AUTH PLAIN {base64.b64encode(secret.encode()).decode()}",
             "535 5.7.8 " if password else "235 2.7.0 ")


def before_tls(site):
    smtp = site.client(USERS_HOST, 587)
    check("AUTH" not in smtp.last, "AUTH before STARTTLS")
    smtp.say(f"MAIL FROM:<{INA}>", "530 5.7.0 Must issue a STARTTLS command first")
    smtp.close()
    for make in (submission, submissions):
        smtp = make(site)
        check_match(r"(?m)^250-AUTH PLAIN LOGIN\r\n250-AUTH=PLAIN LOGIN\r$", smtp.last, "AUTH")
        smtp.say(f"MAIL FROM:<{INA}>", "250")
        smtp.say("RCPT TO:<b@far.example>", "554 5.7.1 ")
        smtp.close()


def senders(site):
    """Whose addresses they are."""
    for sender, reply in ((INA, "250"), ("sales@shop.example", "250"),
                          ("ina+x@shop.example", "250"), (JO, "553 5.7.1 <jo@club.example>: Sender address rejected: "
                           "not owned by user ina@shop.example"),
                          ("x@elsewhere.example", "553 5.7.1 ")):
        smtp = submission(site)
        log_in(smtp, INA)
        smtp.say(f"MAIL FROM:<{sender}>", "250")
        smtp.say("RCPT TO:<b@far.example>", reply)
        smtp.close()
    site.mta.wait_for_log(r"postfix/submission/smtpd\[\d+\]: NOQUEUE: reject: RCPT from .*: 553 "
                          rf"5\.7\.1 <{JO}>: .* sasl_method=PLAIN sasl_username={INA}$")


def submitted(site, far):
    """What leaves tells nothing about the user's machine; what came by port 25 keeps its own."""
    for make, name in ((submission, "submission"), (submissions, "submissions")):
        since, before = site.mta.log_position(), len(far.mail)
        smtp = make(site)
        log_in(smtp, INA)
        qid = smtp.message(INA, "b@far.example", MAIL.format(INA))
        site.done(qid, since)
        site.mta.wait_for_log(rf"postfix/{name}/smtpd\[\d+\]: {qid}: client=.*, "
                              rf"sasl_method=PLAIN, sasl_username={INA}$", since=since)
        text = site.await_mail(far, before + 1)[-1].text
        check_equal((header(text, "X-Mailer"), header(text, "Received")), (None, None),
                    f"{name}: what is left of the header")
        smtp.close()
    site.mta.wait_for_log(r"postfix/mua-cleanup/cleanup\[\d+\]: ")
    site.send(CLIENT, "a@client.example", INA, MAIL.format("a@client.example"))
    text = b"\n".join(lmtp_server.messages[-1][1]).decode()
    check_match("X-Mailer: phone 1.0", text, "port 25: X-Mailer")
    check_equal(len(re.findall(r"(?m)^Received: ", text)), 2, "port 25: Received")


# ---- limits, and what fails ----

def limits(site):
    smtp = submission(site, GUESSER)
    for _ in range(10):
        log_in(smtp, INA, "guess")
    smtp.say("AUTH PLAIN =", "450 4.7.1 Error: too many AUTH commands from 198.51.100.10")
    site.mta.wait_for_log(r"warning: AUTH command rate limit exceeded: 11 from \S+\[198.51.100.10\]"
                          " for service submission")
    smtp.close()
    for _ in range(60):
        site.client(BUSY).close()
    with site.outside():
        smtp = Smtp(25, INSIDE, greeting="421 4.7.0 ", source=(BUSY, 0))
    smtp.close()


def database_down(site):
    with open(DATABASE, "r+b") as file:
        file.write(bytes(8192))
    smtp = site.client(CLIENT)
    smtp.say("MAIL FROM:<a@client.example>", "250")
    check_match("Temporary lookup failure", smtp.say("RCPT TO:<new@shop.example>", "451 4.3.0 "),
                "without the database")
    smtp.close()


def auth_down(site, dovecot):
    dovecot.stop()
    smtp = submission(site)
    smtp.say("AUTH PLAIN =", "454 4.7.0 Temporary authentication failure: ")
    smtp.close()
    site.send(CLIENT, "a@client.example", INA, "Subject: x\n\nx\n")


if JUDGE:
    skip("Debian's postfix-sqlite is not among what ./dev unpacks")
with Site("04-isp-virtual-sql", ZONE, corrections={
        "smtpd_error_sleep_time": "0", "smtpd_hard_error_limit": "50"}) as host:
    prepare(host)
    outside = host.host("203.0.113.10")
    host.start()
    with Dovecot(host.mta.queue, mechanisms="plain login") as dovecot_server:
        private = os.path.join(host.mta.queue, "private")
        check_equal(os.stat(private).st_mode & 0o777, 0o700, "private/")
        with LmtpServer(os.path.join(private, "dovecot-lmtp")) as lmtp_server:
            incoming(host, lmtp_server, outside)
            before_tls(host)
            senders(host)
            submitted(host, outside)
            limits(host)
            auth_down(host, dovecot_server)
            database_down(host)
finish()
