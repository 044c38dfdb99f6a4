#!/usr/bin/env python3
"""Mail runs through for a while; one message in a hundred cannot be delivered, and is returned
when it is too old: memory and descriptors of each daemon do not grow, and the log takes no more
than twice the mail in it and its slack. Twenty seconds; an hour with --long, a few seconds with
--quick."""
import os
import sys
import threading
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Instance, Smtp, check, finish, is_root, open_files, own_memory, wait_until)

SECONDS = {"long": 3600, "quick": 6}.get(os.environ.get("TEST_MODE"), 20)
SESSIONS, SEGMENT, SLACK, SIZE = 4, 1 << 20, 16 << 20, 4000
CONTENT = "Subject: soak\n\n" + "0123456789abcdef0123456789abcdef0123456789abcdef\n" * (SIZE // 49)
# What may come and go: buffers, pools, an allocator's slack.
ROOM = 4 << 20
SEGMENTS_OPEN = 32  # of readers, at most
LIFETIME = max(1, SECONDS // 20)  # a fifth of the time in which it has to be flat by then
SETTINGS = {"transport_maps": "inline:{stays.test=smtp:[127.0.0.1]:1, goes.test=discard:,"
                              " c.test=discard:}",
            "spool_segment_size": SEGMENT, "spool_slack": SLACK, "maximal_backoff_time": "10s",
            "minimal_backoff_time": "1s", "queue_run_delay": "1s",
            "maximal_queue_lifetime": f"{LIFETIME}s", "bounce_queue_lifetime": f"{LIFETIME}s"}


def session(mta, until, counts, at):
    """Messages until it is time; a hundredth of them to a host that is not there."""
    while time.monotonic() < until:
        smtp = Smtp(mta.port(0))
        smtp.say("EHLO c.test", "250")
        for n in range(100):
            rcpt = "r@stays.test" if n == 50 else "r@goes.test"
            smtp.message("s@c.test", rcpt, CONTENT)
            counts[at] += 1
            if time.monotonic() > until:
                break
        smtp.close()


def measure(mta):
    """{(program, what): number} of the processes that live long."""
    found = {}
    for pid, name in mta.processes().items():
        if name not in ("spool", "qmgr", "cleanup", "smtpd"):
            continue
        found[name, pid] = open_files(pid) if is_root() else 0, own_memory(pid)
    return found


def log_size(mta):
    total = 0
    for folder, _, files in os.walk(os.path.join(mta.queue, "log")):
        for name in set(files) - {"lock"}:
            try:
                total += os.path.getsize(os.path.join(folder, name))
            except OSError:
                pass  # removed meanwhile
    return total


def queued(mta):
    return mta.run("postqueue", "-j", timeout=300).stdout.count('"queue_id"')


def run(mta, seconds):
    counts = [0] * SESSIONS
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=session, args=(mta, until, counts, i))
               for i in range(SESSIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def main():
    with Instance(SETTINGS) as mta:
        mta.start()
        warm = run(mta, SECONDS / 4)
        before = measure(mta)
        sent = run(mta, SECONDS * 3 / 4)
        after = measure(mta)
        print(f"{warm} messages, then {sent}")
        stay = queued(mta)
        for key in set(before) & set(after):
            files, memory = (b - a for a, b in zip(before[key], after[key]))
            print(f"{key[0]}: {memory} bytes and {files} descriptors more")
            check(memory <= ROOM, f"{key[0]} grew by {memory} bytes")
            check(files <= SEGMENTS_OPEN + 1, f"{key[0]} has {files} descriptors more")
        check(len(set(before) & set(after)) >= 2, "spool and qmgr live on")
        limit = 2 * stay * (SIZE + 1000) + SLACK
        wait_until(lambda: log_size(mta) <= limit, f"a log of at most {limit} bytes")
        print(f"{stay} messages stay; the log takes {log_size(mta)} bytes, at most {limit}")
        wait_until(lambda: queued(mta) == 0, "all that stays is returned", 3 * LIFETIME + 60)
        returned = mta.logged("status=expired, returned to sender")
        check(returned >= (warm + sent) // 200, f"{returned} of {warm + sent} were returned")
        check(mta.logged(r"spool\[\d+\]: (warning|error)") == 0, "spool complains of nothing")
    finish()


if __name__ == "__main__":
    main()
