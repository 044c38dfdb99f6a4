#!/usr/bin/env python3
"""STARTTLS (RFC 3207), TLS from the first byte, and what is forgotten at the change."""
import os
import socket
import ssl
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, Smtp, check, check_equal, check_match, finish

SETTINGS = {
    "mydestination": "here.example", "local_recipient_maps": "", "local_transport": "discard",
    "smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
    "smtpd_tls_received_header": "yes",
    "smtpd_error_sleep_time": "0",
}
SERVICES = ["smtpd", "cleanup", "qmgr", "discard", "tlsmgr"]


def wrap(smtp):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    smtp.file.close()
    smtp.socket = context.wrap_socket(smtp.socket)
    smtp.file = smtp.socket.makefile("rb")


def starttls():
    with Instance(SETTINGS, services=SERVICES) as mta:
        mta.write_configuration(smtpd_tls_chain_files=mta.certificate())
        mta.start()
        smtp = mta.smtp()
        check_match(r"\n250-STARTTLS\r", smtp.say("EHLO x", "250-"), "offered")
        smtp.say("STARTTLS now", "501 5.5.4 Syntax: STARTTLS")
        smtp.say("MAIL FROM:<a@b>", "250 ")
        smtp.say("RSET", "250 ")
        smtp.say("STARTTLS", "220 2.0.0 Ready to start TLS")
        wrap(smtp)
        smtp.say("MAIL FROM:<a@b> SIZE=1", "250 ")  # EHLO is forgotten: as behind HELO
        smtp.say("RSET", "250 ")
        check(b"STARTTLS" not in smtp.say("EHLO x", "250-").encode(), "not offered again")
        smtp.say("STARTTLS", "554 5.5.1 Error: TLS already active")
        smtp.message("a@b", "joe@here.example", "Subject: secret\n\nx")
        smtp.say("QUIT", "221 ")
        mta.wait_for_log(r"smtpd\[\d+\]: Anonymous TLS connection established from "
                         r"localhost\[127\.0\.0\.1\]: TLSv1\.3 with cipher \S+ "
                         r"\(\d+/\d+ bits\) key-exchange \S+ server-signature ECDSA")
        mta.wait_for_log(r"disconnect from \S+ ehlo=2 starttls=1/3 mail=3 rcpt=1 data=1 "
                         r"rset=2 quit=1 commands=11/13$")


def injected():
    """CVE-2011-0411: what was sent in clear behind STARTTLS is not run under TLS."""
    with Instance(SETTINGS, services=SERVICES) as mta:
        mta.write_configuration(smtpd_tls_chain_files=mta.certificate())
        mta.start()
        smtp = mta.smtp()
        smtp.say("EHLO x", "250-")
        smtp.send("STARTTLS\r\nMAIL FROM:<evil@x>\r\n")
        smtp.expect("554 5.5.0 Error: SMTP protocol synchronization")
        check_equal(smtp.reply(), "", "closed")
    with Instance({**SETTINGS, "smtpd_forbid_unauth_pipelining": "no"},
                  services=SERVICES) as mta:
        mta.write_configuration(smtpd_tls_chain_files=mta.certificate())
        mta.start()
        smtp = mta.smtp()
        smtp.say("EHLO x", "250-")
        smtp.send("STARTTLS\r\nMAIL FROM:<evil@x>\r\n")
        smtp.expect("220 ")
        wrap(smtp)
        smtp.say("RCPT TO:<joe@here.example>", "503 5.5.1 Error: need MAIL command")


def required():
    with Instance({**SETTINGS, "smtpd_tls_security_level": "encrypt"},
                  services=SERVICES) as mta:
        mta.write_configuration(smtpd_tls_chain_files=mta.certificate())
        mta.start()
        smtp = mta.smtp()
        smtp.say("EHLO x", "250-")
        smtp.say("MAIL FROM:<a@b>", "530 5.7.0 Must issue a STARTTLS command first")
        smtp.say("NOOP", "250 ")
        smtp.say("STARTTLS", "220 ")
        wrap(smtp)
        smtp.say("EHLO x", "250-")
        smtp.say("MAIL FROM:<a@b>", "250 ")


def failed_handshake():
    with Instance(SETTINGS, services=SERVICES) as mta:
        mta.write_configuration(smtpd_tls_chain_files=mta.certificate())
        mta.start()
        smtp = mta.smtp()
        smtp.say("STARTTLS", "220 ")
        smtp.send("this is no TLS\r\n")
        smtp.close()
        mta.wait_for_log(r"smtpd\[\d+\]: SSL_accept error from localhost\[127\.0\.0\.1\]: ")
        mta.wait_for_log(r"lost connection after STARTTLS from localhost\[127\.0\.0\.1\]$")
        mta.smtp().say("NOOP", "250 ")  # others notice nothing


def wrapper():
    line = "127.0.0.1:{port1} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes"
    with Instance(SETTINGS, services=SERVICES, extra_services=[line]) as mta:
        mta.write_configuration(smtpd_tls_chain_files=mta.certificate())
        mta.start()
        smtp = mta.smtp(1, greeting=None)
        wrap(smtp)
        smtp.expect("220 mail.test.example ESMTP")
        smtp.say("EHLO x", "250-")
        smtp.message("a@b", "joe@here.example", "Subject: wrapped\n\nx")
        smtp.say("QUIT", "221 ")


starttls()
injected()
required()
failed_handshake()
wrapper()
finish()
