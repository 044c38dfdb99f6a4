#!/usr/bin/env python3
"""DKIM signatures by the mail system: what goes over the wire is verified by dkimpy and opendkim,
whichever way a message came in and whatever was done to it; strangers get none; without a key or
without dkimsign mail waits, or goes on unsigned where that is wanted."""
import os
import re
import signal
import subprocess
import sys
sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), p)
                for p in ("", "..", "../smtp", "../milter")]
from harness import Instance, check, check_equal, check_match, finish, wait_until
from recorder import CONTINUE, Recorder, edit
from sink import Sink
from verifiers import dkimpy_verifies, opendkim_verifies, record_of

FROM = b"From: Kim <kim@here.example>\nTo: x@far.example\n"
MIME = FROM + b"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
MESSAGES = {
    "plain": FROM + b"Subject: x\n\nhello\n",
    "blanks": FROM + b"Subject:  x \t y\n\t z \n\nhello \t w  \n \n\n\n",
    "no body": FROM + b"Subject: x\n\n",
    "empty lines": FROM + b"\n\n\n\n",
    "dots": FROM + b"\n.\n..\n.x\n",
    "8-bit": MIME + "\nfür dich \n".encode(),
    "8-bit that nothing tells of": FROM + "\nfür\n".encode(),
    "long lines": FROM + b"X-Long: " + b"x" * 1500 + b"\n\n" + b"y" * 5000 + b"\n",
    "8-bit, long": MIME + b"\n" + "ü".encode() * 3000 + b"\n",
    "large": FROM + b"\n" + b"a line of a large message\n" * 40000,
    "header checks": FROM + b"Subject: change me\nX-Drop: x\n\nhello\n",
    "sub-domain": b"From: kim@sub.here.example\n\nhello\n",
}


class Site:
    def __init__(self):
        self.sink = Sink()
        self.milter = Recorder(script={"E": [
            edit.change(1, "From", "Kim <kim@here.example>"), edit.change(1, "Subject", "the milter's"),
            edit.body(b"of the milter\r\n \r\n"), edit.add("MIME-Version", "1.0"), CONTINUE]})
        self.mta = Instance({
            "mynetworks": "127.0.0.0/8", "notify_classes": "",
            "transport_maps": f"static:smtp:[127.0.0.1]:{self.sink.port}",
            "header_checks": "pcre:{ {/^Subject: change me/ REPLACE Subject: changed} {/^X-Drop/ IGNORE} }"},
            services=["smtpd", "pickup", "cleanup", "qmgr", "smtp", "bounce"],
            extra_services=["127.0.0.1:{port1} inet n - n - - smtpd -o dkim_sign_clients="
                            "permit_sasl_authenticated",
                            "127.0.0.1:{port2} inet n - n - - smtpd -o smtpd_milters=" + self.milter.endpoint])
        self.keys = os.path.join(self.mta.etc, "dkim")
        self.scratch = os.path.join(self.mta.home, "scratch")
        os.mkdir(self.keys, 0o700)
        os.mkdir(self.scratch)
        self.records = dict([self.keygen("rsa", "here.example"), self.keygen("ed", "here.example", "--ed25519")])
        table = self.mta.write("signers", "here.example rsa:rsa, ed:ed, domain=here.example\n"
                               "lost@here.example none:none\nbad@here.example what\n")
        self.mta.write_configuration(dkim_sign_maps=f"texthash:{table}")

    def keygen(self, name, domain, *options):
        done = self.mta.run("postauth", "keygen", *options, "--selector", name, "--key",
                            os.path.join(self.keys, name), domain, as_user=False)
        check_equal(done.returncode, 0, f"keygen: {done.stderr}")
        return record_of(done.stdout)

    def say(self, message, number=0):
        """The answer to a message by SMTP."""
        smtp = self.mta.smtp(number)
        smtp.say("EHLO client.example", "250")
        smtp.say("MAIL FROM:<kim@here.example> BODY=8BITMIME", "250")
        smtp.say("RCPT TO:<x@far.example>", "250")
        smtp.say("DATA", "354")
        smtp.socket.sendall(re.sub(rb"(?m)^\.", b"..", message).replace(b"\n", b"\r\n") + b".\r\n")
        said = smtp.reply()
        smtp.close()
        return said

    def arrived(self, queue_id):
        """What the next server got, as it came, but for the dots of SMTP."""
        self.mta.wait_for_log(rf"{queue_id}: removed")
        text = re.sub(rb"(?m)^\.\.", b".", b"".join(self.sink.messages[-1][1]))
        return text

    def by_smtp(self, message, number=0):
        said = self.say(message, number)
        queued = re.search(r"queued as (\w+)", said)
        return self.arrived(queued[1]) if check(queued, f"not queued: {said}") else b""

    def perhaps(self, message):
        """The same while something is being exchanged: b"" when the message is put off."""
        queued = re.search(r"queued as (\w+)", self.say(message))
        return self.arrived(queued[1]) if queued else b""

    def send(self, message):
        done = subprocess.run(self.mta._argv(["sendmail", "-C", self.mta.etc, "-f", "kim@here.example",
                                              "x@far.example"]), input=message, timeout=60,
                              env=self.mta._environment(), **self.mta._as_user())
        check_equal(done.returncode, 0, "sendmail")

    def by_sendmail(self, message):
        at = self.mta.log_position()
        self.send(message)
        return self.arrived(self.mta.wait_for_log(r"pickup\[\d+\]: (\w+): uid", since=at)[1])


def check_signed(site, what, text):
    check(text.startswith(b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed; d=here.example;") or
          text.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=here.example;"),
          f"{what}: a signature in front: {text[:200]}")
    check_equal(dkimpy_verifies(text, site.records), [True, True], f"{what}: dkimpy")
    good, said = opendkim_verifies(site.scratch, text, site.records)
    check(good, f"{what}: opendkim: {said}")


def messages(site):
    for what, message in MESSAGES.items():
        check_signed(site, what, site.by_smtp(message))
    check_match(rb"(?m)^Subject: changed\r$", site.by_smtp(MESSAGES["header checks"]), "the check did its work")
    text = site.by_smtp(MESSAGES["8-bit"])
    check_match(rb"quoted-printable", text, "fit for any server")
    text = site.by_smtp(b"From: a@there.example\nSubject: x\n\nhello\n", 2)
    check_signed(site, "a milter's", text)
    check(b"of the milter\r\n" in text and b"hello" not in text, "the milter did its work")
    for what in ("plain", "8-bit", "blanks"):
        check_signed(site, f"sendmail, {what}", site.by_sendmail(MESSAGES[what]))


def strangers(site):
    check(b"DKIM-Signature" not in site.by_smtp(MESSAGES["plain"], 1), "who is not ours gets none")
    for other in (b"From: kim@there.example\n\nx\n", b"From: kim@example\n\nx\n",
                  FROM + b"From: other@here.example\n\nx\n"):
        check(b"DKIM-Signature" not in site.by_smtp(other), f"none for {other}")


def failures(site):
    mta = site.mta
    lost = MESSAGES["plain"].replace(b"kim@", b"lost@")
    check_match(r"^451 4\.7\.0", site.say(lost), "no such key")
    mta.wait_for_log(r"cleanup\[\d+\]: warning: \w+: DKIM: there is no file none among the keys$")
    check_match(r"^451 4\.7\.0", site.say(MESSAGES["plain"].replace(b"kim@", b"bad@")), "no such value")
    site.send(lost)
    mta.wait_for_log(r"cleanup\[\d+\]: warning: \w+: DKIM: there is no file none among the keys$", count=2)
    check_equal(len(os.listdir(os.path.join(mta.queue, "maildrop"))), 1, "mail of sendmail stays where it is")
    at = mta.log_position()
    _, site.records["none._domainkey.here.example"] = site.keygen("none", "here.example")
    mta.wait_for_log(r"dkimsign\[\d+\]: .*keys have changed", since=at)
    check_equal(dkimpy_verifies(wait_until(lambda: site.perhaps(lost), "the key is there now"), site.records),
                [True], "signed with it")
    before = len(site.sink.messages)
    check_equal(mta.run("postkick", "-c", mta.etc, "public", "pickup", "W").returncode, 0, "pickup looks again")
    wait_until(lambda: len(site.sink.messages) > before, "mail that was kept")
    os.kill(mta.process("dkimsign"), signal.SIGKILL)
    check_signed(site, "another dkimsign",
                 wait_until(lambda: site.perhaps(MESSAGES["plain"]), "signatures of another dkimsign"))
    old = site.records["rsa._domainkey.here.example"]
    os.unlink(os.path.join(site.keys, "rsa"))
    _, site.records["rsa._domainkey.here.example"] = site.keygen("rsa", "here.example")
    check(site.records["rsa._domainkey.here.example"] != old, "another key")
    wait_until(lambda: dkimpy_verifies(site.perhaps(MESSAGES["plain"]), site.records) == [True, True],
               "what is signed with the new key")
    mta.write_configuration(dkim_sign_failure_action="pass")
    os.unlink(os.path.join(site.keys, "none"))
    mta.reload()
    text = wait_until(lambda: site.perhaps(lost), "it goes")
    check(b"DKIM-Signature" not in text, "unsigned")
    mta.wait_for_log(r"DKIM: .*; it goes without this signature$")


everything = Site()
with everything.mta as mail_system:
    mail_system.start()
    mail_system.expect_trouble("killed by signal 9")
    messages(everything)
    strangers(everything)
    failures(everything)
finish()
