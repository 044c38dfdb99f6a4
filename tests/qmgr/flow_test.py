#!/usr/bin/env python3
"""in_flow_delay: when more mail comes than the queue manager can take up, it comes slower."""
import os
import sys
import threading
import time
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "smtp")]
from harness import Instance, check, check_equal, finish
from sink import Sink

DELAY = 2


class Gate(Sink):
    """No message comes to its end before it is opened."""

    def __init__(self):
        self.open = threading.Event()
        super().__init__()

    def _say(self, conn, verb, text):
        if verb == ".":
            self.open.wait()
        super()._say(conn, verb, text)


def send(smtp):
    """How long the message took."""
    begin = time.monotonic()
    smtp.message("a@x.example", ["r@d.example"], "Subject: x\n\nx")
    return time.monotonic() - begin


with Gate() as sink, Instance({"relayhost": f"[127.0.0.1]:{sink.port}", "mydestination": "",
                               "smtpd_relay_restrictions": "permit_mynetworks, reject",
                               "mynetworks": "127.0.0.0/8", "qmgr_message_active_limit": "1",
                               "in_flow_delay": f"{DELAY}s"}) as mta:
    mta.start()
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250-")
    send(smtp)
    mta.wait_for_log(r"\(queue active\)")
    sent, slow = 1, False
    while not slow and sent < 10:  # the first of them is what the queue manager is behind with
        slow = send(smtp) >= DELAY
        sent += 1
    check(slow, "mail that comes while others wait is slower")
    sink.open.set()
    mta.wait_for_log(": removed", sent)
    check_equal(len(sink.messages), sent, "all is delivered")
    smtp.close()
finish()
