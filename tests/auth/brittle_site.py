"""brittle_site.py -- a system whose mailauth is brittle.c: words in mail bring its libraries down."""
import os
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import PATIENCE, TOP, mail_user

BRITTLE = os.path.join(TOP, "tests/auth/brittle")


class Site:
    def __init__(self, mta):
        self.mta = mta

    def configure(self, dns, **settings):
        self.mta.write_configuration(
            mydestination="", virtual_mailbox_domains="box.example", virtual_mailbox_maps="static:u/",
            virtual_mailbox_base=self.mta.mail, virtual_minimum_uid="1",
            virtual_uid_maps=f"static:{mail_user().pw_uid}",
            virtual_gid_maps=f"static:{mail_user().pw_gid}", smtpd_authorized_xclient_hosts="127.0.0.1",
            dns_servers=f"127.0.0.1:{dns.port}", inet_protocols="all", spf_mode="tag",
            smtpd_error_sleep_time="0", smtpd_peername_lookup="no", **settings)
        if self.mta.master():
            self.mta.reload()

    def rcpt(self, client, sender, reply="250 "):
        smtp = self.mta.smtp()
        smtp.socket.settimeout(4 * PATIENCE)  # a hang is noticed after ten seconds, twice
        client = f"IPV6:{client}" if ":" in client else client
        smtp.say(f"XCLIENT ADDR={client} NAME=[UNAVAILABLE]", "220 ")
        smtp.say("EHLO h.example", "250-")
        smtp.say(f"MAIL FROM:<{sender}>", "250 ")
        smtp.say("RCPT TO:<u@box.example>", reply)
        return smtp

    def send(self, client, sender, text="Subject: x\n\nhello\n"):
        smtp = self.rcpt(client, sender)
        smtp.say("DATA", "354 ")
        smtp.send(text.replace("\n", "\r\n") + ".\r\n")
        queue_id = smtp.expect("250 2.0.0 Ok: queued as ").split()[-1]
        smtp.close()
        self.mta.wait_for_log(rf"{queue_id}: removed")
        return queue_id

    def becomes_brittle(self):
        self.mta.expect_trouble("killed by signal", "mailauth", "libspf2")
        os.remove(os.path.join(self.mta.sbin, "mailauth"))
        os.symlink(BRITTLE, os.path.join(self.mta.sbin, "mailauth"))
        self.mta.reload()

    def verdict(self, client, sender):
        """Of SPF, as the log has it."""
        queue_id = self.send(client, sender)
        return self.mta.wait_for_log(rf"{queue_id}: spf: RCPT from \S+: (\S+) .*; from=")[1]


def together(*calls):
    parts = [threading.Thread(target=call) for call in calls]
    for part in parts:
        part.start()
    for part in parts:
        part.join()
