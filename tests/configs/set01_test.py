#!/usr/bin/env python3
"""01-debian-internet-site: installer defaults, chroot column, local aliases, unused pipe services.

Procmail, lpr and the files below /etc/mail are stand-ins in the test's own /usr/bin and /etc."""
import os
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flows import Site, certificate, check, check_equal, check_match, finish, header, put

CLIENT = "198.51.100.7"
ZONE = {("other.example", "MX"): [(10, "mx.other.example")],
        ("mx.other.example", "A"): ["192.0.2.10"]}
# What a stand-in leaves: its arguments, its user and the mail, in a folder everybody may write.
STAND_IN = """#!/bin/sh
exec >>{folder}/{name}.$(id -un)
printf '%s|' "$@"
echo "EXTENSION=$EXTENSION"
cat
"""


def prepare(site, folder):
    os.makedirs(folder)
    os.chmod(folder, 0o1777)
    for name in ("procmail", "lpr"):
        path = os.path.join(site.programs, name)
        with open(path, "w") as file:
            file.write(STAND_IN.format(folder=folder, name=name))
        os.chmod(path, 0o755)
    put("/var/mail/archive", "", "nobody")  # whose it is: default_privs cannot make it
    os.makedirs("/etc/mail", exist_ok=True)
    put("/etc/mail/team.list", "anna, lost@other.example\n", "root", 0o644)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                    "/CN=host1.site.example", "-keyout", "/etc/ssl/private/ssl-cert-snakeoil.key",
                    "-out", "/etc/ssl/certs/ssl-cert-snakeoil.pem"], check=True,
                   capture_output=True)


def left(name, user):
    path = os.path.join(FOLDER, f"{name}.{user}")
    if not os.path.exists(path):
        return ""
    with open(path) as file:
        return file.read()


def send(site, rcpt, sender="a@outside.example", source=CLIENT):
    return site.send(source, sender, rcpt, f"From: {sender}\nSubject: x\n\nx\n")


def local(site, mx):
    send(site, "anna@site.example")
    check_match(r"\A-a\|\|EXTENSION=\n", left("procmail", "anna"), "procmail as anna")
    send(site, "anna+list@site.example")
    check_match(r"\n-a\|list\|EXTENSION=list\n", left("procmail", "anna"), "with an extension")
    send(site, "staff@site.example")
    check_equal(left("procmail", "anna").count("Subject: x"), 3, "staff: anna")
    check_equal(left("procmail", "bernd").count("Subject: x"), 1, "staff: bernd")
    check_equal(site.await_mail(mx, 1)[-1].rcpts, ["carla@other.example"], "staff: carla, by MX")
    send(site, "printer@site.example")
    check("Subject: x" in left("lpr", "nobody"), "a command of the alias, as default_privs")
    check_match(r"\A-Pmail\|", left("lpr", "nobody"), "its arguments")


def files(site, mx):
    log = send(site, "archive@site.example")
    check_match("status=sent .delivered to file: /var/mail/archive", log, "an mbox file")
    with open("/var/mail/archive") as file:
        check(file.read().startswith("From a@outside.example "), "in mbox format")
    since, before = site.mta.log_position(), left("procmail", "anna").count("Subject: x")
    mx.replies["RCPT"] = "550 5.1.1 no such user"
    send(site, "team@site.example")
    site.mta.wait_for_log(r"to=<lost@other\.example>.* status=bounced", since=since)
    site.mta.wait_for_log(r"to=<anna@site\.example>, orig_to=<owner-team@site\.example>.* status=sent"
                          r"|to=<anna@\S+>.*orig_to=<owner-team@\S+>.* status=sent", since=since)
    check_equal(left("procmail", "anna").count("Undelivered Mail"), 1, "the bounce is for owner-team")
    check(left("procmail", "anna").count("Subject: x") > before, "anna is of the team")
    del mx.replies["RCPT"]


def relaying(site, mx):
    site.refused(CLIENT, "a@outside.example", "nosuch@site.example",
                 "550 5.1.1 <nosuch@site.example>: Recipient address rejected: User unknown in "
                 "local recipient table")
    site.refused(CLIENT, "a@outside.example", "x@other.example",
                 "454 4.7.1 <x@other.example>: Relay access denied")
    before = len(mx.mail)
    log = send(site, "x@other.example", source="127.0.0.1")
    check_match("relay=mx.other.example", log, "from this host by MX")
    check_equal((len(mx.mail), mx.encrypted > 0), (before + 1, True), "by TLS where it is offered")
    send(site, "x@other.example", sender="anna", source="127.0.0.1")
    check_equal(mx.mail[-1].sender, "anna@host1.site.example", "a sender without a domain")
    check_equal(header(mx.mail[-1].text, "From"), "anna@host1.site.example", "in the header, too")
    send(site, "x@other.example", sender="user@foo", source="127.0.0.1")
    check_equal(mx.mail[-1].sender, "user@foo", "append_dot_mydomain = no")
    check_equal(site.mta.logged(r"(?:fatal|panic|error): |throttling"), 0, "trouble in the log")


with Site("01-debian-internet-site", ZONE, users=("anna", "bernd")) as host:
    FOLDER = os.path.join(host.homes, "..", "left")
    prepare(host, FOLDER)
    mx_host = host.host("192.0.2.10", tls=certificate())
    host.start()
    local(host, mx_host)
    files(host, mx_host)
    relaying(host, mx_host)
finish()
