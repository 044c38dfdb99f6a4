#!/usr/bin/env python3
"""RFC 3461 against Debian's Postfix 3.7: each NOTIFY= to each kind of recipient. What comes back,
to whom, and what a relay that knows DSN is told."""
import collections
import email
import os
import re
import socketserver
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, free_port, is_root, skip, wait_until
from postfix37 import Postfix37, is_there

NOTIFY = ("", "NEVER", "SUCCESS", "FAILURE", "DELAY", "SUCCESS,FAILURE", "SUCCESS,FAILURE,DELAY")
KINDS = {
    "box": "u@box.example",
    "alias": "al@box.example",
    "list": "list@box.example",
    "list with a failure": "half@box.example",
    "local alias": "alias@here.example",
    "alias of an alias": "nested@here.example",
    "list with an owner": "own@here.example",
    "command": "command@here.example",
    "pipe": "x@pipe.example",
    "final pipe": "x@final.example",
    "nowhere": "x@gone.example",
    "void": "x@void.example",
    "relay": "x@relay.example",
    "relay with DSN": "x@dsn.example",
    "refused by a relay": "no@dsn.example",
}
SETTINGS = {
    "mydestination": "here.example",
    "myorigin": "here.example",
    "local_recipient_maps": "",
    "virtual_mailbox_domains": "box.example",
    "virtual_mailbox_maps": "inline:{s@box.example=s/, o@box.example=o/, u@box.example=u/}",
    "virtual_minimum_uid": "1",
    "virtual_uid_maps": "static:65534",
    "virtual_gid_maps": "static:65534",
    "virtual_alias_maps": "inline:{al@box.example=u@box.example,"
                          "{list@box.example=u@box.example, x@dsn.example},"
                          "{half@box.example=u@box.example, x@gone.example}}",
    "alias_maps": "inline:{alias=x@dsn.example, nested=alias, owner-own=o@box.example,"
                  "{own=x@dsn.example, u@box.example}, command=|true}",
    "default_privs": "nobody",
    "notify_classes": "",
    "delay_warning_time": "1s",
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "1s",
    "queue_run_delay": "1s",
}
PIPES = ["pipe unix - n n - - pipe user=nobody argv=/bin/true",
         "final unix - n n - - pipe flags=X user=nobody argv=/bin/true"]


class Relay(socketserver.ThreadingTCPServer):
    """Takes everything but no@, and keeps the commands of each message by its Subject."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, dsn):
        super().__init__(("127.0.0.1", 0), Session)
        self.dsn, self.heard = dsn, collections.defaultdict(list)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Session(socketserver.StreamRequestHandler):
    def content(self):
        """Reads it; gives its subject."""
        subject = "none"
        for line in self.rfile:
            if line.startswith(b"Subject: "):
                subject = line.split()[1].decode()
            if line == b".\r\n":
                break
        return subject

    def handle(self):
        self.wfile.write(b"220 relay\r\n")
        said = []
        for line in self.rfile:
            line = line.decode().rstrip("\r\n")
            answer = "250 2.1.0 ok"
            if line.startswith("EHLO"):
                answer = "250-relay\r\n250 DSN" if self.server.dsn else "250 relay"
            elif line.startswith("RCPT TO:<no@"):
                answer = "550 5.1.1 not here"
            elif line == "DATA":
                self.wfile.write(b"354 go\r\n")
                self.server.heard[self.content()] += said
            elif line == "QUIT":
                answer = "221 bye"
            if line.startswith(("MAIL", "RCPT")):
                said = [line] if line.startswith("MAIL") else said + [line]
            self.wfile.write(answer.encode() + b"\r\n")
            if line == "QUIT":
                return


def submit(mta, sender, kinds):
    """One message for each kind and NOTIFY; their subjects are what they are."""
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250-")
    sent = {}
    for kind in kinds:
        for number, notify in enumerate(NOTIFY):
            name = f"{kind.replace(' ', '_')}/{number}"
            orcpt = f" ORCPT=rfc822;o+2B{number}@orig.example" if number % 2 else ""
            smtp.say(f"MAIL FROM:<{sender}> ENVID=env+3D{number} RET=HDRS", "250 ")
            smtp.say(f"RCPT TO:<{KINDS[kind]}>{orcpt}" +
                     (f" NOTIFY={notify}" if notify else ""), "250 ")
            smtp.say("DATA", "354 ")
            smtp.send(f"Subject: {name}\r\nFrom: s@box.example\r\n\r\nbody\r\n.\r\n".encode())
            sent[smtp.expect("250 2.0.0 Ok: queued as ").split()[-1]] = name
    smtp.close()
    return sent


def is_quiet(mta, sent):
    """All that was sent, and the notices, came to the queue and have left, or were tried again."""
    log = mta.log_text()
    queued = set(re.findall(r"(\w+): from=<.*\(queue active\)", log))
    done = set(re.findall(r"(\w+): removed$", log, re.M))
    tried = collections.Counter(re.findall(r"(\w+): to=.*status=deferred", log))
    notices_of_it = set(re.findall(r"notification: (\w+)$", log, re.M))
    return (len(queued) >= sent and notices_of_it <= queued and
            all(qid in done or tried[qid] > 2 for qid in queued))


def notices(mta):
    """By the subject of the message they are about."""
    found = collections.defaultdict(list)
    for box in ("s", "o", "u"):
        folder = os.path.join(mta.mail, box, "new")
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name), encoding="latin-1") as file:
                message = email.message_from_string(file.read())
            if message.get_content_type() != "multipart/report":
                continue
            report, returned = message.get_payload()[1:3]
            about = re.search(r"^Subject: (\S+)", returned.as_string(), re.M)[1]
            fields = [f"{key}: {value}" for part in report.get_payload()
                      for key, value in part.items()
                      if key not in ("X-Postfix-Queue-ID", "Arrival-Date", "Will-Retry-Until")]
            found[about].append((box, message["Subject"], tuple(fields)))
    return {about: sorted(each) for about, each in found.items()}


def plain(mta, text):
    text = re.sub(r"(forwarded|queued) as \w+", r"\1", str(text).replace("\\n    ", " "))
    text = text.replace("delivery temporarily suspended: ", "")  # who came first
    for number, port in enumerate(mta.ports_of_others):
        text = text.replace(f":{port}", f":PORT{number}")
    return text


def run(mta, relays, nobody, sender, kinds, **settings):
    os.chmod(mta.mail, 0o777)
    mta.ports_of_others = [relay.server_address[1] for relay in relays] + [nobody]
    mta.write_configuration(virtual_mailbox_base=mta.mail, transport_maps="inline:{{"
        f"gone.example=virtual}},{{void.example=discard}},{{pipe.example=pipe}},{{final.example=final}},"
        f"{{void.example=discard}},{{relay.example=smtp:[127.0.0.1]:{mta.ports_of_others[0]}}},"
        f"{{dsn.example=smtp:[127.0.0.1]:{mta.ports_of_others[1]}}},"
        f"{{dead.example=smtp:[127.0.0.1]:{nobody}}}}}", **settings)
    mta.start()
    sent = submit(mta, sender, kinds)
    mta.wait_for_log("removed" if kinds != ["dead"] else "status=")
    wait_until(lambda: is_quiet(mta, len(sent)), f"all mail of {type(mta).__name__} has gone")
    heard = {name: [plain(mta, line) for line in relays[1].heard[name]] for name in sent.values()}
    return notices(mta), heard


def compare(sender, kinds, **settings):
    nobody = free_port()
    results = []
    for make in (Postfix37, Instance):
        with Relay(False) as plain_relay, Relay(True) as dsn_relay, \
                make(SETTINGS, extra_services=PIPES) as mta:
            told, heard = run(mta, (plain_relay, dsn_relay), nobody, sender, kinds, **settings)
            results.append((mta, told, heard))
            plain_relay.shutdown()
            dsn_relay.shutdown()
    (theirs, want, want_heard), (ours, got, got_heard) = results
    for name in sorted(want_heard):
        what = f"{settings} <{sender}> {name} NOTIFY={NOTIFY[int(name[-1])]}"
        check_equal(plain(ours, got.get(name, [])), plain(theirs, want.get(name, [])), what)
        check_equal(got_heard[name], want_heard[name], f"{what}: said to the relay")
    check(sum(map(len, want.values())) > 3 or not sender, f"{settings}: there are notices")


if not is_root():
    skip("needs root: Postfix runs as root only")
check(is_there(), "Postfix 3.7 in build/debian: ./dev test puts it there")
KINDS["dead"] = "x@dead.example"
compare("s@box.example", list(KINDS))
compare("s@box.example", ["dead"], maximal_queue_lifetime="0")
compare("", ["nowhere", "box", "alias", "relay with DSN"])
finish()
