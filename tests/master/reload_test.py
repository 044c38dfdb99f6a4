#!/usr/bin/env python3
"""Reload: no connection is refused, sessions in hand keep their configuration, mistakes
change nothing, lines come and go."""
import os
import re
import signal
import socket
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Connecting, Instance, check, check_equal, check_match, finish, kill,
                     wait_until)

RELOADS = 12


def no_connection_refused():
    with Instance() as mta:
        mta.start()
        threads = [Connecting(mta.port(), 10) for _ in range(4)]
        for thread in threads:
            thread.start()
        kept = mta.smtp()
        for number in range(RELOADS):
            mta.write_configuration(smtpd_banner=f"$myhostname ESMTP number {number}")
            mta.reload()
        wait_until(lambda: f"number {RELOADS - 1}" in greeting(mta), "the last banner")
        for thread in threads:
            thread.ending = True
        for thread in threads:
            thread.join()
            check_equal(thread.bad, [], "connections while reloading")
            check(thread.good > 0, "no session at all")
        kept.say("EHLO client.example", "250-")
        kept.say("QUIT", "221 ")
        check_equal(mta.logged("throttling|killed by signal"), 0, "no trouble")
        wait_until(lambda: len(mta.processes("smtpd")) <= os.cpu_count(),
                   "old smtpd processes to leave")
        check_equal(len(mta.processes("qmgr")), 1, "one qmgr")
        check_equal(len(mta.processes("spool")), 1, "one spool")


def greeting(mta):
    smtp = mta.smtp()
    text = smtp.last
    smtp.say("QUIT", "221 ")
    smtp.close()
    return text


def mistakes_change_nothing():
    with Instance() as mta:
        mta.start()
        before = greeting(mta)
        master = mta.master()
        for changes, pattern in (
                ({"default_process_limit": "many"},
                 r"bad numerical configuration: default_process_limit = many"),
                ({"smtpd_banner": "${{x} == "}, r"fatal|error")):
            old = dict(mta.settings)
            mta.write_configuration(**changes)
            at = mta.log_position()
            kill_hup(mta)
            mta.wait_for_log(r"master\[\d+\]: error: reload: the running configuration stays",
                             since=at)
            check_match(pattern, mta.log_text(at), "the reason")
            mta.settings = old
        mta.write_configuration()
        mta.write("master.cf", open(os.path.join(mta.etc, "master.cf")).read()
                  + "short inet n -\n")
        at = mta.log_position()
        kill_hup(mta)
        mta.wait_for_log(r"error: reload: the running configuration stays", since=at)
        check_match(r"master\.cf\D+\d+", mta.log_text(at), "file and line")
        check_equal(greeting(mta), before, "service goes on")
        check_equal(mta.master(), master, "and so does master")
        # A port that somebody else holds.
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen(1)
            mta.write_configuration()
            mta.write("master.cf", open(os.path.join(mta.etc, "master.cf")).read()
                      + f"127.0.0.1:{taken.getsockname()[1]} inet n - n - - smtpd\n")
            at = mta.log_position()
            kill_hup(mta)
            mta.wait_for_log(r"error: reload: the running configuration stays", since=at)
        check_equal(greeting(mta), before, "still")
        mta.write_configuration()
        mta.reload()
        check_equal(greeting(mta), before, "a good one is taken again")


def kill_hup(mta):
    os.kill(mta.master(), 1)


def lines_come_and_go():
    with Instance(services=["smtpd"]) as mta:
        mta.start()
        mta.lines.append("127.0.0.1:{port1} inet n - n - - smtpd")
        mta.write_configuration()
        mta.reload()
        session = mta.smtp(1)
        mta.lines.pop()
        mta.write_configuration()
        mta.reload()
        wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", mta.port(1))) != 0,
                   "the listener to close")
        session.say("NOOP", "250 ")
        session.say("QUIT", "221 ")
        mta.smtp().say("QUIT", "221 ")


def settings_reach_sessions():
    with Instance() as mta:
        mta.start()
        old = mta.smtp()
        mta.write_configuration(myhostname="new.test.example")
        mta.reload()
        wait_until(lambda: "new.test.example" in greeting(mta), "the new name")
        check_match(r"^250-mail\.test\.example", old.say("EHLO client.example", "250-"),
                    "a session keeps its configuration")
        old.say("QUIT", "221 ")


def mail_goes_through(mta):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250-")
    queue_id = smtp.message("a@test.example", "b@gone.example", "Subject: x\n\nx\n")
    smtp.say("QUIT", "221 ")
    mta.wait_for_log(queue_id + r": removed")


def a_file_that_breaks_behind_master():
    """A process hears of a reload after somebody has broken the file: it takes what master read,
    and what comes after that."""
    with Instance({"default_transport": "discard:"}) as mta:
        mta.start()
        mail_goes_through(mta)  # all of them are there
        before = {name: mta.processes(name) for name in ("broker", "spool", "qmgr")}
        for name, pids in before.items():
            kill(list(pids)[0], signal.SIGSTOP)
            mta.reload()
            good = dict(mta.settings)
            mta.write_configuration(default_process_limit="many")
            kill(list(pids)[0], signal.SIGCONT)
            mail_goes_through(mta)
            mta.settings = good
            mta.write_configuration()
            mta.reload()
            mail_goes_through(mta)
        check_equal({name: mta.processes(name) for name in before}, before, "the processes")
        check_equal(mta.logged("many"), 0, "nobody has read the mistake")


def one_service_alone():
    with Instance() as mta:
        mta.lines.append("127.0.0.1:{port1} inet n - n - - smtpd")
        mta.write_configuration()
        mta.start()
        other = f"127.0.0.1:{mta.port(1)}"
        mta.smtp().say("QUIT", "221 ")
        mta.smtp(1).say("QUIT", "221 ")
        first = mta.processes("smtpd")
        mta.write_configuration(smtpd_banner="$myhostname ESMTP new")
        at = mta.log_position()
        mta.postern("reload", other)
        mta.wait_for_log(r"master\[\d+\]: reload of service " + re.escape(other), since=at)
        wait_until(lambda: "ESMTP new" in mta.smtp(1).last, "the new banner")
        check(len(set(mta.processes("smtpd")) & set(first)) >= 1, "the others stay")
        check("ESMTP new" not in greeting(mta), "they know what they knew")
        mta.postern("reload", "smtpd", "qmgr/unix")
        wait_until(lambda: "ESMTP new" in greeting(mta), "all of a program")
        mta.wait_for_log(r"reload of service qmgr/unix")
        done = mta.postern("reload", "nosuch", status=1)
        check_match(r'master\.cf has no service "nosuch"; `postconf -M` shows', done.stderr,
                    "a name that is none")
        check_equal(mta.logged(r"master\[\d+\]: reload -- "), 0, "no reload of all")
        mta.postern("reload", "spool")  # in no master.cf
        mta.wait_for_log(r"reload of service spool")
        mta.reload()
        check_equal(mta.logged(r"master\[\d+\]: reload -- "), 1, "and then one")


def one_table_alone():
    """Other than a changed file it does not have to be noticed first, nor to look changed."""
    with Instance() as mta:
        path = mta.write("access", "/stranger/ REJECT first\n")
        table = f"pcre:{path}"
        mta.write_configuration(smtpd_recipient_restrictions=f"check_sender_access {table}, permit",
                                virtual_alias_maps=f"texthash:{mta.etc}/aliases")
        mta.write("aliases", "a@test.example b@gone.example\n")
        mta.start()

        def answer():
            smtp = mta.smtp()
            smtp.say("EHLO client.example", "250-")
            smtp.say("MAIL FROM:<stranger@test.example>", "250 ")
            smtp.send("RCPT TO:<x@test.example>\r\n")
            text = smtp.reply()
            smtp.say("QUIT", "221 ")
            smtp.close()
            return text
        check_match("first", answer(), "the table")
        smtpd, qmgr = mta.processes("smtpd"), mta.processes("qmgr")
        seen = os.stat(path)
        with open(path, "r+") as file:  # the same length, in place, and the same time
            file.write("/stranger/ REJECT other")
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        check_match("first", answer(), "nothing to be seen")
        at = mta.log_position()
        mta.postern("reload", table)
        mta.wait_for_log(r"master\[\d+\]: reload of table " + re.escape(table), since=at)
        wait_until(lambda: "other" in answer(), "the new table")
        check_equal(mta.processes("smtpd"), smtpd, "by the same process")
        check_equal(mta.processes("qmgr"), qmgr, "and nobody else's")
        check_equal(mta.logged(r"reload (--|of service)", since=at), 0, "no other reload")
        done = mta.postern("reload", "hash:/etc/nothing", status=1)
        check_match("reload: no setting names the table hash:/etc/nothing", done.stderr, "a stranger")
        os.unlink(path)
        done = mta.postern("reload", "proxy:" + table, status=1)
        check_match(r"reload: open .*access: No such file", done.stderr, "a table that is gone")
        check_match("other", answer(), "the old one serves on")


def first_mail_is_delivered():
    """A reload ends the agent that was started for it before that one is ready for mail."""
    for _ in range(3):
        with Instance({"mydestination": "", "transport_maps": "inline:{box.example=discard:}"}) as mta:
            mta.start()
            smtp = mta.smtp()
            smtp.say("EHLO client.example", "250-")
            queue_id = smtp.message("s@x.example", ["u@box.example"], "Subject: x\n\nx\n")
            kill(mta.master(), signal.SIGHUP)
            mta.wait_for_log(rf"{queue_id}: removed")
            check_equal(mta.logged("mail transport unavailable"), 0, "no second attempt")
            smtp.close()


def defaults_in_the_jail():
    """What a default is computed from is known to those who read main.cf in the jail."""
    with Instance() as mta:
        mta.start()
        del mta.settings["mynetworks"]
        mta.write_configuration(inet_interfaces="127.0.0.1 other.test.example")
        mta.reload()
        mta.smtp().say("QUIT", "221 ")
        check_equal(mta.logged("refused by the jail"), 0, "a question for the interfaces")


no_connection_refused()
first_mail_is_delivered()
defaults_in_the_jail()
one_service_alone()
one_table_alone()
mistakes_change_nothing()
lines_come_and_go()
settings_reach_sessions()
a_file_that_breaks_behind_master()
finish()
