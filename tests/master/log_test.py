#!/usr/bin/env python3
"""maillog_file for those who cannot open it, through postlogd; logrotate."""
import glob
import gzip
import os
import re
import socket
import stat
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Instance, check, check_equal, check_match, finish, is_root,
                     process_state, wait_until)

LINE = "Nov  3 09:05:00 host postfix/tool[77]: "


def postlog_socket(mta):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.connect(os.path.join(mta.queue, "public", "postlog"))
    return s


def lines_of_others():
    with Instance({"max_idle": "1s"}) as mta:
        mta.start()
        check_equal(oct(stat.S_IMODE(os.stat(mta.logfile).st_mode)), oct(0o600), "mode")
        with postlog_socket(mta) as s:
            for number in range(300):
                s.send(f"{LINE}number {number}".encode())
            s.send((LINE + "over\ttwo\nlines\0").encode())
            s.send((LINE + "x" * 5000).encode())
            s.send(b"")
            mta.wait_for_log(r"postfix/tool\[77\]: number 299$")
            check_equal(mta.logged(r"^Nov  3 09:05:00 host postfix/tool\[77\]: number \d+$"),
                        300, "lines")
            mta.wait_for_log(r"over\?two\?lines\?$")
            mta.wait_for_log(r"\]: x{1900,2000}$")
            pid = mta.process("postlogd")
            wait_until(lambda: process_state(pid) in (None, "Z"), "it to leave after max_idle")
            s.send((LINE + "still there").encode())
            mta.wait_for_log(r"still there$")
        check_equal(mta.logged("throttling"), 0, "leaving is no failure")


def commands_of_others():
    """Who may not write the file, but belongs to the group of the set-gid commands."""
    if not is_root():
        return
    with Instance(services=["postlog"]) as mta:
        mta.start()
        done = subprocess.run(
            ["setpriv", "--reuid", "nobody", "--regid", mta.settings["setgid_group"],
             "--clear-groups", os.path.realpath(os.path.join(mta.bin, "postlog")), "-c",
             mta.etc, "-t", "mytool", "hello", "log"], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check_equal((done.returncode, done.stdout), (0, ""), "postlog")
        mta.wait_for_log(r"^\w{3} [ \d]\d [\d:]{8} \S+ mytool\[\d+\]: hello log$")


def rotation():
    with Instance({"maillog_file_rotate_suffix": "%Y%m%d", "maillog_file_permissions": "0640"}
                  ) as mta:
        mta.start()
        session = mta.smtp()
        daemons = mta.processes()
        mta.wait_for_log("connect from")
        mta.postern("logrotate")
        old = glob.glob(mta.logfile + ".*")
        check_equal(len(old), 1, "old files")
        check_match(r"maillog\.\d{8}\.gz$", old[0], "its name")
        with gzip.open(old[0], "rt") as file:
            check_match(r"(?s)daemon started.*connect from", file.read(), "what is in it")
        check_equal(oct(stat.S_IMODE(os.stat(mta.logfile).st_mode)), oct(0o640), "mode")
        check(not re.search("daemon started", mta.log_text()), "the new file is new")
        check_equal(mta.processes(), daemons, "nobody was replaced for that")
        session.say("QUIT", "221 ")
        mta.wait_for_log("disconnect from")
        os.rename(old[0], old[0][:-3])
        done = mta.postern("logrotate", status=1)
        check_match("exists already", done.stderr, "nothing is overwritten")
        mta.write_configuration(maillog_file_rotate_suffix="%H%M%S",
                                maillog_file_compressor="mv -t " + mta.mail)
        mta.postern("logrotate")
        check_equal(len(os.listdir(mta.mail)), 1, "another compressor, with arguments")
        os.rename(mta.logfile, mta.logfile + ".elsewhere")
        mta.reload()
        mta.wait_for_log("reload -- version")
        mta.smtp().say("QUIT", "221 ")
        mta.wait_for_log("disconnect from")
        mta.write_configuration(maillog_file="/dev/null")
        done = mta.postern("logrotate", status=1)
        check_match("no log file to rotate", done.stderr, "nothing to rotate")


def modes():
    """Of a file that is made, whatever the umask; no others than Postfix's."""
    for given, want in (("0600", 0o600), ("0640", 0o640), ("644", 0o644), ("0666", None)):
        with Instance({"maillog_file_permissions": given}, services=[]) as mta:
            os.umask(0o077)
            done = mta.run("postlog", "some words")
            os.umask(0o022)
            mode = os.path.exists(mta.logfile) and stat.S_IMODE(os.stat(mta.logfile).st_mode)
            check_equal(mode, want or False, f"maillog_file_permissions = {given}: {done}")
            if not want:
                done = mta.postern("start", status=1)
                check_match("maillog_file_permissions = 0666 is none of 0600, 0640, 0644",
                            done.stderr, "a mode that is none")


lines_of_others()
modes()
commands_of_others()
rotation()
finish()
