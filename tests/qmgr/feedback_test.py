#!/usr/bin/env python3
"""How many deliveries a destination gets: each step as Debian's Postfix logs it under
destination_concurrency_feedback_debug, for a server that takes mail and for one that is away; and
the pause of a rate delay."""
import concurrent.futures
import os
import re
import sys
import time
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "smtp")]
import postfix37
from harness import Instance, check, check_equal, finish, free_port, is_root, wait_until
from sink import Sink

RECIPIENTS = 40
JUDGE = [postfix37.Postfix37] if is_root() and postfix37.is_there() else []
# Positive and negative feedback, failed cohorts.
CASES = [("1", "1", "3"), ("1/concurrency", "1/concurrency", "3"), ("0.3", "0.3", "2"),
         ("0.5 / 2", "0.5/concurrency", "4"), ("0", "0", "2"), ("0.7/concurrency", "0.9", "5")]


def instance(program, port, case):
    positive, negative, cohorts = case
    return program({"relayhost": f"[127.0.0.1]:{port}", "mydestination": "",
                    "destination_concurrency_feedback_debug": "yes",
                    "smtp_initial_destination_concurrency": "3",
                    "smtp_destination_concurrency_limit": "6",
                    "smtp_destination_recipient_limit": "2",
                    "smtp_destination_concurrency_failed_cohort_limit": cohorts,
                    "smtp_destination_concurrency_positive_feedback": positive,
                    "smtp_destination_concurrency_negative_feedback": negative})


def steps(system):
    """One message to many, two a delivery: what the queue manager says until it is decided."""
    with system as mta:
        mta.start()
        mta.run("sendmail", "-f", "a@x.example", *[f"r{i}@d.example" for i in range(RECIPIENTS)],
                input="Subject: x\n\nx\n")
        mta.wait_for_log(r"status=(sent|deferred)", RECIPIENTS)
        mta.wait_for_log(r"qmgr_queue_unthrottle: queue", RECIPIENTS // 2) \
            if mta.logged("status=sent") else mta.wait_for_log("qmgr_queue_throttle: .* window 0 ")
        text = "\n".join(re.findall(r"qmgr\[\d+\]: (qmgr_queue_.*)", mta.log_text())) + "\n"
    dead = re.search(r"window 0 .*\n", text)  # what is under way then may end or not
    # Whether success is of use depends on how many deliveries end at the same time.
    return re.findall(r"throttle: feedback .*\n.*\n|.* window 0 .*\n",
                      text[:dead.end()] if dead else text)


def compared(row):
    what, ours, judges = row
    ours = steps(ours)
    check(len(ours) > 2, f"{what}: steps are logged: {ours}")
    for judge in judges:
        theirs = steps(judge)
        if "success" in what:
            least = min(len(ours), len(theirs))
            check(least > 2, f"{what}: steps of both: {ours} {theirs}")
            del ours[least:], theirs[least:]
        check_equal(ours, theirs, f"{what} as by Postfix")


class Clocked(Sink):
    """Notes when a delivery begins and when it is over."""

    def __init__(self):
        self.begins, self.ends = [], []
        super().__init__(host="0.0.0.0")

    def _say(self, conn, verb, text):
        if verb == "MAIL":
            self.begins.append(time.monotonic())
        super()._say(conn, verb, text)
        if verb == ".":
            self.ends.append(time.monotonic())


def transport_delay():
    """Next hops do not matter: nothing begins within 0.5 s of the end of what was before."""
    with Clocked() as sink, Instance({"mydestination": "", "transport_maps": "inline:{"
                                      f"{{one.example = smtp:[127.0.0.1]:{sink.port}}} "
                                      f"{{two.example = smtp:[127.0.0.2]:{sink.port}}}}}",
                                      "smtp_transport_rate_delay": "0.5s"}) as mta:
        mta.start()
        for number in range(4):
            mta.run("sendmail", "-f", "a@x.example", f"r@{('one', 'two')[number % 2]}.example",
                    input="Subject: x\n\nx\n")
        mta.wait_for_log("status=sent", 4)
        wait_until(lambda: len(sink.ends) == 4, "their ends, noted behind the replies")
        gaps = [begin - end for begin, end in zip(sink.begins[1:], sink.ends)]
        check(min(gaps) > 0.49, f"deliveries are apart: {gaps}")


with Sink() as there, concurrent.futures.ThreadPoolExecutor(4) as pool:  # they mostly wait
    list(pool.map(compared, [
        (f"{what} {case}", instance(Instance, port, case), [instance(j, port, case) for j in JUDGE])
        for case in CASES for what, port in (("success", there.port), ("failure", free_port()))]))
transport_delay()
finish()
