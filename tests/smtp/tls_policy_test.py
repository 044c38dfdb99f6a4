#!/usr/bin/env python3
"""smtp_tls_security_level and smtp_tls_policy_maps: each policy against servers with good and bad
certificates, beside Debian's Postfix: the same fate, code and text, the same word for the TLS
connection; nothing is sent to a server that is not who the policy wants, or whose policy cannot
be told."""
import os
import ssl
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from certificates import Certificates
from harness import Instance, check, check_equal, finish, is_root
from postfix37 import Postfix37, is_there
from sink import Sink
from tls_rows import run

LEVELS = ("smtp_tls_security_level", "encrypt")


def cases(c):
    """Policy, certificate (None: no STARTTLS), fate, word for the TLS connection."""
    good, other = c.fingerprint("localhost"), c.fingerprint("sub")
    return [
        ("none", "localhost", "sent", None),
        ("may", "localhost", "sent", "Trusted"),
        ("may", "self", "sent", "Untrusted"),
        ("may", None, "sent", None),
        ("encrypt", "localhost", "sent", "Trusted"),
        ("encrypt", None, "deferred", None),
        ("encrypt protocols=TLSv1.2", "localhost", "sent", "Trusted"),
        ("encrypt protocols=TLSv1.2", "only13", "deferred", None),
        ("encrypt protocols=>=TLSv1.3", "only13", "sent", "Trusted"),
        ("encrypt ciphers=high exclude=AES", "localhost", "sent", "Trusted"),
        ("encrypt ciphers=nonsense", "localhost", "deferred", None),
        ("encrypt protocols=nonsense", "localhost", "deferred", None),
        ("nonsense", "localhost", "deferred", None),
        ("encrypt match=localhost", "localhost", "deferred", None),
        ("encrypt nonsense=x", "localhost", "deferred", None),
        ("encrypt servername=other.example", "sni", "sent", "Trusted"),
        ("verify", "localhost", "sent", "Verified"),
        ("verify", "sub", "deferred", "Untrusted"),
        ("verify", "self", "deferred", "Untrusted"),
        ("verify", None, "deferred", None),
        ("verify match=mx.localhost", "sub", "sent", "Verified"),
        ("verify match=.localhost", "sub", "sent", "Verified"),
        ("verify match=.localhost", "localhost", "deferred", "Untrusted"),
        ("verify match=nobody.example:localhost", "localhost", "sent", "Verified"),
        ("verify match=nobody.example match=localhost", "localhost", "sent", "Verified"),
        ("verify match=a.wild.example", "wild", "sent", "Verified"),
        ("verify match=a.b.wild.example", "wild", "deferred", "Untrusted"),
        ("verify match=wild.example", "wild", "deferred", "Untrusted"),
        ("verify match=LOCALHOST", "localhost", "sent", "Verified"),
        ("verify match=cn.example", "cn.example", "sent", "Verified"),
        ("verify match=cn2.example", "cn2.example", "deferred", "Untrusted"),
        ("secure", "localhost", "sent", "Verified"),
        ("secure", "sub", "sent", "Verified"),
        ("secure match=nexthop", "sub", "deferred", "Untrusted"),
        ("secure match=dot-nexthop", "sub", "sent", "Verified"),
        ("secure match=hostname", "localhost", "sent", "Verified"),
        ("secure", "wild", "deferred", "Untrusted"),
        ("secure", "self", "deferred", "Untrusted"),
        (f"fingerprint match={good}", "localhost", "sent", "Verified"),
        (f"fingerprint match={good.lower()}", "localhost", "sent", "Verified"),
        (f"fingerprint match={other}|{good}", "localhost", "sent", "Verified"),
        (f"fingerprint match={c.key_fingerprint('self')}", "self", "sent", "Verified"),
        (f"fingerprint match={other}", "localhost", "deferred", "Untrusted"),
        ("fingerprint", "localhost", "deferred", None),
        (f"fingerprint match={c.fingerprint('localhost', 'md5')}", "localhost", "deferred",
         "Untrusted"),
    ]


SETTINGS = {"mydestination": "", "inet_protocols": "ipv4", "smtp_host_lookup": "native",
            "smtp_tls_loglevel": "1", "smtp_tls_security_level": "encrypt",
            "smtp_tls_fingerprint_digest": "sha256", "compatibility_level": "3.6"}


def main():
    with tempfile.TemporaryDirectory(prefix="tls-policy-") as folder:
        c = Certificates(folder)
        contexts = {"localhost": c.make("localhost", "DNS:localhost"),
                    "sni": c.make("sni", "DNS:localhost"),
                    "sub": c.make("sub", "DNS:mx.localhost"),
                    "wild": c.make("wild", "DNS:*.wild.example"),
                    "cn.example": c.make("cn.example"),
                    "cn2.example": c.make("cn2.example", "DNS:something.example"),
                    "only13": c.make("only13", "DNS:localhost"),
                    "self": c.make("self", "DNS:localhost", signed=False)}
        contexts["only13"].minimum_version = ssl.TLSVersion.TLSv1_3
        rows = cases(c)
        settings = {**SETTINGS, "smtp_tls_CAfile": c.ca}
        with Instance(settings) as mta:
            ours, names = run(mta, contexts, rows, c.path("policies"))
        for row, got, name in zip(rows, ours, names):
            check_equal((got[0], got[3]), row[2:], f"{row[:2]}: {got}")
            check_equal(got[4], int(row[2] == "sent"), f"messages at the server: {row[:2]}")
            if "servername" in row[0]:
                check_equal(name, ["other.example"], "SNI of the policy")
        if is_root() and is_there():
            with Postfix37(settings) as theirs:
                wanted, _ = run(theirs, contexts, rows, c.path("policies"))
            for row, got, want in zip(rows, ours, wanted):
                check_equal(got, want, f"as Debian's: {row[:2]}")

        # A table that does not answer, and one that says less of a parent domain.
        with Sink(tls=contexts["localhost"]) as sink, Sink() as plain, \
                Instance({**settings, "smtp_tls_security_level": "may"}) as mta:
            mta.write_configuration(
                smtp_tls_policy_maps="socketmap:inet:127.0.0.1:1:policies",
                transport_maps=f"inline:{{x.example=smtp:[localhost]:{sink.port}, "
                               f"y.example=smtp:[localhost]:{plain.port}}}")
            mta.start()
            for domain in ("x", "y"):
                smtp = mta.smtp()
                smtp.say("EHLO client.example", "250")
                smtp.message("a@client.example", f"b@{domain}.example", "Subject: x\n\nbody\n")
                smtp.close()
                mta.wait_for_log(rf"to=<b@{domain}\.example>, .*dsn=4\.7\.5, status=deferred "
                                 r"\(client TLS configuration problem\)")
            check_equal((sink.connections, plain.connections), (0, 0), "nobody was even asked")
            check(mta.logged("TLS policy for"), "the log says whose policy")


main()
finish()
