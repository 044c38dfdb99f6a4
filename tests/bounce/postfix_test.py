#!/usr/bin/env python3
"""Notices against those of Debian's Postfix 3.7: the same messages to both, and what comes back
compared part by part. Only the words for people differ, and what is younger than 3.7."""
import email
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, free_port, is_root, skip
from postfix37 import Postfix37, is_there

SETTINGS = {
    "mydestination": "",
    "myorigin": "here.example",
    "virtual_mailbox_domains": "box.example",
    "virtual_alias_maps": "inline:{{list@box.example=u@box.example, w@box.example},"
                          "al@box.example=x@gone.example}",
    "virtual_mailbox_maps": "inline:{s@box.example=s/, u@box.example=u/, w@box.example=w/,"
                            "post@box.example=post/, delayed@box.example=delayed/}",
    "virtual_minimum_uid": "1",
    "virtual_uid_maps": "static:65534",
    "virtual_gid_maps": "static:65534",
    "delay_warning_time": "1s",
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "2s",
    "queue_run_delay": "1s",
    "notify_classes": "bounce, delay, 2bounce, policy, protocol, resource, software",
    "bounce_notice_recipient": "post@box.example",
    "delay_notice_recipient": "post@box.example",
    "2bounce_notice_recipient": "post@box.example",
    "error_notice_recipient": "post@box.example",
    "bounce_size_limit": "500",
}
TEXT = "From: s@box.example\nTo: x@y\nSubject: about\nMessage-Id: <m@x>\nDate: today\n\nbody\n"

# name, sender, MAIL parameters, [(recipient, RCPT parameters)], content
MESSAGES = [
    ("plain failure", "s@box.example", "", [("x@gone.example", "")], TEXT),
    ("two failures", "s@box.example", "", [("x@gone.example", ""), ("al@box.example", "")], TEXT),
    ("headers", "s@box.example", " RET=HDRS ENVID=e+2B1",
     [("x@gone.example", " NOTIFY=FAILURE ORCPT=rfc822;orig+40y.example")], TEXT),
    ("big", "s@box.example", "", [("x@gone.example", "")], TEXT + "x" * 70 + "\n" + "y" * 600),
    ("8bit", "s@box.example", " BODY=8BITMIME", [("x@gone.example", "")], TEXT + "\xe4\n"),
    ("remote", "s@box.example", "", [("no@far.example", "")], TEXT),
    ("success", "s@box.example", " RET=FULL ENVID=q",
     [("u@box.example", " NOTIFY=SUCCESS ORCPT=rfc822;u+40box.example")], TEXT),
    ("relayed", "s@box.example", "", [("yes@nodsn.example", " NOTIFY=SUCCESS")], TEXT),
    ("void", "s@box.example", "", [("x@discard.example", " NOTIFY=SUCCESS")], TEXT),
    ("double", "", "", [("x@gone.example", "")], TEXT),
    ("delay", "s@box.example", "", [("delayed@dead.example", "")], TEXT),
]
SILENT = [
    ("never", "s@box.example", "", [("x@gone.example", " NOTIFY=NEVER")], TEXT),
    ("not this", "s@box.example", "", [("x@gone.example", " NOTIFY=SUCCESS,DELAY")], TEXT),
]


def send(mta, message):
    _, sender, mail, rcpts, text = message
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250-")
    smtp.say(f"MAIL FROM:<{sender}>{mail}", "250 ")
    for rcpt, parameters in rcpts:
        smtp.say(f"RCPT TO:<{rcpt}>{parameters}", "250 ")
    smtp.say("DATA", "354 ")
    smtp.send(text.replace("\n", "\r\n").encode("latin-1") + b".\r\n" if text.endswith("\n") else
              text.replace("\n", "\r\n").encode("latin-1") + b"\r\n.\r\n")
    qid = smtp.expect("250 2.0.0 Ok: queued as ").strip().rsplit(" ", 1)[-1]
    smtp.close()
    return qid


def plain(text, ids, mta):
    """Without what differs between any two systems and any two seconds."""
    for qid in sorted(ids, key=len, reverse=True):
        text = text.replace(qid, "QID")
    text = re.sub(r"\b[0-9A-F]{10,16}\b", "QID", text)
    text = re.sub(r"QID\.\d{10}/", "QID.SECONDS/", text)
    text = re.sub(r"\b\w{3},\s+\d+ \w{3} \d{4} [\d:]{8} [-+]\d{4}( \(\w+\))?", "DATE", text)
    text = re.sub(r"QID\.\d{10}@|\d{14}\.QID@", "ID@", text)
    text = text.replace("Postern", "Postfix").replace(f":{mta.remote}", ":PORT")
    return text


def parts(text, ids, mta):
    """A list of (what, text) of a notice."""
    message = email.message_from_string(text)
    top = "".join(f"{name}: {value}\n" for name, value in message.items()
                  if name not in ("Received",))
    found = [("header", plain(top, ids, mta))]
    if not message.is_multipart():
        return found + [("body", plain(text.partition("\n\n")[2], ids, mta))]
    boundary = message.get_boundary()
    pieces = text.split("--" + boundary)
    for number, piece in enumerate(pieces[1:]):
        piece = plain(piece, ids, mta)
        if number == 0:  # for people: only its header, and the lines with the addresses
            head, _, body = piece.partition("\n\n")
            piece = head + "\n\n" + "".join(re.findall(r"<[^>]*@.*(?:\n    .*)*\n", body))
            piece = re.sub(r"\s+", " ", piece)
        found.append((f"part {number + 1}", piece))
    return found


def addressees(message):
    """Who hears of it: all kinds but success are copied to the postmaster."""
    if not message[1]:
        return (("postmaster", "post"),)
    return (("sender", "s"), ("postmaster", "post"))[:1 if "SUCCESS" in message[3][0][1] else 2]


def notices(mta, message):
    qid = send(mta, message)
    found = []
    for whom, box in addressees(message):
        line = mta.wait_for_log(rf"bounce\[\d+\]: {qid}: {whom} (\S+|delivery status) "
                                r"notification: (\w+)$")
        mta.wait_for_log(rf"{line[2]}: to=<{box}@box\.example>.*status=sent")
        text = next(text for text in mta.maildir(box) if re.search(rf"\bid {line[2]}\b", text))
        found.append((whom, line[1], parts(text, [qid, line[2]], mta)))
    return found


def compare(name, theirs, ours):
    for (whom, kind, want), (_, our_kind, got) in zip(theirs, ours):
        check_equal(our_kind, kind, f"{name} to {whom}: kind of notice in the log")
        check_equal([n for n, _ in got], [n for n, _ in want], f"{name} to {whom}: parts")
        for (part, mine), (_, other) in zip(got, want):
            check(mine == other, f"{name} to {whom}, {part}:\n--- Postfix\n{other}\n"
                  f"--- Postern\n{mine}")


def configure(mta, sink, dead):
    os.chmod(mta.mail, 0o777)
    mta.remote = sink.port(0)
    mta.write_configuration(virtual_mailbox_base=mta.mail, transport_maps="inline:{"
        f"gone.example=virtual, discard.example=discard, dead.example=smtp:[127.0.0.1]:{dead}, "
        f"far.example=smtp:[127.0.0.1]:{sink.port(0)}, nodsn.example=smtp:[127.0.0.1]:"
        f"{sink.port(0)}" "}")
    mta.start()


if not is_root():
    skip("needs root: Postfix runs as root only")
check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
SINK = {"mydestination": "far.example, nodsn.example", "local_recipient_maps": "inline:{yes=x}",
        "local_transport": "discard", "smtpd_discard_ehlo_keywords": "dsn, silent-discard"}
with Postfix37(SINK) as far, Postfix37(SETTINGS) as peer, Instance(SETTINGS) as mail:
    far.start()
    nobody_there = free_port()
    configure(peer, far, nobody_there)
    configure(mail, far, nobody_there)
    for one in MESSAGES:
        compare(one[0], notices(peer, one), notices(mail, one))
    for one in SILENT:
        number = send(mail, one)
        mail.wait_for_log(rf"{number}: removed")
        check_equal(mail.logged(rf"{number}: \w+ \S+ notification"), 0, f"{one[0]}: no notice")
finish()
