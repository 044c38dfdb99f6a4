#!/usr/bin/env python3
"""postauth verify: two sets of signed mail, what dkimpy and we sign, and what is changed, too
weak, too much, or cannot be looked up."""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import check, check_equal, finish, program
from verifiers import dkim, record_of

SHARED = os.path.join(os.environ.get("POSTERN_SHARED", "../shared"), "vectors")
MESSAGE = (b"From: Ann <ann@box.example>\nTo: bob@far.example\nSubject: hello\n"
           b"Date: Thu, 26 Nov 2026 10:00:00 +0000\nMessage-ID: <1@box.example>\n\n"
           b"First line\n\n  and  more \t\n\n\n")


def verify(message, zone, *arguments):
    with DnsServer(zone) as dns:
        done = subprocess.run([program("postauth"), "verify", "--json", "--dns",
                               f"127.0.0.1:{dns.port}", *arguments], input=message,
                              capture_output=True)
    if not check_equal((done.returncode, done.stderr), (0, b""), "postauth verify"):
        return {"dkim": [], "spf": None, "authentication_results": ""}
    return json.loads(done.stdout)


def results(message, zone):
    return [d["result"] for d in verify(message, zone)["dkim"]]


# ---- other people's mail ----

def zone_of(lines):
    zone = {}
    for line in lines:
        name, _, text = line.partition(" ")
        if name and not name.startswith("#") and "NXDOMAIN" not in text:
            zone[name, "TXT"] = "SERVFAIL" if "~~" in text else [text.strip()]
    return zone


def mail_dkim():
    """Nearly all of it is signed with SHA-1 or 512 bits, which counts for nothing today."""
    folder = os.path.join(SHARED, "dkim-mail-dkim")
    with open(os.path.join(folder, "FAKE_DNS.dat"), encoding="latin-1") as file:
        zone = zone_of(file.read().split("\n"))
    names = sorted(glob.glob(os.path.join(folder, "*.txt")))
    check(len(names) > 30, f"only {len(names)} messages in {folder}")
    for path in names:
        name = os.path.basename(path)
        with open(path, "rb") as file:
            said = verify(file.read(), zone)["dkim"]
        passes = [d for d in said if d["result"] == "pass"]
        check_equal(len(passes), int(name == "goodkey_ed25519.txt"), f"{name}: passes, of {said}")
        if re.match(r"(good|bad)_dk_", name):
            check_equal(said, [], f"{name}: DomainKeys are no DKIM")
        # Good in their day: what is wrong with them is their strength.
        if re.match(r"good_(\d|qp|rfc)|goodkey_\d", name):
            check_equal([d["result"] for d in said], ["policy"], name)


def mail_auth():
    """Records, an empty line, a message. One of them expired since."""
    names = sorted(glob.glob(os.path.join(SHARED, "dkim-arc-mail-auth", "dkim_*.txt")))
    check(len(names) >= 6, "the messages of dkim-arc-mail-auth")
    for path in names:
        with open(path, "rb") as file:
            records, _, message = file.read().replace(b"\r\n", b"\n").partition(b"\n\n")
        said = verify(message, zone_of(records.decode().split("\n")))["dkim"]
        name = os.path.basename(path)
        want = "fail" if name == "dkim_005.txt" else "pass"
        check_equal([d["result"] for d in said], [want] * max(len(said), 1), f"{name}: {said}")


# ---- signed by others, and by us ----

class Key:
    def __init__(self, folder, *options, domain="box.example", selector="s"):
        self.path = os.path.join(folder, f"{selector}.{domain}.pem")
        done = subprocess.run([program("postauth"), "keygen", "--selector", selector, *options,
                               domain], cwd=folder, capture_output=True, text=True)
        check_equal(done.returncode, 0, f"keygen: {done.stderr}")
        name, text = record_of(done.stdout)
        self.zone, self.name = {(name, "TXT"): [text]}, name
        self.selector, self.domain = selector, domain
        with open(self.path, "rb") as file:
            self.pem = file.read()

    def signs(self, message, *options):
        done = subprocess.run([program("postauth"), "sign", "--key", self.path, "--domain",
                               self.domain, "--selector", self.selector, *options],
                              input=message, capture_output=True)
        check_equal(done.returncode, 0, f"sign: {done.stderr}")
        return done.stdout


def by_dkimpy(key, message, **options):
    field = dkim.sign(message, key.selector.encode(), key.domain.encode(), key.pem,
                      include_headers=[b"from", b"subject", b"to"], **options)
    return field.replace(b"\r\n", b"\n") + message


def round_trips(folder):
    rsa, edwards = Key(folder), Key(folder, "--ed25519", selector="e")
    both = {**rsa.zone, **edwards.zone}
    for forms in (b"simple", b"relaxed"):
        for body in (b"simple", b"relaxed"):
            signed = by_dkimpy(rsa, MESSAGE, canonicalize=(forms, body))
            check_equal(results(signed, both), ["pass"], f"dkimpy, {forms}/{body}")
            signed = rsa.signs(MESSAGE, "--canonicalization", f"{forms.decode()}/{body.decode()}")
            check_equal(results(signed, both), ["pass"], f"postauth sign, {forms}/{body}")
            check_equal(results(signed.replace(b"\n", b"\r\n"), both), ["pass"], "with CRLF")
    signed = edwards.signs(rsa.signs(MESSAGE))
    check_equal(results(signed, both), ["pass", "pass"], "two keys")
    check_equal(results(signed, edwards.zone), ["pass", "permerror"], "one of them published")
    said = verify(signed, both)["dkim"]
    check_equal([(d["domain"], d["selector"], d["algorithm"]) for d in said],
                [("box.example", "e", "ed25519-sha256"), ("box.example", "s", "rsa-sha256")],
                "who signed, in the order of the header")
    return rsa, edwards


def what_is_wrong(folder, rsa):
    signed = rsa.signs(MESSAGE)
    rows = [
        ("the body", signed.replace(b"First", b"Last"), "fail"),
        ("a signed field", signed.replace(b"Subject: hello", b"Subject: hallo"), "fail"),
        ("one more From", b"From: eve@evil.example\n" + signed, "fail"),
        ("a field that nobody signed", b"X-Tag: 1\n" + signed, "pass"),
        ("the signature itself", re.sub(rb"\bb=(.)", lambda m: b"b=" + (b"B" if m[1] == b"A" else b"A"),
                                        signed, count=1), "fail"),
        ("no domain", signed.replace(b"d=box.example;", b""), "permerror"),
        ("a version to come", signed.replace(b"v=1;", b"v=2;"), "permerror"),
        ("no fields", re.sub(rb"h=[^;]*;", b"h=;", signed), "permerror"),
    ]
    for what, message, want in rows:
        check_equal(results(message, rsa.zone)[:1], [want], what)
    check_equal(results(MESSAGE, rsa.zone), [], "nobody signed")
    check("dkim=none" in verify(MESSAGE, {})["authentication_results"], "which is said")
    for zone, want in (({}, "permerror"), ({(rsa.name, "TXT"): "SERVFAIL"}, "temperror"),
                       ({(rsa.name, "TXT"): ["v=DKIM1; p="]}, "permerror"),
                       ({(rsa.name, "TXT"): ["x" * 60000]}, "permerror"),
                       ({(rsa.name, "TXT"): ["v=DKIM1; p=AAAA"]}, "permerror"),
                       ({(rsa.name, "CNAME"): [rsa.name]}, "temperror")):
        got = results(signed, zone)
        check(got in ([want], ["permerror" if want == "temperror" else "temperror"])
              if "CNAME" in str(zone) else got == [want], f"{str(zone)[:90]}: {got}")
    short = Key(folder, "--bits", "1024", selector="k")
    check_equal(results(short.signs(MESSAGE), short.zone), ["pass"], "1024 bits")
    test = {(rsa.name, "TXT"): [rsa.zone[rsa.name, "TXT"][0] + "; t=y"]}
    check_equal([(d["result"], d["test"]) for d in verify(signed, test)["dkim"]],
                [("pass", True)], "a key under test")
    partial = verify(by_dkimpy(rsa, MESSAGE, length=True) + b"more\n", rsa.zone)["dkim"]
    check_equal([(d["result"], d["limited"]) for d in partial], [("pass", True)],
                "what l= leaves open is told")
    # A signature expired in 1970.
    expired = rsa.signs(MESSAGE, "--expires", "1s")
    said = verify(re.sub(rb"t=\d+; x=\d+", b"t=1; x=2", expired), rsa.zone)["dkim"]
    check_equal([d["result"] for d in said], ["fail"], f"expired: {said}")


def too_much(rsa):
    signed = rsa.signs(MESSAGE)
    field = signed[:len(signed) - len(MESSAGE)]
    said = results(field * 2000 + MESSAGE, rsa.zone)
    check_equal((len(said), set(said)), (100, {"pass"}), "2,000 signatures")
    said = results(b"DKIM-Signature: " + b"v=1; " * 150000 + b"\n" + MESSAGE, rsa.zone)
    check_equal(set(said) - {"permerror", "neutral"}, set(), "one of 750 kB")
    big = b"Subject: big\nFrom: ann@box.example\n\n" + b"x" * 5000000 + b"\n" * 100000
    check_equal(results(rsa.signs(big), rsa.zone), ["pass"], "5 MB in one line, and empty ones")


def spf_too():
    zone = {("box.example", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"]}
    said = verify(MESSAGE, zone, "--client-address", "192.0.2.1", "--mail-from", "ann@box.example")
    check_equal(said["spf"], "pass", "SPF with it")
    check("spf=pass smtp.mailfrom=box.example" in said["authentication_results"], "in the field")
    said = verify(MESSAGE, zone, "--client-address", "192.0.2.2", "--helo", "box.example",
                  "--service", "mx.here")
    check_equal(said["spf"], "fail", "of the name in HELO")
    check(said["authentication_results"].startswith("Authentication-Results: mx.here;"), "by us")


def dmarc_too(rsa):
    """What the signatures and SPF are worth for the author (unit tests have the rules)."""
    policy = {("_dmarc.box.example", "TXT"): ["v=DMARC1; p=reject; sp=quarantine"]}
    zone = {**rsa.zone, **policy, ("far.example", "TXT"): ["v=spf1 -all"]}
    signed = rsa.signs(MESSAGE)
    rows = [
        ("signed by the author's domain", signed, (), ("pass", "none", "reject")),
        ("not signed", MESSAGE, (), ("fail", "reject", "reject")),
        ("changed", signed.replace(b"First", b"Last"), (), ("fail", "reject", "reject")),
        ("signed for another author", rsa.signs(MESSAGE.replace(b"ann@box", b"ann@far")), (),
         ("none", "none", "none")),
        ("an author below", MESSAGE.replace(b"ann@box", b"ann@sub.box"), (),
         ("fail", "quarantine", "quarantine")),
        ("a second author", rsa.signs(MESSAGE.replace(b"Ann <", b"eve@far.example, Ann <")), (),
         ("fail", "reject", "reject")),
        ("one without a domain beside it", rsa.signs(MESSAGE.replace(b"example>", b"example>, x")),
         (), ("fail", "reject", "reject")),
        ("an empty From as well", rsa.signs(MESSAGE).replace(b"Subject:", b"From:\nSubject:"), (),
         ("fail", "reject", "reject")),
        ("a crowd before it", MESSAGE.replace(b"Ann <", b"".join(
            b"a@x%d.example, " % i for i in range(16)) + b"Ann <"), (),
         ("permerror", "reject", "reject")),
        ("l=", by_dkimpy(rsa, MESSAGE, length=True) + b"more\n", (),
         ("fail", "reject", "reject")),
        ("no author", MESSAGE.replace(b"From:", b"X-From:"), (), ("permerror", "none", "none")),
        ("SPF of somebody else", MESSAGE, ("--client-address", "192.0.2.1", "--mail-from",
                                           "x@far.example"), ("fail", "reject", "reject")),
    ]
    for what, message, arguments, want in rows:
        said = verify(message, zone, *arguments)
        check_equal(tuple(said["dmarc"][k] for k in ("result", "policy", "published")), want, what)
    check("dmarc=fail (p=reject dis=reject) header.from=box.example" in
          verify(MESSAGE, zone)["authentication_results"], "the field")
    zone["box.example", "TXT"] = ["v=spf1 ip4:192.0.2.1 -all"]
    said = verify(MESSAGE, zone, "--client-address", "192.0.2.1", "--mail-from", "x@box.example")
    check_equal(said["dmarc"]["result"], "pass", "by SPF alone")
    zone["_dmarc.box.example", "TXT"] = "SERVFAIL"
    check_equal(verify(signed, zone)["dmarc"]["result"], "temperror", "a policy that may come")


mail_dkim()
mail_auth()
with tempfile.TemporaryDirectory(prefix="postern-dkim-") as folder:
    os.chmod(folder, 0o755)
    rsa, _ = round_trips(folder)
    what_is_wrong(folder, rsa)
    too_much(rsa)
    dmarc_too(rsa)
spf_too()
finish()
