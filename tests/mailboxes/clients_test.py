#!/usr/bin/env python3
"""A whole mail server, and the mail programs that people have: msmtp, s-nail and mutt send by
submission (STARTTLS, and TLS from the start), curl, mutt and imaplib read by IMAP, poplib, fetchmail
and getmail by POP3. Attachments, 8-bit content, addresses in UTF-8, 20 MB. As root and as an
ordinary user."""
import email
import email.policy
import hashlib
import os
import pty
import subprocess
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import PATIENCE, check, check_equal, finish, is_root
from mailserver import USERS, MailServer

ANN, ANNS_WORD = USERS["ann"]
BOB, BOBS_WORD = USERS["bob"]
ATTACHED = bytes(range(256)) * 40


class Desk:
    """Where a person sits: programs run as an ordinary user, with a home."""

    def __init__(self, server):
        self.home = os.path.join(server.home, "desk")
        os.mkdir(self.home)
        self.trusted = server.trusted
        self.who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if is_root() else {}
        if is_root():
            os.chmod(self.home, 0o777)
        self.environment = {"HOME": self.home, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8",
                            "TERM": "vt100", "USER": "ann"}

    def file(self, name, content):
        path = os.path.join(self.home, name)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(path, 0o600)
        if is_root():
            os.chown(path, 65534, 65534)
        return path

    def run(self, *command, content=""):
        """What it says; its exit status has to be 0."""
        done = subprocess.run(command, input=content.encode(), env=self.environment,
                              cwd=self.home, capture_output=True, timeout=PATIENCE, **self.who)
        check(done.returncode == 0, f"{command[0]}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def run_on_terminal(self, *command):
        ours, terminal = pty.openpty()
        with subprocess.Popen(command, env=self.environment, cwd=self.home, stdin=terminal,
                              stdout=terminal, stderr=terminal, **self.who) as process:
            os.close(terminal)
            shown, too_late = b"", threading.Timer(PATIENCE, process.kill)
            too_late.start()
            while True:
                try:
                    shown += os.read(ours, 65536)
                except OSError:  # it has ended
                    break
            too_late.cancel()
        os.close(ours)
        check_equal(process.returncode, 0, f"{command[0]}: {shown!r}")


class Boxes:
    """Whose boxes grow by what is sent."""

    def __init__(self, server):
        self.server, self.counts = server, {name: 0 for name in USERS}

    def next(self, name):
        """The next message that `name` gets, parsed."""
        self.counts[name] += 1
        box = self.server.wait_for_mail(name, self.counts[name])
        return email.message_from_bytes(box[-1] if box else b"", policy=email.policy.default)


def check_mail(message, subject, attached=None):
    check_equal(message["Subject"], subject, "subject")
    check_equal(message["Return-Path"], f"<{ANN}>", subject)
    files = [part.get_payload(decode=True) for part in message.walk() if part.get_filename()]
    check_equal(files, [attached] if attached else [], f"{subject}: attachment")


def senders(server, desk, boxes):
    text = f"From: {ANN}\nTo: {BOB}\nSubject: {{}}\n\nHello.\n"
    word = desk.file("word", ANNS_WORD)
    attachment = desk.file("numbers.bin", ATTACHED)
    for port, starttls in ((1, "on"), (2, "off")):
        desk.run("msmtp", "-C", "/dev/null", "--host=localhost", f"--port={server.port(port)}",
                 "--auth=plain", f"--user={ANN}", f"--passwordeval=cat {word}", "--tls=on",
                 f"--tls-starttls={starttls}", f"--tls-trust-file={desk.trusted}", "-f", ANN, BOB,
                 content=text.format(f"msmtp {starttls}"))
        check_mail(boxes.next("bob"), f"msmtp {starttls}")
    user = ANN.replace("@", "%40")
    for scheme, port in (("smtp", 1), ("smtps", 2)):
        desk.run("s-nail", "-:/", "-S", "v15-compat", "-S", "smtp-use-starttls", "-S",
                 f"mta={scheme}://{user}:{ANNS_WORD}@localhost:{server.port(port)}", "-S",
                 "smtp-auth=plain", "-S", f"tls-ca-file={desk.trusted}", "-S", "tls-ca-no-defaults",
                 "-S", "tls-verify=strict", "-S", f"from={ANN}", "-S", "sendwait", "-s",
                 f"s-nail {scheme}", "-a", attachment, BOB, content="See there.\n")
        check_mail(boxes.next("bob"), f"s-nail {scheme}", ATTACHED)
    desk.run("mutt", "-n", "-F", desk.file("muttrc", server.mutt_settings("ann")), "-s", "by mutt",
             "-a", attachment, "--", BOB, content="See there.\n")
    check_mail(boxes.next("bob"), "by mutt", ATTACHED)
    check_equal(server.logged(rf"submissions?/smtpd.*sasl_method=PLAIN, sasl_username={ANN}$"), 5,
                "each had logged in")


def readers(server, desk):
    """Each shows what bob has, as it is."""
    box = server.mail_of("bob")
    url = f"imap://localhost:{server.imap_port}/INBOX;MAILINDEX={len(box)}"
    check_equal(desk.run("curl", "-s", "--ssl-reqd", "--cacert", desk.trusted, "-u",
                         f"{BOB}:{BOBS_WORD}", url), box[-1], "curl, IMAP")
    check_equal(desk.run("curl", "-s", "--cacert", desk.trusted, "-u", f"{BOB}:{BOBS_WORD}",
                         f"imaps://localhost:{server.imaps_port}/INBOX;MAILINDEX=1"), box[0],
                "curl, IMAP over TLS")
    with server.pop3("bob") as pop3:
        check_equal([b"\r\n".join(pop3.retr(n + 1)[1]) + b"\r\n" for n in range(len(box))], box,
                    "poplib")
    desk.run_on_terminal("mutt", "-n", "-F", desk.file("muttrc.bob", server.mutt_settings("bob")),
                         "-e", "set confirmappend=no confirmcreate=no quit=yes wait_key=no", "-e",
                         f"push <last-entry><copy-message>{desk.home}/copied<enter><quit>")
    with open(f"{desk.home}/copied", "rb") as copied:
        check(b"Subject: by mutt\n" in copied.read(), "mutt, IMAP")
    fetchmail(server, desk, box)
    getmail(server, desk, box)


def fetchmail(server, desk, box):
    settings = desk.file("fetchmailrc", f"""
poll localhost protocol POP3 service {server.pop3_port}
  user "{BOB}" password "{BOBS_WORD}" sslproto "TLS1.2+" sslcertck sslcertfile "{desk.trusted}"
  mda "cat >>{desk.home}/fetched; echo =END= >>{desk.home}/fetched" no rewrite keep
""")
    desk.run("fetchmail", "-f", settings, "--nodetach", "--nosyslog", "--invisible", "-i",
             f"{desk.home}/fetched.ids", "--pidfile", f"{desk.home}/fetchmail.pid")
    with open(f"{desk.home}/fetched", "rb") as file:
        fetched = file.read().split(b"=END=\n")[:-1]
    check_equal(len(fetched), len(box), "fetchmail: messages")
    for got, want in zip(fetched, box):
        check(got.endswith(want.replace(b"\r\n", b"\n").split(b"\n", 1)[1]), f"fetchmail: {got!r}")


def getmail(server, desk, box):
    for folder in ("cur", "new", "tmp"):
        path = os.path.join(desk.home, "got", folder)
        os.makedirs(path)
        for place in (path, os.path.dirname(path)):
            os.chmod(place, 0o777)
    settings = desk.file("getmailrc", f"""[retriever]
type = SimplePOP3SSLRetriever
server = localhost
port = {server.pop3s_port}
username = {BOB}
password = {BOBS_WORD}
ca_certs = {desk.trusted}
[destination]
type = Maildir
path = {desk.home}/got/
[options]
delete = false
received = false
delivered_to = false
""")
    desk.run("/usr/bin/getmail", "--getmaildir", desk.home, "--rcfile", settings, "--quiet")
    got = []
    for name in os.listdir(f"{desk.home}/got/new"):
        with open(f"{desk.home}/got/new/{name}", "rb") as file:
            got.append(file.read().partition(b"\n")[2])
    want = [message.replace(b"\r\n", b"\n").partition(b"\n")[2] for message in box]
    check_equal(sorted(got), sorted(want), "getmail")


def contents(server, boxes):
    eight = "From: ann@here.example\r\nSubject: 8-bit\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; " \
            "charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n".encode()
    server.send("ann", "bob", eight, mail_options=["BODY=8BITMIME"])
    check_equal(boxes.next("bob").get_payload(decode=True), "Grüße\r\n".encode(), "8-bit content")
    line = hashlib.sha256(b"a line").hexdigest().encode() + b"\r\n"
    big = b"From: ann@here.example\r\nSubject: large\r\n\r\n" + line * (20 * 1024 * 1024 // len(line))
    server.send("ann", "bob", big, implicit_tls=True)
    check(boxes.next("bob").as_bytes(policy=email.policy.SMTP).endswith(big.partition(b"\r\n\r\n")[2]),
          "20 MB")
    # Dovecot 2.3 takes no UTF-8 in addresses and headers: an alias leads to an address in ASCII. What
    # has one recipient names him in its Received: field, so that goes back, as from Postfix.
    text = f"From: {ANN}\r\nSubject: two\r\n\r\nx\r\n".encode()
    server.send("ann", ["jürgen@here.example", ANN], text, mail_options=["SMTPUTF8"])
    for name in ("bob", "ann"):
        check_equal(boxes.next(name)["Subject"], "two", f"to an address in UTF-8, {name}")
    server.send("ann", ["jürgen@here.example"], text, mail_options=["SMTPUTF8"])
    notice = boxes.next("ann").as_bytes()
    check(b"\nStatus: 5.6.7\n" in notice, f"what Dovecot cannot take: {notice!r}")
    check("\nOriginal-Recipient: utf-8;jürgen@here.example\n".encode() in notice, "for whom it was")


def run(user):
    with MailServer({"virtual_alias_maps": f"inline:{{jürgen@here.example={BOB}}}"},
                    user=user) as server:
        server.start()
        desk, boxes = Desk(server), Boxes(server)
        senders(server, desk, boxes)
        readers(server, desk)
        contents(server, boxes)


run(None)
if is_root():
    run("nobody")
finish()
