#!/usr/bin/env python3
"""REQUIRETLS (RFC 8689): offered under TLS alone; such mail goes to hosts that are proven to be the
right ones and promise the same, as far as smtp_requiretls_policy says, or back; its notices tell
nothing of it, or have REQUIRETLS, too. TLS-Required: No makes TLS of any kind good enough."""
import os
import ssl
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from certificates import Certificates
from harness import Instance, check, check_equal, check_match, finish, wait_until
from sink import Sink

PROMISES = "250-sink.example\r\n250-STARTTLS\r\n250-REQUIRETLS\r\n250 PIPELINING"
# smtp_requiretls_policy, certificate of the server (None: no STARTTLS), does it promise REQUIRETLS,
# sender, what becomes of the message, code, and whether the server is asked for REQUIRETLS.
CASES = [
    ("enforce", "localhost", True, "a@s.example", "sent", "2.0.0", True),
    ("enforce", "localhost", False, "a@s.example", "bounced", "5.7.30", None),
    ("enforce", "other", True, "a@s.example", "bounced", "5.7.5", None),
    ("enforce", "self", True, "a@s.example", "bounced", "5.7.5", None),
    ("enforce", None, False, "a@s.example", "bounced", "5.7.4", None),
    ("enforce", None, True, "a@s.example", "bounced", "5.7.4", None),
    ("enforce", "broken", True, "a@s.example", "deferred", "4.7.5", None),
    # A notice is not lost by it (section 5).
    ("enforce", "localhost", False, "", "sent", "2.0.0", False),
    ("enforce", "localhost", True, "", "sent", "2.0.0", True),
    ("opportunistic+starttls", "self", False, "a@s.example", "sent", "2.0.0", False),
    ("opportunistic+starttls", "self", True, "a@s.example", "sent", "2.0.0", True),
    ("opportunistic+starttls", None, False, "a@s.example", "deferred", "4.7.4", None),
    ("opportunistic", None, True, "a@s.example", "sent", "2.0.0", False),
    ("opportunistic", "self", True, "a@s.example", "sent", "2.0.0", True),
    ("disable", "localhost", True, "a@s.example", "sent", "2.0.0", False),
    ("nonsense", "localhost", True, "a@s.example", "deferred", "4.7.5", None),
]
SETTINGS = {"mydestination": "", "relay_domains": "", "smtp_host_lookup": "native",
            "smtp_tls_security_level": "may", "smtp_tls_loglevel": "1",
            "smtp_connection_cache_on_demand": "no",
            "smtpd_tls_security_level": "may", "smtpd_error_sleep_time": "0"}


def secure(mta):
    """A session under TLS, after EHLO."""
    smtp = mta.smtp()
    check("REQUIRETLS" not in smtp.say("EHLO client.example", "250-"), "not offered in clear")
    smtp.say("STARTTLS", "220 ")
    smtp.file.close()
    smtp.socket = ssl._create_unverified_context().wrap_socket(smtp.socket)
    smtp.file = smtp.socket.makefile("rb")
    return smtp, smtp.say("EHLO client.example", "250-")


def send(smtp, sender, recipient, content="Subject: secret\n\nbody\n", option=" REQUIRETLS"):
    smtp.say(f"MAIL FROM:<{sender}>{option}", "250 ")
    smtp.say(f"RCPT TO:<{recipient}>", "250 ")
    smtp.say("DATA", "354 ")
    smtp.send(content.replace("\n", "\r\n") + ".\r\n")
    return smtp.expect("250 2.0.0 Ok: queued as ").split()[-1]


def fate(mta, recipient):
    found = mta.wait_for_log(rf"to=<{recipient}>, .*dsn=(\S+), status=(\w+) \((.*)\)")
    return found[2], found[1], found[3]


def mails(sink):
    return [line for _, line in sink.commands if line.startswith("MAIL")]


def offered():
    with Instance(SETTINGS, services=["smtpd", "cleanup", "qmgr", "tlsmgr"]) as mta:
        mta.write_configuration(smtpd_tls_chain_files=mta.certificate())
        mta.start()
        clear = mta.smtp()
        clear.say("EHLO x", "250-")
        clear.say("MAIL FROM:<a@b.example> REQUIRETLS", "555 5.5.4 Unsupported option: REQUIRETLS")
        clear.close()
        smtp, said = secure(mta)
        check_match(r"\n250[- ]REQUIRETLS\r", said, "offered under TLS")
        smtp.say("MAIL FROM:<a@b.example> REQUIRETLS=1", "555 ")
        smtp.say("HELO x", "250 ")
        smtp.say("MAIL FROM:<a@b.example> REQUIRETLS", "555 ")
        smtp.close()
        mta.write_configuration(requiretls_enable="no")
        mta.reload()
        wait_until(lambda: "REQUIRETLS" not in secure(mta)[1], "not offered any more")


def with_servers(folder):
    c = Certificates(folder)
    contexts = {"localhost": c.make("localhost", "DNS:localhost"),
                "other": c.make("other", "DNS:other.example"), None: None, "broken": "broken",
                "self": c.make("self", "DNS:localhost", signed=False)}
    return c, contexts


def relayed(c, contexts):
    sinks = [Sink(tls=contexts[row[1]], replies={"EHLO": PROMISES.replace(
        "250-STARTTLS\r\n", "" if row[1] is None else "250-STARTTLS\r\n")} if row[2] else {})
        for row in CASES]
    home = Sink()
    services = [f"way{i} unix - - n - - smtp -o smtp_requiretls_policy={row[0]}"
                for i, row in enumerate(CASES)]
    ways = [f"d{i}.example=way{i}:[localhost]:{s.port}" for i, s in enumerate(sinks)]
    with Instance({**SETTINGS, "smtp_tls_CAfile": c.ca, "transport_maps":
                   f"inline:{{{', '.join(ways)}, s.example=smtp:[localhost]:{home.port}}}"},
                  extra_services=services) as mta:
        mta.expect_trouble("REQUIRETLS", "non-SMTP")
        mta.write_configuration(smtpd_tls_chain_files=mta.certificate())
        mta.start()
        smtp, _ = secure(mta)
        for i, row in enumerate(CASES):
            send(smtp, row[3], f"b@d{i}.example")
        smtp.close()
        for i, (row, sink) in enumerate(zip(CASES, sinks)):
            got = fate(mta, rf"b@d{i}\.example")
            check_equal(got[:2], row[4:6], f"{row[:4]}: {got}")
            check_equal(len(sink.messages), int(row[4] == "sent"), f"messages: {row[:4]}")
            if row[4] == "sent":
                check_equal("REQUIRETLS" in mails(sink)[0], row[6], f"REQUIRETLS: {row[:4]}")
                check(b"Require-TLS-ESMTP: yes\r\n" in sink.messages[0][1], "the mark")
        check(mta.logged(r"Verified TLS connection established to localhost\[\S+\]:"
                         f"{sinks[0].port}"), "the certificate was checked")
        wanted = sum(row[4] == "bounced" for row in CASES)
        wait_until(lambda: len(home.messages) == wanted, "notices")
        for _, lines in home.messages:
            text = b"".join(lines)
            check(b"Subject: secret" not in text and b"body\r\n" not in text,
                  "nothing of the message is in its notice")
        for sink in sinks + [home]:
            sink.socket.close()


def noticed(c, contexts):
    """requiretls_redact_dsn = no: the header comes back, with REQUIRETLS."""
    with Sink(tls=contexts["localhost"], replies={"EHLO": PROMISES}) as home, Sink() as away, \
            Instance({**SETTINGS, "smtp_tls_CAfile": c.ca, "requiretls_redact_dsn": "no",
                      "smtp_requiretls_policy": "enforce", "transport_maps":
                      f"inline:{{x.example=smtp:[localhost]:{away.port}, "
                      f"s.example=smtp:[localhost]:{home.port}}}"}) as mta:
        mta.write_configuration(smtpd_tls_chain_files=mta.certificate())
        mta.start()
        smtp, _ = secure(mta)
        send(smtp, "a@s.example", "b@x.example", option=" RET=FULL REQUIRETLS")
        smtp.close()
        wait_until(lambda: home.messages, "the notice")
        text = b"".join(home.messages[0][1])
        check(b"Subject: secret" in text and b"body\r\n" not in text, "the header alone")
        check_match("^MAIL FROM:<>.* REQUIRETLS", mails(home)[0], "the notice has REQUIRETLS")


def otherwise(c, contexts):
    """How else a message comes to it; and TLS-Required: No."""
    with Sink(tls=contexts["localhost"], replies={"EHLO": PROMISES}) as good, \
            Sink(tls=contexts["self"]) as bad, Sink() as clear, \
            Instance({**SETTINGS, "smtp_tls_CAfile": c.ca, "smtp_requiretls_policy":
                      "inline:{{.example=enforce}, {localhost=enforce}}, disable",
                      "smtp_tls_security_level": "secure",
                      "transport_maps": f"inline:{{x.example=smtp:[localhost]:{good.port}, "
                      f"y.example=smtp:[localhost]:{bad.port}, "
                      f"z.example=smtp:[localhost]:{clear.port}}}"}) as mta:
        mta.write_configuration(smtpd_tls_chain_files=mta.certificate())
        mta.start()
        done = mta.run("sendmail", "-C", mta.etc, "-O", "requiretls=yes", "-f", "a@s.example",
                       "b@x.example", input="Subject: x\n\nbody\n")
        check_equal(done.returncode, 0, done.stderr)
        check_equal(fate(mta, r"b@x\.example")[0], "sent", "from sendmail")
        check_match(" REQUIRETLS", mails(good)[0], "sendmail -O requiretls=yes")
        smtp = mta.smtp()
        smtp.say("EHLO x", "250-")
        send(smtp, "a@s.example", "c@x.example", "Require-TLS-ESMTP: yes\n\nbody\n", "")
        check_equal(fate(mta, r"c@x\.example")[0], "sent", "from a filter")
        check_match(" REQUIRETLS", mails(good)[1], "the mark is read")
        # TLS-Required: No
        plain, no = "Subject: x\n\nx\n", "Subject: x\nTLS-Required: No\n\nx\n"
        send(smtp, "a@s.example", "1@y.example", plain, "")
        send(smtp, "a@s.example", "2@y.example", no, "")
        send(smtp, "a@s.example", "3@z.example", plain, "")
        send(smtp, "a@s.example", "4@z.example", no, "")
        check_equal([fate(mta, who)[:2] for who in (r"1@y\.example", r"2@y\.example",
                                                    r"3@z\.example", r"4@z\.example")],
                    [("deferred", "4.7.5"), ("sent", "2.0.0"), ("deferred", "4.7.4"),
                     ("sent", "2.0.0")], "TLS-Required: No")
        check_equal((bad.encrypted, len(bad.messages)), (2, 1), "under TLS where there is any")
        smtp.close()
        smtp, _ = secure(mta)
        send(smtp, "a@s.example", "5@y.example", no)
        check_equal(fate(mta, r"5@y\.example")[:2], ("bounced", "5.7.5"),
                    "TLS-Required counts for nothing with REQUIRETLS")
        smtp.close()


def main():
    offered()
    with tempfile.TemporaryDirectory(prefix="requiretls-") as folder:
        c, contexts = with_servers(folder)
        relayed(c, contexts)
        noticed(c, contexts)
        otherwise(c, contexts)


main()
finish()
