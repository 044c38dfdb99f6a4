#!/usr/bin/env python3
"""Maildir++ quota of virtual(8) and local(8), with Dovecot at the same file maildirsize: each goes on
where the other was; who is full, who waits, and many messages at once. As root and as an ordinary
user."""
import os
import pwd
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish, is_root, wait_until
from mailserver import USERS, MailServer

ROOM = USERS["room"][0]
LIMITS = "40960S,20C"  # what QUOTA of mailserver.py gives Dovecot


def send(mta, recipient, size, agent="virtual"):
    """(status, dsn, text) of the record."""
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message("", recipient, "Subject: x\n\n" + ("x" * 49 + "\n") * (size // 50))
    smtp.close()
    found = mta.wait_for_log(rf"{agent}\[\d+\]: {qid}: to=<{re.escape(recipient)}>, relay={agent}, .*"
                             r"dsn=([\d.]+), status=(\w+) \((.*)\)$")
    return (found[2], found[1], found[3]) if found else ("", "", "")


def expect(mta, recipient, size, status, dsn, text, **more):
    got = send(mta, recipient, size, **more)
    check_equal(got[:2], (status, dsn), f"{recipient}, {size}: {got[2]}")
    check_match(text, got[2], recipient)


def lines(maildir):
    """The limits and the pairs of numbers."""
    with open(f"{maildir}/maildirsize", encoding="ascii") as file:
        limits, *rest = file.read().splitlines()
    return limits, [tuple(map(int, line.split())) for line in rest]


def files(maildir):
    return [os.path.join(maildir, folder, name) for folder in ("new", "cur")
            for name in os.listdir(os.path.join(maildir, folder))]


def check_sum(maildir, what):
    """The file says what is there."""
    _, changes = lines(maildir)
    check_equal((sum(size for size, _ in changes), sum(count for _, count in changes)),
                (sum(map(os.path.getsize, files(maildir))), len(files(maildir))), what)


def dovecots_view(server):
    """(KB, messages), as used."""
    with server.imap("room") as imap:
        _, (_, (answer,)) = imap.getquotaroot("INBOX")
    return tuple(int(n) for n in re.search(rb"STORAGE (\d+) 40 MESSAGE (\d+) 20", answer).groups())


def check_view(server, maildir, what):
    size, count = sum(map(os.path.getsize, files(maildir))), len(files(maildir))
    storage, messages = dovecots_view(server)
    check_equal(messages, count, f"Dovecot's messages: {what}")
    check(size // 1024 <= storage <= size // 1024 + 1, f"Dovecot's {storage} KB of {size}: {what}")


def shared(server, maildir):
    """Both add to one file, and neither makes it anew."""
    for size in (1000, 2000):
        expect(server, ROOM, size, "sent", "2.0.0", "^delivered to maildir$")
    check_equal(lines(maildir)[0], LIMITS, "the limits")
    for name in files(maildir):
        check_equal(int(name.rpartition(",S=")[2]), os.path.getsize(name), "the size in the name")
    check_sum(maildir, "two deliveries")
    inode = os.stat(f"{maildir}/maildirsize").st_ino
    check_view(server, maildir, "after ours")
    with server.imap("room") as imap:
        imap.append("INBOX", None, None, b"Subject: by IMAP\r\n\r\n" + b"y" * 3000 + b"\r\n")
    check_sum(maildir, "one of Dovecot's")
    expect(server, ROOM, 500, "sent", "2.0.0", "^delivered to maildir$")
    check_sum(maildir, "and one of ours")
    check_equal(len(lines(maildir)[1]), 5, "the lines of four messages and the first count")
    with server.imap("room") as imap:
        imap.store("1", "+FLAGS", r"\Deleted")
        imap.expunge()
    check_sum(maildir, "one removed by Dovecot")
    check_equal(lines(maildir)[1][-1][1], -1, "its line")
    check_equal(os.stat(f"{maildir}/maildirsize").st_ino, inode, "the same file")
    check_view(server, maildir, "after both")


def full(server, maildir):
    expect(server, ROOM, 40000, "bounced", "5.2.2", "^mailbox is full: its quota has no room for ")
    check_sum(maildir, "after a refusal")
    check_equal(len(lines(maildir)[1]), 1, "it was counted again")
    check(os.listdir(f"{maildir}/tmp") == [], "nothing is left in tmp")
    check_view(server, maildir, "after a refusal")
    expect(server, ROOM, 33000, "sent", "2.0.0", "^delivered to maildir$")
    server.write_configuration(maildir_quota_bounce="no")
    server.reload()
    expect(server, ROOM, 10000, "deferred", "4.2.2", "^mailbox is full: its quota has no room for ")
    with server.imap("room") as imap:
        imap.store("1:*", "+FLAGS", r"\Deleted")
        imap.expunge()
    server.run("postqueue", "-f")
    server.wait_for_log(rf"to=<{ROOM}>.*, delay=.*status=sent", 5)
    check_sum(maildir, "what waited has come")
    check_equal(len(files(maildir)), 1, "alone")


def at_once(server, maildir):
    """There is one message, and room for 19 more of the 40."""
    server.write_configuration(maildir_quota_bounce="yes")
    server.reload()
    smtp = server.smtp()
    smtp.say("EHLO client.example", "250")
    since = server.log_position()
    for number in range(40):
        smtp.message("", ROOM, f"Subject: {number}\n\nx\n")
    smtp.close()
    server.wait_for_log(rf"to=<{ROOM}>.*status=", 40, since=since)
    check_equal(len(files(maildir)), 20, "the quota is used and kept")
    check_equal(len(re.findall(r"dsn=5\.2\.2, status=bounced", server.log_text(since))), 21,
                "the others are returned")
    check_sum(maildir, "many at once")
    check_view(server, maildir, "many at once")


def hostile(server, maildir):
    """A file that the user made of something else."""
    outside = server.write("outside", "40960S,20C\n0 0\n")
    os.unlink(f"{maildir}/maildirsize")
    os.symlink(outside, f"{maildir}/maildirsize")
    expect(server, ROOM, 100, "bounced", "5.2.2", "^mailbox is full")
    check(not os.path.islink(f"{maildir}/maildirsize"), "the link is replaced")
    check_sum(maildir, "anew")
    with open(outside, encoding="ascii") as file:
        check_equal(file.read(), "40960S,20C\n0 0\n", "what it led to")
    server.write_configuration(virtual_maildir_quota_maps="inline:{%s=lots}" % ROOM)
    server.reload()
    expect(server, ROOM, 100, "deferred", "4.3.5", "^mail system configuration error$")
    server.expect_trouble('virtual_maildir_quota_maps: bad quota "lots"')


def virtual(user):
    with MailServer({"virtual_transport": "virtual", "smtpd_recipient_restrictions": "",
                     "virtual_mailbox_maps": "inline:{%s=there.example/room/Maildir/}" % ROOM,
                     "virtual_maildir_quota_maps": "inline:{{%s = %s}}" % (ROOM, LIMITS)},
                    user=user) as server:
        owner = os.stat(server.mail)
        server.write_configuration(
            virtual_mailbox_base=server.mail, virtual_uid_maps=f"static:{owner.st_uid}",
            virtual_gid_maps=f"static:{owner.st_gid}")
        server.start()
        maildir = os.path.join(server.home_of("room"), "Maildir")
        for test in (shared, full, at_once, hostile):
            test(server, maildir)


def local(user):
    """By the name of the user whose Maildir it is; the agent does not see what is in it."""
    name = user or ("nobody" if is_root() else pwd.getpwuid(os.geteuid()).pw_name)
    who = pwd.getpwnam(name)
    with Instance({"mydestination": "here.example", "alias_maps": "", "forward_path": "",
                   "local_recipient_maps": "",
                   "local_maildir_quota_maps": "inline:{%s=5000}" % name}, user=user) as mta:
        mta.write_configuration(mail_spool_directory=mta.mail + "/")
        os.chown(mta.mail, who.pw_uid, who.pw_gid)
        mta.start()
        recipient = f"{name}@here.example"
        expect(mta, recipient, 3000, "sent", "2.0.0", "^delivered to maildir$", agent="local")
        check_sum(f"{mta.mail}/{name}", "local")
        check_equal(lines(f"{mta.mail}/{name}")[0], "5000S", "the limit")
        expect(mta, recipient, 3000, "bounced", "5.2.2", "^mailbox is full", agent="local")
        expect(mta, recipient, 500, "sent", "2.0.0", "^delivered to maildir$", agent="local")
        check_sum(f"{mta.mail}/{name}", "local, two")


for each in [None, "nobody"] if is_root() else [None]:
    virtual(each)
    local(each)
finish()
