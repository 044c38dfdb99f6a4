#!/usr/bin/env python3
"""check_policy_service with servers of other people: what they are asked, compared with what Debian's
Postfix 3.7 asks; over inet and unix sockets, which broker connects; servers that are gone, slow or
broken; and Debian's postgrey."""
import glob
import os
import re
import socket
import socketserver
import subprocess
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import TOP, Instance, Smtp, check, check_equal, finish, free_port, is_root, wait_until
from postfix37 import Postfix37, is_there

POSTGREY = os.path.realpath(os.path.join(TOP, "..", "debian"))


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Answers each question with an action: answer(attributes)."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, answer, where=("127.0.0.1", 0)):
        self.asked, self.connections, self.answer = [], 0, answer
        if isinstance(where, str):
            self.address_family = socket.AF_UNIX
        super().__init__(where, Handler)
        self.port = self.server_address[1] if self.address_family == socket.AF_INET else None
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.connections += 1
        question = []
        for line in self.rfile:
            line = line.decode().rstrip("\n")
            if line:
                question.append(line.split("=", 1))
                continue
            self.server.asked.append(question)
            answer = self.server.answer(dict(question))
            question = []
            if answer is None:
                return
            self.wfile.write(f"action={answer}\n\n".encode())


def talk(mta, recipient, begin, number=0):
    smtp = mta.smtp(number)
    smtp.say("EHLO client.example", "250-")
    smtp.say("MAIL FROM:<sender@far.example> SIZE=1000", "250 ")
    reply = smtp.say(f"RCPT TO:<{recipient}>", begin)
    if reply.startswith("250"):
        smtp.say("DATA", "354 ")
        smtp.send("Subject: x\r\n\r\nx\r\n.\r\n")
        smtp.expect("250 ")
    smtp.say("QUIT", "221 ")
    smtp.close()


def settings(server):
    where = f"inet:127.0.0.1:{server.port}"
    return {
        "mydestination": "here.example", "myorigin": "here.example",
        "local_recipient_maps": "", "local_transport": "discard",
        "smtpd_client_restrictions": f"check_policy_service {where}",
        "smtpd_recipient_restrictions": f"check_policy_service {where}",
        "smtpd_data_restrictions": f"check_policy_service {where}",
        "smtpd_end_of_data_restrictions":
            "check_policy_service {" + f" {where}, timeout=10s, policy_context=end " + "}",
    }


VARIES = re.compile(r"^(instance|client_port|server_port|queue_id)$")
NEWER = {"tls_sni", "compatibility_level", "mail_version"}   # not in 3.7


def questions():
    """The same session with both: the same questions, attribute by attribute."""
    theirs, ours = Server(lambda _: "DUNNO"), Server(lambda _: "DUNNO")
    for kind, server in ((Postfix37, theirs), (Instance, ours)):
        with kind(settings(server)) as mta:
            mta.start()
            talk(mta, "joe@here.example", "250 ")
    check_equal(len(ours.asked), len(theirs.asked), "number of questions")
    for want, got in zip(theirs.asked, ours.asked):
        got = [(name, value) for name, value in got if name not in NEWER]
        check_equal([name for name, _ in got], [name for name, _ in want], "attributes")
        for (name, value), (_, wanted) in zip(got, want):
            if not VARIES.match(name):
                check_equal(value, wanted, name)
    instances = {dict(q)["instance"] for q in ours.asked}
    check_equal(len(instances), 1, "instances of one message")
    check_equal(ours.connections, 2, "connections: one, and that of other options")


def servers():
    """Answers, and servers without any."""
    path = None
    with Instance({"mydestination": "here.example", "local_recipient_maps": "",
                   "local_transport": "discard", "smtpd_policy_service_retry_delay": "1s",
                   "smtpd_recipient_restrictions": "check_policy_service unix:private/policy"},
                  extra_services=[
                      "127.0.0.1:{port1} inet n - n - - smtpd -o { smtpd_recipient_restrictions = "
                      "check_policy_service { inet:localhost:{port2}, try_limit=1, "
                      "default_action=DUNNO } }",
                      "127.0.0.1:{port3} inet n - n - - smtpd -o { smtpd_recipient_restrictions = "
                      "check_policy_service { inet:127.0.0.1:{port2}, timeout=1s, try_limit=1 } }"]
                  ) as mta:
        mta.start()
        talk(mta, "joe@here.example", "451 4.3.5 <joe@here.example>: Recipient address rejected: "
             "Server configuration problem")
        path = os.path.join(mta.queue, "private", "policy")
        actions = {"joe": "DUNNO", "ann": "REJECT 5.7.9 no ann", "hold": "HOLD", "die": None}
        server = Server(lambda q: actions[q["recipient"].split("@")[0]], path)
        os.chmod(path, 0o666)
        talk(mta, "joe@here.example", "250 2.1.5")
        talk(mta, "ann@here.example", "554 5.7.9 <ann@here.example>: Recipient address rejected: "
             "no ann")
        talk(mta, "die@here.example", "451 4.3.5")
        talk(mta, "hold@here.example", "250 2.1.5")
        mta.wait_for_log(r"hold: RCPT from ")
        check_equal(len([q for q in server.asked if dict(q)["recipient"].startswith("die")]) >= 2,
                    True, "a server that hangs up is asked again")
        server.shutdown()
        # By name, through dns; and the action for a server that is not there.
        talk(mta, "joe@here.example", "250 2.1.5", 1)
        hung = threading.Event()
        inet = Server(lambda q: "451 4.7.7 wait" if q["recipient"][0] == "a" else hung.wait(20),
                      ("127.0.0.1", mta.port(2)))
        talk(mta, "ann@here.example", "451 4.7.7", 1)
        # One that does not answer in its time holds up nobody else.
        slow = mta.smtp(3)
        slow.say("EHLO client.example", "250-")
        slow.say("MAIL FROM:<sender@far.example>", "250 ")
        slow.send("RCPT TO:<joe@here.example>\r\n")
        talk(mta, "ann@here.example", "451 4.7.7", 3)
        slow.expect("451 4.3.5")
        slow.close()
        hung.set()
        inet.shutdown()


def postgrey():
    """Debian's greylisting server: the first time later, then yes."""
    program = os.path.join(POSTGREY, "usr/sbin/postgrey")
    if not check(os.access(program, os.X_OK), f"{program}: ./dev test puts it there"):
        return
    port = free_port()
    with Instance({"mydestination": "here.example", "local_recipient_maps": "",
                   "local_transport": "discard",
                   "smtpd_recipient_restrictions": f"check_policy_service inet:127.0.0.1:{port}"}
                  ) as mta:
        state = os.path.join(mta.home, "postgrey")
        os.mkdir(state, 0o777)
        os.chmod(state, 0o777)
        empty = mta.write("empty", "")
        modules = [os.path.join(POSTGREY, "usr/share/perl5"),
                   *glob.glob(os.path.join(POSTGREY, "usr/lib/*/perl5/*"))]
        daemon = subprocess.Popen(
            ["perl", "-T", *(f"-I{path}" for path in modules), program, f"--inet=127.0.0.1:{port}", "--delay=1", f"--dbdir={state}",
             "--user=nobody", "--group=nogroup", f"--pidfile={state}/pid",
             f"--whitelist-clients={empty}", f"--whitelist-recipients={empty}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True)

        def answers():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return daemon.poll() is not None
        try:
            wait_until(answers, "postgrey")
            mta.start()
            talk(mta, "joe@here.example", "450 4.2.0 <joe@here.example>: Recipient address rejected: "
                 "Greylisted")
            wait_until(lambda: greylisted_no_more(mta), "the end of the delay")
            talk(mta, "joe@here.example", "250 2.1.5")
        finally:
            daemon.terminate()
            errors = daemon.communicate()[1].decode()
            check(mta.logged("reject: RCPT") > 0, f"postgrey: {errors}")


def greylisted_no_more(mta):
    smtp = Smtp(mta.port())
    smtp.say("EHLO client.example", "250-")
    smtp.say("MAIL FROM:<sender@far.example>", "250 ")
    smtp.send("RCPT TO:<joe@here.example>\r\n")
    reply = smtp.reply()
    smtp.close()
    return reply.startswith("250")


if is_root():
    check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
    questions()
    postgrey()
servers()
finish()
