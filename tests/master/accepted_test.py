#!/usr/bin/env python3
"""What was accepted last is what runs: when both files are broken, whoever is started -- on
demand, after a crash, after max_use -- goes by the configuration of the last good start or
reload. A master that starts goes by the files."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (check, check_equal, check_match, finish, kill, open_files, is_root,
                     process_state, wait_until)
from load import BOX, RELAYED, Sink, instance


def kill_all(mta):
    """Every daemon, but not master."""
    gone = mta.processes()
    for pid in gone:
        kill(pid)
    wait_until(lambda: not [p for p in gone if process_state(p) not in (None, "Z")], "their ends")


def mail_flows(mta, sink, number):
    """Through all of them, with everything that main.cf said: tables, names, files."""
    smtp = mta.smtp()
    check_match("kept.test.example ESMTP accepted", smtp.last, "the banner")
    smtp.say("EHLO client.example", "250-")
    smtp.message("bare", [BOX, RELAYED, "alias@box.test"], f"Subject: id-0-{number}\n\nx\n")
    smtp.say("QUIT", "221 ")
    smtp.close()
    texts = mta.maildir("u", 2 * number)
    check_equal(sum("Return-Path: <bare@origin.example>" in text for text in texts), 2 * number,
                "the domain for senders")
    wait_until(lambda: len(sink.got) == number, "mail at the next hop")
    # Who is killed between a delivery and its report delivers a second time.
    wait_until(lambda: mta.logged(": removed$") == number, "the ends in the queue")


def refused(mta, *patterns):
    at = mta.log_position()
    kill(mta.master(), 1)
    mta.wait_for_log(r"error: reload: the running configuration stays", since=at)
    for pattern in patterns:
        check_match(pattern, mta.log_text(at), "the reason")


def broken_files(mta):
    """(reasons for the refusal) of each way to break them, one more each time."""
    main_cf = os.path.join(mta.etc, "main.cf")
    with open(main_cf) as file:
        good = file.read()
    mta.write("main.cf", good + "smtpd_banner = changed\ntransport_maps = hash:/none\n"
              "default_process_limit = many\n")
    yield ("default_process_limit = many",)
    mta.write("main.cf", good + "nonsense\n")
    yield (r"missing '=' after attribute name",)
    os.unlink(os.path.join(mta.etc, "origin"))
    os.unlink(os.path.join(mta.etc, "more.cf"))
    mta.write("main.cf", good)
    yield (r"more\.cf",)
    mta.write("master.cf", "smtp inet n -\n")
    yield (r"more\.cf",)
    os.unlink(main_cf)
    os.unlink(os.path.join(mta.etc, "master.cf"))
    yield (r"open .*/main\.cf: No such file",)


def old_configuration_runs_on():
    sink = Sink()
    with instance(sink, smtpd_banner="$myhostname ESMTP accepted", max_use="1") as mta:
        mta.write("origin", "origin.example\n")
        mta.write("virtual", "alias@box.test u@box.test\n")
        mta.write("more.cf", f"myorigin = {mta.etc}/origin\nmyhostname = kept.test.example\n")
        mta.write_configuration(virtual_alias_maps=f"texthash:{mta.etc}/virtual",
                                include="more.cf")
        mta.start()
        mail_flows(mta, sink, 1)
        master = mta.master()
        files = open_files(master) if is_root() else 0
        number = 1
        for reasons in broken_files(mta):
            refused(mta, *reasons)
            kill_all(mta)
            number += 1
            mail_flows(mta, sink, number)
        # A table that is named there is the one that lies there now.
        mta.write("virtual", "other@box.test u@box.test\n")
        kill_all(mta)
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250-")
        smtp.message("bare", ["other@box.test"], f"Subject: id-0-{number + 1}\n\nx\n")
        mta.maildir("u", 2 * number + 1)
        check_equal(mta.master(), master, "master is the same process")
        check_equal(mta.logged("throttling|exit status"), 0, "no bad start")
        if is_root():
            check(open_files(master) <= files + 4, "no descriptors are left behind")
        os.kill(master, 15)
        wait_until(lambda: process_state(master) in (None, "Z"), "the end of master")
        done = mta.postern("start", status=1)
        check_match(r"(?s)open .*main\.cf: No such file.*fatal: ", done.stderr, "a start reads the files")
        mta.write_configuration(include="")
        del mta.settings["include"]
        mta.write_configuration()
        mta.start()
        mta.smtp().say("QUIT", "221 ")


def a_change_waits_for_the_reload():
    with instance(Sink()) as mta:
        mta.start()
        mta.smtp().say("QUIT", "221 ")
        mta.write_configuration(smtpd_banner="$myhostname ESMTP half-way")
        kill_all(mta)
        check("half-way" not in mta.smtp().last, "nobody reads it before the reload")
        mta.reload()
        wait_until(lambda: "half-way" in mta.smtp().last, "the new banner")
        kill_all(mta)
        check_match("half-way", mta.smtp().last, "and that is what was accepted")


old_configuration_runs_on()
a_change_waits_for_the_reload()
finish()
