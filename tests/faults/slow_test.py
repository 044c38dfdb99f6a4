#!/usr/bin/env python3
"""A disk whose flushes take 5 ms, and one of 50 ms: an ext4 on a loop device over a file of FUSE
that sleeps. Spool is killed under load: nothing is lost, and many messages share a flush. A spool
that answers before it writes must be found out.

Needs root, FUSE and loop devices."""
import os
import random
import signal
import sys
import tempfile
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "powercut")]
from harness import check, check_equal, finish, is_root
from load import (Load, Sink, by_engine, copies_of, family, instance, is_captured_build, losses,
                  queue_ends)
from powercut_test import Disk, Mounted, make_base, read_record, tool

SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))
CLIENTS, MESSAGES = 20, 2000 if os.environ.get("TEST_MODE") == "long" else 200


def under_load(mta):
    """Gives the clients that sent; spool is killed twice meanwhile."""
    mta.start()
    load = Load(mta, SEED, CLIENTS)
    for _ in range(2):
        load.goes_on(MESSAGES // 2)
        for pid in family(mta)["spool"]:
            os.kill(pid, signal.SIGKILL)
    load.goes_on(50)
    load.ends()
    return load


def run(engine, slow, environment=None):
    """Gives what was lost."""
    sink = Sink()
    with instance(sink, environment, spool_segment_size=str(1 << 20), queue_engine=engine) as mta, \
            tempfile.TemporaryDirectory() as here:
        image, record, fuse, mount = (os.path.join(here, n) for n in ("img", "record", "fuse", "mnt"))
        os.mkdir(fuse)
        os.mkdir(mount)
        make_base(image, mount, "ext4")
        os.makedirs(mta.queue, exist_ok=True)
        with Disk(image, record, fuse, slow), Mounted(os.path.join(fuse, "disk"), mta.queue, "ext4"):
            os.rmdir(os.path.join(mta.queue, "log"))
            try:
                load = under_load(mta)
                flushes = sum(kind == "F" for kind, *_ in read_record(record))
                queue_ends(mta)
            finally:
                mta.stop()
        lost = losses(load.clients, set(copies_of(mta, sink)))
        print(f"{slow} ms: {load.taken()} messages taken with {flushes} flushes, {len(lost)} lost",
              flush=True)
        if not environment:
            # The files engine takes two: syncfs(), and fsync() for the disk's own cache.
            check(flushes < load.taken() * (2 if engine == "files" else 1),
                  f"{load.taken()} messages share {flushes} flushes")
        return lost


if not is_root():
    print("skipped: a disk of one's own needs root")
elif not os.path.exists(tool("disk")):
    check(False, "the disk of tests/powercut was built: libfuse3-dev")
else:
    print(f"seed {SEED}", flush=True)
    disks = (5, 50)
    for engine, count in by_engine(len(disks), 2):
        for milliseconds in disks[:count]:
            check_equal(run(engine, milliseconds), [], f"lost mail, {milliseconds} ms, {engine}")
        if is_captured_build():
            check(run(engine, 5, {"POSTERN_SPOOL_BROKEN": "order"}),
                  f"a spool that answers before it writes is found out, {engine}")
finish()
