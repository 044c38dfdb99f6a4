#!/usr/bin/env python3
"""05-rspamd-clamav-milters: two milters in a row, one of them on a socket below the queue directory.

The milters are recorders: what rspamd and clamav-milter would do is in their scripts. A signature of
the first one is checked by what arrives, byte for byte."""
import base64
import os
import re
import smtplib
import socket
import ssl
import subprocess
import sys
import threading
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "milter")]
from flows import INSIDE, Site, check, check_equal, check_match, finish, header, wait_until
from recorder import CONTINUE, Recorder, edit, reply

CLIENT, INNER, OWN = "192.0.2.7", "198.51.100.5", "198.51.100.6"
ZONE = {("outside.example", "MX"): [(10, "mx.outside.example")],
        ("mx.outside.example", "A"): ["192.0.2.10"]}


class Auth(threading.Thread):
    """The auth socket of Dovecot: whoever asks is kim."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 12345))
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=[client], daemon=True).start()

    @staticmethod
    def serve(client):
        client.sendall(b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\n"
                       b"COOKIE\t00112233445566778899aabbccddeeff\nDONE\n")
        for line in client.makefile("rb"):
            words = line.rstrip(b"\n").split(b"\t")
            if words[0] == b"AUTH":
                client.sendall(b"OK\t" + words[1] + b"\tuser=kim\n")


def certificate():
    """Where the set has it; /etc is the test's own."""
    os.makedirs("/etc/ssl/clinic", exist_ok=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=mail.clinic.example", "-keyout",
                    "/etc/ssl/clinic/privkey.pem", "-out", "/etc/ssl/clinic/fullchain.pem"],
                   check=True, capture_output=True)


def hand_over(site, source, sender, rcpt, text, port=25):
    """The reply to the message, or to the command that was refused."""
    smtp = site.client(source, port)
    said = "250"
    for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{rcpt}>", "DATA",
                 text.replace("\n", "\r\n") + "."):
        said = smtp.say(line, "")
        if said[0] not in "23":
            break
    smtp.close()
    return said.strip()


def message(*fields, body="hello\n"):
    return "\n".join(("From: a@outside.example", "Subject: x", *fields, "", body))


def both_in_order(site, spam, virus):
    spam.script = {"E": [edit.add("X-Spam-Status", "No"), edit.add("X-Virus-Scanned", "by the first"),
                         CONTINUE]}
    site.send(CLIENT, "a@outside.example", "kim@clinic.example", message("List-Unsubscribe: <x>"))
    check("L 'X-Spam-Status' | 'No'" in virus.events(), "the second sees what the first added")
    check("L 'X-Virus-Scanned' | 'by the first'" not in virus.events(), "and not what was dropped")
    check(any("{client_addr}" in line and line.startswith("D M ") for line in spam.events()),
          f"macros of MAIL: {spam.events()}")
    folder = os.path.join(site.homes, "kim", "Maildir", "new")
    wait_until(lambda: os.path.isdir(folder) and len(os.listdir(folder)) == 1, "kim's mail")
    with open(os.path.join(folder, os.listdir(folder)[0])) as file:
        text = file.read()
    check_equal(header(text, "X-Spam-Status"), "No", "of the first milter")
    check_equal(header(text, "X-Virus-Scanned"), None, "dropped by milter_header_checks")
    check_match("info: header List-Unsubscribe: ", site.mta.log_text(), "header_checks")


def words_of_the_first(site, spam, virus):
    spam.script = {"E": [reply("550 5.7.1 Spam message rejected")]}
    since = site.mta.log_position()
    check_equal(hand_over(site, CLIENT, "a@outside.example", "kim@clinic.example", message()),
                "550 5.7.1 Spam message rejected", "the first one's words")
    site.mta.wait_for_log(rf"milter-reject: END-OF-MESSAGE from unknown\[{re.escape(CLIENT)}\]: 5\.7\.1 "
                          "Spam message rejected;", since=since)
    spam.script = {}
    virus.script = {"E": [edit.quarantine("EICAR"), CONTINUE]}
    since = site.mta.log_position()
    said = hand_over(site, CLIENT, "a@outside.example", "kim@clinic.example", message())
    queue_id = re.search(r"queued as (\w+)", said)[1]
    site.mta.wait_for_log(rf"{queue_id}: milter-hold: END-OF-MESSAGE", since=since)
    check_match(rf"{queue_id}!", site.mta.run("postqueue", "-p").stdout, "in the hold queue")
    virus.script = {}


def checks(site, spam, virus):
    since = site.mta.log_position()
    check_match("550 5.7.1 subject not wanted here", hand_over(
        site, CLIENT, "a@outside.example", "kim@clinic.example",
        message().replace("Subject: x", "Subject: [test-reject]")), "header_checks")
    attachment = ("MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="b"')
    check_match("550 5.7.1 attachment type not allowed", hand_over(
        site, CLIENT, "a@outside.example", "kim@clinic.example", message(*attachment, body=(
            '--b\nContent-Type: application/x; name="x.exe"\n\nx\n--b--\n'))), "mime_header_checks")
    site.mta.wait_for_log("reject: mime-header|reject: header Content-Type", since=since)


def by_client(site, spam, virus):
    third = Recorder(port=11399)
    for source, asked in (("127.0.0.1", (1, 1, 0)), ("127.0.0.2", (0, 0, 0)), (INNER, (0, 0, 1))):
        before = [len(m.sessions) for m in (spam, virus, third)]
        smtp = site.client(source)
        smtp.say("QUIT", "221")
        smtp.close()
        check_equal(tuple(len(m.sessions) - n for m, n in zip((spam, virus, third), before)), asked, source)
    before = len(spam.sessions)
    smtp = site.client("127.0.0.1", 10588)
    smtp.message("a@clinic.example", "kim@clinic.example", message())
    smtp.close()
    check_equal(len(spam.sessions), before, "unfiltered reinjection")


def not_by_smtp(site, spam, virus):
    """sendmail, and a notice."""
    mx = site.host("192.0.2.10", replies={"RCPT": "550 5.1.1 nobody"})
    before, others = len(spam.sessions), len(virus.sessions)
    since = site.mta.log_position()
    site.mta.run("sendmail", "-f", "kim@clinic.example", "x@outside.example", input=message())
    site.mta.wait_for_log("sender non-delivery notification", since=since)
    wait_until(lambda: len(spam.sessions) == before + 2, "the first sees both")
    check(any(line.startswith("M ''") for line in spam.events()), "the notice")
    check_equal(len(virus.sessions), others, "the second sees none of them")
    return mx


def submission(site, spam, virus):
    signature = "v=1; a=rsa-sha256; d=clinic.example; s=x;\n\th=from:subject; bh=abc=;\n\tb=def="
    spam.script = {"E": [edit.insert(0, "DKIM-Signature", signature), CONTINUE]}
    mx = site.hosts[-1]
    mx.replies.pop("RCPT")
    with site.outside():
        smtp = smtplib.SMTP(INSIDE, 587, "client.example", source_address=(OWN, 0))
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    smtp.starttls(context=tls)
    smtp.ehlo()
    login = base64.b64encode(b"\0kim\0secret").decode()
    check_equal(smtp.docmd("AUTH", "PLAIN " + login)[0], 235, "AUTH")
    smtp.sendmail("kim@clinic.example", ["x@outside.example"], message())
    smtp.quit()
    said = spam.events()
    check(any("{daemon_name}=ORIGINATING" in line for line in said), f"daemon_name: {said}")
    check(any("{auth_authen}=kim" in line and line.startswith("D M ") for line in said), "auth_authen")
    check(any("{auth_authen}=kim" in line and line.startswith("D E ") for line in said),
          f"with the end of data: {said}")
    # What was refused before ended in an empty message: DATA went with RCPT.
    wait_until(lambda: any(mail.text for mail in mx.mail), "mail at the next host")
    mail = mx.mail[-1]
    check(mail.text.startswith(f"DKIM-Signature: {signature}\n"), f"the signature: {mail.text}")
    spam.script = {}


def outages(site, spam, virus):
    spam.stop()
    since = site.mta.log_position()
    site.send(CLIENT, "a@outside.example", "kim@clinic.example", message())
    site.mta.wait_for_log("warning: connect to Milter service inet:127.0.0.1:11332: Connection refused",
                          since=since)
    virus.stop()
    os.unlink(virus.endpoint.removeprefix("unix:"))
    since = site.mta.log_position()
    check_equal(hand_over(site, CLIENT, "a@outside.example", "kim@clinic.example", message()),
                "451 4.7.1 Service unavailable - try again later", "at MAIL")
    for state in ("CONNECT", "EHLO", "MAIL"):
        site.mta.wait_for_log(rf"milter-reject: {state} from unknown\[{re.escape(CLIENT)}\]: 451 4\.7\.1",
                              since=since)


with Site("05-rspamd-clamav-milters", ZONE, users=("kim",), addresses=("198.51.100.1",)) as host:
    certificate()
    Auth()
    folder = os.path.join(host.mta.queue, "clamav")
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    first = Recorder(port=11332)
    second = Recorder(path=os.path.join(folder, "clamav-milter.ctl"))
    host.start()
    for step in (both_in_order, words_of_the_first, checks, by_client, not_by_smtp, submission, outages):
        step(host, first, second)
finish()
