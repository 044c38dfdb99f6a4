#!/usr/bin/env python3
"""What sendmail makes of its command line and of the first lines of its input."""
import os
import pwd
import re
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish, wait_until

ME = pwd.getpwuid(os.getuid()).pw_name
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


def arrivals(mta, count, *arguments, text="Subject: x\n\nx\n"):
    """What comes of one call: the new messages in the mailbox, which is emptied."""
    mta.environment.setdefault("NAME", "")
    folder = os.path.join(mta.mail, "u", "new")
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    done = mta.run("sendmail", *arguments, input=text)
    check_equal((done.returncode, done.stderr), (0, ""), f"{arguments}")
    return sorted(mta.maildir("u", count))


def one_sender_each(mta):
    texts = arrivals(mta, 2, "-XV", "-f", "s@box.example", "u@box.example", "w@box.example")
    check_equal([text.split("\n")[0] for text in texts],
                ["Return-Path: <s+u=box.example@box.example>",
                 "Return-Path: <s+w=box.example@box.example>"], "VERP")
    texts = arrivals(mta, 2, "-XV=+", "-f", "s@box.example", "x@gone.example", "y@gone.example")
    check_equal(sorted(re.search("^To: (.*)$", text, re.M)[1] for text in texts),
                ["s=x+gone.example@box.example", "s=y+gone.example@box.example"],
                "a notice for each")
    mta.write_configuration(disable_verp_bounces="yes")
    mta.reload()
    texts = arrivals(mta, 1, "-XV", "-f", "s@box.example", "x@gone.example", "y@gone.example")
    check_equal([re.findall("^(?:To|Final-Recipient): (.*)$", text, re.M) for text in texts],
                [["s@box.example", "rfc822; x@gone.example", "rfc822; y@gone.example"]],
                "disable_verp_bounces: one notice")


def reports(mta):
    texts = arrivals(mta, 2, "-v", "-f", "s@box.example", "u@box.example")
    check("Action: delivered\n" in texts[0] and "Delivery Status Report" in texts[0],
          f"-v: a report: {texts[0]}")
    check("\nx\n" in texts[1], "-v: and the message")
    texts = arrivals(mta, 1, "-bv", "-f", "s@box.example", "u@box.example", "x@gone.example")
    check_equal(sorted(re.findall("^Action: (.*)$", texts[0], re.M)),
                ["deliverable", "undeliverable"], "-bv: a report, and nothing else")


def report_once(mta):
    """What is tried again is reported once; what was only asked for is not tried again."""
    text = arrivals(mta, 1, "-v", "-f", "s@box.example", "x@dead.example")[0]
    check("\nAction: delayed\n" in text, f"-v: {text}")
    at = mta.log_position()
    mta.run("postqueue", "-f")
    qid = mta.wait_for_log(r"smtp\[\d+\]: (\w+): to=<x@dead\.example>.* status=deferred",
                           since=at)[1]
    mta.run("postsuper", "-d", qid)
    mta.wait_for_log(f"{qid}: removed")
    check_equal(len(mta.maildir("u")), 1, "reports")
    text = arrivals(mta, 1, "-bv", "-f", "s@box.example", "x@dead.example")[0]
    check("\nAction: undeliverable\nStatus: 4.4.1\n" in text, f"-bv: {text}")
    check_equal(mta.run("mailq").stdout, "Mail queue is empty\n", "-bv leaves nothing")


def asks_local(mta):
    """Users, aliases and commands: what would be done, and is not."""
    text = arrivals(mta, 1, "-bv", "-f", "s@box.example", *(f"{name}@here.example" for name in (
        ME, "command", "file", "list", "nobody-there")))[0]
    said = dict(re.findall(r"^<(.*)@here\.example>: (.*(?:\n    .*)*)", text, re.M))
    for name, want in (("command", "delivery via local: delivers to command: /bin/echo x >"),
                       ("file", "delivery via local: delivers to file: "),
                       ("list", "delivery via local: is forwarded"),
                       ("nobody-there", 'unknown user: "nobody-there"'),
                       (ME, ".")):
        check_match(want, re.sub(r"\s+", " ", said.get(name, "")), f"-bv {name}")
    check(not os.path.exists(os.path.join(mta.home, "did")), "and nothing is done")


def names(mta):
    """Who the sender is called: -F, NAME, and the form of header_from_format."""
    mta.environment["NAME"] = "Env (Name)"
    text = arrivals(mta, 1, "-f", "s@box.example", "u@box.example")[0]
    check('\nFrom: "Env (Name)" <s@box.example>\n' in text, f"NAME: {text}")
    mta.write_configuration(header_from_format="obsolete")
    mta.reload()
    text = arrivals(mta, 1, "-f", "s@box.example", "-F", "A (B)", "u@box.example")[0]
    check("\nFrom: s@box.example (A \\(B\\))\n" in text, f"obsolete: {text}")


def killed(mta):
    """A sendmail that ends before its message does leaves nothing."""
    drop = os.path.join(mta.queue, "maildrop")
    with subprocess.Popen([os.path.join(mta.bin, "sendmail"), "u@box.example"],
                          stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env=mta._environment()) as process:
        process.stdin.write(b"Subject: half\n\n" + b"x" * 100000)
        process.stdin.flush()
        wait_until(lambda: os.listdir(drop), "the beginning of a message")
        process.kill()
    wait_until(lambda: not os.listdir(drop), "its removal")
    check_equal(mta.logged("half"), 0, "nobody heard of it")


def while_down(mta):
    """Mail waits in maildrop, whichever way the configuration is named."""
    mta.stop()
    drop = os.path.join(mta.queue, "maildrop")
    for n, option in enumerate((mta.etc, os.path.join(mta.etc, "main.cf")), 1):
        done = mta.run("env", "-u", "MAIL_CONFIG", os.path.join(mta.bin, "sendmail"), "-C", option,
                       "-f", "s@box.example", "u@box.example", input="Subject: down\n\nx\n")
        check_equal((done.returncode, done.stderr), (0, ""), f"-C {option}, the system being down")
        check_equal(len(os.listdir(drop)), n, "what waits")
    folder = os.path.join(mta.mail, "u", "new")
    before = len(os.listdir(folder))
    mta.start()
    mta.maildir("u", before + 2)


def instance():
    mta = Instance({"mydestination": "here.example", "virtual_mailbox_domains": "box.example",
                    "virtual_mailbox_maps": "static:u/",
                    "virtual_uid_maps": f"static:{os.getuid() or 1000}",
                    "virtual_gid_maps": f"static:{os.getgid() or 1000}",
                    "virtual_minimum_uid": "1",
                    "transport_maps": "inline:{{gone.example=error:5.1.1 no}, "
                                      "dead.example=smtp:[127.0.0.1]:1}"})
    aliases = mta.write("aliases", f'command "|/bin/echo x >{mta.home}/did"\n'
                        f"file {mta.home}/did\nlist u@box.example\n")
    mta.write_configuration(virtual_mailbox_base=mta.mail, alias_maps=f"texthash:{aliases}")
    os.chmod(mta.mail, 0o777)
    return mta


with instance() as main_instance:
    main_instance.start()
    senders(main_instance)
    mailbox_lines(main_instance)
    mistakes(main_instance)
    one_sender_each(main_instance)
    reports(main_instance)
    report_once(main_instance)
    asks_local(main_instance)
    names(main_instance)
    killed(main_instance)
    while_down(main_instance)
finish()
