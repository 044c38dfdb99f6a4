#!/usr/bin/env python3
"""set-permissions and upgrade-configuration with name=value arguments: the same commands for
Debian's Postfix and for us, with the same settings in main.cf, owners and exit status after each."""
import grp
import os
import pwd
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish, is_root, skip
from postfix37 import Postfix37, is_there

NAMES = ("mail_owner", "setgid_group", "data_directory", "html_directory", "sendmail_path")
# post-install's list; of the package's own it would change files that all tests share.
POSTFIX_FILES = """$queue_directory:d:root:-:755:uc
$queue_directory/active:d:$mail_owner:-:700:uc
$queue_directory/private:d:$mail_owner:-:700:uc
$queue_directory/maildrop:d:$mail_owner:$setgid_group:730:uc
$data_directory:d:$mail_owner:-:700:uc
"""
FOLDERS = ("queue", "queue/active", "queue/private", "queue/maildrop", "data", "data2")
CASES = (
    ("set-permissions",),
    ("set-permissions", "mail_owner=backup"),
    ("set-permissions", "setgid_group=games", "html_directory=/usr/share/doc"),
    ("set-permissions", "html_directory=no"),
    ("set-permissions", "data_directory={home}/data2"),
    ("upgrade-configuration", "mail_owner=mail"),
    ("set-permissions", "upgrade-configuration", "sendmail_path=/usr/sbin/sendmail"),
    ("set-permissions", "mail_owner=mail", "mail_owner=backup"),
    # Refused by both.
    ("set-permissions", "sendmail_path=sendmail"),
    ("set-permissions", "html_directory=doc"),
    ("set-permissions", "setgid_group=no"),
    ("set-permissions", "mail_owner=a b"),
    ("set-permissions", "mail_owner"),
    ("set-permissions", "mail_owner=nobody-has-this-name"),
)


class System:
    def __init__(self, mta, command):
        self.mta, self.command = mta, command

    def after(self, case):
        """What a command leaves: refused or not, settings, owners of folders, master.cf's
        services."""
        home = self.mta.home
        words = [word.replace("{home}", home) for word in case]
        done = self.mta.run(self.command, "-c", self.mta.etc, *words)
        settings = {name: self.mta.run("postconf", "-c", self.mta.etc, "-hx", name)
                    .stdout.strip().replace(home, "") for name in NAMES}
        owners = {}
        for name in FOLDERS:
            if os.path.exists(f"{home}/{name}"):
                found = os.stat(f"{home}/{name}")
                owners[name] = pwd.getpwuid(found.st_uid).pw_name
                if name.endswith("maildrop"):
                    owners["group"] = grp.getgrgid(found.st_gid).gr_name
        return done.returncode != 0, settings, owners


def compared():
    shared = {"mail_owner": "mail", "setgid_group": "utmp"}
    with Postfix37(shared) as theirs, Instance(shared, services=["smtpd", "cleanup"]) as ours:
        theirs.write("postfix-files", POSTFIX_FILES)
        theirs.write_configuration(meta_directory=theirs.etc, sendmail_path="/usr/lib/sendmail",
                                   html_directory="no")
        ours.write_configuration(sendmail_path="/usr/lib/sendmail", html_directory="no")
        for name in ("postdrop", "postqueue"):  # not those of the build folder
            os.remove(f"{ours.bin}/{name}")
            ours.run("cp", "/bin/true", f"{ours.bin}/{name}")
        for case in CASES:
            want, got = (System(mta, command).after(case)
                         for mta, command in ((theirs, "postfix"), (ours, "postern")))
            check_equal(got, want, " ".join(case))
        with open(f"{ours.etc}/master.cf") as file:
            check_match("(?m)^retry ", file.read(), "upgrade-configuration")


def refused_by_us():
    """Postfix takes any name there."""
    with Instance(services=["smtpd"]) as mta:
        with open(f"{mta.etc}/main.cf") as file:
            before = file.read()
        for word, why in (("relayhost=[127.0.0.1]", "relayhost is no parameter of an installation"),
                          ("config_directory=/tmp", "name another directory with -c")):
            done = mta.postern("set-permissions", word, status=1)
            check_match(re.escape(why), done.stderr, word)
        with open(f"{mta.etc}/main.cf") as file:
            check_equal(file.read(), before, "main.cf")


if not is_root():
    skip("needs root")
check(is_there(), "Debian's Postfix is not unpacked: ./dev does it")
compared()
refused_by_us()
finish()
