#!/usr/bin/env python3
"""The commands on a queue, beside Postfix 3.7's on the same queue: mailq, postqueue, postcat,
postsuper, postfix, with the system up, and down. What differs is in the table, with the
reason."""
import difflib
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, finish, is_root, skip, wait_until
from postfix37 import Postfix37, is_there

SETTINGS = {"mydestination": "", "fast_flush_domains": "fast.example",
            "transport_maps": "inline:{{later.example=smtp:[127.0.0.1]:1}, "
                              "{fast.example=smtp:[127.0.0.1]:1}}",
            "bounce_queue_lifetime": "1d", "smtpd_relay_restrictions": "permit_mynetworks,reject"}
MESSAGES = {  # name: sender, recipients
    "one": ("s@x.example", ["a@later.example", "b@later.example"]),
    "two": ("", ["c@fast.example"]),
    "six": ("s@y.example", ["d@later.example"]),
}
TEXT = "From: s@x.example\nSubject: test\n folded\n\nbody\n\n..two\n"
# In this order, each with what was done before. NAME stands for a message's queue id.
COMMANDS = """
postqueue -p
postqueue -p
postqueue -j
postqueue -c ETC -p
sendmail -bp
postqueue -i NOID
postqueue -i no-id
postqueue -s slow.example
postqueue -s fast.example
postcat -q ONE
postcat -qe TWO
postcat -qh ONE
postcat -qb ONE
postcat -qbh ONE
postcat -qeh ONE
postcat -q ONE TWO
postcat -q NOID
postcat -q no/id
postsuper -h ONE
postqueue -p
postsuper -h ONE
postsuper -h ONE hold
postsuper -H ONE deferred
postsuper -e TWO
postqueue -p
postsuper -e TWO
postsuper -h ALL deferred
postqueue -j
postsuper -d SIX incoming
postsuper -d SIX hold
postsuper -d SIX
postsuper -f ONE
postsuper -d ALL
postqueue -p
postqueue -j
postfix status
postfix nonsense
postfix
postfix -x start
postfix start
postfix reload
postfix flush
postfix stop
postfix status
postfix stop
postfix abort
postfix drain
postfix reload
postfix flush
postqueue -p
postqueue -j
postqueue -f
postqueue -i NOID
postqueue -s fast.example
""".strip().splitlines()
# (command, what our answer is like, why)
DIFFERENCES = [
    (r"postfix\b", r"(?m)^err (postfix-script|usage|commands): ",
     "its script says this to a terminal or the log, ours always"),
    (r"postqueue -f|postfix flush", r"connect to public/qmgr: Connection refused", "the reason, too"),
    (r"postqueue -i", r"connect to public/qmgr", "the queue manager is asked, not flush(8)"),
]


def is_declared(command, ours, theirs):
    """The same exit status, and one of the differences above."""
    return ours[-1] == theirs[-1] and any(
        re.match(which, command) and re.search(what, "\n".join(ours))
        for which, what, _ in DIFFERENCES)


def send(mta, sender, recipients):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message(sender, recipients, TEXT.rstrip("\n"))
    smtp.close()
    wait_until_deferred(mta, qid, recipients)
    return qid


def wait_until_deferred(mta, qid, recipients, attempts=1):
    for rcpt in recipients:
        mta.wait_for_log(rf"{qid}: to=<{rcpt}>.*status=deferred", count=attempts)
    wait_until(lambda: re.search(rf'"queue_name": "deferred", "queue_id": "{qid}"',
                                 mta.run("postqueue", "-j").stdout), f"{qid} to be deferred")


def plain(text, mta, ids):
    """Without what differs between any two systems, any two seconds and any two log lines
    that came at once."""
    for name, qid in ids.items():
        text = re.sub(rf"\b{qid}\b", name, text)
    text = text.replace(mta.etc, "ETC").replace(mta.queue, "QUEUE").replace(mta.home, "HOME")
    text = text.replace("Postern", "Postfix").replace("postern:", "postfix:")
    text = re.sub(r"\b\w{3} \w{3} [ \d]\d [\d:]{8}( \d{4})?", "DATE", text)
    text = re.sub(r"\w{3}, +\d+ \w{3} \d{4} [\d:]{8} .*", "DATE", text)
    text = re.sub(r'"(arrival_time|message_size)": \d+', r'"\1": N', text)
    text = re.sub(r"(?m)^(ONE|TWO|SIX)([*!# ])\s+\d+ ", r"\1\2 SIZE ", text)
    text = re.sub(r"-- \d+ Kbytes", "-- N Kbytes", text)
    text = re.sub(r"\bPID: \d+|process \d+", "PID", text)
    text = re.sub(r"(?m)^(message_size:).*|((?:client|server)_port=)\d+", r"\1\2N", text)
    text = re.sub(r"(?m)^Message-Id: <\d+\.", "Message-Id: <SECONDS.", text)
    # What the log keeps for Postfix 3.12's listing, and what it does not keep.
    text = re.sub(r'"orig_address": "[^"]*", ', "", text)
    text = re.sub(r"(?m)^named_attribute: (server_address|server_port|reverse_client_name)=.*\n",
                  "", text)
    text = re.sub(r"\b(deferred|hold)/\w/", r"\1/", text)  # hash_queue_names
    return re.sub(r"[^\s\"<]*/(?=(post\w+|sendmail|mailq): )", "", text)


def ordered(text):
    """Messages of a listing by their ids: Postfix has them as they lie in its directories."""
    if text.startswith("{"):
        return sorted(text.splitlines())
    head, newline, rest = text.partition("-------\n")
    if not newline or not text.startswith("-Queue ID-"):
        return text.splitlines()
    messages = rest.split("\n\n")
    return "\n\n".join([head, *sorted(messages[:-1]), messages[-1]]).splitlines()


def answers(mta):
    mta.start()
    ids = {name.upper(): send(mta, *what) for name, what in MESSAGES.items()}
    ids["NOID"] = "ABCDE12345"
    found = []
    for command in COMMANDS:
        words = [mta.etc if word == "ETC" else ids.get(word, word) for word in command.split()]
        done = mta.run(*words, input="")
        if command == "postqueue -s fast.example" and done.returncode == 0:
            wait_until_deferred(mta, ids["TWO"], MESSAGES["two"][1], attempts=2)
        found.append([f"out {line}" for line in ordered(plain(done.stdout, mta, ids))] +
                     sorted(f"err {line}" for line in plain(done.stderr, mta, ids).splitlines())
                     + [f"exit {done.returncode}"])
    return found


if not is_root():
    skip("needs root: Postfix runs as root only")
check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
with Instance(SETTINGS) as here, Postfix37(SETTINGS) as there:
    for command, ours, theirs in zip(COMMANDS, answers(here), answers(there)):
        check(ours == theirs or is_declared(command, ours, theirs), f"{command}\n" + "\n".join(
            difflib.unified_diff(theirs, ours, "3.7", "ours", lineterm="", n=1)))
finish()
