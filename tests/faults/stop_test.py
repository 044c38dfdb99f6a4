#!/usr/bin/env python3
"""Every process of Postern is stopped (SIGSTOP) for a while under load, one after the other,
and goes on: nothing is lost, nothing comes twice, and whoever waits is answered in the end.

With --enable-captured the spool can be told to answer before it writes: stopped and then
killed, it must be found out."""
import collections
import os
import random
import signal
import sys
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check, check_equal, finish
from load import (LONG, Load, Sink, by_engine, copies_of, family, instance, is_captured_build,
                  losses, queue_ends)

STOPPED = 60 if LONG else 2  # seconds: what is tried here
ALL = 100  # kinds of processes
SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))


def stop_one(pid, then):
    """False: it had gone by itself."""
    try:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(STOPPED)
        os.kill(pid, then)
    except ProcessLookupError:
        return False
    return True


def run(engine, only=None, then=signal.SIGCONT, environment=None):
    """Stops each kind of process once; gives what was lost, and what came twice."""
    sink, stopped = Sink(), []
    with instance(sink, environment, queue_engine=engine) as mta:
        mta.start()
        load = Load(mta, SEED)
        load.goes_on(50)
        for name in only or sorted(family(mta)):
            for pid in family(mta).get(name, [])[:1]:
                if stop_one(pid, then):
                    stopped.append(name)
            load.goes_on()
        load.ends()
        queue_ends(mta)
        copies = copies_of(mta, sink)
        twice = [c for c, n in collections.Counter(copies).items() if n > 1]
        lost = losses(load.clients, set(copies))
        print(f"{load.taken()} messages taken, {len(lost)} lost, {len(twice)} twice; stopped: "
              + " ".join(stopped), flush=True)
        if then == signal.SIGCONT:
            check(len(stopped) > 6 or stopped == only, f"there was something to stop: {stopped}")
            check_equal(mta.logged("killed by signal"), 0, "nobody died of it")
        return lost, twice


print(f"seed {SEED}", flush=True)
for engine, kinds in by_engine(ALL):
    only = None if kinds == ALL else ["qmgr", "spool"]
    check_equal(run(engine, only), ([], []), f"what was lost, what came twice, {engine}")
    if is_captured_build():
        gone, _ = run(engine, ["spool"], signal.SIGKILL, {"POSTERN_SPOOL_BROKEN": "order"})
        check(gone, f"a spool that answers before it writes is found out, {engine}")
finish()
