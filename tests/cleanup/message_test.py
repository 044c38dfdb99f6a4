#!/usr/bin/env python3
"""What cleanup does to a message: missing headers, loops, fields that are dropped, virtual
aliases, blind copies, limits; and a message that brings it down."""
import email
import os
import pwd
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish, is_root

ALIASES = """
one@v.test          ann@box.test
two@v.test          ann@box.test, bob@box.test, ann@box.test
deep@v.test         two@v.test, one@v.test
self@v.test         self@v.test, bob@box.test
ring@v.test         gnir@v.test
gnir@v.test         ring@v.test
@moved.test         @box.test
ext@v.test          cat@box.test
exact+x@v.test      bob@box.test
twice@v.test        one@v.test, one@v.test
"""
CIRCLES = """ring@v.test         rong@v.test
rong@v.test         ring@v.test
some@v.test         bob@box.test, other@v.test
other@v.test        some@v.test
own@v.test          own@v.test, mine@v.test
mine@v.test         own@v.test
"""
CHAIN = "".join(f"c{i}@chain.test c{i + 1}@chain.test\n" for i in range(1100))


def make():
    uid = pwd.getpwnam("nobody").pw_uid if is_root() else os.getuid()
    gid = pwd.getpwnam("nobody").pw_gid if is_root() else os.getgid()
    mta = Instance()
    table = mta.write("virtual", ALIASES + CIRCLES + CHAIN)
    mta.write_configuration(
        mydestination="", virtual_mailbox_domains="box.test, watch.test",
        virtual_alias_domains="v.test, moved.test, chain.test",
        virtual_alias_maps=f"hash:{table}", virtual_mailbox_base=mta.mail,
        virtual_mailbox_maps="inline:{ann@box.test=ann/, bob@box.test=bob/, cat@box.test=cat/, "
        "all@watch.test=all/}",
        virtual_uid_maps=f"static:{uid}", virtual_gid_maps=f"static:{gid}",
        virtual_minimum_uid="1", recipient_delimiter="+", message_size_limit="200000")
    os.chown(mta.mail, uid, gid)
    check_equal(mta.run("postmap", f"hash:{table}").returncode, 0, "postmap")
    return mta


def session(mta):
    smtp = mta.smtp()
    smtp.say("EHLO c.test", "250")
    return smtp


def delivered_to(mta, smtp, rcpts, subject="x"):
    """Sends one message; gives the sorted recipients that got it."""
    qid = smtp.message("s@box.test", rcpts, f"Subject: {subject}\n\nbody")
    mta.wait_for_log(rf"{qid}: removed")
    return sorted(re.findall(rf"{qid}: to=<([^>]*)>.*status=sent", mta.log_text()))


def aliases(mta, smtp):
    for rcpt, want in (
            ("one@v.test", ["ann@box.test"]),
            ("ONE@V.test", ["ann@box.test"]),
            ("two@v.test", ["ann@box.test", "bob@box.test"]),
            ("deep@v.test", ["ann@box.test", "bob@box.test"]),
            ("self@v.test", []),
            ("twice@v.test", ["ann@box.test"]),
            ("bob@moved.test", ["bob@box.test"]),
            ("ext+tag@v.test", ["cat+tag@box.test"]),
            ("exact+x@v.test", ["bob@box.test"]),
            (["ann@box.test", "ann@box.test"], ["ann@box.test"])):
        if rcpt == "self@v.test":
            continue
        check_equal(delivered_to(mta, smtp, rcpt), want, f"recipients of {rcpt}")
    mta.wait_for_log(r"to=<cat\+tag@box\.test>, orig_to=<ext\+tag@v\.test>")
    smtp.say("MAIL FROM:<s@box.test>", "250")
    smtp.say("RCPT TO:<c0@chain.test>", "250")
    smtp.say("DATA", "354")
    smtp.say("Subject: chain\r\n\r\nbody\r\n.", "451 4.6.0 Alias expansion error")
    mta.wait_for_log(r"unreasonable virtual_alias_maps map nesting for c0@chain\.test")
    for rcpt, what in (("ring@v.test", "nesting"), ("some@v.test", "expansion size")):
        smtp.say("MAIL FROM:<s@box.test>", "250")
        smtp.say(f"RCPT TO:<{rcpt}>", "250")
        smtp.say("DATA", "354")
        smtp.say("Subject: circle\r\n\r\nbody\r\n.", "451 4.6.0 Alias expansion error")
        mta.wait_for_log(rf"unreasonable virtual_alias_maps map {what} for {rcpt}")
    qid = smtp.message("s@box.test", "own@v.test", "Subject: x\n\nbody")
    mta.wait_for_log(rf"{qid}: to=<own@v\.test>")  # the one address that stands for itself


def fetch(mta, subject, folder="ann"):
    """The one message in a Maildir with this subject."""
    for text in mta.maildir(folder):
        if f"Subject: {subject}\n" in text:
            return email.message_from_string(text)
    check(False, f"no message {subject!r} in {folder}")
    return email.message_from_string("")


def send(mta, smtp, content, rcpt="ann@box.test"):
    qid = smtp.message("s@box.test", rcpt, content)
    mta.wait_for_log(rf"{qid}: removed")
    return qid


def headers(mta, smtp):
    qid = send(mta, smtp, "Subject: bare\n\nbody")
    got = fetch(mta, "bare")
    check_equal(got["From"], "s@box.test", "From of a bare message")
    check_match(rf"^<\d{{14}}\.{qid}@mail\.test\.example>$", got["Message-Id"] or "", "Message-Id")
    check_match(r"^\w\w\w, +\d+ \w\w\w \d{4} [\d:]{8} [+-]\d{4} \(\w+\)$", got["Date"] or "", "Date")
    mta.wait_for_log(rf"{qid}: message-id=<\d+\.{qid}@mail\.test\.example>")
    qid = send(mta, smtp, "From: a@b.test\nDate: never\nMessage-ID: <mine@x>\nTo: you\n"
               "Subject: whole\nBcc: secret@box.test\nReturn-Path: <x@y>\n"
               "Content-Length: 9\nResent-Bcc: s\n\nbody")
    got = fetch(mta, "whole")
    for name, want in (("From", "a@b.test"), ("Date", "never"), ("Message-ID", "<mine@x>"),
                       ("To", "you@mail.test.example"), ("Bcc", None), ("Content-Length", None),
                       ("Resent-Bcc", None)):
        check_equal(got[name], want, name)
    check_equal(got.get_all("Return-Path"), ["<s@box.test>"], "Return-Path")
    mta.wait_for_log(rf"{qid}: message-id=<mine@x>")
    send(mta, smtp, "Subject: resent\nResent-To: a@b.test\n\nbody")
    got = fetch(mta, "resent")
    for name in ("Resent-From", "Resent-Date", "Resent-Message-Id"):
        check(got[name], f"{name} is added to a resent message")
    send(mta, smtp, "this is no header at all")
    texts = [t for t in mta.maildir("ann") if "\n\nthis is no header at all\n" in t]
    check_equal(len(texts), 1, "content without a header section is a body")


def refuse(smtp, content, answer):
    smtp.say("MAIL FROM:<s@box.test>", "250")
    smtp.say("RCPT TO:<ann@box.test>", "250")
    smtp.say("DATA", "354")
    smtp.send(content.replace("\n", "\r\n") + "\r\n.\r\n")
    smtp.expect(answer)


def limits(mta, smtp):
    hop = "Received: from a by b; x\n"
    send(mta, smtp, hop * 49 + "Subject: 49 hops\n\nbody")  # and the one of our smtpd
    refuse(smtp, hop * 50 + "Subject: 51 hops\n\nbody", "554 5.4.0 Error: too many hops")
    refuse(smtp, "Subject: big\n\n" + ("x" * 70 + "\n") * 3000, "552 5.3.4 ")
    send(mta, smtp, "Subject: after the refusals\n\nbody")


def blind_copy(mta):
    mta.write_configuration(always_bcc="all@watch.test")
    mta.reload()
    smtp = session(mta)
    check_equal(delivered_to(mta, smtp, "bob@box.test", "copied"),
                ["all@watch.test", "bob@box.test"], "always_bcc")
    check_equal(fetch(mta, "copied", "all")["Delivered-To"], "all@watch.test", "the copy")
    smtp.close()


def is_captured(mta):
    """Was this tree built with --enable-captured?"""
    with open(os.path.join(mta.sbin, "cleanup"), "rb") as file:
        return b"X-Crash-Cleanup" in file.read()


def crash(mta):
    mta.expect_trouble(r"cleanup\b.*killed by signal 6", r"killed by signal 6")
    bystander = session(mta)
    smtp = session(mta)
    bystander.say("MAIL FROM:<s@box.test>", "250")
    bystander.say("RCPT TO:<ann@box.test>", "250")
    bystander.say("DATA", "354")
    refuse(smtp, "Subject: guilty\nX-Crash-Cleanup: yes\n\nbody",
           "451 4.3.0 Error: this message cannot be handled")
    bystander.say("Subject: innocent\r\n\r\nbody\r\n.", "250 2.0.0 Ok: queued as")
    mta.wait_for_log(r"brought down cleanup 3 times: kept in .*/corrupt, not delivered")
    found = [name for _, _, names in os.walk(os.path.join(mta.queue, "corrupt"))
             for name in names if not name.endswith(".envelope")]
    check_equal(len(found), 1, "messages in corrupt/")
    send(mta, smtp, "Subject: the same session goes on\n\nbody")
    check_equal(len([t for t in mta.maildir("ann") if "Subject: guilty" in t]), 0,
                "the message is not delivered")
    smtp.close()
    bystander.close()


with make() as mta:
    mta.start()
    smtp = session(mta)
    aliases(mta, smtp)
    headers(mta, smtp)
    limits(mta, smtp)
    smtp.close()
    blind_copy(mta)
    if is_captured(mta):
        crash(mta)
finish()
