#!/usr/bin/env python3
"""The maxproc column of a delivery agent: as many deliveries at a time, over all its processes."""
import os
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "smtp"))
from harness import PATIENCE, Instance, check, check_equal, finish, wait_until
from sink import Sink

MESSAGES = 24


class Slow(Sink):
    """Holds each message until `wanted` are there at the same time, or the last ones are."""

    def __init__(self, wanted):
        self.wanted, self.inside, self.most, self.done = wanted, 0, 0, 0
        self.changed = threading.Condition()
        super().__init__()

    def _say(self, conn, verb, text):
        if verb == "DATA":
            with self.changed:
                self.inside += 1
                self.most = max(self.most, self.inside)
                self.changed.notify_all()
                self.changed.wait_for(lambda: self.most >= min(self.wanted, MESSAGES - self.done), PATIENCE)
        if verb == ".":
            with self.changed:
                self.inside -= 1
                self.done += 1
                self.changed.notify_all()
        super()._say(conn, verb, text)


def most_at_once(maxproc, wanted, **settings):
    with Slow(wanted) as sink, Instance(
            {"mydestination": "", "default_transport": f"slow:[127.0.0.1]:{sink.port}",
             "smtp_connection_cache_on_demand": "no", "slow_destination_concurrency_limit": "100",
             "slow_initial_destination_concurrency": "100", **settings},
            extra_services=[f"slow unix - - n - {maxproc} smtp"]) as mta:
        mta.expect_trouble(r"service \"slow\".* has reached its process limit", r"more sessions at a time",
                           r"shorter sessions")
        mta.start()
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250")
        for n in range(MESSAGES):
            smtp.message("a@client.example", f"b{n}@x{n}.example", f"Subject: {n}\n\nbody\n")
        smtp.close()
        mta.wait_for_log(r"slow/smtp\[\d+\]: \w+: to=<.*status=sent|smtp\[\d+\]: \w+: to=<.*status=sent",
                         count=MESSAGES)
        wait_until(lambda: mta.run("postqueue", "-j").stdout == "", "an empty queue")
        check_equal(len(sink.messages), MESSAGES, "messages")
        return sink.most


for maxproc in (1, 2, 3, 7):
    check_equal(most_at_once(maxproc, maxproc), maxproc, f"deliveries at a time, maxproc {maxproc}")
check_equal(most_at_once("-", 12, default_process_limit="12"), 12, "default_process_limit")
check(most_at_once("0", MESSAGES) == MESSAGES, "no limit")
check(most_at_once("-", MESSAGES) == MESSAGES, "the default is more")
finish()
