#!/usr/bin/env python3
"""What one client may do at a time and in a minute (smtpd_client_*_limit, anvil): replies and
log lines as Postfix 3.7's; workers that are killed, an anvil that does not answer."""
import os
import re
import select
import signal
import ssl
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, Smtp, check, check_equal, finish, is_root, kill, wait_until
from postfix37 import Postfix37, is_there

BASE = {
    "mydestination": "here.example", "local_recipient_maps": "", "local_transport": "discard",
    "smtpd_client_event_limit_exceptions": "127.0.0.3", "smtpd_error_sleep_time": "0",
    "smtpd_peername_lookup": "no", "mail_name": "Postfix",
}
ALL_LIMITS = {
    "smtpd_client_connection_count_limit": "3", "smtpd_client_connection_rate_limit": "8",
    "smtpd_client_message_rate_limit": "2", "smtpd_client_recipient_rate_limit": "3",
    "smtpd_client_new_tls_session_rate_limit": "1", "smtpd_tls_security_level": "may",
    "anvil_rate_time_unit": "1h", "anvil_status_update_time": "2s",
}
SERVICES = ["smtpd", "cleanup", "qmgr", "discard", "anvil", "tlsmgr"]


# ---- the same to Postfix and to us ----

class Client(Smtp):
    """Notes what it was told."""

    def __init__(self, mta, told, source="127.0.0.2"):
        super().__init__(mta.port(), greeting=None, source=(source, 0))
        self.told = told
        self.hear("")

    def hear(self, to):
        reply = re.sub(r"250-.*", "250-", self.reply().replace("\r\n", "\n"), flags=re.S)
        reply = re.sub(r"^\(.*", "", reply)  # closed is closed
        self.told.append((to, reply))
        return reply

    def ask(self, *commands):
        for command in commands:
            self.send(command + "\r\n")
            reply = self.hear(command)
        return reply

    def tls(self):
        if not self.ask("EHLO x", "STARTTLS").startswith("220"):
            return
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.file.close()
        self.socket = context.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")
        self.ask("EHLO x")


def dialogues(mta):
    """Everything that is said to clients of one server."""
    told = []
    clients = [Client(mta, told) for _ in range(4)]  # one too many
    clients[3].hear("again")
    mta.wait_for_log(r"disconnect from .* commands=0/0")
    for client in clients[:3]:
        client.ask("QUIT")
    mta.wait_for_log("disconnect from", 4)
    client = Client(mta, told)
    client.ask("MAIL FROM:<a b@c>", "MAIL FROM:<a@b>", "RCPT TO:<>", "RCPT TO:<a@here.example> X",
               "RCPT TO:<a@here.example>", "RCPT TO:<b@here.example>", "RCPT", "RSET",
               "RCPT TO:<a@here.example>", "MAIL", "MAIL FROM:<a@b> FOO", "MAIL FROM:<a@b>", "QUIT")
    for _ in range(3):  # the third handshake is too much before it begins
        client = Client(mta, told)
        client.tls()
        client.close()
    mta.wait_for_log("disconnect from", 8)
    for _ in range(2):  # the ninth connection of its time unit
        Client(mta, told).close()
    for _ in range(9):  # not limited
        Client(mta, told, "127.0.0.3").ask("MAIL FROM:<a@b>", "QUIT")
    mta.wait_for_log("disconnect from", 19)
    return told


def lines(mta):
    """Log lines of anvil and smtpd that others read, without what differs anyway."""
    found = re.findall(r"smtpd\[\d+\]: ((?:warning|disconnect|lost).*)", mta.log_text())
    return sorted(re.sub(r"(127.0.0.1:)?" + str(mta.port()), "PORT", line) for line in found)


def statistics(mta):
    """The greatest number of each kind in all reports of anvil."""
    greatest = {}
    for what, number, rest in re.findall(
            r"anvil\[\d+\]: statistics: (max .*?) (\d+)(.*) at \w+ .\d \d\d:\d\d:\d\d$",
            mta.log_text(), re.M):
        rest = re.sub(r"(127.0.0.1:)?" + str(mta.port()), "PORT", rest)
        greatest[what, rest] = max(int(number), greatest.get((what, rest), 0))
    return greatest


def compared():
    settings = {**BASE, **ALL_LIMITS}
    with Postfix37(settings) as peer, Instance(settings, services=SERVICES) as mta:
        got = []
        for server in (peer, mta):
            server.write_configuration(smtpd_tls_chain_files=server.certificate())
            server.start()
            told = dialogues(server)
            server.wait_for_log("statistics: max connection rate 10/3600s")
            got.append((told, lines(server), statistics(server)))
        for theirs, ours in zip(got[0][0], got[1][0]):
            check_equal(ours, theirs, "a reply")
        check_equal(got[1][1], got[0][1], "log lines")
        check(len(got[1][1]) > 20, "log lines were found")
        check_equal(got[1][2], got[0][2], "statistics")
        check_equal(len(got[1][2]), 6, "kinds of statistics")


# ---- ours ----

def connections(mta, source="127.0.0.2"):
    """How many more a client may have now; they are closed again."""
    clients = []
    while True:
        client = Smtp(mta.port(), greeting=None, source=(source, 0))
        clients.append(client)
        if not client.reply().startswith("220 "):
            break
    at = mta.log_position()
    for client in clients:
        client.close()
    mta.wait_for_log("disconnect from", max(len(clients) - 1, 1), since=at)
    return len(clients) - 1


def killed_workers():
    """Connections of a worker that is killed are none any more; those of others still are."""
    with Instance({**BASE, "smtpd_client_connection_count_limit": "4",
                   "smtpd_sessions_per_process": "1"}, services=SERVICES) as mta:
        mta.expect_trouble("killed by signal 9")
        mta.start()
        kept = [Smtp(mta.port(), source=("127.0.0.2", 0)) for _ in range(4)]
        check(len(mta.processes("smtpd")) >= 4, "a process for each")
        refused = Smtp(mta.port(), source=("127.0.0.2", 0), greeting="421 ")
        victims, lost = list(mta.processes("smtpd")), []
        while not lost and victims:
            at = mta.log_position()
            kill(victims.pop())
            mta.wait_for_log("killed by signal 9", since=at)
            lost = [smtp for smtp in kept if select.select([smtp.socket], [], [], 0)[0]]
        check(0 < len(lost) < 4, f"{len(lost)} connections were lost")
        wait_until(lambda: connections(mta) == len(lost), "room for as many again")
        check_equal(connections(mta, "127.0.0.4"), 4, "another client")
        refused.close()


def anvil_in_trouble():
    """Mail goes on without anvil, whether it hangs or is dead; then it counts again."""
    with Instance({**BASE, "smtpd_client_message_rate_limit": "1"}, services=SERVICES) as mta:
        mta.expect_trouble("killed by signal 9")
        mta.start()
        smtp = Smtp(mta.port(), source=("127.0.0.2", 0))
        smtp.say("EHLO x", "250-")
        smtp.message("a@b", "joe@here.example", "x\n")
        smtp.say("MAIL FROM:<a@b>", "450 4.7.1 Error: too much mail from 127.0.0.2")
        pid = mta.process("anvil")
        kill(pid, signal.SIGSTOP)
        other = Smtp(mta.port(), source=("127.0.0.3", 0), greeting=None)
        smtp.send("MAIL FROM:<a@b>\r\n")
        other.expect("220 ")
        other.message("a@b", "joe@here.example", "x\n")  # waits for nobody
        smtp.expect("250 2.1.0 Ok")
        mta.wait_for_log(r"smtpd\[\d+\]: warning: anvil: .*: for a while limits on clients have no effect")
        kill(pid)
        mta.wait_for_log("anvil pid .* killed by signal 9")
        smtp.say("RSET", "250 ")
        smtp.message("a@b", "joe@here.example", "x\n")
        smtp.close()

        def is_limited():
            client = Smtp(mta.port(), source=("127.0.0.2", 0))
            client.send("MAIL FROM:<a@b>\r\n")
            return client.reply().startswith("450 ")
        wait_until(is_limited, "a limit that has its effect again")


def speaks(mta, address, login=""):
    """A client at this address, logged in, as a front says."""
    client = Smtp(mta.port(), source=("127.0.0.2", 0))
    client.say("EHLO front", "250-")
    client.say(f"XCLIENT ADDR={address} NAME=[UNAVAILABLE] LOGIN={login or '[UNAVAILABLE]'}", "220 ")
    client.say("EHLO x", "250-")
    return client


def logins_and_domains():
    """Limits per login, from all its clients, and per sender domain of those who may send."""
    with Instance({**BASE, "smtpd_authorized_xclient_hosts": "127.0.0.2", "mynetworks": "192.0.2.7",
                   "smtpd_sasl_auth_enable": "no", "anvil_status_update_time": "1s",
                   "smtpd_login_message_rate_limit": "2", "smtpd_login_recipient_rate_limit": "3",
                   "smtpd_sender_domain_message_rate_limit": "4",
                   "smtpd_sender_domain_recipient_rate_limit": "5"}, services=SERVICES) as mta:
        mta.start()
        one, two = speaks(mta, "192.0.2.1", "joe"), speaks(mta, "192.0.2.2", "JOE")
        one.say("MAIL FROM:<a@x.example>", "250 ")
        for n in range(3):
            one.say(f"RCPT TO:<r{n}@here.example>", "250 ")
        one.say("RCPT TO:<r4@here.example>", "450 4.7.1 Error: too many recipients from login:joe")
        two.say("MAIL FROM:<a@x.example>", "250 ")
        two.say("RCPT TO:<r@here.example>", "450 4.7.1 Error: too many recipients from login:joe")
        two.say("RSET", "250 ")
        two.say("MAIL FROM:<a@y.example>", "450 4.7.1 Error: too much mail from login:joe")
        two.say("RCPT TO:<r@here.example>", "503 ")
        mta.wait_for_log(r"warning: Message rate \(login:joe\) limit exceeded: 3 from "
                         r"unknown\[192\.0\.2\.2\] for service ")
        other = speaks(mta, "192.0.2.1", "jim")
        other.say("MAIL FROM:<a@X.example>", "250 ")
        other.say("RSET", "250 ")
        own = speaks(mta, "192.0.2.7")
        own.say("MAIL FROM:<b@x.example>", "250 ")
        own.say("RSET", "250 ")
        own.say("MAIL FROM:<c@x.example>", "450 4.7.1 Error: too much mail from domain:x.example")
        for sender in ("a@y.example", "", "b@y.example"):
            own.say(f"MAIL FROM:<{sender}>", "250 ")
            own.say("RCPT TO:<r@here.example>", "250 ")
            own.say("RSET", "250 ")
        stranger = speaks(mta, "192.0.2.9")
        for _ in range(9):
            stranger.say("MAIL FROM:<b@x.example>", "250 ")
            stranger.say("RCPT TO:<r@here.example>", "250 ")
            stranger.say("RSET", "250 ")
        mta.wait_for_log(r"statistics: max message rate 2/3600s for \(login:joe\) at ")
        for client in (one, two, other, own, stranger):
            client.close()


QUOTAS = {**BASE, "smtpd_authorized_xclient_hosts": "127.0.0.2", "mynetworks": "192.0.2.7",
          "smtpd_sasl_auth_enable": "no"}


def counted(mta, *names):
    """What `postern limits` says: {(who, period): (messages, recipients, bytes)}."""
    said = mta.postern("limits", *names).stdout
    return {(who, period): tuple(map(int, numbers)) for who, period, *numbers in re.findall(
        r"^(\S+) (hour|day) since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d: "
        r"messages=(\d+) recipients=(\d+) bytes=(\d+)$", said, re.M)}


def days():
    """Hours and days at once, bytes, exceptions; shown and lifted; the next anvil knows them,
    whether the last one was killed or master was stopped."""
    with Instance({**QUOTAS, "smtpd_login_message_rate_limit": "20",
                   "smtpd_login_message_day_limit": "3", "smtpd_login_byte_day_limit": "5000",
                   "smtpd_login_limit_exceptions": "root, inline:{jack=}",
                   "smtpd_sender_domain_recipient_day_limit": "5",
                   "smtpd_sender_domain_limit_exceptions": "free.example"},
                  services=SERVICES) as mta:
        mta.expect_trouble("killed by signal 9")
        mta.start()
        joe = speaks(mta, "192.0.2.1", "Joe")
        for _ in range(3):
            joe.message("a@x.example", "r@here.example", "y" * 500 + "\n")
        again = "450 4.7.1 Error: too much mail from login:joe"
        joe.say("MAIL FROM:<a@x.example>", again)
        mta.wait_for_log(r"warning: Message rate of a day \(login:joe\) limit exceeded: 4 from "
                         r"unknown\[192\.0\.2\.1\] for service ")
        shown = counted(mta)
        check_equal(sorted(shown), [("domain:x.example", "day"), ("domain:x.example", "hour"),
                                    ("login:joe", "day"), ("login:joe", "hour")], "accounts")
        messages, recipients, octets = shown["login:joe", "day"]
        check_equal((messages, recipients), (3, 0), "messages, and what has no limit")
        check(1500 <= octets < 3000, f"{octets} bytes")
        check_equal(shown["domain:x.example", "day"], (0, 3, 0), "recipients of the domain")
        check_equal(counted(mta, "login:joe")["login:joe", "hour"], shown["login:joe", "day"],
                    "one of them")
        for end in ("kill", "stop"):
            if end == "kill":
                pid = mta.process("anvil")
                kill(pid)
                mta.wait_for_log(f"anvil pid {pid} killed by signal 9")
            else:
                joe.close()
                mta.stop()
                mta.start()
                joe = speaks(mta, "192.0.2.1", "joe")
            check_equal(counted(mta), shown, f"after {end}")
            joe.say("MAIL FROM:<a@x.example>", again)
        for name in ("root", "jack"):
            free = speaks(mta, "192.0.2.1", name)
            for _ in range(5):
                free.message("a@free.example", ["r@here.example", "s@here.example"], "x\n")
            free.close()
        mta.postern("limits", "--lift", "LOGIN:joe", status=1)
        mta.postern("limits", "--lift", status=1)
        check("login:nobody: nothing was counted" in
              mta.postern("limits", "login:nobody", status=1).stderr, "an unknown login")
        mta.postern("limits", "--lift", "login:JOE")
        mta.wait_for_log(r"anvil\[\d+\]: login:joe: limits are lifted")
        check(("login:joe", "day") not in counted(mta), "begins anew")
        kill(mta.process("anvil"))
        wait_until(lambda: ("login:joe", "day") not in counted(mta), "also for the next one")
        joe.say("MAIL FROM:<a@x.example> SIZE=5001", again)
        joe.message("a@x.example", "r@here.example", "y" * 4900 + "\n")
        joe.say("MAIL FROM:<a@x.example> SIZE=900", again)
        mta.wait_for_log(r"warning: Byte rate of a day \(login:joe\) limit exceeded: 5\d\d\d from ")
        joe.close()


def rejected_or_held():
    """smtpd_login_limit_action, smtpd_sender_domain_limit_action."""
    with Instance({**QUOTAS, "smtpd_login_message_rate_limit": "1",
                   "smtpd_login_limit_action": "reject",
                   "smtpd_sender_domain_recipient_rate_limit": "2",
                   "smtpd_sender_domain_limit_action": "hold"},
                  services=[*SERVICES, "showq"]) as mta:
        mta.start()
        joe = speaks(mta, "192.0.2.1", "joe")
        joe.message("a@x.example", "r@here.example", "x\n")
        joe.say("MAIL FROM:<a@x.example>", "550 5.7.1 Error: too much mail from login:joe")
        own = speaks(mta, "192.0.2.7")
        good = own.message("a@x.example", "r@here.example", "x\n")
        held = own.message("a@x.example", ["r@here.example", "s@here.example"], "x\n")
        mta.wait_for_log(rf"{good}: to=<r@here\.example>.*status=sent")
        mta.wait_for_log(r"hold: RCPT from unknown\[192\.0\.2\.7\]: Recipient rate "
                         r"\(domain:x\.example\) limit exceeded; from=<a@x\.example>")
        check_equal(mta.logged(r": hold: RCPT "), 1, "said once for a message")
        queue = mta.run("postqueue", "-p").stdout
        check(f"{held}!" in queue and good not in queue, f"one is held: {queue!r}")
        for client in (joe, own):
            client.close()


def announced():
    """LIMITS (RFC 9422): what is announced is what is kept to."""
    with Instance({**BASE, "smtpd_limits_enable": "yes", "smtpd_recipient_limit": "2"},
                  services=SERVICES) as mta:
        mta.start()
        smtp = Smtp(mta.port())
        reply = smtp.say("EHLO x", "250-")
        check("250 LIMITS RCPTMAX=2" in reply, f"a limit in {reply!r}")
        smtp.say("MAIL FROM:<a@b>", "250 ")
        for _ in range(2):
            smtp.say("RCPT TO:<joe@here.example>", "250 ")
        smtp.say("RCPT TO:<joe@here.example>", "452 4.5.3 ")
        smtp.close()


def commits():
    """smtpd_commit_count_limit: no mail begins while as many messages wait to be stored; who
    waits gets his answer, and then others are served again."""
    with Instance({**BASE, "smtpd_commit_count_limit": "2", "default_process_limit": "100"},
                  services=SERVICES) as mta:
        mta.start()
        clients = [Smtp(mta.port()) for _ in range(3)]
        for smtp in clients:
            smtp.say("EHLO x", "250-")
        clients[0].message("a@b", "joe@here.example", "x\n")
        spool = mta.process("spool")
        kill(spool, signal.SIGSTOP)
        for smtp in clients[:2]:
            smtp.say("MAIL FROM:<a@b>", "250 ")
            smtp.say("RCPT TO:<joe@here.example>", "250 ")
            smtp.say("DATA", "354 ")
            smtp.send("x\r\n.\r\n")

        def is_refused():
            clients[2].send("MAIL FROM:<a@b>\r\n")
            said = clients[2].reply()
            if said.startswith("250 "):
                clients[2].say("RSET", "250 ")
                return False
            return check_equal(said.rstrip(), "451 4.3.2 Too much mail at the moment, try again later",
                               "beyond the limit") or True
        wait_until(is_refused, "both messages to wait")
        mta.wait_for_log(r"NOQUEUE: reject: MAIL from \S+: 451 4.3.2 Too much mail")
        kill(spool, signal.SIGCONT)
        for smtp in clients[:2]:
            smtp.expect("250 2.0.0 Ok: queued as ")
        clients[2].message("a@b", "joe@here.example", "x\n")


def networks():
    """smtpd_client_ipv4_prefix_length: a network is one client; after the time unit it may
    go on."""
    with Instance({**BASE, "smtpd_client_message_rate_limit": "2", "anvil_rate_time_unit": "2s",
                   "smtpd_client_ipv4_prefix_length": "24"}, services=SERVICES) as mta:
        mta.start()

        def mail(source):
            client = Smtp(mta.port(), source=(source, 0))
            client.send("MAIL FROM:<a@b>\r\n")
            return client.reply()[:3]
        check_equal([mail(f"127.0.7.{n}") for n in (1, 2)], ["250", "250"], "two")
        wait_until(lambda: mail("127.0.7.3") == "450", "a network at its limit")
        check_equal(mail("127.0.8.3"), "250", "another network")
        wait_until(lambda: mail("127.0.7.3") == "250", "the next time unit")
        mta.stop()
        mta.wait_for_log(r"statistics: max message rate \d+/2s for \(127\.0\.0\.1:\d+:127\.0\.7\.0/24\)")


def over_the_wrapper():
    line = "127.0.0.1:{port1} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes"
    with Instance({**BASE, "smtpd_client_new_tls_session_rate_limit": "1",
                   "smtpd_tls_security_level": "may"},
                  services=SERVICES, extra_services=[line]) as mta:
        mta.write_configuration(smtpd_tls_chain_files=mta.certificate())
        mta.start()
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for want in ("220 ", "421 4.7.0 mail.test.example Error: too many new TLS sessions from "):
            client = Smtp(mta.port(1), greeting=None, source=("127.0.0.2", 0))
            client.file.close()
            client.socket = context.wrap_socket(client.socket)
            client.file = client.socket.makefile("rb")
            client.expect(want)
        client = Smtp(mta.port(1), greeting=None, source=("127.0.0.2", 0))
        check_equal(client.reply(), "", "closed before the handshake")
        mta.wait_for_log(r"warning: Refusing TLS service request from unknown\[127\.0\.0\.2\]")


check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
if is_root():  # Postfix runs as root only
    compared()
killed_workers()
anvil_in_trouble()
logins_and_domains()
days()
rejected_or_held()
announced()
commits()
networks()
over_the_wrapper()
finish()
