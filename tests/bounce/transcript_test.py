#!/usr/bin/env python3
"""notify_classes: sessions with errors as the postmaster gets to read them, by class, compared with
Debian's Postfix 3.7. The name in EHLO tells which session a transcript is of."""
import os
import re
import socket
import socketserver
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, is_root, skip, wait_until
from postfix37 import Postfix37, is_there

SETTINGS = {
    "mydestination": "here.example",
    "myhostname": "mx.here.example",
    "local_recipient_maps": "inline:{known=x}",
    "virtual_mailbox_domains": "box.example",
    "virtual_mailbox_maps": "inline:{u@box.example=u/, post@box.example=post/, err@box.example=err/}",
    "virtual_minimum_uid": "1",
    "virtual_uid_maps": "static:65534",
    "virtual_gid_maps": "static:65534",
    "error_notice_recipient": "err@box.example",
    "bounce_notice_recipient": "post@box.example",
    "smtpd_sender_restrictions":
        "check_sender_access inline:{{bad@x.example=reject},{soft@x.example=defer later},"
        "{lost@x.example=lost},{odd@x.example=odd},{deaf@x.example=deaf}}",
    "relay_domains": "lost.example",
    "relay_recipient_maps": "fail:here",
    "smtpd_restriction_classes": "lost, odd, deaf",
    "lost": "check_recipient_access fail:here",
    "odd": "check_nothing_at_all",
    "deaf": "check_policy_service { inet:127.0.0.1:1, try_limit=1 }",
    "smtpd_banner": "hello",
    "smtpd_discard_ehlo_keywords": "silent-discard, chunking, smtputf8, enhancedstatuscodes",
    "message_size_limit": "5000",
    "mailbox_size_limit": "0",
    "virtual_mailbox_limit": "0",
    "smtpd_hard_error_limit": "6",
    "smtpd_error_sleep_time": "0",
    "smtpd_timeout": "2s",
    "smtpd_recipient_limit": "3",
    "hopcount_limit": "3",
}
MAIL, RCPT = "MAIL FROM:<a@b.example>", "RCPT TO:<u@box.example>"
OPENED = [MAIL, RCPT, "DATA"]
SESSIONS = {
    "clean": OPENED + ["Subject: x\r\n\r\nx\r\n.", "QUIT"],
    "user-unknown": [MAIL, "RCPT TO:<nobody@here.example>", "QUIT"],
    "box-unknown": [MAIL, "RCPT TO:<nobody@box.example>", "QUIT"],
    "sender-rejected": ["MAIL FROM:<bad@x.example>", RCPT, "QUIT"],
    "sender-deferred": ["MAIL FROM:<soft@x.example>", RCPT, "QUIT"],
    "unknown-command": ["FOO", "QUIT"],
    "no-mail": [RCPT, "QUIT"],
    "no-recipient": [MAIL, "DATA", "QUIT"],
    "bad-path": ["MAIL FROM:<a@b c>", "QUIT"],
    "bad-syntax": ["MAIL foo", "QUIT"],
    "bad-parameter": [MAIL + " FOO=1", "QUIT"],
    "nested": [MAIL, MAIL, "QUIT"],
    "size": [MAIL + " SIZE=100000", "QUIT"],
    "large": OPENED + ["Subject: x\r\n\r\n" + ("y" * 70 + "\r\n") * 100 + ".", "QUIT"],
    "hops": OPENED + ["Received: a\r\n" * 4 + "\r\nx\r\n.", "QUIT"],
    "recipients": [MAIL] + [RCPT] * 4 + ["QUIT"],
    "errors": ["FOO"] * 7,
    "hang-up": [],
    "hang-up-after-error": ["FOO", MAIL],
    "hang-up-in-data": OPENED + [("Subject: x\r\n\r\nfoo\r\n",)],
    "recovered": ["FOO"] + OPENED + ["Subject: x\r\n\r\nx\r\n.", "QUIT"],
    "recovered-too-late": OPENED + ["Subject: x\r\n\r\nx\r\n.", "FOO", "QUIT"],
    "vrfy": ["VRFY nobody@here.example", "QUIT"],
    "etrn": ["ETRN x.example", "QUIT"],
    "rset": ["RSET foo", "QUIT"],
    "starttls": ["STARTTLS", "QUIT"],
    "header": ["Subject: x"],
    "long-line": ["RCPT TO:<" + "x" * 300 + " y" * 50 + ">", "QUIT"],
    "recipients-lost": [MAIL, "RCPT TO:<u@lost.example>", "QUIT"],
    "table-lost": ["MAIL FROM:<lost@x.example>", RCPT, "QUIT"],
    "restriction-unknown": ["MAIL FROM:<odd@x.example>", RCPT, "QUIT"],
    "policy-lost": ["MAIL FROM:<deaf@x.example>", RCPT, "QUIT"],
    "many-lines": ["NOOP"] * 60 + ["FOO", "EHLO many-lines", "QUIT"],
}
SLOW = {"timeout": ["FOO", None], "timeout-without-error": [None]}


# Where a relay refuses, and how: in the local part of the recipient.
CLIENTS = ["rcpt-500", "rcpt-550", "rcpt-555", "rcpt-450", "data-503", "data-554",
           "dot-502", "dot-554"]


class Relay(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        where, code = "", ""
        self.say("220 relay ESMTP")
        for line in self.rfile:
            line = line.decode().rstrip("\r\n")
            if line.startswith("RCPT"):
                where, code = re.search(r"<(\w+)-(\d+)@", line).groups()
            if line == "QUIT":
                return
            if line.startswith("EHLO"):
                self.say("250-relay\r\n250 DSN")
            elif where == line[:4].lower():
                self.say(code + " as told")
            elif line == "DATA":
                self.say("354 go")
                for text in self.rfile:
                    if text == b".\r\n":
                        break
                self.say((code if where == "dot" else "250") + " as told")
            else:
                self.say("250 fine")


def run_client(mta, port):
    """What the postmaster hears of our own sessions, by recipient."""
    os.chmod(mta.mail, 0o777)
    mta.write_configuration(virtual_mailbox_base=mta.mail,
                            transport_maps="inline:{far.example=smtp:[127.0.0.1]:%d}" % port)
    mta.start()
    for name in CLIENTS:
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250")
        qid = smtp.message("s@box.example", f"{name}@far.example", "Subject: x\n\nbody")
        smtp.close()
        mta.wait_for_log(rf"{qid}: to=.*status=")
    expected = sum(name[-3:] in ("500", "502", "503", "555") for name in CLIENTS)
    found = {}

    def all_there():
        for text in mta.maildir("err", expected):
            text = text.replace("Postern", "Postfix").replace(f":{port}", ":PORT")
            header, _, text = text.partition("\n\n")
            found[re.search(r"RCPT TO:<(.*?)@", text)[1]] = \
                re.findall(r"^(?:From|To|Subject): .*", header, re.M), text
        return len(found) == expected
    wait_until(all_there, f"{expected} transcripts")
    return found


def compare_clients():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        relay.daemon_threads = True
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        settings = {**SETTINGS, "notify_classes": "protocol",
                "smtp_connection_cache_on_demand": "no"}
        results = []
        for make in (Postfix37, Instance):
            with make(settings) as mta:
                results.append(run_client(mta, relay.server_address[1]))
        relay.shutdown()
    for name in CLIENTS:
        check_equal(results[1].get(name), results[0].get(name), f"client: {name}")


def play(mta, name, lines):
    with socket.create_connection(("127.0.0.1", mta.port(0))) as s:
        s.settimeout(10)
        file = s.makefile("rb")
        file.readline()
        for line in [f"EHLO {name}"] + lines:
            if line is None:
                while file.readline():
                    pass
            elif isinstance(line, tuple):
                s.sendall(line[0].encode())
            else:
                s.sendall(line.encode() + b"\r\n")
                while file.readline()[3:4] == b"-":
                    pass
        file.close()


def is_quiet(mta):
    log = mta.log_text()
    queued = set(re.findall(r"(\w+): from=<.*\(queue active\)", log))
    return queued <= set(re.findall(r"(\w+): removed$", log, re.M))


def transcripts(mta):
    """By session: which mailbox, and what was in it."""
    found = {}
    for box in ("err", "post"):
        folder = os.path.join(mta.mail, box, "new")
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name), encoding="latin-1") as file:
                header, _, text = file.read().partition("\n\n")
            header = re.findall(r"^(?:From|To|Subject|Return-Path): .*", header, re.M)
            session = re.search(r"EHLO (\S+)", text)
            check(session, f"{text}: tells its session")
            if session:
                text = re.sub(r"queued as \w+", "queued as ID", text.replace("Postern", "Postfix"))
                header = [line.replace("Postern", "Postfix") for line in header]
                found.setdefault(session[1], []).append((box, header, text))
    return found


def run(mta, sessions):
    os.chmod(mta.mail, 0o777)
    mta.write_configuration(virtual_mailbox_base=mta.mail)
    mta.start()
    for name, lines in sessions.items():
        play(mta, name, lines)
    mta.wait_for_log("disconnect from", count=len(sessions))
    # One that is told of in each class: when it is there, all are.
    play(mta, "last", ["FOO", "MAIL FROM:<bad@x.example>", RCPT, "RSET", MAIL,
                       "RCPT TO:<nobody@box.example>",
                       "RCPT TO:<u@lost.example>", "RSET", "MAIL FROM:<odd@x.example>", RCPT,
                       "QUIT"])
    wait_until(lambda: is_quiet(mta) and "last" in transcripts(mta), "the last transcript")
    return transcripts(mta)


def compare(classes, sessions):
    settings = {**SETTINGS, "notify_classes": classes}
    with Postfix37(settings) as peer:
        theirs = run(peer, sessions)
    with Instance(settings) as mail:
        ours = run(mail, sessions)
    for name in list(sessions) + ["last"]:
        check_equal(ours.get(name), theirs.get(name), f"{classes}: {name}")
    return theirs


if not is_root():
    skip("needs root: Postfix runs as root only")
check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
told = {}
RUNS = {"bounce": SESSIONS, "policy": SESSIONS, "protocol": {**SESSIONS, **SLOW}, "data": SESSIONS,
        "software": SESSIONS}
for one, sessions in RUNS.items():
    told[one] = compare(one, sessions)
    check(1 < len(told[one]) < len(sessions), f"{one}: some sessions are told of")
compare_clients()
finish()
