#!/usr/bin/env python3
"""start-fg with the log on stdout, as process 1 of a container too; postlog; the log file."""
import os
import re
import signal
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Instance, check, check_equal, check_match, finish, is_root, wait_until)


def follow(process, pattern):
    """Lines of stdout up to one that matches."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if re.search(pattern, line):
            return "".join(lines)
    check(False, f"{pattern!r} never came: {''.join(lines)}")
    return "".join(lines)


def log_on_stdout():
    with Instance({"maillog_file": "/dev/stdout"}) as mta:
        done = mta.postern("start", status=1)
        check_match(r"start-fg", done.stderr, "the remedy")
        mta.start_foreground(stdout=subprocess.PIPE)
        process = mta.foreground
        follow(process, r"^\w{3} [ \d]\d [\d:]{8} \S+ postfix/master\[\d+\]: daemon started")
        smtp = mta.smtp()
        follow(process, r"postfix/smtpd\[\d+\]: connect from ")
        smtp.say("QUIT", "221 ")
        mta.postern("status")
        process.send_signal(signal.SIGTERM)
        follow(process, r"terminating on signal 15")
        check_equal(process.wait(15), 0, "exit status")


def first_process():
    if not is_root():
        return
    with Instance({"maillog_file": "/dev/stdout"}) as mta:
        process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
             *mta._argv(["postern", "-c", mta.etc, "start-fg"])],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=mta._environment(), cwd=mta.home)
        follow(process, r"daemon started")
        init = wait_until(lambda: child_of(process.pid), "process 1")
        mta.smtp().say("QUIT", "221 ")
        os.kill(init, signal.SIGTERM)
        follow(process, r"terminating on signal 15")
        check_equal(process.wait(15), 0, "exit status")


def child_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        children = file.read().split()
    return int(children[0]) if children else None


def outside_the_prefixes():
    with Instance({"maillog_file_prefixes": "/nonexistent"}) as mta:
        done = mta.postern("start", status=1)
        check_match(r"maillog_file", done.stderr, "a file elsewhere is refused")


def postlog():
    with Instance(services=[]) as mta:
        os.makedirs(mta.queue, exist_ok=True)
        if mta.user is None:
            mta.run("postlog", "hello", "world")
            mta.run("postlog", "-p", "warn", "-t", "mytool/part", "watch", "out")
            mta.run("postlog", "-i", "-p", "fatal", input="one\ntwo\n")
        for pattern in (r"postfix/postlog\[\d+\]: hello world$",
                        r"mytool/part\[\d+\]: warning: watch out$",
                        r"postfix/postlog\[\d+\]: fatal: one$",
                        r"postfix/postlog\[\d+\]: fatal: two$"):
            mta.wait_for_log(pattern)
        done = mta.run("postlog", "-p", "loud", "x")
        check_equal(done.returncode, 1, "unknown priority")


log_on_stdout()
first_process()
outside_the_prefixes()
postlog()
finish()
