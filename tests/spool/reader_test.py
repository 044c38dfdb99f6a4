#!/usr/bin/python3
"""The independent reader and lib/spool find the same mail in a log that was cleaned, recycled
and left without a goodbye; and what is left of it when it was damaged."""
import os
import random
import subprocess
import sys
import tempfile

BUILD = os.environ.get('TOP_BUILDDIR', '.')
HERE = os.path.dirname(os.path.abspath(__file__))
PLACES = 200 if os.environ.get('TEST_MODE') == 'long' else 12


def work(queue, seed):
    """Leaves a log; gives its directory."""
    log, notes = os.path.join(queue, 'log'), os.path.join(queue, 'notes')
    os.mkdir(log)
    open(notes, 'w').close()
    subprocess.run([os.path.join(BUILD, 'tests/powercut/work'), log, notes, '150', str(seed)],
                   check=True, stdout=subprocess.DEVNULL)
    return log


def differ(ours, theirs):
    print(f'they differ\n{ours.stderr}{theirs.stderr}')
    for a, b in zip(ours.stdout.splitlines(), theirs.stdout.splitlines()):
        if a != b:
            print(f'lib/spool: {a[:200]}\nreader.py: {b[:200]}')
            break


def compare(log):
    """Whether both say the same; None: and that something is damaged. (Of messages that ended
    only the reader looks at the content.)"""
    ours = subprocess.run([os.path.join(BUILD, 'tests/spool/dump'), log],
                          capture_output=True, text=True)
    theirs = subprocess.run([sys.executable, os.path.join(HERE, 'reader.py'), log],
                            capture_output=True, text=True)
    if ours.stdout != theirs.stdout or ours.returncode > theirs.returncode:
        differ(ours, theirs)
        return False
    return None if theirs.returncode else 'message' in ours.stdout


def damage(path, rng):
    """Changes some bytes; gives where and what was there."""
    size = os.path.getsize(path)
    length = rng.choice((1, 1, 4096, 65536))
    at = rng.randrange(size // length) * length
    with open(path, 'r+b') as file:
        file.seek(at)
        before = file.read(length)
        file.seek(at)
        file.write(bytes([before[0] ^ 1 << rng.randrange(8)]) if length == 1 else bytes(length))
    return at, before


def compare_damaged(log, rng):
    good, damaged = 0, 0
    names = sorted(n for n in os.listdir(log) if n.endswith('.seg'))
    for _ in range(PLACES):
        path = os.path.join(log, rng.choice(names))
        at, before = damage(path, rng)
        said = compare(log)
        if said is False:
            print(f'{path}: {len(before)} bytes at {at}')
        good += said is not False
        damaged += said is None
        with open(path, 'r+b') as file:
            file.seek(at)
            file.write(before)
    print(f'{damaged} of {PLACES} places damaged something')
    return good


def main():
    seed = int(os.environ.get('SEED') or random.randrange(1 << 30))
    rng, good = random.Random(seed), 0
    print(f'seed {seed}')
    for last in (False, False, True):
        with tempfile.TemporaryDirectory() as queue:
            log = work(queue, rng.randrange(1 << 30))
            good += compare(log) is True
            if last:
                good += compare_damaged(log, rng)
    print(f'{good} passed, {3 + PLACES - good} failed')
    return good < 3 + PLACES


if __name__ == '__main__':
    sys.exit(main())
