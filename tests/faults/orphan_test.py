#!/usr/bin/env python3
"""What a process asked for that died before it was heard: its successor asks again, so it must
not be done twice. The one that is asked is stopped (SIGSTOP) until its request lies there
unread and the one that asked is dead (SIGKILL)."""
import collections
import os
import re
import signal
import subprocess
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check_equal, finish, is_root, kill, process_state, skip, wait_until
from load import BOX, NOTICE, RELAYED, UNKNOWN, Sink, copies_of, instance, queue_ends

SENDER = "sender@box.test"
# (who is asked, who asks and dies, a message for whom)
CASES = [("bounce", "qmgr", UNKNOWN), ("cleanup", "bounce", UNKNOWN),
         ("virtual", "qmgr", BOX), ("smtp", "qmgr", RELAYED), ("spool", "cleanup", BOX)]


def unread(pids):
    """How many bytes lie unread in the Unix sockets of these processes."""
    inodes = set()
    for pid in pids:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            inodes |= set(re.findall(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}")))
    lines = subprocess.run(["ss", "-xnaH"], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.splitlines()
    return sum(int(line.split()[2]) for line in lines if line.split()[5] in inodes)


def send(mta, name, rcpt):
    smtp = mta.smtp()
    smtp.say("EHLO client.test", "250")
    smtp.message(SENDER, rcpt, f"Subject: {name}\n\ntext")
    smtp.close()


def stop(pids):
    for pid in pids:
        kill(pid, signal.SIGSTOP)
        wait_until(lambda: process_state(pid) == "T", f"process {pid} stopped")


def go_on(pids):
    for pid in pids:
        kill(pid, signal.SIGCONT)


def orphan(mta, asked, asks, rcpt, number):
    what = f"{asks} dies while {asked} has not heard it"
    send(mta, f"id-0-{number}", rcpt)  # all run, and know each other, after this one
    queue_ends(mta)
    qmgr, deaf, dies = mta.processes("qmgr"), mta.processes(asked), mta.processes(asks)
    client = threading.Thread(target=send, args=(mta, f"id-1-{number}", rcpt))
    if asked == "spool":
        stop(deaf)
        client.start()
    else:
        stop(qmgr)
        client.start()
        client.join()
        stop(deaf)
        go_on(qmgr)
    wait_until(lambda: unread(deaf) > 0, f"a request: {what}")
    for pid in dies:
        kill(pid)
    wait_until(lambda: set(mta.processes(asks)) - set(dies), f"a new {asks}")
    go_on(deaf)
    client.join()
    queue_ends(mta)


def stored_unheard(mta, rcpt, number):
    """cleanup dies when its message is stored, before it heard so: smtpd hands the message to
    another cleanup."""
    client = threading.Thread(target=send, args=(mta, f"id-1-{number}", rcpt))
    since, spool = mta.log_position(), mta.processes("spool")
    stop(spool)
    client.start()
    wait_until(lambda: unread(spool) > 0, "a message for spool")
    cleanup = mta.processes("cleanup")
    stop(cleanup)
    go_on(spool)
    mta.wait_for_log(r"qmgr\[\d+\]: \w+: from=<.*\(queue active\)", since=since)
    for pid in cleanup:
        kill(pid)
    client.join()
    queue_ends(mta)


if not is_root():
    skip("needs root, to see what lies unread in the sockets of the jailed")
sink = Sink()
with instance(sink) as mta:
    mta.start()
    for number, (asked, asks, rcpt) in enumerate(CASES):
        orphan(mta, asked, asks, rcpt, number)
    stored_unheard(mta, BOX, len(CASES))
    copies = collections.Counter(copies_of(mta, sink))
    for number, (asked, asks, rcpt) in enumerate(CASES):
        what = {BOX: BOX, RELAYED: RELAYED, UNKNOWN: NOTICE}[rcpt]
        check_equal(copies[(f"id-1-{number}", what)], 1,
                    f"copies of what {asks} asked {asked} for")
    check_equal(copies[(f"id-1-{len(CASES)}", BOX)], 1, "copies of what was stored, but not heard")
finish()
