#!/usr/bin/python3
"""A private Postern, and mail going through it: what ./dev run and ./dev shell show.

usage: demo.py BUILD [--once | --shell]

Two instances from the build tree below a temporary folder: one that takes mail by SMTP and
sendmail, delivers some of it to a Maildir and relays the rest, and one that it relays to."""
import os
import pwd
import signal
import subprocess
import sys

os.environ["TOP_BUILDDIR"] = os.path.abspath(sys.argv[1])
import harness  # noqa: E402 (it reads the environment)


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


def main():
    option = sys.argv[2] if len(sys.argv) > 2 else ""
    if option not in ("", "--once", "--shell"):
        sys.exit("usage: ./dev run [--once]")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
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
        if option == "--shell":
            print("\nA shell with our commands and MAIL_CONFIG; leave it to end.", flush=True)
            subprocess.run([os.environ.get("SHELL", "/bin/sh")], env=dict(
                os.environ, **mta._environment()), cwd=mta.home)
        elif option != "--once":
            print("\nIt goes on until Ctrl-C.", flush=True)
            try:
                signal.pause()
            except KeyboardInterrupt:
                print()
    sys.exit(1 if harness.failed else 0)


if __name__ == "__main__":
    main()
