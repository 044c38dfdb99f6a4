#!/usr/bin/env python3
"""System calls of spool, qmgr, cleanup, smtp and of the mailbox writers fail, at the Nth call,
for each N of a sample (all up to 30 with --long), while mail comes in: what got its 250 is
delivered in the end, and nobody gets into a loop of crashes. Spool is killed after each round, so
that its memory does not stand in for the disk.

The jail is off: a call that strace lets fail looks to it like one that nobody may make, and
whoever makes it is killed. With --enable-captured the spool can be told to answer before it
writes: a write that fails must be found out then. Needs strace, and root to trace daemons."""
import os
import random
import signal
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import PATIENCE, check, check_equal, finish, is_root, process_status, skip, wait_until
from load import (LONG, Load, Sink, by_engine, copies_of, family, instance, is_captured_build,
                  losses, queue_ends)

WRITING = "pwrite64,pwritev,pwritev2"
SPOOL = {  # program, system calls, error; by queue_engine
    "log": (
        ("spool", "fdatasync,fsync", "EIO"),
        ("spool", "fdatasync,fsync", "ENOSPC"),
        ("spool", WRITING, "EIO"),
        ("spool", WRITING, "ENOSPC"),
        ("spool", "openat", "EMFILE"),
        ("spool", "mmap", "ENOMEM"),
    ),
    "files": (
        ("spool", "fsync,syncfs", "EIO"),
        ("spool", "fsync,syncfs", "ENOSPC"),
        ("spool", WRITING, "EIO"),
        ("spool", WRITING, "ENOSPC"),
        ("spool", "renameat,renameat2", "EIO"),
        ("spool", "unlinkat", "EIO"),
        ("spool", "openat", "EMFILE"),
        ("spool", "mmap", "ENOMEM"),
    ),
}
OTHERS = (
    ("writer", "openat", "EMFILE"),
    ("writer", "write,writev,pwrite64", "ENOSPC"),
    ("writer", "fsync,fdatasync", "EIO"),
    ("writer", "rename,renameat,renameat2,link,linkat", "EIO"),
    ("qmgr", "pread64", "EIO"),
    ("qmgr", "memfd_create", "EMFILE"),
    ("qmgr", "sendmsg", "ENOMEM"),
    ("qmgr", "recvmsg", "ENOMEM"),
    ("qmgr", "openat", "EMFILE"),
    ("cleanup", "sendmsg", "ENOMEM"),
    ("cleanup", "recvmsg", "ENOMEM"),
    ("cleanup", "mmap", "ENOMEM"),
    ("cleanup", "openat", "EMFILE"),
    ("smtp", "write", "EIO"),
    ("smtp", "read", "EIO"),
    ("smtp", "pread64", "EIO"),
    ("smtp", "sendmsg", "ENOMEM"),
    ("smtp", "recvmsg", "ENOMEM"),
    ("smtp", "socket", "EMFILE"),
)
SELDOM = ("mmap", "openat", "socket")  # not made in each round
SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))


def numbers(rng):
    """Of the call that fails."""
    if LONG:
        return range(1, 31)
    return 1, rng.choice((rng.randrange(2, 10), rng.randrange(10, 31)))


def find(mta, program):
    """pids of the program, or of the mailbox writer of virtual, which is a child of the worker's
    launcher."""
    there = family(mta)
    if program != "writer":
        return there.get(program, [])
    parents = {pid: process_status(pid).get("PPid") for pid in there.get("virtual", [])}
    workers = [str(pid) for pid in parents if parents[pid] == str(mta.master())]
    return [pid for pid in parents if parents[pid] not in (str(mta.master()), *workers)]


def fail(mta, load, program, calls, error, number):
    """One round; gives whether the call failed."""
    pids = wait_until(lambda: find(mta, program), f"a {program}")
    trace = os.path.join(mta.home, "trace")
    inject = f"inject={calls}:error={error}:when={number}"
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", trace, "-p", ",".join(map(str, pids)), "-e", f"trace={calls}",
         "-e", inject], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: tracer.poll() is not None or
               all(process_status(pid).get("TracerPid") != "0" for pid in pids),
               "strace at work, or too late for these processes")
    load.goes_on(40)
    tracer.send_signal(signal.SIGINT)
    try:
        tracer.wait(PATIENCE)
    except subprocess.TimeoutExpired:  # it may miss a thread of a process that aborted
        tracer.kill()
        tracer.wait()
    with open(trace) as file:
        failed = "(INJECTED)" in file.read()
    for spool in find(mta, "spool"):
        os.kill(spool, signal.SIGKILL)
    return failed


def run(cases, environment=None, **settings):
    """Gives what was lost."""
    rng, sink, failed, rounds = random.Random(SEED), Sink(), [], 0
    with instance(sink, environment, max_idle="1h", sandbox="no",
                  **settings) as mta:
        # The launcher and its loop write to more than mailboxes, where no disk can be full.
        mta.expect_trouble(r"panic: .*ensure\(write\(io\.fd,", r"panic: out of memory",
                           r"killed by signal 6")
        mta.start()
        load = Load(mta, SEED, 2)
        load.goes_on(20)
        for case in cases:
            for number in numbers(rng):
                # The process may end before strace has it, or do less than that.
                for _ in range(3 if number == 1 else 1):
                    rounds += 1
                    if fail(mta, load, *case, number):
                        failed.append(case)
                        break
        load.ends()
        queue_ends(mta)
        lost = losses(load.clients, set(copies_of(mta, sink)))
        print(f"{load.taken()} messages taken, {len(lost)} lost, {len(failed)} calls failed",
              flush=True)
        if not environment:
            check_equal([c for c in cases if c not in failed and c[1] not in SELDOM],
                        [], "calls that never failed")
            starts = mta.logged(r"spool\[\d+\]: log opened")
            check(starts <= 1 + rounds + len(failed), f"{starts} starts of spool in {rounds} "
                  f"rounds with a kill each and {len(failed)} failed calls")
            deaths = mta.logged(r"process \S+ pid \d+ (exit status|killed by signal (?!9\b))")
            check(deaths <= len(failed), f"{deaths} deaths of {len(failed)} failed calls")
        return lost


if is_root():
    print(f"seed {SEED}", flush=True)
    for engine, others in by_engine(len(OTHERS)):
        cases = SPOOL[engine] + (OTHERS if others == len(OTHERS) else ())
        check_equal(run(cases, queue_engine=engine), [], f"lost mail, {engine}")
        if is_captured_build():
            writing = [c for c in cases if c[:2] == ("spool", WRITING)]
            check(run(writing, {"POSTERN_SPOOL_BROKEN": "order"}, queue_engine=engine),
                  f"a spool that answers before it writes is found out, {engine}")
else:
    skip("needs root, to trace the jailed")
finish()
