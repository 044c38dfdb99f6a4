#!/usr/bin/env python3
"""Whose delivery is next: a next hop that gets one delivery at a time has a mailing under way when
other mail comes. The messages in the order of their deliveries, as by Debian's Postfix; and a
mailing that is larger than the limits."""
import os
import re
import sys
import threading
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "smtp")]
import postfix37
from harness import Instance, check, check_equal, finish, is_root
from sink import Sink

JUDGE = [postfix37.Postfix37] if is_root() and postfix37.is_there() else []
READY = {"slow_delivery_slot_loan": "0", "slow_delivery_slot_discount": "0",
         "slow_minimum_delivery_slots": "1"}
# Settings, and messages with the number of deliveries that each takes.
CASES = [
    ("presets", {}, "big30 m4 s1 t1 u1"),
    ("too small", {}, "big14 s1"),
    ("just large enough", {}, "big15 s1"),
    ("first come, first served", {"default_delivery_slot_cost": "0"}, "big20 s1 t2"),
    ("cost 2", {**READY, "slow_delivery_slot_cost": "2"}, "big16 m2 n2 s1"),
    ("cost 3", {**READY, "slow_delivery_slot_cost": "3"}, "big20 m2 s1 t1"),
    ("half on credit", {**READY, "slow_delivery_slot_cost": "2",
                        "slow_delivery_slot_discount": "50"}, "big16 m4 n2"),
    ("all on credit", {**READY, "slow_delivery_slot_discount": "100"}, "big30 m3 s1"),
    ("a loan", {**READY, "slow_delivery_slot_loan": "2"}, "big30 m3 s1"),
    ("within another", {**READY, "slow_delivery_slot_cost": "2"}, "big50 m12 s1 t2"),
    ("not all is large enough", {"slow_minimum_delivery_slots": "8"}, "big50 s1 big39 t1"),
    ("too large to go before", {**READY}, "big20 m5 s1"),
    ("cost 1", {**READY, "slow_delivery_slot_cost": "1"}, "big10 s1 t1"),
]


class Gate(Sink):
    """Notes senders; the first message waits until it is let in."""

    def __init__(self):
        self.senders = []
        self.open, self.reached = threading.Event(), threading.Event()
        super().__init__()

    def _say(self, conn, verb, text):
        if verb == "MAIL":
            self.reached.set()
            self.open.wait()
            mail = [line for _, line in self.commands if line.startswith("MAIL")][-1]
            self.senders.append(mail.split("<")[1].split("@")[0])
        super()._say(conn, verb, text)


def names(text):
    """big30: name and number."""
    for item in text.split():
        name = item.rstrip("0123456789")
        yield item, int(item[len(name):])


def order(program, settings, messages, each=2):
    """Senders in the order of the deliveries, of up to each recipients."""
    with Gate() as sink, program(
            {"mydestination": "", "default_transport": "slow",
             "relayhost": f"[127.0.0.1]:{sink.port}", "slow_destination_concurrency_limit": "1",
             "slow_destination_recipient_limit": str(each), **settings},
            extra_services=["slow unix - - n - 1 smtp"]) as mta:
        mta.start()
        for place, (name, deliveries) in enumerate(names(messages)):
            mta.run("sendmail", "-f", f"{name}@x.example",
                    *[f"r{i}@d.example" for i in range(each * (deliveries - 1) + 1)],
                    input="Subject: x\n\nx\n")
            mta.wait_for_log(r"\(queue active\)", place + 1)
            check(sink.reached.wait(60), "the first is under way")
        sink.open.set()
        mta.wait_for_log(": removed", place + 1)
        return sink.senders


def beyond_the_limit(program):
    """A mailing to more recipients than the queue manager has room for: others have theirs."""
    with Gate() as sink, Sink() as other, program(
            {"mydestination": "", "default_transport": "slow",
             "relayhost": f"[127.0.0.1]:{sink.port}",
             "transport_maps": f"inline:{{{{other.example = smtp:[127.0.0.1]:{other.port}}}}}",
             "slow_destination_concurrency_limit": "1", "slow_destination_recipient_limit": "2",
             "slow_recipient_limit": "20", "slow_recipient_refill_limit": "5",
             "qmgr_message_recipient_limit": "20"},
            extra_services=["slow unix - - n - 1 smtp"]) as mta:
        mta.start()
        mta.run("sendmail", "-f", "list@x.example", *[f"r{i}@d.example" for i in range(100)],
                input="Subject: x\n\nx\n")
        check(sink.reached.wait(60), f"{program.__name__}: the mailing is under way")
        mta.run("sendmail", "-f", "letter@x.example", "r@other.example", input="Subject: x\n\nx\n")
        mta.wait_for_log("to=<r@other.example>.* status=sent")
        sink.open.set()
        mta.wait_for_log(": removed", 2)
        check_equal(len(sink.senders), 50, f"{program.__name__}: all of the mailing arrives")


def warnings(program, settings):
    """Of a next hop that fills the active queue, until six messages are there."""
    with Gate() as sink, program(
            {"mydestination": "", "default_transport": "slow",
             "relayhost": f"[127.0.0.1]:{sink.port}", "slow_initial_destination_concurrency": "3",
             "qmgr_message_active_limit": "10", **settings},
            extra_services=["slow unix - - n - 1 smtp"]) as mta:
        mta.start()
        for number in range(6):
            mta.run("sendmail", "-f", "a@x.example", "r@d.example", input="Subject: x\n\nx\n")
            mta.wait_for_log(r"\(queue active\)", number + 1)
            check(sink.reached.wait(60), "the first is under way")
        sink.open.set()
        mta.wait_for_log(": removed", 6)
        mta.expect_trouble("using up .* of ", "you may need", "this may slow", "please avoid",
                           "lots of deferred", "to turn off", "so that Postfix")
        return re.findall(r"qmgr\[\d+\]: warning: (.*)",
                          mta.log_text().replace(f"]:{sink.port}", "]:PORT"))


def clogged():
    for settings in ({}, {"slow_destination_concurrency_limit": "1"},
                     {"qmgr_clog_warn_time": "0"}, {"helpful_warnings": "no"}):
        ours = warnings(Instance, settings)
        for program in JUDGE:
            check_equal(ours, warnings(program, settings), f"warnings as by Postfix: {settings}")


def mailing_of_ten_thousand():
    """A letter does not wait for it."""
    ours = order(Instance, {}, "mailing200 letter1 two2", each=50)
    check_equal(ours[:2], ["mailing200", "letter1"], "a letter goes after the first delivery")
    for program in JUDGE:
        check_equal(" ".join(ours), " ".join(order(program, {}, "mailing200 letter1 two2", 50)),
                    "a mailing of 10,000 as by Postfix")


for what, settings, messages in CASES:
    ours = order(Instance, settings, messages)
    check_equal(sorted(ours), sorted(n for n, times in names(messages) for _ in range(times)),
                f"{what}: all are delivered")
    for program in JUDGE:
        check_equal(" ".join(ours), " ".join(order(program, settings, messages)),
                    f"{what} as by Postfix")
for program in (Instance, *JUDGE):
    beyond_the_limit(program)
mailing_of_ten_thousand()
clogged()
finish()
