#!/usr/bin/env python3
"""smtpd and the real Dovecot: every mechanism that it offers, by the clients that people have,
in clear, after STARTTLS and on the port of its own for TLS; what the log, the message and the
next program get to know."""
import base64
import hashlib
import hmac
import os
import re
import smtplib
import ssl
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dovecot import SUBMISSION, SUBMISSIONS, USERS, Dovecot, token
from harness import Instance, check, check_equal, check_match, finish, mail_user, wait_until

USER, PASSWORD = next(iter(USERS.items()))
PIPE = (f"show unix - n n - - pipe user={mail_user().pw_name} "
        "argv=/bin/echo ${sasl_method} ${sasl_username} s=${sasl_sender}")
TLS = ssl._create_unverified_context()


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def unb64(reply):
    return base64.b64decode(reply.partition(" ")[2])


def greeted(mta):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    return smtp


# ---- mechanisms, spoken here ----

def plain(smtp, user, password):
    smtp.send(f"AUTH PLAIN {b64(chr(0) + user + chr(0) + password)}\r\n")


def plain_without_initial(smtp, user, password):
    smtp.say("AUTH PLAIN", "334 \r\n")
    smtp.send(b64(chr(0) + user + chr(0) + password) + "\r\n")


def login(smtp, user, password):
    smtp.say("AUTH LOGIN", "334 VXNlcm5hbWU6")
    smtp.say(b64(user), "334 UGFzc3dvcmQ6")
    smtp.send(b64(password) + "\r\n")


def cram_md5(smtp, user, password):
    challenge = unb64(smtp.say("AUTH CRAM-MD5", "334 "))
    answer = hmac.new(password.encode(), challenge, hashlib.md5).hexdigest()
    smtp.send(b64(f"{user} {answer}") + "\r\n")


def scram(smtp, user, password, name="SCRAM-SHA-256", digest="sha256"):
    """RFC 5802, RFC 7677, without channel binding; the server's proof is checked, too."""
    def mac(key, text):
        return hmac.new(key, text, digest).digest()
    bare = f"n={user},r=clientnonce".encode()
    first = unb64(smtp.say(f"AUTH {name} {b64(b'n,,' + bare)}", "334 "))
    values = dict(part.split("=", 1) for part in first.decode().split(","))
    salted = hashlib.pbkdf2_hmac(digest, password.encode(), base64.b64decode(values["s"]),
                                 int(values["i"]))
    final = f"c=biws,r={values['r']}".encode()
    text = bare + b"," + first + b"," + final
    key = mac(salted, b"Client Key")
    proof = bytes(a ^ b for a, b in zip(key, mac(hashlib.new(digest, key).digest(), text)))
    smtp.send(b64(final + b",p=" + b64(proof).encode()) + "\r\n")
    said = smtp.reply()
    if said.startswith("334 "):
        check_equal(unb64(said), b"v=" + b64(mac(mac(salted, b"Server Key"), text)).encode(),
                    "the server's proof")
        smtp.send("\r\n")
    else:
        smtp.send("NOOP\r\n")
        smtp.refused = said


def scram_sha_1(smtp, user, password):
    scram(smtp, user, password, "SCRAM-SHA-1", "sha1")


def oauthbearer(smtp, user, password):
    bearer = token(user) if password == USERS.get(user) else token(user, b"another key")
    said = f"n,a={user},{chr(1)}auth=Bearer {bearer}{chr(1) * 2}"
    smtp.send(f"AUTH OAUTHBEARER {b64(said)}\r\n")
    if password != USERS.get(user):
        check_match(b'"status":"invalid_token"', unb64(smtp.expect("334 ")), "the challenge")
        smtp.send("AQ==\r\n")  # RFC 7628 section 3.2.3


def xoauth2(smtp, user, password):
    del password
    said = f"user={user}{chr(1)}auth=Bearer {token(user)}{chr(1) * 2}"
    smtp.send(f"AUTH XOAUTH2 {b64(said)}\r\n")


MECHANISMS = {"PLAIN": plain, "LOGIN": login, "CRAM-MD5": cram_md5, "SCRAM-SHA-1": scram_sha_1,
              "SCRAM-SHA-256": scram, "OAUTHBEARER": oauthbearer, "XOAUTH2": xoauth2}


def every_mechanism(mta):
    smtp = greeted(mta)
    offered = re.search(r"^250.AUTH (.*?)\r?$", smtp.last, re.M)[1].split()
    check_equal(set(offered), set(MECHANISMS) | {"DIGEST-MD5"}, "what is offered")
    smtp.close()
    for name, act in [*MECHANISMS.items(), ("PLAIN", plain_without_initial)]:
        smtp = greeted(mta)
        act(smtp, USER, PASSWORD)
        smtp.expect("235 2.7.0 Authentication successful")
        smtp.message(USER, "far@away.example", "Subject: x\n\nx\n")
        mta.wait_for_log(rf"client=localhost\[127.0.0.1\], sasl_method={name}, "
                         rf"sasl_username={USER}$")
        smtp.close()


def refusals(mta):
    for name in ("PLAIN", "LOGIN", "CRAM-MD5", "OAUTHBEARER"):
        smtp = greeted(mta)
        MECHANISMS[name](smtp, USER, "wrong")
        smtp.expect("535 5.7.8 Error: authentication failed: ")
        mta.wait_for_log(rf"warning: localhost\[127.0.0.1\]: SASL {name} authentication failed: "
                         r".*, sasl_username=(\S+)$")
        smtp.say(f"MAIL FROM:<{USER}>", "250")
        smtp.say("RCPT TO:<far@away.example>", "454 4.7.1 ")
        smtp.close()
    smtp = greeted(mta)
    scram(smtp, USER, "wrong")
    check_match("^535 5.7.8 ", smtp.refused, "SCRAM with a wrong password")
    smtp.expect("250")
    smtp.close()


# ---- what the next ones hear ----

def told(mta):
    """Header, log, a command's macros; the password is in none of them."""
    smtp = greeted(mta)
    plain(smtp, USER, PASSWORD)
    smtp.expect("235 ")
    smtp.say(f"MAIL FROM:<{USER}> AUTH={USER}", "250")
    smtp.say("RCPT TO:<x@show.example>", "250")
    smtp.say("RCPT TO:<x@kept.example>", "250")
    smtp.say("DATA", "354")
    smtp.send("Subject: told\r\n\r\nx\r\n.\r\n")
    smtp.expect("250")
    smtp.close()
    mta.wait_for_log(r"to=<x@show.example>, .*\(delivered via show service "
                     rf"\(PLAIN {USER} s={USER} ?\)\)")
    text = mta.maildir("kept")[0]
    check_match(rf"\t\(Authenticated sender: {USER}\)\n\tby mail.test.example \(Postern\) "
                "with ESMTPA id", text, "the header")
    for secret in (PASSWORD, b64(PASSWORD), b64(f"\0{USER}\0{PASSWORD}")):
        check(secret not in mta.log_text(), "a password in the log")


# ---- clients that people have ----

def submission(mta):
    smtp = mta.smtp(1)
    smtp.say("EHLO client.example", "250")
    check("AUTH" not in smtp.last, "AUTH before STARTTLS")
    smtp.say("MAIL FROM:<x@client.example>", "530 5.7.0 Must issue a STARTTLS command first")
    smtp.say("AUTH PLAIN =", "530 5.7.0 Must issue a STARTTLS command first")
    smtp.close()
    mail = f"From: {USER}\r\nSubject: smtplib\r\n\r\nx\r\n"
    for make in (lambda: smtplib.SMTP("127.0.0.1", mta.port(1)),
                 lambda: smtplib.SMTP_SSL("127.0.0.1", mta.port(2), context=TLS)):
        client = make()
        if not isinstance(client, smtplib.SMTP_SSL):
            client.starttls(context=TLS)
        client.login(USER, PASSWORD)
        check_equal(client.sendmail(USER, ["far@away.example"], mail), {}, "smtplib")
        client.quit()
    mta.wait_for_log(r"postfix/submission/smtpd\[\d+\]: \w+: client=.*, sasl_method=CRAM-MD5, ")
    mta.wait_for_log(r"postfix/submissions/smtpd\[\d+\]: \w+: client=.*, sasl_method=CRAM-MD5, ")
    client = smtplib.SMTP_SSL("127.0.0.1", mta.port(2), context=TLS)
    client.ehlo()
    client.docmd("MAIL", "FROM:<x@client.example>")
    code, text = client.docmd("RCPT", "TO:<far@away.example>")
    check_equal((code, text.split()[0]), (554, b"5.7.1"), "without a login")
    client.quit()


def swaks(mta):
    for kind in ("PLAIN", "LOGIN", "CRAM-MD5"):
        for port, how in ((1, "-tls"), (2, "-tlsc")):
            done = subprocess.run(
                ["swaks", "--server", f"127.0.0.1:{mta.port(port)}", how, "--auth", kind,
                 "--auth-user", USER, "--auth-password", PASSWORD, "--from", USER,
                 "--to", "far@away.example"], capture_output=True, text=True, timeout=60)
            check_equal(done.returncode, 0, f"swaks {kind} {how}: {done.stdout[-600:]}")
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{mta.port(1)}", "-tls", "--auth", "PLAIN", "--auth-user",
         USER, "--auth-password", "wrong", "--to", "far@away.example"], capture_output=True,
        text=True, timeout=60)
    check_equal(done.returncode, 28, "swaks with a wrong password")


def msmtp(mta):
    for kind in ("plain", "login", "cram-md5", "scram-sha-1", "scram-sha-256"):
        done = subprocess.run(
            ["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={mta.port(1)}", "--tls=on",
             "--tls-starttls=on", "--tls-certcheck=off", f"--auth={kind}", f"--user={USER}",
             f"--passwordeval=echo '{PASSWORD}'", f"--from={USER}", "far@away.example"],
            input="Subject: msmtp\n\nx\n", capture_output=True, text=True, timeout=60)
        check_equal((done.returncode, done.stderr), (0, ""), f"msmtp {kind}")


# ---- Dovecot comes and goes ----

def restart(mta, dovecot):
    smtp = greeted(mta)
    dovecot.stop()
    plain(smtp, USER, PASSWORD)
    smtp.expect("454 4.7.0 Temporary authentication failure: "
                "Connection lost to authentication server")
    smtp.say("MAIL FROM:<x@client.example>", "250")
    smtp.say("RCPT TO:<x@kept.example>", "250")
    smtp.say("RSET", "250")
    mta.wait_for_log("warning: SASL: Connect to Dovecot auth socket 'private/auth' failed: ")
    dovecot.start()

    def again():
        plain(smtp, USER, PASSWORD)
        return smtp.reply().startswith("235 ")
    wait_until(again, "a login after the restart")
    smtp.close()


with Instance({"smtpd_sasl_type": "dovecot", "smtpd_sasl_path": "private/auth",
               "mynetworks": "192.0.2.1", "smtpd_error_sleep_time": "0", "smtpd_hard_error_limit": "2000",
               "smtpd_sasl_authenticated_header": "yes", "local_recipient_maps": "",
               "transport_maps": "inline:{show.example=show: away.example=discard:"
               "}"},
              extra_services=[SUBMISSION, SUBMISSIONS, PIPE]) as host:
    host.write_configuration(
        smtpd_sasl_auth_enable="yes", smtpd_tls_chain_files=host.certificate(),
        virtual_mailbox_base=host.mail, virtual_uid_maps=f"static:{mail_user().pw_uid}",
        virtual_gid_maps=f"static:{mail_user().pw_gid}", virtual_minimum_uid="1",
        virtual_mailbox_maps="static:kept/", virtual_mailbox_domains="kept.example", smtpd_tls_security_level="may")
    os.chmod(host.mail, 0o777)
    host.start()
    with Dovecot(host.queue) as server:
        every_mechanism(host)
        refusals(host)
        told(host)
        submission(host)
        swaks(host)
        msmtp(host)
        restart(host, server)
finish()
