#!/usr/bin/env python3
"""Validation decides where it is asked for, and nowhere else: a signed zone, a wrong signature,
an unsigned zone, with the zone's key as dns_trust_anchor."""
import base64
import os
import struct
import subprocess
import sys
import tempfile
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from ask import A, ASK, ask
from dns_server import TYPES, DnsServer, encode_data, encode_name
from harness import Instance, check_equal, finish, skip

ED25519 = 15
RRSIG, DNSKEY = 46, 48
TYPES["DNSKEY"] = DNSKEY
SIGNED = "signed.example"
TTL = 60


class Key:
    """An Ed25519 key of the zone (RFC 8080)."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile()
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", self.file.name],
                       check=True, capture_output=True)
        der = subprocess.run(["openssl", "pkey", "-in", self.file.name, "-pubout", "-outform",
                              "DER"], check=True, capture_output=True).stdout
        self.public = der[-32:]
        self.rdata = struct.pack(">HBB", 257, 3, ED25519) + self.public
        total = sum(b << 8 if i % 2 == 0 else b for i, b in enumerate(self.rdata))
        self.tag = (total + (total >> 16)) & 0xffff

    def sign(self, data):
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey",
                                   self.file.name, "-in", file.name], check=True,
                                  capture_output=True).stdout

    def signature(self, owner, kind, rdatas):
        """The RRSIG of a set (RFC 4034 section 3)."""
        now = int(time.time())
        head = struct.pack(">HBBIIIH", kind, ED25519, owner.count(".") + 1, TTL, now + 86400,
                           now - 86400, self.tag) + encode_name(SIGNED)
        rows = b"".join(encode_name(owner) + struct.pack(">HHIH", kind, 1, TTL, len(r)) + r
                        for r in sorted(rdatas))
        return head + self.sign(head + rows)


class SignedServer(DnsServer):
    """Adds the RRSIG to each answer out of the signed zone; that of `forged` is wrong."""

    def __init__(self, zone, key):
        self.key = key
        super().__init__(zone)

    def answer(self, packet, most):
        name, kind, question = self._question(packet)
        if name == SIGNED and kind == "DNSKEY":
            rdatas = [self.key.rdata]
        elif name.endswith("." + SIGNED) and (name, kind) in self.zone:
            rdatas = [encode_data(kind, v) for v in self.zone[(name, kind)]]
        else:
            return super().answer(packet, most)
        signature = self.key.signature(name, TYPES[kind], rdatas)
        if name.startswith("forged."):
            signature = signature[:-1] + bytes([signature[-1] ^ 1])
        rows = [(TYPES[kind], r) for r in rdatas] + [(RRSIG, signature)]
        body = b"".join(encode_name(name) + struct.pack(">HHIH", t, 1, TTL, len(r)) + r
                        for t, r in rows)
        return packet[:2] + struct.pack(">HHHHH", 0x8580, 1, len(rows), 0, 0) + question + body


VALIDATE = 1
if not os.access(ASK, os.X_OK):
    skip(f"{ASK} is not built")
zone = {("good.signed.example", "A"): ["192.0.2.1"], ("forged.signed.example", "A"): ["192.0.2.2"],
        ("open.example", "A"): ["192.0.2.3"]}
key = Key()
with SignedServer(zone, key) as server, Instance() as mta:
    os.makedirs(os.path.join(mta.home, "keys"))
    anchor = os.path.join(mta.home, "keys", "anchor")
    with open(anchor, "w") as file:
        file.write(f"{SIGNED}. IN DNSKEY 257 3 {ED25519} "
                   f"{base64.b64encode(key.public).decode()}\n")
    mta.write_configuration(dns_servers=f"127.0.0.1:{server.port}", dns_trust_anchor=anchor)
    mta.start()
    check_equal(ask(mta, (A, "good.signed.example", VALIDATE))[0],
                ["OK", "secure", "0:192.0.2.1"], "a signed name")
    check_equal(ask(mta, (A, "good.signed.example"))[0], ["OK", "insecure", "0:192.0.2.1"],
                "the same without validation")
    check_equal(ask(mta, (A, "forged.signed.example", VALIDATE))[0], ["TEMPFAIL", "insecure"],
                "a forged name")
    check_equal(ask(mta, (A, "forged.signed.example"))[0], ["OK", "insecure", "0:192.0.2.2"],
                "the same without validation")
    check_equal(ask(mta, (A, "open.example", VALIDATE))[0], ["OK", "insecure", "0:192.0.2.3"],
                "a name outside")
finish()
