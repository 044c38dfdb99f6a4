#!/usr/bin/env python3
"""TLS sessions are resumed by tickets: with any process of smtpd or of postscreen, after a reload, and while
tlsmgr keeps the keys; never where a certificate is asked for that was not asked for before."""
import contextlib
import os
import shutil
import ssl
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, Smtp, check, check_equal, finish, kill, wait_until

SETTINGS = {"smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
            "smtpd_peername_lookup": "no", "mydestination": "here.example",
            "smtpd_sessions_per_process": "1", "smtpd_tls_session_cache_timeout": "1h"}
SERVICES = ["smtpd", "cleanup", "tlsmgr"]


class Client:
    def __init__(self, version):
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.minimum_version = self.context.maximum_version = version
        self.session = None

    def connect(self, mta, number=0):
        """One session up to EHLO under TLS, left open; was it resumed?"""
        smtp = Smtp(mta.port(number))
        smtp.say("STARTTLS", "220 ")
        smtp.file.close()
        smtp.socket = self.context.wrap_socket(smtp.socket, session=self.session)
        smtp.file = smtp.socket.makefile("rb")
        smtp.say("EHLO x", "250-")  # TLS 1.3: with that the ticket has come, too
        self.session = smtp.socket.session
        self.open = smtp
        return smtp.socket.session_reused

    def forget(self):
        self.session = None
        return self


def shared(mta, client):
    check_equal(client.connect(mta), False, "the first")
    before = client.open  # keeps the process it came to
    check_equal(client.connect(mta), True, "with another process")
    before.close()
    check(len(mta.processes("smtpd")) > 1, "there was another one")
    mta.reload()
    check_equal(client.connect(mta), True, "after a reload")
    for pid in mta.processes("smtpd"):
        with contextlib.suppress(ProcessLookupError):  # it may have retired
            kill(pid)
        wait_until(lambda: pid not in mta.processes("smtpd"), "the end of smtpd")
    check_equal(client.connect(mta), True, "when all of smtpd was killed")
    check_equal(client.connect(mta, 1), False, "where a certificate is asked for")
    client.connect(mta)


def doorman(mta, client):
    """postscreen has them from tlsmgr, too, and its certificate, which smtpd has not."""
    check_equal(client.forget().connect(mta, 4), False, "the first with postscreen")
    check_equal(client.connect(mta, 4), True, "postscreen")
    pid = mta.process("postscreen")
    kill(pid)
    wait_until(lambda: pid not in mta.processes("postscreen"), "the end of postscreen")
    check_equal(client.connect(mta, 4), True, "another postscreen")


def run():
    line = "127.0.0.1:{port1} inet n - n - - smtpd -o smtpd_tls_ask_ccert=yes"
    off = "127.0.0.1:{port2} inet n - n - - smtpd -o smtpd_tls_session_cache_timeout=0"
    empty = "127.0.0.1:{port3} inet n - n - - smtpd -o tls_session_ticket_cipher="
    front = ("127.0.0.1:{port4} inet n - n - 1 postscreen -o postscreen_greet_wait=1s "
             "-o postscreen_pipelining_enable=yes -o postscreen_cache_map= -o postscreen_access_list= -o postscreen_greet_banner= "
             "-o postscreen_tls_chain_files=$config_directory/front.pem")
    with Instance(SETTINGS, services=SERVICES, extra_services=[line, off, empty, front, "smtpd pass - - n - - smtpd"]) as mta:
        chain = mta.certificate()
        mta.write_configuration(smtpd_tls_chain_files=chain)
        shutil.copy(chain, os.path.join(mta.etc, "front.pem"))
        mta.expect_trouble("killed by signal 9")
        mta.start()
        clients = [Client(ssl.TLSVersion.TLSv1_2), Client(ssl.TLSVersion.TLSv1_3)]
        for client in clients:
            shared(mta, client)
        for client in clients:
            doorman(mta, client)
        mta.wait_for_log(r"Anonymous TLS connection reused from \S+: TLSv1\.3 with cipher", 3)
        mta.wait_for_log(r"Anonymous TLS connection reused from \S+: TLSv1\.2 with cipher", 3)
        mta.wait_for_log(r"Anonymous TLS connection established from \S+: TLSv1\.3 with", 2)
        for client in clients:
            for number in (2, 3):
                client.forget().connect(mta, number)
                check_equal(client.connect(mta, number), False, "tickets are off")
        for client in clients:
            client.forget().connect(mta)
        kill(mta.process("tlsmgr"))
        wait_until(lambda: not mta.processes("tlsmgr"), "the end of tlsmgr")
        for client in clients:  # with keys that smtpd has, or new ones: mail goes on
            client.connect(mta)
            client.open.say("NOOP", "250 ")


def without_line():
    """Private keys are there, in whichever master.cf."""
    with Instance(SETTINGS, services=["smtpd", "cleanup"]) as mta:
        mta.write_configuration(smtpd_tls_chain_files=mta.certificate())
        mta.start()
        client = Client(ssl.TLSVersion.TLSv1_3)
        client.connect(mta)
        check_equal(client.connect(mta), True, "tlsmgr is there")
        mta.process("tlsmgr")


run()
without_line()
finish()
