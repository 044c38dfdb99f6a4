#!/usr/bin/env python3
"""What sendmail makes of its command line and of the first lines of its input."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish

# -f argument: envelope sender as it is logged
SENDERS = (
    ("foo@bar.example", "foo@bar.example"),
    ("<foo@bar.example>", "foo@bar.example"),
    ("Foo Bar <foo@bar.example>", "foo@bar.example"),
    ("foo@bar.example (Foo)", "foo@bar.example"),
    ("", ""),
    ("<>", ""),
)


def delivered(mta, count):
    return sorted(mta.maildir("u", count), key=lambda text: text.split("Subject: ")[1])


def senders(mta):
    for number, (argument, want) in enumerate(SENDERS, 1):
        done = mta.run("sendmail", "-f", argument, "u@box.example",
                       input=f"Subject: {number}\n\nx\n")
        check_equal((done.returncode, done.stderr), (0, ""), f"-f {argument!r}")
        text = delivered(mta, number)[number - 1]
        check(f"Return-Path: <{want}>\n" in text, f"-f {argument!r} gives {want!r}: {text}")


def mailbox_lines(mta):
    before = len(SENDERS)
    for number, lines in enumerate(("From a@b Thu Nov 26 10:00:00 2026\n",
                                    "From a@b Thu Nov 26 10:00:00 2026\n>From c@d Wed\n",
                                    ">From c@d Wed\n"), before + 1):
        mta.run("sendmail", "u@box.example", input=f"{lines}Subject: {number}\nX-A: b\n\nx\n")
        text = delivered(mta, number)[number - 1]
        check("From a@b" not in text and "From c@d" not in text, f"{lines!r} is dropped: {text}")
        check_match(r"\nX-A: b\n(.*\n)*\nx\n", text, "the header goes on")


def mistakes(mta):
    for arguments, text in (
            ([], r"^sendmail: fatal: \S+\(\d+\): Recipient addresses must be specified on the "
                 r"command line or via the -t option$"),
            (["-t"], r"^sendmail: fatal: \S+\(\d+\): No recipient addresses found in message "
                     r"header$")):
        done = mta.run("sendmail", *arguments, input="Subject: x\n\n")
        check_equal(done.returncode, 75, f"{arguments}: exit")
        check_match(text, done.stderr.rstrip("\n"), f"{arguments}: what it says")


def instance():
    mta = Instance({"mydestination": "", "virtual_mailbox_domains": "box.example",
                    "virtual_mailbox_maps": "static:u/",
                    "virtual_uid_maps": f"static:{os.getuid() or 1000}",
                    "virtual_gid_maps": f"static:{os.getgid() or 1000}",
                    "virtual_minimum_uid": "1"})
    mta.write_configuration(virtual_mailbox_base=mta.mail)
    os.chmod(mta.mail, 0o777)
    return mta


with instance() as main_instance:
    main_instance.start()
    senders(main_instance)
    mailbox_lines(main_instance)
    mistakes(main_instance)
finish()
