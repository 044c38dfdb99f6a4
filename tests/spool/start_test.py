#!/usr/bin/env python3
"""A start with a long queue: new mail is taken and delivered, mailq begins to list at once, and
qmgr needs no more than 300 bytes of memory for a sleeping message. 20,000 messages; a million
with --long."""
import os
import pwd
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, PATIENCE, TOP, check, check_equal, finish, own_memory

N = {"long": 1000000, "quick": 20000}.get(os.environ.get("TEST_MODE"), 20000)
LONG_PATIENCE = PATIENCE * 20


def fill(mta):
    log = os.path.join(mta.queue, "log")
    os.makedirs(log, mode=0o700)
    subprocess.run([f"{TOP}/tests/spool/many", log, "fill", str(N), "1000"], check=True)
    owner = pwd.getpwnam(mta.settings["mail_owner"])
    for folder, folders, files in os.walk(log):
        for path in [folder] + [os.path.join(folder, name) for name in files]:
            os.chown(path, owner.pw_uid, owner.pw_gid)


def send(mta):
    smtp = mta.smtp()
    smtp.say("EHLO c.test", "250")
    queue_id = smtp.message("a@c.test", "b@anywhere.test", "Subject: new\n\nnew\n")
    smtp.close()
    return queue_id


def settings():
    return {"relay_transport": "discard:", "default_transport": "discard:"}


def baseline():
    """What qmgr needs with an empty queue."""
    with Instance(settings()) as mta:
        mta.start()
        send(mta)
        return own_memory(mta.process("qmgr"))


def listing(mta):
    """mailq's output; its first message is there long before its last one is asked for."""
    with subprocess.Popen(mta._argv(["mailq"]), env=mta._environment(), stdout=subprocess.PIPE,
                          text=True) as mailq:
        head = mailq.stdout.readline(), mailq.stdout.readline()
        check(mailq.poll() is None, "mailq lists while it still reads")
        lines = sum(1 for _ in mailq.stdout)
    check(head[0].startswith("-Queue ID-"), f"mailq begins with {head[0]!r}")
    check("sender@here.example" in head[1], f"mailq's first message: {head[1]!r}")
    return lines


def main():
    least = baseline()
    with Instance(settings()) as mta:
        fill(mta)
        mta.start()
        queue_id = send(mta)
        mta.wait_for_log(rf"discard\[\d+\]: {queue_id}: to=<b@anywhere.test>.* status=sent")
        mta.wait_for_log(r"log opened: \d+ messages", patience=LONG_PATIENCE)
        ids = mta.run("postqueue", "-j", timeout=600).stdout.count('"queue_id": ')
        check_equal(ids, N, "messages in the listing")
        check_equal(listing(mta), 4 * N, "lines of mailq")
        each = (own_memory(mta.process("qmgr")) - least) / N
        print(f"{N} messages: {each:.0f} bytes of qmgr's memory each")
        check(each <= 300, f"qmgr needs {each:.0f} bytes for a message")
    finish()


if __name__ == "__main__":
    main()
