#!/usr/bin/env python3
"""The users of the system are known in smtpd's jail: the default local_recipient_maps."""
import os
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check_equal, finish

with Instance({"mydestination": "here.example"}, services=["smtpd", "cleanup", "qmgr"]) as mta:
    mta.start()
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250-")
    smtp.say("MAIL FROM:<s@far.example>", "250 ")
    smtp.say("RCPT TO:<root@here.example>", "250 2.1.5 ")
    smtp.say("RCPT TO:<Daemon@here.example>", "250 2.1.5 ")
    smtp.say("RCPT TO:<no-such-user@here.example>", "550 5.1.1 ")
    check_equal("User unknown in local recipient table" in smtp.last, True, "the reason")
    smtp.say("QUIT", "221 ")
finish()
