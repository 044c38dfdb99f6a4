#!/usr/bin/env python3
"""smtp_bind_address_maps: which of our addresses servers see, by sender, next hop and class; each
address of a pool has its share, a message keeps its own at each attempt, and connections are
used again only by mail that leaves from the same one."""
import os
import re
import socket
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish
from lmtp_server import LmtpServer
from sink import Sink

MESSAGES = 30
POOL = ("127.0.0.11", "127.0.0.12")
# Sender, domain of the recipient, whom the server sees.
CASES = [
    ("ann@one.example", "far.example", "127.0.0.21"),
    ("ANN@one.example", "far.example", "127.0.0.21"),
    ("bob@one.example", "far.example", "127.0.0.22"),
    ("bob@two.example", "far.example", "127.0.0.23"),
    ("", "near.example", "127.0.0.24"),
    ("bob@two.example", "near.example", "127.0.0.25"),
    # A pool of the other family leaves it to smtp_bind_address.
    ("six@two.example", "near.example", "127.0.0.9"),
]
TABLE = ("{ann@one.example = 127.0.0.21}, {@one.example = 127.0.0.22}, {[127.0.0.2] = 127.0.0.99}, "
         "{127.0.0.2 = 127.0.0.23}, {class:bounce = 127.0.0.24}, {class:network = 127.0.0.25}, "
         "{six@two.example = ::1}, {@pool.example = " + ", ".join(POOL) + "}, "
         "{@absent.example = 192.0.2.77}, {@wrong.example = 127.0.0.21=many}")


class Server(Sink):
    """Notes from where each message came."""

    def __init__(self, **settings):
        self.clients = {}
        self.lock = threading.Lock()
        super().__init__(**settings)

    def _session(self, conn, number):
        with self.lock:
            self.clients[number] = conn.getpeername()[0]
        super()._session(conn, number)

    def asked(self, verb):
        """[(client, command)]"""
        return [(self.clients[number], command) for number, command in list(self.commands)
                if command.upper().startswith(verb)]


def send(mta, sender, recipient):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    queue_id = smtp.message(sender, recipient, "Subject: x\n\nbody\n")
    smtp.close()
    return queue_id


def fate(mta, sender, recipient):
    since = mta.log_position()
    send(mta, sender, recipient)
    found = mta.wait_for_log(rf"to=<{re.escape(recipient)}>, .*status=(\w+) \((.*)\)", since=since)
    return found[1], found[2]


def check_pools(mta, far, near):
    for sender, domain, want in CASES:
        server = far if domain == "far.example" else near
        before = len(server.asked("MAIL"))
        check_equal(fate(mta, sender, f"x@{domain}")[0], "sent", f"<{sender}> to {domain}")
        check_equal([client for client, _ in server.asked("MAIL")[before:]], [want],
                    f"<{sender}> to {domain}")


def check_shares(mta, near):
    """Each address has some, and no connection has mail of two."""
    before = len(near.asked("MAIL"))
    since = mta.log_position()
    for number in range(MESSAGES):
        send(mta, f"{number}@pool.example", "x@near.example")
    mta.wait_for_log(r"to=<x@near\.example>, .*status=sent", count=MESSAGES, since=since)
    seen = [client for client, _ in near.asked("MAIL")[before:]]
    check_equal((len(seen), set(seen)), (MESSAGES, set(POOL)), "addresses of the pool")


def check_kept(mta, busy):
    """A message that is tried again comes from where it came from before."""
    since = mta.log_position()
    senders = [f"{number}@pool.example" for number in range(6)]
    for sender in senders:
        send(mta, sender, "x@busy.example")
    mta.wait_for_log(r"to=<x@busy\.example>, .*status=deferred", count=6, since=since)
    mta.stop()
    mta.start()
    since = mta.log_position()
    mta.run("postqueue", "-f")
    mta.wait_for_log(r"to=<x@busy\.example>, .*status=deferred", count=6, since=since)
    for sender in senders:
        clients = [client for client, line in busy.asked("MAIL") if f"<{sender}>" in line]
        check_equal((len(clients) >= 2, len(set(clients))), (True, 1), f"{sender}: {clients}")
    mta.run("postsuper", "-d", "ALL", as_user=False)


def check_failures(mta, near):
    got = fate(mta, "a@wrong.example", "x@near.example")
    check_equal(got, ("deferred", "no source address for 127.0.0.3"), "a pool that is none")
    check(mta.logged(r'smtp_bind_address_maps: "127\.0\.0\.21=many": "127\.0\.0\.21=many" is no '
                     "address with a weight up to 1000"), "the log says why")
    check_equal(fate(mta, "a@absent.example", "x@near.example")[0], "sent", "an address we lack")
    check(mta.logged('smtp_bind_address_maps: cannot use "192.0.2.77": Cannot assign requested'),
          "and that")
    mta.write_configuration(smtp_bind_address_enforce="yes")
    mta.reload()
    check_match("Cannot assign requested", fate(mta, "a@absent.example", "x@near.example")[1],
                "smtp_bind_address_enforce")
    said = mta.postern("explain", "ann@one.example", "x@near.example", status=None).stdout
    check_match("smtp_bind_address_maps.*127.0.0.21", said, "postern explain")


def check_six(mta):
    with Server(host="::1") as six:
        mta.write_configuration(
            inet_protocols="all", smtp_bind_address="", smtp_bind_address_enforce="yes",
            smtp_bind_address_maps=
            "inline:{{@six.example = ::2, ::1=0}, {@nine.example = ::1}}",
            transport_maps=f"inline:{{six.example=smtp:[::1]:{six.port}}}")
        mta.stop()
        mta.start()
        check_equal(fate(mta, "a@nine.example", "x@six.example")[0], "sent", "IPv6")
        check_equal([client for client, _ in six.asked("MAIL")], ["::1"], "IPv6")
        check_match("Cannot assign requested", fate(mta, "a@six.example", "x@six.example")[1],
                    "the one with a weight")


def has_six():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
            return True
    except OSError:
        return False


def check_lmtp(mta, near):
    """lmtp has a parameter of its own."""
    seen = []

    class Noting(LmtpServer):
        def _session(self, conn):
            seen.append(conn.getpeername()[0])
            super()._session(conn)

    with Noting() as server:
        mta.write_configuration(
            lmtp_bind_address_maps="static:127.0.0.31", smtp_bind_address_enforce="no",
            transport_maps=f"inline:{{lmtp.example=lmtp:inet:127.0.0.1:{server.port}, "
                           f"near.example=smtp:[127.0.0.3]:{near.port}}}")
        mta.reload()
        check_equal(fate(mta, "ann@one.example", "x@lmtp.example")[0], "sent", "lmtp")
        check_equal(seen, ["127.0.0.31"], "lmtp")
        before = len(near.asked("MAIL"))
        fate(mta, "ann@one.example", "x@near.example")
        check_equal(near.asked("MAIL")[before][0], "127.0.0.21", "smtp")


with Server(host="127.0.0.2") as there, Server(host="127.0.0.3") as here, \
        Server(host="127.0.0.4", replies={"RCPT": "450 4.2.0 busy"}) as full, \
        Instance({"mydestination": "", "smtp_bind_address": "127.0.0.9",
                  "smtp_bind_address_maps": f"inline:{{{TABLE}}}",
                  "smtp_connection_cache_destinations": "near.example", "in_flow_delay": "0",
                  "minimal_backoff_time": "1h", "maximal_backoff_time": "1h"}) as daemons:
    daemons.write_configuration(transport_maps="inline:{" + ", ".join(
        f"{name}.example=smtp:[{host}]:{server.port}" for name, host, server in
        (("far", "127.0.0.2", there), ("near", "127.0.0.3", here),
         ("busy", "127.0.0.4", full))) + "}")
    daemons.start()
    check_pools(daemons, there, here)
    check_shares(daemons, here)
    check_kept(daemons, full)
    check_failures(daemons, here)
    check_lmtp(daemons, here)
    if has_six():
        check_six(daemons)
finish()
