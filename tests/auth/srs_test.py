#!/usr/bin/env python3
"""SRS: mail from elsewhere that an alias, a .forward file or a virtual alias sends on leaves with a
sender of ours, nothing else does; the bounce of another Postern finds its way back to the first
sender; what nobody here made, what is too old or was made with a secret that is gone is refused."""
import os
import re
import sys
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p) for p in ("..", "../smtp", "../local", "../milter")]
from harness import Instance, check, check_equal, check_match, finish, is_root, wait_until
from private_users import put, with_users
from recorder import CONTINUE, Recorder, edit
from sink import Sink

SRS = r"SRS0=[A-Z2-7]{8}=[A-Z2-7]{2}=away\.example=kim@srs\.here\.example"
TEXT = "From: kim@away.example\nSubject: x\n\nhello\n"
MAIL_SYSTEM = ["smtpd", "pickup", "cleanup", "qmgr", "smtp", "bounce", "local", "error", "retry"]


class Site:
    """Our host, the one that mail is forwarded to (another Postern), and all others (a sink)."""

    def __init__(self):
        self.sink = Sink()
        self.milter = Recorder(script={"E": [edit.sender("<lee@changed.example>"), CONTINUE]})
        self.mta = Instance(services=MAIL_SYSTEM, extra_services=[
            f"127.0.0.1:{{port1}} inet n - n - - smtpd -o smtpd_milters={self.milter.endpoint}"])
        self.far = Instance({"myhostname": "mx.far.example", "mydestination": "far.example",
                             "local_recipient_maps": "", "notify_classes": "",
                             "relayhost": f"[127.0.0.1]:{self.mta.port()}"}, services=MAIL_SYSTEM)
        aliases = self.mta.write("aliases", "alias sam@other.example\nmixed sam@other.example, "
                                 "devnull\ndevnull /dev/null\nlist sam@other.example\nowner-list postmaster\n"
                                 "nowhere nobody-there@far.example\n")
        virtual = self.mta.write("virtual", "v@here.example pat@other.example\n"
                                 "both@here.example pat@other.example, here@virtual.example\n"
                                 "here@virtual.example alias@here.example\n")
        self.secrets = self.mta.write("srs_secrets", "the first secret of this test\n")
        os.chmod(self.secrets, 0o600)
        self.mta.write_configuration(
            myhostname="mail.here.example", mydestination="$myhostname, here.example",
            mynetworks="192.0.2.0/24", smtpd_authorized_xforward_hosts="",
            alias_maps=f"texthash:{aliases}", virtual_alias_maps=f"texthash:{virtual}",
            virtual_alias_domains="virtual.example", local_recipient_maps="", notify_classes="",
            srs_domain="srs.here.example", relay_domains="customer.example",
            srs_exempt_domains="friend.example",
            transport_maps=f"inline:{{ far.example=smtp:[127.0.0.1]:{self.far.port()} }}",
            relayhost=f"[127.0.0.1]:{self.sink.port}", smtpd_relay_restrictions="reject_unauth_destination")

    def submit(self, sender, *rcpts, number=0):
        smtp = self.mta.smtp(number)
        smtp.say("EHLO client.example", "250")
        smtp.message(sender, rcpts, TEXT)
        smtp.close()

    def sent(self, sender, *rcpts, messages=1, number=0):
        """The envelopes that others get of a message: {recipient: sender}."""
        before, at = len(self.sink.messages), len(self.sink.commands)
        self.submit(sender, *rcpts, number=number)
        wait_until(lambda: len(self.sink.messages) >= before + messages, f"mail from {sender}")
        found, last = {}, None
        for _, line in self.sink.commands[at:]:
            said = re.match(r"(MAIL FROM|RCPT TO):<(.*?)>", line)
            if said and said[1] == "MAIL FROM":
                last = said[2]
            elif said:
                found[said[2]] = last
        return found

    def answer(self, rcpt, sender=""):
        """What the end of a message to somebody is answered with."""
        smtp = self.mta.smtp()
        smtp.say("EHLO client.example", "250")
        smtp.say(f"MAIL FROM:<{sender}>", "250")
        smtp.send(f"RCPT TO:<{rcpt}>\r\n")
        said = smtp.reply()
        if said.startswith("250"):
            smtp.say("DATA", "354")
            smtp.send("Subject: x\r\n\r\nx\r\n.\r\n")
            said = smtp.reply()
        smtp.close()
        return said


def forth(site):
    ways = {"alias@here.example": "sam", "v@here.example": "pat"}
    if is_root():
        put(f"{homes}/nora/.forward", "ren@other.example\n", "nora")
        ways["nora@here.example"] = "ren"
    for rcpt, to in ways.items():
        found = site.sent("kim@away.example", rcpt)
        check_match(f"^{SRS}$", found.get(f"{to}@other.example", str(found)), f"mail for {rcpt}")
    found = site.sent("kim@away.example", "both@here.example", "mixed@here.example", messages=3)
    check_equal(sorted(found), ["pat@other.example", "sam@other.example"], "who is elsewhere")
    for to, sender in found.items():
        check_match(f"^{SRS}$", sender, f"the sender for {to}")
    found = site.sent("SRS0=Hash=TT=first.example=lee@away.example", "v@here.example")
    check_match(r"^SRS1=\w{8}=away\.example==Hash=TT=first\.example=lee@srs\.here\.example$",
                found["pat@other.example"], "what another forwarder made")
    changed = site.sent("kim@away.example", "v@here.example", number=1)["pat@other.example"]
    check_match(r"^SRS0=\w{8}=\w\w=changed\.example=lee@srs\.here\.example$", changed, "a milter's sender")
    return found["pat@other.example"]


def stays(site):
    """Senders of our own, of friends, none at all, a list with an owner."""
    for sender in ("ann@here.example", "ann@mail.here.example", "ann@virtual.example", "ann@customer.example", "ann@friend.example",
                   "x@srs.here.example", ""):
        found = site.sent(sender, "v@here.example")
        check_equal(found, {"pat@other.example": sender}, f"mail from {sender}")
    found = site.sent("kim@away.example", "list@here.example")
    check_equal(found, {"sam@other.example": "owner-list@mail.here.example"}, "a list with an owner")
    site.mta.write_configuration(mynetworks="127.0.0.0/8", smtpd_relay_restrictions="permit_mynetworks, reject")
    site.mta.reload()
    found = site.sent("kim@away.example", "jo@other.example", "v@here.example", messages=2)
    check_equal(found.get("jo@other.example"), "kim@away.example", "what is only relayed")
    check_match(f"^{SRS}$", found.get("pat@other.example", ""), "beside what is forwarded")
    site.mta.write_configuration(mynetworks="192.0.2.0/24", smtpd_relay_restrictions="reject_unauth_destination")
    site.mta.reload()


def back(site, second):
    found = site.sent("", second)
    check_equal(found, {"SRS0=Hash=TT=first.example=lee@away.example": ""}, "to the first forwarder")
    rewritten = site.sent("kim@away.example", "v@here.example")["pat@other.example"]
    check_equal(site.sent("", rewritten), {"kim@away.example": ""}, "to the sender")
    check_equal(site.sent("", rewritten.lower()), {"kim@away.example": ""}, "in small letters")
    long = f"{'k' * 64}@{'away' * 10}.example"
    made = site.sent(long, "v@here.example")["pat@other.example"]
    check_match("^SRS0=", made, "a long sender")
    check_equal(site.sent("", made), {long: ""}, "to the long sender")
    found = site.sent("other@else.example", rewritten)
    check_match(r"^SRS0=\w{8}=\w\w=else\.example=other@srs\.here\.example$", found["kim@away.example"],
                "an answer is forwarded, too")
    for wrong in (rewritten.replace("kim", "jim"), "SRS0=AAAAAAAA=AA=a.example=b@srs.here.example",
                  second.replace("first.example", "other.example")):
        check_match(r"^550 5\.1\.1 .*SRS address was not made here", site.answer(wrong), wrong)
    check_match(r"^550 5\.1\.1 .*User unknown", site.answer("jo@srs.here.example"), "no such address")
    check_match(r"^554 5\.7\.1 .*Relay access denied", site.answer("SRS0=A=A=a=b@else.example"), "not ours")
    return rewritten


def bounce(site):
    """There and back again by real hosts: the far one takes it, and bounces it."""
    before = len(site.sink.messages)
    site.submit("kim@away.example", "nowhere@here.example")
    site.far.wait_for_log(rf"from=<{SRS}>")
    wait_until(lambda: len(site.sink.messages) > before, "the bounce")
    text = b"".join(site.sink.messages[-1][1])
    check_match(rb"Undelivered Mail Returned to Sender", text, "a bounce")
    check_match(rb"nobody-there@far\.example", text, "of the recipient there")
    check((site.sink.messages[-1][0], "RCPT TO:<kim@away.example>") in site.sink.commands, "for the sender")


def requeued(site):
    """Mail that goes through cleanup again leaves as it would have before."""
    site.sink.replies["MAIL"] = "450 4.2.0 later"
    at = site.mta.log_position()
    site.submit("kim@away.example", "v@here.example", "alias@here.example")
    site.mta.wait_for_log(r"to=<\w+@other\.example>.*status=deferred", count=2, since=at)
    check_equal(site.mta.run("postsuper", "-r", "ALL").returncode, 0, "postsuper")
    del site.sink.replies["MAIL"]
    before, commands = len(site.sink.messages), len(site.sink.commands)
    site.mta.run("postqueue", "-f")
    wait_until(lambda: len(site.sink.messages) >= before + 2, "what was requeued")
    senders = [line for _, line in site.sink.commands[commands:] if line.startswith("MAIL FROM:")]
    check(senders and all(re.match(f"MAIL FROM:<{SRS}>", line) for line in senders), f"their senders: {senders}")


def explained(site, old):
    """postern explain has no dkimsign to ask, and says so."""
    said = site.mta.postern("explain", "kim@away.example", "v@here.example").stdout
    check_match(r"kim@away\.example: becomes for those elsewhere an address in: srs\.here\.example", said, "forth")
    said = site.mta.postern("explain", "<>", old).stdout
    check_match(r"becomes: the sender that it was made of, which only dkimsign knows", said, "back")
    check("User unknown" not in said, said)


def secrets(site, old):
    def write(text):
        at = site.mta.log_position()
        with open(site.secrets, "w") as file:
            file.write(text)
        site.mta.wait_for_log(r"dkimsign\[\d+\]: .*keys have changed", since=at)

    check_equal(site.sent("", old), {"kim@away.example": ""}, "a process that has read it")
    write("the second secret of this test\nthe first secret of this test\n")
    check_equal(site.sent("", old), {"kim@away.example": ""}, "the old secret is good")
    fresh = site.sent("kim@away.example", "v@here.example")["pat@other.example"]
    check(fresh != old, "the new one makes addresses")
    write("the second secret of this test\n")
    check_match(r"^550 5\.1\.1 .*SRS address was not made here", site.answer(old), "it is no more")
    check_equal(site.sent("", fresh), {"kim@away.example": ""}, "the new one is")
    write("short\n")
    check_match(r"^451 4\.3\.0 .*cannot rewrite addresses now", site.answer(fresh), "no secret")
    check_match(r"^451 4\.3\.0", site.answer("v@here.example", "kim@away.example"), "no secret")
    site.mta.wait_for_log(r"warning: srs_secret_file: a secret is too short")
    check_equal(site.sent("ann@here.example", "v@here.example"), {"pat@other.example": "ann@here.example"},
                "others are served")


def off(site, old):
    site.mta.write_configuration(srs_domain="")
    site.mta.reload()
    check_equal(site.sent("kim@away.example", "v@here.example"), {"pat@other.example": "kim@away.example"}, "off")
    check_match(r"^554 5\.7\.1", site.answer(old), "its domain is nobody's")


def domain_in_use(site):
    """A domain that has mailboxes of its own."""
    site.mta.write_configuration(srs_domain="here.example", local_recipient_maps="inline:{alias=x}")
    site.mta.reload()
    found = site.sent("kim@away.example", "alias@here.example")
    check_match(r"^SRS0=\w{8}=\w\w=away\.example=kim@here\.example$", found["sam@other.example"], "forth")
    check_equal(site.sent("", found["sam@other.example"]), {"kim@away.example": ""}, "back")
    check_match(r"^550 5\.1\.1 .*User unknown", site.answer("jo@here.example"), "no such user")


homes = with_users("nora") if is_root() else None
hosts = Site()
with hosts.mta, hosts.far:
    hosts.mta.start()
    hosts.far.start()
    second_hand = forth(hosts)
    stays(hosts)
    made = back(hosts, second_hand)
    bounce(hosts)
    requeued(hosts)
    explained(hosts, made)
    domain_in_use(hosts)
    hosts.mta.write_configuration(srs_domain="srs.here.example", local_recipient_maps="")
    hosts.mta.reload()
    secrets(hosts, made)
    off(hosts, made)
finish()
