#!/usr/bin/env python3
"""postern explain tells what the daemons do, the same as they do it, and changes nothing: the
replies of real sessions, the addresses and routes of real mail, and a policy server that is asked
only when that was wanted."""
import json
import os
import pwd
import re
import socket
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "smtp"))
from dns_server import DnsServer
from harness import (Instance, check, check_equal, check_match, finish, is_root,
                     process_status)
from sink import Sink


class Policy(threading.Thread):
    """Says DUNNO, and notes in which jail the asking process was."""
    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.asked, self.jails = 0, []
        self.start()

    def run(self):
        while True:
            link, _ = self.listener.accept()
            with link, link.makefile("rw") as lines:
                while lines.readline() not in ("\n", ""):
                    pass
                self.asked += 1
                self.jails.append(jail_of())
                lines.write("action=dunno\n\n")
                lines.flush()


def explained(mta, *arguments, status=0):
    """The steps and the outcomes, as JSON has them."""
    done = mta.postern("explain", "--json", *arguments, status=status)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return ([line for line in lines if line["kind"] != "outcome"],
            [line for line in lines if line["kind"] == "outcome"])


def has(steps, **wanted):
    return any(all(step.get(name) == value for name, value in wanted.items()) for step in steps)


def jail_of():
    """What the kernel says of the smtpd that a postern of ours, not master, has started."""
    for pid in os.listdir("/proc"):
        status = process_status(int(pid)) if pid.isdigit() else {}
        parent = process_status(int(status["PPid"])) if status.get("Name") == "smtpd" else {}
        if parent.get("Name") == "postern" and parent["PPid"] == str(os.getpid()):
            return status
    return {}


def smtpds_of(mta):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
                words = file.read().split("\0")
        except OSError:
            continue
        if words[0].endswith("smtpd") and f"127.0.0.1:{mta.port()}" in words:
            found.append(words)
    return found


def says_what_sessions_say(mta):
    """The same mail in a session, and explained."""
    for sender, recipient in (("a@known.example", "user@here.example"),
                              ("a@known.example", "nobody@here.example"),
                              ("a@unknown.example", "user@here.example"),
                              ("a@known.example", "x@away.example"),
                              ("a@known.example", "refused@here.example"),
                              ("a@known.example", "later@here.example"),
                              ("", "user@here.example"),
                              ("a@known.example", "info@alias.example"),
                              ("a@known.example", "moved@here.example"),
                              ("bad", "user@here.example"),
                              ("a@known.example", "a@b@c")):
        smtp = mta.smtp()
        smtp.say("EHLO client.example", "250")
        smtp.send(f"MAIL FROM:<{sender}>\r\n")
        reply = smtp.reply().strip()
        if reply.startswith("2"):
            smtp.send(f"RCPT TO:<{recipient}>\r\n")
            reply = smtp.reply().strip()
        smtp.close()
        want = {"2": 0, "4": 3, "5": 2}[reply[0]]
        steps, outcomes = explained(mta, "--helo", "client.example", sender or "<>", recipient,
                                    status=None if want == 0 else want)
        commands = [s["text"] for s in steps if s["kind"] == "command" and s["depth"] == 0
                    and s["name"].startswith(("MAIL", "RCPT"))]
        check_equal(commands[-1:], [reply], f"<{sender}> <{recipient}>")
        if want:
            check_equal((outcomes[0]["text"], outcomes[0]["recipient"]), (reply, recipient),
                        "the outcome is the reply")


def finds_the_ways_of_mail(mta, sink):
    """What real mail does: cleanup's addresses, and where the log says that they went."""
    steps, outcomes = explained(mta, "a@known.example", "info@alias.example", status=2)
    since = mta.log_position()
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    queue_id = smtp.message("a@known.example", "info@alias.example", "Subject: x\n\nx")
    smtp.close()
    mta.wait_for_log(rf"qmgr\[\d+\]: {queue_id}: removed", since=since)
    went = set(re.findall(rf" {queue_id}: to=<([^>]*)>.* status=(sent|bounced)",
                          mta.log_text(since)))
    words = {"accepted": "sent", "fails": "bounced"}
    told = {(o["recipient"], words[o["result"]]) for o in outcomes if o["result"] in words}
    check_equal(told, went, "recipients, and what became of them")
    check(has(steps, program="cleanup", kind="alias", name="virtual_alias_maps",
              subject="info@alias.example", result="becomes",
              text="user@here.example, x@away.example, gone@here.example"), "the alias")
    check(has(steps, program="cleanup", kind="table", name="virtual_alias_maps",
              subject="x@away.example", result="not found"), "a look-up that found nothing")
    check(has(steps, program="cleanup", kind="copy", name="sender_bcc_maps",
              text="archive@here.example"), "the blind copy")
    check(has(steps, program="cleanup", kind="rewrite", name="canonical_maps",
              subject="archive@here.example", text="user@here.example"), "the canonical form")
    check(has(steps, program="qmgr", kind="route", subject="x@away.example",
              text=f"smtp:[127.0.0.1]:{sink.port}"), "the route")
    check(has(steps, program="qmgr", kind="class", subject="user@here.example", text="local"),
          "the class")
    check(has(steps, program="smtp", kind="host", text=f"[127.0.0.1]:{sink.port}"), "the host")
    check(has(steps, program="local", kind="alias", name="alias_maps", subject="user"),
          "the alias of a user")


def asks_nobody_unasked(mta, policy):
    mta.wait_for_log(r"spool\[\d+\]: log opened")
    log = mta.log_position()
    steps, _ = explained(mta, "a@known.example", "grey@here.example", status=None)
    check_equal(policy.asked, 0, "questions to the policy server")
    check(has(steps, kind="restriction", name="check_policy_service", result="skipped"),
          "it is said that it was not asked")
    check(has(steps, kind="restriction", name="grey", depth=3), "a class within a table")
    steps, _ = explained(mta, "--ask", "a@known.example", "grey@here.example", status=None)
    check_equal(policy.asked, 1, "questions to the policy server with --ask")
    check(has(steps, kind="restriction", name="check_policy_service", result="goes on"),
          "its answer")
    jail = policy.jails[0]
    check_equal((jail.get("Seccomp"), jail.get("NoNewPrivs"), int(jail.get("CapEff", "1"), 16)),
                ("2", "1", 0), "smtpd that explains is in its jail")
    check_equal(mta.log_text(log), "", "what the log says of all that")
    done = mta.run("postqueue", "-p")
    check("empty" in done.stdout, f"the queue: {done.stdout}")


def local_steps(mta):
    steps, outcomes = explained(mta, "--local", "root", "list@here.example", status=None)
    check(not has(steps, program="smtpd"), "sendmail's mail has no client")
    check(has(steps, program="cleanup", kind="rewrite", name="canonical form", subject="root",
              text="root@mx.here.example"), "the sender's canonical form")
    check(has(steps, program="local", kind="alias", name="alias_maps", subject="list"),
          "an alias")
    check(has(steps, program="local", kind="forward", subject="x@away.example"), "its member")
    check(any(o["recipient"] == "x@away.example" and o["result"] == "accepted"
              for o in outcomes), f"new mail is followed: {outcomes}")


def a_submission_line(mta):
    """Another smtpd with settings of its own, and somebody who has logged in."""
    name = f"127.0.0.1:{mta.port(1)}"
    for options, status in (((), 2), (("--login", "me"), 0)):
        steps, outcomes = explained(mta, "--service", name, *options, "a@known.example",
                                    "x@away.example", status=None)
        check(has(steps, program="smtpd", service=name, kind="note",
                  name="smtpd_tls_security_level"), "TLS is demanded, and taken as begun")
        check_equal(has(outcomes, recipient="x@away.example", result="accepted"), status == 0,
                    f"{options}: {outcomes}")
        check_equal(has(steps, kind="restriction", name="permit_sasl_authenticated",
                        result="permits"), status == 0, f"{options}: the restriction")


def forward_files(mta):
    """Those of users are read when that is wanted, as their owners."""
    user = "www-data" if is_root() else pwd.getpwuid(os.getuid()).pw_name
    for options in ((), ("--forward",)):
        steps, _ = explained(mta, "--local", *options, "root", f"{user}@here.example",
                             status=None)
        files = [s for s in steps if s["kind"] == "file" and s["name"] == "forward_path"]
        check(len(files) > 0 and all(("is not read" in f["result"]) == (options == ())
                                     for f in files), f"{options}: {files}")


def lines_for_people(mta):
    done = mta.postern("explain", "a@known.example", "refused@here.example", status=2)
    check_match(r"(?m)^smtpd \(service 127\.0\.0\.1:\d+\)$", done.stdout, "who tells")
    check_match(r"(?m)^ +restriction check_recipient_access \S+.*: refuses: 554 5\.7\.1 ",
                done.stdout, "the restriction with its reply")
    check_match(r"(?m)^ +table smtpd_recipient_restrictions inline:\S+.* refused@here\.example: "
                r"found: REJECT$", done.stdout, "the look-up")
    check_match(r"(?m)^outcome refused@here\.example: refused: 554 5\.7\.1 ", done.stdout,
                "the outcome")
    check_equal(done.stderr, "", "complaints")


def cannot_be_explained(mta):
    for arguments in ((), ("a@b",), ("a@b", "c@d", "e"), ("--client", "nonsense", "a@b", "c@d"),
                      ("--service", "nothing", "a@b", "c@d"), ("--nonsense", "a@b", "c@d"),
                      ("a\nb", "c@d")):
        done = mta.postern("explain", *arguments, status=1)
        check(done.stderr != "" and done.stdout == "", f"{arguments}: {done}")
    before = dict(mta.settings)
    mta.write_configuration(smtpd_relay_restrictions="permit",
                            smtpd_recipient_restrictions="permit")
    done = mta.postern("explain", "a@known.example", "user@here.example", status=1)
    check("specify at least one working instance of" in done.stderr, done.stderr)
    mta.settings = before
    mta.write_configuration()


def without_the_system(mta):
    """Not running: what would have to be asked is skipped, and said so."""
    steps, _ = explained(mta, "a@unknown.example", "user@here.example", status=None)
    check(has(steps, kind="restriction", name="reject_unknown_sender_domain",
              result="skipped"), "the DNS is not asked")
    check(has(steps, program="qmgr", kind="route", subject="user@here.example"), "the route")


policy = Policy()
zone = {("known.example", "MX"): [(10, "mx.known.example")],
        ("mx.known.example", "A"): ["192.0.2.1"]}
with DnsServer(zone) as dns, Sink() as sink, Instance({
        "dns_servers": f"127.0.0.1:{dns.port}",
        "myhostname": "mx.here.example", "mydestination": "here.example, $myhostname",
        "mynetworks": "192.0.2.128/25",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
        "smtpd_sender_restrictions": "reject_unknown_sender_domain",
        "smtpd_recipient_restrictions": "check_recipient_access inline:{ "
        "{ refused@here.example = REJECT }, { later@here.example = 450 4.7.1 Later }, "
        "{ grey@here.example = grey } }",
        "smtpd_restriction_classes": "grey",
        "grey": f"check_policy_service inet:127.0.0.1:{policy.port}",
        "local_recipient_maps": "inline:{ user=x, gone=x, list=x, grey=x, refused=x, later=x, "
        "archive=x }",
        "virtual_alias_domains": "alias.example",
        "virtual_alias_maps": "inline:{ { info@alias.example = user@here.example, "
        "x@away.example, gone@here.example } }",
        "canonical_maps": "inline:{ { archive@here.example = user@here.example } }",
        "sender_bcc_maps": "inline:{ { a@known.example = archive@here.example } }",
        "relocated_maps": "inline:{ { moved@here.example = there@away.example } }",
        "alias_maps": "inline:{ { user = /dev/null }, { list = user, x@away.example }, "
        "{ grey = /dev/null } }",
        "transport_maps": f"inline:{{ {{ away.example = smtp:[127.0.0.1]:{sink.port} }} }}",
}, extra_services=[
    "127.0.0.1:{port1} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt"
    " -o smtpd_sasl_auth_enable=yes -o smtpd_sasl_type=dovecot -o smtpd_tls_auth_only=yes"
    " -o smtpd_relay_restrictions=permit_sasl_authenticated,reject"
    " -o smtpd_sender_restrictions= -o smtpd_recipient_restrictions="
]) as mta:
    mta.start()
    asks_nobody_unasked(mta, policy)
    says_what_sessions_say(mta)
    finds_the_ways_of_mail(mta, sink)
    local_steps(mta)
    a_submission_line(mta)
    forward_files(mta)
    lines_for_people(mta)
    cannot_be_explained(mta)
    mta.stop()
    without_the_system(mta)
    check_equal(smtpds_of(mta), [], "processes that are left")
finish()
