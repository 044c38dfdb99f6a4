#!/usr/bin/env python3
"""Upgrades and downgrades between two builds while mail comes in: no connection is refused, no
session is cut off, nothing is lost or doubled, and master needs no more memory and no more
descriptors than before. The other build says more than this one in messages that every mail
takes part in, and in what the spool keeps."""
import glob
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (ALSO_KNOWN_AS, DAEMONS, TOP, check, check_equal, finish, is_root, open_files,
                     own_memory, wait_until)
from load import NOTICE, Load, Polite, Sink, copies_of, instance, losses, queue_ends

UPGRADES = {"long": 60}.get(os.environ.get("TEST_MODE"), 20)
SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))
SOURCE = os.environ.get("TOP_SRCDIR", os.path.join(os.path.dirname(__file__), "..", ".."))
ROOM = 2 << 20  # an allocator's slack
# Each gets a field more, at its end as the rule is.
CHANGED = ("submit_REQUEST", "submit_REPLY", "deliver_REQUEST", "deliver_REPLY",
           "envelope_FIELDS")


def change_messages(folder):
    changed = []
    for path in glob.glob(os.path.join(folder, "messages_*.h")):
        with open(path) as file:
            text = file.read()
        for name in CHANGED:
            text, count = re.subn(rf"(#define {name}\(FIELD, LIST\) \\\n(?:.*\\\n)*.*)\n",
                                  r"\1 \\\n\tFIELD(STR, of_tomorrow)\n", text)
            changed += [name] * count
        with open(path, "w") as file:
            file.write(text)
    check_equal(sorted(changed), sorted(CHANGED), "declarations that got a field more")


def other_build(folder):
    """Where the programs of tomorrow are, or None."""
    source, build = os.path.join(folder, "source"), os.path.join(folder, "build")
    shutil.copytree(SOURCE, source, symlinks=True,
                    ignore=shutil.ignore_patterns("build", ".git", "autom4te.cache"))
    change_messages(os.path.join(source, "lib", "ipc"))
    os.mkdir(build)
    for command in ([os.path.join(source, "configure"), "-q", "--enable-captured",
                     "CFLAGS=-O0 -g0 -Wno-cpp"], ["make", "-s", f"-j{os.cpu_count()}", "all"]):
        done = subprocess.run(command, cwd=build, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if not check_equal(done.returncode, 0, f"{command[0]}: {done.stdout[-2000:]}"):
            return None
    return build


def install(mta, build):
    for name in DAEMONS:
        base = ALSO_KNOWN_AS.get(name, name)
        path = os.path.join(mta.sbin, name)
        if os.path.lexists(path):
            os.symlink(os.path.abspath(os.path.join(build, base, base)), path + ".new")
            os.rename(path + ".new", path)


def upgrade(mta, build):
    install(mta, build)
    before, at = mta.processes(), mta.log_position()
    mta.postern("upgrade")
    mta.wait_for_log(r"master\[\d+\]: upgrade -- version \S+, configuration ", since=at)
    for name in ("broker", "spool", "qmgr"):
        wait_until(lambda: mta.processes(name) and not set(mta.processes(name)) & set(before),
                   f"a new {name}", 60)
    binary = os.stat(os.path.join(build, "master", "master")).st_ino
    check_equal(os.stat(f"/proc/{mta.master()}/exe").st_ino, binary, "whose program runs")


def use(pid):
    return own_memory(pid), open_files(pid) if is_root() else 0


def up_and_down(builds):
    sink = Sink()
    with instance(sink) as mta:
        mta.start()
        master = mta.master()
        load = Load(mta, SEED, client=Polite)
        load.goes_on(20)
        for build in builds:  # this one again at the end: buffers have their size
            upgrade(mta, build)
            load.goes_on()
        memory, files = use(master)
        for number in range(UPGRADES):
            upgrade(mta, builds[number % 2])
            load.goes_on()
        wait_until(lambda: len(mta.processes("smtpd")) <= os.cpu_count() + len(load.clients),
                   "old processes to leave", 60)
        load.ends()
        for client in load.clients:
            check_equal(client.wrong, [], "sessions")
        queue_ends(mta)
        copies = copies_of(mta, sink)
        check_equal(losses(load.clients, copies), [], "lost")
        # Not notices: bounce may have sent one whose sender left before it heard of that.
        mail = [copy for copy in copies if copy[1] != NOTICE]
        check_equal(len(mail), len(set(mail)), "copies of what came once")
        check_equal(mta.master(), master, "master is the same process")
        wait_until(lambda: len(mta.processes("qmgr")) == 1 and len(mta.processes("spool")) == 1,
                   "one qmgr, one spool")
        grown = own_memory(master) - memory
        check(grown <= ROOM, f"master grew by {grown} bytes")
        if is_root():
            check(open_files(master) <= files + 8, f"{files}, then {open_files(master)} descriptors")
        check_equal(mta.logged("throttling|killed by signal|panic|exit status"), 0, "no trouble")
        check_equal(mta.logged("daemon started"), 1, "one start")
        print(f"{load.taken()} messages, {UPGRADES} upgrades, {grown} bytes and "
              f"{use(master)[1] - files} descriptors more")


print(f"seed {SEED}", flush=True)
with tempfile.TemporaryDirectory(prefix="postern-upgrade-") as folder:
    os.chmod(folder, 0o755)
    tomorrow = other_build(folder)
    if tomorrow:
        up_and_down([tomorrow, TOP])
finish()
