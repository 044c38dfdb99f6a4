#!/usr/bin/env python3
"""A captured smtpd or postscreen looks for the private key in its own memory, in each form in
which a key can lie there, and does not find it, nor can it read the file; tlsmgr, which has it, finds it. The reader of tlsmgr,
which stays root, has one capability, and opens nothing that the configuration does not name.
The keys of DKIM are dkimsign's in the same way: neither smtpd nor cleanup have or can read them."""
import os
import re
import ssl
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, Smtp, check, check_equal, finish, is_root, process_status
from jail_test import Captured, is_captured_build, sanitized_build, skip, socket_of

SETTINGS = {"smtpd_tls_security_level": "may", "smtpd_peername_lookup": "no", "max_idle": "1h",
            "mydestination": "here.example", "postscreen_greet_wait": "1s", "postscreen_cache_map": "",
            "postscreen_dnsbl_sites": ""}
# Each client is to stay with postscreen: none has passed its tests behind the greeting.
DOORMAN = ["127.0.0.1:{port9} inet n - n - 1 postscreen -o postscreen_pipelining_enable=yes "
           "-o postscreen_access_list= -o postscreen_greet_banner=",
           "smtpd pass - - n - - smtpd"]


def new_key(mta, kind):
    path = os.path.join(mta.etc, kind + ".pem")
    algorithm = {"rsa": ["rsa:2048"], "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]}
    subprocess.run(["openssl", "req", "-x509", "-newkey", *algorithm[kind], "-nodes", "-days", "2",
                    "-subj", "/CN=" + kind, "-keyout", path, "-out", path + ".crt"],
                   check=True, capture_output=True)
    with open(path, "a") as file, open(path + ".crt") as certificate:
        file.write(certificate.read())
    os.chmod(path, 0o600)
    return path


def secrets(path):
    """The numbers of a key that only its owner has, as bytes, the highest first."""
    text = subprocess.run(["openssl", "pkey", "-in", path, "-noout", "-text"], check=True,
                          capture_output=True, text=True).stdout
    for name in ("priv", "prime1", "prime2", "privateExponent"):
        found = re.search(rf"^{name}:\n((?:\s+[0-9a-f:]+\n)+)", text, re.M)
        if found:
            yield bytes.fromhex(re.sub(r"[\s:]", "", found.group(1))).lstrip(b"\0")


def forms(path):
    for number in secrets(path):
        yield number[:32]            # in DER
        yield number[::-1][:32]      # in words of the processor
    with open(path, "rb") as file:
        lines = file.read().splitlines()
    yield lines[2][:48]              # in the file


def handshake(mta, version, number=0):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    smtp = Smtp(mta.port(number))
    smtp.say("EHLO x", "250-")
    smtp.say("STARTTLS", "220 ")
    smtp.file.close()
    smtp.socket = context.wrap_socket(smtp.socket)
    smtp.file = smtp.socket.makefile("rb")
    smtp.say("EHLO x", "250-")
    return smtp


def check_reader(mta):
    found = [entry for entry in os.listdir("/proc") if entry.isdigit()
             and process_status(int(entry)).get("PPid") == str(mta.process("tlsmgr"))]
    check_equal(len(found), 1, "tlsmgr has one child")
    status = process_status(int(found[0]))
    check_equal(int(status["CapEff"], 16), 4 if is_root() else 0, "CAP_DAC_READ_SEARCH")
    check_equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "the reader's walls")


def run(kind):
    with Instance(SETTINGS, services=["smtpd", "cleanup", "tlsmgr"], extra_services=DOORMAN) as mta:
        mta.expect_trouble("refused by the jail")
        key = new_key(mta, kind)
        mta.write_configuration(smtpd_tls_chain_files=key)
        os.makedirs(os.path.join(mta.queue, "captured"))
        os.chmod(os.path.join(mta.queue, "captured"), 0o777)
        mta.start()
        sessions = [handshake(mta, version, number) for number in (0, 9)
                    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]
        strangers = {"smtpd": Captured(socket_of(mta, f"127.0.0.1:{mta.port()}")),
                     "postscreen": Captured(socket_of(mta, f"127.0.0.1:{mta.port(9)}"))}
        tlsmgr = Captured(socket_of(mta, "tlsmgr"))
        with open(key + ".crt", "rb") as file:
            shown = ssl.PEM_cert_to_DER_cert(file.read().decode())
        for name, stranger in strangers.items():
            check_equal(stranger.tries("holds " + shown[40:100].hex()), "ok", f"{name}: the certificate is there")
            if is_root():  # as somebody else all files are his
                check(stranger.tries("open-read " + key) in ("EPERM", "EACCES"), f"{name}: the file")
        with_key = 0
        for form in forms(key):
            for name, stranger in strangers.items():
                check_equal(stranger.tries("holds " + form.hex()), "ENOENT", f"{name}: {kind} key")
            with_key += tlsmgr.tries("holds " + form.hex()) == "ok"
        check(with_key > 0, f"tlsmgr has the {kind} key")
        check_reader(mta)
        for smtp in sessions:
            smtp.say("NOOP", "250 ")


def run_dkim():
    with Instance({"mynetworks": "127.0.0.0/8", "max_idle": "1h", "mydestination": "here.example",
                   "local_recipient_maps": "", "dkim_sign_maps": "inline:{ {here.example = rsa:rsa ed:ed} }"},
                  services=["smtpd", "cleanup", "qmgr", "bounce"]) as mta:
        mta.expect_trouble("refused by the jail")
        keys = os.path.join(mta.etc, "dkim")
        os.mkdir(keys, 0o700)
        for name, options in (("rsa", []), ("ed", ["--ed25519"])):
            made = mta.run("postauth", "keygen", *options, "--key", os.path.join(keys, name),
                           "here.example", as_user=False)
            check_equal(made.returncode, 0, made.stderr)
        os.makedirs(os.path.join(mta.queue, "captured"))
        os.chmod(os.path.join(mta.queue, "captured"), 0o777)
        mta.start()
        smtp = mta.smtp()
        smtp.say("EHLO x", "250")
        smtp.say("MAIL FROM:<a@here.example>", "250")
        smtp.say("RCPT TO:<a@here.example>", "250")
        smtp.say("DATA", "354")
        smtp.send("From: a@here.example\r\n\r\nx\r\n.\r\n")
        smtp.reply()
        mta.wait_for_log("DKIM-Signature field added", count=2)
        owner = Captured(socket_of(mta, "dkimsign"))
        others = {"smtpd": Captured(socket_of(mta, f"127.0.0.1:{mta.port()}")),
                  "cleanup": Captured(socket_of(mta, "cleanup"))}
        for kind in ("rsa", "ed"):
            path = os.path.join(keys, kind)
            found = 0
            for number in secrets(path):
                for form in (number[:32], number[::-1][:32]):
                    found += owner.tries("holds " + form.hex()) == "ok"
                    for name, other in others.items():
                        check_equal(other.tries("holds " + form.hex()), "ENOENT", f"{name}: {kind} key")
            check(found > 0, f"dkimsign has the {kind} key")
            check(owner.tries("open-read " + path) in ("EPERM", "EACCES"), "its file is out of reach then")
            for name, other in others.items():
                if is_root():  # as somebody else all files are his
                    check(other.tries("open-read " + path) in ("EPERM", "EACCES"), f"{name}: the file")
        smtp.close()


if not is_captured_build():
    skip("this build is without --enable-captured")
if sanitized_build():
    skip("the sanitizers need holes in the jail")
run("rsa")
run("ec")
run_dkim()
finish()
