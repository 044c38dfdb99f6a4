#!/usr/bin/env python3
"""posttls-finger: the same servers asked by Debian's and by ours, which say the same; MX records,
our own certificate, TLS from the first byte, servers that a level wants to meet."""
import os
import re
import ssl
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "smtp"))
from certificates import Certificates
from dns_server import DnsServer
from harness import Instance, check, check_equal, check_match, finish, free_port, is_root
from postfix37 import Postfix37, is_there
from sink import Sink

ZONE = {("two.example", "MX"): [(10, "dead.example"), (20, "live.example")],
        ("dead.example", "A"): ["127.0.0.13"], ("live.example", "A"): ["127.0.0.1"]}
# Debian's tries DNSSEC once.
PROBE = re.compile(r"posttls-finger: warning: (DNSSEC validation|reason: dnssec_probe).*\n")


class Wrapped(Sink):
    """TLS from the first byte."""

    def __init__(self, context):
        self.context = context
        super().__init__()

    def _session(self, conn, number):
        super()._session(self.context.wrap_socket(conn, server_side=True), number)


def certificate(folder, ask=False):
    cert, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    if not os.path.exists(cert):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/O=Tests/CN=mx.tls.example", "-keyout", key, "-out", cert],
                       check=True, capture_output=True)
        os.chmod(key, 0o644)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if ask:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cert)
    return context, cert, key


def finger(mta, *arguments):
    done = mta.run("posttls-finger", *arguments)
    return done.returncode, PROBE.sub("", done.stdout), done.stderr


def same_as_debians(mta, tls, plain, cert):
    with Postfix37({"myhostname": "client.example"}) as theirs:
        here, clear = (f"[127.0.0.1]:{sink.port}" for sink in (tls, plain))
        for arguments in (
                ["-l", "may", here],
                ["-c", "-C", "-l", "may", here],
                ["-l", "none", here],
                ["-c", "-l", "encrypt", "-F", cert, here],
                ["-c", "-C", "-l", "encrypt", "-d", "sha1", "-F", cert, here],
                ["-c", "-L", "untrusted,peercert", "-l", "may", here],
                ["-c", "-L", "summary", "-p", "TLSv1.2", "-g", "high", "-l", "may", here],
                ["-c", "-L", "none", "-C", "-l", "may", here],
                ["-c", "-l", "may", "-s", "sni.example", here],
                ["-S", "-l", "may", here],
                ["-l", "may", clear],
                ["-o", "myhostname=other.example", "-l", "may", clear],
                ["-c", "-l", "may", f"[127.0.0.1]:{free_port()}"],
                ["-l", "no-level", here],
                ["-a", "ipv5", here]):
            check_equal(finger(mta, *arguments), finger(theirs, *arguments), " ".join(arguments))
        check_equal(tls.server_names[:2], [None, None], "no SNI by default")
        check_equal(tls.server_names.count("sni.example"), 2, "-s")


def whom_levels_want(mta):
    """-l verify, secure, fingerprint with words behind the destination: as Debian's."""
    with tempfile.TemporaryDirectory(prefix="finger-") as folder:
        c = Certificates(folder)
        contexts = {"localhost": c.make("localhost", "DNS:localhost"),
                    "other": c.make("other", "DNS:other.example"),
                    "self": c.make("self", "DNS:localhost", signed=False)}
        digest = c.fingerprint("self")
        theirs = Postfix37({"myhostname": "client.example"}) if is_root() and is_there() else None
        for name, options, match, says in (
                ("localhost", ["-l", "verify", "-F", c.ca], [], "matched peername: localhost"),
                ("localhost", ["-l", "secure", "-F", c.ca], [], "Verified TLS connection"),
                ("other", ["-l", "verify", "-F", c.ca], [], "num=62:hostname mismatch"),
                ("other", ["-l", "verify", "-F", c.ca], ["a.example", "other.example"],
                 "matched peername: other.example"),
                ("self", ["-l", "secure"], [], "Untrusted TLS connection"),
                ("localhost", ["-l", "verify"], [], "untrusted issuer /CN=Authority"),
                ("self", ["-l", "fingerprint"], [digest], "Matched fingerprint: "),
                ("self", ["-l", "fingerprint"], [c.fingerprint("other"), digest],
                 "Verified TLS connection"),
                ("self", ["-l", "fingerprint"], [c.fingerprint("other")],
                 "num=65:no matching DANE TLSA records"),
                ("localhost", ["-l", "verify", "-L", "summary", "-A", c.ca], [],
                 "Verified TLS connection")):
            with Sink(tls=contexts[name]) as sink:
                arguments = ["-h", "native", *options, f"[localhost]:{sink.port}", *match]
                got = finger(mta, *arguments)
                check_match(re.escape(says), got[1], f"{name}: {options} {match}")
                if theirs:
                    check_equal(got, finger(theirs, *arguments), f"as Debian's: {arguments}")
        if theirs:
            theirs.close()


def sessions_are_resumed(mta, here):
    status, text, _ = finger(mta, "-c", "-l", "may", "-r", "1", here)
    check_equal(status, 0, "-r")
    check_match(r"established to.*\n.*Reconnecting after 1 seconds\n.*looking for session .*\n"
                r".*reloaded session .*\n.*Reusing old session\n(.*\n)*"
                r".*Found a previously used server\.  Done reconnecting\.\n$", text, "-r")


with Instance({"myhostname": "client.example"}, services=[]) as mta:
    context, cert, key = certificate(mta.home)
    asking, _, _ = certificate(mta.home, ask=True)
    with Sink(tls=context) as tls, Sink() as plain, Sink(tls=asking) as strict, \
            Sink(tls="broken") as broken, Wrapped(context) as wrapped, DnsServer(ZONE) as dns:
        mta.write_configuration(dns_servers=f"127.0.0.1:{dns.port}")
        if is_root() and is_there():
            same_as_debians(mta, tls, plain, cert)
        here = f"[127.0.0.1]:{tls.port}"
        sessions_are_resumed(mta, here)
        whom_levels_want(mta)

        _, text, _ = finger(mta, f"two.example:{tls.port}")
        check_match(r"(?s)Failed to establish session to two.example:\d+ via dead.example: connect to "
                    r"dead.example\[127.0.0.13\]:\d+: Connection refused\n.*Connected to "
                    r"live.example\[127.0.0.1\].*\n.*Untrusted TLS connection established to live",
                    text, "the second mail exchanger")
        check("QUIT" not in text.split("Connected")[0], "nothing is said to nobody")
        _, text, _ = finger(mta, f"[absent.example]:{tls.port}")
        check_match("Destination address lookup failed: Host or domain name not found", text,
                    "no such host")

        for given in (["-k", cert, "-K", key], ["-H", f"{key},{cert}"], ["-H", key, "-H", cert]):
            _, text, _ = finger(mta, "-c", *given, f"[127.0.0.1]:{strict.port}")
            check_match("TLS connection established", text, f"our certificate: {given}")
        check_equal(strict.encrypted, 3, "sessions with a certificate of ours")
        _, text, _ = finger(mta, f"[127.0.0.1]:{wrapped.port}", "-w")
        check_match(r"(?s)Connected to \S+\n\S+ \S+: subject_CN=mx.tls.example.*TLS connection "
                    r"established.*< 220 .*< 250 PIPELINING\n.*> QUIT\n.*< 221 bye\n$", text, "-w")
        _, text, _ = finger(mta, f"[127.0.0.1]:{broken.port}")
        check_match(r"SSL_connect error to .*\n.*Cannot start TLS: handshake failure", text, "broken")
        _, text, _ = finger(mta, f"[127.0.0.1]:{plain.port}")
        check_match("TLS is required, but was not offered by host", text, "encrypt is the default")

        for wrong in (["-X", here], ["-H", key, "-k", cert, here],
                      ["-t", "soon", here]):
            status, text, _ = finger(mta, *wrong)
            check(status == 1 and "posttls-finger: fatal: " in text, f"{wrong}: {text}")
finish()
