#!/usr/bin/env python3
"""What systemd is told: ready, reloading, stopping, signs of life; the unit file."""
import os
import re
import signal
import socket
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (PATIENCE, TOP, Instance, check, check_equal, check_match, finish,
                     is_root)


class Manager:
    """The end of systemd."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def next(self, but=()):
        """The next text that is not one of those, and the process that sent it."""
        while True:
            text, side, _, _ = self.socket.recvmsg(500, 100)
            if text.decode() not in but:
                return text.decode(), int.from_bytes(side[0][2][:4], sys.byteorder)


def is_told():
    # An abstract name is visible to all of this network namespace: one that nobody else has.
    for path in ("notify", f"@postern-test-{os.getpid()}"):
        with Instance() as mta:
            if path[0] != "@":
                path = os.path.join(mta.home, path)
            manager = Manager(path.replace("@", "\0"))
            if path[0] != "@":
                os.chmod(path, 0o666)
            mta.environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "600000"}
            mta.start_foreground()
            text, pid = manager.next()
            check_equal(text, "READY=1", "first")
            check_equal(pid, mta.master(), "from the process that systemd started")
            check_equal(pid, mta.foreground.pid, "that is this one")
            mta.smtp().say("QUIT", "221 ")
            for _ in range(3):
                check_equal(manager.next()[0], "WATCHDOG=1", "a sign of life")
            if is_root():  # daemons are not dumpable: their users cannot look
                with open(f"/proc/{mta.process('qmgr')}/environ") as file:
                    check(not re.search("NOTIFY|WATCHDOG", file.read()), "a daemon's environment")
            for good in (True, False):
                mta.write_configuration(default_process_limit="10" if good else "many")
                os.kill(pid, signal.SIGHUP)
                check_match(r"^RELOADING=1\nMONOTONIC_USEC=\d+$",
                            manager.next(["WATCHDOG=1"])[0], "a reload")
                check_equal(manager.next(["WATCHDOG=1"])[0], "READY=1", "its end")
            mta.write_configuration(default_process_limit="10")
            os.kill(pid, signal.SIGUSR2)
            check_equal(manager.next(["WATCHDOG=1"]), ("READY=1", pid), "an upgrade")
            check_equal(manager.next()[0], "WATCHDOG=1", "a sign of life of the new program")
            os.kill(pid, signal.SIGTERM)
            check_equal(manager.next(["WATCHDOG=1"])[0], "STOPPING=1", "the end")
            check_equal(mta.foreground.wait(PATIENCE), 0, "exit status")
            manager.socket.close()


def unit():
    path = os.path.join(TOP, "conf", "postern.service")
    subprocess.run(["make", "-s", "-C", TOP, "conf/postern.service"], check=True)
    with open(path) as file:
        text = file.read()
    for wanted in (r"^Type=notify$", r"^ExecStart=\S+ start-fg$", r"^ExecReload=\S+ reload$",
                   r"^ExecStop=\S+ stop$", r"^WatchdogSec="):
        check_match("(?m)" + wanted, text, "the unit")
    check(not re.search("@[a-z_]+@", text), "every place is filled in")


is_told()
unit()
finish()
