#!/usr/bin/env python3
"""smtpd and Cyrus SASL: names in a sasldb2 (auxprop) and by saslauthd, in the helper process;
a library that hangs hurts nobody but who asked it."""
import base64
import os
import re
import shutil
import smtplib
import socket
import subprocess
import sys
import threading
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish, is_root

USER, PASSWORD = "ina", "sesame"
REALM = "realm.example"


def b64(text):
    return base64.b64encode(text.encode()).decode()


class Saslauthd:
    """Who judges passwords of PLAIN and LOGIN (saslauthd(8)): four counted strings in, one out.
    `hangs` takes a question and never answers it."""

    def __init__(self, path, owner="mail"):
        self.asked, self.hangs = [], False
        self.held = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o660)
        if is_root():
            shutil.chown(path, owner, owner)
        self.listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            file = peer.makefile("rwb")
            question = [file.read(int.from_bytes(file.read(2), "big")).decode()
                        for _ in range(4)]
            self.asked.append(question)
            if self.hangs:
                self.held.append(peer)
                continue
            answer = b"OK" if question[1] == PASSWORD else b"NO"
            file.write(len(answer).to_bytes(2, "big") + answer)
            file.flush()
            file.close()
            peer.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def configure(mta, name, text):
    os.makedirs(os.path.join(mta.etc, "sasl"), exist_ok=True)
    mta.write(f"sasl/{name}.conf", text)


def login(mta, password, port=0):
    """The reply to LOGIN with this password, in a session of its own."""
    smtp = mta.smtp(port)
    smtp.say("EHLO client.example", "250")
    smtp.say("AUTH LOGIN", "334 ")
    smtp.say(b64(USER), "334 ")
    smtp.send(b64(password) + "\r\n")
    reply = smtp.reply()
    smtp.close()
    return reply


def with_sasldb(mta):
    """Secrets in a database: mechanisms that do not send them work, too."""
    smtp = mta.smtp()
    offered = re.search(r"^250.AUTH (.*?)\r?$", smtp.say("EHLO x", "250"), re.M)[1].split()
    check_equal(sorted(offered), ["CRAM-MD5", "DIGEST-MD5", "LOGIN", "PLAIN", "SCRAM-SHA-256"],
                "mech_list, and what there is of it")
    smtp.close()
    for kind in ("plain", "login", "cram_md5"):
        since = mta.log_position()
        client = smtplib.SMTP("127.0.0.1", mta.port(0))
        client.user, client.password = f"{USER}@{REALM}", PASSWORD
        client.ehlo("client.example")
        code, _ = client.auth(kind.upper().replace("_", "-"), getattr(client, f"auth_{kind}"))
        check_equal(code, 235, kind)
        client.sendmail("a@client.example", ["far@away.example"], "Subject: x\r\n\r\nx\r\n")
        mta.wait_for_log(rf"sasl_method={kind.upper().replace('_', '-')}, "
                         rf"sasl_username={USER}@{REALM}$", since=since)
        client.quit()
    done = subprocess.run(
        ["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={mta.port(0)}", "--tls=off",
         "--auth=scram-sha-256", f"--user={USER}@{REALM}", f"--passwordeval=echo {PASSWORD}",
         "--from=a@client.example", "far@away.example"],
        input="Subject: msmtp\n\nx\n", capture_output=True, text=True, timeout=60)
    check_equal((done.returncode, done.stderr), (0, ""), "msmtp by SCRAM")
    check_match(r"^235 2\.7\.0 ", login(mta, PASSWORD), "the realm is smtpd_sasl_local_domain")
    check_match(r"^535 5\.7\.8 Error: authentication failed: ", login(mta, "wrong"), "wrong")
    smtp = mta.smtp()
    smtp.say(f"AUTH PLAIN {b64(chr(0) + USER + chr(0) + 'wrong')}", "535 5.7.8 ")
    smtp.close()
    mta.wait_for_log(r"postfix/sasl\[\d+\]: warning: SASL authentication failure: ")
    mta.wait_for_log(r"smtpd\[\d+\]: warning: localhost\[127.0.0.1\]: SASL LOGIN authentication "
                     r"failed: authentication failure, sasl_username=")


def with_saslauthd(mta, saslauthd):
    check_match(r"^235 ", login(mta, PASSWORD, 1), "saslauthd says OK")
    check_match(r"^535 5\.7\.8 ", login(mta, "wrong", 1), "saslauthd says NO")
    check_equal(saslauthd.asked[0][:3], [USER, PASSWORD, "smtp"], "what saslauthd was asked")


def hanging(mta, saslauthd):
    """One waits in vain, and is told so; others log in meanwhile."""
    saslauthd.hangs = True
    waiting = mta.smtp(1)
    waiting.say("EHLO client.example", "250")
    waiting.send(f"AUTH PLAIN {b64(chr(0) + USER + chr(0) + PASSWORD)}\r\n")
    check_match(r"^235 ", login(mta, PASSWORD), "another login meanwhile")
    waiting.socket.settimeout(30)
    check_match(r"^454 4\.7\.0 Temporary authentication failure: ", waiting.reply(),
                "no answer in time")
    waiting.say("MAIL FROM:<a@client.example>", "250")
    waiting.close()
    mta.wait_for_log("SASL: the library, or whom it asked, gave no answer in time")


with Instance({"smtpd_sasl_auth_enable": "yes", "mynetworks": "192.0.2.1",
               "smtpd_sasl_local_domain": REALM, "transport_maps": "static:discard:"},
              extra_services=["127.0.0.1:{port1} inet n - n - - smtpd "
                              "-o smtpd_sasl_path=asks"]) as host:
    database = os.path.join(host.etc, "sasldb2")
    configure(host, "smtpd", f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\n"
              f"sasldb_path: {database}\n"
              "mech_list: PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-256\n")
    authd = Saslauthd(os.path.join(host.home, "mux"))
    configure(host, "asks", f"pwcheck_method: saslauthd\nsaslauthd_path: {host.home}/mux\n"
              "mech_list: PLAIN LOGIN\n")
    subprocess.run(["saslpasswd2", "-c", "-p", "-f", database, "-u", REALM, USER],
                   input=PASSWORD.encode() + b"\n", check=True)
    if is_root():  # Debian: root:sasl 0640
        shutil.chown(database, "root", "mail")
        os.chmod(database, 0o640)
    host.start()
    with_sasldb(host)
    with_saslauthd(host, authd)
    host.postern("reload")
    host.wait_for_log("reload -- version")
    check_match("^235 ", login(host, PASSWORD), "a login after a reload")
    hanging(host, authd)
    authd.close()
finish()
