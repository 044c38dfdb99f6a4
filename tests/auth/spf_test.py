#!/usr/bin/env python3
"""postauth spf: each case of the RFC 7208 suite, and those of spf_cases.py for what our part of it
leaves out, against a DNS server with the case's zone; and what strangers may publish to do harm:
bombs of 64 KB, loops, silence."""
import json
import os
import sys

import spf_cases
import yaml
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import TYPES, DnsServer
from harness import Instance, check, check_equal, check_match, finish

SUITE = os.path.join(os.environ["POSTERN_SHARED"], "vectors/spf-rfc7208/rfc7208-tests.yml")


def octets(text):
    """YAML's escapes are meant as bytes."""
    return text.encode("latin-1")


def zone_of(data):
    """zonedata as a zone of DnsServer. SERVFAIL stands for TIMEOUT: both are a temperror, and one
    costs no time."""
    zone = {}
    for name, entries in data.items():
        name = name.lower()
        silent = "TIMEOUT" in entries
        pairs = [next(iter(entry.items())) for entry in entries if entry != "TIMEOUT"]
        kinds = [kind for kind, _ in pairs]
        for kind, value in pairs:
            if kind == "SPF":
                if "TXT" in kinds:
                    continue
                kind = "TXT"
            if value == "NONE":
                continue
            if kind == "TXT":
                value = [octets(s) for s in value] if isinstance(value, list) else octets(value)
            elif kind == "MX":
                value = tuple(value)
            zone.setdefault((name, kind), []).append(value)
        if silent:
            for kind in TYPES:
                zone.setdefault((name, kind), "SERVFAIL")
        zone.setdefault((name, "NS"), [])  # so that the name is there
    return zone


def spf(mta, dns, client, helo, sender, *more):
    return mta.run("postauth", "spf", "--client-address", client, "--helo", helo, "--mail-from",
                   sender, "--dns", f"127.0.0.1:{dns.port}", *more)


def suite(mta):
    done = 0
    with open(SUITE, encoding="utf-8") as f:
        sections = list(yaml.safe_load_all(f))
    for section in sections:
        with DnsServer(zone_of(section["zonedata"])) as dns:
            for name, case in section["tests"].items():
                said = spf(mta, dns, case["host"], case["helo"], case["mailfrom"])
                wanted = case["result"]
                wanted = wanted if isinstance(wanted, list) else [wanted]
                check(said.stdout.split(" ")[0] in wanted,
                      f"{section['description']}, {name}: {said}, not {wanted}")
                if "explanation" in case:
                    told = said.stdout.partition("\nexplanation: ")[2].rstrip("\n")
                    wanted = case["explanation"]
                    check_equal(told, "" if wanted == "DEFAULT" else wanted, name)
                done += 1
    check(done > 80, f"{done} cases")


def cases(mta):
    with DnsServer(spf_cases.ZONE) as dns:
        for client, helo, sender, wanted, explanation in spf_cases.CASES:
            said = spf(mta, dns, client, helo, sender)
            told = said.stdout.partition("\nexplanation: ")[2].rstrip("\n")
            check_equal((said.stdout.split(" ")[0], told), (wanted, explanation),
                        f"{client} {helo} {sender}: {said}")


LOOP = {("a.loop.example", "CNAME"): ["b.loop.example"],
        ("b.loop.example", "CNAME"): ["a.loop.example"]}
BOMBS = {
    # One TXT record of 64 KB, in strings of 255.
    ("macros.example", "TXT"): ["v=spf1 exists:" + 15800 * "%{s}" + ".example -all"],
    ("terms.example", "TXT"): ["v=spf1" + 3000 * " ip4:198.51.100.7/32" + " -all"],
    ("percent.example", "TXT"): ["v=spf1 exists:%n%s%n.example -all"],
    ("many.example", "TXT"): [f"v=spf1 include:i{n}.example -all" for n in range(100)],
    ("loop.example", "TXT"): ["v=spf1 a:a.loop.example -all"],
    ("text.example", "TXT"): ["v=spf1 -all exp=told.example"],
    ("told.example", "TXT"): ["%{l} " + 8000 * "no %{s} "],
}


def hostile(mta):
    with DnsServer({**BOMBS, **LOOP}) as dns:
        for sender, answer in [("u@macros.example", "fail mailfrom macros.example: -all"),
                               ("u@terms.example", "fail mailfrom terms.example: -all"),
                               ("u@percent.example", "permerror .*: bad domain: exists:%n%s%n"),
                               ("u@many.example", "permerror .* has several SPF records"),
                               ("u@loop.example", "temperror .*look-up of a.loop.example failed"),
                               ("\r\n\x1b@text.example", r"(?s)fail .*\nexplanation: \?\?\? no ")]:
            said = spf(mta, dns, "192.0.2.1", "h.example", sender)
            check_match(answer, said.stdout, f"{sender}: {said}")
            check(len(said.stdout) < 1000, said)


def silence(mta):
    """A server that answers one question and no more: the time of a check has a bound."""
    zone = {("mute.example", "TXT"): ["v=spf1 a:silent.example -all"],
            ("silent.example", "A"): "DROP"}
    with DnsServer(zone) as dns:
        said = spf(mta, dns, "192.0.2.1", "h.example", "u@mute.example", "--time-limit", "1")
        check_match(r"^temperror mailfrom mute\.example: look-up of \S+ failed\n$", said.stdout, said)


def forms(mta):
    zone = {("why.example", "TXT"): ["v=spf1 -all exp=told.example"],
            ("told.example", "TXT"): ['say "%{i}"'],
            ("xn--mller-kva.example", "TXT"): ["v=spf1 ip6:2001:db8::/32 -all"]}
    with DnsServer(zone) as dns:
        said = spf(mta, dns, "192.0.2.1", "h.example", "<u@why.example>", "--json")
        check_equal(json.loads(said.stdout),
                    {"result": "fail", "identity": "mailfrom", "domain": "why.example",
                     "mechanism": "-all", "explanation": 'say "192.0.2.1"'}, said)
        said = spf(mta, dns, "2001:db8::1", "müller.example", "<>")
        check_equal(said.stdout, "pass helo xn--mller-kva.example: ip6:2001:db8::/32\n", said)
        # main.cf tells the server, too.
        said = mta.run("postauth", "spf", "-c", mta.etc, "--client-address", "192.0.2.1",
                       "--mail-from", "u@why.example")
        check_match("none mailfrom why.example: .* no SPF record", said.stdout, said)
    for wrong in [["--client-address", "mail.example", "--helo", "h.example"],
                  ["--client-address", "192.0.2.1"],
                  ["--client-address", "192.0.2.1", "--helo", "h.example", "more"],
                  ["--helo", "h.example"],
                  ["--client-address", "192.0.2.1", "--helo", "h", "--dns", "nowhere.invalid:53"]]:
        said = mta.run("postauth", "spf", *wrong)
        check(said.returncode == 1 and not said.stdout and "fatal: " in said.stderr, said)


with DnsServer({("other.example", "A"): ["192.0.2.1"]}) as other:
    with Instance({"dns_servers": f"127.0.0.1:{other.port}"}, services=[]) as instance:
        for part in suite, cases, hostile, silence, forms:
            part(instance)
finish()
