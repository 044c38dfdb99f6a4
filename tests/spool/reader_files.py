#!/usr/bin/python3
"""Reads the messages that are files by the book, spool(5), as reader.py does the log.

usage: reader_files.py DIRECTORY     DIRECTORY is log/; prints the lines that reader.py prints"""
import os
import re
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from reader import Fields, crc32c

HEAD, STATE, BLOCK = 512, 40, 4096
LINES = re.compile(rb'Postern queue file 1\nmid (\w{16})\nid (\w+)\narrival (\d+)\nsize (\d+)\n'
                   rb'recipients (\d+)\nhold ([01])\nenvelope (\d+) (\d+) (\w{8})\n'
                   rb'content (\d+) (\d+) (\w{8})\nbody (\w{16}) (\w{8})\nstates (\d+)\n\n*')


def number(data):
    return int.from_bytes(data, 'big')


def states_of(data, at, mid):
    """The states, and whether any that was flushed is missing."""
    found, count, end, gap, durable = [], 0, at, None, 0
    is_short = len(data) < at
    while at + STATE <= len(data):
        head, length = data[at:at + STATE], number(data[at + 8:at + 12])
        body = data[at + STATE:at + STATE + length]
        if (head[:4] != b'PoSt' or len(body) != length or number(head[16:24]) != mid
                or number(head[24:32]) != at or crc32c(head[8:] + body) != number(head[4:8])):
            at += 8
            continue
        if number(head[12:16]) != count and gap is None:
            gap = end
        count, durable = number(head[12:16]) + 1, max(durable, number(head[32:40]))
        at = end = at + (STATE + length + 7 & ~7)
        found.append(Fields(body).state())
    return found, is_short or gap is not None and gap < durable or is_spoilt(data, end)


def is_spoilt(data, end):
    """Behind the last state: bytes that no power cut leaves, since what fits into a block is
    written whole or not at all."""
    rest = data[end:].lstrip(b'\0')
    begin = len(data) - len(rest)
    if not rest:
        return False
    if rest[:4] == b'PoSt' and len(rest) >= 12:
        return STATE + number(rest[8:12]) + 7 & ~7 <= BLOCK
    return end // BLOCK == begin // BLOCK


def read(path, bodies):
    """The lines of one file, none when its message ended, and what is wrong. ValueError when
    there is no message any more."""
    with open(path, 'rb') as f:
        data = f.read()
    head = LINES.fullmatch(data[:HEAD - 13])
    if not head or data[HEAD - 13:HEAD] != b'crc %08x\n' % crc32c(data[:HEAD - 13]):
        raise ValueError('its head is damaged')
    mid, body, ecrc, ccrc, bcrc = (int(head[i], 16) for i in (1, 13, 9, 12, 14))
    queue_id = head[2].decode()
    arrival, size, hold, eat, elen, cat, clen, at = (
        int(head[i]) for i in (3, 4, 6, 7, 8, 10, 11, 15))
    if int(os.path.basename(path), 16) != mid:
        raise ValueError(f'it is of message {mid:016x}')
    envelope, content, rest = data[eat:eat + elen], data[cat:cat + clen], b''
    states, is_damaged = states_of(data, at, mid)
    if any(s[0] == 9 for s in states):
        return [], None
    if body:
        with open(os.path.join(bodies, '%016x' % body), 'rb') as f:
            rest = f.read()
    if (crc32c(envelope) != ecrc or crc32c(content) != ccrc or body and crc32c(rest) != bcrc
            or len(content) + len(rest) != size):
        raise ValueError(f'{queue_id} is damaged')
    wake = expire = 0
    for kind, when, *_ in states:
        wake = when if kind in (3, 6, 8) else wake
        hold = 1 if kind == 5 else 0 if kind == 6 else hold
        expire = 1 if kind == 7 else expire
    return [f'message {mid} {queue_id} {arrival} {size} {hold or int(is_damaged)} {expire} {wake} '
            + ' '.join(p.hex() or '-' for p in (envelope, content, rest))] + [
            f'state {mid} {kind} {when} ' + ' '.join((s or b'').hex() or '-' for s in strings)
            for kind, when, *strings in states], is_damaged and f'{queue_id}: a state is damaged'


def main(log):
    files, faults, found = os.path.join(log, 'files'), 0, {}
    for folder, _, names in os.walk(files):
        for name in names:
            if not re.fullmatch('[0-9a-f]{16}', name):
                continue
            try:
                found[name], fault = read(os.path.join(folder, name), os.path.join(log, 'body'))
            except (ValueError, OSError) as e:
                fault = e
            if fault:
                print(f'reader: {name}: {fault}', file=sys.stderr)
                faults += 1
    for _, lines in sorted(found.items()):
        print('\n'.join(lines), end='\n' if lines else '')
    return faults > 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
