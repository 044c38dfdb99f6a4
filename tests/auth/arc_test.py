#!/usr/bin/env python3
"""postauth verify and ARC: the chains of two sets of others, and what dkimpy seals."""
import glob
import json
import os
import re
import subprocess
import sys
import yaml
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import check, check_equal, finish, program

SHARED = os.path.join(os.environ.get("POSTERN_SHARED", "../shared"), "vectors")


def verify(message, dns):
    done = subprocess.run([program("postauth"), "verify", "--json", "--dns", f"127.0.0.1:{dns.port}"],
                          input=message, capture_output=True)
    if not check_equal((done.returncode, done.stderr), (0, b""), "postauth verify"):
        return {"arc": None, "arc_problem": None, "arc_seals": [], "authentication_results": ""}
    return json.loads(done.stdout)


def valimail():
    """Where no verdict is given a sealer has found the chain broken, which is a fail by RFC 8617
    (section 5.2, 2); the suite is older."""
    ran = 0
    with open(os.path.join(SHARED, "arc-valimail", "arc-draft-validation-tests.yml")) as file:
        sections = list(yaml.safe_load_all(file))
    for section in sections:
        zone = {(name, "TXT"): [text] for name, text in section["txt-records"].items()}
        with DnsServer(zone) as dns:
            for name, case in section["tests"].items():
                said = verify(case["message"].encode(), dns)
                want = (case["cv"] or "fail").strip().lower() or "fail"
                check_equal(said["arc"], want, f"{name}: {case['description']}: {said['arc_problem']}")
                check(f"arc={want}" in said["authentication_results"], f"{name}: in the field")
                ran += 1
    check(ran > 70, f"only {ran} cases")


def mail_auth():
    """Records, an empty line, a message; each of them whole, and then changed."""
    names = sorted(glob.glob(os.path.join(SHARED, "dkim-arc-mail-auth", "arc_*.txt")))
    check(len(names) >= 2, "the messages of dkim-arc-mail-auth")
    for path in names:
        with open(path, "rb") as file:
            records, _, message = file.read().replace(b"\r\n", b"\n").partition(b"\n\n")
        zone = {}
        for line in records.decode().split("\n"):
            name, _, text = line.partition(" ")
            if name:
                zone[name, "TXT"] = [text.strip()]
        name = os.path.basename(path)
        with DnsServer(zone) as dns:
            said = verify(message, dns)
            check_equal((said["arc"], said["arc_problem"]), ("pass", ""), name)
            n = len(said["arc_seals"])
            check_equal(verify(message + b"more\n", dns)["arc_problem"],
                        f"message signature {n}: the body has been changed", name)
            said = verify(re.sub(rb"(?m)^From: ", b"From: x", message), dns)
            check_equal(said["arc_problem"], f"message signature {n}: the signature does not match", name)
        with DnsServer({key: "SERVFAIL" for key in zone}) as dns:
            said = verify(message, dns)
            check_equal((said["arc"], said["arc_problem"]),
                        ("fail", f"message signature {n}: the key cannot be looked up now"), name)


valimail()
mail_auth()
finish()
