#!/usr/bin/env python3
"""AUTH against Debian's Postfix 3.7: the same commands to both, each with an auth server that says
what a case wants, good things and bad ones; replies, log lines, and what the server is asked.

What differs on purpose is in DIFFERENCES; a server that is slow, and one that is not there, are
tried with our smtpd alone, since Postfix's ends."""
import base64
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dovecot import FakeAuth, HANDSHAKE
from harness import Instance, check, check_equal, check_match, finish, is_root, skip
from postfix37 import Postfix37, is_there

BASE = {"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": "private/auth", "mydestination": "here.example",
        "local_recipient_maps": "", "smtpd_authorized_xclient_hosts": "127.0.0.1",
        "smtpd_error_sleep_time": "0", "smtpd_hard_error_limit": "100",
        "smtpd_sender_login_maps": "inline:{a@b=joe, c@d=fred, @dd=joe}",
        "smtpd_sender_restrictions": "check_sasl_access inline:{joe2=reject} "
                                     "reject_sender_login_mismatch"}
OK = b"OK\t{id}\tuser=joe\n"
RCPT = "RCPT TO:<q@here.example>"


def fail(*words):
    return b"\t".join([b"FAIL", b"{id}", *words]) + b"\n"


# (settings, handshake, [(answers, commands)])
GROUPS = {
    "answers": ({"broken_sasl_auth_clients": "yes"}, HANDSHAKE, [
        ([], ["EHLO x", "AUTH", "AUTH PLAIN a b", "AUTH FOO", "AUTH PLAIN !!"]),
        ([b"CONT\t{id}\tVXNlcm5hbWU6\n", b"CONT\t{id}\tUGFzc3dvcmQ6\n", fail(b"user=joe")],
         ["EHLO x", "AUTH LOGIN", "am9l", "cHc="]),
        ([b"CONT\t{id}\t\n"] * 4, ["EHLO x", "AUTH LOGIN", "*", "AUTH LOGIN", "not base64!",
                                   "AUTH LOGIN", "x" * 13000]),
        ([fail(b"user=joe", b"reason=Some reason")], ["EHLO x", "AUTH PLAIN ="]),
        ([fail(b"user=joe", b"temp")], ["EHLO x", "AUTH PLAIN ="]),
        ([fail(b"reason=a\x7fb", b"user=j\xc3\xb6")], ["EHLO x", "AUTH PLAIN ="]),
        ([fail()], ["HELO x", "AUTH PLAIN ="]),
        ([b"OK\t{id}\n"], ["EHLO x", "AUTH PLAIN ="]),
        ([b"OK\t{id}\tuser=joe\tresp=abcd\tnologin\n"],
         ["AUTH PLAIN ABCD", "AUTH PLAIN ABCD", "MAIL FROM:<a@b>", RCPT]),
        ([lambda c, line: c.shutdown(2)] * 3, ["EHLO x", "AUTH PLAIN ABCD", "MAIL FROM:<y@z>"]),
    ]),
    "transactions": ({}, HANDSHAKE, [
        ([OK], ["HELO x", "AUTH PLAIN =", "MAIL FROM:<a@b> AUTH=<>", RCPT, "AUTH PLAIN =", "RSET",
                "MAIL FROM:<a@b> AUTH=<> AUTH=<>", "RSET", "MAIL FROM:<a@b> AUTH=a+ZZ", RCPT,
                "RSET", "MAIL FROM:<a@b> AUTH=", "RSET", "MAIL FROM:<a@b> AUTH", "RSET",
                "MAIL FROM:<a@b>  AUTH=aa+01b", RCPT, "RSET", "MAIL FROM:<c@d>", RCPT, "RSET",
                "MAIL FROM:<x@dd>", RCPT, "RSET", "MAIL FROM:<x@ee>", RCPT, "RSET", "MAIL FROM:<>",
                RCPT]),
        ([], ["EHLO x", "MAIL FROM:<c@d> AUTH=x@y", RCPT, "RSET", "MAIL FROM:<x@ee> AUTH=x@y",
              RCPT]),
        ([], ["XCLIENT LOGIN=joe2", "EHLO x", "MAIL FROM:<a@b>", RCPT]),
        ([OK, OK], ["EHLO x", "AUTH PLAIN =", "XCLIENT NAME=foo", "AUTH PLAIN =",
                    "MAIL FROM:<a@b>", RCPT]),
        ([], ["EHLO x", "XCLIENT LOGIN=j+20e", "MAIL FROM:<c@d>", RCPT]),
    ]),
    "offers": ({"smtpd_sasl_security_options": "noanonymous, nodictionary",
                "smtpd_sasl_mechanism_filter": "!login, static:rest",
                "smtpd_sasl_exceptions_networks": "192.0.2.7"},
               b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n"
               b"MECH\tCRAM-MD5\tdictionary\tactive\nMECH\tANONYMOUS\tanonymous\n"
               b"MECH\tSCRAM-SHA-256\tmutual-auth\nMECH\tAPOP\tprivate\nDONE\n", [
                   ([OK], ["EHLO x", "AUTH LOGIN =", "MAIL FROM:<a@b>", RCPT]),
                   ([OK], ["EHLO x", "AUTH CRAM-MD5", "AUTH ANONYMOUS", "AUTH APOP"]),
                   ([OK], ["XCLIENT ADDR=192.0.2.7", "EHLO x", "AUTH PLAIN =", "EHLO x"]),
               ]),
    "off": ({"smtpd_sasl_auth_enable": "no"}, HANDSHAKE, [
        ([], ["EHLO x", "AUTH PLAIN =", "MAIL FROM:<a@b> AUTH=x@y", RCPT]),
        ([], ["XCLIENT LOGIN=joe", "EHLO x", "MAIL FROM:<a@b>", RCPT]),
    ]),
    "needs TLS": ({"smtpd_tls_auth_only": "yes"}, HANDSHAKE, [
        ([], ["EHLO x", "AUTH PLAIN =", "MAIL FROM:<a@b>", RCPT])]),
    "needs HELO": ({"smtpd_helo_required": "yes"}, HANDSHAKE, [
        ([OK], ["AUTH PLAIN =", "EHLO x", "AUTH PLAIN ="])]),
}

# (Postfix 3.7's, ours, why): of replies and of log lines.
TEMPORARY = "nobody was judged: RFC 4954 section 6"
DIFFERENCES = [
    (r"535 5\.7\.8 Error: authentication failed: \(reason unavailable\)",
     r"454 4\.7\.0 Temporary authentication failure: \(reason unavailable\)", TEMPORARY),
    (r"warning: missing Dovecot server OK username field",
     r"warning: SASL: Dovecot auth socket 'private/auth': OK without a user", "ours says where"),
    (r"(warning: .*: request longer than \d+): .*", r"warning: .*: request longer than \d+",
     "it may be a password"),
    (r"warning: restriction `reject_(un)?authenticated_sender_login_mismatch' .*",
     r"warning: restriction `reject_sender_login_mismatch' .*", "the restriction that is there"),
    (r".*: reject: .*", r".*: reject: .* sasl_\w+=.*", "Postfix 3.10 says so"),
]


def may_differ(theirs, ours):
    return any(re.fullmatch(a, theirs) and re.fullmatch(b, ours) for a, b, _ in DIFFERENCES)


def plain(text):
    text = re.sub(r"^\w{10,}: ", "QID: ", text.replace("Postern", "Postfix"))
    text = text.replace("unknown[192.0.2.7]", "localhost[192.0.2.7]")  # by the real DNS
    return re.sub(r" xclient=\d\S*| commands=\S+", "", text)


class System:
    def __init__(self, kind, settings, handshake):
        self.mta = kind({**BASE, **settings})
        self.auth = FakeAuth(os.path.join(self.mta.queue, "private", "auth"), handshake)

    def run(self, answers, commands):
        """Replies, log lines of smtpd, and what the auth server was asked."""
        since, asked = self.mta.log_position(), len(self.auth.lines)
        self.auth.answers = list(answers)
        smtp = self.mta.smtp(greeting=None)
        replies = [plain(smtp.reply())]
        for command in commands:
            smtp.send(command + "\r\n")
            replies.append(plain(smtp.reply()))
        smtp.say("QUIT", "221")
        smtp.close()
        self.mta.wait_for_log("smtpd.*: disconnect from ", since=since)
        lines = re.findall(r"smtpd\[\d+\]: (.*)", self.mta.log_text(since))
        asked = [re.sub(rb"\t\d+\t", b"\tID\t", line) for line in self.auth.lines[asked:]
                 if line.startswith((b"AUTH", b"CONT"))]
        return replies, [plain(line) for line in lines], asked


def compare_lines(what, theirs, ours):
    theirs = [t for t in theirs if "reject_unauthenticated_sender" not in t]
    check(len(theirs) == len(ours), f"{what}: lines\n   {theirs}\n   {ours}")
    for want, got in zip(theirs, ours):
        check(want == got or may_differ(want.strip(), got.strip()),
              f"{what}\n   Postfix: {want!r}\n   Postern: {got!r}")


def group(name):
    settings, handshake, cases = GROUPS[name]
    theirs, ours = (System(kind, settings, handshake) for kind in (Postfix37, Instance))
    with theirs.mta, ours.mta:
        with theirs.auth, ours.auth:
            theirs.mta.start()
            ours.mta.start()
            for answers, commands in cases:
                what = f"{name}: {[c[:60] for c in commands]}"
                want, got = theirs.run(answers, commands), ours.run(answers, commands)
                compare_lines(f"{what}: replies", want[0], got[0])
                compare_lines(f"{what}: log", want[1], got[1])
                check(set(want[2]) == set(got[2]), f"{what}: asked\n   {want[2]}\n   {got[2]}")


# ---- ours alone ----

def b64(text):
    return base64.b64encode(text.encode()).decode()


def trouble():
    """Servers that hang, babble, or come late; many at a time over one connection."""
    with Instance(BASE) as mta:
        mta.start()
        smtp = mta.smtp()
        check("AUTH" not in smtp.say("EHLO x", "250"), "AUTH without a server")
        smtp.say("AUTH PLAIN =", "454 4.7.0 Temporary authentication failure: "
                 "Connection lost to authentication server")
        mta.wait_for_log("warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: "
                         "No such file or directory")
        with FakeAuth(os.path.join(mta.queue, "private", "auth")) as auth:
            many = []
            while len(many) < 20:
                one = mta.smtp()
                if "AUTH PLAIN LOGIN" not in one.say("EHLO x", "250"):
                    one.close()  # it is left alone for a second
                    continue
                many.append(one)
            for number, one in enumerate(many):
                one.send(f"AUTH PLAIN {b64(str(number))}\r\n")
            asked = auth.wait_for(20)
            check_equal(len(auth.connections), 1, "connections for twenty logins")
            for line in reversed(asked):  # and in any order
                number = base64.b64decode(line.rpartition(b"resp=")[2]).decode()
                auth.connections[0].sendall(
                    b"OK\t" + line.split(b"\t")[1] + f"\tuser=u{number}\n".encode())
            for number, one in enumerate(many):
                one.expect("235 ")
                one.say("MAIL FROM:<>", "250")
                one.say(RCPT, "250")
                mta.wait_for_log(rf"sasl_username=u{number}$")
            auth.answers = [b"garbage\n\n"]
            smtp.say("AUTH PLAIN =", "454 4.7.0 ")
            mta.wait_for_log("warning: SASL: Dovecot auth socket 'private/auth': protocol error")
            smtp.say("MAIL FROM:<>", "250")
            for one in many:
                one.close()
        smtp.close()


def patience():
    """Slow ones: the client is told after ten seconds, others are not held up."""
    with Instance(BASE) as mta, FakeAuth(os.path.join(mta.queue, "private", "auth")) as auth:
        mta.start()
        slow, quick = mta.smtp(), mta.smtp()
        slow.say("EHLO x", "250")
        auth.answers = [None, OK]
        slow.send("AUTH PLAIN ABCD\r\n")
        auth.wait_for(1)
        quick.say("AUTH PLAIN =", "235 ")
        slow.expect("454 4.7.0 Temporary authentication failure: "
                    "Connection lost to authentication server")
        auth.wait_for(1, b"CANCEL")
        check_equal(len(auth.connections), 1, "the connection stays")


if not is_root():
    skip("needs root: Postfix runs as root only")
check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
for which in sys.argv[1:] or GROUPS:
    group(which)
if not sys.argv[1:]:
    trouble()
    if os.environ.get("TEST_MODE") == "long":
        patience()
finish()
