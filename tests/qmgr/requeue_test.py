#!/usr/bin/env python3
"""postsuper -r beside Postfix 3.7's: what is left of a message passes through cleanup as it is
configured now, under a new queue id; what was delivered is not delivered again."""
import os
import re
import signal
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Instance, check, check_equal, finish, is_root, kill, mail_user,
                     wait_until)
from postfix37 import Postfix37, is_there

BEFORE = {
    "mydestination": "", "myorigin": "box.example", "local_transport": "error:no such user",
    "virtual_mailbox_domains": "box.example", "virtual_mailbox_maps": "static:u/",
    "virtual_uid_maps": f"static:{mail_user().pw_uid}",
    "virtual_gid_maps": f"static:{mail_user().pw_gid}",
    "virtual_minimum_uid": "1", "enable_original_recipient": "yes",
    "smtpd_relay_restrictions": "permit_mynetworks,reject",
    "transport_maps": "inline:{old.example=smtp:[127.0.0.1]:1}",
}
AFTER = {"virtual_alias_maps": "inline:{a@old.example=new@box.example}",
         "canonical_maps": "inline:{s@x.example=canon@x.example}"}
TEXT = "From: s@x.example\nSubject: {}\nDate: Thu, 01 Jan 2026 00:00:00 +0000\n\nbody\n"


def send(mta, name, recipients, text=TEXT):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message("s@x.example", recipients, text.format(name).rstrip("\n"))
    smtp.close()
    for rcpt in recipients:
        mta.wait_for_log(rf"{qid}: to=<{rcpt}>.*status=")
    wait_until(lambda: re.search(rf'"queue_name": "deferred", "queue_id": "{qid}"',
                                 mta.run("postqueue", "-j").stdout), f"{qid} to be deferred")
    return qid


def mails(mta):
    """The mail that came, without what differs between any two systems, by subject."""
    found = {}
    folder = os.path.join(mta.mail, "u", "new")
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            text = file.read()
        os.unlink(os.path.join(folder, name))
        text = re.sub(r"\b[0-9A-F]{10,16}\b", "QID", text.replace("Postern", "Postfix"))
        text = re.sub(r"\b\w{3},\s+\d+ \w{3} \d{4} [\d:]{8} [-+]\d{4}( \(\w+\))?", "DATE", text)
        text = re.sub(r"Message-Id: .*", "Message-Id: ID", text, flags=re.I)
        found.setdefault(re.search("^Subject: (.*)", text, re.M)[1], []).append(text)
    return found


def restart(mta, **changes):
    mta.stop()
    mta.write_configuration(**changes)
    mta.start()


def requeue(mta, *ids):
    """Postfix's pickup would find them within a minute."""
    done = mta.run("postsuper", *[word for qid in ids for word in ("-r", qid)])
    mta.run("postkick", "public", "pickup", "W")
    return done


def requeued(mta, old, since):
    """The lines about it and the new queue id."""
    found = mta.wait_for_log(rf"pickup\[\d+\]: (\w+): uid=(\d+) from=<s@x.example> orig_id={old}$",
                             since=since)
    if found:
        mta.wait_for_log(rf"{found[1]}: removed", since=since)
    check_equal(mta.logged(rf"{old}: (from=|to=|removed)", since=since), 0, f"lines about {old}")
    return found and found[1]


def story(mta):
    """Everything that postsuper -r is for; what came of it."""
    os.chmod(mta.mail, 0o777)
    mta.write_configuration(virtual_mailbox_base=mta.mail)
    mta.start()
    os.chmod(mta.log, 0o777)  # Postfix's postsuper may find no postlogd, and is not root by then
    os.chmod(mta.logfile, 0o666)
    partly = send(mta, "partly", ["done@box.example", "a@old.example"])
    held = send(mta, "held", ["a@old.example", "b@old.example"])
    mta.run("postsuper", "-h", held)
    down = send(mta, "down", ["a@old.example"])
    refused = send(mta, "refused", ["a@old.example"])
    said = mails(mta)
    restart(mta, **AFTER, transport_maps="")
    at = mta.log_position()
    done = requeue(mta, partly, held)
    words = [done.returncode, re.sub(r"\b(%s|%s)\b" % (partly, held), "ID", done.stderr)]
    news = [requeued(mta, old, at) for old in (partly, held)]
    check(len({partly, held, *news}) == 4, f"new queue ids: {news}")
    b_fails = mta.wait_for_log(rf"{news[1]}: to=<b@old.example>.*status=(\w+)", since=at)
    said.update(mails(mta))

    # With the system down.
    mta.stop()
    requeue(mta, down)
    at = mta.log_position()
    mta.start()
    requeued(mta, down, at)
    said.update(mails(mta))

    # What cleanup does not let through by now.
    restart(mta, header_checks="regexp:{{/^Subject: refused/ REJECT no more}}")
    at = mta.log_position()
    requeue(mta, refused)
    mta.wait_for_log(r"sender non-delivery notification: (\w+)", since=at)
    mta.wait_for_log("Undelivered|removed", since=at)
    wait_until(lambda: mta.run("postqueue", "-p").stdout == "Mail queue is empty\n", "its end")
    return [words, [n is not None for n in news], b_fails and b_fails[1], said]


def large_and_interrupted():
    """A body in a file of its own; pickup dies with a message in its hands."""
    with Instance(BEFORE) as mta:
        os.chmod(mta.mail, 0o777)
        mta.write_configuration(virtual_mailbox_base=mta.mail)
        mta.start()
        large = send(mta, "large", ["a@old.example"], TEXT + "0123456789" * 7 + "\n" * 2 +
                     ("x" * 70 + "\n") * 20000)
        small = send(mta, "small", ["a@old.example"])
        mta.write_configuration(**AFTER, transport_maps="")
        mta.reload()
        requeue(mta, large)
        mta.wait_for_log(rf"pickup\[\d+\]: \w+: uid=\d+ from=<s@x.example> orig_id={large}$")
        mta.wait_for_log("to=<new@box.example>.*status=sent")
        check_equal(len(mails(mta)["large"][0].partition("\n\n")[2]), 5 + 71 + 1 + 71 * 20000,
                    "its body")
        cleanup = list(mta.processes("cleanup"))
        for pid in cleanup:
            kill(pid, signal.SIGSTOP)
        requeue(mta, small)
        mta.wait_for_log(rf"orig_id={small}$")
        for pid in list(mta.processes("pickup")):
            kill(pid)
        for pid in cleanup:
            kill(pid, signal.SIGCONT)
        mta.run("postqueue", "-f")
        wait_until(lambda: mta.run("postqueue", "-p").stdout == "Mail queue is empty\n" or
                   mta.run("postqueue", "-f") and None, "the small one", 60)
        # As with any delivery that a crash cuts off, a second one may follow.
        check(len(mails(mta).get("small", [])) in (1, 2), "how often the small one came")


check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
if is_root():
    with Postfix37(BEFORE) as other:
        theirs = story(other)
    with Instance(BEFORE) as mine:
        ours = story(mine)
    check_equal(ours, theirs, "Postern's and Postfix's")
large_and_interrupted()
finish()
