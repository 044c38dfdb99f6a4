#!/usr/bin/env python3
"""postern tls: from nothing to a server that a client can tell by its TLSA record; and what
it leaves alone."""
import glob
import hashlib
import os
import re
import smtplib
import ssl
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, check, check_equal, check_match, finish

mta = Instance(services=["smtpd", "cleanup", "qmgr"])


def tls(*arguments, status=0):
    return mta.postern("tls", *arguments, status=status)


def setting(name):
    return mta.run("postconf", "-hx", name).stdout.strip()


def openssl(*arguments, stdin=None):
    return subprocess.run(["openssl", *arguments], input=stdin, check=True,
                          capture_output=True).stdout


def files(pattern):
    return sorted(glob.glob(os.path.join(mta.etc, pattern)))


with mta:
    tls("all-default-client")
    tls("all-default-server")
    tls("enable-client", "-r", "dev:/dev/urandom")
    check_equal((setting("smtp_tls_security_level"), setting("tls_random_source")),
                ("may", "dev:/dev/urandom"), "enable-client")
    tls("all-default-client", status=1)
    done = tls("enable-client")
    check_match("smtp_tls_security_level = may", done.stderr, "what would have been set")

    # A server, and how others see it.
    tls("enable-server", "-b", "2048", "mail.test.example", "*.test.example")
    [key], [certificate] = files("key-*.pem"), files("cert-*.pem")
    check_equal([setting(f"smtpd_tls_{name}") for name in
                 ("security_level", "key_file", "cert_file")], ["may", key, certificate],
                "enable-server")
    check_equal(os.stat(key).st_mode & 0o777, 0o600, "mode of the key")
    text = openssl("x509", "-in", certificate, "-noout", "-text").decode()
    check_match(r"DNS:mail\.test\.example, DNS:\*\.test\.example", text, "names")
    check_match(r"Subject: CN ?= ?mail\.test\.example", text, "subject")
    check_match(r"Public-Key: \(2048 bit\)", text, "bits")
    tls("all-default-server", status=1)
    mta.start()
    client = smtplib.SMTP("127.0.0.1", mta.port(0))
    context = ssl._create_unverified_context()
    client.starttls(context=context)
    spki = openssl("pkey", "-pubin", "-outform", "DER", stdin=openssl(
        "x509", "-noout", "-pubkey", "-inform", "DER",
        stdin=client.sock.getpeercert(binary_form=True)))
    client.quit()
    want = f"_25._tcp.mail.test.example. IN TLSA 3 1 1 {hashlib.sha256(spki).hexdigest()}\n"
    check(tls("output-server-tlsa").stdout.endswith(want), f"the record of the server: {want}")
    check(tls("output-server-tlsa", "-h", "mail.test.example", key).stdout.endswith(want),
          "the record of a key")
    request = tls("output-server-csr", "-k", "rsa", "a.example", "b.example").stdout
    text = openssl("req", "-noout", "-text", "-verify", stdin=request.encode()).decode()
    check_match("DNS:a.example, DNS:b.example", text, "a request")

    # Others' names and another algorithm; the key stays, or does not.
    done = tls("new-server-key", "-a", "ecdsa", "-b", "secp384r1")
    [eckey], [eccertificate] = files("eckey-*.pem"), files("eccert-*.pem")
    check_match(f"postern tls deploy-server-cert {eccertificate} {eckey}", done.stderr, "how")
    check_equal(setting("smtpd_tls_eckey_file"), "", "before it is deployed")
    tls("deploy-server-cert", os.path.basename(eccertificate), os.path.basename(eckey))
    check_equal((setting("smtpd_tls_eckey_file"), setting("smtpd_tls_eccert_file")),
                (eckey, eccertificate), "deploy-server-cert")
    check_equal(len(re.findall("TLSA 3 1 1", tls("output-server-tlsa").stdout)), 2, "records")
    done = tls("deploy-server-cert", eccertificate, key, status=1)
    check_match("is not the certificate of", done.stderr, "two that do not fit")
    os.rename(key, key.replace("key-", "first-key-"))
    mta.run("postconf", f"smtpd_tls_key_file={key.replace('key-', 'first-key-')}")
    tls("new-server-cert", "new.test.example")
    [copy] = files("key-*.pem")
    with open(copy, encoding="utf-8") as one, \
            open(setting("smtpd_tls_key_file"), encoding="utf-8") as two:
        check_equal(one.read(), two.read(), "new-server-cert keeps the key")
    check_equal(os.stat(copy).st_mode & 0o777, 0o600, "mode of the copy")

    for wrong in ([], ["nonsense"], ["new-server-key", "-a", "dsa"], ["new-server-key", "-x"],
                  ["new-server-key", "a,b"], ["output-server-csr", "-k", "/none"],
                  ["deploy-server-cert", "one"], ["output-server-tlsa", "-h", "a b"]):
        done = tls(*wrong, status=1)
        check(done.stderr and not done.stdout, f"postern tls {wrong}: {done}")
finish()
