#!/usr/bin/env python3
"""Reload again and again while mail comes in: no connection is refused, no session is cut off,
nothing is lost or doubled, and those who live through it all need no more memory and no more
descriptors than before."""
import os
import random
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (check, check_equal, finish, is_root, open_files, own_memory, wait_until)
from load import Load, Polite, Sink, copies_of, instance, losses, queue_ends

RELOADS = {"long": 300, "quick": 10}.get(os.environ.get("TEST_MODE"), 100)
SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))
ROOM = 2 << 20  # an allocator's slack
STAY = ("master", "broker", "spool")  # processes that no reload replaces


def use(mta):
    """{program: (bytes, descriptors)} of the processes that stay."""
    found = {}
    for name in STAY:
        pid = mta.master() if name == "master" else mta.process(name)
        found[name, pid] = own_memory(pid), open_files(pid) if is_root() else 0
    return found


def reloads(mta, count):
    for number in range(count):
        mta.write_configuration(smtpd_banner=f"$myhostname ESMTP number {number}")
        at = mta.log_position()
        mta.reload()
        check(mta.logged(r"master\[\d+\]: reload -- ", since=at) == 1, "a reload")


print(f"seed {SEED}", flush=True)
sink = Sink()
with instance(sink) as mta:
    mta.start()
    load = Load(mta, SEED, client=Polite)
    load.goes_on(50)
    reloads(mta, RELOADS // 10)  # buffers and pools have their size
    load.goes_on()
    before = use(mta)
    reloads(mta, RELOADS)
    load.goes_on()
    wait_until(lambda: len(mta.processes("qmgr")) == 1 and
               len(mta.processes("smtpd")) <= os.cpu_count() + len(load.clients),
               "old processes to leave")
    after = use(mta)
    load.ends()
    for client in load.clients:
        check_equal(client.wrong, [], "sessions")
    queue_ends(mta)
    copies = copies_of(mta, sink)
    check_equal(losses(load.clients, copies), [], "lost")
    check_equal(len(copies), len(set(copies)), "copies of what came once")
    for key, (memory, files) in before.items():
        if check(key in after, f"{key[0]} stays the same process"):
            grown = after[key][0] - memory
            check(grown <= ROOM, f"{key[0]} grew by {grown} bytes")
            check(after[key][1] <= files + 8, f"{key[0]}: {files}, then {after[key][1]} descriptors")
            print(f"{key[0]}: {grown} bytes more, {after[key][1] - files} descriptors more")
    check_equal(mta.logged("throttling|killed by signal|panic"), 0, "no trouble")
    print(f"{load.taken()} messages, {RELOADS} reloads")
finish()
