"""dns_signed.py -- DNS servers whose zones are signed (RFC 4033), for tests.

    with SignedServer(zone, ["signed.example"], forged=["bad.signed.example"]) as dns:
        dns.write_anchor(path)                          # for dns_trust_anchor

A zone is as for DnsServer; names below the origins are signed, all others are not. There is proof,
too, of what does not exist. The signatures of names that are, or are below, those in `forged` are
wrong.

ValidatingServer is what such a zone looks like behind a resolver that validates: AD, and SERVFAIL."""
import base64
import os
import struct
import subprocess
import tempfile
import time

from dns_server import TYPES, DnsServer, encode_data, encode_name

ED25519 = 15


class Key:
    """An Ed25519 key of a zone (RFC 8080)."""

    def __init__(self, ttl):
        self.ttl = ttl
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

    def signature(self, origin, owner, kind, rdatas):
        """The RRSIG of a set (RFC 4034 section 3)."""
        now = int(time.time())
        head = struct.pack(">HBBIIIH", kind, ED25519, owner.count(".") + 1, self.ttl, now + 86400,
                           now - 86400, self.tag) + encode_name(origin)
        rows = b"".join(encode_name(owner) + struct.pack(">HHIH", kind, 1, self.ttl, len(r)) + r
                        for r in sorted(rdatas))
        return head + self.sign(head + rows)


def is_below(name, parents):
    """The parent that the name is, or is below; None."""
    return next((p for p in parents if name == p or name.endswith("." + p)), None)


def type_bitmap(kinds):
    """RFC 4034 section 4.1.2; types below 256."""
    bits = bytearray(32)
    for kind in kinds:
        bits[kind // 8] |= 0x80 >> kind % 8
    used = bytes(bits).rstrip(b"\0")
    return bytes([0, len(used)]) + used


class SignedServer(DnsServer):
    def __init__(self, zone, origins, forged=(), ttl=60, **where):
        self.key = Key(ttl)
        self.ttl = ttl
        self.origins, self.forged = origins, forged
        self.signed = {}
        super().__init__(zone, **where)

    def write_anchor(self, path):
        with open(path, "w") as file:
            for origin in self.origins:
                file.write(f"{origin}. IN DNSKEY 257 3 {ED25519} "
                           f"{base64.b64encode(self.key.public).decode()}\n")

    def _set(self, origin, owner, kind, rdatas):
        """Records and their signature, as they stand in an answer."""
        known = (owner, kind, *sorted(rdatas))
        if known not in self.signed:
            signature = self.key.signature(origin, owner, TYPES[kind], rdatas)
            if is_below(owner, self.forged):
                signature = signature[:-1] + bytes([signature[-1] ^ 1])
            self.signed[known] = signature
        rows = [(TYPES[kind], r) for r in rdatas] + [(TYPES["RRSIG"], self.signed[known])]
        return [encode_name(owner) + struct.pack(">HHIH", t, 1, self.ttl, len(r)) + r for t, r in rows]

    def _absence(self, origin, name):
        """That there are no other types, by one NSEC that is made up for each question."""
        there = {TYPES[k] for n, k in self.zone if n == name} | {TYPES["RRSIG"], TYPES["NSEC"]}
        soa = encode_name(origin) * 2 + struct.pack(">5I", 1, 3600, 600, 86400, self.ttl)
        return self._set(origin, origin, "SOA", [soa]) + self._set(
            origin, name, "NSEC", [b"\1\0" + encode_name(name) + type_bitmap(there)])

    def answer(self, packet, most):
        name, kind, question = self._question(packet)
        origin = is_below(name, self.origins)
        values = self.zone.get((name, kind))
        if not origin or values in ("SERVFAIL", "DROP"):
            return super().answer(packet, most)
        self.asked.append((name, kind))
        rows, proof = [], []
        if name == origin and kind == "DNSKEY":
            rows = self._set(origin, name, kind, [self.key.rdata])
        elif values:
            rows = self._set(origin, name, kind, [encode_data(kind, v) for v in values])
        elif (name, "CNAME") in self.zone:
            alias = self.zone[(name, "CNAME")]
            rows = self._set(origin, name, "CNAME", [encode_name(alias[0])])
        else:
            proof = self._absence(origin, name)
        return packet[:2] + struct.pack(">HHHHH", 0x8580, 1, len(rows), len(proof), 0) + \
            question + b"".join(rows + proof)


class ValidatingServer(DnsServer):
    def __init__(self, zone, origins, forged=(), **where):
        self.origins, self.forged = origins, forged
        super().__init__(zone, **where)

    def answer(self, packet, most):
        name, kind, question = self._question(packet)
        said = super().answer(packet, most)
        names = [name]
        while kind != "CNAME" and (alias := self.zone.get((names[-1], "CNAME"))) and \
                alias[0] not in names:
            names.append(alias[0])
        if any(is_below(n, self.forged) for n in names):
            return packet[:2] + struct.pack(">HHHHH", 0x8582, 1, 0, 0, 0) + question
        if said and all(is_below(n, self.origins) for n in names):
            said = said[:3] + bytes([said[3] | 0x20]) + said[4:]
        return said
