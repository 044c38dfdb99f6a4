#!/usr/bin/env python3
"""SPF in the running system: spf_mode, reject_spf_fail, who is exempt, what the log, the reply and
the header say; with a DNS server that is silent the verdict comes in time."""
import os
import socket
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dns_server import DnsServer
from harness import Instance, check, check_equal, check_match, finish

ZONE = {
    ("good.example", "TXT"): ["v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all"],
    ("xn--mller-kva.example", "TXT"): ["v=spf1 ip4:192.0.2.0/24 -all"],
    ("soft.example", "TXT"): ["v=spf1 ~all"],
    ("told.example", "TXT"): ["v=spf1 -all exp=why.example"],
    ("why.example", "TXT"): ["see http://why.example/?%{S} %%n%%s " + 300 * "much "],
    ("wrong.example", "TXT"): ["v=spf1 oops -all"],
    ("broken.example", "TXT"): "SERVFAIL",
    ("silent.example", "TXT"): ["v=spf1 a:mute.example -all"], ("mute.example", "A"): "DROP",
    ("mailer.example", "TXT"): ["v=spf1 a -all"], ("mailer.example", "A"): ["192.0.2.1"],
    ("loop.example", "TXT"): ["v=spf1 include:loop.example"],
    ("bomb.example", "TXT"): ["v=spf1 exists:" + 15000 * "%{s}" + ".example -all"],
}
GOOD, BAD = "192.0.2.1", "198.51.100.1"
SETTINGS = {
    "mydestination": "", "virtual_mailbox_domains": "box.example",
    "virtual_mailbox_maps": "inline:{joe@box.example=box/}", "virtual_uid_maps": "static:65534",
    "virtual_gid_maps": "static:65534", "smtpd_peername_lookup": "no", "inet_protocols": "all",
    "mynetworks": "127.0.0.0/8, 203.0.113.0/24", "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "smtpd_error_sleep_time": "0", "smtpd_hard_error_limit": "1000",
    "spf_exempt_clients": "$mynetworks, [2001:db8:1::]/48",
}


class System:
    """An Instance with a DNS server, and mail from any address."""

    def __init__(self, **settings):
        self.dns = DnsServer(ZONE)
        self.mta = Instance({**SETTINGS, "dns_servers": f"127.0.0.1:{self.dns.port}", **settings})

    def __enter__(self):
        self.mta.__enter__()
        if self.mta.as_root:
            os.chown(self.mta.mail, 65534, 65534)
        else:
            self.mta.settings.update(virtual_uid_maps=f"static:{os.geteuid()}",
                                     virtual_gid_maps=f"static:{os.getegid()}")
        self.mta.write_configuration(virtual_mailbox_base=self.mta.mail)
        self.mta.start()
        return self

    def __exit__(self, *what):
        self.dns.__exit__(*what)
        return self.mta.__exit__(*what)

    def rcpt(self, client, helo, sender, reply, login="", parameters=""):
        """Up to RCPT, whose reply begins so."""
        smtp = self.mta.smtp()
        address = f"IPV6:{client}" if ":" in client else client
        smtp.say(f"XCLIENT ADDR={address} NAME=[UNAVAILABLE]{login}", "220 ")
        smtp.say(f"EHLO {helo}", "250-")
        smtp.say(f"MAIL FROM:<{sender}>{parameters}", "250 ")
        smtp.say("RCPT TO:<joe@box.example>", reply)
        return smtp

    def refused(self, *arguments, **more):
        self.rcpt(*arguments, **more).close()

    def message(self, *arguments, **more):
        """As it is delivered."""
        smtp = self.rcpt(*arguments, "250 2.1.5", **more)
        smtp.say("DATA", "354 ")
        smtp.send("Subject: test\r\n\r\ntext\r\n.\r\n")
        queue_id = smtp.expect("250 2.0.0 Ok: queued as ").split()[-1]
        smtp.say("QUIT", "221 ")
        smtp.close()
        self.mta.wait_for_log(rf"{queue_id}: removed")
        return queue_id, [text for text in self.mta.maildir("box") if f"id {queue_id}" in text][0]


def enforced():
    with System(spf_mode="enforce") as system:
        mta = system.mta
        queue_id, text = system.message(GOOD, "h.example", "a@good.example")
        check_match(r"X-Original-To: \S+\nDelivered-To: \S+\n"
                    r"Received-SPF: pass \(mail\.test\.example: the client may send for\n"
                    r"\tthis sender\)\n\treceiver=mail\.test\.example;\n\tclient-ip=192\.0\.2\.1;\n"
                    r"\tidentity=mailfrom;\n\tenvelope-from=\"a@good\.example\";\n"
                    r"\thelo=h\.example;\n\tmechanism=\"ip4:192\.0\.2\.0/24\";\nReceived: ",
                    text.split("\n", 1)[1] if text.startswith("Return-Path") else text, "header")
        mta.wait_for_log(rf"{queue_id}: spf: RCPT from unknown\[192\.0\.2\.1\]: pass mailfrom "
                         r"good\.example: ip4:192\.0\.2\.0/24; from=<a@good\.example> "
                         r"proto=ESMTP helo=<h\.example>")
        check_match(r'client-ip="2001:db8::1";', system.message("2001:db8::1", "h.example",
                                                                "a@good.example")[1], "IPv6")
        system.refused(BAD, "h.example", "a@good.example",
                       "550 5.7.23 <a@good.example>: Sender address rejected: [198.51.100.1] may "
                       "not send for good.example (SPF)\r\n")
        mta.wait_for_log(r"NOQUEUE: reject: RCPT from unknown\[198\.51\.100\.1\]: 550 5\.7\.23 "
                         r"<a@good\.example>: Sender address rejected: \[198\.51\.100\.1\] may not "
                         r"send for good\.example \(SPF\); from=")
        # What the domain says is quoted as its words, within a line.
        smtp = system.rcpt(BAD, "h.example", "%n%s@told.example", "550 5.7.23 <%n%s@told.example>: ")
        check_match(r"\(SPF\); told\.example explains: see http://why\.example/\?%25n%25s%40told"
                    r"\.example %n%s (much )+", smtp.last, smtp.last)
        check(len(smtp.last) <= 512, smtp.last)
        smtp.close()
        # The HELO identity: alone for the null sender, and for who claims to be another host.
        check_match(r"Received-SPF: pass .*\n\tthis host\)\n", system.message(
            GOOD, "mailer.example", "")[1], "HELO")
        system.refused(BAD, "mailer.example", "",
                       "550 5.7.23 <mailer.example>: Helo command rejected: [198.51.100.1] may not")
        system.refused(GOOD, "told.example", "a@good.example",
                       "550 5.7.23 <told.example>: Helo command rejected: ")
        text = system.message(GOOD, "mailer.example", "a@good.example")[1]
        check_equal(text.count("\nReceived-SPF: pass "), 2, text)
        # What is no fail is taken; what cannot be known, later.
        for sender, verdict in [("a@soft.example", "softfail"), ("a@wrong.example", "permerror"),
                                ("a@nothing.example", "none"), ("a@loop.example", "permerror")]:
            check_match(f"\nReceived-SPF: {verdict} ", "\n" + system.message(
                BAD, "h.example", sender)[1], sender)
        system.refused(BAD, "h.example", "a@bomb.example", "550 5.7.23 ")
        system.refused(BAD, "h.example", "a@broken.example", "451 4.7.24 <a@broken.example>: Sender "
                       "address rejected: SPF temperror: look-up of broken.example failed")
        # EAI: the domain is asked for in its ASCII form.
        text = system.message(GOOD, "h.example", "jürgen@müller.example",
                              parameters=" SMTPUTF8")[1]
        check_match(r'Received-SPF: pass (.*\n)+\tenvelope-from="jürgen@müller\.example";', text, "EAI")
        # Our own networks, those exempt, and who has logged in.
        for client, login in [("203.0.113.9", ""), ("2001:db8:1::9", ""), (BAD, " LOGIN=ann")]:
            text = system.message(client, "told.example", "a@told.example", login=login)[1]
            check("Received-SPF" not in text, f"{client}{login}: {text}")
        mta.write_configuration(spf_time_limit="1s")
        mta.reload()
        system.refused(BAD, "h.example", "a@silent.example", "451 4.7.24 <a@silent.example>: ")


def modes():
    with System() as system:
        asked = len(system.dns.asked)
        check("Received-SPF" not in system.message(BAD, "h.example", "a@good.example")[1], "off")
        check_equal(system.dns.asked[asked:], [], "questions with spf_mode = off")
        check(not system.mta.logged(" spf: "), "off is silent")
        for mode, tagged in ("log", False), ("tag", True):
            system.mta.write_configuration(spf_mode=mode)
            system.mta.reload()
            queue_id, text = system.message(BAD, "h.example", "a@good.example")
            check_equal("\nReceived-SPF: fail " in "\n" + text, tagged, mode)
            system.mta.wait_for_log(rf"{queue_id}: spf: .*: fail mailfrom good\.example: -all; ")


class Policy(threading.Thread):
    """Says DUNNO, and notes what it was told of SPF."""
    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.told = []
        self.start()

    def run(self):
        while True:
            link, _ = self.listener.accept()
            with link, link.makefile("rw") as lines:
                attributes = {}
                for line in lines:
                    if line == "\n":
                        self.told.append(attributes.get("spf_result"))
                        attributes = {}
                        lines.write("action=dunno\n\n")
                        lines.flush()
                    else:
                        name, _, value = line.rstrip("\n").partition("=")
                        attributes[name] = value


def policy_servers():
    server = Policy()
    with System(spf_mode="log", smtpd_end_of_data_restrictions="check_policy_service inet:127.0.0.1:"
                f"{server.port}") as system:
        system.message(GOOD, "h.example", "a@good.example")
        system.message(BAD, "h.example", "a@good.example")
        system.message("203.0.113.9", "h.example", "a@good.example")
    check_equal(server.told, ["pass", "fail", None], "what a policy server hears")


def restrictions():
    with System(smtpd_sender_restrictions="reject_spf_fail, reject_spf_permerror",
                spf_reject_code="554") as system:
        system.message(GOOD, "h.example", "a@good.example")
        system.message(BAD, "h.example", "a@soft.example")
        system.refused(BAD, "h.example", "a@good.example", "554 5.7.23 ")
        system.refused(BAD, "h.example", "a@wrong.example", "554 5.7.24 <a@wrong.example>: Sender "
                       "address rejected: SPF permerror: no mechanism or modifier: oops, in the "
                       "record of wrong.example")
        system.refused(BAD, "h.example", "a@broken.example", "451 4.7.24 ")
        system.mta.write_configuration(
            smtpd_sender_restrictions="warn_if_reject reject_spf_fail",
            smtpd_helo_restrictions="reject_spf_fail", smtpd_delay_reject="no")
        system.mta.reload()
        system.message(BAD, "h.example", "a@good.example")
        system.mta.wait_for_log(r"reject_warning: MAIL from unknown\[198\.51\.100\.1\]: 554 5\.7\.23")
        smtp = system.mta.smtp()
        smtp.say(f"XCLIENT ADDR={BAD} NAME=[UNAVAILABLE]", "220 ")
        smtp.say("EHLO told.example", "554 5.7.23 <told.example>: Helo command rejected: ")
        # That name has not become the session's.
        smtp.say("MAIL FROM:<a@soft.example>", "250 ")
        smtp.say("RCPT TO:<joe@box.example>", "250 ")
        check(not system.mta.logged("reject_warning: .*Helo command"), system.mta.log_text())
        smtp.close()
        said = system.mta.postern("explain", "--client", BAD, "--helo", "h.example",
                                  "a@good.example", "joe@box.example")
        check_match("reject_spf_fail", said.stdout, f"{said}")
    with Instance({"spf_mode": "strict"}, services=["smtpd", "cleanup", "qmgr"]) as mta:
        mta.postern("start", status=None)
        try:
            mta.smtp(greeting=None).close()
        except OSError:
            pass
        mta.wait_for_log(r"fatal: bad parameter value: spf_mode = strict: specify one of off, log, "
                         r"tag, enforce")


for part in enforced, modes, policy_servers, restrictions:
    part()
finish()
