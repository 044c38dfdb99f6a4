#!/usr/bin/env python3
"""Those who read our queue from outside: a reader of the socket public/showq that knows
nothing but showq(8), Debian's check_mailq and its Prometheus exporter, both unpacked by
./dev. And what counts as being in the queue: who was delivered to does not, though his
success is still to be reported."""
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import postfix37
from harness import (Instance, check, check_equal, check_match, finish, free_port, program,
                     wait_until)

PLUGINS = os.path.join(postfix37.HOME, "usr/lib/nagios/plugins")
EXPORTER = os.path.join(postfix37.HOME, "usr/bin/prometheus-postfix-exporter")
SETTINGS = {"mydestination": "", "virtual_mailbox_domains": "box.example",
            "virtual_mailbox_maps": "inline:{u@box.example=u/}",
            "virtual_uid_maps": f"static:{os.getuid() or 1000}",
            "virtual_gid_maps": f"static:{os.getgid() or 1000}",
            "virtual_minimum_uid": "1",
            "smtpd_reject_unlisted_recipient": "no",
            "transport_maps": "inline:{{later.example=retry:4.3.2 not now}, "
                              "{gone.example=error:5.1.1 no such place}}"}


# ---- showq(8), read as its manual says ----

def listing(path):
    """The messages that showq tells, each a dictionary with a list of recipients."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        data = b"".join(iter(lambda: s.recv(65536), b""))
    words = iter(data.split(b"\0"))
    check_equal([next(words) for _ in range(3)],
                [b"protocol", b"mail_queue_list_protocol", b""], "the greeting")
    messages, message = [], {}
    for name in words:
        if name:
            value = next(words).decode()
            at = name.decode()
            if at == "original_recipient":
                message.setdefault("recipients", []).append({})
            if "recipients" in message:
                message["recipients"][-1][at] = value
            else:
                message[at] = value
        elif message:
            messages.append(message)
            message = {}
        else:
            check_equal(list(words), [b""], "nothing comes behind the end")
            return messages
    check(False, "the listing has no end")
    return messages


def send(mta, recipients, text="Subject: x\n\nx"):
    """recipients: addresses, with their ESMTP parameters."""
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    smtp.say("MAIL FROM:<s@box.example>", "250")
    for rcpt, parameters in recipients:
        smtp.say(f"RCPT TO:<{rcpt}>{parameters}", "250")
    smtp.say("DATA", "354")
    smtp.send(text.replace("\n", "\r\n") + "\r\n.\r\n")
    qid = smtp.expect("250 2.0.0 Ok: queued as ").split()[-1]
    smtp.close()
    return qid


# ---- others' programs ----

def check_mailq(mta, *arguments):
    """It wants its library beside it, which says where mailq is."""
    home = os.path.join(mta.home, "nagios")
    os.makedirs(home, exist_ok=True)
    shutil.copy(os.path.join(PLUGINS, "check_mailq"), home)
    with open(os.path.join(PLUGINS, "utils.pm"), encoding="utf-8") as file:
        library = file.read().replace("/usr/bin/mailq", os.path.join(mta.bin, "mailq"))
    with open(os.path.join(home, "utils.pm"), "w", encoding="utf-8") as file:
        file.write(library)
    done = mta.run(os.path.join(home, "check_mailq"), "-M", "postfix", *arguments)
    return done.returncode, done.stdout.strip()


class Exporter:
    """Reads the socket when asked, and what comes into the log from its start on."""

    def __init__(self, mta):
        self.url = f"http://127.0.0.1:{free_port()}/metrics"
        self.process = subprocess.Popen(
            [EXPORTER, "--web.listen-address=" + self.url.split("/")[2],
             f"--postfix.showq_path={mta.queue}/public/showq",
             f"--postfix.logfile_path={mta.logfile}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        wait_until(self.page, "the exporter")

    def page(self):
        try:
            with urllib.request.urlopen(self.url) as page:
                return page.read().decode()
        except OSError:
            return None

    def number(self, name):
        for line in self.page().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return None

    def close(self):
        self.process.kill()
        self.process.wait()


# ---- the tests ----

with Instance(SETTINGS) as mta:
    mta.write_configuration(virtual_mailbox_base=mta.mail)
    os.chmod(mta.mail, 0o777)
    mta.start()
    showq = os.path.join(mta.queue, "public/showq")
    exporter = Exporter(mta)
    check_equal(listing(showq), [], "an empty queue")
    check_equal(check_mailq(mta, "-w", "2", "-c", "4"),
                (0, "OK: postfix mailq reports queue is empty|unsent=0;2;4;0"), "check_mailq")
    late = send(mta, [("a@later.example", ""), ("b@later.example", "")])
    mta.wait_for_log(rf"{late}: to=.*status=deferred", count=2)
    wait_until(lambda: listing(showq)[0]["queue_name"] == "deferred", "the end of an attempt")
    check_equal([{**m, "time": int(m["time"]) > 1700000000, "size": int(m["size"]) > 100}
                 for m in listing(showq)],
                [{"queue_name": "deferred", "queue_id": late, "time": True, "size": True,
                  "forced_expire": "0", "sender": "s@box.example", "recipients": [
                      {"original_recipient": f"{who}@later.example",
                       "recipient": f"{who}@later.example", "reason": "not now"}
                      for who in "ab"]}], "a deferred message")
    check_equal(check_mailq(mta, "-w", "2", "-c", "4"),
                (0, "OK: postfix mailq (1) is below threshold (2/4)|unsent=1;2;4;0"), "check_mailq")
    for _ in range(3):
        send(mta, [("c@later.example", "")])
    check_equal(check_mailq(mta, "-w", "2", "-c", "4", "-d", mta.etc),
                (2, "CRITICAL: postfix mailq is 4 (threshold c = 4)|unsent=4;2;4;0"), "check_mailq")
    mta.wait_for_log(r"to=<c@later.example>.*status=deferred", count=3)
    wait_until(lambda: all(m["queue_name"] == "deferred" for m in listing(showq)),
               "the end of all attempts")
    check_equal(exporter.number("postfix_up{path=\"" + showq + "\"}"), 1, "its socket")
    for what in ("size_bytes", "age_seconds"):
        check_equal(exporter.number(f'postfix_showq_message_{what}_count{{queue="deferred"}}'),
                    4, f"messages of which it has {what}")
    for name, want in (("smtpd_connects", 4), ("cleanup_messages_processed", 4),
                       ("qmgr_messages_inserted_receipients_count", 4)):
        counter = f"postfix_{name}_total" if not name.endswith("_count") else f"postfix_{name}"
        wait_until(lambda: exporter.number(counter) == want, f"{counter} to be {want}")
    exporter.close()

# Without bounce(8) notices wait, and with them the messages.
services = ["smtpd", "cleanup", "qmgr", "showq", "virtual", "error", "retry", "smtp"]
with Instance(SETTINGS, services=services) as mta:
    mta.write_configuration(virtual_mailbox_base=mta.mail)
    os.chmod(mta.mail, 0o777)
    mta.start()
    showq = os.path.join(mta.queue, "public/showq")
    qid = send(mta, [("u@box.example", " NOTIFY=SUCCESS"), ("v@gone.example", ""),
                     ("w@later.example", "")])
    mta.wait_for_log(rf"{qid}: to=<u@box.example>.*status=sent")
    mta.wait_for_log(rf"{qid}: to=<v@gone.example>.*status=bounced")
    mta.wait_for_log(rf"{qid}: to=<w@later.example>.*status=deferred")
    wait_until(lambda: listing(showq)[0]["queue_name"] == "deferred", "the end of an attempt")
    check_equal(listing(showq)[0]["recipients"],
                [{"original_recipient": "v@gone.example", "recipient": "v@gone.example",
                  "bounce_reason": "no such place"},
                 {"original_recipient": "w@later.example", "recipient": "w@later.example",
                  "reason": "not now"}], "who waits")
    listed = json.loads(mta.run("postqueue", "-j").stdout)
    check_equal(listed["recipients"],
                [{"orig_address": "v@gone.example", "address": "v@gone.example",
                  "bounce_reason": "no such place"},
                 {"orig_address": "w@later.example", "address": "w@later.example",
                  "delay_reason": "not now"}], "who waits, as JSON")
    check("u@box.example" not in mta.run("mailq").stdout, "mailq does not know the other")
    check_match(r"\bdone_recipient: u@box.example\n(.*\n)*done_recipient: v@gone.example\n"
                r"(.*\n)*recipient: w@later.example", mta.run("postcat", "-qe", qid).stdout,
                "postcat knows them all")
finish()
