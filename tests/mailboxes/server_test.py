#!/usr/bin/env python3
"""A whole mail server: who is over his quota is refused while the client is there, an absence notice
does not loop, mail for a dead Dovecot waits and arrives, and logins fail for a moment only; and what
`./dev run --mailboxes` shows. As root and as an ordinary user."""
import email
import os
import pwd
import re
import smtplib
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import PATIENCE, TOP, check, check_equal, check_match, finish, is_root, wait_until
from mailserver import USERS, MailServer

ANN, BOB, FULL = (USERS[name][0] for name in ("ann", "bob", "full"))
ABSENT = """require ["vacation"];
vacation :days 1 :subject "away" "I am not here.";
"""


def text(subject, size=0):
    return f"From: {ANN}\nTo: {BOB}\nSubject: {subject}\n\n" + "x" * 70 * (size // 70)


def quota(server):
    smtp = server.smtp()
    smtp.say("EHLO client.example", "250")
    smtp.message(ANN, FULL, text("8,000", 8000))
    server.wait_for_mail("full", 1)
    smtp.say(f"MAIL FROM:<{ANN}> SIZE=5000", "250 ")
    smtp.say(f"RCPT TO:<{BOB}>", "250 ")
    check_match(rf"<{FULL}>: Recipient address rejected: Mailbox is full",
                smtp.say(f"RCPT TO:<{FULL}>", "552 5.2.2 "), "over quota at RCPT")
    smtp.say("RSET", "250 ")
    smtp.say(f"MAIL FROM:<{ANN}> SIZE=500", "250 ")
    smtp.say(f"RCPT TO:<{FULL}>", "250 ")
    smtp.say("RSET", "250 ")
    # A client that does not say how large its mail is: Dovecot refuses it, and it goes back.
    smtp.message("", FULL, text("8,000 more", 8000))
    smtp.close()
    server.wait_for_log(rf"to=<{FULL}>, relay=\S+dovecot-lmtp\], .* dsn=5\.2\.2, status=bounced \(host \S+ "
                        r"said: 552 5\.2\.2 .*end of DATA command")


def vacation(server):
    """Both are away."""
    for name in ("ann", "bob"):
        home = server.home_of(name)
        os.makedirs(home, exist_ok=True)
        script = os.path.join(home, ".dovecot.sieve")
        with open(script, "w", encoding="ascii") as file:
            file.write(ABSENT)
        owner = os.stat(server.mail)
        for path in (os.path.dirname(home), home, script):
            os.chown(path, owner.st_uid, owner.st_gid)
    at = server.log_position()
    server.send("ann", "bob", text("are you there?"))
    reply = email.message_from_bytes(server.wait_for_mail("ann", 1)[0])
    check_equal((reply["Subject"], reply["Return-Path"], reply["To"]), ("away", "<>", f"<{ANN}>"),
                "the notice")
    check_match("^auto-replied", reply["Auto-Submitted"], "it says what it is")
    server.wait_for_log(rf"to=<{ANN}>, .*status=sent", since=at)
    # While Dovecot took that one it would have sent the next.
    check_equal(server.logged(r"smtpd\[\d+\]: \w+: client=", at), 2, "no notice about the notice")
    server.send("ann", "bob", text("are you there now?"))
    server.wait_for_log(rf"to=<{BOB}>, .*status=sent", 2, since=at)
    check_equal(server.logged(r"smtpd\[\d+\]: \w+: client=", at), 3, "one notice in a day")
    for name in ("ann", "bob"):
        os.unlink(os.path.join(server.home_of(name), ".dovecot.sieve"))
    check_equal([len(server.mail_of(name)) for name in ("ann", "bob")], [1, 2], "in their boxes")


def refusal(server, subject):
    """Of a login; None when the mail was sent."""
    try:
        server.send("ann", "bob", text(subject))
    except smtplib.SMTPAuthenticationError as error:
        return error.smtp_code
    return None


def dead(server):
    server.dovecot.stop()
    at = server.log_position()
    smtp = server.smtp()
    smtp.say("EHLO client.example", "250")
    smtp.say(f"MAIL FROM:<{ANN}>", "250 ")
    smtp.say(f"RCPT TO:<{BOB}>", "451 4.3.5 ")  # nobody can tell whether there is room
    smtp.say("QUIT", "221 ")
    smtp.close()
    sent = server.run("sendmail", "-f", ANN, BOB, input=text("while it is dead"))
    check_equal(sent.returncode, 0, sent.stderr)
    server.wait_for_log(rf"to=<{BOB}>, relay=none, .*dsn=4\.4\.1, status=deferred "
                        r"\(connect to \S+\[private/dovecot-lmtp\]: ", since=at)
    check_equal(refusal(server, "no login"), 454, "a login without Dovecot")
    server.start_dovecot()
    server.run("postqueue", "-f")
    server.wait_for_log(rf"to=<{BOB}>, .*status=sent", since=at)
    box = server.wait_for_mail("bob", 3)
    check(b"Subject: while it is dead\r\n" in box[-1], "it arrives")
    # For a second smtpd does not look.
    wait_until(lambda: refusal(server, "alive") is None, "logins")
    check(b"Subject: alive\r\n" in server.wait_for_mail("bob", 4)[-1], "logins work again")


def demonstration(user):
    """./dev run --mailboxes --once"""
    who = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "demo.py")
    done = subprocess.run(["/usr/bin/python3", program, TOP, "--mailboxes", "--once"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=4 * PATIENCE, **who)
    check_equal(done.returncode, 0, f"./dev run --mailboxes --once: {done.stdout}")
    check_equal(len(re.findall(r"^   \| Subject: to a mailbox$", done.stdout, re.M)), 2,
                "by IMAP and by POP3")
    check_match(r"(?m)^   SMTP server       localhost   port \d+, STARTTLS, or \d+, SSL/TLS$",
                done.stdout, "settings for a mail program")


def run(user):
    with MailServer(user=user) as server:
        server.start()
        quota(server)
        vacation(server)
        dead(server)
    demonstration(user)


run(None)
if is_root():
    run("nobody")
finish()
