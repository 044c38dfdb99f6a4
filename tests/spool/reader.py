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


def crc32c(data, crc=0):
    crc ^= 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xff]
    return crc ^ 0xffffffff


def is_header(data, begin):
    return data.startswith(begin) and int.from_bytes(data[60:64], 'big') == crc32c(data[:60])


class Segment:
    def __init__(self, path):
        self.name = os.path.basename(path)
        with open(path, 'rb') as f:
            self.data = f.read()
        self.size, self.stream = len(self.data), 0
        heads = [h for h in (self.data[:64], self.data[-4096:-4032]) if is_header(h, b'PostLog\1')]
        if not heads:
            raise ValueError('no header of version 1')
        self.generation, self.slot, self.salt, size = struct.unpack('>II8sI', heads[0][8:28])
        if size != self.size:
            raise ValueError(f'is {self.size} bytes long, not {size}')
        halves = struct.unpack('>II', self.salt)
        self.seed = halves[0] ^ halves[1] ^ self.generation

    def batch(self, at):
        """(length, durable point, flags) of a genuine batch at this offset, or None."""
        head = self.data[at:at + 64]
        if not is_header(head, self.salt + b'Batc' + struct.pack('>II', self.generation, at)):
            return None
        length, self.stream = int.from_bytes(head[20:24], 'big'), head[44]
        if not 64 <= length <= self.size - 4096 - at:
            return None
        return length, struct.unpack('>II', head[36:44]), head[45]

    def record(self, at, end):
        """(length, sequence, type, flags) of a whole record, or None."""
        crc, length, head, generation, *rest = struct.unpack_from('>IIIIQBB', self.data, at)
        if (generation != self.generation or not 32 <= head <= length <= end - at
                or crc32c(self.data[at + 4:at + head], self.seed) != crc):
            return None
        return length, *rest

    def records(self, log):
        """Each record in a batch; what is no batch goes to log.gaps, the last without an end."""
        at = 4096
        while at is not None:
            found = self.batch(at)
            if not found:
                later = next((o for o in range(at + 64 & ~63, self.size - 4096, 64)
                              if self.data[o:o + 8] == self.salt and self.batch(o)), None)
                log.gaps.append((self, at, later))
                at = later
                continue
            length, point, flags = found
            log.durable[self.stream] = max(log.durable[self.stream], point)
            if not flags & 1:
                yield from self.proven(at + 64, at + length, log)
            at, block = at + length + 63 & ~63, at + length + 4095 & ~4095
            at = at if any(self.data[at:block]) else block

    def proven(self, at, end, log):
        """The records between two places that prove themselves."""
        while at < end:
            record = self.record(at, end)
            if record:
                yield (at, *record)
            else:
                log.bad.append((self, at))
            at += record[0] + 7 & ~7 if record else 8


class Fields:  # one after the other; what is missing is zero or None
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, size):
        self.at += size
        return int.from_bytes(self.data[self.at - size:self.at], 'big')

    def string(self):
        n = self.number(4)
        return self.part(n - 1).data if n else None

    def part(self, size):
        self.at += size
        return Fields(self.data[self.at - size:self.at])

    def state(self):
        self.number(8)
        return self.number(1), self.number(8), self.string(), self.string(), self.string()


class Log:  # messages: {mid: ...}; states: {mid: {sequence: (is snapshot, states)}}
    def __init__(self, directory):
        self.directory, self.messages, self.states, self.faults = directory, {}, {}, []
        self.durable, self.ends, self.listed, self.gaps, self.bad = [(0, 0)] * 2, {}, 0, [], []
        with open(os.path.join(directory, 'lock'), 'rb') as f:
            self.marks = f.read(64), f.read(64)
        for name in sorted(n for n in os.listdir(directory) if n.endswith('.seg')):
            try:
                self.take_segment(Segment(os.path.join(directory, name)))
            except ValueError as e:
                self.faults.append(f'{name}: {e}')
        for segment, begin, end in self.gaps:
            end = end or self.ends.get(segment.generation, 0)
            if begin < end and self.is_flushed(segment, begin):
                self.faults.append(f'{segment.name}: bytes {begin} to {end} are no batch')
                self.take(segment, segment.proven(begin, end, self))
        for segment, at in self.bad:
            if self.is_flushed(segment, at):
                self.faults.append(f'{segment.name}: bytes behind {at & ~4095} are damaged')
        for mid in [m for m, v in self.messages.items() if not v['whole']]:
            segment, at = self.messages.pop(mid)['where']
            if self.is_flushed(segment, at):
                self.faults.append(f'{segment.name}: the message at {at} is damaged')

    def is_flushed(self, segment, at):
        return (segment.generation, at) < self.durable[segment.stream]

    def take_segment(self, segment):
        self.take(segment, segment.records(self))
        for stream, mark in enumerate(self.marks):
            begin = b'PostMrk\1' + struct.pack('>I', segment.generation)
            if is_header(mark, begin) and mark[16:24] == segment.salt:
                segment.stream, point = stream, struct.unpack('>II', mark[8:16])
                self.durable[stream] = max(self.durable[stream], point)
                self.ends[segment.generation] = max(point[1], self.ends.get(segment.generation, 0))

    def take(self, segment, records):
        for at, length, sequence, kind, flags in records:
            f = Fields(segment.data[at + 32:at + length])
            if kind == 1 and not self.messages.get(sequence, {}).get('whole'):
                self.messages[sequence] = read_message(segment, at, length, flags)
            elif kind in (2, 3):
                mid, n = f.number(8), f.number(4)
                self.states.setdefault(mid, {})[sequence] = (kind == 3, [
                    f.part(f.number(4)).state() for _ in range(n)])
            elif kind == 4 and sequence > self.listed:
                self.listed = sequence
                for _, g, _, _, end, state, *_ in struct.iter_unpack('>IIQIIBBH', f.data[4:]):
                    self.ends[g] = max(self.ends.get(g, 0), end if state == 3 else 0)


def read_message(segment, at, length, flags):
    d = segment.data[at:at + length]
    arrival, size, body, _, envelope, content, ecrc, ccrc, _ = struct.unpack('>QQQIIIIII', d[32:80])
    parts = d[112:112 + envelope], d[112 + envelope:112 + envelope + content]
    whole = crc32c(parts[0]) == ecrc and crc32c(parts[1]) == ccrc
    return {'id': d[80:112].rstrip(b'\0').decode(), 'arrival': arrival, 'size': size,
            'hold': flags & 1, 'body': body, 'parts': parts, 'whole': whole, 'where': (segment, at)}


def show(log, mid, m, records):
    for _, (is_snapshot, found) in [(0, (True, [])), *sorted(records.items())]:
        if is_snapshot:
            states, wake, hold, expire = [], 0, m['hold'], 0
        states += found
        for kind, when, *_ in found:
            wake = when if kind in (3, 6, 8, 11) else wake
            hold = 1 if kind == 5 else 0 if kind == 6 else hold
            expire = 1 if kind == 7 else expire
    if any(s[0] == 9 for s in states):
        return
    path = os.path.join(log.directory, 'body', '%016x' % m['body']) if m['body'] else os.devnull
    if not os.path.exists(path):
        return log.faults.append(f'{path} is missing')
    with open(path, 'rb') as f:
        body = f.read()
    print('message', mid, m['id'], m['arrival'], m['size'], hold, expire, wake,
          *(p.hex() or '-' for p in (*m['parts'], body)))
    for kind, when, *strings in states:
        print('state', mid, kind, when, *((s or b'').hex() or '-' for s in strings))


if __name__ == '__main__':
    whole = Log(sys.argv[1])
    for number, message in sorted(whole.messages.items()):
        show(whole, number, message, whole.states.get(number, {}))
    sys.stderr.writelines(f'reader: {text}\n' for text in dict.fromkeys(whole.faults))
    sys.exit(bool(whole.faults))
