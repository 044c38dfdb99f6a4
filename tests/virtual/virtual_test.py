#!/usr/bin/env python3
"""virtual(8): where mail goes, as whom, and what is refused. As root and as an ordinary user."""
import os
import pwd
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish, is_root, wait_until

UID = 51007


def send(mta, recipient, content="Subject: test\n\nFrom here\nbody"):
    """(status, dsn, text) of virtual's record."""
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message("s@x.example", recipient, content)
    smtp.close()
    found = mta.wait_for_log(rf"virtual\[\d+\]: {qid}: to=<{re.escape(recipient)}>, relay=virtual, "
                             r"delay=[\d.]+, delays=[\d./]+, dsn=([\d.]+), status=(\w+) \((.*)\)$")
    return (found[2], found[1], found[3]) if found else ("", "", "")


def expect(mta, recipient, status, dsn, text, **more):
    got = send(mta, recipient, **more)
    check_equal(got[:2], (status, dsn), f"{recipient}: {got[2]}")
    check_match(text, got[2], recipient)


def read(path):
    with open(path) as file:
        return file.read()


def run(user):
    uid = UID if is_root() and not user else pwd.getpwnam(user).pw_uid if user else os.geteuid()
    gid = UID if is_root() and not user else pwd.getpwnam(user).pw_gid if user else os.getegid()
    with Instance({"mydestination": "", "virtual_mailbox_domains": "v.test",
                   "virtual_minimum_uid": "100", "recipient_delimiter": "+",
                   "minimal_backoff_time": "1h", "queue_run_delay": "1h"}, user=user) as mta:
        mta.write("boxes", """ann@v.test v.test/ann/
bob@v.test v.test/bob
climber@v.test ../outside
low@v.test low/
noowner@v.test noowner/
word@v.test word/
root@v.test root/
linked@v.test v.test/linked
fifo@v.test v.test/fifo
@v.test v.test/all/
gone@v.test gone/new-box
""")
        mta.write("uids", f"low@v.test 99\nword@v.test ann\nroot@v.test 0\nnoowner@v.test nosuch\n"
                          f"@v.test {uid}\n")
        for name in ("boxes", "uids"):
            mta.run("postmap", f"hash:{mta.etc}/{name}")
        mta.write_configuration(
            virtual_mailbox_base=mta.mail, virtual_mailbox_maps=f"hash:{mta.etc}/boxes",
            virtual_uid_maps=f"hash:{mta.etc}/uids", virtual_gid_maps=f"static:{gid}",
            virtual_mailbox_limit="2000", message_size_limit="1500")
        os.chown(mta.mail, uid, gid)
        mta.start()
        expect(mta, "ann@v.test", "sent", "2.0.0", "^delivered to maildir$")
        expect(mta, "Ann+work@V.test", "sent", "2.0.0", "^delivered to maildir$")
        second, first = sorted(mta.maildir("v.test/ann", 2))  # "Ann+..." before "ann@..."
        check_match(r"^Return-Path: <s@x\.example>\nX-Original-To: ann@v\.test\n"
                    r"Delivered-To: ann@v\.test\nReceived: ", first, "headers")
        check_match(r"\nFrom here\nbody\n$", first, "a Maildir quotes nothing")
        check_match(r"X-Original-To: Ann\+work@V\.test\n", second, "the recipient as given")
        for folder in ("", "/tmp", "/new", "/cur"):
            st = os.stat(f"{mta.mail}/v.test/ann{folder}")
            check_equal((st.st_uid, st.st_gid, st.st_mode & 0o777), (uid, gid, 0o700), folder)
        expect(mta, "bob@v.test", "sent", "2.0.0", "^delivered to mailbox$")
        check_match(r"^From s@x\.example  .*\nReturn-Path(.*\n)*>From here\nbody\n\n$",
                    read(f"{mta.mail}/v.test/bob"), "an mbox")
        st = os.stat(f"{mta.mail}/v.test/bob")
        check_equal((st.st_uid, st.st_mode & 0o777), (uid, 0o600), "whose it is")
        expect(mta, "anybody@v.test", "sent", "2.0.0", "^delivered to maildir$")
        expect(mta, "climber@v.test", "deferred", "4.3.5", "^mail system configuration error$")
        for name in ("low", "word", "root", "noowner"):
            expect(mta, f"{name}@v.test", "deferred", "4.3.5", "^mail system configuration error$")
        check(not os.path.exists(f"{mta.home}/outside"), "nothing above the base")
        os.symlink(f"{mta.mail}/elsewhere", f"{mta.mail}/v.test/linked")
        os.mkfifo(f"{mta.mail}/v.test/fifo")
        os.chown(f"{mta.mail}/v.test/fifo", uid, gid)
        expect(mta, "linked@v.test", "deferred", "4.2.0",
               "^delivery failed to mailbox .*/linked: destination .* is a symbolic link$")
        expect(mta, "fifo@v.test", "deferred", "4.2.0",
               "^delivery failed to mailbox .*/fifo: destination .* is not a regular file$")
        expect(mta, "gone@v.test", "deferred", "4.2.0", "^delivery failed to mailbox .*/new-box: ")
        expect(mta, "bob@v.test", "sent", "2.0.0", "^delivered to mailbox$", content="x\n" * 400)
        size = os.path.getsize(f"{mta.mail}/v.test/bob")
        expect(mta, "bob@v.test", "bounced", "5.2.2",
               "^delivery failed to mailbox .*/bob: error writing message: File too large$",
               content="x\n" * 400)
        check_equal(os.path.getsize(f"{mta.mail}/v.test/bob"), size, "a full mailbox")
        mta.write("boxes", "new@v.test v.test/new/\n")
        mta.run("postmap", f"hash:{mta.etc}/boxes")

        def arrived():
            send(mta, "new@v.test")
            return os.path.isdir(f"{mta.mail}/v.test/new/new")
        wait_until(arrived, "the changed table")


run(None)
if is_root():
    run("nobody")
finish()
