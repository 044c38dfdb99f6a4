#!/usr/bin/env python3
"""Deliveries through the real queue manager: sizes, routes and their changes, transports that
are not there, agents and daemons that die under load."""
import os
import random
import re
import signal
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, kill, process_state, wait_until

MESSAGES = {"quick": 60, "default": 200, "long": 2000}[os.environ.get("TEST_MODE", "quick")]


def instance(**more):
    settings = {"mydestination": "", "virtual_mailbox_domains": "box.example",
                "virtual_mailbox_maps": "static:u/",
                "virtual_uid_maps": f"static:{os.getuid() or 1000}",
                "virtual_gid_maps": f"static:{os.getgid() or 1000}",
                "virtual_minimum_uid": "1", "minimal_backoff_time": "1s",
                "queue_run_delay": "1s", "transport_retry_time": "1s",
                "service_throttle_time": "1s"}  # who dies at his start waits no minute
    settings.update(more)
    mta = Instance(settings)
    mta.write_configuration(virtual_mailbox_base=mta.mail)
    os.chmod(mta.mail, 0o777)
    return mta


def send(mta, recipients, content="Subject: test\n\nbody"):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message("s@x.example", recipients, content)
    smtp.close()
    return qid


def sizes(mta):
    """In the frame, in a memfd, in a file of its own: everything arrives as it was."""
    for count, size in enumerate((10, 60_000, 70_000, 900_000, 3_000_000), 1):
        line = "0123456789abcdef" * 4
        body = "\n".join([line] * (size // 65 + 1) + [f"end of {size}"])
        qid = send(mta, "u@box.example", f"Subject: {size}\n\n{body}")
        mta.wait_for_log(rf"{qid}: to=<u@box\.example>.*status=sent")
        mta.wait_for_log(rf"{qid}: removed")
        texts = mta.maildir("u", count)
        mine = [t for t in texts if f"Subject: {size}\n" in t]
        check(len(mine) == 1 and mine[0].rstrip("\n").endswith(body), f"{size} bytes arrive whole")


def routes(mta):
    """A transport table is used as soon as it is changed; relayhost after a reload."""
    table = mta.write("transport", "far.example discard:\n")
    mta.run("postmap", f"hash:{table}")
    mta.write_configuration(transport_maps=f"hash:{table}", relayhost="[127.0.0.1]:1",
                            virtual_mailbox_base=mta.mail)
    since = mta.log_position()
    mta.reload()
    qid = send(mta, "a@far.example")
    mta.wait_for_log(rf"discard\[\d+\]: {qid}: to=<a@far\.example>, relay=none.*status=sent",
                     since=since)
    mta.write("transport", "far.example nosuch:\n*.example discard:\n")
    mta.run("postmap", f"hash:{table}")

    def unavailable():
        mine = send(mta, "b@far.example")
        return mta.wait_for_log(rf"{mine}: to=<b@far\.example>.*status=(\w+) \((.*)\)",
                                since=since)[2] == "mail transport unavailable"
    wait_until(unavailable, "the changed table")
    check(mta.logged(r"warning: connect to transport private/nosuch: ", since) > 0,
          "the missing transport is named")
    mta.write("transport", "far.example discard:\n")
    mta.run("postmap", f"hash:{table}")
    mta.wait_for_log(r"discard\[\d+\]: \w+: to=<b@far\.example>.*status=sent", since=since)
    mta.run("postsuper", "-d", "ALL")
    mta.expect_trouble(r"nosuch")


def agents_leave(mta):
    """At a reload, once they have done what they had begun; and when master dies."""
    def alive(pids):
        return [p for p in pids if process_state(p) not in (None, "Z")]
    mta.write("transport", "")
    mta.run("postmap", f"hash:{mta.etc}/transport")
    qid = send(mta, "u@box.example")
    mta.wait_for_log(rf"{qid}: removed")
    before = mta.processes("virtual")
    check(before, "an agent is there")
    mta.reload()
    wait_until(lambda: not alive(before), "the end of the agents of before the reload")
    qid = send(mta, "u@box.example")
    mta.wait_for_log(rf"{qid}: removed")
    before = mta.processes()
    kill(mta.master())
    wait_until(lambda: not alive(before), "the end of all processes without a master")
    mta.start()


class Client(threading.Thread):
    """Sends `count` messages, each until it is taken; `taken` has {queue id: its subject}."""

    def __init__(self, mta, number, count):
        super().__init__(daemon=True)
        self.mta, self.number, self.count, self.taken = mta, number, count, {}

    def run(self):
        for i in range(self.count):
            subject, qid = f"load {self.number} {i}", ""
            while not re.fullmatch(r"[0-9A-F]{14}", qid):
                try:
                    qid = send(self.mta, "u@box.example", f"Subject: {subject}\n\nbody")
                except OSError:
                    pass
            self.taken[qid] = subject


def kill_one(mta, name):
    """kill -9; gives the pid, or None where there was no such process."""
    for pid in mta.processes(name):
        try:
            os.kill(pid, signal.SIGKILL)
            return pid
        except ProcessLookupError:
            pass
    return None


def under_load(mta, rng):
    """kill -9 of agents and qmgr while mail flows: everything arrives, nothing is left. The
    log has the end of each message, but for what a dead qmgr had in hand: the line comes
    when spool has the end, and a process that is not there writes none."""
    since, killed = mta.log_position(), set()
    clients = [Client(mta, n, MESSAGES // 4) for n in range(4)]
    for c in clients:
        c.start()
    while any(c.is_alive() for c in clients):
        killed.add(kill_one(mta, rng.choice(("virtual", "qmgr", "virtual"))))
        enough = sum(len(c.taken) for c in clients) + MESSAGES // 10
        wait_until(lambda: sum(len(c.taken) for c in clients) >= enough or
                   not any(c.is_alive() for c in clients), "some more mail")
    taken = {qid: subject for c in clients for qid, subject in c.taken.items()}
    wait_until(lambda: mta.run("postqueue", "-p").stdout == "Mail queue is empty\n",
               "an empty queue", 60)
    arrived = set(re.findall(r"^Subject: (load .*)$", "\n".join(mta.maildir("u")), re.M))
    check_equal(sorted(set(taken.values()) - arrived), [], "undelivered messages")
    log = mta.log_text(since)
    last = dict((qid, int(pid)) for pid, qid in
                re.findall(r"qmgr\[(\d+)\]: (\w+): from=.*\(queue active\)", log))
    removed = set(re.findall(r"qmgr\[\d+\]: (\w+): removed", log))
    check_equal([q for q in taken if q not in removed and last.get(q) not in killed], [],
                "messages that ended unsaid")


with instance() as the_instance:
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    the_instance.start()
    sizes(the_instance)
    routes(the_instance)
    agents_leave(the_instance)
    the_instance.expect_trouble(r"killed by signal 9", r"lost", r"bad command startup",
                                r"did not answer", r"does not answer")
    under_load(the_instance, random.Random(seed))
    print(f"seed {seed}")

finish()
