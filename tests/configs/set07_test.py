#!/usr/bin/env python3
"""07-mailman3-postsrsd: a list manager's tables, and senders rewritten by tcp tables.

The list manager is an LMTP server, its table written and built as it does that. Senders are rewritten
by a server of the test, which counts questions, and then by Debian's postsrsd."""
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flows import (JUDGE, Site, check, check_equal, check_match, finish, header, postfix37,
                   wait_until)
from lmtp_server import LmtpServer

CLIENT = "198.51.100.7"
ZONE = {(f"{domain}.example", "MX"): [(10, f"mx.{domain}.example")]
        for domain in ("mailbox", "home", "alumni.mailbox", "far")}
ZONE.update({(f"mx.{domain}.example", "A"): [f"192.0.2.{number}"] for number, domain in enumerate(
    ("mailbox", "home", "alumni.mailbox", "far"), 10)})
OWN = "union.example"
SRS = re.compile(r"SRS0=\w+=\w+=far\.example=a@union\.example$")
RECEIVER = """#!/bin/sh
printf '%s\\n' "$@" >/var/mail/received
cat >>/var/mail/received
"""


class TcpTable:
    """The server of tcp_table(5): answers get KEY, and keeps what it was asked."""

    def __init__(self, port, rewrite):
        self.rewrite, self.asked = rewrite, []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen()
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as file:
            for line in file:
                verb, key = line.decode().rstrip("\n").split(" ", 1)
                check_equal(verb, "get", "a question to the tcp table")
                self.asked.append(key)
                value = self.rewrite(key)
                try:
                    connection.sendall(f"200 {value}\n".encode() if value else b"500 no change\n")
                except OSError:
                    return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def forward(key):
    local, _, domain = key.partition("@")
    if domain in ("", OWN) or not local:
        return None
    return f"SRS0=abcd=XY={domain}={local}@{OWN}"


def reverse(key):
    # smtpd asks in lower case, as Postfix's.
    found = re.fullmatch(rf"SRS0=abcd=XY=([^=]+)=(.+)@{OWN}", key, re.I)
    return found and f"{found[2]}@{found[1]}"


def text(sender, rcpt):
    return f"From: {sender}\nTo: {rcpt}\nSubject: x\n\nx\n"


def send(site, rcpts, sender="a@far.example", source=CLIENT, **options):
    return site.send(source, sender, rcpts, text("a@far.example", "them"), **options)


def accepted(site, rcpt):
    smtp = site.client(CLIENT)
    smtp.say("MAIL FROM:<a@far.example>", "250")
    smtp.send(f"RCPT TO:<{rcpt}>\r\n")
    reply = smtp.reply()
    smtp.close()
    return reply.startswith("250")


def lists(site, manager):
    addresses = [f"members{kind}@{OWN}" for kind in ("", "-request", "-bounces+key=dom.example")]
    log = send(site, addresses)
    check_equal(len(re.findall(r"relay=127\.0\.0\.1\[127\.0\.0\.1\]:8024, .*status=sent", log)), 3,
                "to the list manager")
    wait_until(lambda: len(manager.messages) >= 3, "its mail")
    check_equal(sorted(rcpts for rcpts, _ in manager.messages), sorted([a] for a in addresses),
                "a transaction for each, extensions kept")
    unknown = f"nolist@{OWN}"
    site.refused(CLIENT, "a@far.example", unknown, f"550 5.1.1 <{unknown}>: Recipient address "
                 "rejected: User unknown in relay recipient table")
    if JUDGE:  # sends it elsewhere for much longer
        return
    # A new list: what the list manager does, while all of it runs.
    fresh = f"fresh@{OWN}"
    site.refused(CLIENT, "a@far.example", fresh, "550 5.1.1 ")
    with open(site.path("lists/postfix_lmtp"), "a") as table:
        table.write(f"{fresh}   lmtp:[127.0.0.1]:8024\n")
    site.mta.run("postmap", "-c", site.mta.etc, f"hash:{site.path('lists/postfix_lmtp')}")
    wait_until(lambda: accepted(site, fresh), "the new list at RCPT")
    # Where its mail goes is looked up elsewhere, which may see the new table a moment later.
    wait_until(lambda: re.search(r":8024, .*status=sent", send(site, fresh)), "the new list's mail")
    check_equal(manager.messages[-1][0], [fresh], "at the list manager")


def forwarding(site, hosts, senders):
    hosts = {name: Since(mail_server) for name, mail_server in hosts.items()}
    before = senders and len(senders.asked)
    send(site, "nora@forward.example")
    mail = site.await_mail(hosts["mailbox"], 1)[-1]
    check_match(SRS, mail.sender, "the sender is rewritten")
    check_equal((mail.rcpts, header(mail.text, "From")), (["nora@mailbox.example"], "a@far.example"),
                "recipient, and a header that is as it was")
    if senders:
        check_equal(senders.asked[before:], ["a@far.example", mail.sender], "asked once for each")
    send(site, "team@forward.example", sender=f"boss@{OWN}")
    check_equal((site.await_mail(hosts["mailbox"], 2)[-1].sender,
                 site.await_mail(hosts["home"], 1)[-1].sender), (f"boss@{OWN}",) * 2,
                "a sender of our own is kept")
    # The bounce of what was forwarded comes back.
    send(site, mail.sender, sender="")
    check_equal(site.await_mail(hosts["far"], 1)[-1].rcpts, ["a@far.example"], "a bounce, reversed")


def others(site, hosts):
    send(site, "erna@alumni.example")
    check_equal(site.await_mail(hosts["alumni.mailbox"], 1)[-1].rcpts, ["erna@alumni.mailbox.example"],
                "one domain for another")
    log = send(site, "chess-request@old-lists.example", source="127.0.0.1")
    check_match(r"relay=mlm, .*status=sent", log, "the second list manager")
    with open("/var/mail/received") as file:
        received = file.read()
    check_match(r"\A-L\n/var/spool/mlm/old-lists\n-s\nSRS0=.*\n-e\n\n", received,
                "its arguments")
    site.refused(CLIENT, "a@far.example", f"x%far.example@{OWN}",
                 "554 5.7.1 ")


def verp(site, hosts):
    """A return path for each recipient, which leads back to the list manager."""
    hosts = {name: Since(mail_server) for name, mail_server in hosts.items()}
    rcpts = ["ann@mailbox.example", "bob@mailbox.example", "cid@home.example"]
    send(site, rcpts, sender=f"members-bounces@{OWN}", source="127.0.0.1", mail_options=" XVERP=+=")
    sent = site.await_mail(hosts["mailbox"], 2) + site.await_mail(hosts["home"], 1)
    check_equal(sorted((mail.sender, mail.rcpts) for mail in sent), sorted(
        (f"members-bounces+{rcpt.replace('@', '=')}@{OWN}", [rcpt]) for rcpt in rcpts), "VERP")
    smtp = site.client(CLIENT)
    smtp.say("MAIL FROM:<a@far.example> XVERP", "555 5.5.4 Unsupported option: XVERP")
    smtp.close()


def down(site, hosts, tables):
    """Without the tables nothing is sent unrewritten, and nothing goes back."""
    for table in tables:
        table.close()
    since = site.mta.log_position()
    site.refused(CLIENT, "a@far.example", "nora@forward.example",
                 "451 4.3.0 <nora@forward.example>: Temporary lookup failure")
    attempts = site.mta.logged(r"warning: .*\bconnect to (?:TCP map )?127\.0\.0\.1:1000[12]: ", since)
    check(1 <= attempts <= 20, f"{attempts} warnings about connections")
    check_equal([len(host.mail) for host in hosts.values()], COUNTS, "nothing was sent")


def real(site, hosts):
    """postsrsd, as Debian's unit starts it."""
    program = os.path.join(postfix37.HOME, "usr/sbin/postsrsd")
    secret = site.path("postsrsd.secret")
    with open(secret, "w") as file:
        file.write("a secret of this test\n")
    with subprocess.Popen([program, "-f10001", "-r10002", f"-d{OWN}", f"-s{secret}", "-unobody",
                           "-4"]) as server:
        try:
            for port in (10001, 10002):
                wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "postsrsd")
            wait_until(lambda: accepted(site, "nora@forward.example"), "answers of the new server")
            forwarding(site, hosts, None)
        finally:
            server.terminate()


class Since:
    """A host without the mail that it had before."""

    def __init__(self, mail_server):
        self.host, self.before, self.port = mail_server, len(mail_server.mail), mail_server.port

    @property
    def mail(self):
        return self.host.mail[self.before:]


with Site("07-mailman3-postsrsd", ZONE, users=("nora",)) as host:
    script = os.path.join(host.programs, "mlm-receive")
    with open(script, "w") as receiver:
        receiver.write(RECEIVER)
    os.chmod(script, 0o755)
    os.chmod("/var/mail", 0o1777)
    servers = TcpTable(10001, forward), TcpTable(10002, reverse)
    there = {domain: host.host(f"192.0.2.{number}") for number, domain in enumerate(
        ("mailbox", "home", "alumni.mailbox", "far"), 10)}
    with LmtpServer(port=8024) as list_manager:
        host.start()
        lists(host, list_manager)
        forwarding(host, there, servers[0])
        others(host, there)
        verp(host, there)
        COUNTS = [len(mx.mail) for mx in there.values()]
        down(host, there, servers)
        real(host, there)
finish()
