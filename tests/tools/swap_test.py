#!/usr/bin/env python3
"""Under load Debian's Postfix is stopped, Postern takes configuration and queue over and goes
on at the same port; later back. No message that was answered with 250 is lost, none comes twice
but those under way at the two stops, and nobody waits 30 seconds for a listener."""
import os
import sys
import threading
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, Smtp, check, check_equal, finish, is_root, skip, wait_until
from postfix37 import Postfix37, is_there
from counting_sink import Sink

PHASE = {"quick": 60, "default": 300, "long": 2000}[os.environ.get("TEST_MODE", "default")]
PATIENCE = 60 + PHASE / 5
CONCURRENCY = 20  # default_destination_concurrency_limit of both systems


class Client(threading.Thread):
    """Sends message after message; what was not answered with 250 is sent again."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.port, self.name_, self.ending = port, name, False
        self.sent, self.longest, self.last = [], 0, time.monotonic()

    def one(self, number):
        smtp = Smtp(self.port, greeting=None)
        try:
            if not smtp.reply().startswith("220 "):
                return False
            now = time.monotonic()
            self.longest = max(self.longest, now - self.last)
            self.last = now
            for line, begin in (("EHLO c", "250"), ("MAIL FROM:<s@x.example>", "250"),
                                (f"RCPT TO:<{self.name_}-{number}@bad.example>", "250"),
                                ("DATA", "354"),
                                (f"X-Number: {self.name_}-{number}\r\n\r\nbody\r\n.", "250")):
                smtp.send(line + "\r\n")
                if not smtp.reply().startswith(begin):
                    return False
            return True
        finally:
            smtp.close()

    def run(self):
        number = 0
        while not self.ending:
            number += 1
            try:
                if self.one(number):
                    self.sent.append(f"{self.name_}-{number}")
            except OSError:
                time.sleep(0.01)  # nobody listens: do not take the processor from those who will


def more_sent(clients, count):
    before = sum(len(client.sent) for client in clients)
    wait_until(lambda: sum(len(client.sent) for client in clients) >= before + count,
               f"{count} more messages", PATIENCE)


def settings(sink):
    """Half of the mail is deferred, in both systems; the other half is delivered."""
    return {"mydestination": "", "smtpd_relay_restrictions": "permit_mynetworks, reject",
            "smtpd_client_connection_count_limit": "0",
            "transport_maps": "regexp:{{/^a-.*[13579]@bad.example/ smtp:[127.0.0.1]:1} "
                              f"{{/@bad.example/ smtp:[127.0.0.1]:{sink.port}}}}}"}


def swap():
    sink = Sink()
    with Postfix37(settings(sink)) as peer, Instance() as mta:
        mta.ports[0] = peer.port(0)
        peer.start()
        clients = [Client(peer.port(0), name) for name in "ab"]
        for client in clients:
            client.start()
        more_sent(clients, PHASE)

        # Over to us. The configuration comes along, so we listen where Postfix did.
        check("configuration" not in mta.postern("import", peer.etc).stdout, "not imported")
        peer.stop()
        # What Postfix was receiving: nobody was told that it is accepted.
        with open(os.path.join(peer.queue, "incoming", "123456.789"), "wb"):
            os.chmod(os.path.join(peer.queue, "incoming", "123456.789"), 0o600)
        mta.postern("import", "--queue-only", peer.etc)
        mta.start()
        more_sent(clients, PHASE)

        # And back.
        mta.stop()
        mta.postern("export", "--queue-only", "--postfix", peer.etc)
        peer.start()
        more_sent(clients, PHASE)
        for client in clients:
            client.ending = True
            client.join()

        to = f"smtp:[127.0.0.1]:{sink.port}"
        peer.write_configuration(transport_maps=f"inline:{{bad.example={to}}}")
        peer.run("postfix", "-c", peer.etc, "reload")
        peer.run("postqueue", "-c", peer.etc, "-f")
        want = {(name, f"{name}@bad.example") for client in clients for name in client.sent}
        wait_until(lambda: want <= set(sink.got), "all deliveries", PATIENCE)
        with sink.lock:
            check_equal(sorted(want - set(sink.got))[:5], [], "lost")
            # A delivery cut off by one of the two stops is made again.
            twice = [key for key, n in sink.got.items() if n != 1]
            check(len(twice) <= 2 * CONCURRENCY, f"twice: {twice}")
        longest = max(client.longest for client in clients)
        check(longest < 30, f"{longest:.1f} s without a listener")
        print(f"{len(want)} messages, at most {longest:.1f} s without a listener")
    sink.shutdown()


if not is_root():
    skip("needs root")
if not is_there():
    check(False, "Debian's Postfix is not unpacked: ./dev does it")
    finish()
swap()
finish()
