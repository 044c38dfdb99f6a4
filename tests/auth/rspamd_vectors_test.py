#!/usr/bin/env python3
"""postauth verify judges the messages of rspamd's own tests as they say: DKIM, SPF, DMARC and ARC,
over the records that rspamd's tests serve. Where we differ stands in DIFFERENT, with the reason."""
import csv
import json
import os
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import check, check_equal, finish, program

FOLDER = os.path.join(os.environ.get("POSTERN_SHARED", "../shared"), "vectors", "rspamd-dmarc")

# What rspamd's symbols are in RFC 8601's words: (method, result, what is to be done).
SYMBOLS = {"R_DKIM_ALLOW": ("dkim", "pass"), "R_DKIM_REJECT": ("dkim", "fail"),
           "R_DKIM_PERMFAIL": ("dkim", "permerror"), "R_DKIM_TEMPFAIL": ("dkim", "temperror"),
           "R_SPF_DNSFAIL": ("spf", "temperror"),
           "DMARC_POLICY_ALLOW": ("dmarc", "pass", "none"),
           "DMARC_POLICY_SOFTFAIL": ("dmarc", "fail", "none"),
           "DMARC_POLICY_QUARANTINE": ("dmarc", "fail", "quarantine"),
           "DMARC_POLICY_REJECT": ("dmarc", "fail", "reject"),
           "ARC_ALLOW": ("arc", "pass"), "ARC_INVALID": ("arc", "fail")}
# The set has no key of the second sealer. RFC 9989 has no pct=, and VIOLATIONS.md says so.
DIFFERENT = {"ARC ALLOW CHECK": ("arc", "fail"),
             "DMARC PCT ZERO REJECT": ("dmarc", "fail", "reject"),
             "DMARC PCT ZERO SP QUARANTINE": ("dmarc", "fail", "quarantine")}


def zone_of(records):
    zone = {}
    for record in records:
        key = record["name"], record["type"].upper()
        if record["rcode"] in ("timeout", "servfail"):
            zone[key] = "SERVFAIL"
        elif record["rcode"] == "noerror" and key[1] == "MX":
            zone[key] = [(10, text.split()[-1].rstrip(".")) for text in record["replies"]]
        elif record["rcode"] != "nxdomain":
            zone[key] = record["replies"]
    return zone


def verify(row, dns):
    arguments = []
    if row["mailfrom"] != "-":  # without one there is nothing for SPF
        arguments = ["--client-address", row["ip"], "--mail-from", row["mailfrom"]]
    with open(os.path.join(FOLDER, row["message"]), "rb") as file:
        done = subprocess.run([program("postauth"), "verify", "--json", "--dns",
                               f"127.0.0.1:{dns.port}", *arguments], stdin=file, capture_output=True)
    check_equal((done.returncode, done.stderr), (0, b""), f"postauth verify: {row['test']}")
    return json.loads(done.stdout)


def told(said, method):
    """Our verdict as SYMBOLS has it; of several signatures a good one decides, otherwise the first."""
    if method == "dkim":
        results = [d["result"] for d in said["dkim"]] or ["none"]
        return method, "pass" if "pass" in results else results[0]
    if method == "dmarc":
        return method, said["dmarc"]["result"], said["dmarc"]["policy"]
    return method, said[method]


with open(os.path.join(FOLDER, "dns.json")) as file:
    served = zone_of(json.load(file))
with open(os.path.join(FOLDER, "expected.tsv")) as file:
    rows = list(csv.DictReader(file, delimiter="\t"))
check(len(rows) >= 14, f"only {len(rows)} rows in {FOLDER}")
with DnsServer(served) as server:
    for case in rows:
        verdict = verify(case, server)
        for symbol in case["expected"].split():
            want = DIFFERENT.get(case["test"], SYMBOLS[symbol])
            check_equal(told(verdict, want[0]), want, f"{case['test']}: {verdict}")
finish()
