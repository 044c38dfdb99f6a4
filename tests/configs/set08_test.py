#!/usr/bin/env python3
"""08-postscreen-front: postscreen with DNS lists, then smtpd's restrictions, then inner hosts.

Clients that have to wait for a greeting come at the same time. The SPF policy that spawn starts is a
stand-in, which dies when it is told to. Not seen here: greylisting, the policy of the schools, client
certificates; and of Postfix its second postscreen, which cannot open the btree: table that the first one has."""
import os
import subprocess
import sys
import threading
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flows import (INSIDE, JUDGE, Site, Smtp, check, check_equal, check_match, finish,
                   wait_until)

EHLO, MAIL, QUIT = "EHLO client.example", "MAIL FROM:<a@far.example>", "QUIT"
MAYOR = "mayor@city.example"
CLEAN, AGAIN, EARLY, WEB, BAD, HALF, GOOD, OWN, DENIED = (
    "203.0.113.%d" % n for n in (10, 11, 12, 13, 14, 15, 16, 17, 18))


def reverse(address):
    return ".".join(reversed(address.split(".")))


ZONE = {
    ("far.example", "MX"): [(10, "mx.far.example")], ("mx.far.example", "A"): ["203.0.113.99"],
    ("loop.example", "MX"): [(10, "here.loop.example")], ("here.loop.example", "A"): ["127.0.0.1"],
    ("inner.city.example", "A"): ["10.20.3.5"],
    (reverse(BAD) + ".zen.dnsbl.example", "A"): ["127.0.0.2"],
    (reverse(HALF) + ".bl.spamlist.example", "A"): ["127.0.0.3"],
    (reverse(GOOD) + ".list.dnswl.example", "A"): ["127.0.5.1"],
}
for client in (CLEAN, AGAIN, EARLY, WEB, BAD, HALF, GOOD, OWN, DENIED, "192.0.2.25"):
    ZONE[reverse(client) + ".in-addr.arpa", "PTR"] = ["mail.client.example"]
ZONE["mail.client.example", "A"] = [CLEAN, AGAIN, EARLY, WEB, BAD, HALF, GOOD, OWN, DENIED,
                                    "192.0.2.25"]
# Debian's policyd-spf reads and answers the same.
POLICY = """#!/usr/bin/python3
import os, sys
assert os.fstat(0) == os.fstat(1)
sender = ""
for line in sys.stdin:
    name, _, value = line.rstrip().partition("=")
    if name == "sender":
        sender = value
    elif not name and sender.startswith("crash@"):
        sys.exit(9)
    elif not name:
        print("action=550 5.7.23 spoofed\\n" if sender.startswith("spoof@") else "action=DUNNO\\n",
              flush=True)
"""
HELP = ". Help: https://www.city.example/mail?c="


class Client(threading.Thread):
    """Sends first what may come early, waits for the greeting and speaks line by line; keeps the
    replies, "" for a hang-up."""

    def __init__(self, site, source, lines, early="", port=25):
        super().__init__(daemon=True)
        with site.outside():
            self.smtp = Smtp(port, INSIDE, greeting=None, source=(source, 0))
        self.lines, self.replies = lines, []
        self.smtp.send(early)
        self.start()

    def run(self):
        self.reply()
        for line in self.lines:
            if not self.replies[-1]:
                break
            self.smtp.send(line + "\r\n")
            self.reply()
        self.smtp.close()

    def reply(self):
        got = self.smtp.reply().replace("\r\n", "\n").rstrip("\n")
        self.replies.append("" if got.startswith("(") else got)
        return got

    def said(self):
        self.join(60)
        return self.replies


def first_visits(site):
    """All at once, since each waits for six seconds."""
    whole = [EHLO, MAIL, f"RCPT TO:<{MAYOR}>", QUIT]
    clients = {
        CLEAN: Client(site, CLEAN, whole),
        HALF: Client(site, HALF, whole),
        BAD: Client(site, BAD, whole),
        EARLY: Client(site, EARLY, [MAIL, f"RCPT TO:<{MAYOR}>", QUIT], early="EHLO bot.example\r\n"),
        WEB: Client(site, WEB, ["GET / HTTP/1.0"]),
        GOOD: Client(site, GOOD, [EHLO, QUIT]),
    }
    said = {source: client.said() for source, client in clients.items()}
    log = site.mta.log_text()
    for source in (CLEAN, HALF):
        check(said[source][3].startswith(
            f"450 4.3.2 Service currently unavailable{HELP}{source}"), f"{source}: {said[source]}")
    check(said[BAD][3].startswith("550 5.7.1 Service unavailable; client "
                                  f"[{BAD}] blocked using dnsbl.example{HELP}"), said[BAD])
    check_match(rf"DNSBL rank 3 for \[{BAD}\]", log, "the score")
    check(f"550 5.5.1 Protocol error{HELP}" in said[EARLY][2], said[EARLY])
    check_match(rf"PREGREET 18 after \S+ from \[{EARLY}\]:\d+: EHLO bot\.example\\r\\n", log, "early")
    check(said[WEB][1].startswith("521 5.7.0 Error: I can break rules, too. Goodbye."), said[WEB])
    check_match(rf"NON-SMTP COMMAND from \[{WEB}\]:\d+ after CONNECT: GET / HTTP/1\.0", log, "web")
    site.mta.wait_for_log(rf"PASS NEW \[{GOOD}\]")  # spared by the list
    check("PIPELINING" in said[GOOD][1], f"it talks to smtpd: {said[GOOD]}")
    site.mta.wait_for_log(rf"PASS NEW \[{CLEAN}\]")  # in the dialogue


def second_visits(site, inner):
    said = Client(site, CLEAN, [EHLO, MAIL, "RCPT TO:<nobody@city.example>", QUIT]).said()
    check_match(r"PASS OLD", site.mta.log_text(), "known")
    check(said[3].startswith("550 5.1.1 <nobody@city.example>: Recipient address rejected: User unknown "
                             f"in relay recipient table{HELP}{CLEAN}"), said)
    said = Client(site, HALF, [EHLO, "MAIL FROM:<a@loop.example>", f"RCPT TO:<{MAYOR}>", QUIT]).said()
    check("domain has a loopback MX" in said[3] and said[3].startswith("554 5.7.1"), said)
    said = Client(site, CLEAN, [EHLO, "MAIL FROM:<a@slow.example>", f"RCPT TO:<{MAYOR}>", QUIT]).said()
    check(said[3].startswith("450 4.1.8 <a@slow.example>: Sender address rejected"), said)
    said = Client(site, CLEAN, [EHLO, "MAIL FROM:<spoof@far.example>", f"RCPT TO:<{MAYOR}>", QUIT]).said()
    check(said[3].startswith(f"550 5.7.23 <{MAYOR}>: Recipient address rejected: spoofed"), said)
    said = Client(site, CLEAN, [EHLO, "MAIL FROM:<crash@far.example>", f"RCPT TO:<{MAYOR}>", QUIT]).said()
    check(said[3].startswith("250 2.1.5"), f"a policy that dies: {said}")
    site.mta.wait_for_log(r"spawn\[\d+\]: warning: command /usr/bin/policyd-spf exit status 9")
    site.send(CLEAN, "a@far.example", MAYOR, "Subject: x\n\nx\n")
    check_equal([mail.rcpts for mail in inner.mail], [[MAYOR]], "what arrives inside")
    check_match(r"postfix/relay/smtp\[\d+\]: \w+: to=<mayor@city\.example>, relay=10\.20\.1\.5\[10\.20\.1\.5\]"
                r":25, .* status=sent", site.mta.log_text(), "the relay service")


def others(site):
    said = Client(site, "192.0.2.25", [EHLO, QUIT]).said()
    check("PIPELINING" in said[1], f"permitted: {said}")
    check_match(r"ALLOWLISTED \[192\.0\.2\.25\]", site.mta.log_text(), "permitted")
    said = Client(site, "198.51.100.9", [EHLO]).said()
    check(said[0].startswith("521 5.3.2 Service currently unavailable"), said)
    check_match(r"DENYLISTED \[198\.51\.100\.9\]", site.mta.log_text(), "denied")
    if JUDGE:
        return
    cache = f"btree:{site.mta.data}/postscreen_cache"
    wait_until(lambda: site.mta.run("postmap", "-q", CLEAN, cache).stdout, "the client in the cache")
    smtp = Smtp(10025, "10.20.0.1", greeting=None)
    smtp.send(f"PROXY TCP4 {CLEAN} 10.20.0.1 4711 25\r\n")
    smtp.expect("220 ")
    smtp.say("EHLO client.example", "250-")
    smtp.close()
    site.mta.wait_for_log(rf"postfix/lb/postscreen\[\d+\]: PASS OLD \[{CLEAN}\]:4711")
    site.mta.wait_for_log(rf"smtpd\[\d+\]: connect from mail\.client\.example\[{CLEAN}\]")


def certificate():
    os.makedirs("/etc/ssl/mx-in")  # in the private /etc
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=mx-in.city.example", "-keyout",
                    "/etc/ssl/mx-in/privkey.pem", "-out", "/etc/ssl/mx-in/fullchain.pem"],
                   check=True, capture_output=True)


ZONE["slow.example", "A"] = ZONE["slow.example", "MX"] = "SERVFAIL"
with Site("08-postscreen-front", ZONE, addresses=("10.20.0.1",)) as host:
    certificate()
    policy = os.path.join(host.programs, "policyd-spf")
    with open(policy, "w", encoding="ascii") as program:
        program.write(POLICY)
    os.chmod(policy, 0o755)
    inside = host.host("10.20.1.5")
    host.start()
    first_visits(host)
    second_visits(host, inside)
    others(host)
finish()
