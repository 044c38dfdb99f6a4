#!/usr/bin/env python3
"""How many processes and sessions a line has: bounds, isolation, stress, retirement, what a
reload leaves to the old processes; passed connections; processes that are stuck."""
import os
import select
import signal
import socket
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, Smtp, check, check_equal, finish, process_status, wait_until


def greeted(smtp):
    """Has the greeting come already?"""
    return bool(select.select([smtp.socket], [], [], 0)[0])


def leave(*sessions):
    for smtp in sessions:
        smtp.say("QUIT", "221 ")
        smtp.close()


def one_session_each():
    """smtpd_sessions_per_process = 1, here for one line, is Postfix's isolation."""
    with Instance({"max_use": "2"}, services=["smtpd"], extra_services=[
            "127.0.0.1:{port1} inet n - n - - smtpd -o smtpd_sessions_per_process=1"]) as mta:
        mta.start()
        shared = [mta.smtp() for _ in range(3)]
        check_equal(len(mta.processes("smtpd")), 1, "processes for three sessions")
        alone = [mta.smtp(1) for _ in range(5)]
        check_equal(len(mta.processes("smtpd")), 6, "processes with five more of their own")
        pids = set(mta.processes("smtpd"))
        leave(*alone)
        # They serve again, and each leaves after max_use sessions.
        for _ in range(5):
            leave(mta.smtp(1))
        wait_until(lambda: len(pids & set(mta.processes("smtpd"))) < 6, "one to retire")
        leave(*shared)
        check_equal(mta.logged("throttling|exit status"), 0, "retirement is no trouble")


def bound_holds_through_reloads():
    """What old processes have in hand counts, and no more than that."""
    with Instance({"smtpd_banner": "$myhostname ESMTP old"}, services=[], extra_services=[
            "127.0.0.1:{port} inet n - n - 4 smtpd",
            "127.0.0.1:{port1} inet n - n - 2 smtpd"]) as mta:
        mta.start()
        held = [mta.smtp() for _ in range(3)]
        both = [mta.smtp(1) for _ in range(2)]
        mta.write_configuration(smtpd_banner="$myhostname ESMTP new")
        mta.reload()
        fresh = mta.smtp()
        check("ESMTP new" in fresh.last, "the fourth session has the new configuration")
        fifth = Smtp(mta.port(), greeting=None)
        third = Smtp(mta.port(1), greeting=None)
        mta.wait_for_log(r'\(127.0.0.1:\d+\) has reached its process limit "4"')
        check(not greeted(fifth) and not greeted(third), "no session beyond the bounds")
        leave(held.pop(), both.pop())
        check("ESMTP new" in fifth.expect("220 "), "room is used")
        check("ESMTP new" in third.expect("220 "), "by both")
        leave(*held, *both, fresh, fifth, third)


def stress():
    with Instance(services=[], extra_services=[
            "127.0.0.1:{port} inet n - n - 10 smtpd",
            "127.0.0.1:{port1} inet n - n - - smtpd"]) as mta:
        mta.start()
        calm = [mta.smtp() for _ in range(8)]

        def is_stressed():
            """${stress?{1}:{20}}: the first error is one too many."""
            smtp = mta.smtp()
            smtp.send("NONSENSE\r\nNOOP\r\n")
            first, second = smtp.reply(), smtp.reply()
            smtp.close()
            return (first + second).find("421 ") >= 0
        wait_until(is_stressed, "stress from 80 % on")
        calm[0].say("NONSENSE", "500 ")
        calm[0].say("NOOP", "250 ")
        other = mta.smtp(1)
        other.say("NONSENSE", "500 ")
        other.say("NOOP", "250 ")
        leave(*calm, other)
        check(is_stressed(), "and for some time after")


def passed_connections():
    with Instance(services=[], extra_services=["smtpd pass - - n - - smtpd"]) as mta:
        mta.start()
        path = os.path.join(mta.queue, "private", "smtpd")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            for number in range(3):
                client = Smtp(listener.getsockname()[1], greeting=None)
                taken, _ = listener.accept()
                with socket.socket(socket.AF_UNIX) as link, taken:
                    link.connect(path)
                    socket.send_fds(link, [b"client_address=192.0.2.1\0"], [taken.fileno()])
                client.expect("220 ")
                client.say("EHLO client.example", "250-")
                leave(client)
        check_equal(mta.logged(r": connect from \S*\[127\.0\.0\.1\]$"), 3, "sessions in the log")
        # Nothing passed: no session, and others are not kept waiting.
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(path)


def stuck():
    with Instance({"daemon_timeout": "2s"}) as mta:
        mta.start()
        mta.smtp().say("NOOP", "250 ")
        pid = mta.process("smtpd")
        mta.expect_trouble(rf"smtpd pid {pid} killed by signal 9")
        os.kill(pid, signal.SIGSTOP)
        mta.wait_for_log(rf"warning: process \S+/smtpd pid {pid}: no sign of life")
        wait_until(lambda: not process_status(pid) or pid not in mta.processes(), "its end")
        leave(mta.smtp())
        check_equal(mta.logged("no sign of life"), 1, "and nobody else's")


one_session_each()
bound_holds_through_reloads()
stress()
passed_connections()
stuck()
finish()
