#!/usr/bin/env python3
"""Reload: no connection is refused, sessions in hand keep their configuration, mistakes
change nothing, lines come and go."""
import os
import socket
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Connecting, Instance, check, check_equal, check_match, finish, wait_until)

RELOADS = 12


def no_connection_refused():
    with Instance() as mta:
        mta.start()
        threads = [Connecting(mta.port(), 10) for _ in range(4)]
        for thread in threads:
            thread.start()
        kept = mta.smtp()
        for number in range(RELOADS):
            mta.write_configuration(smtpd_banner=f"$myhostname ESMTP number {number}")
            mta.reload()
        wait_until(lambda: f"number {RELOADS - 1}" in greeting(mta), "the last banner")
        for thread in threads:
            thread.ending = True
        for thread in threads:
            thread.join()
            check_equal(thread.bad, [], "connections while reloading")
            check(thread.good > 0, "no session at all")
        kept.say("EHLO client.example", "250-")
        kept.say("QUIT", "221 ")
        check_equal(mta.logged("throttling|killed by signal"), 0, "no trouble")
        wait_until(lambda: len(mta.processes("smtpd")) <= os.cpu_count(),
                   "old smtpd processes to leave")
        check_equal(len(mta.processes("qmgr")), 1, "one qmgr")
        check_equal(len(mta.processes("spool")), 1, "one spool")


def greeting(mta):
    smtp = mta.smtp()
    text = smtp.last
    smtp.say("QUIT", "221 ")
    smtp.close()
    return text


def mistakes_change_nothing():
    with Instance() as mta:
        mta.start()
        before = greeting(mta)
        master = mta.master()
        for changes, pattern in (
                ({"default_process_limit": "many"},
                 r"bad numerical configuration: default_process_limit = many"),
                ({"smtpd_banner": "${{x} == "}, r"fatal|error")):
            old = dict(mta.settings)
            mta.write_configuration(**changes)
            at = mta.log_position()
            kill_hup(mta)
            mta.wait_for_log(r"master\[\d+\]: error: reload: the running configuration stays",
                             since=at)
            check_match(pattern, mta.log_text(at), "the reason")
            mta.settings = old
        mta.write_configuration()
        mta.write("master.cf", open(os.path.join(mta.etc, "master.cf")).read()
                  + "short inet n -\n")
        at = mta.log_position()
        kill_hup(mta)
        mta.wait_for_log(r"error: reload: the running configuration stays", since=at)
        check_match(r"master\.cf\D+\d+", mta.log_text(at), "file and line")
        check_equal(greeting(mta), before, "service goes on")
        check_equal(mta.master(), master, "and so does master")
        # A port that somebody else holds.
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen(1)
            mta.write_configuration()
            mta.write("master.cf", open(os.path.join(mta.etc, "master.cf")).read()
                      + f"127.0.0.1:{taken.getsockname()[1]} inet n - n - - smtpd\n")
            at = mta.log_position()
            kill_hup(mta)
            mta.wait_for_log(r"error: reload: the running configuration stays", since=at)
        check_equal(greeting(mta), before, "still")
        mta.write_configuration()
        mta.reload()
        check_equal(greeting(mta), before, "a good one is taken again")


def kill_hup(mta):
    os.kill(mta.master(), 1)


def lines_come_and_go():
    with Instance(services=["smtpd"]) as mta:
        mta.start()
        mta.lines.append("127.0.0.1:{port1} inet n - n - - smtpd")
        mta.write_configuration()
        mta.reload()
        session = mta.smtp(1)
        mta.lines.pop()
        mta.write_configuration()
        mta.reload()
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", mta.port(1))) != 0,
                   "the listener to close")
        session.say("NOOP", "250 ")
        session.say("QUIT", "221 ")
        mta.smtp().say("QUIT", "221 ")


def settings_reach_sessions():
    with Instance() as mta:
        mta.start()
        old = mta.smtp()
        mta.write_configuration(myhostname="new.test.example")
        mta.reload()
        wait_until(lambda: "new.test.example" in greeting(mta), "the new name")
        check_match(r"^250-mail\.test\.example", old.say("EHLO client.example", "250-"),
                    "a session keeps its configuration")
        old.say("QUIT", "221 ")


no_connection_refused()
mistakes_change_nothing()
lines_come_and_go()
settings_reach_sessions()
finish()
