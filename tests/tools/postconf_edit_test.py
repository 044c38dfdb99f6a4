#!/usr/bin/env python3
"""postconf edits: many at once lose nothing, owner and mode stay, no leavings after a refusal;
the calls of Debian's maintainer scripts on Debian's own shapes of files; -j, -T."""
import json
import os
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import check, check_equal, check_match, finish, is_root, program

POSTCONF = program("postconf")
MAIN = """# See /usr/share/postfix/main.cf.dist
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no
\t
# appending .domain is the MUA's job.
append_dot_mydomain = no
smtpd_relay_restrictions = permit_mynetworks
   permit_sasl_authenticated
# between
   defer_unauth_destination
myhostname = old.example
"""
MASTER = """smtp      inet  n       -       y       -       -       smtpd
#smtps    inet  n       -       y       -       -       smtpd
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
postlog   unix-dgram n  -       n       -       1       postlogd
"""


def postconf(folder, *arguments):
    return subprocess.run([POSTCONF, "-c", folder, *arguments], capture_output=True, text=True)


def read(folder, name="main.cf"):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def edit(folder, *arguments):
    done = postconf(folder, *arguments)
    check_equal((done.returncode, done.stdout, done.stderr), (0, "", ""), f"postconf {arguments}")


with tempfile.TemporaryDirectory() as folder:
    for name, text in (("main.cf", MAIN), ("master.cf", MASTER)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    os.chmod(os.path.join(folder, "main.cf"), 0o640)
    if is_root():
        os.chown(os.path.join(folder, "main.cf"), 1, 1)

    # What postinst, panels and guides do.
    edit(folder, "-e", "myhostname=mail.example", "mydestination=$myhostname, localhost")
    edit(folder, "-e", 'mailbox_command=procmail -a "$EXTENSION"')
    edit(folder, "-e", "smtpd_relay_restrictions=permit_mynetworks defer_unauth_destination")
    edit(folder, "-e", "mailbox_command=")
    edit(folder, "-#", "biff")
    edit(folder, "-X", "append_dot_mydomain")
    check_equal(read(folder), """# See /usr/share/postfix/main.cf.dist
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
#biff = no
\t
# appending .domain is the MUA's job.
smtpd_relay_restrictions = permit_mynetworks defer_unauth_destination
# between
myhostname = mail.example
mydestination = $myhostname, localhost
mailbox_command = 
""", "main.cf after the scripts")
    check_equal(postconf(folder, "-hx", "mydestination").stdout, "mail.example, localhost\n",
                "postconf -hx")
    edit(folder, "-M", "submission/inet=submission inet n - y - - smtpd")
    edit(folder, "-P", "submission/inet/syslog_name=postfix/submission",
         "submission/inet/smtpd_tls_security_level=encrypt")
    edit(folder, "-F", "*/*/chroot=n")
    edit(folder, "-M#", "relay/unix")
    check_equal(read(folder, "master.cf"), """\
smtp       inet  n       -       n       -       -       smtpd
#smtps    inet  n       -       y       -       -       smtpd
#relay      unix  -       -       n       -       -       smtp
#    -o syslog_name=postfix/$service_name
postlog    unix-dgram n  -       n       -       1       postlogd
submission inet  n       -       n       -       -       smtpd
    -o syslog_name=postfix/submission
    -o smtpd_tls_security_level=encrypt
""", "master.cf after the scripts")
    state = os.stat(os.path.join(folder, "main.cf"))
    check_equal(state.st_mode & 0o7777, 0o640, "mode of main.cf")
    if is_root():
        check_equal((state.st_uid, state.st_gid), (1, 1), "owner of main.cf")

    # Each waits for the one before.
    before = read(folder)
    runs = [subprocess.Popen([POSTCONF, "-c", folder, "-e", f"own_{i}=$own_{i + 1}"])
            for i in range(30)]
    check(all(run.wait() == 0 for run in runs), "edits side by side")
    after = read(folder)
    check(after.startswith(before), "what stood before them")
    check_equal(sorted(after[len(before):].splitlines()),
                sorted(f"own_{i} = $own_{i + 1}" for i in range(30)), "what they added")

    check_equal(postconf(folder, "-e", "bad name=x").returncode, 1, "a bad request")
    with open(os.path.join(folder, "master.cf"), "a", encoding="utf-8") as file:
        file.write("short inet n\n")
    check_equal(postconf(folder, "-F", "smtp/inet/chroot=y").returncode, 1, "a bad master.cf")
    check_equal(sorted(os.listdir(folder)), ["main.cf", "master.cf"], "files that are left")

    edit(folder, "-MX", "short/inet")
    lines = postconf(folder, "-nj").stdout.splitlines()
    settings = {}
    for line in lines:
        settings.update(json.loads(line))
    check_equal(settings["mydestination"], "$myhostname, localhost", "-j")
check_match(r"^OpenSSL 3", postconf("/", "-T", "run-version").stdout, "-T run-version")
check_match(r"^OpenSSL 3", postconf("/", "-T", "compile-version").stdout, "-T compile-version")
check_match(r"(?m)^ecdsa$", postconf("/", "-T", "public-key-algorithms").stdout, "-T")
check_equal(postconf("/", "-T", "x").returncode, 1, "-T x")
finish()
