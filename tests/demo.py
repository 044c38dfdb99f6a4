#!/usr/bin/python3
"""A private Postern, and mail going through it: what ./dev run and ./dev shell show.

usage: demo.py BUILD [--mailboxes] [--once | --shell]

Two instances from the build tree below a temporary folder: one that takes mail by SMTP and
sendmail, delivers some of it to a Maildir and relays the rest, and one that it relays to. Or, with
--mailboxes, a mail server for people with mail programs: Postern and Debian's Dovecot."""
import contextlib
import os
import pwd
import signal
import subprocess
import sys

os.environ["TOP_BUILDDIR"] = os.path.abspath(sys.argv[1])
import harness  # noqa: E402 (it reads the environment)
from mailserver import USERS, MailServer  # noqa: E402


def instance(domain, user, **settings):
    who = pwd.getpwuid(os.geteuid())
    if os.geteuid() == 0:
        who = pwd.getpwnam("nobody")
    mta = harness.Instance()
    mta.write_configuration(
        mydestination="", local_recipient_maps="", virtual_mailbox_domains=domain,
        virtual_mailbox_base=mta.mail, virtual_mailbox_maps=f"inline:{{{user}@{domain}={user}/}}",
        virtual_uid_maps=f"static:{who.pw_uid}", virtual_gid_maps=f"static:{who.pw_gid}",
        virtual_minimum_uid="1", **settings)
    os.chown(mta.mail, who.pw_uid, who.pw_gid)
    return mta


def send_by_smtp(mta, to, subject):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message("you@here.example", to, f"Subject: {subject}\n\nHello.")
    smtp.close()
    return qid


def show(mta, pattern):
    found = mta.wait_for_log(pattern)
    if found:
        line = [text for text in mta.log_text().splitlines() if found[0] in text]
        print("   ", line[-1] if line else found[0], flush=True)


def demonstrate(mta, sink):
    print("1. by SMTP into a Maildir")
    qid = send_by_smtp(mta, "ann@here.example", "by SMTP")
    show(mta, rf"{qid}: to=<ann@here.example>.*")
    print("2. by sendmail into the same Maildir")
    mta.run("sendmail", "-f", "you@here.example", "ann@here.example",
            input="Subject: by sendmail\n\nHello.\n")
    mta.maildir("ann", count=2)
    show(mta, r"uid=\d+ from=<you@here.example>")
    print("3. relayed to the second Postern")
    qid = send_by_smtp(mta, "bob@there.example", "relayed")
    show(mta, rf"{qid}: to=<bob@there.example>.*")
    for where, folder, count in ((mta, "ann", 2), (sink, "bob", 1)):
        path = os.path.join(where.mail, folder, "new")
        texts = where.maildir(folder, count=count)
        harness.check(len(texts) == count, f"{count} messages in {path}")
        print(f"   {len(texts)} in {path}")


@contextlib.contextmanager
def two_instances():
    with instance("there.example", "bob", myhostname="sink.there.example") as sink, \
            instance("here.example", "ann", myhostname="mail.here.example",
                     relayhost=f"[127.0.0.1]:{sink.port(0)}") as mta:
        sink.start()
        mta.start()
        print(f"\nPostern runs, as {'root' if mta.as_root else mta.settings['mail_owner']}:")
        print(f"   SMTP listens on   127.0.0.1:{mta.port(0)}")
        print(f"   send with         swaks --server 127.0.0.1:{mta.port(0)} "
              "--to ann@here.example")
        print(f"   or                MAIL_CONFIG={mta.etc} {mta.bin}/sendmail "
              "ann@here.example")
        print(f"   mail arrives in   {mta.mail}/ann")
        print(f"   the log is        {mta.logfile}\n", flush=True)
        demonstrate(mta, sink)
        yield mta


# ---- with mailboxes ----

def settings_of(server):
    print(f"\nPostern and Dovecot run, as {'root' if server.as_root else 'you'}. For a mail program:\n")
    for name in ("ann", "bob"):
        address, password = USERS[name]
        print(f"   user name         {address}      password   {password}")
    print(f"""
   IMAP server       localhost   port {server.imap_port}, STARTTLS, or {server.imaps_port}, SSL/TLS
   POP3 server       localhost   port {server.pop3_port}, STARTTLS, or {server.pop3s_port}, SSL/TLS
   SMTP server       localhost   port {server.port(1)}, STARTTLS, or {server.port(2)}, SSL/TLS
   log in with       normal password
   certificate       {server.trusted}

   mail is in        {server.mail}
   the logs are      {server.logfile}
                     {server.dovecot.logfile}

For mutt, as ann: mutt -n -F {server.mutt_file("ann")}
which says:
""")
    print("".join(f"   {line}\n" for line in server.mutt_settings("ann").splitlines()), flush=True)


@contextlib.contextmanager
def mail_server():
    with MailServer() as server:
        server.start()
        settings_of(server)
        print("1. from ann to bob, logged in on the submission port, STARTTLS")
        server.send("ann", "bob", "From: ann@here.example\nTo: bob@there.example\n"
                    "Subject: to a mailbox\n\nHello, Bob.\n")
        show(server, r"submission/smtpd\[\d+\]: \w+: client=.* sasl_username=ann@here\.example")
        show(server, r"\w+: to=<bob@there\.example>.* status=sent")
        print("2. bob reads it by IMAP")
        by_imap = server.wait_for_mail("bob", 1) or [b""]
        print_message(by_imap[0])
        print("3. and by POP3")
        with server.pop3("bob") as pop3:
            by_pop3 = b"\r\n".join(pop3.retr(1)[1]) + b"\r\n"
        print_message(by_pop3)
        harness.check(by_imap == [by_pop3] and b"Hello, Bob." in by_pop3, "both show the message")
        yield server


def print_message(text):
    print("".join(f"   | {line}\n" for line in text.decode().splitlines()), end="", flush=True)


def main():
    options = set(sys.argv[2:])
    if not options <= {"--mailboxes", "--once", "--shell"}:
        sys.exit("usage: ./dev run [--mailboxes] [--once]")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with mail_server() if "--mailboxes" in options else two_instances() as mta:
        if "--shell" in options:
            print("\nA shell with our commands and MAIL_CONFIG; leave it to end.", flush=True)
            subprocess.run([os.environ.get("SHELL", "/bin/sh")], env=dict(
                os.environ, **mta._environment()), cwd=mta.home)
        elif "--once" not in options:
            print("\nIt goes on until Ctrl-C.", flush=True)
            try:
                signal.pause()
            except KeyboardInterrupt:
                print()
    sys.exit(1 if harness.failed else 0)


if __name__ == "__main__":
    main()
