#!/usr/bin/env python3
"""Debian's procmail as mailbox_command, and its vacation in a .forward, on the first of the
configurations: mail is sorted, copied and refused as users want it, and an absence is told once."""
import os
import pwd
import shutil
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "configs"))
from flows import Site, check, check_equal, check_match, finish, header, postfix37, put

CLIENT = "198.51.100.7"
FRIEND = "friend@other.example"
ZONE = {("other.example", "MX"): [(10, "mx.other.example")],
        ("mx.other.example", "A"): ["192.0.2.10"]}
SORTED = """MAILDIR=$HOME
DEFAULT=$HOME/Maildir/
LOGFILE=$HOME/procmail.log
EXTENSION=$1

:0
* EXTENSION ?? ^list$
lists/

:0
* ^Subject:.*winnings
junk/

:0
* ^Subject: not for me
{
	EXITCODE=67
	:0
	/dev/null
}

:0
* ^Subject: not now
{
	EXITCODE=75
	:0
	/dev/null
}

:0 c
* ^Subject: for both
! copies@other.example
"""
AWAY = """Subject: away

I am not here.
"""


def prepare(site):
    # MAIL_CONFIG of commands is not the default one here, which it is on a real machine.
    with open(site.path("main.cf"), "a", encoding="utf-8") as main:
        main.write(f"alternate_config_directories = {site.mta.etc}\n")
    for name in ("procmail", "vacation"):
        shutil.copy(os.path.join(postfix37.HOME, "usr/bin", name), site.programs)
    os.symlink(os.path.join(site.mta.bin, "sendmail"), os.path.join(site.system_programs, "sendmail"))
    put(os.path.join(home("anna"), ".procmailrc"), SORTED, "anna")
    put(os.path.join(home("bernd"), ".procmailrc"), "DEFAULT=$HOME/Maildir/\n", "bernd")
    put(os.path.join(home("bernd"), ".forward"), '\\bernd, "|/usr/bin/vacation bernd"\n', "bernd")
    put(os.path.join(home("bernd"), ".vacation.msg"), AWAY, "bernd")
    who = pwd.getpwnam("bernd")
    begun = subprocess.run(["/usr/bin/vacation", "-i"], env={"HOME": who.pw_dir}, cwd=who.pw_dir,
                           user=who.pw_uid, group=who.pw_gid, extra_groups=[], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check_equal((begun.returncode, begun.stdout), (0, ""), "vacation -i")


def home(user):
    return pwd.getpwnam(user).pw_dir


def subjects(user, folder):
    """Of the messages in a Maildir."""
    path, found = os.path.join(home(user), folder, "new"), []
    for name in os.listdir(path) if os.path.isdir(path) else ():
        with open(os.path.join(path, name), encoding="utf-8") as file:
            found.append(header(file.read(), "Subject"))
    return sorted(found)


def mail_to(site, rcpt, subject, sender=FRIEND, more=""):
    return site.send(CLIENT, sender, rcpt,
                     f"From: {FRIEND}\nTo: {rcpt}\nSubject: {subject}\n{more}\nx\n")


def procmail(site, mx):
    log = mail_to(site, "anna@site.example", "hello")
    check_match(r"relay=local, .*status=sent \(delivered to command: procmail -a \"\$EXTENSION\"\)", log,
                "procmail")
    mail_to(site, "anna@site.example", "your winnings")
    mail_to(site, "anna+list@site.example", "news")
    check_equal([subjects("anna", folder) for folder in ("Maildir", "junk", "lists")],
                [["hello"], ["your winnings"], ["news"]], "sorted")
    inbox = os.path.join(home("anna"), "Maildir/new")
    about = os.stat(os.path.join(inbox, os.listdir(inbox)[0]))
    check_equal((about.st_uid, about.st_mode & 0o777), (pwd.getpwnam("anna").pw_uid, 0o600), "hers alone")
    check_match(r"dsn=5\.1\.1, status=bounced \(user unknown", mail_to(
        site, "anna@site.example", "not for me"), "EXITCODE=67")
    site.await_mail(mx, 1)  # the bounce
    mail_to(site, "anna@site.example", "for both")
    copy = site.await_mail(mx, 2)[-1]
    check_equal((copy.rcpts, header(copy.text, "Subject")), (["copies@other.example"], "for both"),
                "a copy by sendmail")
    check_equal(subjects("anna", "Maildir"), ["for both", "hello"], "and her own")
    smtp = site.client(CLIENT)
    smtp.message(FRIEND, "anna@site.example", "Subject: not now\n\nx")
    smtp.close()
    site.mta.wait_for_log(r"to=<anna@site\.example>.* dsn=4\.3\.0, status=deferred \(temporary failure")


def vacation(site, mx):
    before = len(mx.mail)
    mail_to(site, "bernd@site.example", "are you there?")
    reply = site.await_mail(mx, before + 1)[-1]
    check_equal((reply.rcpts, header(reply.text, "Subject")), ([FRIEND], "away"), "the notice")
    for subject, sender, more in (("again", FRIEND, ""), ("of a list", "x@other.example",
                                  "Precedence: list\n"), ("a notice", "", "Auto-Submitted: auto-replied\n"),
                                  ("a bounce", "", "")):
        mail_to(site, "bernd@site.example", subject, sender, more)
    # Somebody else gets one: by then all others would be there.
    mail_to(site, "bernd@site.example", "and you?", "second@other.example")
    check_equal([mail.rcpts for mail in site.await_mail(mx, before + 2)[before:]],
                [[FRIEND], ["second@other.example"]], "one notice for each")
    check_equal(subjects("bernd", "Maildir"), ["a bounce", "a notice", "again", "and you?",
                                               "are you there?", "of a list"], "all of it arrives")
    check_equal(site.mta.logged(
        rf"postfix/pickup\[\d+\]: \w+: uid={pwd.getpwnam('bernd').pw_uid} from=<bernd>"), 2,
                "what vacation has sent")


with Site("01-debian-internet-site", ZONE, users=("anna", "bernd"),
          corrections={"smtpd_tls_security_level": "none"}) as host:
    prepare(host)
    hub = host.host("192.0.2.10")
    host.set_group_commands()
    host.start()
    procmail(host, hub)
    vacation(host, hub)
    check(not host.mta.logged(r"(?:fatal|panic|error): |throttling"), "trouble in the log")
finish()
