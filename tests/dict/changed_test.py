#!/usr/bin/env python3
"""Tables that are made anew while mail flows are used without a reload, by each program that asks
them (contract 1.4). Where the file's mode keeps its jail from opening one again a fresh process
takes over."""
import os
import re
import sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "smtp")]
from harness import Instance, check_equal, finish, is_root, wait_until
from sink import Sink

# Parameter: type, text, and where VALUE is seen.
TABLES = {
    "virtual_alias_maps": ("hash", "a@box.example VALUE@far.example", r"RCPT TO:<(\w+)@far"),
    "sender_canonical_maps": ("btree", "s@far.example VALUE@from.example", r": from=<(\w+)@from"),
    "header_checks": ("regexp", "/^Subject:/ REPLACE Subject: VALUE", r"Subject: (\w+)"),
    "smtp_generic_maps": ("texthash", "@from.example VALUE@out.example", r"MAIL FROM:<(\w+)@out"),
    "smtp_header_checks": ("regexp", "/^X-Out:/ REPLACE X-Out: VALUE", r"X-Out: (\w+)"),
    "transport_maps": ("hash", "odd.example discard:VALUE", r"status=sent \((\w+)\)"),
    "alias_maps": ("hash", "ann: VALUE@odd.example", r" to=<(\w+)@odd"),
    "smtpd_sender_restrictions": ("hash", "x@far.example REJECT VALUE", r"rejected: (\w+)"),
}


def fill(mta, value, mode):
    for name, (kind, text, _) in TABLES.items():
        path = mta.write(name, text.replace("VALUE", value) + "\n")
        os.chmod(path, mode)
        if kind in ("hash", "btree"):
            command = "postalias" if name == "alias_maps" else "postmap"
            done = mta.run(command, f"{kind}:{path}")
            check_equal((done.returncode, done.stderr), (0, ""), f"{name} is built")


def make(sink, mode):
    mta = Instance()
    settings = {name: f"{kind}:{mta.etc}/{name}" for name, (kind, _, _) in TABLES.items()}
    settings["smtpd_sender_restrictions"] = \
        f"check_sender_access {settings['smtpd_sender_restrictions']}"
    mta.write_configuration(
        **settings, mydestination="here.example", virtual_alias_domains="box.example",
        default_transport=f"smtp:[127.0.0.1]:{sink.port}", smtp_host_lookup="native",
        local_recipient_maps="", smtpd_relay_restrictions="permit_mynetworks, reject")
    fill(mta, "one", mode)
    return mta


def seen(mta, sink):
    """{parameter: the value that its table gave}"""
    since, commands, messages = mta.log_position(), len(sink.commands), len(sink.messages)
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    for rcpt in "a@box.example", "ann@here.example":
        smtp.message("s@far.example", rcpt, "Subject: x\nX-Out: x\n\nx")
    smtp.say("MAIL FROM:<x@far.example>", "250")
    smtp.send("RCPT TO:<a@box.example>\r\n")
    said = smtp.reply()
    smtp.close()
    # One to the sink, one to an alias, and what that became.
    mta.wait_for_log(r": removed", count=3, since=since)
    text = b"".join(line for _, lines in sink.messages[messages:] for line in lines).decode()
    text += "".join(line + "\n" for _, line in sink.commands[commands:]) + said + mta.log_text(since)
    return {name: found[1] for name, (_, _, where) in TABLES.items()
            if (found := re.search(where, text))}


def all_change(mode, programs):
    """programs: those whose jail is in the way."""
    with Sink() as sink, make(sink, mode) as mta:
        mta.start()
        check_equal(seen(mta, sink), dict.fromkeys(TABLES, "one"), f"mode {mode:o}")
        fill(mta, "two", mode)
        wait_until(lambda: set(seen(mta, sink).values()) == {"two"}, f"new tables, mode {mode:o}")
        check_equal(seen(mta, sink), dict.fromkeys(TABLES, "two"), f"mode {mode:o}, made anew")
        check_equal(set(re.findall(r"(\w+): a fresh process takes over: a table has changed",
                                   mta.log_text())), programs, f"mode {mode:o}: who left")


all_change(0o644, set())
if is_root():
    all_change(0o600, {"smtpd", "cleanup", "qmgr", "smtp", "local"})
finish()
