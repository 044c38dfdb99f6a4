#!/usr/bin/env python3
"""The dns of a running instance, asked by tests/dns/ask: answers of each kind, no built-in zones,
the cache, many questions at once, TCP, servers that fail, a death."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from ask import A, AAAA, ASK, MX, PTR, TXT, ask
from dns_server import DnsServer
from harness import Instance, check, check_equal, finish, kill, skip, wait_until

ZONE = {
    ("mx.example", "MX"): [(20, "b.example"), (10, "a.example")],
    ("a.example", "A"): ["192.0.2.1"],
    ("a.example", "AAAA"): ["2001:db8::1"],
    ("null.example", "MX"): [(0, ".")],
    ("alias.example", "CNAME"): ["middle.example"],
    ("middle.example", "CNAME"): ["a.example"],
    ("broken.example", "A"): "SERVFAIL",
    ("big.example", "TXT"): [f"{i} " + "x" * 200 for i in range(20)],
    # What libunbound would answer by itself.
    ("9.8.7.10.in-addr.arpa", "PTR"): ["lan.example"],
    ("1.0.0.127.in-addr.arpa", "PTR"): ["loop.example"],
    ("host.test", "A"): ["192.0.2.2"],
    ("host.home.arpa", "A"): ["192.0.2.3"],
    ("host.localhost", "A"): ["192.0.2.4"],
    ("host.invalid", "A"): ["192.0.2.5"],
    ("host.onion", "A"): ["192.0.2.6"],
}
ZONE.update({(f"n{i}.many.example", "A"): [f"10.0.{i // 250}.{i % 250}"] for i in range(1000)})


def answers(mta, server):
    for question, want in (
            ((A, "a.example"), ["OK", "insecure", "0:192.0.2.1"]),
            ((AAAA, "a.example."), ["OK", "insecure", "0:2001:db8::1"]),
            ((A, "alias.example"), ["OK", "insecure", "0:192.0.2.1"]),
            ((MX, "a.example"), ["NODATA", "insecure"]),
            ((A, "absent.example"), ["NXDOMAIN", "insecure"]),
            ((MX, "null.example"), ["OK", "insecure", "0:"]),
            ((A, "broken.example"), ["TEMPFAIL", "insecure"]),
            ((PTR, "9.8.7.10.in-addr.arpa"), ["OK", "insecure", "0:lan.example"]),
            ((PTR, "1.0.0.127.in-addr.arpa"), ["OK", "insecure", "0:loop.example"]),
            ((A, "host.test"), ["OK", "insecure", "0:192.0.2.2"]),
            ((A, "host.home.arpa"), ["OK", "insecure", "0:192.0.2.3"]),
            ((A, "host.localhost"), ["OK", "insecure", "0:192.0.2.4"]),
            ((A, "host.invalid"), ["OK", "insecure", "0:192.0.2.5"]),
            ((A, "host.onion"), ["OK", "insecure", "0:192.0.2.6"]),
            ((A, "x" * 64 + ".example"), ["NXDOMAIN", "insecure"])):
        check_equal(ask(mta, question)[0], want, f"{question}")
    got = ask(mta, (MX, "mx.example"))[0]
    check_equal(sorted(got[2:]), ["10:a.example", "20:b.example"], "MX records")
    server.asked.clear()
    check_equal(ask(mta, (A, "a.example"))[0][0], "OK", "from the cache")
    check_equal(ask(mta, (A, "absent.example"))[0][0], "NXDOMAIN", "from the negative cache")
    check_equal(server.asked, [], "questions that the cache answered")


def over_tcp(mta, server):
    server.asked.clear()
    got = ask(mta, (TXT, "big.example"))[0]
    check_equal(got[0], "OK", "a big answer")
    check(len([w for w in got if w.startswith("0:")]) == 20, f"all of it: {got[:3]}")
    check(len(server.asked) >= 2, "over UDP, then TCP")


def many(mta, server):
    questions = [(A, f"n{i}.many.example") for i in range(1000)]
    got = ask(mta, *questions)
    right = sum(g == ["OK", "insecure", f"0:10.0.{i // 250}.{i % 250}"]
                for i, g in enumerate(got))
    check_equal(right, 1000, "of 1,000 questions at once")


def validating(mta):
    """Without a trust anchor the other context finds the same, and calls it insecure."""
    check_equal(ask(mta, (A, "host.test", 1))[0], ["OK", "insecure", "0:192.0.2.2"],
                "DNS_VALIDATE")


def hosts(mta):
    """/etc/hosts only where it is asked for."""
    with open("/etc/hosts") as file:
        names = [line.split()[1] for line in file if line.startswith("127.0.0.1")]
    if names:
        check_equal(ask(mta, (A, names[0], 2))[0][2:3], ["0:127.0.0.1"], "a name of /etc/hosts")
        check(ask(mta, (A, names[0]))[0][0] != "OK", "the same without DNS_HOSTS")


def death(mta):
    """A dns that dies is started again; what asks then is answered."""
    mta.expect_trouble("killed by signal 9")
    pid = mta.process("dns")
    kill(pid)
    wait_until(lambda: pid not in mta.processes("dns"), "the end of dns")
    check_equal(ask(mta, (A, "a.example"))[0], ["OK", "insecure", "0:192.0.2.1"], "afterwards")


if not os.access(ASK, os.X_OK):
    skip(f"{ASK} is not built")
with DnsServer(ZONE) as server, Instance(
        {"dns_servers": f"127.0.0.1:{server.port}"}) as mta:
    mta.start()
    answers(mta, server)
    over_tcp(mta, server)
    many(mta, server)
    validating(mta)
    hosts(mta)
    death(mta)
finish()
