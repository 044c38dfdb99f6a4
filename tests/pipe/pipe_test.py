#!/usr/bin/env python3
"""pipe(8): words, macros and flags as a real command gets them; what its end means; whom it runs
as. As root and as an ordinary user."""
import os
import pwd
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish, is_root, process_status

# Writes its arguments, a line each, to OUT/NAME.args, and its input to OUT/NAME.input.
RECORDER = """#!/bin/sh
out=$1; shift
for word; do printf '%s\\n' "$word"; done >"$out.args"
cat >"$out.input"
{ id -u; id -g; pwd; ls /proc/self/fd | wc -l; env; } >"$out.about"
"""


def read(path):
    try:
        with open(path, newline="") as file:
            return file.read()
    except OSError as error:
        return str(error)


def send(mta, recipients, content="Subject: x\n\nbody", sender="s@x.example"):
    """(status, dsn, text) of each record of the message, from whatever service."""
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message(sender, recipients, content)
    smtp.close()
    line = (rf"pipe\[\d+\]: {qid}: to=<[^>]*>.* relay=(\w+), .*dsn=([\d.]+), "
            r"status=(\w+) \((.*)\)$")
    mta.wait_for_log(line, len(recipients) if isinstance(recipients, list) else 1)
    return [(m[3], m[2], m[4]) for m in re.finditer(line, mta.log_text(), re.M)], qid


def services(who, script, out):
    run = f"user={who} argv={script} {out}"
    return [
        f"plain unix - n n - - pipe {run}/plain",
        f"macros unix - n n - - pipe user={who} argv={script} {out}/macros from=${{sender}} "
        "${recipient} to=$original_recipient {two words} $user/$extension/$mailbox@$domain "
        "$nexthop $queue_id $size $client_address $client_helo $client_protocol ${sasl_username}. "
        "$(user) ${extension?{+${extension}}}",
        f"flags unix - n n - - pipe flags=BFOR.>huqX user={who} null_sender=nil directory=/tmp "
        f"argv={script} {out}/flags $sender $recipient $nexthop",
        f"marks unix - n n - - pipe flags=DR eol=\\r\\n user={who} argv={script} {out}/marks",
        f"small unix - n n - - pipe size=1000 {run}/small",
        f"many unix - n n - - pipe flags=O {run}/many",
        f"late unix - n n - - pipe user={who} argv=/bin/sleep 1000",
        f"wrong unix - n n - - pipe {run}/wrong $nosuch",
        f"absent unix - n n - - pipe user={who} argv=/no/such/program",
        f"code unix - n n - - pipe user={who} argv=/bin/sh -c {{printf '%s' \"$$1\"; exit $user}} x "
        "$extension",
    ]


def words(mta, out):
    got, _ = send(mta, "a@plain.test")
    check_equal(got, [("sent", "2.0.0", "delivered via plain service")], "a plain delivery")
    check_match(r"^Received: (.*\n)+\nbody\n$", read(f"{out}/plain.input"), "no headers unasked")
    got, qid = send(mta, ["Ann+Ext@macros.test", "\"b;`id`$(id)|x\"@macros.test",
                          "\"two words\"@macros.test"])
    check_equal(got, [("sent", "2.0.0", "delivered via macros service")] * 3, "three at once")
    lines = read(f"{out}/macros.args").splitlines()
    check_equal(lines[0], "from=s@x.example", "$sender")
    check_equal(lines[1:4], ["Ann+Ext@macros.test", "b;`id`$(id)|x@macros.test",
                             "two words@macros.test"], "$recipient, each")
    check_equal(lines[7], "two words", "words in braces")
    check_equal(lines[8:11], ["Ann/Ext/Ann+Ext@macros.test",
                              "b;`id`$(id)|x//b;`id`$(id)|x@macros.test",
                              "two words//two words@macros.test"], "parts of the recipient")
    check_equal(lines[11:13], ["macros.test", qid], "$nexthop, $queue_id")
    check(int(lines[13]) > 100, "$size")
    check_equal(lines[14:18], ["127.0.0.1", "client.example", "ESMTP", "."], "of the client")
    check_equal(lines[21:], ["+Ext", "", ""], "a condition")
    got, _ = send(mta, "a@wrong.test")
    check_equal(got, [("deferred", "4.3.5", "mail system configuration error")], "unknown macro")
    check(mta.logged(r"warning: argv=: unknown macro name: \"nosuch\""), "the macro is named")


def flags(mta, out):
    send(mta, "Ann+Ext@Flags.test", "Subject: x\n\nFrom a\n.\n>From b\nFrom".replace("\n.", "\n.."),
         sender="")
    check_equal(read(f"{out}/flags.args").splitlines(), ["nil", "ann+ext@flags.test", "flags.test"],
                "flags h and u, null_sender")
    check_match(r"^From nil  .*\nReturn-Path: <nil>\nX-Original-To: Ann\+Ext@Flags\.test\n"
                r"Received: (.*\n)+\n>From a\n\.\.\n>From b\nFrom\n\n$",
                read(f"{out}/flags.input"), "flags BFOR.>")
    check_equal(read(f"{out}/flags.about").splitlines()[2], "/tmp", "directory=")
    send(mta, "\"x y\"@flags.test", sender="\"s t\"@x.example")
    check_equal(read(f"{out}/flags.args").splitlines()[:2],
                ['"s t"@x.example', '"x y"@flags.test'], "flag q")
    send(mta, "a@marks.test")
    check_match(r"^Return-Path: <s@x\.example>\r\nDelivered-To: a@marks\.test\r\n"
                r"Received: (.*\r\n)+\r\nbody\r\n$", read(f"{out}/marks.input"), "eol=, D and R")
    check("\n" not in read(f"{out}/marks.input").replace("\r\n", ""), "each line ends so")
    got, _ = send(mta, "a@marks.test", "Delivered-To: a@marks.test\nSubject: x\n\nx")
    check_equal(got, [("bounced", "5.4.6", "mail forwarding loop for a@marks.test")], "a loop")
    got, _ = send(mta, ["a@many.test", "b@many.test"])
    check_equal(got, [("deferred", "4.3.5", "mail system configuration error")] * 2, "flag O, two")
    mta.wait_for_log("warning: pipe flag `O' requires many_destination_recipient_limit = 1$")
    got, _ = send(mta, "a@many.test")
    check_equal(got, [("sent", "2.0.0", "delivered via many service")], "flag O, one")
    got, _ = send(mta, "a@small.test", "Subject: x\n\n" + "x\n" * 1000)
    check_equal(got, [("bounced", "5.2.3", "message too large")], "size=")
    big = "Subject: x\n\n" + "\n".join(str(n) * 8 for n in range(100000))
    got, _ = send(mta, "a@plain.test", big)
    check(read(f"{out}/plain.input").endswith(big.split("\n\n", 1)[1] + "\n"), "a large message")


def ends(mta):
    rows = {
        "0": ("sent", "2.0.0", "delivered via code service"),
        "0+all_well": ("sent", "2.0.0", "delivered via code service (all_well)"),
        "75": ("deferred", "4.3.0", "temporary failure"),
        "67": ("bounced", "5.1.1", "user unknown"),
        "65+why": ("bounced", "5.6.0", "data format error. Command output: why"),
        "1+4.2.2": ("deferred", "4.2.2", ""),
        "75+5.7.1": ("bounced", "5.7.1", ""),
        "3": ("bounced", "5.3.0", 'Command died with status 3: "/bin/sh"'),
    }
    for local, want in rows.items():
        got, _ = send(mta, f"{local}@code.test")
        check_equal(got, [want], local)
    got, _ = send(mta, "a@late.test")
    check_equal(got, [("bounced", "5.3.0", 'Command time limit exceeded: "/bin/sleep"')], "limit")
    got, _ = send(mta, "a@absent.test")
    check_equal(got, [("deferred", "4.3.0", "temporary failure. Command output: pipe: fatal: "
                       "pipe_command: execvp /no/such/program: No such file or directory ")],
                "no such program")


def rights(mta, out, who):
    lines = read(f"{out}/plain.about").splitlines()
    entry = pwd.getpwnam(who)
    check_equal(lines[:3], [str(entry.pw_uid), str(entry.pw_gid), os.path.realpath(mta.queue)],
                "user, group, directory")
    check(int(lines[3]) <= 4, "descriptors 0 to 2")
    names = {line.split("=")[0] for line in lines[4:]}
    check(not names - {"PATH", "PWD", "OLDPWD", "SHLVL", "_", "TZ", "MAIL_CONFIG", "LANG"},
          f"environment: {sorted(names)}")
    for pid in mta.processes("pipe"):
        status = process_status(pid)
        check_equal((status["NoNewPrivs"], status["Seccomp"], int(status["CapEff"], 16)),
                    ("1", "2", 0), "the agent is in the jail")


def mistakes(mta):
    """A line that gives away rights, or has mistakes, starts nothing."""
    for number, (arguments, complaint) in enumerate((
            ("user=root argv=/bin/true", "specifies root privileges"),
            ("user=mail argv=/bin/true", "specifies mail system owner mail"),
            ("user=nobody:root argv=/bin/true", "specifies privileged group id 0"),
            ("user=nobody:mail argv=/bin/true", "specifies mail system owner mail group id"),
            ("user=nosuchuser argv=/bin/true", "unknown username: nosuchuser"),
            ("argv=/bin/true", "missing user="), ("user=nobody", "missing argv="),
            ("flags=Z user=nobody argv=/bin/true", "unknown flag: Z"))):
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250")
        smtp.message("s@x.example", f"a@bad{number}.test", "x")
        smtp.close()
        mta.wait_for_log(rf"pipe\[\d+\]: fatal: .*{re.escape(complaint)}")


BAD = ["user=root argv=/bin/true", "user=mail argv=/bin/true", "user=nobody:root argv=/bin/true",
       "user=nobody:mail argv=/bin/true", "user=nosuchuser argv=/bin/true", "argv=/bin/true",
       "user=nobody", "flags=Z user=nobody argv=/bin/true"]


def run(user, who):
    with Instance({"mydestination": "", "relay_domains": "", "recipient_delimiter": "+",
                   "minimal_backoff_time": "1h", "queue_run_delay": "1h",
                   "late_time_limit": "1s", "marks_destination_recipient_limit": "1",
                   "flags_destination_recipient_limit": "1"}, user=user) as mta:
        out = os.path.join(mta.home, "out")
        os.mkdir(out)
        os.chmod(out, 0o777)
        script = mta.write("recorder", RECORDER)
        os.chmod(script, 0o755)
        os.chmod(mta.etc, 0o755)
        mta.lines += services(who, script, out)
        names = [line.split()[0] for line in services(who, script, out)]
        if mta.as_root:
            mta.lines += ["rooted unix - n n - - pipe user=nobody chroot=/usr argv=/bin/ls /"]
            names += ["rooted"]
            mta.lines += [f"bad{n} unix - n n - - pipe {text}" for n, text in enumerate(BAD)]
            names += [f"bad{n}" for n in range(len(BAD))]
        mta.write("transport", "".join(f"{name}.test {name}:\n" for name in names))
        mta.run("postmap", f"hash:{mta.etc}/transport")
        mta.write_configuration(transport_maps=f"hash:{mta.etc}/transport")
        mta.start()
        words(mta, out)
        flags(mta, out)
        ends(mta)
        rights(mta, out, who)
        if mta.as_root:
            got, _ = send(mta, "a@rooted.test")
            check_match(r"^delivered via rooted service \(.*\bbin .*share", got[0][2], "chroot=")
            mta.expect_trouble("pipe")
            mistakes(mta)


if is_root():
    run(None, "nobody")
run("nobody" if is_root() else None, "nobody" if is_root() else pwd.getpwuid(os.geteuid()).pw_name)
finish()
