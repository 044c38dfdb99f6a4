#!/usr/bin/env python3
"""postlock holds the locks of local(8) while a command runs; postkick reaches a daemon."""
import fcntl
import os
import signal
import subprocess
import sys
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, wait_until

TRY = ("import fcntl, sys; f = open('box', 'a')\n"
       "try: {}\nexcept OSError: print('locked')\nelse: print('free')")
TRIES = {"fcntl": TRY.format("fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)"),
         "flock": TRY.format("fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)"),
         "dotlock": "import os; print('locked' if os.path.exists('box.lock') else 'free')"}


def says(mta, *arguments):
    done = mta.run("postlock", *arguments)
    return done.returncode, done.stdout.strip(), done.stderr.strip()


with Instance({"deliver_lock_attempts": "2", "deliver_lock_delay": "1s", "maillog_file": ""},
              services=[]) as mta:
    box = os.path.join(mta.home, "box")
    for style, others in [("fcntl", "flock"), ("flock", "dotlock"), ("dotlock", "fcntl")]:
        for of, want in [(style, "locked"), (others, "free")]:
            check_equal(says(mta, "-l", style, "box", sys.executable, "-c", TRIES[of]),
                        (0, want, ""), f"{of} under {style}")
    for of, want in [("fcntl", "locked"), ("dotlock", "locked"), ("flock", "free")]:
        check_equal(says(mta, "box", sys.executable, "-c", TRIES[of]), (0, want, ""),
                    f"{of} under mailbox_delivery_lock")
    check_equal(os.stat(box).st_mode & 0o777, 0o600, "a box that was made")
    check(not os.path.exists(box + ".lock"), "no lock file is left")

    # What others hold.
    with open(box, "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        check_equal(says(mta, "-l", "flock", box, "echo", "not", "run"),
                    (75, "", f"postlock: fatal: open file {box}: unable to lock for exclusive "
                     "access: Resource temporarily unavailable"), "a lock of somebody else")
    with open(box + ".lock", "w", encoding="utf-8"):
        check_equal(says(mta, "-l", "dotlock", box, "echo", "not", "run"),
                    (75, "", f"postlock: fatal: open file {box}: unable to create lock file "
                     f"{box}.lock: Resource temporarily unavailable"), "a lock file")
        os.utime(box + ".lock", (time.time() - 1000,) * 2)
        check_equal(says(mta, "-l", "dotlock", box, "echo", "run"), (0, "run", ""),
                    "a stale lock file")

    # A signal ends the command, then the lock.
    with subprocess.Popen([os.path.join(mta.bin, "postlock"), "-c", mta.etc, box, "cat"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as locked:
        locked.stdin.write(b"it runs\n")
        locked.stdin.flush()
        check_equal(locked.stdout.readline(), b"it runs\n", "the command")
        check(os.path.exists(box + ".lock"), "the lock file is there")
        locked.send_signal(signal.SIGTERM)
        check_equal(locked.wait(20), 1, "exit status after a signal")
    check(not os.path.exists(box + ".lock"), "no lock file is left after a signal")

with Instance({"mydestination": "", "smtpd_reject_unlisted_recipient": "no",
               "transport_maps": "inline:{{later.example=retry:no}}"},
              services=["smtpd", "cleanup", "qmgr", "retry", "smtp", "showq"]) as mta:
    mta.start()
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message("s@x.example", "r@later.example", "Subject: x\n\nx")
    smtp.close()
    commands = [["postkick", "public", "qmgr", "F"], ["postkick", "public", "qmgr", "IDFA"],
                ["postkick", "-v", "public", "qmgr", "WF"], ["postqueue", "-i", qid],
                ["postqueue", "-f"]]
    for attempts, command in enumerate(commands, 1):
        mta.wait_for_log(rf"{qid}: to=.*status=deferred", count=attempts)
        wait_until(lambda: '"deferred"' in mta.run("postqueue", "-j").stdout,
                   f"the end of attempt {attempts}")
        done = mta.run(*command)
        check_equal((done.returncode, done.stderr), (0, ""), " ".join(command))
    mta.wait_for_log(rf"{qid}: to=.*status=deferred", count=len(commands) + 1)
finish()
