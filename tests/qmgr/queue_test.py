#!/usr/bin/env python3
"""A deferred queue as the administrator sees and changes it: mailq, postqueue, postsuper,
postcat, with the mail system up and down; retries, bounces, restarts, crashes."""
import json
import os
import re
import signal
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Instance, check, check_equal, check_match, finish, free_port, kill,
                     wait_until)

HEADER = "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------"
CONTENT = "From: s@x.example\nSubject: test\n\nbody"


def settings(**more):
    s = {"mydestination": "", "virtual_mailbox_domains": "box.example",
         "virtual_mailbox_maps": "inline:{u@box.example=u/}",
         "virtual_uid_maps": f"static:{os.getuid() or 1000}",
         "virtual_gid_maps": f"static:{os.getgid() or 1000}",
         "virtual_minimum_uid": "1",
         "relayhost": f"[127.0.0.1]:{free_port()}"}
    s.update(more)
    return s


def instance(**more):
    mta = Instance(settings(**more))
    mta.write_configuration(virtual_mailbox_base=mta.mail)
    os.chmod(mta.mail, 0o777)
    return mta


def send(mta, *recipients, sender="s@x.example"):
    """Queues a message; gives its id."""
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    reply = smtp.message(sender, list(recipients), CONTENT)
    smtp.close()
    return str(reply).split()[-1]


def deferred(mta, *recipients):
    """A message that was tried once and waits."""
    since = mta.log_position()
    qid = send(mta, *recipients)
    mta.wait_for_log(rf"{qid}: to=<{re.escape(recipients[-1])}>.*status=deferred", since=since)
    wait_until(lambda: listed(mta, qid)["queue_name"] == "deferred", f"{qid} deferred")
    return qid


def json_list(mta):
    done = mta.run("postqueue", "-j")
    check_equal(done.returncode, 0, "postqueue -j")
    return [json.loads(line) for line in done.stdout.splitlines()]


def listed(mta, qid):
    return next((m for m in json_list(mta) if m["queue_id"] == qid), None)


def listing(mta):
    qid = deferred(mta, "a@far.example", "b@far.example")
    text = mta.run("postqueue", "-p").stdout
    lines = text.split("\n")
    check_equal(lines[0], HEADER, "heading")
    check_match(rf"{qid}[ ] +\d+ \w\w\w \w\w\w [ \d]\d \d\d:\d\d:\d\d  s@x\.example$", lines[1],
                "message line")
    check_match(r" *\(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: Connection refused\)$",
                lines[2], "reason line")
    check_equal(lines[3:], [" " * 41 + "a@far.example", " " * 41 + "b@far.example", "",
                            "-- 0 Kbytes in 1 Request.", ""], "recipients and summary")
    got = listed(mta, qid)
    check_equal(list(got), ["queue_name", "queue_id", "arrival_time", "message_size",
                            "forced_expire", "sender", "recipients"], "order of JSON keys")
    check_equal([r["address"] for r in got["recipients"]], ["a@far.example", "b@far.example"],
                "recipients in JSON")
    check_equal(mta.run("mailq").stdout if os.path.exists(os.path.join(mta.bin, "mailq"))
                else text, text, "mailq")
    return qid


def contents(mta, qid):
    text = mta.run("postcat", "-q", qid).stdout
    for name in ("ENVELOPE RECORDS", "MESSAGE CONTENTS", "HEADER EXTRACTED",
                 "MESSAGE FILE END"):
        check(f"*** {name} deferred/{qid} ***\n" in text, f"postcat: {name}")
    for record in ("sender: s@x.example", "recipient: a@far.example", "Subject: test"):
        check(f"\n{record}\n" in text, f"postcat: {record}")
    check_equal(mta.run("postcat", "-qb", qid).stdout, "\nbody\n", "postcat -b")
    headers = mta.run("postcat", "-qh", qid).stdout
    check("Received: " in headers and "body" not in headers, "postcat -h")
    check("Subject: test" not in mta.run("postcat", "-qe", qid).stdout, "postcat -e")
    check_equal(mta.run("postcat", "-q", "NOSUCH1234").returncode, 1, "postcat of nothing")


def changes(mta, qid):
    for option, word, summary, queue in (
            ("-h", "placed on hold", "Placed on hold: 1 message", "hold"),
            ("-H", "released from hold", "Released from hold: 1 message", "deferred")):
        since = mta.log_position()
        done = mta.run("postsuper", option, qid)
        check_equal((done.returncode, done.stderr),
                    (0, f"postsuper: {qid}: {word}\npostsuper: {summary}\n"), option)
        wait_until(lambda: listed(mta, qid)["queue_name"] in (queue, "active"), queue)
        if option == "-h":
            check(f"{qid}!" in mta.run("postqueue", "-p").stdout, "the flag of hold")
    mta.wait_for_log(rf"{qid}: to=<a@far\.example>.*status=deferred", since=since)
    since = mta.log_position()
    check_equal(mta.run("postqueue", "-f").returncode, 0, "postqueue -f")
    mta.wait_for_log(rf"{qid}: to=<a@far\.example>.*status=deferred", since=since)
    since = mta.log_position()
    check_equal(mta.run("postqueue", "-i", qid).returncode, 0, "postqueue -i")
    mta.wait_for_log(rf"{qid}: to=<a@far\.example>.*status=deferred", since=since)
    check_equal(mta.run("postsuper", "-d", "NOSUCH").stderr,
                "postsuper: Deleted: 0 messages\n", "an unknown id")
    other = deferred(mta, "c@far.example")
    done = mta.run("postsuper", "-d", "-", input=f"{qid}\n{other}\n")
    check_equal(sorted(done.stderr.splitlines()),
                sorted([f"postsuper: {qid}: removed", f"postsuper: {other}: removed",
                        "postsuper: Deleted: 2 messages"]), "-d -")
    wait_until(lambda: mta.run("postqueue", "-p").stdout == "Mail queue is empty\n",
               "an empty queue")


def expiry(mta):
    qid = deferred(mta, "gone@far.example")
    since = mta.log_position()
    mta.run("postsuper", "-e", qid)
    check(f"{qid}#" in mta.run("postqueue", "-p").stdout, "the flag of forced expiry")
    mta.run("postqueue", "-f")
    mta.wait_for_log(rf"qmgr\[\d+\]: {qid}: from=<s@x\.example>, status=force-expired, "
                     "returned to sender", since=since)
    notice = mta.wait_for_log(rf"bounce\[\d+\]: {qid}: sender non-delivery notification: (\w+)",
                              since=since)[1]
    mta.wait_for_log(rf"qmgr\[\d+\]: {qid}: removed", since=since)
    mta.wait_for_log(rf"{notice}: to=<s@x\.example>.*status=deferred", since=since)
    mta.run("postsuper", "-d", "ALL")


def system_down(mta):
    first, second = deferred(mta, "a@far.example"), deferred(mta, "b@far.example")
    before = json_list(mta)
    mta.stop()
    done = mta.run("postqueue", "-j")
    check_match(r"postqueue: warning: Mail system is down -- accessing queue directly",
                done.stderr, "listing with the system down")
    check_equal([json.loads(line) for line in done.stdout.splitlines()], before,
                "the same listing")
    check("Subject: test" in mta.run("postcat", "-q", first).stdout, "postcat of the log")
    done = mta.run("postsuper", "-d", first)
    check_equal(done.stderr, f"postsuper: {first}: removed\npostsuper: Deleted: 1 message\n",
                "deleting from the log")
    mta.run("postsuper", "-h", second)
    mta.run("sendmail", "-i", "-f", "l@x.example", "d@far.example", input="Subject: d\n\n.\n")
    dropped = next((m for m in json_list(mta) if m["queue_name"] == "maildrop"), {})
    check_equal([dropped.get("sender"), [r["address"] for r in dropped.get("recipients", [])]],
                ["l@x.example", ["d@far.example"]], "local mail with the system down")
    check_equal(mta.run("postsuper", "-d", dropped.get("queue_id", "none")).stderr,
                f"postsuper: {dropped.get('queue_id')}: removed\n"
                "postsuper: Deleted: 1 message\n", "deleting from maildrop")
    flush = mta.run("postqueue", "-f")
    check_equal(flush.returncode, 69, "flush with the system down")
    check("postqueue: fatal: Cannot flush mail queue - mail system is down" in flush.stderr,
          "why not")
    since = mta.log_position()
    mta.start()
    check_equal([(m["queue_id"], m["queue_name"]) for m in
                 wait_until(lambda: json_list(mta), "the queue after a start")],
                [(second, "hold")], "what was done holds")
    check(not mta.logged(rf"{first}", since), "the deleted one is gone")
    mta.run("postsuper", "-d", "ALL")


def crashes(mta):
    """kill -9 of the queue manager between and during deliveries: nothing is lost."""
    qid = deferred(mta, "a@far.example")
    sent = [send(mta, "u@box.example") for _ in range(5)]
    kill(mta.process("qmgr"), signal.SIGKILL)
    sent += [send(mta, "u@box.example") for _ in range(5)]
    for one in sent:
        mta.wait_for_log(rf"{one}: to=<u@box\.example>.*status=sent")
    wait_until(lambda: [m["queue_id"] for m in json_list(mta)] == [qid], "only what waits")
    kill(mta.process("spool"), signal.SIGKILL)
    wait_until(lambda: mta.processes("spool"), "the next spool")
    late = send(mta, "u@box.example")
    mta.wait_for_log(rf"{late}: removed")
    wait_until(lambda: [m["queue_id"] for m in json_list(mta)] == [qid], "only what waits")
    mta.run("postsuper", "-d", "ALL")


def misuse(mta):
    for command in (["postqueue"], ["postqueue", "-x"], ["postqueue", "-p", "-f"]):
        done = mta.run(*command)
        check_equal(done.returncode, 69, " ".join(command))
        check("fatal: usage: postqueue -f" in done.stderr, " ".join(command))
    check("Cannot flush queue ID - invalid name" in mta.run("postqueue", "-i", "x/y").stderr,
          "bad id")
    check('Flush service is not configured for destination "a.example"' in
          mta.run("postqueue", "-s", "a.example").stderr, "-s")
    done = mta.run("postsuper", "-d", "ALL", "nosuch")
    check_equal((done.returncode, done.stderr),
                (1, "postsuper: fatal: invalid directory name: nosuch\n"), "bad queue name")


with instance() as main_instance:
    main_instance.start()
    misuse(main_instance)
    the_id = listing(main_instance)
    contents(main_instance, the_id)
    changes(main_instance, the_id)
    expiry(main_instance)
    system_down(main_instance)
    crashes(main_instance)
    main_instance.expect_trouble(r"killed by signal 9", r"spool", r"qmgr", r"lost")

finish()
