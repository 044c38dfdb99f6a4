#!/usr/bin/env python3
"""event_socket: each accepted, delivered, deferred and bounced message as a line of JSON, over
unix and inet, to a reader that comes, goes, changes, or does not read at all."""
import json
import os
import socket
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, finish, free_port, mail_user, wait_until


class Reader:
    """Listens like a program of the administrator's; `events` is what it was told."""

    def __init__(self, address, reads=True):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.listener.bind(address)
        if isinstance(address, str):
            os.chmod(address, 0o777)
        self.listener.listen()
        self.events, self.connections = [], []
        self.may_read = threading.Event()
        if reads:
            self.may_read.set()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            self.connections.append(connection)
            self.may_read.wait()
            with connection.makefile("rb") as lines:
                try:
                    for line in lines:
                        self.events.append(json.loads(line))
                except OSError:
                    pass

    def go_away(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def of(self, qid, event=None):
        return [e for e in list(self.events)
                if e.get("queue_id") == qid and event in (None, e["event"])]

    def wait(self, qid, event):
        wait_until(lambda: self.of(qid, event), f"{event} of {qid}")
        return self.of(qid, event)[0]


SETTINGS = {
    "mydestination": "", "local_recipient_maps": "",
    "virtual_mailbox_domains": "box.example", "virtual_mailbox_maps": "static:u/",
    "virtual_uid_maps": f"static:{mail_user().pw_uid}",
    "virtual_gid_maps": f"static:{mail_user().pw_gid}", "virtual_minimum_uid": "1",
    "virtual_alias_domains": "alias.example",
    "virtual_alias_maps": "inline:{list@alias.example=list@box.example}",
    "smtpd_relay_restrictions": "permit_mynetworks,reject",
    "transport_maps": "inline:{ dead.example=smtp:[127.0.0.1]:1, "
                      "{ no.example=error:5.1.2 no \"such\" place }, quiet.example=discard: }",
}


def send(mta, recipients, sender="s@x.example", text="Subject: x\n\nbody"):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qid = smtp.message(sender, recipients, text)
    smtp.close()
    return qid


def what_is_told(mta, reader):
    qid = send(mta, ["list@alias.example", "y@dead.example"])
    accepted = reader.wait(qid, "accepted")
    check_equal({k: accepted[k] for k in ("sender", "recipients", "client_address", "helo",
                                          "protocol")},
                {"sender": "s@x.example", "recipients": 2, "client_address": "127.0.0.1",
                 "helo": "client.example", "protocol": "ESMTP"}, "accepted")
    check(accepted["size"] > 100 and accepted["time"] > 1.7e9, "its size and time")
    delivered = reader.wait(qid, "delivered")
    check_equal({k: delivered.get(k) for k in ("recipient", "original_recipient", "transport",
                                               "status", "reason")},
                {"recipient": "list@box.example", "original_recipient": "list@alias.example",
                 "transport": "virtual", "status": "2.0.0",
                 "reason": "delivered to maildir"}, "delivered")
    deferred = reader.wait(qid, "deferred")
    check_equal([deferred[k] for k in ("recipient", "transport", "nexthop", "status")],
                ["y@dead.example", "smtp", "[127.0.0.1]:1", "4.4.1"], "deferred")
    check("Connection refused" in deferred["reason"], "why")
    check_equal(len(reader.of(qid)), 3, "and nothing else")
    mta.run("sendmail", "-i", "-f", "s@x.example", "z@no.example", input="Subject: x\n\nb\n")
    bounced = wait_until(lambda: [e for e in reader.events if e["event"] == "bounced"],
                         "what failed to be told")[0]
    check_equal([bounced[k] for k in ("recipient", "transport", "status", "reason")],
                ["z@no.example", "error", "5.1.2", 'no "such" place'], "bounced")
    notice = wait_until(lambda: [e for e in reader.events if e["event"] == "accepted" and
                                 e["sender"] == ""], "the notice to be told of")
    check_equal(notice[0]["protocol"], "local", "a notice is mail like any other")
    mta.run("postsuper", "-e", qid)
    mta.run("postqueue", "-f")
    check_equal(reader.wait(qid, "bounced")["recipient"], "y@dead.example", "expired")


def strange_words(mta, reader):
    done = mta.run("sendmail", "-i", "-f", 'gr\udcfc\udcdf\\"x@x.example', "z@no.example",
                   input="Subject: x\n\nbody\n")
    check_equal(done.returncode, 0, "sendmail takes octets that are no UTF-8")
    seen = wait_until(lambda: [e for e in reader.events if e["event"] == "accepted" and
                               "\ufffd" in e["sender"]], "its sender to be told")
    check(seen[0]["sender"].endswith("x@x.example"), "what is no UTF-8 is still JSON")


def probes_are_silent(mta, reader):
    mta.run("sendmail", "-bv", "nobody@quiet.example")
    mta.wait_for_log(r"nobody@quiet.example>.*status=deliverable")
    qid = send(mta, ["after@quiet.example"])
    reader.wait(qid, "delivered")
    check_equal([e for e in reader.events if e.get("recipient") == "nobody@quiet.example"], [],
                "what is only asked about is no mail")


def comes_and_goes(mta, path):
    """Lines wait for a reader that is away; mail does not."""
    reader = Reader(path)
    first = send(mta, ["a@quiet.example"])
    reader.wait(first, "delivered")
    reader.go_away()
    os.unlink(path)
    away = [send(mta, [f"b{i}@quiet.example"]) for i in range(20)]
    for qid in away:
        mta.wait_for_log(rf"{qid}: removed")
    reader = Reader(path)
    for qid in away:
        reader.wait(qid, "delivered")
    check_equal([len(reader.of(q, "delivered")) for q in away], [1] * 20, "each once")
    check_equal([e for e in reader.events if e["event"] == "lost"], [], "none is lost")
    return reader


def does_not_read(mta, inet):
    """More than the buffer holds: mail goes on, and the gap is told with its size."""
    sleeper = Reader(inet, reads=False)
    mta.write_configuration(**SETTINGS, virtual_mailbox_base=mta.mail, event_socket=f"inet:{inet[0]}:{inet[1]}",
                            event_socket_buffer_limit="4096")
    mta.reload()
    wait_until(lambda: sleeper.connections, "the new reader to be connected")
    sender = "s" * 60 + "@" + ("x" * 60 + ".") * 2 + "example"
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    last, sent = None, 0

    def batch():
        nonlocal last, sent
        for _ in range(200):
            last = smtp.message(sender, ["r" * 60 + "@quiet.example"], "Subject: x\n\nbody")
            sent += 1
    for _ in range(20):  # whatever the kernel's buffers take
        batch()
    mta.wait_for_log(rf"{last}: removed")
    sleeper.may_read.set()
    told = lambda kind: [e for e in list(sleeper.events) if e["event"] == kind]
    # One more after the other, until the gap behind what had waited is told.
    def more():
        nonlocal sent
        smtp.message(sender, ["late@quiet.example"], "Subject: x\n\nbody")
        sent += 1
        return told("lost")
    lost = wait_until(more, "the gap to be told")
    asked = 0

    def adds_up():
        """What was lost last is told with the next line that there is."""
        nonlocal asked
        asked += 1
        if asked % 100 == 0:
            more()
        return (len(told("accepted")) + len(told("delivered")) +
                sum(e["lines"] for e in told("lost"))) == 2 * sent
    wait_until(adds_up, "all lines to add up")
    smtp.close()
    check(lost[0]["lines"] > 0, f"{lost[0]['lines']} lines did not fit")


def main():
    with Instance() as mta:
        path, inet = os.path.join(mta.home, "events"), ("127.0.0.1", free_port())
        mta.write_configuration(**SETTINGS, virtual_mailbox_base=mta.mail, event_socket=f"unix:{path}")
        os.chown(mta.mail, mail_user().pw_uid, mail_user().pw_gid)
        mta.expect_trouble("event_socket")
        mta.start()
        mta.wait_for_log(r"event_socket unix:.*trying again")
        reader = comes_and_goes(mta, path)
        what_is_told(mta, reader)
        strange_words(mta, reader)
        probes_are_silent(mta, reader)
        does_not_read(mta, inet)
        before = len(reader.events)
        mta.write_configuration(**SETTINGS, virtual_mailbox_base=mta.mail)
        mta.reload()
        qid = send(mta, ["off@quiet.example"])
        mta.wait_for_log(rf"{qid}: removed")
        check_equal(len(reader.events), before, "off, nobody is told")
    finish()


main()
