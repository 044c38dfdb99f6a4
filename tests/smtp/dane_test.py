#!/usr/bin/env python3
"""The levels dane and dane-only (RFC 7672): a signed zone, servers with certificates that are or are
not those of its TLSA records, beside Debian's Postfix behind a resolver that validates: the same
fate, code and text, the same word for the TLS connection, the same name in the handshake."""
import os
import re
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from certificates import Certificates
from dns_signed import SignedServer, ValidatingServer
from harness import Instance, check, check_equal, check_match, finish, is_root
from postfix37 import Postfix37, free_nameserver, is_there
from sink import Sink

ORIGINS, FORGED = ["signed.example"], "forged.signed.example"
MX, MATCH, OTHER = "mx.signed.example", ["311"], ["!311"]
NAMED = ("signed", MX, MX, ["201"], "dane", "named", "sent", "Verified")
# Destination's domain, its mail exchanger, where TLSA records are, which (! of another
# certificate), level, the server's certificate (None: no STARTTLS), fate, word.
CASES = [
    ("signed", MX, MX, MATCH, "dane", "mx", "sent", "Verified"),
    ("signed", MX, MX, MATCH, "dane-only", "mx", "sent", "Verified"),
    ("signed", MX, MX, ["301"], "dane", "mx", "sent", "Verified"),
    ("signed", MX, MX, ["312"], "dane", "mx", "sent", "Verified"),
    ("signed", MX, MX, ["310"], "dane", "mx", "sent", "Verified"),
    ("signed", MX, MX, ["300"], "dane", "mx", "sent", "Verified"),
    ("signed", MX, MX, MATCH, "dane", "self", "deferred", "Untrusted"),
    ("signed", MX, MX, OTHER, "dane", "mx", "deferred", "Untrusted"),
    ("signed", MX, MX, OTHER, "dane-only", "mx", "deferred", "Untrusted"),
    ("signed", MX, MX, OTHER + MATCH, "dane", "mx", "sent", "Verified"),
    ("signed", MX, MX, MATCH, "dane", "else", "deferred", "Untrusted"),
    ("signed", MX, MX, MATCH, "dane", None, "deferred", None),
    ("signed", MX, MX, MATCH, "dane", "broken", "deferred", None),
    # An authority's: the name has to be right, that of the server or of the domain.
    ("signed", MX, MX, ["201"], "dane", "mx", "sent", "Verified"),
    ("signed", MX, MX, ["211"], "dane", "mx", "sent", "Verified"),
    ("signed", MX, MX, ["200"], "dane", "mx", "sent", "Verified"),
    ("signed", MX, MX, ["201"], "dane", "else", "deferred", "Untrusted"),
    ("signed", MX, MX, ["201"], "dane", "self", "deferred", "Untrusted"),
    NAMED,
    # Digests: only the best counts.
    ("signed", MX, MX, ["!312", "311"], "dane", "mx", "deferred", "Untrusted"),
    ("signed", MX, MX, ["!311", "312"], "dane", "mx", "sent", "Verified"),
    # No records, or none for SMTP.
    ("signed", MX, MX, [], "dane", "mx", "sent", "Untrusted"),
    ("signed", MX, MX, [], "dane", None, "sent", None),
    ("signed", MX, MX, [], "dane-only", "mx", "deferred", None),
    ("signed", MX, MX, ["011", "111"], "dane", "mx", "sent", "Untrusted"),
    ("signed", MX, MX, ["111"], "dane", None, "deferred", None),
    ("signed", MX, MX, ["111"], "dane-only", "mx", "deferred", None),
    ("signed", MX, MX, ["111", "311"], "dane", "mx", "sent", "Verified"),
    ("signed", MX, MX, ["321"], "dane", "mx", "sent", "Untrusted"),
    # The domain is not signed, the server's is.
    ("open", MX, MX, MATCH, "dane", "mx", "sent", "Trusted"),
    ("open", MX, MX, OTHER, "dane", "mx", "deferred", "Untrusted"),
    ("open", MX, MX, MATCH, "dane-only", "mx", "deferred", None),
    # The server's is not.
    ("signed", "mx.open.example", "mx.open.example", OTHER, "dane", "mx", "sent", "Untrusted"),
    ("signed", "mx.open.example", "mx.open.example", OTHER, "dane-only", "mx", "deferred", None),
    # Aliases.
    ("signed", "to.signed.example", MX, MATCH, "dane", "mx", "sent", "Verified"),
    ("signed", "to.signed.example", "to.signed.example", MATCH, "dane", "mx", "sent", "Verified"),
    ("signed", "to.signed.example", "to.signed.example", OTHER, "dane", "mx", "deferred",
     "Untrusted"),
    ("signed", "out.signed.example", "out.signed.example", OTHER, "dane", "mx", "deferred",
     "Untrusted"),
    ("signed", "out.signed.example", "out.signed.example", MATCH, "dane", "mx", "sent", "Verified"),
    ("signed", "out.signed.example", "mx.open.example", OTHER, "dane", "mx", "sent", "Untrusted"),
    # Forged, or no answer.
    ("signed", f"mx.{FORGED}", f"mx.{FORGED}", MATCH, "dane", "mx", "deferred", None),
    ("signed", MX, MX, "SERVFAIL", "dane", "mx", "deferred", None),
    ("signed", MX, MX, "SERVFAIL", "dane-only", "mx", "deferred", None),
    ("signed", MX, MX, "SERVFAIL", "may", "mx", "sent", "Untrusted"),
    # Without MX.
    (None, f"[{MX}]", MX, MATCH, "dane", "mx", "sent", "Verified"),
    (None, f"[{MX}]", MX, MATCH, "dane-only", "mx", "sent", "Verified"),
    (None, f"[{MX}]", MX, OTHER, "dane", "mx", "deferred", "Untrusted"),
    (None, MX, MX, MATCH, "dane", "mx", "sent", "Verified"),
    (None, "[127.0.0.1]", MX, OTHER, "dane", "mx", "sent", "Untrusted"),
    (None, "[127.0.0.1]", MX, OTHER, "dane-only", "mx", "deferred", None),
]
SETTINGS = {"mydestination": "", "inet_protocols": "ipv4", "smtp_tls_loglevel": "1",
            "smtp_tls_security_level": "dane", "smtp_dns_support_level": "dnssec",
            "compatibility_level": "3.6"}


def make_certificates(folder):
    c = Certificates(folder)
    c.make("mx", f"DNS:{MX}", with_ca=True)
    c.make("else", "DNS:else.example", with_ca=True)
    c.make("named", f"DNS:{destination(CASES.index(NAMED), NAMED)}", with_ca=True)
    c.make("self", f"DNS:{MX}", signed=False)
    c.make("nobody")
    return c


def tlsa(c, record):
    if record.startswith("!"):
        return c.tlsa("nobody", record[1:])
    return c.tlsa("ca" if record[0] == "2" else "mx", record)


def destination(number, row):
    domain, host = row[:2]
    return f"d{number}.{domain}.example" if domain else host


def make_zone(c, sinks):
    zone = {(MX, "A"): ["127.0.0.1"], ("mx.open.example", "A"): ["127.0.0.1"],
            (f"mx.{FORGED}", "A"): ["127.0.0.1"], ("to.signed.example", "CNAME"): [MX],
            ("out.signed.example", "CNAME"): ["mx.open.example"]}
    for number, (row, sink) in enumerate(zip(CASES, sinks)):
        domain, host, owner, records = row[:4]
        if domain:
            zone[(destination(number, row), "MX")] = [(10, host)]
        if records == "SERVFAIL":
            zone[(f"_{sink.port}._tcp.{owner}", "TLSA")] = records
        elif records:
            zone[(f"_{sink.port}._tcp.{owner}", "TLSA")] = [tlsa(c, r) for r in records]
    return zone


def run(mta, sinks, table):
    """What becomes of a message in each case."""
    nexthops = [f"{destination(n, row)}:{sink.port}"
                for n, (row, sink) in enumerate(zip(CASES, sinks))]
    with open(table, "w") as file:
        for row, nexthop in zip(CASES, nexthops):
            file.write(f"{nexthop} {row[4]}\n")
    os.chmod(table, 0o644)
    mta.write_configuration(
        smtp_tls_policy_maps=f"texthash:{table}", transport_maps="inline:{" + ", ".join(
            f"c{n}.example=smtp:{nexthop}" for n, nexthop in enumerate(nexthops)) + "}")
    mta.start()
    for number in range(len(CASES)):
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250")
        smtp.message("a@client.example", f"b@c{number}.example", "Subject: x\n\nbody\n")
        smtp.close()
    return [outcome(mta, number, sink) for number, sink in enumerate(sinks)]


def outcome(mta, number, sink):
    """Fate, code, text, word, distrust, messages that came, names in handshakes."""
    found = mta.wait_for_log(rf"to=<b@c{number}\.example>, .*dsn=(\S+), status=(\w+) \((.*)\)")
    text = mta.log_text()
    word = re.search(rf"(\w+) TLS connection established to \S+\]:{sink.port}:", text)
    distrust = re.findall(rf"((?:server )?certificate) verification failed for \S+\]:{sink.port}: (.*)", text)
    return (found[2], found[1], found[3].replace(str(sink.port), "PORT"), word and word[1],
            distrust, len(sink.messages), list(sink.server_names))


def comparable(row, found):
    """Our resolver says what is wrong with an answer. Of a selector that does not exist Postfix
    hears in the handshake only, when it has given a name and looks at the certificate."""
    fate, code, text, word, distrust, messages, names = found
    text = re.sub(r"(type=\w+: )DNSSEC: .*", r"\1Host not found, try again", text)
    late = row[3] == ["321"]
    return fate, code, text, word, late or distrust, messages, late or names


def check_all(ours):
    for row, got in zip(CASES, ours):
        check_equal((got[0], got[3]), row[-2:], f"{row[:-2]}: {got}")
        check_equal(got[5], int(row[-2] == "sent"), f"messages at the server: {row[:-2]}")
        if got[3] in ("Verified", "Trusted"):
            check(got[6] in ([row[1].strip("[]")], [row[2]]), f"SNI: {row[:-2]}: {got}")


def check_finger(mta, sinks):
    for level, number, says in (
            ("dane", 0, "Verified TLS connection established"),
            ("dane-only", 0, "Verified TLS connection established"),
            ("dane", 7, "num=65:no matching DANE TLSA records"),
            ("dane-only", 31, "non DNSSEC destination")):
        nexthop = f"{destination(number, CASES[number])}:{sinks[number].port}"
        done = mta.run("posttls-finger", "-l", level, nexthop)
        check_match(says, done.stdout, f"posttls-finger -l {level}: {CASES[number]}")


def check_explained(mta, sinks):
    unsure = CASES.index(("signed", MX, MX, "SERVFAIL", "dane", "mx", "deferred", None))
    for number, says in ((0, f"must match TLSA records at: _{sinks[0].port}._tcp.{MX}"),
                         (unsure, "fails for now: TLSA lookup error for")):
        done = mta.postern("explain", "a@client.example", f"b@c{number}.example", status=None)
        check_match(rf"TLS {MX}: {says}", done.stdout, f"postern explain: {CASES[number]}")


class Sinks(list):
    def __init__(self, c):
        super().__init__(
            Sink(tls=c.context(row[5]) if row[5] not in (None, "broken") else row[5])
            for row in CASES)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sink in self:
            sink.socket.close()


def send(mta, rcpt):
    since = mta.log_position()
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    smtp.message("a@client.example", rcpt, "Subject: x\n\nbody\n")
    smtp.close()
    mta.wait_for_log(rf"to=<{rcpt}>, .*status=", since=since)
    return mta.log_text(since)


def check_resumed(c, anchor):
    """A TLS session counts as long as the records are those that it began with."""
    good, other = [tlsa(c, r) for r in ("311", "!311")]
    with Sink(tls=c.context("mx")) as sink:
        at = f"_{sink.port}._tcp.{MX}"
        zone = {("to.signed.example", "MX"): [(10, MX)], (MX, "A"): ["127.0.0.1"],
                (at, "TLSA"): [good]}
        with SignedServer(zone, ORIGINS, ttl=0) as dns:
            dns.write_anchor(anchor)
            nexthop = f"to.signed.example:{sink.port}"
            with Instance({**SETTINGS, "dns_servers": f"127.0.0.1:{dns.port}",
                           "dns_trust_anchor": anchor, "transport_maps": f"static:smtp:{nexthop}",
                           "smtp_connection_cache_on_demand": "no",
                           "smtp_tls_session_cache_database": "btree:x"}) as mta:
                mta.start()
                check_match("Verified TLS connection established", send(mta, "a@x.example"), "new")
                check_match("Verified TLS connection reused", send(mta, "b@x.example"), "resumed")
                dns.zone[(at, "TLSA")] = [other]
                check_match("Untrusted TLS connection established.*\n(?s:.*)status=deferred "
                            r"\(Server certificate not verified\)", send(mta, "c@x.example"),
                            "no more under other records")
                dns.zone[(at, "TLSA")] = [good]
                # A connection is used again, as any other.
                mta.write_configuration(smtp_connection_cache_destinations=nexthop)
                mta.reload()
                before = sink.connections
                send(mta, "d@x.example")
                check(" TLS connection " not in send(mta, "e@x.example"), "the same connection")
                check_equal(sink.connections, before + 1, "connections")


def main():
    with tempfile.TemporaryDirectory(prefix="dane-") as folder:
        c = make_certificates(folder)
        anchor = c.path("anchor")
        with Sinks(c) as sinks, SignedServer(make_zone(c, sinks), ORIGINS, [FORGED]) as dns:
            dns.write_anchor(anchor)
            os.chmod(anchor, 0o644)
            with Instance({**SETTINGS, "dns_servers": f"127.0.0.1:{dns.port}",
                           "dns_trust_anchor": anchor}) as mta:
                ours = run(mta, sinks, c.path("policies"))
                check_all(ours)
                check(mta.logged("TLS policy lookup for .*: TLSA lookup error for "),
                      "the log says whose records could not be had")
                check_finger(mta, sinks)
                check_explained(mta, sinks)
        check_resumed(c, anchor)
        if not is_root() or not is_there():
            return
        nameserver = free_nameserver()
        with Sinks(c) as sinks, \
                ValidatingServer(make_zone(c, sinks), ORIGINS, [FORGED], host=nameserver, port=53), \
                Postfix37(SETTINGS, nameserver=nameserver) as mta:
            for row, got, want in zip(CASES, ours, run(mta, sinks, c.path("policies"))):
                check_equal(comparable(row, got), comparable(row, want), f"as Debian's: {row[:-2]}")


main()
finish()
