#!/usr/bin/env python3
"""flush: mail for one site is tried again when its host asks by ETRN, or postqueue -s and sendmail
-qR do; other mail goes on waiting. smtpd_etrn_restrictions, and sites that nobody may ask for."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "smtp"))
from harness import Instance, check_equal, check_match, finish, free_port
from sink import Sink

DELIVERY = r"{}: to=<b@{}>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:\d+, .*status=sent"


def send(mta, recipient):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message("a@client.example", recipient, "Subject: x\n\nbody\n")
    smtp.close()
    mta.wait_for_log(rf"{qid}: to=<{recipient}>, .*status=deferred")
    return qid


def etrn(mta, line, want):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    smtp.say(line, want)
    smtp.close()


def refused(mta):
    """The forms of RFC 1985, and who may not ask for what."""
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    smtp.say("ETRN", "500 Syntax: ETRN domain")
    smtp.say("ETRN a.example b.example", "500 Syntax: ETRN domain")
    smtp.say("ETRN a..example", "501 Error: invalid parameter syntax")
    smtp.say("ETRN other.example", "459 <other.example>: service unavailable")
    smtp.say("ETRN denied.example",
             "554 5.7.1 <denied.example>: Etrn command rejected: not you")
    smtp.say("MAIL FROM:<a@client.example>", "250")
    smtp.say("ETRN one.example", "503 Error: MAIL transaction in progress")
    smtp.close()
    mta.wait_for_log(r"NOQUEUE: reject: ETRN from localhost\[127.0.0.1\]: 554 5.7.1 "
                     r"<denied.example>: Etrn command rejected: not you; proto=ESMTP "
                     r"helo=<client.example>$")
    for command in (("postqueue", "-s", "other.example"), ("sendmail", "-qRother.example")):
        done = mta.run(*command)
        check_equal(done.returncode, 69, command)
        check_match(r'^post(queue|fix): fatal: Flush service is not configured for destination '
                    r'"other.example"$', done.stderr.strip(), command)


port = free_port()
with Instance({"mydestination": "", "smtp_tcp_port": str(port),
               "fast_flush_domains": "one.example, two.example, denied.example",
               "smtpd_etrn_restrictions":
                   "check_etrn_access inline:{{denied.example=REJECT not you}}"}) as mta:
    mta.write_configuration(transport_maps="inline:{" + ", ".join(
        f"{name}.example=smtp:[127.0.0.1]:{port}" for name in ("one", "two", "other")) + "}")
    mta.start()
    refused(mta)
    qids = {site: send(mta, f"b@{site}.example") for site in ("one", "two", "other")}
    with Sink(port=port) as sink:
        etrn(mta, "ETRN @ONE.example", "250 Queuing started")
        mta.wait_for_log(DELIVERY.format(qids["one"], "one.example"))
        check_equal(len(sink.messages), 1, "only the site's mail")
        check_equal(mta.run("postqueue", "-s", "two.example").returncode, 0, "postqueue -s")
        mta.wait_for_log(DELIVERY.format(qids["two"], "two.example"))
        check_equal(len(sink.messages), 2, "only the site's mail")
        mta.write_configuration(fast_flush_domains="other.example")
        mta.reload()
        check_equal(mta.run("sendmail", "-qRother.example").returncode, 0, "sendmail -qR")
        mta.wait_for_log(DELIVERY.format(qids["other"], "other.example"))
    mta.stop()
    done = mta.run("postqueue", "-s", "other.example")
    check_equal(done.returncode, 69, "with the system down")
    check_match("Cannot flush mail queue - mail system is down", done.stderr, "its text")
finish()
