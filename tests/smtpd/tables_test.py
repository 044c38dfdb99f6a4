#!/usr/bin/env python3
"""Access and recipient tables: Berkeley DB files that postmap makes, and makes again while
smtpd runs."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check_equal, finish, wait_until


def answer(mta, recipient, sender="s@far.example"):
    smtp = mta.smtp()
    smtp.say("XCLIENT ADDR=192.0.2.1 NAME=[UNAVAILABLE]", "220 ")
    smtp.say("EHLO client.example", "250-")
    smtp.say(f"MAIL FROM:<{sender}>", "250 ")
    smtp.send(f"RCPT TO:<{recipient}>\r\n")
    reply = smtp.reply().strip()
    smtp.say("QUIT", "221 ")
    return reply


with Instance({"mydestination": "here.example",
               "smtpd_authorized_xclient_hosts": "127.0.0.1"},
              services=["smtpd", "cleanup", "qmgr"]) as mta:
    users = mta.write("users", "joe x\n")
    senders = mta.write("senders", "bad.example REJECT no thanks\n")
    for table in (users, senders):
        done = mta.run("postmap", f"hash:{table}")
        check_equal(done.returncode, 0, f"postmap {table}: {done.stderr}")
    mta.write_configuration(local_recipient_maps=f"hash:{users}",
                            smtpd_sender_restrictions=f"check_sender_access hash:{senders}")
    mta.start()
    check_equal(answer(mta, "joe@here.example"), "250 2.1.5 Ok", "listed")
    check_equal(answer(mta, "ann@here.example")[:9], "550 5.1.1", "not listed")
    check_equal(answer(mta, "joe@here.example", "x@sub.bad.example"),
                "554 5.7.1 <x@sub.bad.example>: Sender address rejected: no thanks", "access")
    mta.write("users", "joe x\nann x\n")
    check_equal(mta.run("postmap", f"hash:{users}").returncode, 0, "postmap again")
    wait_until(lambda: answer(mta, "ann@here.example") == "250 2.1.5 Ok",
               "the new table to be used")
finish()
