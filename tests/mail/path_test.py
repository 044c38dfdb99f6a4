#!/usr/bin/env python3
"""The main job: mail from every kind of client into Maildirs and, through an MX of a private
zone, to another Postern; bounces; a deferred queue, looked at and changed; the log, counted by
pflogsumm. As root and as an ordinary user."""
import email
import json
import os
import pwd
import re
import smtplib
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import (Instance, check, check_equal, check_match, finish, free_port, is_root,
                     wait_until)

ZONE = {
    ("relay.test", "MX"): [(20, "backup.relay.test"), (10, "mx.relay.test")],
    ("mx.relay.test", "A"): ["127.0.0.1"],
    ("backup.relay.test", "A"): ["127.0.0.99"],
    ("nullmx.test", "MX"): [(0, ".")],
    ("gone.test", "TXT"): ["no MX, no A"],
}


def owner_of(user):
    """Who the virtual mailboxes belong to: somebody else as root, oneself otherwise."""
    if is_root() and not user:
        return pwd.getpwnam("nobody")
    return pwd.getpwnam(user) if user else pwd.getpwuid(os.geteuid())


def make(user, **settings):
    who = owner_of(user)
    mta = Instance(user=user)
    mta.write_configuration(
        mydestination="", local_recipient_maps="",
        virtual_mailbox_domains="local.test", virtual_mailbox_base=mta.mail,
        virtual_mailbox_maps="inline:{ann@local.test=ann/, bob@local.test=bob/}",
        virtual_uid_maps=f"static:{who.pw_uid}", virtual_gid_maps=f"static:{who.pw_gid}",
        virtual_minimum_uid="1", **settings)
    os.chown(mta.mail, who.pw_uid, who.pw_gid)
    return mta


def header(text, name):
    return email.message_from_string(text)[name]


def clients(mta):
    """Each client sends one message to ann; all of them arrive."""
    port = str(mta.port(0))
    sent = [
        mta.run("swaks", "--server", f"127.0.0.1:{port}", "--from", "swaks@c.test", "--to",
                "ann@local.test", "--helo", "c.test"),
        mta.run("msmtp", "--host=127.0.0.1", f"--port={port}", "--from=msmtp@c.test",
                "--domain=c.test", "ann@local.test", input="Subject: msmtp\n\nbody\n"),
        mta.run("s-nail", "-:/", "-Snotosigs", "-Sv15-compat", "-Ssmtp-auth=none",
                f"-Smta=smtp://127.0.0.1:{port}",
                "-r", "snail@c.test", "-s", "s-nail", "ann@local.test", input="body\n"),
        mta.run("sendmail", "-t", "-f", "sendmail@c.test",
                input="To: ann@local.test\nSubject: sendmail\n\n.leading dot\n"),
    ]
    for done in sent:
        check_equal(done.returncode, 0, f"{done.args[0]}: {done.stderr[-300:]}")
    with smtplib.SMTP("127.0.0.1", mta.port(0)) as smtp:
        smtp.sendmail("smtplib@c.test", ["ann@local.test"], "Subject: smtplib\r\n\r\nbody\r\n")
    texts = mta.maildir("ann", count=5)
    senders = sorted(header(t, "Return-Path") for t in texts)
    check_equal(senders, ["<msmtp@c.test>", "<sendmail@c.test>", "<smtplib@c.test>",
                          "<snail@c.test>", "<swaks@c.test>"], "senders in the Maildir")
    for text in texts:
        check_equal(header(text, "Delivered-To"), "ann@local.test", "Delivered-To")
        check_match(r"(?m)^Received: (from|by) ", text, "Received")
        check(header(text, "Message-Id"), "a Message-Id")
    check(any(".leading dot\n" in t for t in texts), "a leading dot survives")


def relay(mta, sink):
    smtp = mta.smtp()
    smtp.say("EHLO c.test", "250")
    qid = smtp.message("ann@local.test", ["bob@relay.test", "ann@local.test"],
                       "Subject: relayed\n\n..dots\n" + "x" * 70)
    smtp.close()
    texts = sink.maildir("bob")
    check_match(r"(?m)^\.dots$", texts[0] if texts else "", "dots through a relay")
    mta.wait_for_log(rf"{qid}: to=<bob@relay.test>, relay=mx.relay.test\[127.0.0.1\]:\d+, .*"
                     r"dsn=2.0.0, status=sent \(250 2.0.0 Ok: queued as")
    mta.wait_for_log(rf"{qid}: removed")


def bounces(mta):
    """An unknown user at the other side, a domain that is not there, null MX: each bounces."""
    smtp = mta.smtp()
    smtp.say("EHLO c.test", "250")
    for rcpt, code in (("nobody@relay.test", "5.1.1"), ("x@absent.test", "5.4.4"),
                       ("x@nullmx.test", "5.1.2")):
        qid = smtp.message("bob@local.test", rcpt, "Subject: bounce me\n\nbody")
        mta.wait_for_log(rf"{qid}: to=<{rcpt}>, .*dsn={re.escape(code)}, status=bounced")
        mta.wait_for_log(rf"{qid}: sender non-delivery notification: \w+")
        mta.wait_for_log(rf"{qid}: removed")
    smtp.close()
    for text in mta.maildir("bob", count=3):
        notice = email.message_from_string(text)
        check_equal(notice["Return-Path"], "<>", "sender of a notice")
        check_equal(notice.get_content_type(), "multipart/report", "type of a notice")
        parts = notice.get_payload()
        check_equal([p.get_content_type() for p in parts],
                    ["text/plain", "message/delivery-status", "message/rfc822"], "its parts")
        fields = parts[1].get_payload()[1]
        check_equal(fields["Action"], "failed", "Action")
        check_match(r"^5\.[14]\.[124]$", fields["Status"] or "", "Status")
        check_match("bounce me", parts[2].get_payload()[0]["Subject"], "the message returned")


def deferred_queue(mta):
    """Mail for a host that does not answer waits, is shown, and can be changed."""
    smtp = mta.smtp()
    smtp.say("EHLO c.test", "250")
    ids = [smtp.message("ann@local.test", f"u{i}@dead.test", f"Subject: {i}\n\nwaits")
           for i in range(3)]
    smtp.close()
    for qid in ids:
        mta.wait_for_log(rf"{qid}: to=<u\d@dead.test>, .*dsn=4\.\d\.\d, status=deferred "
                         r"\((connect to|delivery temporarily suspended)")
    done = mta.run("mailq")
    check_match(rf"(?m)^{ids[0]}\s+\d+ \w\w\w \w\w\w .* ann@local.test$", done.stdout, "mailq")
    check_match(r"(?m)^-- \d+ Kbytes in 3 Requests\.$", done.stdout, "summary of mailq")
    check_match(r"Connection refused", done.stdout, "the reason in mailq")
    entries = [json.loads(line) for line in mta.run("postqueue", "-j").stdout.splitlines()]
    check_equal(sorted(e["queue_id"] for e in entries), sorted(ids), "postqueue -j")
    check_equal({e["queue_name"] for e in entries}, {"deferred"}, "queue names")
    done = mta.run("postcat", "-q", ids[1])
    check_match(r"(?m)^sender: ann@local.test$", done.stdout, "postcat: envelope")
    check_match(r"(?m)^Subject: 1$", done.stdout, "postcat: content")
    check_match(r"placed on hold", mta.run("postsuper", "-h", ids[0]).stderr, "hold")
    check_match(rf"(?m)^{ids[0]}!", mta.run("mailq").stdout, "held mail in mailq")
    check_match(r"released from hold", mta.run("postsuper", "-H", ids[0]).stderr, "release")
    check_match(r"Requeued: 1 message", mta.run("postsuper", "-r", ids[2]).stderr, "requeue")
    at = mta.log_position()
    check_equal(mta.run("postqueue", "-f").returncode, 0, "flush")
    mta.wait_for_log(r"u1@dead.test>.*status=deferred", since=at)
    # The requeued one is a message of its own by then.
    mta.wait_for_log(rf"pickup\[\d+\]: \w+: uid=\d+ .*orig_id={ids[2]}$")
    again = re.search(rf"pickup\[\d+\]: (\w+): uid=\d+ .*orig_id={ids[2]}\n", mta.log_text())[1]
    mta.wait_for_log(rf"{again}: to=<u2@dead.test>, .*status=deferred")
    check_match(r"Deleted: 1 message", mta.run("postsuper", "-d", ids[1]).stderr, "delete")
    check_match(r"Deleted: 2 messages", mta.run("postsuper", "-d", "ALL").stderr, "delete all")
    check_equal(mta.run("mailq").stdout, "Mail queue is empty\n", "mailq at the end")


def counted(mta):
    """pflogsumm's grand totals are what happened."""
    done = subprocess.run(["pflogsumm", mta.logfile], capture_output=True, text=True)
    sent = mta.logged(r"status=sent")
    bounced = mta.logged(r"status=bounced")
    deferrals = mta.logged(r"status=deferred")
    check_match(rf"(?m)^\s+{sent}\s+delivered$", done.stdout, "pflogsumm: delivered")
    check_match(rf"(?m)^\s+{bounced}\s+bounced", done.stdout, "pflogsumm: bounced")
    check_match(rf"(?m)^\s+\d+\s+deferred\s+\({deferrals}\s+deferrals\)", done.stdout,
                "pflogsumm: deferrals")


def everything(user):
    with DnsServer(ZONE) as dns, make(user) as sink:
        sink.write_configuration(
            myhostname="sink.relay.test", virtual_mailbox_domains="relay.test",
            virtual_mailbox_maps="inline:{bob@relay.test=bob/}")
        with make(user, dns_servers=f"127.0.0.1:{dns.port}") as mta:
            mta.write_configuration(transport_maps="inline:{"
                f"relay.test=smtp:relay.test:{sink.port(0)}, "
                f"dead.test=smtp:[127.0.0.1]:{free_port()}" "}")
            sink.start()
            mta.start()
            clients(mta)
            relay(mta, sink)
            bounces(mta)
            check(("relay.test", "MX") in dns.asked, "the MX was asked for")
            deferred_queue(mta)
            counted(mta)


everything(None)
if is_root():
    everything("nobody")
finish()
