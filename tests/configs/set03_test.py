#!/usr/bin/env python3
"""03-null-client: a host without a listener that only submits by the sendmail command.

The set has no listener, so all of it is the commands', for root, www-data and two other users."""
import os
import socket
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flows import Site, check, check_equal, check_match, finish, header

ZONE = {("farm.example", "MX"): [(10, "hub.farm.example")],
        ("hub.farm.example", "A"): ["192.0.2.10"]}


def submitted(site, sender, rcpt, count):
    """What the hub got of a message by sendmail with this sender."""
    done = site.mta.run("sendmail", "-f", sender, rcpt,
                        input=f"From: {sender}\nTo: {rcpt}\nSubject: x\n\nx\n")
    check_equal((done.returncode, done.stderr), (0, ""), f"sendmail {rcpt}")
    return site.await_mail(hub, count)[-1]


def sending(site):
    mail = submitted(site, "deploy", "user", 1)
    check_equal((mail.sender, mail.rcpts), ("deploy@farm.example", ["user@farm.example"]),
                "bare names")
    check_equal((header(mail.text, "From"), header(mail.text, "To")),
                ("deploy@farm.example", "user@farm.example"), "bare names in the header")
    mail = submitted(site, "deploy@web12.farm.example", "x@far.example", 2)
    check_equal((mail.sender, header(mail.text, "From"), mail.rcpts),
                ("deploy@farm.example", "deploy@farm.example", ["x@far.example"]), "masqueraded")
    mail = submitted(site, "root@web12.farm.example", "x@far.example", 3)
    check_equal((mail.sender, header(mail.text, "From")),
                ("root@web12.farm.example", "root@web12.farm.example"), "root is kept")


def nothing_local(site):
    with socket.socket() as client:
        check(client.connect_ex(("127.0.0.1", 25)) != 0, "nothing listens on port 25")
    site.mta.run("sendmail", "-f", "deploy", "user@[127.0.0.1]", input="Subject: x\n\nx\n")
    site.mta.wait_for_log(r"to=<user@\[127\.0\.0\.1\]>.* dsn=5\.\d\.\d, status=bounced "
                          r"\(local delivery is disabled\)")
    check_equal(site.await_mail(hub, 4)[-1].rcpts, ["deploy@farm.example"], "the bounce")


def as_user(site, user, *command):
    return site.run_as(user, *command, input="Subject: x\n\nx\n")


def refusals(site):
    done = as_user(site, "www-data", "sendmail", "x@far.example")
    check(done.returncode != 0, "www-data's exit status")
    check_match(r"fatal: User www-data\(\d+\) is not allowed to submit mail", done.stderr,
                "www-data's message")
    done = as_user(site, "deploy", "mailq")
    check(69 <= done.returncode <= 77, f"mailq of deploy: {done.returncode}")
    check_match("not allowed to view the mail queue", done.stderr, "its message")
    for user in ("root", "nagios"):
        done = as_user(site, user, "mailq")
        check_equal((done.returncode, done.stderr), (0, ""), f"mailq of {user}")
        check_match("Mail queue is empty|-Queue ID-", done.stdout, f"mailq of {user}")
    before = len(hub.mail)
    done = as_user(site, "deploy", "sendmail", "x@far.example")
    check_equal(done.returncode, 0, f"deploy may submit: {done.stderr}")
    check_equal(site.await_mail(hub, before + 1)[-1].sender, "deploy@farm.example", "its sender")


with Site("03-null-client", ZONE, users=("deploy", "nagios")) as host:
    hub = host.host("192.0.2.10")
    host.set_group_commands()
    host.start()
    sending(host)
    nothing_local(host)
    refusals(host)
finish()
