#!/usr/bin/env python3
"""smtp logs in to a real server, our own smtpd with Dovecot's auth service, by each mechanism;
who can read the passwords; whose session is whose; and what a server has to prove."""
import base64
import contextlib
import os
import re
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from dovecot import Dovecot, token
from harness import Instance, check, check_equal, finish, is_root, wait_until
from sink import Sink

MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2")
BASE = {"mydestination": "", "relay_domains": "static:all", "disable_dns_lookups": "yes",
        "smtp_sasl_auth_enable": "yes", "smtp_sasl_security_options": "noanonymous",
        "smtp_sasl_password_maps": "hash:$config_directory/sasl_passwd"}
SERVER = {"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot",
          "smtpd_sasl_path": "private/auth", "mydestination": "mx.example",
          "local_recipient_maps": "", "local_transport": "discard",
          "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
          "smtpd_error_sleep_time": "0"}


def send(mta, sender, *recipients):
    smtp = mta.smtp()
    smtp.say("EHLO client.example", "250")
    qids = [smtp.message(sender, recipient, "Subject: x\n\nbody\n") for recipient in recipients]
    smtp.close()
    return qids


def write_passwords(mta, text, mode=0o600):
    mta.write("sasl_passwd", text)
    os.chmod(os.path.join(mta.etc, "sasl_passwd"), mode)
    done = mta.run("postmap", f"hash:{mta.etc}/sasl_passwd")
    check_equal(done.returncode, 0, f"postmap: {done.stderr}")
    check_equal(os.stat(f"{mta.etc}/sasl_passwd.db").st_mode & 0o777, mode, "the table's mode")


def each_mechanism():
    """One service, one next hop and one user for each mechanism: right, and wrong."""
    names = {name: name.lower().replace("-", "") for name in MECHANISMS}
    services = [f"{short} unix - - n - - smtp -o smtp_sasl_mechanism_filter={name}"
                for name, short in names.items()]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Instance(SERVER))
        server.start()
        dovecot = stack.enter_context(Dovecot(server.queue))
        mta = stack.enter_context(Instance(BASE, extra_services=services))
        port = server.port(0)
        bearer, stale = token("ina@shop.example"), token("ina@shop.example", b"another key")
        secrets = {name: (bearer, stale) if "AUTH" in name else ("sesame", "wrong")
                   for name in names}
        mta.write_configuration(transport_maps="inline:{" + ", ".join(
            f"{kind}.{short}.example={short}:[{host}]:{port}" for short in names.values()
            for kind, host in (("good", "127.0.0.1"), ("bad", "localhost"))) + "}",
            smtp_sender_dependent_authentication="yes")
        write_passwords(mta, "".join(
            f"good@{short}.example ina@shop.example:{secrets[name][0]}\n"
            f"bad@{short}.example ina@shop.example:{secrets[name][1]}\n"
            for name, short in names.items()))
        mta.start()
        for name, short in names.items():
            [good] = send(mta, f"good@{short}.example", f"x@good.{short}.example")
            mta.wait_for_log(rf"{good}: to=<.*status=sent")
            server.wait_for_log(rf"sasl_method={name}, sasl_username=ina@shop.example")
            [bad] = send(mta, f"bad@{short}.example", f"x@bad.{short}.example")
            mta.wait_for_log(rf"{bad}: to=<.*dsn=4\.7\.\d, status=deferred \(SASL authentication "
                             r"failed; (server \S+ said: 535 5\.7\.8 |cannot authenticate)")
        check("panic" not in mta.log_text(0) + dovecot.log(), "nobody broke down")


def passwords_are_secret():
    """Only root can read the table, and smtp uses it; it changes while we run; nothing that was
    secret is in the log, nor in the postmaster's transcript."""
    with Sink(replies={"EHLO": "250-sink.example\r\n250 AUTH PLAIN", "DATA": "500 what?"}) as sink, \
            Sink() as postmaster, Instance(BASE) as mta:
        mta.write_configuration(notify_classes="protocol", transport_maps="inline:{"
                                f"one.example=smtp:[127.0.0.1]:{sink.port}, "
                                f"mail.test.example=smtp:[127.0.0.1]:{postmaster.port}" "}",
                                myorigin="mail.test.example",
                                smtp_connection_cache_on_demand="no")
        write_passwords(mta, "127.0.0.1 joe:s3cret\n")
        mta.start()
        [qid] = send(mta, "a@client.example", "x@one.example")
        mta.wait_for_log(rf"{qid}: to=<.* said: 500 what")
        said = "AUTH PLAIN " + base64.b64encode(b"\0joe\0s3cret").decode()
        check(said in [line for _, line in sink.commands], "the password was used")
        mta.wait_for_log(r"to=<postmaster@mail.test.example>, .*status=sent")
        [(_, notice)] = [m for m in postmaster.messages if b"Out: AUTH PLAIN ..." in b"".join(m[1])][:1]
        check(base64.b64encode(b"\0joe\0s3cret") not in b"".join(notice), "none in the transcript")
        check("s3cret" not in mta.log_text(0), "none in the log")
        if is_root():
            for pid in mta.processes("smtp"):
                opened = {os.path.realpath(f"/proc/{pid}/fd/{fd}")
                          for fd in os.listdir(f"/proc/{pid}/fd")}
                check(f"{mta.etc}/sasl_passwd.db" not in opened, "smtp has no passwords open")
        write_passwords(mta, "127.0.0.1 joe:changed\n")
        said = "AUTH PLAIN " + base64.b64encode(b"\0joe\0changed").decode()

        def changed():
            [again] = send(mta, "a@client.example", "x@one.example")
            mta.wait_for_log(rf"{again}: to=<")
            return said in [line for _, line in sink.commands]
        wait_until(changed, "the new password")


def sessions_are_of_one_user():
    """Connections are kept and used again, but by nobody who would have logged in otherwise."""
    with Sink(replies={"EHLO": "250-sink.example\r\n250 AUTH PLAIN"}) as sink, Instance(BASE) as mta:
        mta.write_configuration(
            smtp_sender_dependent_authentication="yes", mydestination="",
            smtp_connection_cache_destinations="127.0.0.1",
            transport_maps=f"static:smtp:[127.0.0.1]:{sink.port}")
        write_passwords(mta, "ann@x.example ann:a\nbob@x.example Ann:b\n127.0.0.1 host:c\n")
        mta.start()
        for sender in ("ann@x.example", "bob@x.example", "eve@x.example") * 3:
            [qid] = send(mta, sender, "x@one.example")
            mta.wait_for_log(rf"{qid}: to=<.*status=sent")
        users = {}
        for number, line in sink.commands:
            if line.startswith("AUTH PLAIN "):
                users[number] = base64.b64decode(line.split()[2]).split(b"\0")[1]
            elif line.startswith("MAIL FROM:"):
                want = {"ann": b"ann", "bob": b"Ann", "eve": b"host"}[line[11:14]]
                check_equal(users.get(number), want, f"user of the session of {line}")
        check_equal(sink.connections, 3, "connections")


def a_server_has_to_prove_itself():
    with Sink(replies={"EHLO": "250-sink.example\r\n250 AUTH SCRAM-SHA-256",
                       "AUTH": ["235 2.7.0 whoever you are"]}) as sink, Instance(BASE) as mta:
        mta.write_configuration(transport_maps=f"static:smtp:[127.0.0.1]:{sink.port}")
        write_passwords(mta, "127.0.0.1 joe:s3cret\n")
        mta.start()
        [qid] = send(mta, "a@client.example", "x@one.example")
        mta.wait_for_log(rf"{qid}: to=<.*dsn=4.7.0, status=deferred \(SASL authentication failed; "
                         r"cannot authenticate to server 127.0.0.1\[127.0.0.1\]: server failed "
                         r"mutual authentication step\)")
        check_equal(sink.messages, [], "mail for it")


def long_tokens_wait_for_the_server():
    """RFC 4954 section 4: no initial response that makes the line longer than 512 octets."""
    with Sink(replies={"EHLO": "250-sink.example\r\n250 AUTH XOAUTH2",
                       "AUTH": ["334 ", "235 2.7.0 ok"]}) as sink, Instance(BASE) as mta:
        mta.write_configuration(transport_maps=f"static:smtp:[127.0.0.1]:{sink.port}",
                                smtp_sasl_mechanism_filter="xoauth2")
        write_passwords(mta, f"127.0.0.1 joe:{'t' * 2000}\n")
        mta.start()
        [qid] = send(mta, "a@client.example", "x@one.example")
        mta.wait_for_log(rf"{qid}: to=<.*status=sent")
        lines = [line for _, line in sink.commands]
        want = base64.b64encode(b"user=joe\1auth=Bearer " + b"t" * 2000 + b"\1\1").decode()
        check_equal(lines[1:3], ["AUTH XOAUTH2", want], "the token comes after the challenge")


each_mechanism()
passwords_are_secret()
sessions_are_of_one_user()
a_server_has_to_prove_itself()
long_tokens_wait_for_the_server()
finish()
