#!/usr/bin/python3
"""Reads a mail log by the book, spool(5), and nothing else: independent of lib/spool.

usage: reader.py DIRECTORY     prints a line for each live message and each of its states:
    message MID QUEUE-ID ARRIVAL SIZE HOLD EXPIRE WAKE ENVELOPE CONTENT BODY    (hex; - none)
    state MID KIND TIME RECIPIENTS STATUS REASON
and on stderr what is wrong. Exit 1 when something is."""
import os
import struct
import sys

TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
    TABLE.append(n)
FAULTS = []


def crc32c(data, crc=0):
    crc ^= 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def fault(text):
    FAULTS.append(text)
    print(f'reader: {text}', file=sys.stderr)


class Segment:
    def __init__(self, path):
        self.name = os.path.basename(path)
        with open(path, 'rb') as f:
            self.data = f.read()
        self.size = len(self.data)
        heads = [h for h in (self.data[:64], self.data[-4096:-4032]) if h[:8] == b'PostLog\1'
                 and int.from_bytes(h[60:64], 'big') == crc32c(h[:60])]
        if not heads:
            raise ValueError('no header of version 1')
        head = heads[0]
        self.generation, self.slot, self.salt, size = struct.unpack('>IIQI', head[8:28])
        if size != self.size:
            raise ValueError(f'is {self.size} bytes long, not {size}')
        self.seed = (self.salt ^ self.salt >> 32) & 0xffffffff ^ self.generation
        self.stream = 0

    def batch(self, at):
        """(length, durable point, flags) of a genuine batch at this offset, or None."""
        head = self.data[at:at + 64]
        if (head[:12] != struct.pack('>Q', self.salt) + b'Batc'
                or int.from_bytes(head[60:64], 'big') != crc32c(head[:60])):
            return None
        generation, where, length = struct.unpack('>III', head[12:24])
        if generation != self.generation or where != at or not 64 <= length <= self.size - 4096 - at:
            return None
        self.stream = head[44]
        return length, struct.unpack('>II', head[36:44]), head[45]

    def record(self, at, end):
        """(length, head, sequence, type, flags) of a whole record, or None."""
        if end - at < 32:
            return None
        crc, length, head, generation, sequence, kind, flags = struct.unpack_from(
            '>IIIIQBB', self.data, at)
        if (generation != self.generation or not 32 <= head <= length <= end - at
                or crc32c(self.data[at + 4:at + head], self.seed) != crc):
            return None
        return length, head, sequence, kind, flags

    def records(self, durable, bad):
        """Each record; the furthest durable point goes to durable, bad bytes to bad."""
        at = 4096
        while at <= self.size - 4096 - 64:
            found = self.batch(at)
            if not found:
                later = next((o for o in range(at + 64 & ~63, self.size - 4096, 64)
                              if self.data[o:o + 8] == self.data[16:24] and self.batch(o)), None)
                if later is None:
                    return
                bad.append((self, at, later))
                at = later
                continue
            length, point, flags = found
            durable[self.stream] = max(durable.get(self.stream, (0, 0)), point)
            here, end = at + 64, at + length
            while here < end and not flags & 1:
                record = self.record(here, end)
                if not record:
                    bad.append((self, here, min(here + 8, end)))
                    here += 8
                    continue
                yield (here, *record)
                here += record[0] + 7 & ~7
            at, block = at + length + 63 & ~63, at + length + 4095 & ~4095
            at = at if any(self.data[at:block]) else block


class Fields:
    """Fields one after the other; what is missing is zero or None."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, size):
        self.at += size
        return int.from_bytes(self.data[self.at - size:self.at], 'big')

    def string(self):
        n = self.number(4)
        self.at += max(n - 1, 0)
        return bytes(self.data[self.at - n + 1:self.at]) if n else None


def read_state(data):
    f = Fields(data)
    f.number(8)
    return f.number(1), f.number(8), f.string(), f.string(), f.string()


def read_message(segment, at, length, sequence, flags):
    d = segment.data[at:at + length]
    arrival, size, body, _, envelope, content, ecrc, ccrc, _ = struct.unpack('>QQQIIIIII', d[32:80])
    parts = d[112:112 + envelope], d[112 + envelope:112 + envelope + content]
    whole = crc32c(parts[0]) == ecrc and crc32c(parts[1]) == ccrc
    return {'mid': sequence, 'id': d[80:112].rstrip(b'\0').decode(), 'arrival': arrival,
            'size': size, 'hold': flags & 1, 'body': body, 'parts': parts, 'whole': whole,
            'where': (segment, at)}


def read_states(segment, at, length):
    mid, count = struct.unpack_from('>QI', segment.data, at + 32)
    at, states = at + 44, []
    for _ in range(count):
        n = int.from_bytes(segment.data[at:at + 4], 'big')
        states.append(read_state(segment.data[at + 4:at + 4 + n]))
        at += 4 + n
    return mid, states


def read_log(directory):
    """{mid: message}, {mid: {sequence: (is snapshot, states)}}"""
    messages, states, durable, bad = {}, {}, {}, []
    for name in sorted(os.listdir(directory)):
        if not name.endswith('.seg'):
            continue
        try:
            segment = Segment(os.path.join(directory, name))
        except ValueError as e:
            fault(f'{name}: {e}')
            continue
        for at, length, _, sequence, kind, flags in segment.records(durable, bad):
            if kind == 1:
                message = read_message(segment, at, length, sequence, flags)
                if sequence not in messages or not messages[sequence]['whole']:
                    messages[sequence] = message
            elif kind in (2, 3):
                mid, found = read_states(segment, at, length)
                states.setdefault(mid, {})[sequence] = (kind == 3, found)
    for segment, begin, end in bad:
        if (segment.generation, begin) < durable.get(segment.stream, (0, 0)):
            fault(f'{segment.name}: bytes {begin} to {end} are damaged')
    for mid in [m for m, v in messages.items() if not v['whole']]:
        segment, at = messages.pop(mid)['where']
        if (segment.generation, at) < durable.get(segment.stream, (0, 0)):
            fault(f'{segment.name}: the message at {at} is damaged')
    return messages, states


def show(directory, m, records):
    states, wake, hold, expire = [], 0, m['hold'], 0
    for _, (is_snapshot, found) in sorted(records.items()):
        if is_snapshot:
            states, wake, hold, expire = [], 0, m['hold'], 0
        states += found
        for kind, when, *_ in found:
            wake = when if kind in (3, 6, 8) else wake
            hold = 1 if kind == 5 else 0 if kind == 6 else hold
            expire = 1 if kind == 7 else expire
    if any(s[0] == 9 for s in states):
        return
    body = b''
    if m['body']:
        with open(os.path.join(directory, 'body', '%016x' % m['body']), 'rb') as f:
            body = f.read()
    print('message', m['mid'], m['id'], m['arrival'], m['size'], hold, expire, wake,
          *(p.hex() or '-' for p in (*m['parts'], body)))
    for kind, when, *strings in states:
        print('state', m['mid'], kind, when, *((s or b'').hex() or '-' for s in strings))


if __name__ == '__main__':
    found, changes = read_log(sys.argv[1])
    for number, message in sorted(found.items()):
        show(sys.argv[1], message, changes.get(number, {}))
    sys.exit(bool(FAULTS))
