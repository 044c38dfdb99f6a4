#!/usr/bin/env python3
"""A mistake in main.cf or master.cf: file, line, parameter and remedy, in postern check,
at start and reload, from every command and in the log of a daemon; all mistakes at once."""
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish

# A line of main.cf, and what is said of it behind the place.
MAIN_CF = (
    ("message_size_limit = 10M", "bad numerical configuration: message_size_limit = 10M; "
     "write a whole number without a unit, 0 or more"),
    ("smtpd_recipient_limit = 0", "invalid smtpd_recipient_limit parameter value 0 < 1; "
     "write a whole number without a unit, 1 or more"),
    ("smtpd_timeout = 5x", "parameter smtpd_timeout: bad time value or unit: 5x; "
     "write a whole number and one of s, m, h, d, w (seconds, 1 or more)"),
    ("smtpd_helo_required = maybe", "bad boolean configuration: smtpd_helo_required = maybe; "
     "write yes or no"),
    ("syslog_name =", "bad string length 0 < 1: syslog_name =; "
     "give it a value, or remove the line to get the default"),
    ("mynetworks_style = town", 'unknown mynetworks mask style value "town" in "town"; '
     "write class, subnet or host"),
    ("myorigin = /no/such/file", "open /no/such/file: No such file or directory; "
     "make that file, with the name in its first line"),
    ("relayhost = ${mydomain", "macro processing error; correct the ${...} in its value"),
    ("words without equals", "missing '=' after attribute name: \"words without equals\"; "
     "write it as: name = value"),
)
MASTER_CF = (
    ("smtp inet n - q - - smtpd", 'field "chroot": bad value: "q"; see master(5)'),
    ("smtp tcp n - n - - smtpd", "bad transport type: tcp; see master(5)"),
    ("smtp inet n - n - -", 'missing "command name" field; see master(5)'),
)
COMMANDS = (("postqueue", "-p"), ("postmap", "x"), ("postalias", "x"), ("sendmail", "x"),
            ("postlog", "x"), ("postcat", "x"), ("mailq",), ("newaliases",))


def with_lines(mta, *lines):
    """main.cf with these lines at its end; gives the number of the first."""
    mta.write_configuration()
    with open(os.path.join(mta.etc, "main.cf"), encoding="utf-8") as file:
        text = file.read()
    mta.write("main.cf", text + "".join(line + "\n" for line in lines))
    return text.count("\n") + 1


def place(mta, name, line):
    """The two files name lines as Postfix does: main.cf, line 1: and master.cf: line 1:"""
    return re.escape(os.path.join(mta.etc, name)) + f"[,:] line {line}: "


def each_kind(mta):
    for line, said in MAIN_CF:
        number = with_lines(mta, line)
        for command in ("check", "start"):
            done = mta.postern(command, status=1)
            check_match(r"(?m)^postfix: fatal: " + place(mta, "main.cf", number)
                        + re.escape(said), done.stderr, f"postern {command} with {line!r}")
    for line, said in MASTER_CF:
        with_lines(mta)
        mta.write("master.cf", "# comment\n" + line + "\n")
        for command in ("check", "start"):
            done = mta.postern(command, status=1)
            check_match(r"(?m)(?:error|fatal): " + place(mta, "master.cf", 2) + re.escape(said),
                        done.stderr, f"postern {command} with {line!r}")


def all_at_once(mta):
    number = with_lines(mta, *(line for line, _ in MAIN_CF))
    mta.write("master.cf", "".join(line + "\n" for line, _ in MASTER_CF))
    done = mta.postern("check", status=1)
    for i, (line, said) in enumerate(MAIN_CF):
        check_match(place(mta, "main.cf", number + i) + re.escape(said), done.stderr,
                    f"{line!r} among others")
    for i, (line, said) in enumerate(MASTER_CF):
        check_match(place(mta, "master.cf", i + 1) + re.escape(said), done.stderr,
                    f"{line!r} among others")


def commands(mta):
    number = with_lines(mta, MAIN_CF[0][0])
    for command in COMMANDS:
        if not os.path.exists(os.path.join(mta.bin, command[0])):
            continue
        done = mta.run(*command, input="")
        check(done.returncode != 0, f"{command} ends with a failure")
        check_match("fatal: " + place(mta, "main.cf", number) + re.escape(MAIN_CF[0][1]),
                    done.stderr, f"{command}")


def a_service():
    """-o of one service: told of by check; at start the others work without it."""
    with Instance(extra_services=["127.0.0.1:{port1} inet n - n - - smtpd "
                                  "-o smtpd_recipient_limit=many"]) as mta:
        line = len(mta.lines)
        said = (place(mta, "master.cf", line) + r"service 127\.0\.0\.1:\d+: bad numerical "
                "configuration: smtpd_recipient_limit = many; write a whole number")
        check_match("error: " + said, mta.postern("check", status=1).stderr, "check")
        check_match("warning: " + said, mta.start().stderr, "start")
        mta.smtp().say("QUIT", "221 ")


def reload():
    with Instance(services=["smtpd"]) as mta:
        mta.start()
        number = with_lines(mta, MAIN_CF[0][0])
        said = place(mta, "main.cf", number) + re.escape(MAIN_CF[0][1])
        check_match("fatal: " + said, mta.postern("reload", status=1).stderr, "reload")
        at = mta.log_position()
        os.kill(mta.master(), 1)
        mta.wait_for_log("error: reload: the running configuration stays", since=at)
        check_match(r"master\[\d+\]: error: " + said, mta.log_text(at), "in the log")
        mta.write_configuration()


with Instance() as mta:
    each_kind(mta)
    all_at_once(mta)
    commands(mta)
    check_equal(mta.master(), None, "nothing was started")
a_service()
reload()
finish()
