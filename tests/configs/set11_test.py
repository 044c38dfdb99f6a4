#!/usr/bin/env python3
"""11-bulk-outbound: client services for senders and destinations, their limits, and who waits for whom.

The 5.1.10 that the README has for a null MX is nobody's: Debian's smtp says 5.1.0, the contract 5.1.2.
Not seen here: TLS to destinations, VERP (as in set 07), 100,000 recipients (3,000 do) and how the
queue is hashed, for ours is a log."""
import os
import re
import socket
import socketserver
import sys
import threading
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flows import Host, Site, check, check_equal, check_match, finish, wait_until

US = "127.0.0.1"
SERVERS = {name: f"192.0.2.{number}" for number, name in enumerate(
    ("bigmail", "slowisp", "touchy", "far", "sulky"), 10)}
ZONE = {("nomail.example", "MX"): [(0, ".")]}
for server, place in SERVERS.items():
    ZONE[(f"{server}.example", "MX")] = [(10, f"mx.{server}.example")]
    ZONE[(f"mx.{server}.example", "A")] = [place]


class Policies(socketserver.ThreadingTCPServer):
    """The socketmap server: no destination has a policy."""
    allow_reuse_address = daemon_threads = True

    class RequestHandlerClass(socketserver.StreamRequestHandler):
        def handle(self):
            self.server.open.append(self.request)
            while length := b"".join(iter(lambda: self.rfile.read(1), b":")) \
                    if self.rfile.peek(1) else b"":
                self.server.asked.append(self.rfile.read(int(length) + 1)[:-1].decode())
                self.wfile.write(b"9:NOTFOUND ,")

    def __init__(self):
        self.asked, self.open = [], []
        super().__init__(("127.0.0.1", 8461), self.RequestHandlerClass)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        self.shutdown()
        self.server_close()
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has gone already


class Watched(Host):
    """Knows who came, and when messages began and ended; may be slow in taking them."""

    def __init__(self, slowness=0.0, **options):
        self.slowness = slowness
        self.peers, self.times, self.talking, self.most = [], [], 0, 0
        self.lock = threading.Lock()
        super().__init__(**options)

    def _session(self, conn, number):
        with self.lock:
            self.peers.append(conn.getpeername()[0])
            self.talking += 1
            self.most = max(self.most, self.talking)
        super()._session(conn, number)
        with self.lock:
            self.talking -= 1

    def _say(self, conn, verb, text):
        if verb == "MAIL":
            self.times.append(("begin", time.monotonic()))
        elif verb == ".":
            time.sleep(self.slowness)
        super()._say(conn, verb, text)
        if verb == ".":
            self.times.append(("end", time.monotonic()))


def server_of(site, name, **options):
    with site.outside():
        server = Watched(host=SERVERS[name], port=25, **options)
    site.hosts.append(server)
    return server


def mail(site, sender, rcpts):
    return site.send(US, sender, rcpts, "Subject: x\n\nx\n")


def submit(site, sender, rcpts):
    """Accepted, and left to itself."""
    smtp = site.client(US)
    smtp.message(sender, rcpts, "Subject: x\n\nx")
    smtp.close()


def services(site, far, bigmail):
    log = mail(site, "news-42@bulk.example", ["a@far.example", "b@far.example"])
    check_match(r"postfix/news/smtp\[\d+\]: \w+: to=<a@far\.example>.* status=sent", log, "service news")
    check_match(r"^(?:.*\n)*.*: [0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{12,}: removed", log, "long ids")
    check_equal(far.peers[-1], "10.9.0.11", "source address of news")
    check_match(r"EHLO news\.bulk\.example$", far.commands[0][1], "its name")
    check_equal(len(far.mail), 1, "both in one transaction")
    log = mail(site, "receipt@bulk.example", ["a@far.example", "b@far.example"])
    check_match(r"postfix/txn/smtp\[\d+\]: \w+: to=<a@far\.example>.* status=sent", log, "service txn")
    check_equal(far.peers[-1], "10.9.0.12", "source address of txn")
    check_equal(sorted(one.rcpts for one in far.mail[1:]), [["a@far.example"], ["b@far.example"]],
                "one recipient a transaction")
    log = mail(site, "news-42@bulk.example", "a@bigmail.example")
    check_match(r"postfix/bigmail/smtp\[\d+\]: \w+: to=<a@bigmail", log, "the recipient's entry wins")
    check_equal(len(bigmail.mail), 1, "one for bigmail")


def gaps(server):
    """From each end to the next beginning."""
    marks = server.times
    return [after - before for (kind, before), (_, after) in zip(marks, marks[1:]) if kind == "end"]


def limits(site, slow, touchy):
    """Five messages for slowisp, two recipients at different hosts of touchy's service."""
    for number in range(4):
        submit(site, "a@bulk.example", f"r{number}@slowisp.example")
    for number in range(3):
        submit(site, "a@bulk.example", f"r{number}@touchy.example")
    site.await_mail(slow, 4)
    site.await_mail(touchy, 3)
    check_equal([kind for kind, _ in slow.times], ["begin", "end"] * 4, "slow: one at a time")
    check(slow.most <= 2, f"slow: {slow.most} connections")
    check(min(gaps(slow)) > 0.99, f"slow: a second between: {gaps(slow)}")
    check_equal([kind for kind, _ in touchy.times], ["begin", "end"] * 3, "turtle: one at a time")
    check(min(gaps(touchy)) > 1.99, f"turtle: two seconds between: {gaps(touchy)}")


def turns(site, bigmail):
    """A long list is on its way; a single letter to the same place is not behind all of it."""
    before, list_of = len(bigmail.mail), [f"r{n}@bigmail.example" for n in range(3000)]
    bigmail.slowness, bigmail.most = 1, 0
    submit(site, "news-42@bulk.example", list_of)
    wait_until(lambda: bigmail.talking >= 10, "ten connections")
    log = mail(site, "receipt@bulk.example", "one@bigmail.example")
    check_match(r"to=<one@bigmail\.example>.* status=sent", log, "the letter arrives")
    check(len(bigmail.mail) - before < 31, f"before the list's end: {len(bigmail.mail) - before}")
    bigmail.slowness = 0
    site.await_mail(bigmail, before + 31)
    taken = bigmail.mail[before:]
    check_equal(sorted(rcpt for one in taken for rcpt in one.rcpts),
                sorted([*list_of, "one@bigmail.example"]), "everybody once")
    check_equal(max(len(one.rcpts) for one in taken), 100, "recipients of a transaction")
    check(10 <= bigmail.most <= 40, f"connections at a time: {bigmail.most}")
    check_match(r"conn_use=\d", site.mta.log_text(), "connections are used again")


def no_delivery(site):
    check_match(r"to=<x@sink\.example>.* status=sent \(silently\)",
                mail(site, "a@bulk.example", "x@sink.example"), "discard")
    site.refused(US, "a@bulk.example", "x@closed.example",
                 "550 5.1.2 <x@closed.example>: Recipient address rejected: domain is closed")
    site.refused(US, "a@bulk.example", "x@maybe.example",
                 "450 4.4.4 <x@maybe.example>: Recipient address rejected: try later")
    for rcpt, outcome in (("x@closed.example", r"dsn=5\.1\.2, status=bounced \(domain is closed\)"),
                          ("x@maybe.example", r"dsn=4\.4\.4, status=deferred \(try later\)")):
        site.mta.run("sendmail", "-f", "a@bulk.example", rcpt, input="Subject: x\n\nx\n")
        site.mta.wait_for_log(rf"to=<{rcpt}>.* {outcome}")
    check_match(r"dsn=5\.1\.\d, status=bounced \(Domain nomail\.example does not accept mail \(nullMX",
                mail(site, "a@bulk.example", "x@nomail.example"), "a null MX")
    submit(site, "a@bulk.example", "x@sulky.example")
    site.mta.wait_for_log(r"to=<x@sulky\.example>.* dsn=4\.7\.1, status=deferred \(.*"
                          r"try again later")


def policy(site, policies, far):
    check("postfix far.example" in policies.asked, f"asked about far: {policies.asked[:5]}")
    policies.stop()
    before = len(far.mail)
    submit(site, "alert@bulk.example", "late@far.example")
    site.mta.wait_for_log(r"to=<late@far\.example>.* status=deferred")
    check_equal(len(far.mail), before, "nothing in clear without the policy")


with Site("11-bulk-outbound", ZONE, addresses=("10.9.0.1", "10.9.0.11", "10.9.0.12")) as host:
    server_socket = Policies()
    big, far_server = server_of(host, "bigmail"), server_of(host, "far")
    slow_server, touchy_server = server_of(host, "slowisp"), server_of(host, "touchy")
    server_of(host, "sulky", replies={"RCPT": "550 5.7.1 too much from you, try again later"})
    host.start()
    services(host, far_server, big)
    limits(host, slow_server, touchy_server)
    turns(host, big)
    no_delivery(host)
    policy(host, server_socket, far_server)
finish()
