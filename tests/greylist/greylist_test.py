#!/usr/bin/env python3
"""check_greylist with a real greylistd: mail is sent away and let in when it comes again; all smtpd
processes know that, and so does the next greylistd; without one mail is let in."""
import os
import signal
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, is_root, kill, wait_until

SETTINGS = {
    "mydestination": "here.example", "local_recipient_maps": "", "local_transport": "discard",
    "smtpd_peername_lookup": "no", "smtpd_error_sleep_time": "0", "greylist_delay": "1s",
    "smtpd_recipient_restrictions": "reject_unauth_destination, check_greylist",
}
GREYLISTED = "450 4.7.1 <{}>: Recipient address rejected: Greylisted, come again in "
SERVICES = ["smtpd", "cleanup", "qmgr", "discard"]


def rcpt(mta, sender, recipient="r@here.example", source="127.0.0.2"):
    smtp = mta.smtp(source=(source, 0))
    smtp.say("EHLO client.example", "250-")
    smtp.say(f"MAIL FROM:<{sender}>", "250 ")
    reply = smtp.say(f"RCPT TO:<{recipient}>", "")
    smtp.say("QUIT", "221 ")
    smtp.close()
    return reply


def is_in(mta, *args, **more):
    return rcpt(mta, *args, **more).startswith("250 2.1.5")


def comes_back(mta, *args, **more):
    wait_until(lambda: is_in(mta, *args, **more), f"{args} to be let in")


def mail_comes_again():
    # More than one smtpd: each serves one session at a time.
    with Instance({**SETTINGS, "smtpd_sessions_per_process": "1"}, services=SERVICES) as mta:
        mta.start()
        first = rcpt(mta, "a@x.example")
        check(first.startswith(GREYLISTED.format("r@here.example")), f"sent away: {first!r}")
        check("relay access denied" in rcpt(mta, "a@x.example", "r@far.example").lower(),
              "what is refused for good is")
        held = mta.smtp()  # keeps one process
        comes_back(mta, "a@x.example")
        held.close()
        mta.wait_for_log(r"greylistd\[\d+\]: 127\.0\.0\.0/24: from=<a@x\.example> "
                         r"to=<r@here\.example>: came back after \d+ seconds")
        check(is_in(mta, "A@x.example", source="127.0.0.77"), "the network, in any case")
        check(not is_in(mta, "a@x.example", source="127.0.1.2"), "another network waits")
        check(not is_in(mta, "b@x.example"), "another sender waits")
        check(not is_in(mta, "a@x.example", "s@here.example"), "another recipient waits")
        check(not is_in(mta, ""), "a notice waits")
        # The next start knows them.
        mta.stop()
        names = os.listdir(mta.data)
        check(any(name.startswith("greylist_cache") for name in names), f"a table in {names}")
        mta.start()
        check(is_in(mta, "a@x.example"), "known after a start")
        comes_back(mta, "b@x.example")


def networks_are_known():
    with Instance({**SETTINGS, "greylist_allow_count": "2", "greylist_ipv4_prefix_length": "32"},
                  services=SERVICES) as mta:
        mta.start()
        comes_back(mta, "a@x.example")
        check(not is_in(mta, "b@x.example"), "once is not enough")
        comes_back(mta, "b@x.example")
        mta.wait_for_log(r"greylistd\[\d+\]: 127\.0\.0\.2: came back often enough: waits no more")
        check(is_in(mta, "c@x.example"), "waits no more")
        check(not is_in(mta, "c@x.example", source="127.0.0.3"), "its neighbour does")
        mta.run("postconf", "greylist_delay=1h")
        mta.run("postern", "reload")
        wait_until(lambda: "come again in 3" in rcpt(mta, "d@x.example", source="127.0.0.3"),
                   "the delay to be another one")
        check(is_in(mta, "d@x.example"), "a reload forgets nobody")


def nobody_remembers():
    """Without a table a killed one has forgotten everybody; without it mail is let in."""
    with Instance({**SETTINGS, "greylist_map": ""}, services=SERVICES) as mta:
        mta.start()
        comes_back(mta, "a@x.example")
        mta.expect_trouble("greylistd")
        kill(mta.process("greylistd"), signal.SIGKILL)
        wait_until(lambda: not is_in(mta, "b@x.example"), "another greylistd")
        check_equal([n for n in os.listdir(mta.data) if n.startswith("greylist")], [], "tables")
    with Instance(SETTINGS, services=SERVICES) as mta:
        mta.expect_trouble("greylistd")
        os.remove(os.path.join(mta.sbin, "greylistd"))
        mta.start()
        check(is_in(mta, "a@x.example"), "without greylistd mail is let in")
        mta.wait_for_log(r"smtpd\[\d+\]: warning: greylistd: .*: for a while check_greylist has no effect")


def killed():
    """Killed at any moment, it knows all that it has answered; what it wrote is whole."""
    with Instance(SETTINGS, services=SERVICES) as mta:
        mta.expect_trouble("greylistd")
        mta.start()
        comes_back(mta, "a@x.example")
        check(not is_in(mta, "b@x.example"), "another sender waits")
        for _ in range(3):
            pid = mta.process("greylistd")
            at = mta.log_position()
            kill(pid)
            mta.wait_for_log(f"pid {pid} .*killed by signal 9", since=at)
            wait_until(lambda: is_in(mta, "a@x.example"), "the next one, which knows")
        journal = os.path.join(mta.data, "greylist_cache.journal")
        check(os.path.getsize(journal) > 0, "a journal while it runs")
        if is_root():
            check_equal(os.stat(journal).st_mode & 0o777, 0o600, "mode of the journal")
        mta.stop()
        check_equal([n for n in os.listdir(mta.data) if "journal" in n], [], "journals at its end")
        type_ = mta.run("postconf", "-h", "default_cache_db_type").stdout.strip()
        known = mta.run("postmap", "-s", f"{type_}:{mta.data}/greylist_cache").stdout
        for sender in "ab":
            check(f"127.0.0.0/24 {sender}@x.example r@here.example" in known, f"{sender} in {known!r}")


def only_warned():
    with Instance({**SETTINGS, "smtpd_recipient_restrictions":
                   "reject_unauth_destination, warn_if_reject, check_greylist"},
                  services=SERVICES) as mta:
        mta.start()
        check(is_in(mta, "a@x.example"), "a warning refuses nobody")
        mta.wait_for_log(r"reject_warning: RCPT from .*450 4\.7\.1 .*Greylisted")


def nothing_runs_without_it():
    with Instance({**SETTINGS, "smtpd_recipient_restrictions": "reject_unauth_destination"},
                  services=SERVICES) as mta:
        mta.start()
        check(is_in(mta, "a@x.example"), "let in")
        check("greylistd[" not in mta.log_text(), "greylistd has something to say")


mail_comes_again()
networks_are_known()
nobody_remembers()
killed()
only_warned()
nothing_runs_without_it()
finish()
