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
SLOTS = 200  # what a process of smtp takes, whatever its share of maxproc is (smtp/main.c)


class Slow(Sink):
    """Holds each message until `wanted` are there at the same time, or the last ones are."""

    def __init__(self, wanted, messages):
        self.messages_due = messages
        self.wanted, self.inside, self.most, self.done = wanted, 0, 0, 0
        self.changed = threading.Condition()
        super().__init__()

    def _say(self, conn, verb, text):
        if verb == "DATA":
            with self.changed:
                self.inside += 1
                self.most = max(self.most, self.inside)
                self.changed.notify_all()
                self.changed.wait_for(
                    lambda: self.most >= min(self.wanted, self.messages_due - self.done), PATIENCE)
        if verb == ".":
            with self.changed:
                self.inside -= 1
                self.done += 1
                self.changed.notify_all()
        super()._say(conn, verb, text)


def most_at_once(maxproc, wanted, messages=MESSAGES, **settings):
    with Slow(wanted, messages) as sink, Instance(
            {"mydestination": "", "default_transport": f"slow:[127.0.0.1]:{sink.port}",
             "smtp_connection_cache_on_demand": "no", "slow_destination_concurrency_limit": "1000",
             "slow_initial_destination_concurrency": "1000", **settings},
            extra_services=[f"slow unix - - n - {maxproc} smtp"]) as mta:
        mta.expect_trouble(r"service \"slow\".* has reached its process limit", r"more sessions at a time",
                           r"shorter sessions")
        mta.start()
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250")
        for n in range(messages):
            smtp.message("a@client.example", f"b{n}@x{n}.example", f"Subject: {n}\n\nbody\n")
            # One after the other, so that no process is too busy and asks for help.
            if not wait_until(lambda: sink.inside > n or sink.most >= wanted,
                              f"message {n} at the sink"):
                break
        smtp.close()
        mta.wait_for_log(r"slow/smtp\[\d+\]: \w+: to=<.*status=sent|smtp\[\d+\]: \w+: to=<.*status=sent",
                         count=messages)
        wait_until(lambda: mta.run("postqueue", "-j").stdout == "", "an empty queue")
        check_equal(len(sink.messages), messages, "messages")
        return sink.most


for maxproc in (1, 2, 3, 7):
    check_equal(most_at_once(maxproc, maxproc), maxproc, f"deliveries at a time, maxproc {maxproc}")
check_equal(most_at_once("-", 12, default_process_limit="12"), 12, "default_process_limit")
check(most_at_once("0", MESSAGES) == MESSAGES, "no limit")
check(most_at_once("-", MESSAGES) == MESSAGES, "the default is more")
if os.cpu_count() > 1:  # a line has no more workers than there are cores
    # So many that the first process is not even at half of its share when it can take no more.
    check(most_at_once(2 * SLOTS + 50, SLOTS + 50, SLOTS + 60) >= SLOTS + 50,
          "more deliveries at a time than one process takes")
finish()
