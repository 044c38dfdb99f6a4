#!/usr/bin/env python3
"""smtp_tls_trust_anchor_file and tafile=, smtp_tls_scert_verifydepth and smtp_tls_per_site, beside
Debian's Postfix: the same fate, code, text and word for the TLS connection."""
import os
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from certificates import Certificates
from harness import Instance, check_equal, finish, is_root
from postfix37 import Postfix37, is_there
from tls_rows import run

SETTINGS = {"mydestination": "", "inet_protocols": "ipv4", "smtp_host_lookup": "native",
            "smtp_tls_loglevel": "1", "compatibility_level": "3.6"}
VERIFIED, TRUSTED, NOT = ("sent", "Verified"), ("sent", "Trusted"), ("deferred", "Untrusted")
FAULT, CLEAR, ANY = ("deferred", None), ("sent", None), ("sent", "Untrusted")


def sign(c, name, by, extension):
    """A certificate by one of those that are no root."""
    c.make(name)
    with open(c.path(f"{name}.ext"), "w") as file:
        file.write(extension + "\n")
    c.openssl("x509", "-req", "-in", c.path(f"{name}.csr"), "-days", "2", "-extfile",
              c.path(f"{name}.ext"), "-out", c.path(f"{name}.pem"), "-CA", f"{by}.pem", "-CAkey",
              f"{by}.key", "-CAcreateserial")


def chain(c, name, *above):
    """A server with the certificates between it and the root."""
    sign(c, name, c.path(above[0]), "subjectAltName=DNS:localhost")
    with open(c.path(f"{name}.pem"), "a") as file:
        for one in above:
            with open(c.path(f"{one}.pem")) as part:
                file.write(part.read())
    return c.context(name)


def make(folder):
    """An authority, two below it and one that nobody knows; servers of each."""
    c = Certificates(folder)
    made = {"localhost": c.make("localhost", "DNS:localhost"),
            "other": c.make("other", "DNS:other.example"),
            "self": c.make("self", "DNS:localhost", signed=False), None: None}
    below = c.path("ca")
    for name in ("below", "lower"):
        sign(c, name, below, "basicConstraints=critical,CA:TRUE")
        below = c.path(name)
    made["deep"] = chain(c, "deep", "below")
    made["deepest"] = chain(c, "deepest", "lower", "below")
    c.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
              "-days", "2", "-subj", "/CN=Stranger", "-keyout", c.path("stranger.key"), "-out",
              c.path("stranger.pem"))
    with open(c.path("cakey.pem"), "w") as file:
        file.write(c.openssl("x509", "-in", c.ca, "-noout", "-pubkey"))
    with open(c.path("both.pem"), "w") as both:
        for name in ("stranger.pem", "cakey.pem"):
            with open(c.path(name)) as one:
                both.write(one.read())
    with open(c.path("nothing.pem"), "w") as file:
        file.write("hello\n")
    for name in os.listdir(folder):
        if name.endswith(".pem"):
            os.chmod(c.path(name), 0o644)
    return c, made


def anchors(c):
    """Of a policy, with no other authority known."""
    at = c.path
    return [
        (f"verify tafile={c.ca}", "localhost", *VERIFIED),
        (f"secure tafile={c.ca}", "localhost", *VERIFIED),
        (f"verify tafile={at('cakey.pem')}", "localhost", *VERIFIED),
        (f"verify tafile={at('both.pem')}", "localhost", *VERIFIED),
        (f"verify tafile={at('stranger.pem')} tafile={c.ca}", "localhost", *VERIFIED),
        (f"verify tafile={at('stranger.pem')}", "localhost", *NOT),
        (f"verify tafile={c.ca}", "other", *NOT),
        (f"verify tafile={c.ca} match=other.example", "other", *VERIFIED),
        (f"verify tafile={c.ca}", "self", *NOT),
        (f"verify tafile={c.ca}", "deep", *VERIFIED),
        (f"verify tafile={at('below.pem')}", "deep", *VERIFIED),
        (f"encrypt tafile={c.ca}", "localhost", *FAULT),
        (f"verify tafile={at('none.pem')}", "localhost", *FAULT),
        (f"verify tafile={at('nothing.pem')}", "localhost", *FAULT),
        (f"verify tafile={c.ca}", None, *FAULT),
        ("verify", "localhost", *NOT),
        ("may", "localhost", *ANY),
    ]


def sites(host):
    """Words for next hops (first column) and for the host of them all, under three levels."""
    level, word = host
    return {
        ("may", "NONE"): [("", *CLEAR), ("MAY", *CLEAR), ("MUST_NOPEERMATCH", *TRUSTED),
                          ("MUST", *VERIFIED)],
        ("may", "MAY"): [("NONE", *CLEAR), ("none", *CLEAR), ("nonsense", *FAULT)],
        ("verify", "MAY"): [("", *VERIFIED), ("MAY", *VERIFIED), ("NONE", *CLEAR)],
        ("encrypt", ""): [("MUST", *VERIFIED), ("NONE", *CLEAR), ("MAY", *TRUSTED),
                          ("MUST_NOPEERMATCH", *TRUSTED), ("", *TRUSTED)],
    }[level, word]


def compare(settings, contexts, rows, table, **options):
    with Instance({**SETTINGS, **settings}) as mta:
        ours, _ = run(mta, contexts, rows, table, **options)
    for row, got in zip(rows, ours):
        check_equal((got[0], got[3]), row[2:], f"{settings} {row[:2]}: {got}")
        check_equal(got[4], int(row[2] == "sent"), f"messages at the server: {row[:2]}")
    if is_root() and is_there():
        with Postfix37({**SETTINGS, **settings}) as theirs:
            wanted, _ = run(theirs, contexts, rows, table, **options)
        for row, got, want in zip(rows, ours, wanted):
            check_equal(got, want, f"as Debian's: {settings} {row[:2]}")


def main():
    with tempfile.TemporaryDirectory(prefix="tls-anchors-") as folder:
        c, contexts = make(folder)
        table = c.path("table")
        compare({}, contexts, anchors(c), table)
        compare({"smtp_tls_trust_anchor_file": f"{c.path('stranger.pem')}, {c.ca}",
                 "smtp_tls_CAfile": c.path("stranger.pem")}, contexts,
                [("verify", "localhost", *VERIFIED), ("secure", "other", *NOT),
                 (f"verify tafile={c.path('stranger.pem')}", "localhost", *NOT),
                 ("encrypt", "localhost", *ANY)], table)
        compare({"smtp_tls_trust_anchor_file": c.path("nothing.pem"), "smtp_tls_CAfile": c.ca},
                contexts, [("verify", "localhost", *FAULT), ("may", "localhost", *TRUSTED)], table)
        for depth, deepest in ((0, NOT), (1, VERIFIED)):
            compare({"smtp_tls_scert_verifydepth": str(depth), "smtp_tls_CAfile": c.ca}, contexts,
                    [("verify", "deepest", *deepest), ("verify", "deep", *VERIFIED),
                     ("verify", "localhost", *VERIFIED),
                     (f"verify tafile={c.ca}", "deepest", *deepest)], table)
        for level, word in (("may", "NONE"), ("may", "MAY"), ("verify", "MAY"), ("encrypt", "")):
            rows = [(nexthop, "localhost", *fate) for nexthop, *fate in sites((level, word))]
            compare({"smtp_tls_security_level": level, "smtp_tls_CAfile": c.ca}, contexts, rows,
                    table, parameter="smtp_tls_per_site",
                    more=f"localhost {word}\n" if word else "")


main()
finish()
