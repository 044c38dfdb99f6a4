#!/usr/bin/env python3
"""Programs that call sendmail, as they are installed, and callers whose command line is known:
each message arrives with the envelope and the header that its caller meant."""
import os
import pwd
import re
import shutil
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_match, finish

ME = pwd.getpwuid(os.getuid()).pw_name
U, S = "u@box.example", "s@box.example"
SETTINGS = {
    "mydestination": "",
    "myorigin": "box.example",
    "virtual_mailbox_domains": "box.example",
    "virtual_mailbox_maps": "static:u/",
    "virtual_uid_maps": f"static:{os.getuid() or 65534}",
    "virtual_gid_maps": f"static:{os.getgid() or 65534}",
    "virtual_minimum_uid": "1",
}
SOME = "Subject: {name}\n\nhello\n"
CRON = """From: root (Cron Daemon)
To: {me}
Subject: Cron <{me}@host> {name}
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit
X-Cron-Env: <SHELL=/bin/sh>

out of the job \u00e4
.
and more
"""
PHP = ("<?php exit(mail('u@box.example', 'php', \"hello\\n.\\nthere\\r\\n\","
       " \"From: S <s@box.example>\\r\\nCc: w@box.example\\r\\nX-Note: 1\", '-fs@box.example')"
       " ? 0 : 1);")
PERL = r"""use MIME::Lite;
my $m = MIME::Lite->new(From => 's@box.example', To => 'u@box.example', Subject => 'perl',
    Type => 'multipart/mixed');
$m->attach(Type => 'TEXT', Data => "hello\n.\nthere\n");
$m->attach(Type => 'BINARY', Data => "\0\1\xff\n", Filename => 'x.bin');
$m->send('sendmail', "$ENV{MTA} -t -oi -oem") or die;
"""
PIPE = r"""open(my $m, '|-', "$ENV{MTA} -oi -t -odq") or die;
print $m "To: u\@box.example\nFrom: s\@box.example\nBcc: w\@box.example\nSubject: pipe\n\nhello\n";
close($m) or die;
"""
PYTHON = """import os, subprocess, email.message
m = email.message.EmailMessage()
m["From"], m["To"], m["Subject"] = "s@box.example", "J\u00f6rg <u@box.example>", "python"
m.set_content("hello \u00e4\\n.\\nthere\\n")
subprocess.run([os.environ["MTA"], "-t", "-oi"], input=m.as_bytes(), check=True)
"""
PATCH = """From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: S <s@box.example>
Date: Thu, 26 Nov 2026 10:00:00 +0000
Subject: [PATCH] git

hello
---
 x | 1 +
"""

# name, command, input, envelope senders and recipients, what the message matches
CALLERS = [
    ("mutt", ["mutt", "-F", "@/muttrc", "-s", "mutt", "-c", "w@box.example", "-a",
              "@/etc/main.cf", "--", U], "hello\n.\nthere\n", S, {U, "w@box.example"},
     (r"^From: S <s@box\.example>$", r"^Subject: mutt$", r"^hello\n\.\nthere$",
      r'^Content-Disposition: attachment; filename="main\.cf"$', r"^User-Agent: Mutt")),
    ("s-nail", ["s-nail", "-n", "-S", "mta=@sendmail", "-S", "sendcharsets=utf-8", "-r", S, "-s",
                "s-nail", "-b", "w@box.example", U], "hello \u00e4\n.x\nthere\n", S,
     {U, "w@box.example"}, (r"^From: s@box\.example$", r"^Subject: s-nail$",
                            r"^To: u@box\.example$")),
    ("git", ["git", "-c", "user.name=S", "-c", "user.email=" + S, "send-email", "--quiet",
             "--confirm=never", "--suppress-cc=all", "--smtp-server=@sendmail",
             "--envelope-sender=" + S, "--to=" + U, "@/0001.patch"], "", S, {U},
     (r"^Subject: \[PATCH\] git$", r"^X-Mailer: git-send-email", r"^hello$")),
    ("php", ["php", "-d", "sendmail_path=@sendmail -t -i", "-r", PHP.removeprefix("<?php")], "", S,
     {U, "w@box.example"}, (r"^From: S <s@box\.example>$", r"^X-Note: 1$",
                            r"^hello\n\.\nthere$")),
    ("MIME::Lite", ["perl", "-e", PERL], "", f"{ME}@box.example", {U},
     (r"^Subject: perl$", r"^hello\n\.\nthere$", r'^Content-Disposition: inline; filename="x\.bin"$')),
    ("perl", ["perl", "-e", PIPE], "", f"{ME}@box.example", {U, "w@box.example"},
     (r"^Subject: pipe$", r"\A(?!(?s:.*)^Bcc:)")),
    ("python", [sys.executable, "-c", PYTHON], "", f"{ME}@box.example", {U},
     (r"^Subject: python$", r"^Content-Transfer-Encoding: ")),
    # What these run is in their programs and sources (Debian 12).
    ("cron", ["@sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", ME], CRON,
     f"{ME}@box.example", {f"{ME}@box.example"},
     (r"^Subject: Cron <", r"^X-Cron-Env: <SHELL=/bin/sh>$",
      r"^out of the job \u00e4\n\.\nand more$", r"^Message-Id: ")),
    ("cron without From:", ["@sendmail", "-FCronDaemon", "-i", "-B8BITMIME", "-oem", ME], SOME,
     f"{ME}@box.example", {f"{ME}@box.example"},
     (rf"^From: CronDaemon <{ME}@box\.example>$", r"^Date: ")),
    ("at", ["@sendmail", "-i", ME], "Subject: Output from your job        7\nTo: x\n\nhello\n.\n",
     f"{ME}@box.example", {f"{ME}@box.example"}, (r"^Subject: Output from your job", r"^hello\n\.$")),
    ("sympa", ["@sendmail", "-oi", "-odi", "-oem", "-f", "list-owner@box.example", "--", U,
               "w@box.example"], SOME, "list-owner@box.example", {U, "w@box.example"}, ()),
    ("sympa with tracking", ["@sendmail", "-oi", "-odi", "-oem", "-N", "success,delay,failure",
                             "-V00000042", "-f", S, "--", U], SOME, S, {U}, ()),
    ("sympa without sender", ["@sendmail", "-oi", "-odi", "-oem", "-f", "", "--", U], SOME, "",
     {U}, ()),
    ("logcheck", ["@sendmail", "-t", "-oi"], "To: {me}\nSubject: {name}\nX-A: b\n\nhello\n",
     f"{ME}@box.example", {f"{ME}@box.example"}, (r"^X-A: b$",)),
    ("majordomo", ["@sendmail", "-oi", "-oee", "-fs@box.example", "u@box.example,w@box.example"],
     SOME, S, {U, "w@box.example"}, ()),
    ("procmail", ["@sendmail", "-oi", "-f", S, U], "From " + S + "  Thu Nov 26\n" + SOME, S, {U},
     (r"^Subject: procmail$",)),
]


def prepare(mta):
    mta.sendmail = os.path.join(mta.bin, "sendmail")
    mta.environment.update({
        "HOME": mta.home, "MTA": mta.sendmail, "EMAIL": "S <s@box.example>",
        "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null", "MAILRC": "/dev/null"})
    files = {"muttrc": f'set sendmail="{mta.sendmail} -oem -oi"\nset from="S <s@box.example>"\n'
                       'set use_from=yes use_envelope_from=yes record="" user_agent=yes '
                       'hostname=box.example\n',
             "0001.patch": PATCH}
    for name, text in files.items():
        with open(os.path.join(mta.home, name), "w", encoding="utf-8") as file:
            file.write(text)


def call(mta, name, command, text):
    """Runs it; gives the messages that came of it, taken out of the mailbox."""
    at = mta.log_position()
    done = mta.run(*(word.replace("@sendmail", mta.sendmail).replace("@/", mta.home + "/")
                     for word in command),
                   input=text.replace("{name}", name).replace("{me}", ME))
    if not check(done.returncode == 0, f"{name}: exit {done.returncode}: {done.stdout}"
                 f"{done.stderr}"):
        return []
    qid = mta.wait_for_log(r"pickup\[\d+\]: (\w+): uid", since=at)[1]
    mta.wait_for_log(f"{qid}: removed", since=at)
    folder, texts = os.path.join(mta.mail, "u", "new"), []
    for entry in os.listdir(folder):
        with open(os.path.join(folder, entry), encoding="utf-8", errors="replace") as file:
            texts.append(file.read())
        os.unlink(os.path.join(folder, entry))
    # (A notice about it names it, too: in its boundary.)
    return [text for text in texts if f"\tid {qid};" in text.split("\n\n")[0]]


def check_caller(mta, name, command, text, sender, recipients, patterns):
    program = command[0]
    if not check(program.startswith("@") or shutil.which(program), f"{program} is installed"):
        return
    messages = call(mta, name, command, text)
    got = {re.search(r"^Delivered-To: (.*)$", m, re.M)[1] for m in messages}
    check(got == recipients, f"{name}: recipients {got}, want {recipients}")
    for message in messages:
        check(message.startswith(f"Return-Path: <{sender}>\n"), f"{name}: sender: {message}")
        check_match(r"(?m)^Received: by mail\.test\.example ", message, name)
        for pattern in patterns:
            check_match("(?m)" + pattern, message, name)


with Instance(SETTINGS) as main_instance:
    os.chmod(main_instance.mail, 0o777)
    main_instance.write_configuration(virtual_mailbox_base=main_instance.mail)
    prepare(main_instance)
    main_instance.start()
    for caller in CALLERS:
        check_caller(main_instance, *caller)
finish()
