#!/usr/bin/env python3
"""include in main.cf: the daemons see what included files say, postconf tells where, and edits
those files; postern check names them."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish


def read(*path):
    with open(os.path.join(*path)) as file:
        return file.read()


with Instance({"smtpd_banner": "main ESMTP"}, services=["smtpd", "cleanup", "qmgr"]) as mta:
    os.mkdir(os.path.join(mta.etc, "conf.d"))
    mta.write("conf.d/10-banner.cf", "# kept\nsmtpd_banner = ten ESMTP\n")
    mta.write("conf.d/20-banner.cf", "smtpd_banner = twenty ESMTP\n mail\nmail_name = M\n")
    mta.write_configuration(include="conf.d")
    mta.start()
    smtp = mta.smtp()
    check_match("^220 twenty ESMTP mail", smtp.last, "banner")
    smtp.say("QUIT", "221")

    def postconf(*arguments):
        done = mta.run("postconf", *arguments)
        check_equal(done.returncode, 0, f"postconf {arguments}: {done.stderr}")
        return done.stdout

    check_equal(postconf("-h", "mail_name"), "M\n", "postconf")
    check_equal(postconf("--origin", "-c", mta.etc, "mail_name", "biff"),
                f"{mta.etc}/conf.d/20-banner.cf:3: mail_name = M\ndefault: biff = yes\n", "origin")
    check_match(f"{mta.etc}/main.cf:\\d+: queue_directory = {mta.queue}\n", postconf("--origin"),
                "origin of all")

    # Each setting is edited where it is made; a new one goes into main.cf.
    postconf("-e", "mail_name=N", "smtpd_banner=new ESMTP", "myorigin=o.example")
    check_equal(read(mta.etc, "conf.d/20-banner.cf"), "smtpd_banner = new ESMTP\nmail_name = N\n",
                "the file that counts")
    check_equal(read(mta.etc, "conf.d/10-banner.cf"), "# kept\nsmtpd_banner = ten ESMTP\n",
                "one that does not")
    check_match(r"(?m)^smtpd_banner = main ESMTP$", read(mta.etc, "main.cf"), "main.cf")
    check_match(r"(?m)^myorigin = o.example$", read(mta.etc, "main.cf"), "main.cf")
    check("mail_name" not in read(mta.etc, "main.cf"), "edited in main.cf")
    postconf("-X", "mail_name")
    check_equal(read(mta.etc, "conf.d/20-banner.cf"), "smtpd_banner = new ESMTP\n", "-X")
    mta.reload()
    check_match("^220 new ESMTP", mta.smtp().last, "banner after a reload")

    # A mistake is named where it is, and the running configuration stays.
    mta.write("conf.d/15-bad.cf", "\nsmtpd_timeout = x\n")
    done = mta.postern("check", status=1)
    check_match(r"conf.d/15-bad.cf, line 2", done.stderr, "check")
    mta.postern("reload", status=1)
    check_match("^220 new ESMTP", mta.smtp().last, "banner after a mistake")
    mta.write("conf.d/15-bad.cf", "biff_ = yes\n")
    check_match(rf"{mta.etc}/conf.d/15-bad.cf: unused parameter: biff_=yes",
                mta.run("postconf", "-n").stderr, "a misspelt name")
finish()
