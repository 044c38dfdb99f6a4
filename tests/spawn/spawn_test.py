#!/usr/bin/env python3
"""spawn(8), beside that of Debian's Postfix 3.7: what a command finds, how its end and its time limit
are reported, whom it may run as; a policy server that smtpd asks; clients that stay through a
reload and the end of the mail system. As root and as an ordinary user."""
import os
import pwd
import re
import socket
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (PATIENCE, Instance, check, check_equal, check_match, finish, is_root,
                     kill, process_state, process_status, wait_until)
from postfix37 import Postfix37, is_there

ABOUT = """#!/usr/bin/python3
import fcntl, os, socket
print(os.getuid(), os.getgid(), os.getgroups(), os.getcwd(), oct(os.umask(0)))
print("leads its session", os.getsid(0) == os.getpid() == os.getpgid(0))
print("arguments", os.sys.argv[1:])
print("environment", sorted(name for name in os.environ if name != "LC_CTYPE"))
print("waits", not fcntl.fcntl(0, fcntl.F_GETFL) & os.O_NONBLOCK)
print("one connection", len({os.fstat(fd).st_ino for fd in (0, 1, 2)}) == 1)
print("descriptors", sorted(int(fd) for fd in os.listdir("/proc/self/fd") if int(fd) < 3),
      any(os.path.exists(f"/proc/self/fd/{fd}") for fd in range(4, 1000)))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print("walls", status["NoNewPrivs"].strip(), status["Seccomp"].strip(), status["CapPrm"].strip())
"""
# Answers with its process id, then with what it hears; a helper of its own runs beside it.
ECHO = """#!/bin/sh
echo $$
exec cat
"""
LATE = """#!/bin/sh
sleep 1000 &
echo $! $$
wait
"""
KILLED = """#!/bin/sh
kill -9 $$
"""
# As those of other people: one question after the other until the client leaves.
POLICY = """#!/usr/bin/python3
import sys
asked = {}
for line in sys.stdin:
    name, found, value = line.rstrip("\\n").partition("=")
    if found:
        asked[name] = value
        continue
    local = asked.get("recipient", "").partition("@")[0]
    if local == "crash":
        sys.exit(7)
    print({"no": "action=REJECT spawned and sure"}.get(local, "action=DUNNO"), end="\\n\\n", flush=True)
    asked.clear()
"""
SCRIPTS = {"about": ABOUT, "echo": ECHO, "late": LATE, "killed": KILLED, "policy": POLICY}
LINES = ["about", "echo", "killed", "late"]
BAD = {  # arguments: what the log says, in Postern's words
    "user=root argv=/bin/cat": "specifies root privileges",
    "user=mail argv=/bin/cat": "specifies mail system owner mail",
    "user=nobody:root argv=/bin/cat": "specifies privileged group id 0",
    "user=nobody:mail argv=/bin/cat": "specifies mail system owner mail group id",
    "user=nosuchuser argv=/bin/cat": "unknown username: nosuchuser",
    "user=nobody:nosuchgroup argv=/bin/cat": "unknown group: nosuchgroup",
    "argv=/bin/cat": "missing user=", "user=nobody": "missing argv=",
    "directory=/ user=nobody argv=/bin/cat": "unknown attribute name, or bad value: directory=/",
}
SETTINGS = {
    "mydestination": "here.example", "local_recipient_maps": "", "local_transport": "discard",
    "late_time_limit": "1s", "smtpd_policy_service_retry_delay": "1s",
    "smtpd_policy_service_default_action": "451 4.3.5 no answer",
    "smtpd_recipient_restrictions": "check_policy_service unix:private/policy, "
                                    "check_policy_service inet:127.0.0.1:{port9}",
}


def prepare(mta, who):
    """Its lines: the inet ports are {port1} ... in the order of LINES."""
    for name, text in SCRIPTS.items():
        os.chmod(mta.write(name, text), 0o755)
    os.chmod(mta.etc, 0o755)
    run = f"spawn user={who} argv="
    mta.lines += [f"127.0.0.1:{{port{n}}} inet n n n - 0 {run}{mta.etc}/{name} one {{two}}"
                  for n, name in enumerate(LINES, 1)]
    mta.lines[-1] = mta.lines[-1].replace("127.0.0.1:{port4} inet n", "late unix n")
    mta.lines += [f"policy unix - n n - 0 {run}{mta.etc}/policy",
                  f"127.0.0.1:{{port9}} inet n n n - 0 {run}{mta.etc}/policy",
                  f"absent unix n n n - 0 {run}/no/such/program",
                  f"single unix n n n - 1 {run}{mta.etc}/echo"]
    mta.lines += [f"bad{n} unix n n n - 0 spawn {text}" for n, text in enumerate(BAD)]
    mta.write_configuration(**{name: mta._fill_in(value) for name, value in SETTINGS.items()})


def connect(mta, service):
    if service in LINES[:3]:
        return socket.create_connection(("127.0.0.1", mta.port(1 + LINES.index(service))), PATIENCE)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    connection.connect(os.path.join(mta.queue, "public", service))
    return connection


def all_of(connection):
    """What it says until it hangs up."""
    with connection, connection.makefile("r") as file:
        return file.read()


def report(mta, pattern):
    """A line in the log of spawn, without process ids, folders of the test, and a slip of Postfix."""
    found = mta.wait_for_log(rf"postfix/spawn\[\d+\]: (.*{pattern}.*)")
    return re.sub(r"process id \d+", "process id N", found[1].replace(mta.etc, "ETC").replace(
        "spawn_comand", "spawn_command")) if found else ""


def mail(mta, local, begin):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    smtp.say("MAIL FROM:<s@x.example>", "250 ")
    reply = smtp.say(f"RCPT TO:<{local}@here.example>", begin)
    smtp.close()
    return reply


def observe(mta):
    """What both mail systems have to show alike."""
    seen = {"about": all_of(connect(mta, "about")).replace(os.path.realpath(mta.queue), "QUEUE")}
    check_equal(all_of(connect(mta, "killed")), "", "killed")
    with connect(mta, "late") as client, client.makefile("r") as file:
        late = file.readline().split()
        limit = report(mta, "command time limit")
        if isinstance(mta, Postfix37):  # has not the rights to kill it, and waits
            for pid in reversed(late):  # the shell first, or it would just end
                kill(int(pid))
        check_equal(file.read(), "", "after its time")
    wait_until(lambda: all(process_state(int(pid)) in (None, "Z") for pid in late),
               "the end of its process group")
    check_equal(all_of(connect(mta, "absent")), "", "nothing of ours in the connection")
    seen["log"] = [limit] + [report(mta, pattern) for pattern in (
        "/killed killed", "/late killed", "execvp", "program exit status")]
    with connect(mta, "echo") as client, client.makefile("rw") as file:
        file.readline()
        file.write("hello\n")
        file.flush()
        seen["echo"] = file.readline()
    seen["mail"] = [mail(mta, "yes", "250 "), mail(mta, "no", "554 5.7.1"), mail(mta, "yes", "250 ")]
    seen["crash"] = mail(mta, "crash", "451 4.3.5")
    seen["log"].append(report(mta, "policy exit status"))
    return seen


def stays(mta):
    """One client at a time where the line says so; a client stays through a reload, and beyond the
    end."""
    first, second = connect(mta, "single"), connect(mta, "single")
    with first, second, first.makefile("rw") as one, second.makefile("rw") as two:
        pid = int(one.readline())
        mta.reload()
        one.write("after the reload\n")
        one.flush()
        check_equal(one.readline(), "after the reload\n", "after a reload")
        first.shutdown(socket.SHUT_WR)
        check_equal(one.read(), "", "it ends with its input")
        wait_until(lambda: process_state(pid) in (None, "Z"), "the end of the first")
        pid = int(two.readline())
        mta.stop()
        two.write("after the end\n")
        two.flush()
        check_equal(two.readline(), "after the end\n", "after the end of the mail system")
        check(process_status(pid).get("Name") == "cat", "it runs on")
    wait_until(lambda: process_state(pid) in (None, "Z"), "its end with its client")


def mistakes(mta):
    """A line that gives away rights, or has mistakes, serves nobody."""
    clients = [connect(mta, f"bad{number}") for number in range(len(BAD))]
    for complaint in BAD.values():
        mta.wait_for_log(rf"spawn\[\d+\]: fatal: .*{re.escape(complaint)}")
    for client in clients:
        client.close()


def run(user, who):
    with Instance(user=user) as mta:
        prepare(mta, who)
        mta.start()
        ours = observe(mta)
        check_match(r"leads its session True\n(.*\n)*waits True\none connection True\n"
                    r"descriptors \[0, 1, 2\] False\n", ours["about"], "what a command finds")
        if mta.as_root:
            for pid in mta.processes("spawn"):
                status = process_status(pid)
                check_equal((status["NoNewPrivs"], status["Seccomp"], int(status["CapEff"], 16)),
                            ("1", "2", 0), "the agent is in the jail")
            mistakes(mta)
        else:
            with connect(mta, "bad0"):  # user=root, whom only root can serve
                mta.wait_for_log(r"spawn\[\d+\]: warning: this instance cannot run commands as uid 0")
        stays(mta)
    return ours


def compare(ours):
    with Postfix37() as peer:
        prepare(peer, "nobody")
        peer.write_configuration(export_environment=f"{peer.settings['export_environment']} X=y")
        peer.start()
        theirs = observe(peer)
        # Postfix37 cannot run without this one.
        theirs["about"] = theirs["about"].replace("'LD_LIBRARY_PATH', ", "").replace(", 'X'", "")
        for client in [connect(peer, f"bad{number}") for number in range(len(BAD))]:
            check_equal(all_of(client), "", "Postfix refuses it, too")
    for name, want in theirs.items():
        check_equal(ours[name], want, name)


if is_root():
    found = run(None, "nobody")
    if is_there():
        compare(found)
run("nobody" if is_root() else None, "nobody" if is_root() else pwd.getpwuid(os.geteuid()).pw_name)
finish()
