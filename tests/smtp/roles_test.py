#!/usr/bin/env python3
"""docs/roles.md: fronts, stores and outbound hosts, with the settings that the document has. A store
that is dead has its users' mail wait, and nobody else's. As root and as an ordinary user."""
import contextlib
import os
import pwd
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Instance, check, check_equal, check_match, finish, is_root, wait_until
from sink import Sink

SOURCE = os.environ.get("TOP_SRCDIR", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
OURS = ("127.0.0.9", 0)  # a host of ours, to the front


def documented():
    """{role: settings}"""
    with open(f"{SOURCE}/docs/roles.md", encoding="utf-8") as file:
        blocks = re.findall(r"^```conf (\w+)\n(.*?)^```$", file.read(), re.M | re.S)
    return {role: dict(re.fullmatch(r"(\w+) =\s*(.*)", line).groups() for line in text.splitlines())
            for role, text in blocks}


class Hosts:
    def __init__(self, stack, user, sink):
        self.at = {}
        self.stack, self.user = stack, user
        self.roles = documented()
        self.outbound = self.host("outbound", "outbound", relayhost=f"[127.0.0.1]:{sink.port}")
        self.stores = [self.host(f"store{n}", "store") for n in (1, 2)]
        self.front = self.host("front", "front")
        for host in (self.outbound, *self.stores, self.front):
            host.start()

    def host(self, name, role, **more):
        """One of a role: names of hosts are replaced by where they listen here."""
        settings = {parameter: re.sub(r"\[(\w+)\.isp\.example\]", lambda m: self.at[m[1]], value)
                    for parameter, value in self.roles[role].items()}
        host = self.stack.enter_context(Instance(
            {"myhostname": f"{name}.isp.example", **settings, **more}, user=self.user))
        if role == "store":
            me = self.user or ("nobody" if host.as_root else host.settings["mail_owner"])
            who = pwd.getpwnam(me)
            os.chown(host.mail, who.pw_uid, who.pw_gid)
            host.write_configuration(
                virtual_mailbox_base=host.mail, virtual_uid_maps=f"static:{who.pw_uid}",
                virtual_gid_maps=f"static:{who.pw_gid}")
        self.at[name] = f"[127.0.0.1]:{host.port(0)}"
        return host

    def send(self, to, subject, source=None, size=10):
        smtp = self.front.smtp(source=source)
        smtp.say("EHLO client.example", "250")
        qid = smtp.message("you@client.example", to, f"Subject: {subject}\n\n" + "x" * 69 * (size // 70))
        smtp.close()
        return qid


def outside(sink, subject):
    """What came to others with that subject."""
    def found():
        return [text for _, lines in list(sink.messages)
                if f"Subject: {subject}".encode() in (text := b"".join(lines))]
    return (wait_until(found, f"{subject!r} at others") or [b""])[0]


def fronts_refuse(hosts):
    smtp = hosts.front.smtp()
    smtp.say("EHLO client.example", "250")
    smtp.say("MAIL FROM:<you@client.example>", "250 ")
    smtp.say("RCPT TO:<nobody@isp.example>", "550 5.1.1 ")
    smtp.say("RCPT TO:<else@other.example>", "454 4.7.1 ")
    smtp.close()


def mail_finds_its_store(hosts):
    hosts.send("ann@isp.example", "for ann")
    hosts.send("bob@isp.example", "for bob")
    for store, name in zip(hosts.stores, ("ann", "bob")):
        text = store.maildir(name)[0]
        check_match(rf"Subject: for {name}\n", text, "the message")
        check_match(r"by front\.isp\.example ", text, "it came by the front")


def mail_goes_out(hosts, sink):
    hosts.send("else@other.example", "for others", source=OURS)
    text = outside(sink, "for others")
    check_match(rb"by outbound\.isp\.example ", text, "by the outbound host")
    # A store has no room: its notice takes the same way.
    hosts.send("ann@isp.example", "too large", size=30000)
    text = outside(sink, "Undelivered Mail Returned to Sender")
    check_match(rb"Reporting-MTA: dns; store1\.isp\.example", text, "the store's notice")
    check_match(rb"by outbound\.isp\.example ", text, "by the outbound host, too")


def a_store_dies(hosts):
    first, second = hosts.stores
    second.stop()
    qid = hosts.send("bob@isp.example", "while it is dead")
    hosts.front.wait_for_log(rf"{qid}: to=<bob@isp\.example>.* status=deferred")
    hosts.send("ann@isp.example", "as if nothing were")
    check_equal(len(first.maildir("ann", 2)), 2, "the other store's mail")
    second.start()
    hosts.front.run("postqueue", "-f")
    check_equal(len(second.maildir("bob", 2)), 2, "what waited has come")
    check(hosts.front.logged(rf"{qid}: .*status=sent") == 1, "once")


def run(user):
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(Sink())
        hosts = Hosts(stack, user, sink)
        fronts_refuse(hosts)
        mail_finds_its_store(hosts)
        mail_goes_out(hosts, sink)
        a_store_dies(hosts)


for each in [None, "nobody"] if is_root() else [None]:
    run(each)
finish()
