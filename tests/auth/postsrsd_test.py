#!/usr/bin/env python3
"""SRS with Debian's postsrsd as the other forwarder: mail that both hand on, in either order and more than
once, has a sender whose bounce finds its way back through both of them to the first one."""
import os
import re
import socket
import subprocess
import sys
import urllib.parse
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p) for p in ("..", "../smtp")]
from harness import (TOP, Instance, check, check_equal, check_match, finish, free_port, is_root, skip,
                     wait_until)
from sink import Sink

PROGRAM = os.path.realpath(os.path.join(TOP, "../debian/usr/sbin/postsrsd"))
KIM = "kim@away.example"


class There:
    """postsrsd, as the tcp tables of a forwarder ask it."""

    def __init__(self, folder):
        secret = os.path.join(folder, "postsrsd.secret")
        with open(secret, "w") as file:
            file.write("a secret of the other host\n")
        self.ports = free_port(), free_port()
        self.process = subprocess.Popen(
            [PROGRAM, f"-f{self.ports[0]}", f"-r{self.ports[1]}", "-dsrs.there.example", f"-s{secret}",
             "-4", *(["-unobody"] if is_root() else [])])
        for port in self.ports:
            wait_until(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "postsrsd")

    def ask(self, port, address):
        with socket.create_connection(("127.0.0.1", port), 15) as link:
            link.sendall(f"get {urllib.parse.quote(address, safe='@=+')}\n".encode())
            said = link.makefile().readline().strip()
        return urllib.parse.unquote(check_match(r"^200 (\S+)$", said, address)[1])

    def forward(self, sender):
        return self.ask(self.ports[0], sender)

    def reverse(self, address):
        return self.ask(self.ports[1], address)


class Here:
    """We, with an alias that forwards to elsewhere."""

    def __init__(self, mta, sink):
        self.mta, self.sink = mta, sink
        secrets = mta.write("srs_secrets", "the only secret of this host\n")
        os.chmod(secrets, 0o600)
        mta.write_configuration(
            myhostname="mail.here.example", mydestination="", mynetworks="192.0.2.0/24",
            virtual_alias_domains="here.example", notify_classes="",
            virtual_alias_maps="inline:{ v@here.example=pat@other.example }",
            srs_domain="srs.here.example", relayhost=f"[127.0.0.1]:{sink.port}",
            smtpd_relay_restrictions="reject_unauth_destination")
        mta.start()

    def through(self, sender, rcpt):
        """The envelope with which it leaves."""
        at, messages = len(self.sink.commands), len(self.sink.messages)
        smtp = self.mta.smtp()
        smtp.say("EHLO client.example", "250")
        smtp.message(sender, [rcpt], "From: kim@away.example\nSubject: x\n\nhello")
        smtp.close()
        wait_until(lambda: len(self.sink.messages) > messages, f"mail from {sender} to {rcpt}")
        lines = "\n".join(line for _, line in self.sink.commands[at:])
        return re.search(r"MAIL FROM:<(.*?)>", lines)[1], re.search(r"RCPT TO:<(.*?)>", lines)[1]

    def forward(self, sender):
        return self.through(sender, "v@here.example")[0]

    def reverse(self, address):
        return self.through("", address)[1]


def handed_on(here, there):
    for order in ([there], [here], [there, here], [here, there], [here, there, here],
                  [there, here, there], [there, here, there, here]):
        names = " ".join(type(host).__name__ for host in order)
        sender = KIM
        for host in order:
            sender = host.forward(sender)
            check_match(rf"^SRS[01]=.*@srs\.{type(host).__name__.lower()}\.example$", sender, names)
        check_equal(sender.startswith("SRS1="), len(order) > 1, f"{names}: {sender}")
        check_match("=away.example=kim@", sender, names)
        # The way back is two hosts long at the most, however long the way there was.
        hops = 0
        while sender != KIM and hops < 3:
            sender = (here if sender.endswith("@srs.here.example") else there).reverse(sender)
            hops += 1
        check_equal(sender, KIM, f"{names}: the way back")
        check(hops <= 2, f"{names}: {hops} hosts on the way back")


if not os.path.exists(PROGRAM):
    skip("needs Debian's postsrsd, which ./dev unpacks")
with Instance(services=["smtpd", "pickup", "cleanup", "qmgr", "smtp", "bounce", "error", "retry"]) as host_here:
    other = There(host_here.home)
    try:
        handed_on(Here(host_here, Sink()), other)
    finally:
        other.process.terminate()
        other.process.wait()
finish()
