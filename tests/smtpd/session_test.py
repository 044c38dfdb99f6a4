#!/usr/bin/env python3
"""smtpd as clients and administrators see it: a message from greeting to Maildir, what the
log says of it, refusals, limits; as root and as an ordinary user."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish, is_root

BOXES = {
    "mydestination": "here.example",
    "local_recipient_maps": "inline:{ joe=x }",
    "virtual_mailbox_domains": "box.example",
    "virtual_mailbox_maps": "static:box/",
    "virtual_minimum_uid": "1",
    "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "smtpd_error_sleep_time": "0",
}


def boxes(mta):
    uid = os.stat(mta.etc).st_uid or 65534
    os.chown(mta.mail, uid, -1)
    mta.write_configuration(virtual_mailbox_base=mta.mail,
                            virtual_uid_maps=f"static:{uid}", virtual_gid_maps=f"static:{uid}")


def message(user):
    with Instance(BOXES, services=["smtpd", "cleanup", "qmgr", "virtual", "bounce"],
                  user=user) as mta:
        boxes(mta)
        mta.start()
        smtp = mta.smtp(greeting="220 mail.test.example ESMTP ")
        smtp.say("EHLO client.example", "250-mail.test.example")
        queue_id = smtp.message("a@client.example", "joe@box.example",
                                "Subject: hello\n\nfirst line\n..dots\n")
        smtp.say("RCPT TO:<a@b>", "503 5.5.1")
        smtp.say("MAIL FROM:<>", "250 2.1.0")
        smtp.say("RCPT TO:<nobody@here.example>", "550 5.1.1 <nobody@here.example>: Recipient "
                 "address rejected: User unknown in local recipient table\r\n")
        smtp.say("RSET", "250 2.0.0 Ok")
        smtp.say("QUIT", "221 2.0.0 Bye")
        check_equal(smtp.reply(), "", "closed after QUIT")
        client = r"localhost\[127\.0\.0\.1\]"
        mta.wait_for_log(r"smtpd\[\d+\]: disconnect from " + client + r" ehlo=1 mail=2 "
                         r"rcpt=1/3 data=1 rset=1 quit=1 commands=7/9$")
        log = mta.log_text()
        session = check_match(r"smtpd\[(\d+)\]: connect from " + client + "$".replace("$", "\n"),
                              log, "connect")
        check_match(rf"smtpd\[\d+\]: {queue_id}: client={client}\n", log, "client=")
        check_match(rf"NOQUEUE: reject: RCPT from {client}: 550 5\.1\.1 "
                    r"<nobody@here\.example>: Recipient address rejected: User unknown in "
                    r"local recipient table; from=<> to=<nobody@here\.example> proto=ESMTP "
                    r"helo=<client\.example>\n", log, "reject")
        check(session is not None, "session")
        text = mta.maildir("box")[0]
        check_match(r"Received: from client\.example \(localhost \[127\.0\.0\.1\]\)\n"
                    r"\tby mail\.test\.example \(\S+\) with ESMTP id " + queue_id +
                    r"\n\tfor <joe@box\.example>; \w{3}, [ \d]\d \w{3} \d{4} ", text, "Received")
        check_match(r"\n\nfirst line\n\.dots\n$", text.rstrip("\n") + "\n", "content")


def clients():
    """Two clients at once, strangers by XCLIENT, one that gives up in the middle."""
    with Instance(BOXES, services=["smtpd", "cleanup", "qmgr", "virtual", "bounce"]) as mta:
        boxes(mta)
        mta.start()
        one, two = mta.smtp(), mta.smtp()
        one.say("EHLO one.example", "250-")
        two.say("XCLIENT ADDR=192.0.2.9 NAME=two.example", "220 ")
        two.say("EHLO two.example", "250-")
        one.say("MAIL FROM:<1@one.example>", "250 ")
        two.say("MAIL FROM:<2@two.example>", "250 ")
        one.say("RCPT TO:<x@far.example>", "250 ")
        two.say("RCPT TO:<x@far.example>", "454 4.7.1 <x@far.example>: Relay access denied")
        two.say("RCPT TO:<joe@box.example>", "250 ")
        one.say("DATA", "354 ")
        two.say("DATA", "354 ")
        one.send("Subject: cut off\r\n")
        one.close()
        mta.wait_for_log(r"lost connection after DATA \(18 bytes\) from localhost")
        two.send("Subject: whole\r\n\r\n.\r\n")
        two.expect("250 2.0.0 Ok: queued as ")
        two.say("QUIT", "221 ")
        check(len(mta.maildir("box")) == 1, "one message")
        numbers = {line.split("smtpd[")[1].split("]")[0]
                   for line in mta.log_text().splitlines() if ": connect from" in line}
        check_equal(len(numbers), 2, "a number for each session")


def mistakes():
    """Configurations that must not run, or not pretend to."""
    # What would relay for everybody. As an argument it refuses nobody: Postfix 3.7 starts with
    # that, and answers 250 or 451 to mail for elsewhere.
    for restrictions in ("", "permit, reject_unauth_destination",
                         "warn_if_reject reject_unauth_destination",
                         "reject_rbl_client reject_unauth_destination",
                         "check_client_access reject_unauth_destination"):
        with Instance({"smtpd_relay_restrictions": "",
                       "smtpd_recipient_restrictions": restrictions},
                      services=["smtpd", "cleanup", "qmgr"]) as mta:
            mta.postern("start", status=None)
            try:
                mta.smtp(greeting=None)
            except OSError:
                pass
            mta.wait_for_log(r"smtpd\[\d+\]: fatal: in parameter smtpd_relay_restrictions or "
                             r"smtpd_recipient_restrictions, specify at least one working "
                             r"instance of: reject_unauth_destination")
    with Instance({**BOXES, "smtpd_client_restrictions": "reject_nonsense"},
                  services=["smtpd", "cleanup", "qmgr"]) as mta:
        mta.start()
        smtp = mta.smtp()
        smtp.say("EHLO x", "250-")
        smtp.say("MAIL FROM:<>", "250 ")
        smtp.say("RCPT TO:<joe@here.example>", "451 4.3.5 Server configuration error")
        mta.wait_for_log(r'smtpd\[\d+\]: warning: unknown smtpd restriction: "reject_nonsense"')


def without_cleanup():
    """A program that is not there costs a temporary error, not the session."""
    with Instance(BOXES, services=["smtpd", "qmgr"]) as mta:
        mta.start()
        smtp = mta.smtp()
        smtp.say("EHLO x", "250-")
        smtp.say("MAIL FROM:<>", "250 ")
        smtp.say("RCPT TO:<joe@here.example>", "250 ")
        smtp.say("DATA", "354 ")
        smtp.send(".\r\n")
        smtp.expect("451 4.3.0 Error: queue file write error")
        smtp.say("NOOP", "250 ")


for user in ([None, "nobody"] if is_root() else [None]):
    message(user)
clients()
mistakes()
without_cleanup()
finish()
