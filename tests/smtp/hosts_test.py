#!/usr/bin/env python3
"""smtp and the hosts it finds: MX order and the second MX, literals, IPv6, reuse, loops, null MX,
dead and unfriendly hosts, a dns that does not answer."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import Instance, check, check_equal, finish, free_port, kill, wait_until
from sink import Sink

ZONE = {
    ("two.example", "MX"): [(10, "first.example"), (20, "second.example")],
    ("first.example", "A"): ["127.0.0.11"],
    ("second.example", "A"): ["127.0.0.12"],
    ("down.example", "MX"): [(10, "nobody.example"), (20, "second.example")],
    ("nobody.example", "A"): ["127.0.0.13"],
    ("null.example", "MX"): [(0, ".")],
    ("noaddr.example", "MX"): [(10, "absent.example")],
    ("broken.example", "MX"): "SERVFAIL",
    ("silent.example", "MX"): "DROP",
    ("loop.example", "MX"): [(10, "us.example")],
    ("us.example", "A"): ["127.0.0.1"],
    ("alias.example", "CNAME"): ["two.example"],
    ("v6.example", "AAAA"): ["::1"],
    ("plain.example", "A"): ["127.0.0.11"],
}


def send(mta, *recipients):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message("a@client.example", list(recipients), "Subject: x\n\nbody\n")
    smtp.close()
    return qid


def outcome(mta, recipient, text):
    """Sends one message; its log line ends as wanted."""
    qid = send(mta, recipient)
    return mta.wait_for_log(rf"smtp\[\d+\]: {qid}: to=<{re.escape(recipient)}>, {text}")


def deliveries(mta, first, second):
    outcome(mta, "b@two.example", rf"relay=first.example\[127.0.0.11\]:{first.port}, delay=\S+, "
            r"delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+, dsn=2.0.0, status=sent "
            r"\(250 2.0.0 taken as 1\)")
    outcome(mta, "b@alias.example", r"relay=first.example\[127.0.0.11\]:.*status=sent")
    outcome(mta, "b@plain.example", r"relay=plain.example\[127.0.0.11\]:.*status=sent")
    outcome(mta, "b@[127.0.0.11]", r"relay=127.0.0.11\[127.0.0.11\]:.*status=sent")
    outcome(mta, "b@down.example", r"relay=second.example\[127.0.0.12\]:.*status=sent")
    mta.wait_for_log(r"connect to nobody.example\[127.0.0.13\]:\d+: Connection refused$")
    check_equal(len(second.messages), 1, "messages at the second MX")


def second_chance(mta, first, second):
    """What the first puts off goes to the second; what it refuses for good does not."""
    first.replies["RCPT"] = "450 4.2.0 busy"
    qid = send(mta, "c@two.example")
    mta.wait_for_log(rf"{qid}: host first.example\[127.0.0.11\] said: 450 4.2.0 busy "
                     r"\(in reply to RCPT TO command\)$")
    mta.wait_for_log(rf"{qid}: to=<c@two.example>, relay=second.example\[.*status=sent")
    second.replies["RCPT"] = "451 4.3.0 me too"
    outcome(mta, "d@two.example", r"relay=second.example\[127.0.0.12\]:\d+, .*dsn=4.3.0, "
            r"status=deferred \(host second.example\[127.0.0.12\] said: 451 4.3.0 me too "
            r"\(in reply to RCPT TO command\)\)")
    first.replies["RCPT"] = "550 5.1.1 unknown"
    outcome(mta, "e@two.example", r"relay=first.example\[127.0.0.11\]:\d+, .*dsn=5.1.1, "
            r"status=bounced \(host first.example\[127.0.0.11\] said: 550 5.1.1 unknown")
    first.replies.clear()
    second.replies.clear()
    first.replies["CONNECT"] = "554 5.7.1 no"
    outcome(mta, "f@plain.example", r"relay=plain.example\[127.0.0.11\]:\d+, .*dsn=4.7.1, "
            r"status=deferred \(host plain.example\[127.0.0.11\] refused to talk to me: "
            r"554 5.7.1 no\)")
    first.replies.clear()


def failures(mta):
    name = r"Host or domain name not found\. Name service error for name="
    for domain, text in (
            ("null", r"dsn=5.1.2, status=bounced "
             r"\(Domain null.example does not accept mail \(nullMX\)\)"),
            ("absent", rf"dsn=5.4.4, status=bounced \({name}absent.example type=MX: "
             r"Host not found\)"),
            ("noaddr", rf"dsn=5.4.4, status=bounced \({name}absent.example type=A"),
            ("broken", rf"dsn=4.4.3, status=deferred \({name}broken.example type=MX: "
             r"Host not found, try again\)")):
        outcome(mta, f"x@{domain}.example", r"relay=none, .*" + text)


def lost_dns(mta, dns):
    """The daemon dies with a question in hand: temporary, and the next one is answered."""
    mta.expect_trouble("killed by signal 9")
    qid = send(mta, "x@silent.example")
    wait_until(lambda: ("silent.example", "MX") in dns.asked, "the question")
    kill(mta.process("dns"))
    mta.wait_for_log(rf"{qid}: to=<x@silent.example>, relay=none, .*dsn=4.4.3, status=deferred")
    outcome(mta, "g@alias.example", r".*status=sent")


def reuse(mta, first):
    """Mail that keeps coming goes over one connection."""
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    for _ in range(20):
        smtp.message("a@client.example", "r@two.example", "Subject: x\n\nbody\n")
    smtp.close()
    mta.wait_for_log(r"to=<r@two.example>, .*status=sent", count=20)
    mta.wait_for_log(r"to=<r@two.example>, relay=first.example\[127.0.0.11\]:\d+, conn_use=\d+, ")
    check(len({n for n, line in first.commands if "r@two.example" in line}) < 20,
          "fewer connections than messages")


def ipv6(dns):
    try:
        sink = Sink(host="::1")
    except OSError:
        return
    with sink, Instance({"dns_servers": f"127.0.0.1:{dns.port}", "inet_protocols": "all",
                         "mydestination": ""}) as mta:
        mta.write_configuration(
            transport_maps=f"inline:{{v6.example=smtp:v6.example:{sink.port}, "
            f"six.example=smtp:[::1]:{sink.port}}}")
        mta.start()
        outcome(mta, "b@v6.example", rf"relay=v6.example\[::1\]:{sink.port}, .*status=sent")
        outcome(mta, "b@six.example", rf"relay=::1\[::1\]:{sink.port}, .*status=sent")


def loops(dns):
    """Our own address in the MX list, on the default port."""
    with Instance({"dns_servers": f"127.0.0.1:{dns.port}", "mydestination": ""}) as mta:
        mta.start()
        outcome(mta, "x@loop.example", r"relay=none, .*dsn=5.4.6, status=bounced "
                r"\(mail for loop.example loops back to myself\)")


with DnsServer(ZONE) as dns:
    port = free_port()
    with Sink(host="127.0.0.11", port=port) as first, \
            Sink(host="127.0.0.12", port=port) as second, \
            Instance({"dns_servers": f"127.0.0.1:{dns.port}", "mydestination": "",
                      "smtp_tcp_port": str(port), "smtp_connection_cache_on_demand": "no",
                      "relay_domains": "example"}) as mta:
        mta.start()
        deliveries(mta, first, second)
        second_chance(mta, first, second)
        failures(mta)
        lost_dns(mta, dns)
        mta.write_configuration(smtp_connection_cache_on_demand="yes",
                                default_destination_concurrency_limit="1")
        mta.reload()
        reuse(mta, first)
    ipv6(dns)
    loops(dns)
finish()
