"""dns_server.py -- an authoritative DNS server for tests: a zone in a dictionary, UDP and TCP on
a free loopback port, every question remembered.

    with DnsServer({("relay.test", "MX"): [(10, "mx.relay.test")],
                    ("mx.relay.test", "A"): ["127.0.0.1"]}) as dns:
        settings = {"dns_servers": f"127.0.0.1:{dns.port}"}

A name that the zone does not have is NXDOMAIN, one with other types NODATA. The value "SERVFAIL"
answers that, "DROP" never answers; answers that are too long for UDP set TC. The value of a TXT
record is a text or bytes, or the list of the strings that it shall consist of. Bytes that are no
UTF-8 stand in names as surrogates (PEP 383). Of types that are not known here the values are the
bytes of the record."""
import ipaddress
import re
import socket
import struct
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28,
         "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "TLSA": 52}


def encode_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            data = label.encode(errors="surrogateescape")
            out += bytes([len(data)]) + data
    return out + b"\0"


def encode_text(value):
    strings = value
    if not isinstance(value, list):
        strings = [value[i:i + 255] for i in range(0, max(len(value), 1), 255)]
    out = b""
    for string in strings:
        data = string if isinstance(string, bytes) else string.encode()
        out += bytes([len(data)]) + data
    return out


def encode_data(kind, value):
    if kind in ("A", "AAAA"):
        return ipaddress.ip_address(value).packed
    if kind == "MX":
        return struct.pack(">H", value[0]) + encode_name(value[1])
    if kind == "TXT":
        return encode_text(value)
    if isinstance(value, bytes):
        return value
    return encode_name(value)


def zone_of(text):
    """A zone as `postauth dns` prints it, as DnsServer wants it."""
    zone = {}
    joined = re.sub(r'\(\s+(".*?")\s+\)', lambda m: m[1].replace("\n\t", " "), text, flags=re.S)
    for line in joined.splitlines():
        found = re.match(r"(\S+)\. IN (\w+) (.*)$", line)
        if not found:
            assert line.startswith(";"), f"no line of a zone: {line!r}"
            continue
        name, kind, data = found.groups()
        if kind == "TXT":
            data = "".join(re.findall(r'"(.*?)"', data))
        elif kind == "MX":
            data = (int(data.split()[0]), data.split()[1].rstrip("."))
        elif kind == "TLSA":
            a, b, c, digest = data.split()
            data = bytes([int(a), int(b), int(c)]) + bytes.fromhex(digest)
        zone.setdefault((name, kind), []).append(data)
    return zone


class DnsServer:
    def __init__(self, zone, host="127.0.0.1", port=0):
        self.zone = {(name.lower().rstrip("."), kind): values
                     for (name, kind), values in zone.items()}
        self.asked = []
        while not self._bind(host, port):
            pass
        self.tcp.listen(10)
        for loop in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=loop, daemon=True).start()

    def _bind(self, host, port):
        """One port for both; False when somebody else has it for TCP already."""
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((host, port))
        self.port = self.udp.getsockname()[1]
        self.tcp = socket.socket()
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.tcp.bind((host, self.port))
        except OSError:
            self.udp.close()
            self.tcp.close()
            if port:
                raise
            return False
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.udp.close()
        self.tcp.close()

    def _serve_udp(self):
        while True:
            try:
                packet, peer = self.udp.recvfrom(4096)
                answer = self.answer(packet, 512)
                if answer:
                    self.udp.sendto(answer, peer)
            except OSError:
                return

    def _serve_tcp(self):
        while True:
            try:
                conn, _ = self.tcp.accept()
                with conn:
                    size = struct.unpack(">H", conn.recv(2))[0]
                    answer = self.answer(conn.recv(size), 65535)
                    if answer:
                        conn.sendall(struct.pack(">H", len(answer)) + answer)
            except (OSError, struct.error):
                if self.tcp.fileno() < 0:
                    return

    def _question(self, packet):
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode(errors="surrogateescape"))
            at += 1 + packet[at]
        kind = struct.unpack(">H", packet[at + 1:at + 3])[0]
        names = [name for name, number in TYPES.items() if number == kind]
        return ".".join(labels).lower(), names[0] if names else str(kind), packet[12:at + 5]

    def answer(self, packet, most):
        name, kind, question = self._question(packet)
        self.asked.append((name, kind))
        values = self.zone.get((name, kind))
        if values == "DROP":
            return None
        records, owner = [], name
        alias = self.zone.get((owner, "CNAME"))
        while alias and kind != "CNAME" and values is None and len(records) < 20:  # a loop
            records.append((owner, "CNAME", alias[0]))
            owner = alias[0].lower()
            values = self.zone.get((owner, kind))
            alias = self.zone.get((owner, "CNAME"))
        rcode = 0
        if values == "SERVFAIL":
            rcode, values = 2, []
        elif values is None and not any(n == owner for n, _ in self.zone):
            rcode = 3
        records += [(owner, kind, value) for value in values or []]
        body = b"".join(encode_name(n) + struct.pack(">HHIH", TYPES[k], 1, 60, len(d)) + d
                        for n, k, d in ((n, k, encode_data(k, v)) for n, k, v in records))
        flags, count = 0x8580 | rcode, len(records)
        if 12 + len(question) + len(body) > most:
            flags, count, body = flags | 0x0200, 0, b""
        return packet[:2] + struct.pack(">HHHHH", flags, 1, count, 0, 0) + question + body
