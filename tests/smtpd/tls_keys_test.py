#!/usr/bin/env python3
"""Which key and certificate a client gets: several kinds side by side, the older parameters,
by server name, after files have changed, and what happens while tlsmgr is not there."""
import os
import ssl
import subprocess
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, Smtp, check, check_equal, finish, kill, wait_until

SETTINGS = {"smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
            "smtpd_peername_lookup": "no", "mydestination": "here.example"}
SERVICES = ["smtpd", "cleanup", "tlsmgr"]
KINDS = {"rsa": ["rsa:2048"], "ed25519": ["ed25519"],
         "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]}


def make(mta, kind, name):
    """PEM texts of a key and a certificate with that common name."""
    path = os.path.join(mta.home, name)
    subprocess.run(["openssl", "req", "-x509", "-newkey", *KINDS[kind], "-nodes", "-days", "2",
                    "-subj", "/CN=" + name, "-keyout", path + ".key", "-out", path + ".crt"],
                   check=True, capture_output=True)
    texts = []
    for part in (".key", ".crt"):
        with open(path + part, encoding="ascii") as file:
            texts.append(file.read())
        os.unlink(path + part)
    return texts


def write(mta, name, text):
    """A file that only root may read, put in place by rename as certbot and others do."""
    path = os.path.join(mta.etc, name)
    with open(path + ".new", "w", encoding="ascii") as file:
        os.chmod(file.name, 0o600)
        file.write(text)
    os.rename(path + ".new", path)
    return path


def handshake(mta, sni=None, ciphers=None, version=None):
    """A session under TLS, and the common name of the server's certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version:
        context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    smtp = Smtp(mta.port())
    smtp.say("STARTTLS", "220 ")
    smtp.file.close()
    smtp.socket = context.wrap_socket(smtp.socket, server_hostname=sni)
    smtp.file = smtp.socket.makefile("rb")
    smtp.say("EHLO x", "250-")
    der = smtp.socket.getpeercert(True)
    text = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject"], input=der,
                          check=True, capture_output=True).stdout.decode()
    return smtp, text.split("CN = ")[1].strip()


def shown(mta, **how):
    smtp, name = handshake(mta, **how)
    smtp.close()
    return name


def kinds_and_changes():
    with Instance(SETTINGS, services=SERVICES) as mta:
        both = [part for kind in ("rsa", "ec") for part in make(mta, kind, kind + ".example")]
        write(mta, "ed.pem", "".join(make(mta, "ed25519", "ed.example")))
        chain = write(mta, "chain.pem", "".join(both))
        mta.write_configuration(smtpd_tls_chain_files=f"{chain}, {mta.etc}/ed.pem")
        mta.start()
        old = ssl.TLSVersion.TLSv1_2
        check_equal(shown(mta, version=old, ciphers="ECDHE-RSA-AES128-GCM-SHA256"),
                    "rsa.example", "RSA")
        check_equal(shown(mta, version=old, ciphers="AES128-SHA"), "rsa.example",
                    "RSA key exchange")
        check(shown(mta, version=old, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256") in
              ("ec.example", "ed.example"), "ECDSA")
        before, _ = handshake(mta)
        # Another kind of key takes the place of the others, without a reload.
        write(mta, "ed.pem", "".join(make(mta, "ec", "fresh.example")))
        write(mta, "chain.pem", "".join(make(mta, "ec", "first.example")))
        wait_until(lambda: shown(mta) == "fresh.example", "the new certificate")
        before.say("NOOP", "250 ")
        # Half of a change: the key does not fit. What was there before goes on.
        half = make(mta, "ec", "half.example")
        write(mta, "ed.pem", half[0] + make(mta, "ec", "other.example")[1])
        said = "warning: the certificates before are kept: key and certificate do not fit in"
        wait_until(lambda: shown(mta) != "fresh.example" or said in mta.log_text(), "a look")
        check_equal(shown(mta), "fresh.example", "kept")
        write(mta, "ed.pem", "".join(half))
        wait_until(lambda: shown(mta) == "half.example", "the whole change")
        # A reload with another file.
        other = write(mta, "other.pem", "".join(make(mta, "rsa", "reload.example")))
        mta.write_configuration(smtpd_tls_chain_files=other)
        mta.reload()
        check_equal(shown(mta), "reload.example", "after a reload")
        without_tlsmgr(mta)


def without_tlsmgr(mta):
    """It dies: sessions go on, and soon there are handshakes again."""
    mta.expect_trouble("killed by signal 9|private key: |tlsmgr gives no")
    smtp, _ = handshake(mta)
    pid = mta.process("tlsmgr")
    kill(pid)
    smtp.say("NOOP", "250 ")

    def again():
        try:
            return shown(mta) == "reload.example"
        except (OSError, ssl.SSLError):
            return False
    wait_until(again, "handshakes with a new tlsmgr")
    smtp.say("NOOP", "250 ")
    check(mta.process("tlsmgr") != pid, "another process")


def older_parameters():
    with Instance(SETTINGS, services=SERVICES) as mta:
        key, certificate = make(mta, "rsa", "old.example")
        write(mta, "key.pem", key)
        write(mta, "both.pem", "".join(make(mta, "ec", "ec.example")))
        mta.write_configuration(smtpd_tls_cert_file=write(mta, "cert.pem", certificate),
                                smtpd_tls_key_file=os.path.join(mta.etc, "key.pem"),
                                smtpd_tls_eccert_file=os.path.join(mta.etc, "both.pem"))
        mta.start()
        old = ssl.TLSVersion.TLSv1_2
        for cipher, name in (("RSA", "old.example"), ("ECDSA", "ec.example")):
            check_equal(shown(mta, version=old, ciphers=f"ECDHE-{cipher}-AES128-GCM-SHA256"),
                        name, cipher)


def by_name():
    with Instance(SETTINGS, services=SERVICES) as mta:
        chain = write(mta, "chain.pem", "".join(make(mta, "ec", "default.example")))
        source = write(mta, "sni", "one.example " +
                       write(mta, "one.pem", "".join(make(mta, "rsa", "one.cert"))) +
                       "\n.two.example " +
                       write(mta, "two.pem", "".join(make(mta, "ec", "two.cert"))) + "\n")
        mta.write_configuration(smtpd_tls_chain_files=chain,
                                tls_server_sni_maps="hash:" + source)
        mta.run("postmap", "-F", "hash:" + source)
        os.chmod(source + ".db", 0o600)
        mta.start()
        for name, want in ((None, "default.example"), ("one.example", "one.cert"),
                           ("ONE.example", "one.cert"), ("mx.one.example", "default.example"),
                           ("mx.two.example", "two.cert"), ("a.b.two.example", "two.cert"),
                           ("two.example", "default.example")):
            check_equal(shown(mta, sni=name), want, f"asked for {name}")
        mta.wait_for_log(r"TLS connection established from \S+: TLSv1.3 .* to one\.example$")
        with open(source, "a", encoding="ascii") as file:
            file.write("bad.example " + os.path.join(mta.etc, "nothing.pem") + "\n")
        write(mta, "nothing.pem", "nothing\n")
        mta.expect_trouble("tls_server_sni_maps: |SSL_accept error|TLS library problem")
        mta.run("postmap", "-F", "hash:" + source)

        def refused():
            try:
                return shown(mta, sni="bad.example") is None
            except (OSError, ssl.SSLError):
                return True
        wait_until(refused, "the changed table")
        check_equal(shown(mta, sni="one.example"), "one.cert", "others go on")


kinds_and_changes()
older_parameters()
by_name()
finish()
