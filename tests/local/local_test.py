#!/usr/bin/env python3
"""local(8): aliases, .forward files, commands, files, lists, mailboxes and who does what as
whom. As root with private users, and as an ordinary user."""
import grp
import os
import pwd
import re
import shutil
import signal
import stat
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import (Instance, check, check_equal, check_match, finish, is_root,
                     process_status, wait_until)
from private_users import put, with_users

HERE = "mail.test.example"
CONFIGURATION = "^mail system configuration error$"


def send(mta, recipient, body="Subject: test\n\nbody\n", sender="s@x.example", count=1):
    """Sends and waits for `count` delivery records of local for the message; gives them as
    (to, status, dsn, text)."""
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message(sender, recipient, body.rstrip("\n"))
    smtp.close()
    line = rf"local\[\d+\]: {qid}: to=<([^>]*)>.*, dsn=([\d.]+), status=(\w+) \((.*)\)$"
    mta.wait_for_log(line, count)
    return [(m[1], m[3], m[2], m[4]) for m in re.finditer(line, mta.log_text(), re.M)]


def expect(mta, recipient, status, dsn, text, what, **more):
    """One record with this outcome."""
    to, got_status, got_dsn, got_text = send(mta, recipient, **more)[0]
    check_equal((got_status, got_dsn), (status, dsn), f"{what}: outcome ({got_text})")
    check_match(text, got_text, what)
    return to


def forwards(mta, recipient, to, what):
    """It becomes new mail to that address."""
    text = send(mta, recipient)[0][3]
    check_match(r"^forwarded as \w+$", text, what)
    mta.wait_for_log(rf"{text.split(' ')[-1]}: to=<{re.escape(to)}>")


def content(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError as error:
        return str(error)


def aliases(mta, text):
    path = mta.write("aliases", text)
    check_equal(mta.run("postalias", f"hash:{path}", as_user=False).returncode, 0, "postalias")
    if mta.master():
        turn(mta)


def turn(mta, **settings):
    """Other settings, and nobody left who knows the old ones."""
    if settings:
        mta.write_configuration(**settings)
    old = set(mta.processes("local"))
    mta.reload()
    wait_until(lambda: not old & set(mta.processes("local")), "the end of the old local")


def shared(mta, name, mode=0o1777):
    """A directory where any user may make files."""
    path = os.path.join(mta.home, name)
    if not os.path.isdir(path):
        os.mkdir(path)
    os.chmod(path, mode)
    return path


# ---- aliases and addresses ----

def alias_syntax(mta, out):
    aliases(mta, f"""
ann: ann
toann: ann
many: ann, "bob", ann, Bob <bob@{HERE}> (a comment)
quoted: "|cat > {out}/quoted; echo \\"two words\\" > {out}/words"
bare: |/bin/sh {out}/script
file: {out}/file
maildir: {out}/maildir/
null: /dev/null
deep: deeper
deeper: toann
loopa: loopb
loopb: loopa
outside: someone@elsewhere.example
commented: (nothing)
 ann
plus+one: bob
restricted: ":include:{out}/list"
""")
    put(f"{out}/script", f"cat > {out}/bare\n", "nobody", 0o755)
    expect(mta, f"toann@{HERE}", "sent", "2.0.0", "^delivered to mailbox$", "an alias")
    expect(mta, f"ann@{HERE}", "sent", "2.0.0", "^delivered to mailbox$", "an alias of itself")
    expect(mta, f"deep@{HERE}", "sent", "2.0.0", "^delivered to mailbox$", "alias of alias")
    expect(mta, f"commented@{HERE}", "sent", "2.0.0", "^delivered to mailbox$", "a comment")
    got = sorted(r[0] for r in send(mta, f"many@{HERE}", count=2))
    check_equal(got, [f"ann@{HERE}", f"bob@{HERE}"], "each member once")
    expect(mta, f"quoted@{HERE}", "sent", "2.0.0", r'^delivered to command: cat > .*two words',
           "a quoted command")
    check_equal(content(f"{out}/words"), "two words\n", "quotes within quotes")
    check_match(r"^From s@x\.example  .*\nReturn-Path: <s@x\.example>\nX-Original-To: quoted@.*\n"
                r"Delivered-To: quoted@.*\nReceived: (.*\n)+\nbody\n$", content(f"{out}/quoted"),
                "what a command gets")
    expect(mta, f"bare@{HERE}", "sent", "2.0.0", r"^delivered to command: /bin/sh ",
           "an unquoted command")
    expect(mta, f"file@{HERE}", "sent", "2.0.0", rf"^delivered to file: {out}/file$", "a file")
    check_match(r"^From s@x\.example  .*\n(.*\n)*\nbody\n\n$", content(f"{out}/file"), "the file")
    expect(mta, f"maildir@{HERE}", "sent", "2.0.0", "^delivered to maildir$", "a Maildir")
    expect(mta, f"null@{HERE}", "sent", "2.0.0", "^delivered to file: /dev/null$", "/dev/null")
    expect(mta, f"loopa@{HERE}", "bounced", "5.4.6", "^alias database loop for loop", "a loop")
    expect(mta, f"outside@{HERE}", "sent", "2.0.0", r"^forwarded as \w+$", "forwarding")
    expect(mta, f"plus+one@{HERE}", "sent", "2.0.0", "^delivered to mailbox$", "with extension")
    check_match("X-Original-To: plus.one@", content(f"{mta.mail}/bob"), "bob's, by user+ext")
    expect(mta, f"nosuch@{HERE}", "bounced", "5.1.1", '^unknown user: "nosuch"$', "nobody")
    expect(mta, f"root@{HERE}", "bounced", "5.2.1", "root's mail needs an alias", "root")


def exit_codes(mta, out):
    lines = [f"x{code}: \"|exit {code}\"\n" for code in (1, 64, 65, 67, 69, 71, 75, 77, 99)]
    aliases(mta, "".join(lines) + f"""
said: "|echo 4.2.2 over quota; exit 1"
said5: "|echo 5.7.9 go away >&2; exit 75"
noise: "|echo one; echo two; exit 65"
signal: "|kill -TERM $$"
fine: "|echo 5.1.1 but all is well"
slow: "|sleep 1000"
deaf: "|exec true"
where: "|pwd > {out}/where; id -u > {out}/uid; id -G > {out}/groups; ls /proc/self/fd > {out}/fds; grep NoNew /proc/self/status > {out}/walls"
missing: "|/no/such/program"
environment: "|env > {out}/environment"
""")
    for code, (status, dsn, text) in {
            1: ("bounced", "5.3.0", '^Command died with status 1: "exit 1"$'),
            64: ("bounced", "5.3.0", "^command line usage error$"),
            65: ("bounced", "5.6.0", "^data format error$"),
            67: ("bounced", "5.1.1", "^user unknown$"),
            69: ("bounced", "5.3.0", "^service unavailable$"),
            71: ("deferred", "4.3.0", "^system resource problem$"),
            75: ("deferred", "4.3.0", "^temporary failure$"),
            77: ("bounced", "5.7.0", "^permission denied$"),
            99: ("bounced", "5.3.0", "^Command died with status 99")}.items():
        expect(mta, f"x{code}@{HERE}", status, dsn, text, f"exit {code}")
    expect(mta, f"said@{HERE}", "deferred", "4.2.2", "^over quota $", "4.x.x in the output")
    expect(mta, f"said5@{HERE}", "bounced", "5.7.9", "^go away $", "5.x.x on standard error")
    expect(mta, f"noise@{HERE}", "bounced", "5.6.0",
           "^data format error. Command output: one two $", "output is quoted")
    expect(mta, f"signal@{HERE}", "deferred", "4.3.0", "^Command died with signal 15: ", "signal")
    expect(mta, f"fine@{HERE}", "sent", "2.0.0", "^delivered to command: ", "exit 0 wins")
    expect(mta, f"deaf@{HERE}", "sent", "2.0.0", "^delivered to command: ", "reads nothing",
           body="Subject: large\n\n" + "x" * 60 + "\n" * 200000)
    expect(mta, f"slow@{HERE}", "bounced", "5.3.0",
           '^Command time limit exceeded: "sleep 1000"$', "the time limit")
    expect(mta, f"missing@{HERE}", "deferred", "4.3.0",
           "local: fatal: execvp /no/such/program: No such file or directory", "missing")
    expect(mta, f"where@{HERE}", "sent", "2.0.0", "delivered", "where")
    check_equal(content(f"{out}/where").strip(), os.path.realpath(mta.queue), "queue_directory")
    nobody = pwd.getpwnam("nobody")
    check_equal(content(f"{out}/uid").strip(), str(nobody.pw_uid), "root's alias runs as nobody")
    check_equal(content(f"{out}/groups").strip(), str(nobody.pw_gid), "no other groups")
    check_equal(content(f"{out}/fds").split()[:3], ["0", "1", "2"], "descriptors")
    check_match("NoNewPrivs:\t0", content(f"{out}/walls"), "it may call setgid postdrop")
    check(len(content(f"{out}/fds").split()) <= 4, "no other descriptors")
    expect(mta, f"environment@{HERE}", "sent", "2.0.0", "delivered", "environment")
    got = dict(line.split("=", 1) for line in content(f"{out}/environment").splitlines())
    for name, value in {"SENDER": "s@x.example", "RECIPIENT": f"environment@{HERE}",
                        "LOCAL": "environment", "DOMAIN": HERE, "PATH": "/usr/bin:/bin",
                        "CLIENT_HELO": "client.example", "CLIENT_PROTOCOL": "ESMTP",
                        "EXPORTED": "by main.cf", "CLIENT_ADDRESS": "127.0.0.1"}.items():
        check_equal(got.get(name), value, f"environment: {name}")
    check(not set(got) - {"PWD", "SHLVL", "_", "OLDPWD", "TZ", "MAIL_CONFIG", "LANG", "SENDER",
                          "RECIPIENT", "ORIGINAL_RECIPIENT", "LOCAL", "DOMAIN", "PATH",
                          "CLIENT_HELO", "CLIENT_PROTOCOL", "CLIENT_ADDRESS", "EXPORTED",
                          "CLIENT_HOSTNAME", "USER", "LOGNAME", "SASL_METHOD", "SASL_USERNAME", "SASL_SENDER",
                          "ENVID"}, f"nothing else in the environment: {sorted(got)}")
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    smtp.say("MAIL FROM:<\"a;b`c\"@x.example>", "250")
    smtp.say(f"RCPT TO:<environment@{HERE}>", "250")
    smtp.say("DATA", "354")
    smtp.send("Subject: x\r\n\r\n.\r\n")
    smtp.expect("250")
    wait_until(lambda: "SENDER=a_b_c@x.example\n" in content(f"{out}/environment"),
               "a censored sender")


def owners(mta, out):
    aliases(mta, f"""
list: someone@elsewhere.example, bob
owner-list: ann
listcmd: "|env > {out}/listenv"
owner-listcmd: ann
inner: other@elsewhere.example
outer: inner
owner-outer: bob
""")
    at = mta.log_position()
    send(mta, f"list@{HERE}")
    mta.wait_for_log(rf"qmgr\[\d+\]: \w+: from=<owner-list@{HERE}>", since=at)
    qid = mta.wait_for_log(r"status=sent \(forwarded as (\w+)\)", since=at)[1]
    mta.wait_for_log(rf"{qid}: to=<bob@{HERE}>", since=at)  # members get a message of their own
    send(mta, f"listcmd@{HERE}")
    check_match(f"(?m)^SENDER=owner-listcmd@{HERE}$", content(f"{out}/listenv"), "SENDER")
    at = mta.log_position()
    send(mta, f"outer@{HERE}")
    mta.wait_for_log(rf"qmgr\[\d+\]: \w+: from=<owner-outer@{HERE}>", since=at)
    turn(mta, expand_owner_alias="yes")
    at = mta.log_position()
    send(mta, f"outer@{HERE}")
    mta.wait_for_log(rf"qmgr\[\d+\]: \w+: from=<bob@{HERE}>", since=at)
    turn(mta, expand_owner_alias="no")


def includes(mta, out, homes):
    aliases(mta, f"""
list: :include:{out}/list
cmdlist: :include:{out}/cmdlist
relative: :include:list
missing: :include:{out}/nosuch
open: :include:{out}/open
fifo: :include:{out}/fifo
self: :include:{out}/self
secret: :include:{homes}/ann/secret
""")
    put(f"{out}/list", f"# members\nann,\n  bob\n\n# no more\n", "ann", 0o644)
    put(f"{out}/cmdlist", "|true\n", "ann", 0o644)
    put(f"{out}/open", "ann\n", "ann", 0o666)
    put(f"{out}/self", f":include:{out}/self, ann\n", "ann", 0o644)
    put(f"{homes}/ann/secret", "bob\n", "ann", 0o600)
    os.mkfifo(f"{out}/fifo")
    os.chmod(f"{out}/fifo", 0o644)
    _, status, dsn, text = send(mta, f"list@{HERE}")[0]
    check_equal((status, dsn, text.split(" ")[:2]), ("sent", "2.0.0", ["forwarded", "as"]), "a list")
    for member in ("ann", "bob"):
        mta.wait_for_log(rf"{text.split(' ')[2]}: to=<{member}@{HERE}>.*status=sent")
    expect(mta, f"cmdlist@{HERE}", "bounced", "5.7.1", "^mail to command is restricted$",
           "no commands in lists")
    expect(mta, f"relative@{HERE}", "bounced", "5.3.5", CONFIGURATION, "relative")
    mta.wait_for_log(":include:list uses a relative path")
    for alias, warning in (("missing", "unable to lookup :include: file"),
                           ("open", "is world writable"), ("fifo", "is not a regular file")):
        expect(mta, f"{alias}@{HERE}", "bounced", "5.3.5", CONFIGURATION, alias)
        mta.wait_for_log(rf"warning: .*{warning}")
    expect(mta, f"self@{HERE}", "sent", "2.0.0", "forwarded as", "a list in itself, once")
    check(send(mta, f"secret@{HERE}")[0][1] != "sent", "root's alias does not read ann's secrets")
    put(f"{out}/cmdlist", f"|id -u > {out}/listuid\n", "ann", 0o644)
    turn(mta, allow_mail_to_commands="alias,forward,include")
    expect(mta, f"cmdlist@{HERE}", "sent", "2.0.0", "^delivered to command", "allowed")
    check_equal(content(f"{out}/listuid").strip(), str(pwd.getpwnam("ann").pw_uid),
                "a list's command runs as its owner")
    turn(mta, allow_mail_to_commands="alias,forward")


def alias_table_of_a_user(mta, out):
    """Commands of a table that belongs to a user run as that user."""
    aliases(mta, f'his: "|id -u > {out}/hisuid"\n')
    who = pwd.getpwnam("bob")
    for name in ("aliases", "aliases.db"):
        os.chown(os.path.join(mta.etc, name), who.pw_uid, who.pw_gid)
    turn(mta)
    expect(mta, f"his@{HERE}", "sent", "2.0.0", "delivered to command", "bob's table")
    check_equal(content(f"{out}/hisuid").strip(), str(who.pw_uid), "as bob")


# ---- .forward ----

def forward_files(mta, out, homes):
    aliases(mta, "")
    fwd = f"{homes}/cat/.forward"

    def cat(text, mode=0o600, owner="cat"):
        put(fwd, text, owner, mode)
    cat(f"\\cat, \"|id -un > {out}/catid; env > {out}/catenv\"\n")
    got = send(mta, f"cat@{HERE}", count=2)
    check_equal(sorted(r[3].split(":")[0] for r in got),
                ["delivered to command", "delivered to mailbox"], "a copy and a command")
    check_equal(content(f"{out}/catid").strip(), "cat", "the user's command runs as him")
    check_match(f"(?m)^HOME={homes}/cat$", content(f"{out}/catenv"), "HOME")
    cat("# nothing yet\n")
    expect(mta, f"cat@{HERE}", "sent", "2.0.0", "^delivered to mailbox$", "an empty .forward")
    cat("bob\n")
    expect(mta, f"cat@{HERE}", "sent", "2.0.0", "^forwarded as", "to another user")
    mta.wait_for_log(rf"local\[\d+\]: \w+: to=<bob@{HERE}>, orig_to=<cat@{HERE}>.*mailbox\)")
    check_match(f"Delivered-To: bob@{HERE}\n(.*\n)*Delivered-To: cat@{HERE}\n",
                content(f"{mta.mail}/bob"), "the marks of both")
    cat("someone@elsewhere.example\n")
    put(f"{homes}/cat/.forward+work", "ann@elsewhere.example\n", "cat")
    forwards(mta, f"cat+work@{HERE}", "ann@elsewhere.example", ".forward+work")
    forwards(mta, f"cat+play@{HERE}", "someone@elsewhere.example", ".forward")

    def ignored(what, warning):
        at = mta.log_position()
        expect(mta, f"cat@{HERE}", "sent", "2.0.0", "^delivered to mailbox$", what)
        mta.wait_for_log(rf"local\[\d+\]: warning: .*{warning}", since=at)
    cat("bob\n", 0o666)
    ignored("a world-writable .forward", "is world writable")
    cat("bob\n", 0o644, owner="bob")
    ignored("somebody else's .forward", "has bad owner uid")
    os.unlink(fwd)
    os.symlink(f"{homes}/bob/.forward", fwd)
    ignored("a symbolic link", "is not a regular file")
    os.unlink(fwd)
    os.mkfifo(fwd, 0o644)
    os.chown(fwd, pwd.getpwnam("cat").pw_uid, -1)
    ignored("a FIFO", "is not a regular file")
    os.unlink(fwd)
    cat("bob\n")
    os.chmod(f"{homes}/cat", 0o777)
    ignored("a world-writable home", "is world writable")
    os.chmod(f"{homes}/cat", 0o700)
    cat(f"{out}/byfile, {homes}/ann/planted\n")
    got = {r[3].split(":")[0]: r for r in send(mta, f"cat@{HERE}", count=2)}
    check(not os.path.exists(f"{homes}/ann/planted"), "nothing in another user's home")
    check_equal(os.stat(f"{out}/byfile").st_uid, pwd.getpwnam("cat").pw_uid, "his own file")
    cat(f"\"|{homes}/cat/loop\"\n")
    put(f"{homes}/cat/loop", f"""#!/usr/bin/python3
import smtplib, sys
sys.stdin.readline()
smtplib.SMTP("127.0.0.1", {mta.port()}).sendmail("x@x.example", "cat@{HERE}", sys.stdin.read())
""", "cat", 0o700)
    at = mta.log_position()
    expect(mta, f"cat@{HERE}", "sent", "2.0.0", "^delivered to command", "a command that sends")
    mta.wait_for_log(rf"status=bounced \(mail forwarding loop for cat@{HERE}\)", since=at)
    os.unlink(fwd)


# ---- mailboxes ----

def mailboxes(mta, out):
    box = f"{mta.mail}/dog"

    def refused(what, text, make, status="bounced", code="5.2.0"):
        if os.path.lexists(box):
            os.unlink(box)
        make()
        expect(mta, f"dog@{HERE}", status, code,
               f"^cannot update mailbox {box} for user dog. {text}", what)
        os.unlink(box)
    expect(mta, f"dog@{HERE}", "sent", "2.0.0", "^delivered to mailbox$", "a new mailbox",
           body="Subject: x\n\nFrom the start\n.\n From\nFrom\n".replace("\n.\n", "\n..\n"))
    check_match(r"^From s@x\.example  \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n"
                rf"Return-Path: <s@x\.example>\nX-Original-To: dog@{HERE}\n"
                rf"Delivered-To: dog@{HERE}\nReceived: (.*\n)+\n>From the start\n\.\n From\nFrom\n\n$",
                content(box), "an mbox")
    st = os.stat(box)
    check_equal((st.st_uid, stat.S_IMODE(st.st_mode)), (pwd.getpwnam("dog").pw_uid, 0o600),
                "whose it is")
    check(not os.path.exists(box + ".lock"), "no lock file is left")
    refused("a symbolic link", "destination .* is a symbolic link",
            lambda: os.symlink(f"{out}/elsewhere", box))
    check(not os.path.exists(f"{out}/elsewhere"), "nothing behind the link")
    refused("a FIFO", "destination .* is not a regular file",
            lambda: (os.mkfifo(box), os.chmod(box, 0o666)))
    refused("somebody else's file", "destination .* is not owned by recipient",
            lambda: put(box, "", "cat", 0o666), "deferred", "4.2.0")

    def hard_link():
        put(f"{mta.mail}/other", "", "dog")
        os.link(f"{mta.mail}/other", box)
    refused("a hard link", "destination .* has 2 names", hard_link)
    refused("a lock that stays", "unable to create lock file",
            lambda: (put(box, "", "dog"), put(box + ".lock", "", "cat")), "deferred", "4.2.0")
    os.unlink(box + ".lock")
    put(box, "x" * 100000, "dog")
    turn(mta, mailbox_size_limit="100100", message_size_limit="100000")
    expect(mta, f"dog@{HERE}", "bounced", "5.2.2", "error writing message: File too large",
           "the size limit")
    check_equal(os.path.getsize(box), 100000, "as it was")
    os.unlink(box)


def precedence(mta, out, homes):
    """Each way wins over those behind it."""
    aliases(mta, "eve: ann\n")
    put(f"{homes}/eve/.forward", "bob@elsewhere.example\n", "eve")
    turn(mta, mailbox_transport="discard:passed", mailbox_transport_maps="inline:{eve=discard:by-map}",
         mailbox_command=f"echo $USER > {out}/mailbox_command",
         mailbox_command_maps=f"inline:{{{{eve=echo $$HOME > {out}/command_maps}}}}",
         home_mailbox="Mail/", fallback_transport="discard:fallback",
         fallback_transport_maps="inline:{nil=discard:nil}", luser_relay="$local@elsewhere.example",
         propagate_unmatched_extensions="canonical, virtual")
    expect(mta, f"eve@{HERE}", "sent", "2.0.0", "^forwarded as|delivered", "the alias first")
    aliases(mta, "")
    forwards(mta, f"eve@{HERE}", "bob@elsewhere.example", "then .forward")
    os.unlink(f"{homes}/eve/.forward")

    def discarded(user, text):
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250")
        qid = smtp.message("s@x.example", f"{user}@{HERE}", "Subject: x\n\nx")
        smtp.close()
        mta.wait_for_log(rf"discard\[\d+\]: {qid}: to=<{user}@.*status=sent \({text}\)")
        mta.wait_for_log(rf"{qid}: removed")
    discarded("eve", "by-map")
    turn(mta, mailbox_transport_maps="")
    discarded("eve", "passed")
    discarded("nobodythere", "passed")
    turn(mta, mailbox_transport="")
    expect(mta, f"eve@{HERE}", "sent", "2.0.0", "^delivered to command: echo", "command_maps")
    check_equal(content(f"{out}/command_maps").strip(), f"{homes}/eve", "as eve")
    turn(mta, mailbox_command_maps="")
    expect(mta, f"eve@{HERE}", "sent", "2.0.0", "^delivered to command: echo", "mailbox_command")
    check_equal(content(f"{out}/mailbox_command").strip(), "eve", "as eve")
    turn(mta, mailbox_command="")
    expect(mta, f"eve@{HERE}", "sent", "2.0.0", "^delivered to maildir$", "home_mailbox")
    check_equal(len(os.listdir(f"{homes}/eve/Mail/new")), 1, "in the Maildir")
    turn(mta, home_mailbox="")
    expect(mta, f"eve@{HERE}", "sent", "2.0.0", "^delivered to mailbox$", "mail_spool_directory")
    discarded("nil", "nil")
    discarded("nobodythere", "fallback")
    turn(mta, fallback_transport="", fallback_transport_maps="")
    forwards(mta, f"nobodythere@{HERE}", "nobodythere@elsewhere.example", "luser_relay")
    turn(mta, luser_relay="")
    expect(mta, f"nobodythere@{HERE}", "bounced", "5.1.1", "unknown user", "nobody")
    shutil.rmtree(f"{homes}/eve")
    turn(mta, require_home_directory="yes")
    expect(mta, f"eve@{HERE}", "deferred", "4.3.0", "^cannot access home directory", "no home")
    turn(mta, require_home_directory="no")
    expect(mta, f"eve@{HERE}", "sent", "2.0.0", "^delivered to mailbox$", "no home needed")


def settings(mta, out, homes):
    """Parameters that change how, not where."""
    aliases(mta, f"""
env: "|env > {out}/settings"
list: ann, bob
outer: inner
inner: ann
owner-outer: bob
""")
    put(f"{out}/shell", f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {out}/shellargs\n", "nobody", 0o755)
    turn(mta, local_command_shell=f"{out}/shell -c")
    expect(mta, f"env@{HERE}", "sent", "2.0.0", "^delivered to command: env", "a shell of its own")
    check_equal(content(f"{out}/shellargs"), f"-c\nenv > {out}/settings\n", "its arguments")
    turn(mta, local_command_shell="", command_execution_directory=f"{homes}/$user",
         mailbox_command=f"pwd > {out}/directory", prepend_delivered_header="file",
         reset_owner_alias="yes", propagate_unmatched_extensions="alias, forward")
    expect(mta, f"ann@{HERE}", "sent", "2.0.0", "^delivered to command", "a directory")
    check_equal(content(f"{out}/directory").strip(), f"{homes}/ann", "command_execution_directory")
    # No message of its own for a member of a list within a list.
    expect(mta, f"outer@{HERE}", "sent", "2.0.0", "^delivered to command: pwd", "reset_owner_alias")
    got = sorted(r[0] for r in send(mta, f"list+ext@{HERE}", count=2))
    check_equal(got, [f"ann+ext@{HERE}", f"bob+ext@{HERE}"], "an extension goes on")
    turn(mta, command_execution_directory="", mailbox_command=f"cat > {out}/nomark")
    expect(mta, f"ann@{HERE}", "sent", "2.0.0", "^delivered to command", "no mark")
    check("Delivered-To:" not in content(f"{out}/nomark"), "prepend_delivered_header")
    turn(mta, mailbox_command="", prepend_delivered_header="command, file, forward",
         reset_owner_alias="no", propagate_unmatched_extensions="canonical, virtual")


def stuck(mta):
    """A user whose disk does not answer holds up his own mail and nobody else's."""
    expect(mta, f"dog@{HERE}", "sent", "2.0.0", "^delivered to mailbox$", "before")
    uid = str(pwd.getpwnam("dog").pw_uid)
    writers = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()
               and process_status(int(entry)).get("Name") == "local"
               and process_status(int(entry))["Uid"].split()[1] == uid]
    check(len(writers) > 0, "dog has a writer")
    for pid in writers:
        os.kill(pid, signal.SIGSTOP)
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    waiting = smtp.message("s@x.example", f"dog@{HERE}", "Subject: x\n\nx")
    smtp.close()
    expect(mta, f"ann@{HERE}", "sent", "2.0.0", "^delivered to mailbox$", "the others")
    check(not mta.logged(f"{waiting}: to="), "dog's mail waits")
    for pid in writers:
        os.kill(pid, signal.SIGCONT)
    mta.wait_for_log(f"{waiting}: to=<dog@.*status=sent")


# ---- processes ----

def walls(mta):
    """The agent is nobody special and in the jail; what is root does not know what mail is."""
    agent = mta.process("local")
    status = process_status(agent)
    check_equal(status["Uid"].split()[1], str(pwd.getpwnam("mail").pw_uid), "the agent's user")
    check_equal((status["NoNewPrivs"], status["Seccomp"], int(status["CapEff"], 16)),
                ("1", "2", 0), "the agent's walls")
    seen = {"launcher": 0, "writer": 0}
    for entry in os.listdir("/proc"):
        parent = process_status(int(entry)) if entry.isdigit() else {}
        if parent.get("PPid") != str(agent):
            continue
        check_equal(int(parent["CapEff"], 16), 0xe0, "the launcher may become others")
        seen["launcher"] += 1
        for other in os.listdir("/proc"):
            child = process_status(int(other)) if other.isdigit() else {}
            if child.get("PPid") != entry or child["State"].startswith("Z"):
                continue
            check(child["Uid"].split()[1] != "0", "no child is root")
            check_equal(int(child["CapEff"], 16), 0, "a child has no capabilities")
            seen["writer"] += child["Seccomp"] == "2" and child["NoNewPrivs"] == "1"
    check_equal(seen["launcher"], 1, "launchers")
    check(seen["writer"] > 0, "writers in the jail")


def as_root():
    homes = with_users("ann", "bob", "cat", "dog", "eve")
    with Instance({"mydestination": "$myhostname", "local_recipient_maps": "",
                   "recipient_delimiter": "+", "command_time_limit": "5s",
                   "export_environment": "TZ MAIL_CONFIG LANG {EXPORTED=by main.cf}",
                   "minimal_backoff_time": "1h", "queue_run_delay": "1h",
                   "deliver_lock_attempts": "2", "max_idle": "1h", "relayhost": "[127.0.0.1]:1"}) as mta:
        mta.write_configuration(alias_maps=f"hash:{mta.etc}/aliases",
                                mail_spool_directory=mta.mail)
        os.chown(mta.mail, 0, grp.getgrnam("mail").gr_gid)
        os.chmod(mta.mail, 0o2775)
        out = shared(mta, "out")
        aliases(mta, "ann: ann\n")
        mta.start()
        alias_syntax(mta, out)
        walls(mta)
        exit_codes(mta, out)
        owners(mta, out)
        includes(mta, out, homes)
        alias_table_of_a_user(mta, out)
        settings(mta, out, homes)
        stuck(mta)
        mailboxes(mta, out)
        forward_files(mta, out, homes)
        precedence(mta, out, homes)


def as_user(user):
    """The whole suite as an ordinary user: his own mail, his own commands."""
    me = user or pwd.getpwuid(os.geteuid()).pw_name
    with Instance({"mydestination": "$myhostname", "local_recipient_maps": "",
                   "forward_path": ""}, user=user) as mta:
        mta.write_configuration(alias_maps=f"hash:{mta.etc}/aliases",
                                mail_spool_directory=mta.mail)
        out = shared(mta, "out", 0o777)
        aliases(mta, f"cmd: \"|id -u > {out}/uid\"\nfile: {out}/file\nother: root, daemon\n")
        mta._give_away()
        mta.start()
        expect(mta, f"{me}@{HERE}", "sent", "2.0.0", "^delivered to mailbox$", "his mailbox")
        expect(mta, f"cmd@{HERE}", "sent", "2.0.0", "^delivered to command", "a command")
        check_equal(content(f"{out}/uid").strip(), str(pwd.getpwnam(me).pw_uid), "as himself")
        expect(mta, f"file@{HERE}", "sent", "2.0.0", "^delivered to file", "a file")
        expect(mta, f"daemon@{HERE}", "deferred", "4.3.5", "cannot deliver as uid", "others wait")


if is_root():
    as_root()
as_user("nobody" if is_root() else None)
finish()
