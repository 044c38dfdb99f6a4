#!/usr/bin/env python3
"""Clients that bring smtpd down: a network whose sessions were running in three crashes is
refused for an hour. Others are not, nor is who happened to be there when somebody killed a
process.

Needs a build with --enable-captured, where `NOOP crash` is a mistake of ours."""
import os
import signal
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, Smtp, check_equal, finish, kill, skip, wait_until
from load import is_captured_build

REFUSED = ("421 4.7.0 mail.test.example Error: clients of your network have ended too many "
           "of our processes; try again later")
SETTINGS = {"smtpd_peername_lookup": "no", "mydestination": "here.example"}


def client(mta, source, greeting="220 "):
    return Smtp(mta.port(), source=(source, 0), greeting=greeting)


def crash(mta, source):
    at = mta.log_position()
    smtp = client(mta, source)
    bystander = client(mta, "127.0.1.1")  # said something later than the guilty one
    smtp.say("EHLO x", "250-")
    bystander.say("EHLO x", "250-")
    smtp.say("NOOP crash", "")
    mta.wait_for_log(r"smtpd pid \d+ killed by signal 6", since=at)


def killed(mta, signo):
    """A session is there, and even works, when an administrator ends the process."""
    smtp = client(mta, "127.0.2.1")
    smtp.say("EHLO x", "250-")
    for pid in mta.processes("smtpd"):
        kill(pid, signo)
        wait_until(lambda: pid not in mta.processes("smtpd"), "the end of smtpd")


if not is_captured_build():
    skip("this build is without --enable-captured")
with Instance(SETTINGS, services=["smtpd", "cleanup"]) as mta:
    mta.expect_trouble("smtpd pid .* killed by signal")
    mta.start()
    for _ in range(3):
        killed(mta, signal.SIGKILL)
    client(mta, "127.0.2.1").say("QUIT", "221 ")
    for n in (1, 2):
        crash(mta, f"127.0.7.{n}")
    client(mta, "127.0.7.9").say("QUIT", "221 ")
    crash(mta, "127.0.7.3")
    mta.wait_for_log(r"master\[\d+\]: warning: process \d+ was in a session with a client in "
                     r"127\.0\.7\.0/24$", 3)
    mta.wait_for_log(r"master\[\d+\]: warning: clients in 127\.0\.7\.0/24 have ended 3 processes "
                     r"within an hour: they are refused for an hour")
    for _ in range(2):
        refused = client(mta, "127.0.7.200", greeting=REFUSED)
        check_equal(refused.reply(), "", "closed")
        mta.wait_for_log(r"smtpd\[\d+\]: NOQUEUE: reject: CONNECT from unknown\[127\.0\.7\.200\]: "
                         + REFUSED + r"; proto=SMTP$")
        client(mta, "127.0.1.1").say("QUIT", "221 ")
        client(mta, "127.0.6.1").say("QUIT", "221 ")
        mta.reload()  # is not forgiveness
    mta.stop()
    mta.start()       # a fresh start is
    client(mta, "127.0.7.200").say("QUIT", "221 ")
finish()
