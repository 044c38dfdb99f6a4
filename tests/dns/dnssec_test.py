#!/usr/bin/env python3
"""Validation decides where it is asked for, and nowhere else: a signed zone, a wrong signature,
what does not exist, an unsigned zone, with the zone's key as dns_trust_anchor."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from ask import A, ASK, MX, ask
from dns_signed import SignedServer
from harness import Instance, check_equal, finish, skip

VALIDATE = 1
if not os.access(ASK, os.X_OK):
    skip(f"{ASK} is not built")
zone = {("good.signed.example", "A"): ["192.0.2.1"], ("forged.signed.example", "A"): ["192.0.2.2"],
        ("open.example", "A"): ["192.0.2.3"], ("alias.signed.example", "CNAME"): ["open.example"],
        ("inside.signed.example", "CNAME"): ["good.signed.example"]}
with SignedServer(zone, ["signed.example"], forged=["forged.signed.example"]) as server, \
        Instance() as mta:
    os.makedirs(os.path.join(mta.home, "keys"))
    anchor = os.path.join(mta.home, "keys", "anchor")
    server.write_anchor(anchor)
    mta.write_configuration(dns_servers=f"127.0.0.1:{server.port}", dns_trust_anchor=anchor)
    mta.start()
    check_equal(ask(mta, (A, "good.signed.example", VALIDATE))[0],
                ["OK", "secure", "0:192.0.2.1"], "a signed name")
    check_equal(ask(mta, (A, "good.signed.example"))[0], ["OK", "insecure", "0:192.0.2.1"],
                "the same without validation")
    check_equal(ask(mta, (A, "forged.signed.example", VALIDATE))[0], ["TEMPFAIL", "insecure"],
                "a forged name")
    check_equal(ask(mta, (A, "forged.signed.example"))[0], ["OK", "insecure", "0:192.0.2.2"],
                "the same without validation")
    check_equal(ask(mta, (A, "open.example", VALIDATE))[0], ["OK", "insecure", "0:192.0.2.3"],
                "a name outside")
    check_equal(ask(mta, (A, "inside.signed.example", VALIDATE))[0],
                ["OK", "secure", "0:192.0.2.1"], "an alias")
    check_equal(ask(mta, (A, "alias.signed.example", VALIDATE))[0],
                ["OK", "insecure", "0:192.0.2.3"], "an alias of a name outside")
    check_equal(ask(mta, (MX, "good.signed.example", VALIDATE))[0], ["NODATA", "secure"],
                "a record that is not there")
    check_equal(ask(mta, (MX, "forged.signed.example", VALIDATE))[0], ["TEMPFAIL", "insecure"],
                "one that a forger says is not there")
finish()
