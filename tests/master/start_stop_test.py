#!/usr/bin/env python3
"""postern start, status, check, reload, stop, abort, drain: words, exit codes, directories,
owners; as root and as an ordinary user."""
import grp
import os
import pwd
import re
import shutil
import socket
import stat
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Instance, check, check_equal, check_match, finish, is_root,
                     process_state, wait_until)

DIRECTORIES = {  # contract 3.8: mode, owner is root, group is setgid_group
    "": (0o755, True, False), "pid": (0o755, True, False),
    "public": (0o710, False, True), "maildrop": (0o730, False, True),
}
DIRECTORIES.update({name: (0o700, False, False) for name in
                    "incoming active deferred bounce defer trace corrupt hold flush saved "
                    "private log".split()})


def check_directories(mta):
    for name, (mode, root, setgid) in DIRECTORIES.items():
        found = os.stat(os.path.join(mta.queue, name))
        check_equal(oct(stat.S_IMODE(found.st_mode)), oct(mode), f"mode of {name}")
        owner = pwd.getpwnam(mta.settings["mail_owner"]).pw_uid
        check_equal(found.st_uid, 0 if root and mta.as_root else owner, f"owner of {name}")
        if setgid and mta.as_root:
            check_equal(found.st_gid, grp.getgrnam(mta.settings["setgid_group"]).gr_gid,
                        f"group of {name}")
    check_equal(oct(stat.S_IMODE(os.stat(mta.data).st_mode)), oct(0o700), "mode of data")


def life(user):
    with Instance(user=user) as mta:
        done = mta.postern("status", status=1)
        check_match(r"the Postfix mail system is not running", done.stderr, "status")
        done = mta.postern("stop", status=1)
        check_match(r"fatal: the Postfix mail system is not running", done.stderr, "stop")

        done = mta.start()
        check_match(r"creating missing directory \S+/private", done.stderr, "it says so")
        check_match(r"starting the Postfix mail system", done.stderr, "start")
        check_directories(mta)
        mta.wait_for_log(r"master\[\d+\]: daemon started -- version \S+, configuration "
                         + mta.etc)
        with open(os.path.join(mta.queue, "pid", "master.pid")) as file:
            text = file.read()
        check_match(r"^ {10,}\d+\n$", text, "pid file, blank-padded")
        with open(f"/proc/{mta.master()}/comm") as file:
            check_equal(file.read().strip(), "master", "name of the process")

        done = mta.postern("start", status=1)
        check_match(r"fatal: the Postfix mail system is already running", done.stderr, "twice")
        done = mta.postern("status")
        check_match(rf"the Postfix mail system is running: PID: {mta.master()}", done.stderr,
                    "status")
        mta.postern("check")
        done = mta.run(os.path.join(mta.sbin, "master"), "-t", "-c", mta.etc)
        check_equal(done.returncode, 1, "master -t while one runs")

        for name in ("broker", "spool", "qmgr"):
            mta.process(name)
        mta.reload()
        mta.wait_for_log(r"postfix-script\[\d+\]: refreshing the Postfix mail system")

        master, daemons = mta.master(), mta.processes()
        done = mta.postern("stop")
        check_match(r"stopping the Postfix mail system", done.stderr, "stop")
        mta.wait_for_log(r"master\[\d+\]: terminating on signal 15")
        check(process_state(master) in (None, "Z"), "master is gone when stop comes back")
        check_equal([p for p in daemons if process_state(p) not in (None, "Z")], [],
                    "and so are the daemons")
        done = mta.run(os.path.join(mta.sbin, "master"), "-t", "-c", mta.etc)
        check_equal(done.returncode, 0, "master -t when none runs")

        mta.start()
        master = mta.master()
        mta.postern("abort")
        wait_until(lambda: process_state(master) in (None, "Z"), "the end after abort")

        mta.start()
        master, spool = mta.master(), mta.process("spool")
        mta.process("qmgr")
        mta.postern("drain")
        wait_until(lambda: process_state(master) in (None, "Z"), "the end of master")
        wait_until(lambda: process_state(spool) in (None, "Z"),
                   "the end of spool, which sees that master is gone")
        mta.start()


def refusals():
    with Instance(services=["smtpd"]) as mta:
        done = mta.postern("nonsense", status=1)
        check_match(r"unknown command: 'nonsense'", done.stderr, "unknown command")
        mta.write_configuration(default_process_limit="many")
        done = mta.postern("start", status=1)
        check_match(r"bad numerical configuration: default_process_limit = many", done.stderr,
                    "main.cf")
        mta.write_configuration(default_process_limit="50")
        mta.write("master.cf", "smtp inet n - -\n")
        done = mta.postern("start", status=1)
        check_match(r"master\.cf\D+1\b", done.stderr, "master.cf, file and line")
        check_equal(mta.master(), None, "it did not start")
        mta.write_configuration()
        if is_root():
            os.makedirs(mta.queue, exist_ok=True)
            mta.user = "nobody"
            done = mta.postern("start", status=1)
            mta.user = None
            check_match(r"the postfix command is reserved for the superuser", done.stderr,
                        "another user's instance")


def fresh_installation():
    """The master.cf that an installation brings boots, with port 25 moved."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../conf/master.cf")
    with open(path) as file:
        text, moved = re.subn(r"^smtp( +)inet", r"127.0.0.1:PORT\1inet", file.read(),
                              flags=re.M)
    check_equal(moved, 1, "the smtp line")
    with Instance(services=[]) as mta:
        mta.write("master.cf", text.replace("PORT", str(mta.port())))
        mta.start()
        mta.smtp().say("QUIT", "221 ")
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.path.join(mta.queue, "public", "flush"))
        check_equal(mta.logged("trivial-rewrite|scache"), 0, "what others do is not missing")
        check_equal(mta.logged("throttling"), 0, "nobody fails")


def own_copy(link):
    """In place of a link."""
    shutil.copy(link, link + ".new")
    os.rename(link + ".new", link)


def check_finds():
    with Instance(services=["smtpd"]) as mta:
        mta.start()
        os.chmod(os.path.join(mta.queue, "private"), 0o777)
        path = mta.write("extra", "")
        os.chmod(path, 0o666)
        done = mta.postern("check")
        check_match(rf"group or other writable: {path}", done.stderr, "check of files")
        check_match(r"/private allows more than 0700", done.stderr, "check of directories")
        if is_root():
            for name in ("postdrop", "postqueue"):  # not those of the build folder
                own_copy(os.path.join(mta.bin, name))
            mta.postern("set-permissions")
            for name in ("postdrop", "postqueue"):
                found = os.lstat(os.path.join(mta.bin, name))
                check_equal(oct(stat.S_IMODE(found.st_mode)), oct(0o2755), f"mode of {name}")
                check_equal(found.st_gid, grp.getgrnam(mta.settings["setgid_group"]).gr_gid,
                            f"group of {name}")
            check_equal(oct(os.stat(os.path.join(mta.queue, "private")).st_mode & 0o777),
                        oct(0o700), "set-permissions")


def old_configuration():
    with Instance(services=["smtpd", "cleanup", "qmgr"], extra_services=[
            "pickup fifo n - n 60 1 pickup", "tlsmgr fifo - - n 300 1 tlsmgr"]) as mta:
        path = os.path.join(mta.etc, "master.cf")
        with open(path) as file:
            before = file.read()
        done = mta.postern("upgrade-configuration")
        with open(path) as file:
            after = file.read()
        check(after.startswith(before), "what was there stays")
        for name in ("retry", "postlog", "discard"):
            check_match(rf"(?m)^{name} unix", after[len(before):], "a line")
            check_match(rf"editing \S+/master.cf, adding missing entry for {name} service",
                        done.stderr, "which is told")
        check(not re.search("(?m)^(tlsmgr|pickup|cleanup) ", after[len(before):]), "no others")
        done = mta.postern("upgrade-configuration")
        with open(path) as file:
            check_equal((file.read(), done.stderr), (after, ""), "nothing the second time")
        mta.start()
        mta.smtp().say("QUIT", "221 ")
        if mta.as_root:
            check_equal(mta.run("sendmail", "-f", "a@client.example", "b@mail.test.example",
                                input="Subject: x\n\nx\n").returncode, 0, "sendmail")
            mta.wait_for_log(r"pickup\[\d+\]: \w+: uid=0 from=<a@client.example>")


life(None)
if is_root():
    life("nobody")
refusals()
fresh_installation()
check_finds()
old_configuration()
finish()
