#!/usr/bin/env python3
"""MTA-STS (RFC 8461): domains with policies at a web server of ours, whose certificates an authority
of ours vouches for; mail exchangers that keep them, or do not; policies that are no policies; what
is known outlives the web server, the records and a restart. Policies are at port 443, so only root
can run this."""
import http.server
import os
import re
import socket
import ssl
import sys
import tempfile
import threading
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from certificates import Certificates
from dns_server import DnsServer
from harness import Instance, check, check_equal, check_match, finish, is_root, skip, wait_until
from sink import Sink

MX, WILD, OTHER = "mx.example", "a.wild.example", "mx.elsewhere.example"
DAY = 86400


def policy(mode, *mx, max_age=604800):
    return "".join(f"{line}\r\n" for line in
                   ("version: STSv1", f"mode: {mode}", f"max_age: {max_age}",
                    *(f"mx: {name}" for name in mx)))


def plain(body):
    return 200, {"Content-Type": "text/plain; charset=utf-8"}, body


GOOD = plain(policy("enforce", MX))
BAD = plain(policy("enforce", "mx.unknown.example"))
# Mail exchanger, answer of the web server, the exchanger's certificate (None: no STARTTLS),
# fate, word for the connection, what the log says of the policy.
CASES = {
    "good": (MX, GOOD, "mx", "sent", "Verified", "mode=enforce"),
    "wild": (WILD, plain(policy("enforce", "x.example", "*.wild.example")), "mx", "sent", "Verified",
             "mode=enforce"),
    "unlisted": (MX, BAD, "mx", "deferred", None, "mode=enforce"),
    "elsewhere": (OTHER, GOOD, "mx", "deferred", None, "mode=enforce"),
    "name": (MX, GOOD, "else", "deferred", "Untrusted", "mode=enforce"),
    "self": (MX, GOOD, "self", "deferred", "Untrusted", "mode=enforce"),
    "stripped": (MX, GOOD, None, "deferred", None, "mode=enforce"),
    "broken": (MX, GOOD, "broken", "deferred", None, "mode=enforce"),
    "testgood": (MX, plain(policy("testing", MX)), "mx", "sent", "Trusted", "mode=testing"),
    "testunlisted": (MX, plain(policy("testing", OTHER)), "mx", "sent", "Trusted",
                     "(testing) is broken by MX: it is not in the policy"),
    "testname": (MX, plain(policy("testing", MX)), "else", "sent", "Trusted",
                 "(testing) is broken by MX: its certificate is for another name"),
    "testself": (MX, plain(policy("testing", MX)), "self", "sent", "Untrusted",
                 "(testing) is broken by MX: its certificate is not trusted"),
    "testclear": (MX, plain(policy("testing", MX)), None, "sent", None,
                  "(testing) is broken by MX: it has no TLS"),
    "none": (MX, plain(policy("none")), "self", "sent", "Untrusted", "mode=none"),
    # No policies.
    "norecord": (MX, BAD, "self", "sent", "Untrusted", None),
    "tworecords": (MX, BAD, "self", "sent", "Untrusted", None),
    "noid": (MX, BAD, "self", "sent", "Untrusted", None),
    "absent": (MX, (404, {"Content-Type": "text/plain"}, policy("enforce", OTHER)), "self", "sent",
               "Untrusted", "cannot be fetched: the answer is HTTP status 404"),
    "moved": (MX, (302, {"Location": "https://mta-sts.good.example/.well-known/mta-sts.txt"}, ""),
              "self", "sent", "Untrusted", "cannot be fetched: the answer is HTTP status 302"),
    "html": (MX, (200, {"Content-Type": "text/html"}, policy("enforce", OTHER)), "self", "sent",
             "Untrusted", "cannot be fetched: the answer is not text/plain"),
    "long": (MX, plain(policy("enforce", OTHER) + "x: y\n" * 20000), "self", "sent", "Untrusted",
             "cannot be fetched: the answer is too long"),
    "nonsense": (MX, plain("mode: enforce\nmx: x\nmax_age: 1\n"), "self", "sent", "Untrusted",
                 "cannot be fetched: the policy is not of version STSv1"),
    "untrusted": (MX, BAD, "self", "sent", "Untrusted", "cannot be fetched: SSL certificate problem"),
    "misnamed": (MX, BAD, "self", "sent", "Untrusted", "cannot be fetched: SSL: no alternative"),
    "noaddress": (MX, BAD, "self", "sent", "Untrusted",
                  "cannot be fetched: mta-sts.noaddress.example has no address"),
    # The administrator's word.
    "listed": (MX, BAD, "self", "sent", "Untrusted", None),
}


class PolicyServer:
    """Answers by Host; hosts in `certificates` have one of their own."""

    def __init__(self, host, answers, context, certificates):
        self.answers, self.asked = answers, []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.headers["Host"]
                server.asked.append(name)
                status, fields, body = server.answers[name]
                self.send_response(status)
                for field in fields.items():
                    self.send_header(*field)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        def choose(connection, name, _):
            connection.context = certificates.get(name, context)

        context.sni_callback = choose
        self.http = Server((host, 443), Handler)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True,
                                               do_handshake_on_connect=False)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


def free_address():
    """A loopback address whose port 443 is nobody's."""
    for number in range(1, 255):
        host = f"127.78.{os.getpid() % 250 + 1}.{number}"
        try:
            with socket.socket() as s:
                s.bind((host, 443))
                return host
        except OSError:
            continue
    return None


def web(name):
    return f"mta-sts.{name}.example"


def make_certificates(folder):
    c = Certificates(folder)
    c.make("mx", f"DNS:{MX},DNS:{WILD},DNS:{OTHER}")
    c.make("else", "DNS:else.example")
    c.make("self", f"DNS:{MX}", signed=False)
    c.make("web", ",".join(f"DNS:{web(n)}" for n in list(CASES) + ["old"] if n != "misnamed"))
    c.make("webself", f"DNS:{web('untrusted')}", signed=False)
    return c


def make_zone(address):
    zone = {(host, "A"): ["127.0.0.1"] for host in (MX, WILD, OTHER)}
    for name, row in CASES.items():
        zone[f"{name}.example", "MX"] = [(10, row[0])]
        zone[f"_mta-sts.{name}.example", "TXT"] = ["other", "v=STSv1; id=1;"]
        zone[web(name), "A"] = [address]
    del zone["_mta-sts.norecord.example", "TXT"]
    zone["_mta-sts.tworecords.example", "TXT"] = ["v=STSv1; id=1;", "v=STSv1; id=2;"]
    zone["_mta-sts.noid.example", "TXT"] = ["v=STSv1;"]
    del zone[web("noaddress"), "A"]
    zone[web("old"), "A"] = [address]
    return zone


class Site:
    """Everything that the mail system meets."""

    def __init__(self, folder):
        self.c = make_certificates(folder)
        self.address = free_address()
        self.sinks = {name: Sink(tls=row[2] if row[2] in (None, "broken") else
                                 self.c.context(row[2])) for name, row in CASES.items()}
        self.dns = DnsServer(make_zone(self.address))
        answers = {web(name): row[1] for name, row in CASES.items()}
        self.web = PolicyServer(self.address, {**answers, web("old"): GOOD}, self.c.context("web"),
                                {web("untrusted"): self.c.context("webself")})

    def settings(self):
        at = {name: f"{name}.example:{sink.port}" for name, sink in self.sinks.items()}
        return {"mydestination": "", "inet_protocols": "ipv4", "smtp_tls_loglevel": "1",
                "smtp_tls_security_level": "may", "smtp_tls_mta_sts": "yes",
                "smtp_tls_CAfile": self.c.ca, "smtp_connection_cache_on_demand": "no",
                "dns_servers": f"127.0.0.1:{self.dns.port}", "minimal_backoff_time": "1h",
                "maximal_backoff_time": "1h",
                "smtp_tls_policy_maps": f"inline:{{ {at['listed']}=may }}",
                "transport_maps": "inline:{" + ", ".join(
                    f"{name}.example=smtp:{nexthop}" for name, nexthop in at.items()) + "}"}


def send(mta, name):
    """Fate and text of a message."""
    since = mta.log_position()
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    smtp.message("a@client.example", f"b@{name}.example", "Subject: x\n\nbody\n")
    smtp.close()
    found = mta.wait_for_log(rf"to=<b@{name}\.example>, .*status=(\w+) \((.*)\)", since=since)
    return found[1], found[2]


def check_case(mta, site, name):
    mx, _, _, fate, word, says = CASES[name]
    sink = site.sinks[name]
    got = send(mta, name)
    text = mta.log_text()
    found = re.search(rf"(\w+) TLS connection established to \S+\]:{sink.port}:", text)
    check_equal((got[0], found and found[1]), (fate, word), f"{name}: {got}")
    check_equal(len(sink.messages), int(fate == "sent"), f"{name}: messages at the server")
    if says:
        says = re.escape(says.replace("MX", f"{mx}[127.0.0.1]:{sink.port}"))
        check_match(rf"MTA-STS policy of {name}\.example.*{says}", text, f"{name}: the log")
    else:
        check(f"MTA-STS policy of {name}.example" not in text, f"{name}: nothing in the log")
    if says is None or "no address" in says:
        check(web(name) not in site.web.asked, f"{name}: the web server is not asked")
    if word == "Verified":
        check_equal(sink.server_names, [mx], f"{name}: SNI")
    if name in ("unlisted", "elsewhere"):
        check_equal(got[1], f"Host {mx} is not in the MTA-STS policy of {name}.example", name)
        check_equal(sink.connections, 0, f"{name}: nobody is asked")
    if name == "stripped":
        check_match("TLS is required, but was not offered", got[1], name)


def check_explained(mta, site):
    for name, says in (("good", f"TLS {MX}: must have a certificate by the MTA-STS policy of: "
                                "good.example"),
                       ("unlisted", f"TLS {MX}: fails for now: Host {MX} is not in the MTA-STS")):
        done = mta.postern("explain", "a@client.example", f"b@{name}.example", status=None)
        check_match(says, done.stdout, f"postern explain: {name}")


def check_kept(mta, site):
    """What is known counts, whatever happens to web server, records and processes."""
    asked = len(site.web.asked)
    send(mta, "good")
    check_equal(len(site.web.asked), asked, "a policy is fetched once")
    site.dns.zone[web("unlisted"), "A"] = [free_address()]
    mta.stop()
    mta.start()
    check_equal(send(mta, "unlisted")[0], "deferred", "the web server is dead")
    site.dns.zone["_mta-sts.unlisted.example", "TXT"] = ["v=STSv1; id=2;"]
    mta.stop()
    mta.start()
    check_equal(send(mta, "unlisted")[0], "deferred", "and there seems to be a newer policy")
    check(mta.logged(r"MTA-STS policy of unlisted\.example cannot be fetched: .*; the one of before "
                     "stays"), "the log says so")
    del site.dns.zone["_mta-sts.unlisted.example", "TXT"]
    mta.stop()
    mta.start()
    check_equal(send(mta, "unlisted")[0], "deferred", "and the record is suppressed")
    site.dns.zone[web("unlisted"), "A"] = [site.address]
    site.web.answers[web("unlisted")] = plain(policy("none"))
    site.dns.zone["_mta-sts.unlisted.example", "TXT"] = ["v=STSv1; id=3;"]
    mta.stop()
    mta.start()
    check_equal(send(mta, "unlisted")[0], "sent", "a newer policy takes its place")


def check_refreshed(mta, site, path):
    """Policies that are used are fetched again before they end, and what has ended is nothing."""
    mta.stop()
    now = int(time.time())
    with open(path, "a") as file:
        file.write(f"old.example 1 {now - 2 * DAY} {now - 3 * DAY} enforce 604800 {OTHER}\n")
        file.write(f"norecord.example 1 {now - 8 * DAY} {now - 8 * DAY} enforce 604800 {OTHER}\n")
        file.write("unlisted.example 1 17")  # a power cut
    mta.start()
    check_equal(send(mta, "norecord")[0], "sent", "a policy that has ended")
    mta.wait_for_log(r"MTA-STS policy of old\.example: mode=enforce")
    check(web("old") in site.web.asked, "fetched again by itself")

    def lines():
        with open(path) as file:
            return [line for line in file if line.startswith("old.example ")]
    wait_until(lambda: lines()[-1].endswith(f" {MX}\n"), "the new policy in the file")


def check_directory(mta, site, folder):
    """Authorities in a directory of links to elsewhere, as Debian's /etc/ssl/certs."""
    directory = os.path.join(folder, "authorities")
    os.mkdir(directory)
    os.symlink(site.c.ca, os.path.join(directory, "ca.pem"))
    site.c.openssl("rehash", directory)
    mta.write_configuration(smtp_tls_CAfile="", smtp_tls_CApath=directory)
    site.dns.zone["_mta-sts.good.example", "TXT"] = ["v=STSv1; id=2;"]
    mta.stop()
    mta.start()
    since = mta.log_position()
    check_equal(send(mta, "good")[0], "sent", "a directory of authorities")
    check(mta.logged(r"MTA-STS policy of good\.example: .* id=2", since=since), "for HTTPS as well")


def main():
    if not is_root():
        skip("needs root: policies are at port 443")
    with tempfile.TemporaryDirectory(prefix="mta-sts-") as folder:
        site = Site(folder)
        with Instance(site.settings()) as mta:
            if not os.path.exists(os.path.join(mta.sbin, "stsd")):
                skip("built without libcurl")
            mta.start()
            path = os.path.join(mta.run("postconf", "-h", "data_directory").stdout.strip(),
                                "mta_sts_policies")
            for name in CASES:
                check_case(mta, site, name)
            check_explained(mta, site)
            check_kept(mta, site)
            check_refreshed(mta, site, path)
            check_directory(mta, site, folder)


main()
finish()
