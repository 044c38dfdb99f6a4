#!/usr/bin/env python3
"""06-amavis-reinject: a filter behind the queue, and the second smtpd that takes what it gives back.

The filter is a server that takes mail; the test gives it back, with XFORWARD, as amavis does."""
import os
import pwd
import re
import socket
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flows import INSIDE, Site, check, check_equal, check_match, finish, header, wait_until

CLIENT = "198.51.100.7"
ZONE = {("outside.example", "MX"): [(10, "mx.outside.example")],
        ("mx.outside.example", "A"): ["192.0.2.10"],
        ("7.100.51.198.in-addr.arpa", "PTR"): ["client.outside.example"],
        ("client.outside.example", "A"): [CLIENT]}
EHLO = {"EHLO": "250-filter\r\n250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"}


def send(site, sender, rcpt, *fields):
    return site.send(CLIENT, sender, rcpt, "\n".join((f"From: {sender}", *fields, "", "x", "")))


def inbox(user):
    folder = os.path.join(pwd.getpwnam(user).pw_dir, "Maildir", "new")
    texts = []
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        with open(os.path.join(folder, name)) as file:
            texts.append(file.read())
    return texts


def hand_over(site, sender, *fields):
    """A message that cleanup alone decides about; gives its queue id."""
    smtp = site.client(CLIENT)
    queue_id = smtp.message(sender, "info@works.example", "\n".join((*fields, "", "x")))
    smtp.close()
    return queue_id


def filter_down(site):
    """Mail waits, and goes when the filter is there."""
    queue_id = hand_over(site, "a@outside.example", "Subject: early")
    site.mta.wait_for_log(rf"{queue_id}: to=<info@works\.example>.* status=deferred \(connect to "
                          r"127\.0\.0\.1\[127\.0\.0\.1\]:10024: Connection refused\)")
    content_filter = site.host("127.0.0.1", 10024, replies=dict(EHLO))
    site.mta.run("postqueue", "-f")
    site.mta.wait_for_log(rf"{queue_id}: removed")
    check_equal(len(content_filter.mail), 1, "mail that waited for the filter")
    return content_filter


def through(site, content_filter):
    log = send(site, "a@outside.example", "info@works.example", "Subject: x")
    queue_id = re.search(r"smtpd\[\d+\]: (\w+): client=", log)[1]
    check_match(r"postfix/amavis/smtp\[\d+\]: .* relay=127\.0\.0\.1\[127\.0\.0\.1\]:10024", log,
                "the service amavis")
    mail = content_filter.mail[-1]
    check_equal(mail.rcpts, ["info@works.example"], "not yet mapped")
    said = " ".join(line for _, line in content_filter.commands if line.startswith("XFORWARD"))
    for attribute in (f"ADDR={CLIENT}", "PROTO=ESMTP", "HELO=client.example", f"IDENT={queue_id}",
                      "SOURCE=REMOTE", "PORT=", "NAME=client.outside.example"):
        check(attribute in said, f"XFORWARD {attribute}: {said}")

    smtp = site.client("127.0.0.1", 10025)
    smtp.say(f"XFORWARD ADDR={CLIENT} PORT=4711 PROTO=ESMTP HELO=client.example", "250")
    smtp.say(f"XFORWARD IDENT={queue_id} SOURCE=REMOTE", "250")
    second = smtp.message(mail.sender, mail.rcpts, mail.text)
    smtp.close()
    site.mta.wait_for_log(rf"postfix/reinject/smtpd\[\d+\]: {second}: client=localhost"
                          rf"\[127\.0\.0\.1\], orig_queue_id={queue_id}, "
                          rf"orig_client=\S*\[{re.escape(CLIENT)}\]")
    site.mta.wait_for_log(rf"{second}: removed")
    for user in ("lee", "max"):
        check_equal(len(inbox(user)), 1, f"Maildir of {user}")
        check_equal(header(inbox(user)[0], "X-Original-To"), "info@works.example", "X-Original-To")
    check_match(rf"from client\.example \(.*\[{re.escape(CLIENT)}\]\)", inbox("lee")[0],
                "the Received field of the first")


def checks(site, content_filter):
    before = len(content_filter.mail)
    queue_id = hand_over(site, "a@outside.example", "X-Loop: works.example")
    site.mta.wait_for_log(rf"cleanup\[\d+\]: {queue_id}: discard: header X-Loop")
    queue_id = hand_over(site, "a@outside.example", "Subject: [hold] this")
    site.mta.wait_for_log(rf"cleanup\[\d+\]: {queue_id}: hold: header Subject")
    listed = site.mta.run("postqueue", "-p").stdout
    check_match(rf"{queue_id}!", listed, "the hold queue")
    log = send(site, "a@nofilter.works.example", "info@works.example", "Subject: straight")
    check_match(r"relay=127\.0\.0\.1\[127\.0\.0\.1\]:10025", log, "no filter for that sender")
    wait_until(lambda: len(inbox("lee")) == 2, "mail that went straight")
    check_equal(len(content_filter.mail), before, "the filter saw none of them")


def refusals(site, content_filter):
    mx = site.host("192.0.2.10")
    content_filter.replies["RCPT"] = "550 5.7.1 no such thing"
    log = send(site, "a@outside.example", "max@works.example", "Subject: bad")
    check_match(r"dsn=5\.7\.1, status=bounced", log, "refused by the filter")
    bounce = site.await_mail(mx, 1)[-1]
    check_equal((bounce.sender, bounce.rcpts), ("", ["a@outside.example"]), "the bounce")
    with site.outside(), socket.socket() as client:
        check(client.connect_ex((INSIDE, 10025)) != 0, "the second smtpd is for this host")


with Site("06-amavis-reinject", ZONE, users=("lee", "max")) as host:
    host.start()
    the_filter = filter_down(host)
    through(host, the_filter)
    checks(host, the_filter)
    refusals(host, the_filter)
finish()
