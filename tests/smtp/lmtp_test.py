#!/usr/bin/env python3
"""smtp called lmtp: unix and inet next hops, a reply for each recipient, lmtp_ parameters, sockets
that it may not reach, and Dovecot at the other end."""
import grp
import os
import pwd
import shutil
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, is_root, wait_until
from lmtp_server import LmtpServer

LINE = "lmtp unix - - n - - lmtp"


def send(mta, *recipients, content="Subject: x\n\nbody\n"):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message("a@client.example", list(recipients), content)
    smtp.close()
    return qid


def each_its_own(mta, server):
    """One message, four recipients, four fates."""
    server.at_rcpt["no@unix.example"] = "550 5.1.1 unknown"
    server.after_data["full@unix.example"] = "552 5.2.2 full"
    server.after_data["busy@unix.example"] = "450 4.2.0 busy"
    qid = send(mta, "ok@unix.example", "no@unix.example", "full@unix.example",
               "busy@unix.example")
    name = r"mx.example\[private/test\]"
    for who, text in (
            ("ok", r"dsn=2.0.0, status=sent \(250 2.0.0 <ok@unix.example> saved\)"),
            ("no", rf"dsn=5.1.1, status=bounced \(host {name} said: 550 5.1.1 unknown "
             r"\(in reply to RCPT TO command\)\)"),
            ("full", rf"dsn=5.2.2, status=bounced \(host {name} said: 552 5.2.2 full "
             r"\(in reply to end of DATA command\)\)"),
            ("busy", rf"dsn=4.2.0, status=deferred \(host {name} said: 450 4.2.0 busy "
             r"\(in reply to end of DATA command\)\)")):
        mta.wait_for_log(rf"postfix/lmtp\[\d+\]: {qid}: to=<{who}@unix.example>, relay={name}, "
                         rf"delay=\S+, delays=\S+, {text}")
    check_equal([r for r, _ in server.messages],
                [["ok@unix.example", "full@unix.example", "busy@unix.example"]],
                "one transaction")
    check("LHLO lhlo.example" in server.commands, "lmtp_lhlo_name")


def endpoints(mta):
    """A socket that is not there; one of our own, through a link as well."""
    qid = send(mta, "x@absent.example")
    mta.wait_for_log(rf"{qid}: to=<x@absent.example>, relay=none, .*dsn=4.4.1, status=deferred "
                     r"\(connect to mx.example\[private/absent\]: No such file or directory\)")
    mta.expect_trouble("may not reach our own socket")
    os.symlink("qmgr", os.path.join(mta.queue, "public/alias"))
    for who in ("own", "link"):
        qid = send(mta, f"x@{who}.example")
        mta.wait_for_log(rf"{qid}: to=<x@{who}.example>, relay=none, .*status=deferred "
                         r"\(connect to mx.example\[public/\w+\]: Operation not permitted\)")


def dovecot(mta):
    """Dovecot's own LMTP server below private/, as its guides have it."""
    base = os.path.join(mta.home, "dovecot")
    mail = os.path.join(base, "mail")
    os.makedirs(mail)
    owner, group = ("mail", "mail") if is_root() else (
        pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name)
    if is_root():
        shutil.chown(mail, "mail", "mail")
    config = os.path.join(base, "dovecot.conf")
    ids = "" if is_root() else (
        f"default_internal_user = {owner}\ndefault_login_user = {owner}\n"
        f"default_internal_group = {group}\n")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"""
base_dir = {base}/run
state_dir = {base}/run
log_path = {base}/log
protocols = lmtp
ssl = no
first_valid_uid = 0
mail_location = maildir:{mail}/%n
{ids}passdb {{
  driver = passwd-file
  args = username_format=%n {base}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {base}/users
}}
service lmtp {{
  chroot =
  unix_listener {mta.queue}/private/dovecot-lmtp {{
    mode = 0660
    user = {owner}
    group = {group}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
""")
    with open(os.path.join(base, "users"), "w", encoding="utf-8") as f:
        f.write(f"joe::{pwd.getpwnam(owner).pw_uid}:{grp.getgrnam(group).gr_gid}::{mail}::\n")
    server = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", config])
    try:
        wait_until(lambda: os.path.exists(f"{mta.queue}/private/dovecot-lmtp"), "dovecot")
        qid = send(mta, "joe@dovecot.example", "nobody@dovecot.example")
        mta.wait_for_log(rf"{qid}: to=<joe@dovecot.example>, "
                         r"relay=mx.example\[private/dovecot-lmtp\], .*dsn=2.0.0, status=sent "
                         r"\(250 2.0.0 <joe@dovecot.example> \S+ Saved\)")
        mta.wait_for_log(rf"{qid}: to=<nobody@dovecot.example>, .*dsn=5.1.1, status=bounced "
                         r"\(host mx.example\[private/dovecot-lmtp\] said: 550 5.1.1 ")
        new = os.path.join(mail, "joe", "new")
        check_equal(len(os.listdir(new)), 1, "messages in Dovecot's maildir")
    finally:
        server.terminate()
        server.wait()


with LmtpServer() as inet, Instance({
        "mydestination": "", "myhostname": "mx.example", "lmtp_lhlo_name": "lhlo.example",
        "lmtp_connection_cache_on_demand": "no", "smtp_tcp_port": "1",
        "lmtp_tcp_port": str(inet.port)}, extra_services=[LINE]) as mta:
    mta.write_configuration(transport_maps="inline:{" + ", ".join((
        "unix.example=lmtp:unix:private/test", "inet.example=lmtp:127.0.0.1",
        "absent.example=lmtp:unix:private/absent", "own.example=lmtp:unix:public/qmgr",
        "link.example=lmtp:unix:public/alias",
        "dovecot.example=lmtp:unix:private/dovecot-lmtp")) + "}")
    mta.start()
    with LmtpServer(os.path.join(mta.queue, "private/test")) as unix:
        each_its_own(mta, unix)
    qid = send(mta, "b@inet.example")
    mta.wait_for_log(rf"{qid}: to=<b@inet.example>, relay=127.0.0.1\[127.0.0.1\]:{inet.port}, "
                     r".*status=sent")
    endpoints(mta)
    dovecot(mta)
finish()
