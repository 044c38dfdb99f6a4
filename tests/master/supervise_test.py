#!/usr/bin/env python3
"""What master does about programs that are missing, that cannot start, that die; limits;
wakeup; sessions of their own."""
import os
import socket
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Instance, Smtp, check, check_equal, check_match, finish, is_root,
                     kill, process_state, process_status, wait_until)


def missing_programs():
    with Instance(services=["smtpd"], extra_services=[
            "127.0.0.1:{port1} inet n - n - - notthere",
            "ghost unix n - n - - notthere"]) as mta:
        mta.start()
        for number in (1, 2, 3):
            smtp = mta.smtp(1, greeting="421 4.3.5 ")
            check_equal(smtp.reply(), "", "closed after the refusal")
            smtp.close()
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.path.join(mta.queue, "public", "ghost"))
            check_equal(s.recv(1), b"", "unix socket closes")
        mta.smtp().close()
        check_equal(mta.logged(r"warning: .*master\.cf, line 2: .*notthere"), 1, "warned once")
        mta.reload()
        check_equal(mta.logged(r"warning: .*master\.cf, line 2: .*notthere"), 1,
                    "not again at a reload")


def bad_starts():
    with Instance({"service_throttle_time": "2s"}, services=["smtpd"], extra_services=[
            "127.0.0.1:{port1} inet n - n - - broken",
            "127.0.0.1:{port2} inet n - n - - crashing"]) as mta:
        for name, text in (("broken", "exit 7"), ("crashing", "kill -SEGV $$")):
            path = os.path.join(mta.sbin, name)
            with open(path, "w") as file:
                file.write(f"#!/bin/sh\n{text}\n")
            os.chmod(path, 0o755)
        mta.expect_trouble("crashing pid")
        mta.start()
        waiting = [socket.create_connection(("127.0.0.1", mta.port(n))) for n in (1, 2)]
        mta.wait_for_log(r"warning: process \S+/broken pid \d+ exit status 7")
        mta.wait_for_log(r"warning: process \S+/crashing pid \d+ killed by signal 11")
        for name in ("broken", "crashing"):
            mta.wait_for_log(rf"warning: \S+/{name}: bad command startup -- throttling")
        # Neighbours notice nothing.
        smtp = mta.smtp()
        smtp.say("NOOP", "250 ")
        # One start each until the time is over, whoever else connects.
        waiting += [socket.create_connection(("127.0.0.1", mta.port(1))) for _ in range(20)]
        smtp.say("QUIT", "221 ")
        check_equal(mta.logged(r"broken: bad command startup"), 1, "one start only")
        mta.wait_for_log(r"broken: bad command startup", 2)
        for s in waiting:
            s.close()


def deaths():
    with Instance() as mta:
        mta.start()
        smtp = mta.smtp()
        # Who dies before it was ready once is another matter.
        wait_until(lambda: "empty" in mta.run("postqueue", "-p").stdout, "qmgr and spool")
        for name in ("spool", "qmgr", "broker"):
            pid = mta.process(name)
            mta.expect_trouble(rf"/{name} pid \d+ killed by signal 9")
            kill(pid)
            mta.wait_for_log(rf"warning: process \S+/{name} pid {pid} killed by signal 9")
            wait_until(lambda: mta.processes(name) and pid not in mta.processes(name),
                       f"the next {name}")
        # The session that was there, with peers reached through the new broker.
        smtp.say("EHLO client.example", "250-")
        smtp.say("MAIL FROM:<a@client.example>", "250 ")
        smtp.say("RCPT TO:<postmaster@mail.test.example>", "")
        smtp.say("QUIT", "221 ")
        pid = mta.process("smtpd")
        kill(pid)
        wait_until(lambda: process_state(pid) in (None, "Z"), "its end")
        mta.smtp().say("NOOP", "250 ")
        check(pid not in mta.processes(), "another smtpd")
        check_equal(mta.logged("throttling"), 0, "nobody was throttled")

        daemons = mta.processes()
        master = mta.master()
        kill(master)
        wait_until(lambda: not [p for p in daemons if process_state(p) not in (None, "Z")],
                   "the ends of all daemons after master's")
        mta.start()
        mta.smtp().say("NOOP", "250 ")


def limits():
    with Instance(services=[], extra_services=[
            "127.0.0.1:{port} inet n - n - 2 smtpd"]) as mta:
        mta.start()
        first, second = mta.smtp(), mta.smtp()
        third = Smtp(mta.port(), greeting=None)
        mta.wait_for_log(r'warning: service "127.0.0.1:\d+" \(127.0.0.1:\d+\) has reached its '
                         r'process limit "2": new clients may experience noticeable delays')
        third.socket.setblocking(False)
        try:
            check(not third.socket.recv(1, socket.MSG_PEEK), "no third session")
        except BlockingIOError:
            check(True, "")
        third.socket.setblocking(True)
        first.say("QUIT", "221 ")
        third.expect("220 ")
        second.say("QUIT", "221 ")
        third.say("QUIT", "221 ")


def prefer(pid, policy=os.SCHED_RR, priority=1):
    """Lets a process run before all others: for once the machine's load must not count. (Where we
    may not, it has to be calm.)"""
    try:
        os.sched_setscheduler(pid, policy, os.sched_param(priority))
    except PermissionError:
        pass


def burst():
    """A worker that keeps a processor busy gets help; many sessions alone are no reason."""
    if os.cpu_count() < 2:
        return
    with Instance({"smtpd_junk_command_limit": "1000000000"}, services=["smtpd"]) as mta:
        mta.start()
        sessions = [mta.smtp() for _ in range(40)]
        check_equal(len(mta.processes("smtpd")), 1, "smtpd processes for idle sessions")
        for smtp in sessions:
            smtp.say("EHLO client.example", "250")
        helped = threading.Event()
        prefer(next(iter(mta.processes("smtpd"))))
        prefer(0)

        def flood(smtp):
            while not helped.is_set():
                smtp.send("RSET\r\n" * 2000)
                lines = 2000
                while lines > 0:
                    lines -= smtp.socket.recv(65536).count(b"\n")
        threads = [threading.Thread(target=flood, args=(s,)) for s in sessions[:4]]
        for thread in threads:
            thread.start()

        def second():
            mta.smtp().close()  # a session's begin or end is when a worker looks at itself
            return len(mta.processes("smtpd")) > 1
        wait_until(second, "a second smtpd")
        helped.set()
        prefer(0, os.SCHED_OTHER, 0)
        for thread in threads:
            thread.join()
        for smtp in sessions:
            smtp.say("QUIT", "221 ")


def disabled():
    with Instance({"master_service_disable": "127.0.0.1:{port1}/inet"}, services=["smtpd"],
                  extra_services=["127.0.0.1:{port1} inet n - n - - smtpd"]) as mta:
        mta.write_configuration(master_service_disable=f"127.0.0.1:{mta.port(1)}/inet")
        mta.start()
        mta.smtp().say("NOOP", "250 ")
        with socket.socket() as s:
            check(s.connect_ex(("127.0.0.1", mta.port(1))) != 0, "a disabled line listens not")


def idle_end():
    with Instance({"max_idle": "1s"}) as mta:
        mta.start()
        smtp = mta.smtp()
        smtp.say("QUIT", "221 ")
        pid = mta.process("smtpd")
        wait_until(lambda: pid not in mta.processes(), "smtpd to leave after max_idle")
        mta.smtp().say("NOOP", "250 ")
        for name in ("broker", "spool", "qmgr"):
            check(mta.processes(name), f"{name} stays")
        check_equal(mta.logged("throttling"), 0, "leaving is no failure")


def wakeups():
    """n: again and again; n?: not before somebody has used the service."""
    with Instance(services=[]) as mta:
        seen = os.path.join(mta.home, "seen")
        with open(os.path.join(mta.sbin, "waking"), "w") as file:
            file.write(f"#!/bin/sh\necho $2 >>{seen}\nexit 1\n")
        os.chmod(file.name, 0o755)
        mta.lines += ["always unix n - n 1 1 waking", "never unix n - n 1? 1 waking"]
        mta.write_configuration(service_throttle_time="1s")
        mta.start()

        def count(name):
            with open(seen) as file:
                return file.read().split().count(name)
        wait_until(lambda: os.path.exists(seen) and count("always") >= 3, "three wake-ups")
        check_equal(count("never"), 0, "what nobody has used")
        mta.postern("stop")


def idle():
    """A system without mail runs nothing but its timers, the first of which is far away:
    only looking for a while can tell."""
    with Instance() as mta:
        mta.start()
        mta.smtp().say("QUIT", "221 ")
        for name in ("broker", "spool", "qmgr", "smtpd", "pickup"):
            mta.process(name)
        last, same = None, 0

        def quiet():
            nonlocal last, same
            now = {pid: process_status(pid).get("voluntary_ctxt_switches")
                   for pid in list(mta.processes()) + [mta.master()]}
            same = same + 1 if now == last else 0
            last = now
            return same >= 50
        wait_until(quiet, "fifty looks without any process having run")


def broken_environment():
    """What master was started with stays with master, but for import_environment. (Only root
    can look: daemons are not dumpable.)"""
    if not is_root():
        return
    with Instance({"import_environment": "MAIL_CONFIG TZ LANG=C TEST_SEEN"},
                  environment={"TEST_SEEN": "yes", "TEST_HIDDEN": "yes"}) as mta:
        mta.start()
        with open(f"/proc/{mta.process('spool')}/environ") as file:
            seen = file.read()
        check_match(r"TEST_SEEN=yes", seen, "imported")
        check_match(r"LANG=C\0", seen, "set")
        check("TEST_HIDDEN" not in seen and "PATH=" not in seen, "the rest is not: " + seen)


missing_programs()
bad_starts()
deaths()
limits()
burst()
disabled()
idle_end()
wakeups()
idle()
broken_environment()
finish()
