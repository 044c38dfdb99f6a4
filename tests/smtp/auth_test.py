#!/usr/bin/env python3
"""smtp and AUTH, against Debian's Postfix 3.7: a server that answers each possible reply at each
step of each mechanism. The same dialogue, outcome, status code and log -- but that we end an
exchange with *, as RFC 4954 has it, where Postfix says QUIT, and do not take a server's word for
SCRAM."""
import base64
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, is_root, skip
from postfix37 import Postfix37, is_there
from sink import Sink


def b64(text):
    return base64.b64encode(text.encode()).decode()


USERNAME, PASSWORD = "334 " + b64("Username:"), "334 " + b64("Password:")
CHALLENGE = "334 " + b64("<1.2@sink.example>")
FOREIGN = "334 " + b64("r=another,s=QSXCR+Q6sek8bf92,i=4096")
ENDS = ("235 2.7.0 welcome", "235 welcome", "250 2.0.0 well", "535 5.7.8 Error: authentication failed",
        "535 no", "534 5.7.9 too weak", "538 5.7.11 not in clear", "500 5.5.2 what?", "501 5.5.4 bad",
        "504 5.5.4 no such mechanism", "503 5.5.1 not now", "432 4.7.12 change it",
        "454 4.7.0 Temporary authentication failure", "421 4.7.0 bye", "535-5.7.8 not\r\n535 5.7.8 you")
# (mechanisms or None, replies to AUTH and to each response or None, settings); "(sender)": of the
# message.
CASES = [("PLAIN LOGIN", None, {}), (None, None, {})]
for end in ENDS:
    CASES += [("PLAIN LOGIN", [end], {}), ("PLAIN", [end], {"smtp_sasl_auth_soft_bounce": "no"}),
              ("LOGIN", [end], {}), ("LOGIN", [USERNAME, end], {}),
              ("LOGIN", [USERNAME, PASSWORD, end], {}),
              ("CRAM-MD5 PLAIN", [end], {}), ("CRAM-MD5", [CHALLENGE, end], {}),
              ("CRAM-MD5", [CHALLENGE, end], {"smtp_sasl_auth_soft_bounce": "no"})]
    if end[0] != "2":
        CASES.append(("SCRAM-SHA-1", [end], {}))
CASES += [
    # Lost in the middle.
    ("PLAIN", [], {}), ("LOGIN", [], {}), ("LOGIN", [USERNAME], {}),
    ("LOGIN", [USERNAME, PASSWORD], {}), ("CRAM-MD5", [CHALLENGE], {}),
    # What is no challenge.
    ("PLAIN", [PASSWORD, "501 5.5.2 no"], {}),
    ("LOGIN", [USERNAME, PASSWORD, PASSWORD, "501 5.5.2 no"], {}),
    ("LOGIN", ["334 ", "334 ", "235 2.7.0 ok"], {}),
    ("LOGIN", ["334", "334", "235 2.7.0 ok"], {}),
    ("CRAM-MD5", ["334 !!!", "501 5.5.2 no"], {}), ("CRAM-MD5", ["334 ", "501 5.5.2 no"], {}),
    ("CRAM-MD5", [CHALLENGE, CHALLENGE, "501 5.5.2 no"], {}),
    ("SCRAM-SHA-1", [FOREIGN, "535 5.7.8 no"], {}), ("SCRAM-SHA-256", [FOREIGN, "535 5.7.8 no"], {}),
    ("SCRAM-SHA-1", ["334 " + b64("nonsense"), "501 5.5.2 no"], {}),
    # Which mechanism.
    ("PLAIN CRAM-MD5 LOGIN", [CHALLENGE, ENDS[0]], {}),
    ("CRAM-MD5 SCRAM-SHA-1", ["535 5.7.8 no"], {}),
    ("SCRAM-SHA-1 SCRAM-SHA-256", ["535 5.7.8 no"], {}), ("plain", None, {}),
    ("LOGIN PLAIN", None, {"smtp_sasl_mechanism_filter": "plain"}),
    ("CRAM-MD5 PLAIN", None, {"smtp_sasl_mechanism_filter": "!cram-md5, static:all"}),
    ("XOAUTH2 PLAIN", None, {}), ("PLAIN\r\n250-AUTH=LOGIN\r\n250-AUTH LOGIN", None, {}),
    ("GSSAPI", None, {}), ("", None, {}),
    ("PLAIN LOGIN", None, {"smtp_sasl_mechanism_filter": "cram-md5"}),
    ("PLAIN LOGIN", None, {"smtp_sasl_security_options": "noplaintext, noanonymous"}),
    ("CRAM-MD5", None, {"smtp_sasl_security_options": "noactive"}),
    ("CRAM-MD5 SCRAM-SHA-1", None, {"smtp_sasl_security_options": "nodictionary"}),
    ("PLAIN", None, {"smtp_sasl_security_options": "mutual_auth"}),
    ("PLAIN", None, {"smtp_discard_ehlo_keywords": "auth"}),
    # Whose password.
    ("PLAIN", None, {"smtp_sasl_auth_enable": "no"}),
    ("PLAIN", None, {"smtp_sasl_password_maps": "inline:{nobody=x:y}"}),
    ("PLAIN", None, {"smtp_sasl_password_maps": "inline:{[127.0.0.1]:{port}=by:port}"}),
    ("PLAIN", None, {"smtp_sasl_password_maps":
                     "inline:{{[127.0.0.1]:{port}=by:port}, {127.0.0.1=by:host}}"}),
    ("PLAIN", None, {"smtp_sasl_password_maps": "inline:{127.0.0.1=alone}"}),
    ("PLAIN", None, {"smtp_sasl_password_maps": "inline:{{127.0.0.1=user:with:colons and blanks}}"}),
    ("PLAIN", None, {"smtp_sasl_password_maps": "fail:no"}),
    ("PLAIN", None, {"smtp_sasl_password_maps": "static:all:same"}),
    ("PLAIN", None, {"smtp_sasl_password_maps": "regexp:{{/^127/ by:pattern}}"}),
    ("PLAIN", None, {"smtp_send_dummy_mail_auth": "yes"}),
    ("PLAIN", None, {"smtp_send_dummy_mail_auth": "yes",
                     "smtp_sasl_password_maps": "inline:{nobody=x:y}"}),
]
SENDERS = ("inline:{{Fred@old.example=by:sender}, {fred@tagged.example=by:user}, "
           "{@domain.example=by:domain}, {bare=by:bare}, {127.0.0.1=by:host}}")
for sender in ("fred@old.example", "FRED@OLD.EXAMPLE", "fred+tag@tagged.example", "x@domain.example",
               "bare@here.example", "bare@else.example", "x@else.example", ""):
    CASES.append(("PLAIN", None, {"smtp_sasl_password_maps": SENDERS, "(sender)": sender,
                                  "smtp_sender_dependent_authentication": "yes"}))
CASES.append(("PLAIN", None, {"smtp_sasl_password_maps": SENDERS, "(sender)": "fred@old.example"}))

BASE = {
    "mydestination": "here.example", "myorigin": "here.example", "notify_classes": "",
    "local_recipient_maps": "", "compatibility_level": "3.6", "recipient_delimiter": "+",
    "relay_domains": "static:all", "disable_dns_lookups": "yes", "default_process_limit": "300",
    "smtp_sasl_auth_enable": "yes", "smtp_sasl_password_maps": "inline:{127.0.0.1=user:pass}",
    "smtp_sasl_security_options": "noanonymous", "smtp_connection_cache_on_demand": "no",
    "bounce_queue_lifetime": "0", "default_destination_concurrency_failed_cohort_limit": "100",
}


class Case:
    def __init__(self, number, row):
        self.number, (mechanisms, auth, settings) = number, row
        offer = "" if mechanisms is None else f"250-AUTH {mechanisms}\r\n"
        replies = {"EHLO": f"250-sink.example\r\n250-DSN\r\n{offer}250 PIPELINING"}
        if auth is not None:
            replies["AUTH"] = auth
        self.sink = Sink(replies=replies)
        self.sender = settings.get("(sender)", "fred@old.example")
        self.settings = {name: value.replace("{port}", str(self.sink.port))
                         for name, value in settings.items() if name[0] != "("}

    def service(self):
        given = "".join(f" -o {{{name}={value}}}" for name, value in self.settings.items())
        return f"case{self.number} unix - - n - 1 smtp -o syslog_name=case{self.number}{given}"

    def route(self):
        return f"case{self.number}.example=case{self.number}:[127.0.0.1]:{self.sink.port}"

    def plain(self, text):
        # Lines of a reply are parted by a blank; Postfix has a ? there in this text alone.
        text = text.replace(f":{self.sink.port}", "").replace("?535 ", " 535 ")
        text = re.sub(r"delay=.*?, dsn", "dsn", text)
        return re.sub(r"\b[0-9A-F]{10,}\b", "QID", text)

    def outcome(self, log):
        """The dialogue, and the log, of a delivery that is over."""
        # Base64 of a nonce, and what is said after the exchange went wrong.
        said = [re.sub(r"^(AUTH SCRAM\S+) .*", r"\1", line) for _, line in self.sink.commands]
        said = [line for line in said if line not in ("*", "QUIT")]
        lines = re.findall(rf"case{self.number}/smtp\[\d+\]: (.*)", log)
        return said, [self.plain(line) for line in lines if not PASSED_OVER.search(line)]


# How Cyrus SASL calls what it did not like, before the record says so; whose look-up failed.
PASSED_OVER = re.compile(
    r"warning: SASL authentication (failure: (?!No worthy)|problem: )|lookup error for \"|"
    r"look-ups always fail")


def deliver(kind):
    cases = [Case(i, row) for i, row in enumerate(CASES)]
    with kind(BASE, extra_services=[case.service() for case in cases]) as mta:
        mta.write_configuration(transport_maps="inline:{" + ", ".join(
            case.route() for case in cases) + "}")
        mta.start()
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250")
        for case in cases:
            smtp.say(f"MAIL FROM:<{case.sender}>", "250")
            smtp.say(f"RCPT TO:<joe@case{case.number}.example>", "250")
            smtp.say("DATA", "354")
            smtp.send(b"Subject: x\r\n\r\nbody\r\n.\r\n")
            smtp.reply()
        smtp.close()
        for case in cases:
            mta.wait_for_log(rf"case{case.number}/smtp\[\d+\]: .* status=")
        log = mta.log_text(0)
    return [case.outcome(log) for case in cases]


if not is_root():
    skip("needs root: Postfix runs as root only")
check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
for row, theirs, ours in zip(CASES, deliver(Postfix37), deliver(Instance)):
    check_equal(ours[0], theirs[0], f"dialogue of {row}")
    check_equal(ours[1], theirs[1], f"log of {row}")
finish()
