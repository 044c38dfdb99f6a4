#!/usr/bin/env python3
"""The log as other people's programs read it. One run provokes every kind of event that the
daemons know; then each shape of the table has to be there, and fail2ban, pflogsumm and logwatch
have to count each event."""
import os
import re
import socket
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (PATIENCE, TOP, Instance, check, check_equal, check_match, finish, free_port)

CLIENT = r"(?:unknown|localhost)\[[\d.]+\]"
DONE = r"delay=[\d.]+, delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+, dsn="
TAIL = r"from=<\S*> to=<\S+> proto=E?SMTP helo=<\S+>"
COUNTED = r"\(127\.0\.0\.1:\d+:127\.0\.0\.1\) at \w{3} [ \d]\d \d\d:\d\d:\d\d"
DAEMON = r"postfix/\w+\[\d+\]: "

# Shapes that have to appear: (lines at least, whole text behind the tag). They are those of the
# log-line contract for what the daemons do today.
SHAPES = [
    ("master", 1, r"daemon started -- version \S+, configuration \S+"),
    ("master", 1, r"reload -- version \S+, configuration \S+"),
    ("master", 1, r"terminating on signal 15"),
    ("postfix-script", 1, r"starting the Postfix mail system"),
    ("postfix-script", 1, r"the Postfix mail system is running: PID: \d+"),
    ("postfix-script", 1, r"refreshing the Postfix mail system"),
    ("postfix-script", 1, r"stopping the Postfix mail system"),
    ("postsuper", 1, r"\w+: removed"),
    ("postsuper", 1, r"\w+: placed on hold"),
    ("postsuper", 1, r"\w+: released from hold"),
    ("postsuper", 1, r"\w+: requeued"),
    ("postsuper", 1, r"\w+: expired"),
    ("postsuper", 1, r"Deleted: 1 message"),
    ("postsuper", 1, r"Placed on hold: 1 message"),
    ("postsuper", 1, r"Released from hold: 1 message"),
    ("postsuper", 1, r"Requeued: 1 message"),
    ("postsuper", 1, r"Force-expired: 1 message"),
    ("sendmail", 1, r"fatal: \w+\(\d+\): No recipient addresses found in message header"),
    ("smtpd", 5, rf"connect from {CLIENT}"),
    ("smtpd", 1, rf"disconnect from {CLIENT} ehlo=1 xclient=1 mail=1 rcpt=0/1 quit=1 commands=4/5"),
    ("smtpd", 1, rf"disconnect from {CLIENT} commands=0/0"),
    ("smtpd", 1, rf"warning: non-SMTP command from {CLIENT}: GET / HTTP/1\.0"),
    ("smtpd", 1, rf"improper command pipelining after EHLO from {CLIENT}: MAIL FROM:<a@b>\\r\\n"),
    ("smtpd", 1, rf"lost connection after CONNECT from {CLIENT}"),
    ("smtpd", 1, rf"lost connection after EHLO from {CLIENT}"),
    ("smtpd", 1, rf"lost connection after RCPT from {CLIENT}"),
    ("smtpd", 1, rf"lost connection after DATA \(\d+ bytes\) from {CLIENT}"),
    ("smtpd", 1, rf"timeout after CONNECT from {CLIENT}"),
    ("smtpd", 1, rf"too many errors after UNKNOWN from {CLIENT}"),
    ("smtpd", 1, rf"\w+: client={CLIENT}"),
    ("smtpd", 1, rf"NOQUEUE: reject: RCPT from {CLIENT}: 454 4\.7\.1 <x@far\.example>: Relay "
                 rf"access denied; {TAIL}"),
    ("smtpd", 1, rf"NOQUEUE: reject: RCPT from {CLIENT}: 550 5\.1\.1 <no@here\.example>: Recipient "
                 rf"address rejected: User unknown in local recipient table; {TAIL}"),
    ("smtpd", 1, rf"NOQUEUE: reject: RCPT from {CLIENT}: 554 5\.7\.1 <a@bad\.example>: Sender "
                 rf"address rejected: Access denied; {TAIL}"),
    ("smtpd", 1, rf"NOQUEUE: reject: RCPT from {CLIENT}: 554 5\.7\.1 <{CLIENT}>: Client host "
                 rf"rejected: go away; {TAIL}"),
    ("smtpd", 1, rf"NOQUEUE: reject: RCPT from {CLIENT}: 504 5\.5\.2 <x>: Helo command rejected: "
                 rf"need fully-qualified hostname; {TAIL}"),
    ("smtpd", 1, rf"NOQUEUE: reject_warning: RCPT from {CLIENT}: 554 5\.7\.1 <w@here\.example>: "
                 rf"Recipient address rejected: Access denied; {TAIL}"),
    ("smtpd", 1, rf"NOQUEUE: reject: MAIL from {CLIENT}: 552 5\.3\.4 Message size exceeds fixed "
                 r"limit; from=<a@b\.example> proto=ESMTP helo=<c\.example>"),
    ("smtpd", 1, rf"NOQUEUE: reject: VRFY from {CLIENT}: 550 5\.1\.1 <no@here\.example>: Recipient "
                 r"address rejected: User unknown in local recipient table; to=<no@here\.example> "
                 r"proto=ESMTP helo=<c\.example>"),
    ("smtpd", 1, rf"\w+: reject: DATA from {CLIENT}: 554 5\.7\.1 <a@data\.example>: Sender "
                 rf"address rejected: Access denied; {TAIL}"),
    ("smtpd", 1, rf"NOQUEUE: reject: RCPT from {CLIENT}: 451 4\.3\.5 <e@b\.example>: Sender address "
                 rf"rejected: Server configuration error; {TAIL}"),
    ("pickup", 1, r"\w+: uid=\d+ from=<\S+>"),
    ("cleanup", 3, r"\w+: message-id=<\S+@\S+>"),
    ("cleanup", 1, r"\w+: message-id=<>"),
    ("cleanup", 1, r"\w+: resent-message-id=<r@x>"),
    ("cleanup", 1, r"warning: \w+: message rejected: hopcount exceeded"),
    ("qmgr", 3, r"\w+: from=<\S*>, size=\d+, nrcpt=\d+ \(queue active\)"),
    ("qmgr", 3, r"\w+: removed"),
    ("qmgr", 1, r"\w+: from=<\S+>, status=force-expired, returned to sender"),
    ("virtual", 1, rf"\w+: to=<u@box\.example>, relay=virtual, {DONE}2\.0\.0, status=sent "
                   r"\(delivered to maildir\)"),
    ("virtual", 1, rf"\w+: to=<u@box\.example>, orig_to=<al@box\.example>, relay=virtual, {DONE}"
                   r"2\.0\.0, status=sent \(delivered to maildir\)"),
    ("virtual", 1, rf"\w+: to=<gone@gone\.example>, relay=virtual, {DONE}5\.1\.1, status=bounced "
                   r"\(unknown user: \"gone@gone\.example\"\)"),
    ("error", 1, rf"\w+: to=<x@error\.example>, relay=none, {DONE}5\.7\.9, status=bounced "
                 r"\(no such thing\)"),
    ("error", 1, rf"\w+: to=<x@retry\.example>, relay=none, {DONE}4\.0\.0, status=deferred "
                 r"\(later perhaps\)"),
    ("discard", 1, rf"\w+: to=<x@discard\.example>, relay=none, {DONE}2\.0\.0, status=sent "
                   r"\(into the void\)"),
    ("smtp", 1, r"connect to 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: Connection refused"),
    ("smtp", 1, rf"\w+: to=<x@dead\.example>, relay=none, {DONE}4\.4\.1, status=deferred "
                r"\(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: Connection refused\)"),
    ("smtp", 1, rf"\w+: to=<u@loop\.example>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:\d+, {DONE}"
                r"2\.0\.0, status=sent \(250 2\.0\.0 Ok: queued as \w+\)"),
    ("smtp", 1, rf"\w+: to=<no@loop\.example>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:\d+, {DONE}"
                r"5\.1\.1, status=bounced \(host 127\.0\.0\.1\[127\.0\.0\.1\] said: 550 5\.1\.1 .* "
                r"\(in reply to RCPT TO command\)\)"),
    ("bounce", 1, r"\w+: sender non-delivery notification: \w+"),
    ("smtpd", 1, rf"warning: Connection concurrency limit exceeded: 2 from {CLIENT} for service \S+"),
    ("smtpd", 1, rf"warning: Connection rate limit exceeded: 3 from {CLIENT} for service \S+"),
    ("smtpd", 1, rf"warning: Message delivery request rate limit exceeded: 2 from {CLIENT} for "
                 r"service \S+"),
    ("smtpd", 1, rf"warning: Recipient address rate limit exceeded: 2 from {CLIENT} for service \S+"),
    ("anvil", 1, rf"statistics: max connection rate 3/60s for {COUNTED}"),
    ("anvil", 1, rf"statistics: max connection count 2 for {COUNTED}"),
    ("anvil", 1, rf"statistics: max message rate 2/60s for {COUNTED}"),
    ("anvil", 1, rf"statistics: max recipient rate 2/60s for {COUNTED}"),
    ("anvil", 1, r"statistics: max cache size 1 at \w{3} [ \d]\d \d\d:\d\d:\d\d"),
]

# What fail2ban's filter has to see in each mode: the lines of these shapes, no more, no less.
REJECTED = [r"Relay access denied", r"User unknown in", r"Client host rejected", r"need fully-q"]
NORMAL = [rf": reject: \w+ from {CLIENT}: .*(?:{'|'.join(REJECTED)})",
          r"improper command pipelining after", r": too many errors after"]
ENDS = [r": lost connection after (?!DATA)[A-Z]+ from"]
FAIL2BAN = {
    "normal": NORMAL, "more": NORMAL, "ddos": ENDS, "aggressive": NORMAL + ENDS,
    "extra": NORMAL, "errors": [r": too many errors after"], "rbl": [], "auth": [],
}

SETTINGS = {
    "mydestination": "here.example",
    "myorigin": "here.example",
    "local_recipient_maps": "inline:{joe=x, w=x}",
    "local_transport": "discard",
    "virtual_mailbox_domains": "box.example",
    "virtual_mailbox_maps": "inline:{u@box.example=box/}",
    "virtual_alias_maps": "inline:{al@box.example=u@box.example}",
    "virtual_minimum_uid": "1",
    "message_size_limit": "10000",
    "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "smtpd_error_sleep_time": "0",
    "smtpd_hard_error_limit": "4",
    "smtpd_forbid_unauth_pipelining": "yes",
    "smtpd_client_restrictions": "check_client_access inline:{{198.51.100.66=REJECT go away}}",
    "smtpd_helo_restrictions": "reject_non_fqdn_helo_hostname",
    "smtpd_sender_restrictions": "check_sender_access inline:{bad.example=REJECT,"
                                 "{e@b.example=451 4.3.5 Server configuration error}}",
    "smtpd_recipient_restrictions": "warn_if_reject check_recipient_access "
                                    "inline:{w@here.example=REJECT}",
    "smtpd_data_restrictions": "check_sender_access inline:{data.example=REJECT}",
}
LIMITED = ("127.0.0.1:{port2} inet n - n - - smtpd -o smtpd_client_event_limit_exceptions= "
           "-o smtpd_authorized_xclient_hosts= -o smtpd_client_connection_count_limit=1 "
           "-o smtpd_client_connection_rate_limit=2 -o smtpd_client_message_rate_limit=1 "
           "-o smtpd_client_recipient_rate_limit=1")
QUICK = "127.0.0.1:{port1} inet n - n - - smtpd -o smtpd_timeout=1s"


class Client:
    """A stranger, known by its address."""
    number = 0

    def __init__(self, mta, address=None, hello="c.example"):
        Client.number += 1
        self.smtp = mta.smtp()
        self.smtp.say(f"XCLIENT ADDR={address or '198.51.100.%d' % Client.number} "
                      "NAME=[UNAVAILABLE]", "220 ")
        if hello:
            self.smtp.say(f"EHLO {hello}", "250-")

    def says(self, *dialogue):
        for line, begin in dialogue:
            self.smtp.say(line, begin)

    def leaves(self):
        self.smtp.say("QUIT", "221 ")
        self.smtp.close()


def refused(mta, sender, recipient, code, **how):
    client = Client(mta, **how)
    client.says((f"MAIL FROM:<{sender}>", "250 "), (f"RCPT TO:<{recipient}>", code))
    client.leaves()


def rejects(mta):
    refused(mta, "a@b.example", "x@far.example", "454 ")
    refused(mta, "a@b.example", "no@here.example", "550 ")
    refused(mta, "a@bad.example", "joe@here.example", "554 ")
    refused(mta, "a@b.example", "joe@here.example", "554 ", address="198.51.100.66")
    refused(mta, "a@b.example", "joe@here.example", "504 ", hello="x")
    refused(mta, "e@b.example", "joe@here.example", "451 ")
    refused(mta, "a@b.example", "w@here.example", "250 ")
    client = Client(mta)
    client.says(("MAIL FROM:<a@b.example> SIZE=99999", "552 "), ("VRFY no@here.example", "550 "),
                ("MAIL FROM:<a@data.example>", "250 "), ("RCPT TO:<joe@here.example>", "250 "),
                ("DATA", "554 "))
    client.leaves()


def abuse(mta):
    mta.smtp().close()
    Client(mta).smtp.close()
    client = Client(mta)
    client.says(("MAIL FROM:<a@b.example>", "250 "), ("RCPT TO:<joe@here.example>", "250 "))
    client.smtp.close()
    client = Client(mta)
    client.says(("MAIL FROM:<a@b.example>", "250 "), ("RCPT TO:<joe@here.example>", "250 "),
                ("DATA", "354 "))
    client.smtp.send("Subject: cut\r\n")
    client.smtp.close()
    client = Client(mta)
    client.says(("GET / HTTP/1.0", "221 "))
    client = Client(mta, hello=None)
    client.smtp.send("EHLO c.example\r\nMAIL FROM:<a@b>\r\n")
    client.smtp.expect("554 5.5.0 ")
    client = Client(mta)
    client.says(*[("FOO", "500 ")] * 4)
    client.smtp.expect("421 4.7.0 ")
    slow = mta.smtp(1)
    slow.expect("421 4.4.2 ")


def limits(mta):
    smtp = mta.smtp(2)
    mta.smtp(2, greeting="421 4.7.0 mail.test.example Error: too many connections").close()
    smtp.say("MAIL FROM:<a@b.example>", "250 ")
    smtp.say("RCPT TO:<joe@here.example>", "250 ")
    smtp.say("RCPT TO:<joe@here.example>", "450 4.7.1 Error: too many recipients")
    smtp.say("RSET", "250 ")
    smtp.say("MAIL FROM:<a@b.example>", "450 4.7.1 Error: too much mail")
    smtp.say("QUIT", "221 ")
    mta.wait_for_log(r"disconnect from \S+ mail=1/2 rcpt=1/2")
    mta.smtp(2, greeting="421 4.7.0 mail.test.example Error: too many connections").close()


UNLISTED = ("x@error.example", "x@retry.example")


def deliveries(mta):
    smtp = mta.smtp()
    smtp.say("EHLO c.example", "250-")
    text = "Subject: x\n\nbody"
    ids = {}
    for sender, recipient in (("s@here.example", "u@box.example"),
                              ("s@here.example", "al@box.example"),
                              ("u@box.example", "gone@gone.example"),
                              ("u@box.example", "x@error.example"),
                              ("s@here.example", "x@retry.example"),
                              ("s@here.example", "x@discard.example"),
                              ("u@box.example", "x@dead.example"),
                              ("s@here.example", "u@loop.example"),
                              ("u@box.example", "no@loop.example")):
        if recipient in UNLISTED:  # smtpd would not take it
            at = mta.log_position()
            mta.run("sendmail", "-f", sender, recipient, input=text)
            ids[recipient] = mta.wait_for_log(r"pickup\[\d+\]: (\w+): uid=", since=at)[1]
        else:
            ids[recipient] = smtp.message(sender, recipient, text)
        mta.wait_for_log(rf"{ids[recipient]}: to=<.*status=")
    smtp.message("s@here.example", "joe@here.example", "Resent-Message-Id: <r@x>\n" + text)
    smtp.message("s@here.example", "joe@here.example", "Received: x\n" * 60 + text,
                 queued="554 5.4.0 ")
    stranger = Client(mta)
    stranger.smtp.message("a@b.example", "joe@here.example", "Subject: no id\n\n")
    stranger.leaves()
    smtp.close()
    check_equal(mta.run("sendmail", "-f", "l@here.example", "joe@here.example",
                        input="Subject: local\n\n").returncode, 0, "sendmail")
    check_equal(mta.run("sendmail", "-t", input="Subject: nobody\n\n").returncode, 75, "sendmail -t")
    mta.wait_for_log(r"pickup\[\d+\]: \w+: uid=")
    return ids


def commands(mta, ids):
    waiting, other = ids["x@retry.example"], ids["x@dead.example"]
    for option, qid in (("-h", waiting), ("-H", waiting), ("-r", waiting), ("-d", waiting),
                        ("-e", other)):
        check_equal(mta.run("postsuper", option, qid).returncode, 0, f"postsuper {option}")
    mta.run("postqueue", "-f")
    mta.wait_for_log(rf"{other}: from=<\S+>, status=force-expired")
    mta.wait_for_log(rf"{other}: removed")
    mta.reload()


def shapes(log):
    for program, least, text in SHAPES:
        found = len(re.findall(rf"^\w{{3}} [ \d]\d \d\d:\d\d:\d\d \S+ postfix/{program}\[\d+\]: "
                               rf"{text}$", log, re.M))
        check(found >= least, f"{program}: {found} lines of {text}")


def fail2ban(mta, log):
    lines = log.splitlines()
    for mode, patterns in FAIL2BAN.items():
        done = subprocess.run(["fail2ban-regex", "--print-all-matched", "--datepattern",
                               "^%b %d %H:%M:%S", mta.logfile, f"postfix[mode={mode}]"],
                              capture_output=True, text=True, timeout=120)
        check_equal(done.returncode, 0, f"fail2ban-regex {mode}: {done.stderr}{done.stdout}")
        seen = sorted(re.findall(r"^\|  (\w{3} .*)$", done.stdout, re.M))
        want = sorted(line for line in lines if any(re.search(p, line) for p in patterns))
        check(mode in ("rbl", "auth") or want, f"fail2ban {mode}: something to see")
        check_equal(seen, want, f"fail2ban {mode}")


def pflogsumm(mta, log):
    done = subprocess.run(["pflogsumm", "--smtpd_stats", mta.logfile], capture_output=True,
                          text=True, timeout=120)
    check_equal(done.stderr, "", "pflogsumm's complaints")
    rejected = len(re.findall(r": reject: ", log))
    for what, count in (("received", len(re.findall(r": client=|: uid=", log))),
                        ("delivered", len(re.findall(r"status=sent", log))),
                        ("bounced", len(re.findall(r"status=bounced", log))),
                        ("reject warnings", len(re.findall(r": reject_warning: ", log))),
                        ("rejected", rejected),
                        ("connections", len(re.findall(r"smtpd\[\d+\]: connect from", log)))):
        check_match(rf"(?m)^\s+{count}\s+{what}\b", done.stdout, f"pflogsumm: {what}")
    deferrals = len(re.findall(r"status=deferred", log))
    check_match(rf"\({deferrals}\s+deferrals?\)", done.stdout, "pflogsumm: deferrals")
    for text in ("non-SMTP command", "hopcount exceeded", "daemon started", "reload --",
                 "terminating on signal", "No recipient addresses found"):
        check(text in done.stdout, f"pflogsumm: {text}")


def logwatch(mta):
    """Its Postfix filter knows every line but for those that are younger than it, and ours."""
    script = os.path.join(TOP, "..", "debian/usr/share/logwatch/scripts/services/postfix")
    done = subprocess.run(["perl", script, "--detail", "10", mta.logfile],
                          capture_output=True, text=True, timeout=120)
    check_equal(done.returncode, 0, f"logwatch: {done.stderr}")
    unmatched = done.stdout.partition("**Unmatched Entries**")[2].strip().splitlines()
    for line in unmatched:
        check(re.search(r"status=force-expired|Force-expired:|: expired$|log opened:|"
                        r"creating missing directory", line),
              f"logwatch does not know {line}")
    for pattern in (r"Reject relay denied", r"Reject unknown user", r"SMTP dialog errors"):
        check_match(pattern, done.stdout, "logwatch")


def newer_shapes():
    """compatibility_level 3.10 puts a queue id in front of what ended a session."""
    with Instance({**SETTINGS, "compatibility_level": "3.10"}) as mta:
        mta.start()
        Client(mta).smtp.close()
        mta.wait_for_log(rf"smtpd\[\d+\]: NOQUEUE: lost connection after EHLO from {CLIENT}$")
        client = Client(mta)
        client.says(("MAIL FROM:<a@b.example>", "250 "), ("RCPT TO:<joe@here.example>", "250 "))
        client.smtp.close()
        mta.wait_for_log(rf"smtpd\[\d+\]: [0-9A-F]{{6,}}: lost connection after RCPT from {CLIENT}$")


SINK = {"mydestination": "loop.example", "local_recipient_maps": "inline:{u=x}",
        "local_transport": "discard"}
with Instance(SETTINGS, extra_services=[QUICK, LIMITED]) as instance, Instance(SINK) as sink:
    uid = os.stat(instance.etc).st_uid or 65534
    os.chown(instance.mail, uid, -1)
    instance.write_configuration(
        virtual_mailbox_base=instance.mail, virtual_uid_maps=f"static:{uid}",
        virtual_gid_maps=f"static:{uid}",
        transport_maps="inline:{{error.example=error:5.7.9 no such thing},"
        "{retry.example=retry:later perhaps}, {discard.example=discard:into the void}, gone.example=virtual,"
        f"dead.example=smtp:[127.0.0.1]:{free_port()},"
        f"u@loop.example=smtp:[127.0.0.1]:{sink.port(0)},"
        f"no@loop.example=smtp:[127.0.0.1]:{sink.port(0)}" "}")
    sink.start()
    instance.start()
    instance.postern("status")
    rejects(instance)
    abuse(instance)
    limits(instance)
    commands(instance, deliveries(instance))
    instance.stop()
    the_log = instance.log_text()
    shapes(the_log)
    fail2ban(instance, the_log)
    pflogsumm(instance, the_log)
    logwatch(instance)
newer_shapes()
finish()
