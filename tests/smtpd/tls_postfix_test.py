#!/usr/bin/env python3
"""TLS of smtpd against Debian's Postfix 3.7: the same settings, certificates and clients; what
the server replies, logs, and writes into Received is compared line by line."""
import difflib
import functools
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Instance, Smtp, check, finish, free_port, is_root, skip, wait_until
from postfix37 import Postfix37, is_there
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "smtp"))
from sink import Sink

BASE = {
    "mydestination": "", "relay_domains": "relay.example", "mynetworks": "",
    "smtpd_peername_lookup": "no", "smtpd_error_sleep_time": "0", "compatibility_level": "3.6",
    "smtpd_tls_loglevel": "1", "smtpd_tls_received_header": "yes",
    "smtpd_tls_security_level": "may", "smtpd_tls_chain_files": "@rsa@", "notify_classes": "",
    "requiretls_enable": "no",  # of Postfix 3.11
}
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
KEYS = {"rsa": ["rsa:2048"], "ed25519": ["ed25519"],
        "ec": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]}

# (settings beside BASE, the client)
CASES = [
    ({}, {}),
    ({}, {"version": TLS12}),
    ({}, {"version": TLS12, "ciphers": "AES128-SHA"}),
    ({}, {"version": TLS12, "ciphers": "DHE-RSA-AES128-GCM-SHA256"}),
    ({}, {"version": TLS12, "ciphers": "ADH-AES256-GCM-SHA384:@SECLEVEL=0"}),
    ({}, {"sni": "nobody.example"}),
    ({"smtpd_tls_chain_files": "@ec@"}, {}),
    ({"smtpd_tls_chain_files": "@ed25519@"}, {}),
    ({"smtpd_tls_chain_files": "@rsa@, @ec@, @ed25519@"}, {}),
    ({"smtpd_tls_chain_files": "@rsa@, @ec@"}, {"version": TLS12}),
    ({"smtpd_tls_chain_files": "", "smtpd_tls_cert_file": "@rsa@"}, {}),
    ({"smtpd_tls_chain_files": "", "smtpd_tls_cert_file": "@rsa@",
      "smtpd_tls_eccert_file": "@ec@"}, {}),
    ({"smtpd_tls_chain_files": "", "smtpd_tls_cert_file": "none"},
     {"version": TLS12, "ciphers": "ADH-AES256-GCM-SHA384:@SECLEVEL=0"}),
    ({"smtpd_tls_security_level": "none"}, {}),
    ({"smtpd_tls_security_level": "encrypt"}, {}),
    ({"smtpd_tls_security_level": "encrypt"}, {"plain": True}),
    ({"smtpd_tls_received_header": "no"}, {}),
    # protocols and ciphers
    ({"smtpd_tls_protocols": ">=TLSv1.3"}, {"version": TLS12}),
    ({"smtpd_tls_protocols": "!TLSv1.3"}, {}),
    ({"smtpd_tls_protocols": "<=TLSv1.2"}, {"version": TLS13}),
    ({"smtpd_tls_mandatory_protocols": "<=TLSv1.2"}, {"version": TLS13}),
    ({"smtpd_tls_mandatory_protocols": "<=TLSv1.2", "smtpd_tls_security_level": "encrypt"},
     {"version": TLS13}),
    ({"smtpd_tls_exclude_ciphers": "AES256, CHACHA20"}, {"version": TLS12}),
    ({"smtpd_tls_mandatory_exclude_ciphers": "AES256"}, {"version": TLS12}),
    ({"smtpd_tls_mandatory_exclude_ciphers": "AES256", "smtpd_tls_security_level": "encrypt"},
     {"version": TLS12}),
    ({"smtpd_tls_ciphers": "high", "tls_high_cipherlist": "AES128-SHA"}, {"version": TLS12}),
    ({"tls_medium_cipherlist": "ECDHE-RSA-AES128-SHA"}, {"version": TLS12}),
    ({"smtpd_tls_ciphers": "null"}, {"version": TLS12, "ciphers": "NULL-SHA256:@SECLEVEL=0"}),
    ({"tls_preempt_cipherlist": "yes"},
     {"version": TLS12, "ciphers": "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"}),
    ({}, {"version": TLS12,
          "ciphers": "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"}),
    ({"smtpd_tls_eecdh_grade": "strong"}, {"curve": "prime256v1"}),
    ({"smtpd_tls_eecdh_grade": "strong"}, {"curve": "secp384r1"}),
    ({"smtpd_tls_eecdh_grade": "ultra"}, {"curve": "secp384r1"}),
    ({"tls_eecdh_auto_curves": "secp521r1 nonsense"}, {"curve": "secp521r1"}),
    ({"smtpd_tls_dh1024_param_file": "@dh@"},
     {"version": TLS12, "ciphers": "DHE-RSA-AES128-GCM-SHA256"}),
    ({"tls_ssl_options": "NO_RENEGOTIATION, 0x1"}, {}),
    # clients' certificates
    ({"smtpd_tls_ask_ccert": "yes"}, {}),
    ({"smtpd_tls_ask_ccert": "yes"}, {"cert": "client"}),
    ({"smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": "@ca@"}, {"cert": "client"}),
    ({"smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": "@ca@"}, {"cert": "stranger"}),
    ({"smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": "@ca@"},
     {"cert": "client", "version": TLS12}),
    ({"smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": "@ca@",
      "smtpd_tls_ccert_verifydepth": "0"}, {"cert": "client"}),
    ({"smtpd_tls_ask_ccert": "yes", "smtpd_tls_CApath": "@capath@"}, {"cert": "client"}),
    ({"smtpd_tls_req_ccert": "yes"}, {}),
    ({"smtpd_tls_req_ccert": "yes", "smtpd_tls_security_level": "encrypt"}, {}),
    ({"smtpd_tls_req_ccert": "yes", "smtpd_tls_security_level": "encrypt",
      "smtpd_tls_CAfile": "@ca@"}, {"version": TLS12}),
    ({"smtpd_tls_req_ccert": "yes", "smtpd_tls_security_level": "encrypt",
      "smtpd_tls_CAfile": "@ca@"}, {"cert": "client"}),
    ({"smtpd_tls_req_ccert": "yes", "smtpd_tls_security_level": "encrypt",
      "smtpd_tls_CAfile": "@ca@"}, {"cert": "stranger"}),
    ({"smtpd_tls_req_ccert": "yes", "smtpd_tls_security_level": "encrypt",
      "smtpd_tls_CAfile": "@ca@", "smtpd_recipient_restrictions": "reject"},
     {"cert": "stranger", "version": TLS12}),
]
# Restrictions that look at certificates, each with both clients.
PRINTS = "inline:{ { @fingerprint@ = REJECT by fingerprint } }"
KEY_PRINTS = "inline:{ { @key_fingerprint@ = REJECT by key } }"
for checked in (
        "permit_tls_all_clientcerts, reject", "permit_tls_clientcerts, reject",
        f"check_ccert_access {PRINTS}, permit", f"check_ccert_access {KEY_PRINTS}, permit",
        "check_ccert_access { %s, { search_order = pubkey_fingerprint } }, permit" % PRINTS,
        "check_ccert_access { %s, { search_order = pubkey_fingerprint, cert_fingerprint } }, "
        "permit" % PRINTS,
        "check_ccert_access { %s, { search_order = pubkey_fingerprint } }, permit" % KEY_PRINTS,
        "check_ccert_access { %s, { search_order = cert_fingerprint } }, permit" % KEY_PRINTS):
    for who in ("client", "stranger"):
        CASES.append(({"smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": "@ca@",
                       "relay_clientcerts": "inline:{ @fingerprint@=x }",
                       "smtpd_recipient_restrictions": checked}, {"cert": who}))
for digest in ("md5", "sha1", "sha512"):
    CASES.append(({"smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": "@ca@",
                   "smtpd_tls_fingerprint_digest": digest,
                   "smtpd_recipient_restrictions": f"check_ccert_access {PRINTS}, permit"},
                  {"cert": "client", "digest": digest}))
for how in ({}, {"cert": "stranger"}, {"version": TLS12, "ciphers": "NULL-SHA256:@SECLEVEL=0"},
            {"garbage": True}):
    CASES.append(({"smtpd_tls_loglevel": "0", "smtpd_tls_ask_ccert": "yes",
                   "smtpd_tls_CAfile": "@ca@"}, how))
CASES.append(({}, {"garbage": True}))
CASES.append(({}, {"version": TLS12, "ciphers": "NULL-SHA256:@SECLEVEL=0"}))


# ---- keys and certificates ----

class Files:
    """What settings and clients name, in one folder."""

    def __init__(self, folder):
        self.folder = folder
        for kind, how in KEYS.items():
            self.openssl("req", "-x509", "-newkey", *how, "-nodes", "-days", "2", "-subj",
                         f"/CN={kind}.example", "-keyout", f"{kind}.pem", "-out", f"{kind}.crt")
            self.join(f"{kind}.pem", f"{kind}.crt")
        for name in ("ca", "other"):
            self.openssl("req", "-x509", "-newkey", *KEYS["ec"], "-nodes", "-days", "2", "-subj",
                         f"/CN=The {name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
        for name, issuer in (("client", "ca"), ("stranger", "other")):
            self.openssl("req", "-new", "-newkey", *KEYS["rsa"], "-nodes", "-subj",
                         f"/O=Someone/CN={name}.example", "-keyout", f"{name}.pem", "-out",
                         f"{name}.csr")
            self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{issuer}.pem", "-CAkey",
                         f"{issuer}.key", "-CAcreateserial", "-days", "2", "-out", f"{name}.crt")
            self.join(f"{name}.pem", f"{name}.crt")
        os.mkdir(self.path("capath"))
        shutil.copy(self.path("ca.pem"), self.path("capath"))
        self.openssl("rehash", self.path("capath"))
        self.openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe3072",
                     "-out", "dh.pem")

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *arguments):
        return subprocess.run(["openssl", *arguments], cwd=self.folder, check=True,
                              capture_output=True).stdout

    def join(self, to, also):
        with open(self.path(to), "a", encoding="ascii") as out, \
                open(self.path(also), encoding="ascii") as file:
            out.write(file.read())

    @functools.lru_cache(None)
    def prints(self, digest):
        """Of the client's certificate, and of its public key."""
        ours = self.openssl("x509", "-in", "client.crt", "-noout", "-fingerprint", "-" + digest)
        der = subprocess.run("openssl x509 -in client.crt -noout -pubkey | openssl pkey -pubin "
                             "-outform DER", shell=True, cwd=self.folder, check=True,
                             capture_output=True).stdout
        key = hashlib.new(digest, der).hexdigest().upper()
        return ours.decode().strip().split("=")[1], ":".join(re.findall("..", key))

    def fill_in(self, text, digest):
        names = {"capath": self.path("capath")}
        names.update({name: self.path(name + ".pem") for name in (*KEYS, "ca", "dh")})
        names["fingerprint"], names["key_fingerprint"] = self.prints(digest)
        return re.sub("@(\\w+)@", lambda found: names[found[1]], text)


# ---- one session ----

# Ours are said when the process starts; of what is wrong with a certificate that is required,
# Postfix says more.
OTHERWISE = r"ignoring unknown ECDHE curve|Can't require client certs|certificate verification failed"

TAKEN = set()  # ports


def plain(text):
    """Without what differs between any two servers and sessions."""
    for pattern, instead in ((r"^.*?/(\w+)\[\d+\]: ", r"\1: "), (r"^smtpd: [0-9A-F]{8,}:", "smtpd: ID:"),
                             (r"\b(queued as|id) [0-9A-F]{8,}", r"\1 ID"),
                             (r"Postern|Postfix", "MTA"), (r"port=\d+", "port=N"),
                             (r"\[127\.0\.0\.1\]:\d+", "[127.0.0.1]:N"),
                             (r"; .*\d{4} \d\d:\d\d:\d\d .*", "; DATE"),
                             (r":ssl/.*?\.c:\d+:", ":ssl/FILE:"), (r"\b\d+:error:", "N:error:")):
        text = re.sub(pattern, instead, text, flags=re.M)
    return text


def context(files, how):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if "version" in how:
        made.minimum_version = made.maximum_version = how["version"]
    if "ciphers" in how:
        made.set_ciphers(how["ciphers"])
    if "curve" in how:
        made.set_ecdh_curve(how["curve"])
    if "cert" in how:
        made.load_cert_chain(files.path(how["cert"] + ".pem"))
    return made


class System:
    """One of the two, with a service for each case: a port, and its settings as -o."""

    def __init__(self, kind, files):
        self.sink = Sink()
        self.files = files
        lines = [f"127.0.0.1:{{port{number}}} inet n - n - - smtpd "
                 + " ".join(f"-o {{ {name} = {self.value(value, how)} }}"
                            for name, value in settings.items())
                 for number, (settings, how) in enumerate(CASES, 1)]
        self.mta = kind({**BASE, "transport_maps": f"static:smtp:[127.0.0.1]:{self.sink.port}"},
                        extra_services=lines)
        for number in range(len(CASES) + 1):
            while self.mta.port(number) in TAKEN:
                self.mta.ports[number] = free_port()
            TAKEN.add(self.mta.port(number))
        self.mta.write_configuration(**{name: files.fill_in(value, "sha256")
                                        for name, value in BASE.items()})

    def value(self, text, how):
        return self.files.fill_in(text, how.get("digest", "sha256"))

    def outcome(self, number, how):
        """What was said in one session, Received of the mail it brought, and the log."""
        since, mails = self.mta.log_position(), len(self.sink.messages)
        said = self.session(number, how)
        self.mta.wait_for_log(r"smtpd\[\d+\]: disconnect from", since=since)
        log = [plain(line) for line in self.mta.log_text(since).splitlines()
               if re.search(r"smtpd\[\d+\]: ", line) and not re.search(OTHERWISE, line)]
        if any("queued as" in reply for reply in said):
            wait_until(lambda: len(self.sink.messages) > mails, "the mail")
            head = b"".join(self.sink.messages[mails][-1]).decode("latin-1").replace("\r\n", "\n")
            said.append(re.search(r"^Received: .*\n(?:[ \t].*\n)*", head, re.M)[0])
        return [plain(text) for text in said], log

    def session(self, number, how):
        smtp = Smtp(self.mta.port(number), greeting=None)
        said = [smtp.reply()]

        def say(line):
            smtp.send(line + "\r\n")
            said.append(line + ": " + smtp.reply())
            return said[-1]
        try:
            say("EHLO client.example")
            if "STARTTLS" in said[-1] and not how.get("plain"):
                say("STARTTLS")
                if how.get("garbage"):
                    smtp.send("EHLO client.example\r\n")
                    said.append("(ends)" if smtp.reply()[:1] in ("(", "", "\x15") else "?")
                    return said
                smtp.file.close()
                smtp.socket = context(self.files, how).wrap_socket(
                    smtp.socket, server_hostname=how.get("sni"))
                smtp.file = smtp.socket.makefile("rb")
                said.append("cipher " + repr(smtp.socket.cipher()))
                say("EHLO client.example")
                if ": 421 " in said[-1]:
                    return said
            say("MAIL FROM:<a@client.example>")
            say("RCPT TO:<b@relay.example>")
            if said[-1].split(": ")[1].startswith("250"):
                say("DATA")
                say("Subject: x\r\n\r\nx\r\n.")
            say("QUIT")
        except (OSError, ssl.SSLError) as error:
            said.append("failed: " + type(error).__name__)
        finally:
            smtp.close()
        return said


if not is_root():
    skip("needs root: Postfix runs as root only")
if not is_there():
    skip("no Postfix 3.7 to compare with")
with tempfile.TemporaryDirectory(prefix="postern-tls-") as folder:
    files = Files(folder)
    theirs, ours = System(Postfix37, files), System(Instance, files)
    ours.mta.expect_trouble("TLS library problem")
    with theirs.mta, ours.mta:
        theirs.mta.start()
        ours.mta.start()
        for number, (settings, how) in enumerate(CASES, 1):
            want, got = theirs.outcome(number, how), ours.outcome(number, how)
            for what, a, b in zip(("said", "logged"), want, got):
                difference = list(difflib.unified_diff(a, b, "theirs", "ours", n=0, lineterm=""))
                check(not difference, "\n".join([f"{settings} {how}: {what}", *difference]))
finish()
