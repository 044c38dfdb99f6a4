#!/usr/bin/env python3
"""postauth spf and Debian's pyspf judge the same policies, made up by a random generator that always
makes the same ones, over the same zone. pyspf gets its answers without a server.

Where they are known to differ, RFC 7208 is on our side (each is left out below): section 6, unknown
modifiers may come twice; section 7.1, %{d0} is a mistake; section 5.5, trouble with a client's name
skips that name; nothing forbids a record to include itself, the limits end that. Look-ups that find
nothing are counted by pyspf about the client's names, too (VIOLATIONS.md)."""
import os
import random
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import Instance, check, check_equal, finish
from postfix37 import HOME

PACKAGES = os.path.join(HOME, "usr/lib/python3/dist-packages")
COUNT = {"quick": 60, "default": 300}.get(os.environ.get("TEST_MODE"), 3000)

NAMES = [f"d{n}.example" for n in range(6)] + ["h.example", "x.d1.example", "u.d2.example",
                                               "none.example"]
V4 = ["192.0.2.1", "192.0.2.9", "198.51.100.7", "203.0.113.5"]
V6 = ["2001:db8::1", "2001:db8:0:1::9", "2001:db9::1"]
MACROS = ["%{d}", "%{d2}", "%{o}", "%{l}.d1.example", "%{i}.d2.example", "%{ir}.%{v}.d3.example",
          "%{h}", "%{d1r}.example", "%{l1}.%{d2}", "%{lr-}.d1.example", "%{s}", "%%.example",
          "x%_.example", "%{L}.example", "%{i2r}.example", "%{l+}.d1.example", "%{h1}.example"]
WRONG = ["foo", "a:", "mx:", "include", "exists", "ip4", "ptr/24", "all.", "-", "a/24/24", "a/33",
         "a//129", "a/024", "a:example", "a:1.2.3.4", "a:-x.example.-y", "ip4:1.2.3", "ip4:1.2.3.4/33",
         "ip4:01.2.3.4", "ip6:1.2.3.4", "ip6::", "foo=%x", "=x", "1a=b", "exists:%{c}.example", "a:%{x}", "a:x.example%", "redirect=", "exp=-all", "include:d1.example/24"]
EXPLANATION = "%{i} %{c} no %{d} %{o} %{l} %{h} %{v} %{ir}"
DIFFERENT = ("trivial recursion", "MUST appear at most once")


class Maker:
    """Zones and questions. with_ptr: with ptr, and then without trouble in the DNS."""

    def __init__(self, seed, with_ptr):
        self.random = random.Random(seed)
        self.with_ptr = with_ptr

    def chance(self, share):
        return self.random.random() < share

    def one(self, items):
        return self.random.choice(items)

    def domain(self):
        return self.one(NAMES) if self.chance(.7) else self.one(MACROS)

    def term(self):
        if self.chance(.03):
            return self.one(WRONG)
        prefix = self.one(["", "", "", "/24", "/0", "//64", "/16//48"])
        kind = self.one(["all", "a", "a", "mx", "mx", "ip4", "ip6", "include", "include", "exists",
                         "redirect", "foo"] + self.with_ptr * ["ptr", "ptr"])
        if kind == "redirect":
            return "redirect=" + self.domain()
        if kind == "foo":
            return self.one(["foo=bar", "a.b-c=%{d}", "foo="])
        if kind in ("a", "mx"):
            kind += self.one(["", ":" + self.domain()]) + prefix
        elif kind == "ip4":
            kind += ":" + self.one(V4) + self.one(["", "/24", "/8", "/0"])
        elif kind == "ip6":
            kind += ":" + self.one(V6 + ["::1", "::ffff:192.0.2.1"]) + self.one(["", "/32", "/48", "/0"])
        elif kind in ("include", "exists"):
            kind += ":" + self.domain()
        elif kind == "ptr":
            kind += self.one(["", ":" + self.domain()])
        return self.one(["", "", "", "+", "-", "-", "~", "?"]) + kind

    def record(self):
        terms = [self.term() for _ in range(self.one([1, 2, 2, 3, 3, 4, 5]))]
        if self.chance(.4):
            terms.append(self.one(["-all", "~all", "?all", "redirect=" + self.one(NAMES)]))
        if self.chance(.3):
            terms.append("exp=" + self.one(NAMES + ["e.example"]))
        return "v=spf1 " + self.one([" ", "  "]).join(terms)

    def zone(self):
        zone = {("e.example", "TXT"): [EXPLANATION]}
        for name in NAMES[:-1]:
            if self.chance(.8):
                zone[name, "TXT"] = [self.record()] + self.chance(.04) * [self.record()]
            if self.chance(.6):
                zone[name, "A"] = self.random.sample(V4, self.one([1, 2]))
            if self.chance(.4):
                zone[name, "AAAA"] = [self.one(V6)]
            if self.chance(.4):
                zone[name, "MX"] = [(n, self.one(NAMES)) for n in range(self.one([1, 1, 2, 11]))]
            if not self.with_ptr and self.chance(.1):
                zone[name, self.one(["A", "TXT", "MX"])] = "SERVFAIL"
        for reverse in ("1.2.0.192.in-addr", "9.2.0.192.in-addr", "7.100.51.198.in-addr",
                        "1" + 23 * ".0" + ".8.b.d.0.1.0.0.2.ip6"):
            if self.chance(.6):
                zone[f"{reverse}.arpa", "PTR"] = self.random.sample(NAMES, self.one([1, 2]))
        return zone

    def question(self):
        sender = self.one(["u", "u-v", "a.b", "u+x-y", ""]) + "@" + self.one(NAMES)
        return (self.one(V4 + V6 + ["::ffff:192.0.2.1"]), self.one(NAMES),
                "" if self.chance(.1) else sender)


def answers(zone, spf):
    """The DNS as pyspf asks it."""
    def look_up(name, kind, *_, **__):
        values = zone.get((name.rstrip(".").lower(), kind), [])
        if values == "SERVFAIL" or any(len(label) > 63 for label in name.split(".")):
            raise spf.TempError("no answer")
        return [((name, kind), [value.encode()] if kind == "TXT" else value) for value in values]
    return look_up


def compare(mta, spf, seed, with_ptr):
    maker, compared = Maker(seed, with_ptr), 0
    spf.MAX_VOID_LOOKUPS = 10**6 if with_ptr else 2
    with DnsServer({}) as dns:
        for number in range(COUNT // 2):
            zone = dns.zone = maker.zone()
            client, helo, sender = maker.question()
            spf.DNSLookup = answers(zone, spf)
            wanted, _, text = spf.query(i=client, s=sender, h=helo).check()
            said = mta.run("postauth", "spf", "--client-address", client, "--helo", helo,
                           "--mail-from", sender, "--dns", f"127.0.0.1:{dns.port}")
            if any(words in str(text) for words in DIFFERENT) or (
                    with_ptr and "look-ups that found nothing" in said.stdout):
                continue
            told = said.stdout.partition("\nexplanation: ")[2].rstrip("\n")
            if wanted != "fail" or text == spf.EXPLANATIONS["fail"]:
                text = ""
            check_equal((said.stdout.split(" ")[0], told), (wanted, text),
                        f"{number}: {client} {helo} {sender!r}: {said.stdout} {zone}")
            compared += 1
    check(compared > COUNT // 4, f"{compared} compared")


sys.path.insert(0, PACKAGES)
is_there = os.path.exists(os.path.join(PACKAGES, "spf.py"))
check(is_there, "python3-spf in build/debian: ./dev test puts it there")
if is_there:
    import spf as pyspf
    with Instance(services=[]) as instance:
        compare(instance, pyspf, 1, False)
        compare(instance, pyspf, 2, True)
finish()
