#!/usr/bin/env python3
"""What smtp_tls_loglevel and smtpd_tls_loglevel have logged from 2 on: OpenSSL's steps as with
Debian's Postfix 3.7, which has them in the same order; then bytes."""
import os
import re
import ssl
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, is_root
from postfix37 import Postfix37
from sink import Sink, certificate

STEP = re.compile(r"postfix/(smtpd?)\[\d+\]: (setting up TLS .*|SSL_\w+:.*|SSL3 alert .*|.*: depth=0 verify=0 .*)")
BYTES = re.compile(r"postfix/(smtpd?)\[\d+\]: (?:read from|write to) ")


def wrapped(smtp):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    smtp.file.close()
    smtp.socket = context.wrap_socket(smtp.socket)
    smtp.file = smtp.socket.makefile("rb")


def observe(kind, level, sink):
    """The log of one message in and out under TLS, and of a client that sends nonsense."""
    settings = {"mydestination": "", "smtp_tls_loglevel": level, "smtpd_tls_loglevel": level,
                "smtp_tls_security_level": "may", "smtpd_tls_security_level": "may"}
    with kind(settings) as mta:
        mta.write_configuration(smtpd_tls_chain_files=mta.certificate(),
                                transport_maps=f"inline:{{x.example=smtp:[127.0.0.1]:{sink.port}}}")
        mta.start()
        smtp = mta.smtp()
        smtp.say("EHLO x", "250")
        smtp.say("STARTTLS", "220")
        wrapped(smtp)
        smtp.say("EHLO x", "250")
        qid = smtp.message("a@b.example", "b@x.example", "Subject: x\n\nbody\n")
        smtp.say("QUIT", "221")
        mta.wait_for_log(rf"{qid}: removed")
        since = mta.log_position()
        smtp = mta.smtp()
        smtp.say("EHLO x", "250")
        smtp.say("STARTTLS", "220")
        smtp.send("this is no TLS\r\n" * 10)
        mta.wait_for_log(r"smtpd\[\d+\]: disconnect from", since=since)
        return mta.log_text()


def steps(log, program):
    return [re.sub(r":\d+", ":PORT", text) for who, text in STEP.findall(log) if who == program]


with Sink(tls=certificate()) as sink:
    ours = {level: observe(Instance, level, sink) for level in ("0", "routine", "2", "ssl-expert", "4",
                                                           "none of it")}
    if is_root():
        theirs = observe(Postfix37, "2", sink)
        for program in ("smtpd", "smtp"):
            check(len(steps(theirs, program)) > 12, f"steps of {program}")
            check_equal(steps(ours["2"], program), steps(theirs, program), program)
    for level in ("0", "routine", "none of it"):
        check_equal(steps(ours[level], "smtp") + steps(ours[level], "smtpd"), [], f"steps at level {level}")
    check("smtpd_tls_loglevel: \"none of it\": wanted is 0 to 4" in ours["none of it"], "a mistake is told")
    check_equal(len(re.findall("TLS connection established", ours["routine"])), 2, "level 1")
    check_equal(len(re.findall("TLS connection established", ours["0"])), 0, "level 0")
    for program in ("smtpd", "smtp"):
        counts = [BYTES.findall(ours[level]).count(program) for level in ("2", "ssl-expert", "4")]
        check(counts[0] == 0 < counts[1] < counts[2], f"reads and writes of {program} that are told: {counts}")
    check(re.search(r"smtpd\[\d+\]: 0000 74 68 69 73 20 69 73 20\|6e 6f 20 54 4c 53 0d 0a  this\.is\. no\.TLS\.\.$",
                    ours["ssl-expert"], re.M), "bytes as people read them")
finish()
