#!/usr/bin/env python3
"""The clock jumps under load: an hour and a day ahead, an hour back, to the year 2040 and home
again. All daemons that are there jump, at slightly different moments; those that start later
have the old time. Nothing is lost, nothing comes twice, nobody dies of it.

Needs --enable-captured, where daemons can be told what the time is. There spool can also be
told to answer before it writes: jumping and then killed, it must be found out."""
import collections
import os
import random
import signal
import socket
import sys
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import PATIENCE, check, check_equal, finish
from load import (Load, Sink, by_engine, copies_of, family, instance, is_captured_build, losses,
                  queue_ends)

YEAR_2040 = 2_208_988_800
JUMPS = (3600, 86_400, -3600, YEAR_2040 - int(time.time()), 0)
SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))


def jump(mta, seconds):
    """Gives the names of the services whose clock jumped."""
    folder, jumped = os.path.join(mta.queue, "captured"), []
    for name in os.listdir(folder):
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(PATIENCE)
                s.connect(os.path.join(folder, name))
                s.sendall(f"clock {seconds}\n".encode())
                if s.recv(100) == b"ok\n":
                    jumped.append(name.rpartition(".")[0])
        except ConnectionError:
            pass  # of a process that is gone
    return jumped


def run(engine, jumps, environment=None):
    """Gives what was lost, and what came twice."""
    sink = Sink()
    with instance(sink, environment, queue_engine=engine) as mta:
        os.makedirs(os.path.join(mta.queue, "captured"))
        os.chmod(os.path.join(mta.queue, "captured"), 0o777)
        mta.start()
        load = Load(mta, SEED)
        load.goes_on(50)
        for seconds in jumps:
            jumped = jump(mta, seconds)
            check({f"127.0.0.1:{mta.port(0)}", "cleanup", "spool", "qmgr", "smtp", "virtual"} <=
                  set(jumped), f"who jumps by {seconds}: {jumped}")
            load.goes_on(300)
        if environment:
            os.kill(family(mta)["spool"][0], signal.SIGKILL)
            load.goes_on()
        load.ends()
        queue_ends(mta)
        copies = copies_of(mta, sink)
        lost = losses(load.clients, set(copies))
        twice = [c for c, n in collections.Counter(copies).items() if n > 1]
        print(f"{load.taken()} messages taken, {len(lost)} lost, {len(twice)} twice", flush=True)
        if not environment:
            check_equal(mta.logged("killed by signal|panic|expired"), 0, "deaths")
        return lost, twice


if is_captured_build():
    print(f"seed {SEED}", flush=True)
    for engine, count in by_engine(len(JUMPS), 2):
        check_equal(run(engine, JUMPS[-count:]), ([], []),
                    f"what was lost, what came twice, {engine}")
        check(run(engine, (3600,), {"POSTERN_SPOOL_BROKEN": "order"})[0],
              f"a spool that answers before it writes is found out, {engine}")
else:
    print("not a captured build: no clock can be made to jump")
finish()
