#!/usr/bin/env python3
"""postqueue --query and postsuper --query with both queue engines: what they find and count, and
what becomes of it: held, released, rerouted (also over a restart, and with the system down),
deleted."""
import json
import os
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish, wait_until

SETTINGS = {"mydestination": "", "minimal_backoff_time": "4000s",
            "smtpd_reject_unlisted_recipient": "no",
            "transport_maps": "inline:{{full.example=retry:4.2.2 mailbox full}, "
                              "{slow.example=retry:4.4.1 Connection timed out}, "
                              "{sub.slow.example=retry:4.4.1 Connection timed out}}"}
# Sender, recipients and body's size of each message.
MAIL = (("news@shop.example", ["a@full.example", "b@slow.example"], 100),
        ("news@shop.example", ["c@slow.example"], 20000),
        ("u@home.example", ["d@full.example"], 100),
        ("", ["e@sub.slow.example"], 100))
# Query, and which of these it means.
QUERIES = (("from=news@shop.example", {0, 1}), ("from=@SHOP.example", {0, 1}),
           ("from=<>", {3}), ("from!=@shop.example", {2, 3}), ("from~home", {2}),
           ("to=@slow.example", {0, 1}), ("to=d@full.example", {2}), ("to=*@*slow*", {0, 1, 3}),
           ("destination=slow.example", {0, 1}), ("destination=.slow.example", {3}),
           ('reason~"TIMED out"', {0, 1, 3}), ("reason!~timed", {2}),
           ("to=@full.example reason~timed", set()), ("to=@full.example reason~full", {0, 2}),
           ("size>10k", {1}), ("size<10k queue=deferred", {0, 2, 3}), ("queue=hold", set()),
           ("queue=hold,deferred age<1h", {0, 1, 2, 3}), ("age>1h", set()))


def send(mta):
    ids = []
    for sender, recipients, size in MAIL:
        smtp = mta.smtp()
        smtp.say("EHLO c.test", "250")
        ids.append(smtp.message(sender, recipients, "Subject: x\n\n" + "line\n" * (size // 5)))
        smtp.close()
    return ids


def deferred(mta, n):
    wait_until(lambda: count(mta, "queue=deferred") == n, f"{n} messages to be deferred")


def count(mta, query):
    done = mta.run("postqueue", "--count", "--query", query)
    check_equal((done.returncode, done.stderr), (0, ""), f"--count of {query}")
    return int(done.stdout)


def found(mta, query):
    done = mta.run("postqueue", "-j", "--query", query)
    check_equal((done.returncode, done.stderr), (0, ""), query)
    return {json.loads(line)["queue_id"] for line in done.stdout.splitlines()}


def change(mta, query, *options, said):
    """postsuper tells the query and the sum; no line for each message."""
    done = mta.run("postsuper", "--query", query, *options)
    check_equal((done.returncode, done.stderr.splitlines()),
                (0, [f"postsuper: messages that match: {query}"] +
                 [f"postsuper: {line}" for line in said]), f"postsuper {query} {options}")
    check_match(r"postsuper\[\d+\]: messages that match: ", mta.log_text(), "in the log")


def listings(mta, ids):
    for query, want in QUERIES:
        check_equal(found(mta, query), {ids[n] for n in want}, query)
        check_equal(count(mta, query), len(want), query)
    check_match(rf"^-Queue ID-.*\n{ids[2]} (.*\n)*\n-- \d+ Kbytes in 1 Request\.$",
                mta.run("postqueue", "-p", "--query", "from=u@home.example").stdout, "-p")
    check_equal(mta.run("postqueue", "--query", "queue=hold").stdout, "No message matches\n", "none")
    check_equal(mta.run("postqueue", "--count").stdout, "4\n", "--count alone")


def refusals(mta):
    for query, error in (("sender=x", "a query has words as from="), ("queue=x", "not among"),
                         ("age>x", "not a time"), ("", "an empty query")):
        done = mta.run("postqueue", "--query", query)
        check_equal(done.returncode, 69, f"postqueue {query}")
        check(error in done.stderr, f"{query}: {done.stderr}")
        done = mta.run("postsuper", "--query", query, "-d")
        check_equal(done.returncode, 1, f"postsuper {query}")
        check(error in done.stderr, f"{query}: {done.stderr}")
    for arguments in (["--query", "age>0"], ["--to-transport", "smtp", "-d", "ALL"],
                      ["--query", "age>0", "-d", "ALL"],
                      ["--query", "age>0", "--to-transport", "a b"]):
        check_equal(mta.run("postsuper", *arguments).returncode, 1, " ".join(arguments))
    for arguments in (["-f", "--query", "age>0"], ["-f", "--count"]):
        check_equal(mta.run("postqueue", *arguments).returncode, 69, " ".join(arguments))
    mta.write_configuration(authorized_mailq_users="!root, !static:all")
    done = mta.run("postqueue", "--count", "--query", "age>0")
    check("is not allowed to view the mail queue" in done.stderr, done.stderr)
    mta.write_configuration(authorized_mailq_users="static:anyone")
    if os.geteuid() == 0:
        other = subprocess.run([f"{mta.bin}/postsuper", "--query", "age>0", "-d"], user="nobody",
                               env=mta._environment(), capture_output=True, text=True)
        check("reserved for the superuser" in other.stderr, other.stderr)
    check_equal(count(mta, "size>0"), 4, "nothing was changed")


def changes(mta, ids):
    change(mta, "from=@shop.example", "-h", said=["Placed on hold: 2 messages"])
    check_equal(found(mta, "queue=hold"), set(ids[:2]), "on hold")
    change(mta, "size>10k", "-H", said=["Released from hold: 1 message"])
    change(mta, "age<1h", "-H", "hold", said=["Released from hold: 1 message"])
    mta.wait_for_log(rf"{ids[1]}: to=<c@slow.example>.*status=deferred", count=2)
    deferred(mta, 4)
    change(mta, "from=<>", "-e", said=["Force-expired: 1 message"])
    change(mta, "to=nobody", "-d", said=["Deleted: 0 messages"])


def rerouting(mta, ids):
    """Both recipients of the first go elsewhere; it does not leave its hold for that. The second
    one's route survives the mail system."""
    change(mta, "to=a@full.example", "-h", said=["Placed on hold: 1 message"])
    change(mta, "to=a@full.example", "--to-transport", "discard:gone", said=["Rerouted: 1 message"])
    check_equal(found(mta, "queue=hold"), {ids[0]}, "still on hold")
    mta.stop()
    change(mta, "size>10k", "--to-transport", "discard:down", said=["Rerouted: 1 message"])
    mta.start()
    mta.wait_for_log(rf"{ids[1]}: to=<c@slow.example>, relay=none,.* status=sent \(down\)")
    change(mta, "queue=hold", "-H", said=["Released from hold: 1 message"])
    for rcpt in ("a@full.example", "b@slow.example"):
        mta.wait_for_log(rf"{ids[0]}: to=<{rcpt}>, relay=none,.* status=sent \(gone\)")
    wait_until(lambda: count(mta, "size>0") == 2, "the end of two")
    change(mta, "to=d@full.example", "--to-transport", "discard", said=["Rerouted: 1 message"])
    mta.wait_for_log(rf"{ids[2]}: to=<d@full.example>,.* status=sent")


for engine in ("log", "files"):
    with Instance(dict(SETTINGS, queue_engine=engine)) as mta:
        mta.start()
        queued = send(mta)
        deferred(mta, 4)
        listings(mta, queued)
        refusals(mta)
        changes(mta, queued)
        rerouting(mta, queued)
        wait_until(lambda: count(mta, "size>0") == 1, "the end of three")
        change(mta, "from=<>", "-d", said=["Deleted: 1 message"])
        wait_until(lambda: mta.run("postqueue", "-p").stdout == "Mail queue is empty\n", "the end")
finish()
