#!/usr/bin/env python3
"""postern upgrade: another program in the same process, nobody refused, sessions finish; a
program that fails its check changes nothing."""
import os
import shutil
import socket
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Connecting, Instance, check, check_equal, check_match, finish, is_root,
                     process_state, wait_until)

UPGRADES = 4


def replace(mta, name, source=None, text=None):
    """A new build: another file under the same name."""
    path = os.path.join(mta.sbin, name)
    if text is None:
        shutil.copy(os.path.realpath(source or path), path + ".new")
    else:
        with open(path + ".new", "w") as file:
            file.write(text)
    os.chmod(path + ".new", 0o755)
    os.rename(path + ".new", path)


def running(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino


def upgrade(mta):
    at = mta.log_position()
    mta.postern("upgrade")
    mta.wait_for_log(r"master\[\d+\]: upgrade -- version \S+, configuration ", since=at)


def in_place():
    with Instance() as mta:
        mta.start()
        master = mta.master()
        threads = [Connecting(mta.port(), 60) for _ in range(3)]
        for thread in threads:
            thread.start()
        kept = mta.smtp()
        for _ in range(UPGRADES):
            before = mta.processes()
            for name in ("master", "smtpd", "qmgr", "spool", "broker", "cleanup"):
                replace(mta, name)
            upgrade(mta)
            check_equal(mta.master(), master, "the same process")
            check_equal(running(master), os.stat(os.path.join(mta.sbin, "master")).st_ino,
                        "another program")
            for name in ("broker", "spool", "qmgr"):
                def renewed():
                    return mta.processes(name) and not set(mta.processes(name)) & set(before)
                wait_until(renewed, f"a new {name}")
            if is_root():  # daemons are not dumpable: their users cannot look
                wait_until(lambda: any(running(pid) == os.stat(os.path.join(
                    mta.sbin, "smtpd")).st_ino for pid in mta.processes("smtpd")), "a new smtpd")
        for thread in threads:
            thread.ending = True
        for thread in threads:
            thread.join()
            check_equal(thread.bad, [], "connections while upgrading")
            check(thread.good > 0, "no session at all")
        kept.say("EHLO client.example", "250-")
        kept.say("QUIT", "221 ")
        check_equal(mta.logged("throttling|exit status|killed by signal"), 0, "no trouble")
        check_equal(mta.logged("daemon started"), 1, "no second start")
        check_equal(len(mta.processes("qmgr")), 1, "one qmgr")
        # What it knows now: the next reload, the ends of children, the lock, the end.
        mta.reload()
        mta.smtp().say("QUIT", "221 ")
        done = mta.postern("start", status=1)
        check_match("already running", done.stderr, "the lock")
        daemons = mta.processes()
        mta.postern("stop")
        check(process_state(master) in (None, "Z"), "the end of master")
        wait_until(lambda: not [p for p in daemons if process_state(p) not in (None, "Z")],
                   "the ends of all")


def lines_change():
    with Instance(services=["smtpd"], extra_services=[
            "127.0.0.1:{port1} inet n - n - - smtpd"]) as mta:
        mta.start()
        old = mta.smtp(1)
        mta.lines[-1] = "127.0.0.1:{port2} inet n - n - - smtpd"
        mta.write_configuration()
        upgrade(mta)
        mta.smtp(0).say("QUIT", "221 ")
        mta.smtp(2).say("QUIT", "221 ")
        with socket.socket() as s:
            check(s.connect_ex(("127.0.0.1", mta.port(1))) != 0, "a line that is gone")
        old.say("NOOP", "250 ")
        old.say("QUIT", "221 ")


def bad_programs():
    with Instance(services=["smtpd"]) as mta:
        mta.start()
        good, master = running(mta.master()), mta.master()
        for text in ("#!/bin/sh\nexit 1\n", "no program at all"):
            replace(mta, "master", text=text)
            done = mta.postern("upgrade", status=1)
            check_match("running version stays|Exec format", done.stderr, "the command")
            # Asked by the signal, master finds out itself.
            at = mta.log_position()
            os.kill(master, 12)
            mta.wait_for_log(r"error: upgrade: .*the running version stays", since=at)
        # One that can no longer read what we leave to it.
        replace(mta, "master", text='#!/bin/sh\ncase "$*" in *-U*) exit 1; esac\n')
        at = mta.log_position()
        mta.postern("upgrade")
        mta.wait_for_log(r"error: upgrade: .*the running version stays", since=at)
        check_equal((running(mta.master()), mta.master()), (good, master), "the old one runs")
        mta.smtp().say("QUIT", "221 ")


in_place()
lines_change()
bad_programs()
finish()
