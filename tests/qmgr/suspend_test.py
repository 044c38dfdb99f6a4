#!/usr/bin/env python3
"""postsuper --suspend and --resume: mail for a destination waits and says why, also over a reload,
a restart and a flush; others' goes on; it goes out when its destination is resumed, but for what is
still suspended; the same with the mail system down."""
import json
import os
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish, wait_until

SETTINGS = {"mydestination": "", "smtpd_reject_unlisted_recipient": "no",
            "minimal_backoff_time": "4000s", "maximal_backoff_time": "4000s",
            "transport_maps": "inline:{{one.example=discard:one.example}, "
                              "{two.example=discard:two.example}, {late.example=retry:4.2.2 later}, "
                              "{three.example=discard:[Three.example]:26}}"}


def send(mta, *recipients):
    smtp = mta.smtp()
    smtp.say("EHLO c.test", "250")
    queue_id = smtp.message("s@x.example", list(recipients), "Subject: x\n\nx\n")
    smtp.close()
    return queue_id


def postsuper(mta, *arguments, said=(), status=0):
    done = mta.run("postsuper", *arguments)
    check_equal((done.returncode, done.stderr.splitlines()),
                (status, [f"postsuper: {line}" for line in said]), " ".join(arguments))


def reasons(mta):
    """What mailq says of each recipient that waits."""
    lines = mta.run("postqueue", "-j").stdout.splitlines()
    return {rcpt["address"]: rcpt.get("delay_reason") for line in lines
            for rcpt in json.loads(line)["recipients"]}


def waits(mta, queue_id, rcpt, why):
    mta.wait_for_log(rf"{queue_id}: to=<{rcpt}>, relay=none, .*dsn=4.3.2, status=deferred "
                     rf"\({why}\)")


def sent(mta, queue_id, rcpt):
    mta.wait_for_log(rf"{queue_id}: to=<{rcpt}>.* status=sent")


def refusals(mta):
    for arguments, error in ((["--suspend", ""], "not a [transport:]nexthop"),
                             (["--suspend", "a b"], "not a [transport:]nexthop"),
                             (["--suspend", "a", "--reason", "x\ny"], "one line"),
                             (["--suspend", "a", "--reason", "x" * 201], "at most 200"),
                             (["--resume", "never.example"], ":never.example: is not suspended"),
                             (["--suspend", "a", "-d", "ALL"], "usage"),
                             (["--suspend", "a", "deferred"], "usage")):
        done = mta.run("postsuper", *arguments)
        check_equal(done.returncode, 1, " ".join(arguments))
        check(error in done.stderr, f"{arguments}: {done.stderr}")
    if os.geteuid() == 0:
        other = subprocess.run([f"{mta.bin}/postsuper", "--suspend", "a"], user="nobody",
                               env=mta._environment(), capture_output=True, text=True)
        check("reserved for the superuser" in other.stderr, other.stderr)
    check_equal(reasons(mta), {}, "nothing happened")


def run(mta):
    why = "destination is suspended: moving house"
    refusals(mta)
    postsuper(mta, "--suspend", "One.example", "--suspend", "discard:[three.example]:26",
              "--reason", "moving house", said=[":one.example: suspended: moving house",
                                                "discard:[three.example]:26: suspended: moving house"])
    queued = send(mta, "a@one.example", "b@two.example", "c@three.example", "d@late.example")
    sent(mta, queued, "b@two.example")
    waits(mta, queued, "a@one.example", why)
    waits(mta, queued, "c@three.example", why)
    wait_until(lambda: reasons(mta) == {"a@one.example": why, "c@three.example": why,
                                        "d@late.example": "later"}, "mailq says why")
    mta.reload()
    since = mta.log_position()
    mta.run("postqueue", "-f")
    mta.wait_for_log(rf"{queued}: to=<a@one.example>.*{why}", since=since)
    mta.stop()
    mta.start()
    other = send(mta, "e@one.example")
    waits(mta, other, "e@one.example", why)
    # The first has slept since before the restart.
    postsuper(mta, "--resume", "one.example", said=[":one.example: resumed"])
    sent(mta, other, "e@one.example")
    sent(mta, queued, "a@one.example")
    wait_until(lambda: reasons(mta) == {"c@three.example": why, "d@late.example": "later"}, "two wait")
    check(not mta.logged(r"to=<c@three.example>.*status=sent"), "three.example is still suspended")
    with_the_system_down(mta, queued)


def with_the_system_down(mta, queued):
    mta.stop()
    postsuper(mta, "--resume", "discard:[three.example]:26", "--suspend", "discard:",
              said=["discard:[three.example]:26: resumed", "discard:: suspended"])
    mta.start()
    since = mta.log_position()
    other = send(mta, "f@two.example")
    waits(mta, other, "f@two.example", "destination is suspended")
    step = mta.run("postern", "explain", "s@x.example", "g@two.example")
    check_match(r"destination is suspended", step.stdout + step.stderr, "postern explain")
    postsuper(mta, "--resume", "discard:", said=["discard:: resumed"])
    sent(mta, other, "f@two.example")
    sent(mta, queued, "c@three.example")
    wait_until(lambda: reasons(mta) == {"d@late.example": "later"}, "all but one gone")
    check_equal(open(f"{mta.queue}/log/suspended").read(), "", "nothing is suspended")
    check(not mta.logged("warning", since=since), "no warning")


for engine in ("log", "files"):
    with Instance(dict(SETTINGS, queue_engine=engine)) as mta:
        mta.start()
        run(mta)
finish()
