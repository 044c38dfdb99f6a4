#!/usr/bin/env python3
"""Who sits between us and a server, and takes STARTTLS away, speaks in clear where TLS begins, or
answers before he is asked, gets no mail that the policy does not let him have, and has no part in what
a server says. What a TLS session was good enough for once is no word on what the policy says today.
Beside Debian's Postfix where it does the same; stripping under DANE and MTA-STS, and a policy that
outlives its web server: dane_test.py, mta_sts_test.py."""
import os
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from certificates import Certificates
from harness import Instance, check, check_equal, finish, is_root, wait_until
from postfix37 import Postfix37, is_there
from sink import Sink

SETTINGS = {"mydestination": "", "inet_protocols": "ipv4", "smtp_host_lookup": "native",
            "smtp_tls_loglevel": "1", "compatibility_level": "3.6",
            "smtp_connection_cache_on_demand": "no"}
STRIPPED = [{}, {"replies": {"EHLO": "250-sink.example\r\n250-XXXXXXXA\r\n250 PIPELINING"}},
            {"replies": {"EHLO": "500 5.5.1 what?"}}]
REFUSED = [{"replies": {"EHLO": "250-sink.example\r\n250 STARTTLS", "STARTTLS": reply}}
           for reply in ("454 4.7.0 not now", "500 5.5.1 what?")]
INJECTED = {"STARTTLS": "220 go\r\n250-evil.example\r\n250-AUTH PLAIN\r\n250 SIZE 1"}


def outcomes(make, rows):
    """What becomes of a message at each server: (fate, code, text), the commands that it saw, and
    whether it has the message. rows: level, certificate, arguments of Sink."""
    sinks = [Sink(tls=tls, **options) for _, tls, options in rows]
    nexthops = [f"[localhost]:{sink.port}" for sink in sinks]
    try:
        with make() as mta:
            table = mta.write("policy", "".join(
                f"{nexthop} {row[0]}\n" for nexthop, row in zip(nexthops, rows)))
            os.chmod(table, 0o644)
            mta.write_configuration(smtp_tls_policy_maps=f"texthash:{table}",
                                    transport_maps="inline:{" + ", ".join(
                                        f"d{i}.example=smtp:{nexthop}"
                                        for i, nexthop in enumerate(nexthops)) + "}")
            mta.start()
            smtp = mta.smtp()
            smtp.say("EHLO client.example", "250")
            for i in range(len(rows)):
                smtp.message("a@client.example", f"b@d{i}.example", "Subject: x\n\nbody\n")
            smtp.close()
            found = [mta.wait_for_log(rf"to=<b@d{i}\.example>, .*dsn=(\S+), status=(\w+) \((.*)\)")
                     for i in range(len(rows))]
            return [((got[2], got[1], got[3]), [c.split(" ")[0] for _, c in sink.commands],
                     len(sink.messages)) for got, sink in zip(found, sinks)]
    finally:
        for sink in sinks:
            sink.socket.close()


def compared(settings, rows, same=lambda row: True):
    ours = outcomes(lambda: Instance({**SETTINGS, **settings}), rows)
    if is_root() and is_there():
        theirs = outcomes(lambda: Postfix37({**SETTINGS, **settings}), rows)
        for row, got, want in zip(rows, ours, theirs):
            if same(row):
                check_equal((got[0][:2], got[2]), (want[0][:2], want[2]), f"as Debian's: {row}")
    return ours


def may_be_as_debians(row):
    """A 5xx to STARTTLS returns the mail there: in the hands of whoever is on the way."""
    return row[0] == "may" or row[2] != REFUSED[1]


def stripped(c):
    rows = [(level, None, options) for level in ("may", "encrypt", "verify", "secure")
            for options in STRIPPED + REFUSED]
    rows += [(f"fingerprint match={c.fingerprint('localhost')}", None, options)
             for options in STRIPPED + REFUSED]
    outcome = compared({"smtp_tls_CAfile": c.ca}, rows, may_be_as_debians)
    for row, (fate, said, messages) in zip(rows, outcome):
        if row[0] == "may":
            check_equal((fate[0], messages), ("sent", 1), f"{row}: {fate}")
        else:
            check_equal((fate[0], messages), ("deferred", 0), f"{row}: {fate}")
            check("MAIL" not in said, f"nothing of the mail is seen: {row}: {said}")


def injected(c, tls):
    """CVE-2011-0411, at the client: what came in clear behind 220 is no answer under TLS."""
    rows = [(level, tls, {"replies": INJECTED}) for level in ("may", "encrypt", "verify")]
    for row, got in zip(rows, compared({"smtp_tls_CAfile": c.ca}, rows)):
        check_equal(got, (("sent", "2.0.0", "250 2.0.0 taken as 1"),
                          ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA", "QUIT"], 1),
                    f"{row[0]}: as if nobody had said anything")


def early(c, tls):
    rows = [("verify", tls, {"early": "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go"}),
            ("verify", tls, {})]
    hijacked, honest = outcomes(lambda: Instance({
        **SETTINGS, "smtp_tls_CAfile": c.ca, "smtp_tls_block_early_mail_reply": "yes"}), rows)
    check_equal(hijacked[0], ("deferred", "4.7.0", "host localhost[127.0.0.1] replied to MAIL before "
                                                   "it was sent"), "early replies")
    check_equal(hijacked[1:], (["EHLO", "STARTTLS", "EHLO"], 0), "and no mail")
    check_equal(honest[0][0], "sent", "others are served")


def mismatched(c, contexts):
    rows = [("verify", contexts["other"], {}), ("secure", contexts["other"], {}),
            ("verify", contexts["self"], {}),
            (f"fingerprint match={c.fingerprint('other')}", contexts["localhost"], {})]
    for row, (fate, said, messages) in zip(rows, compared({"smtp_tls_CAfile": c.ca}, rows)):
        check_equal(fate, ("deferred", "4.7.5", "Server certificate not verified"), row[0])
        check_equal((said.count("MAIL"), messages), (0, 0), f"no mail: {row[0]}: {said}")


def resumed(c, tls):
    """The same server, whose session is kept, under one policy after the other."""
    with Sink(tls=tls) as sink, Instance({
            **SETTINGS, "smtp_tls_session_cache_database": "btree:${data_directory}/scache",
            "transport_maps": f"inline:{{d.example=smtp:[localhost]:{sink.port}}}"}) as mta:
        table = mta.write("policy", f"[localhost]:{sink.port} encrypt\n")
        os.chmod(table, 0o644)
        mta.write_configuration(smtp_tls_policy_maps=f"texthash:{table}")
        mta.start()

        def send():
            since = mta.log_position()
            smtp = mta.smtp()
            smtp.say("EHLO client.example", "250")
            smtp.message("a@client.example", "b@d.example", "Subject: x\n\nbody\n")
            smtp.close()
            found = mta.wait_for_log(r"to=<b@d\.example>, .*status=(\w+) ", since=since)
            return found[1], bool(mta.logged("TLS connection reused to", since=since))

        def change(policy, **settings):
            mta.write("policy", f"[localhost]:{sink.port} {policy}\n")
            os.chmod(table, 0o644)
            mta.write_configuration(**settings)
            mta.reload()

        check_equal(send(), ("sent", False), "a first session")
        wait_until(lambda: send() == ("sent", True), "resumed under the same policy")
        change("verify")
        wait_until(lambda: send() == ("deferred", False), "judged anew: nobody vouches for it")
        change("verify", smtp_tls_CAfile=c.ca)
        wait_until(lambda: send() == ("sent", False), "and with another authority once more")
        change("verify", smtp_tls_CAfile=c.path("other.pem"))
        wait_until(lambda: send() == ("deferred", False), "which is not trusted any more")


def main():
    with tempfile.TemporaryDirectory(prefix="no-downgrade-") as folder:
        c = Certificates(folder)
        contexts = {"localhost": c.make("localhost", "DNS:localhost"),
                    "other": c.make("other", "DNS:other.example"),
                    "self": c.make("self", "DNS:localhost", signed=False)}
        stripped(c)
        injected(c, contexts["localhost"])
        early(c, contexts["localhost"])
        mismatched(c, contexts)
        resumed(c, contexts["localhost"])


main()
finish()
