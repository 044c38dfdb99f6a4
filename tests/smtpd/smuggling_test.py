#!/usr/bin/env python3
"""Nothing but CRLF . CRLF ends a message: each known way to hide a second one is sent to the
daemon, and no answer may come before the true end."""
import os
import select
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish

# name, bytes between the text and a command
VARIANTS = [
    ("lf_dot_lf", b"\n.\n"),
    ("crlf_dot_lf", b"\r\n.\n"),
    ("lf_dot_crlf", b"\n.\r\n"),
    ("cr_dot_crlf", b"\r.\r\n"),
    ("cr_dot_cr", b"\r.\r"),
    ("crlf_dot_cr", b"\r\n.\r"),
    ("crlf_dot_crcrlf", b"\r\n.\r\r\n"),
    ("crlf_nul_dot_crlf", b"\r\n\0.\r\n"),
    ("crlf_dot_nul_crlf", b"\r\n.\0\r\n"),
    ("lf_cr_dot", b"\n\r.\n\r"),
    ("crlf_dot_sp_crlf", b"\r\n. \r\n"),
    ("ff_dot_ff", b"\f.\f"),
    ("vt_dot_vt", b"\v.\v"),
    ("nel_utf8", b"\xc2\x85.\xc2\x85"),
    ("latin1_nel", b"\x85.\x85"),
    ("crcrlf_dot_cr", b"\r\r\n.\r"),
    ("lflf_dot_lflf", b"\n\n.\n\n"),
]


def shared():
    """The list of the project, where it is at hand."""
    path = os.path.join(os.environ.get("POSTERN_SHARED", "/nonexistent"),
                        "vectors/smuggling/variants.tsv")
    if not os.path.exists(path):
        return []
    with open(path) as file:
        rows = [line.rstrip("\n").split("\t") for line in file][1:]
    return [(name, bytes.fromhex(code)) for name, code in rows]


def silent(smtp):
    return not select.select([smtp.socket], [], [], 0)[0]


def attack(mta, name, sequence, source):
    smtp = mta.smtp()
    if source:
        smtp.say(f"XCLIENT ADDR={source} NAME=[UNAVAILABLE]", "220 ")
    smtp.say("EHLO client.example", "250-")
    smtp.say("MAIL FROM:<a@client.example>", "250 ")
    smtp.say("RCPT TO:<joe@here.example>", "250 ")
    smtp.say("DATA", "354 ")
    smtp.send(b"Subject: %s\r\n\r\ntext" % name.encode() + sequence +
              b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<joe@here.example>\r\n"
              b"DATA\r\nsmuggled\r\n")
    # Another session's round trips give this one time to answer, if it wants to.
    other = mta.smtp()
    for _ in range(3):
        other.say("NOOP", "250 ")
    other.close()
    check(silent(smtp), f"{name} from {source}: an answer before the end")
    smtp.send(b".\r\n")
    smtp.expect("250 2.0.0 Ok: queued as ")
    smtp.say("QUIT", "221 ")


with Instance({"mydestination": "here.example", "local_recipient_maps": "",
               "smtpd_authorized_xclient_hosts": "127.0.0.1"},
              services=["smtpd", "cleanup", "qmgr", "discard"]) as mta:
    mta.write_configuration(local_transport="discard")
    mta.start()
    variants = dict(shared() + VARIANTS)
    for source in (None, "192.0.2.1"):  # in mynetworks, and not
        for name, sequence in variants.items():
            attack(mta, name, sequence, source)
    check_equal(mta.logged(r"smtpd\[\d+\]: \w+: client="), 2 * len(variants), "messages")
finish()
