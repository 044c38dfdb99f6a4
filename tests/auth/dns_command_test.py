#!/usr/bin/env python3
"""postauth dns and postauth check: what the first prints the second finds good, once it is
published; and what is wrong with it when something of it is not."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer, zone_of
from harness import Instance, check, check_equal, check_match, finish


def ask(mta, zone, *more, status=0, domain="example.org"):
    with DnsServer(zone) as dns:
        said = mta.run("postauth", "check", "--dns", f"127.0.0.1:{dns.port}", *more, domain)
    check_equal(said.returncode, status, f"its status: {said}")
    return said.stdout


def prepare(mta):
    folder = os.path.join(mta.etc, "dkim")
    os.makedirs(folder)
    for name, option in (("rsa", "--bits=2048"), ("ed", "--ed25519")):
        made = mta.run("postauth", "keygen", option, "--selector", name, "--key",
                       os.path.join(folder, name), "example.org")
        check_equal(made.returncode, 0, f"a key: {made}")
    chain = mta.certificate()
    mta.write_configuration(smtpd_tls_chain_files=chain, smtp_bind_address="127.0.0.9",
                            dkim_sign_maps="inline:{ {example.org = rsa:rsa ed:ed} "
                                           "{other.example = x:none} }")


def published(mta):
    said = mta.run("postauth", "dns", "Example.org.")
    check_equal(said.returncode, 0, f"postauth dns: {said}")
    zone = zone_of(said.stdout)
    check_equal(zone["example.org", "MX"], [(10, "mail.test.example")], "MX")
    check_equal(zone["example.org", "TXT"], ["v=spf1 mx ip4:127.0.0.9 ~all"], "SPF")
    for name, kind in (("rsa", "rsa"), ("ed", "ed25519")):
        text = zone[f"{name}._domainkey.example.org", "TXT"]
        check(len(text) == 1 and text[0].startswith(f"v=DKIM1; k={kind}; p="), f"DKIM: {text}")
    check_match("^v=DMARC1; p=none; rua=mailto:", zone["_dmarc.example.org", "TXT"][0], "DMARC")
    check_match(r"^v=STSv1; id=[0-9a-f]{16};$", zone["_mta-sts.example.org", "TXT"][0], "MTA-STS")
    check_match("^v=TLSRPTv1; rua=mailto:", zone["_smtp._tls.example.org", "TXT"][0], "TLSRPT")
    der = mta.run("sh", "-c", f"openssl x509 -in {mta.etc}/chain.pem -pubkey -noout | "
                  "openssl pkey -pubin -outform DER | sha256sum").stdout.split()[0]
    check_equal(zone["_25._tcp.mail.test.example", "TLSA"], [bytes([3, 1, 1]) + bytes.fromhex(der)],
                "TLSA")
    check_match("mta-sts.example.org/.well-known/mta-sts.txt", said.stdout, "where the policy is")
    zone["mail.test.example", "A"] = ["127.0.0.1"]
    zone["mta-sts.example.org", "A"] = ["127.0.0.1"]
    return zone


def check_all_is_well(mta, zone):
    said = ask(mta, zone)
    subjects = re.findall(r"^ok: (\S+): ", said, re.M)
    check_equal(subjects, ["MX", "SPF", "DKIM", "DKIM", "DMARC", "MTA-STS", "TLSRPT", "TLSA"], said)
    check_equal(said.count("the key that signs"), 2, said)
    check_match("1 record, good if the zone is signed; smtpd's certificate", said, "TLSA")


def check_mistakes(mta, zone):
    rsa, ed = ("rsa._domainkey.example.org", "TXT"), ("ed._domainkey.example.org", "TXT")
    tlsa = "_25._tcp.mail.test.example", "TLSA"
    mistakes = [
        ({("example.org", "MX"): [(10, "gone.example")]}, "error: MX: gone.example has no address"),
        ({("example.org", "MX"): "SERVFAIL"}, "error: MX: example.org cannot be looked up now"),
        ({("mail.test.example", "A"): None, ("mail.test.example", "CNAME"): ["host.example"],
          ("host.example", "A"): ["127.0.0.1"]}, r"error: MX: mail.test.example is an alias"),
        ({("example.org", "TXT"): ["v=spf1 include:none.example -all"]}, "error: SPF: permerror"),
        ({("example.org", "TXT"): ["v=spf1 +all"]}, "error: SPF: .all lets anybody"),
        ({rsa: None}, "error: DKIM: rsa._domainkey.example.org: there is no record"),
        ({ed: zone[rsa]}, "error: DKIM: ed._domainkey.example.org: it is another key"),
        ({("_dmarc.example.org", "TXT"): ["v=DMARC1; p=none"] * 2}, "error: DMARC: .* 2 records"),
        ({("mta-sts.example.org", "A"): None}, "error: MTA-STS: mta-sts.example.org has no address"),
        ({tlsa: [bytes([3, 1, 1]) + bytes(32)]}, "error: TLSA: .*: none is of a certificate"),
    ]
    for change, want in mistakes:
        changed = {key: value for key, value in {**zone, **change}.items() if value is not None}
        check_match(f"(?m)^{want}", ask(mta, changed, status=1), str(change))


def check_others(mta):
    """A domain of somebody else, whose selector is known."""
    zone = {("example.net", "MX"): [(0, "")], ("example.net", "TXT"): ["v=spf1 -all"],
            ("_dmarc.example.net", "TXT"): ["v=DMARC1; p=reject"],
            ("s._domainkey.example.net", "TXT"): ["v=DKIM1; p="]}
    said = ask(mta, zone, "--selector", "s", status=1, domain="example.net")
    check_match(r"ok: MX: it takes no mail", said, "null MX")
    check_match("error: DKIM: s._domainkey.example.net: its p= is empty", said, "revoked")
    said = ask(mta, zone, domain="example.net")
    check_match("absent: DKIM", said, "without a selector")


def check_usage(mta):
    said = mta.run("postauth", "dns", "other.example")
    check_equal(said.returncode, 1, f"a key that is not there: {said}")
    check_match("dkim/none: No such file", said.stderr, "which one")
    for wrong in (["dns"], ["dns", "a b"], ["check"], ["check", "--selector", "a;b", "x.example"],
                  ["check", "--dns", "no such host", "x.example"]):
        check_equal(mta.run("postauth", *wrong).returncode, 1, f"postauth {wrong}")


with Instance(services=[]) as mta:
    prepare(mta)
    records = published(mta)
    check_all_is_well(mta, records)
    check_mistakes(mta, records)
    check_others(mta)
    check_usage(mta)
finish()
