#!/usr/bin/env python3
"""Each command says what it is for when asked --help, whatever main.cf says; and says how it
is called, on standard error, when it was called in another way. And maillog_file has what
commands say."""
import os
import stat
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import COMMANDS, Instance, check, check_equal, check_match, finish, program

# Not for these: any words may follow.
ANY_WORDS = ("postlog", "sendmail", "mailq", "newaliases")

with Instance(services=[]) as mta:
    for name in COMMANDS:
        with open(os.path.join(mta.etc, "main.cf"), "a", encoding="utf-8") as main_cf:
            main_cf.write("this is no setting\n")
        done = mta.run(name, "--help", input="")
        check_equal((done.returncode, done.stderr), (0, ""), f"{name} --help")
        check_match(r"(?i)^(usage: |Settings of main.cf)", done.stdout, f"{name} --help")
        check(len(done.stdout.splitlines()) > 3, f"{name} --help: {done.stdout}")
        mta.write_configuration()
        if name not in ANY_WORDS:
            done = mta.run(name, "-?", input="")
            check(done.returncode != 0 and not done.stdout and
                  ("usage: " in done.stderr or "--help" in done.stderr),
                  f"{name} -?: {done}")
    # What they complain of is in the log, too. (postsuper is for the owner of a queue.)
    os.makedirs(os.path.join(mta.queue, "log"))
    for command, line in [(["postqueue", "-f"], "fatal: Cannot flush mail queue - "),
                          (["postqueue", "-s", "x.example"], "warning: .*public/flush"),
                          (["postsuper", "-d", "NOSUCH"], "Deleted: 0 messages"),
                          (["postdrop"], "(fatal|error): "),
                          (["postlog", "-p", "warn", "some words"], "warning: some words")]:
        mta.run(*command, input="")
        if os.stat(program(command[0])).st_mode & stat.S_ISGID:
            continue  # logs through postlogd only, and that is not there
        check_match(rf"postfix/{command[0]}\[\d+\]: {line}", mta.log_text(),
                    f"{command} in maillog_file")
finish()
