#!/usr/bin/python3
"""The independent reader and lib/spool find the same mail, in a log that was cleaned, recycled
and left without a goodbye, and in files; and what is left of it when it was damaged."""
import os
import random
import subprocess
import sys
import tempfile

BUILD = os.environ.get('TOP_BUILDDIR', '.')
HERE = os.path.dirname(os.path.abspath(__file__))
LONG = os.environ.get('TEST_MODE') == 'long'
# {queue_engine: (its reader, damaged places)}
ENGINES = {'log': ('reader.py', 200 if LONG else 12),
           'files': ('reader_files.py', 200 if LONG else 12)}


def work(queue, seed, engine):
    """Leaves a log; gives its directory."""
    log, notes = os.path.join(queue, 'log'), os.path.join(queue, 'notes')
    os.mkdir(log)
    open(notes, 'w').close()
    subprocess.run([os.path.join(BUILD, 'tests/powercut/work'), engine, log, notes, '150',
                    str(seed)], check=True, stdout=subprocess.DEVNULL, timeout=300)
    return log


def differ(ours, theirs):
    print(f'they differ\n{ours.stderr}{theirs.stderr}')
    a, b = ours.stdout.splitlines(), theirs.stdout.splitlines()
    for text, lines in (('lib/spool', set(a) - set(b)), ('the reader', set(b) - set(a))):
        for line in sorted(lines)[:3]:
            print(f'only {text}: {line[:200]}')


def look(*argv):
    return subprocess.run(argv, capture_output=True, text=True)


def compare(log, engine, ours=None):
    """Whether both say the same; None: and that something is damaged. (Of messages that ended
    only the reader looks at the content.) ours: what lib/spool said at another time."""
    is_other, ours = ours is not None, ours or look(os.path.join(BUILD, 'tests/spool/dump'), log)
    theirs = look(sys.executable, os.path.join(HERE, ENGINES[engine][0]), log)
    if ours.stdout != theirs.stdout or ours.returncode > theirs.returncode:
        if not is_other:
            differ(ours, theirs)
        return False
    return None if theirs.returncode else 'message' in ours.stdout


def damage(path, rng):
    """Changes some bytes; gives where and what was there."""
    size = os.path.getsize(path)
    length = rng.choice([n for n in (1, 1, 4096, 65536) if n <= size])
    at = rng.randrange(size // length) * length
    with open(path, 'r+b') as file:
        file.seek(at)
        before = file.read(length)
        file.seek(at)
        file.write(bytes([before[0] ^ 1 << rng.randrange(8)]) if length == 1 else bytes(length))
    return at, before


def restore(path, at, before):
    with open(path, 'r+b') as file:
        file.seek(at)
        file.write(before)


def parts_of(log, engine):
    """The files that can be damaged."""
    found = [os.path.join(folder, name) for folder, _, names in os.walk(log) for name in names]
    return sorted(p for p in found if p.endswith('.seg') == (engine == 'log') and
                  (engine == 'log' or '/files/' in p and len(os.path.basename(p)) == 16))


def compare_damaged(log, engine, rng):
    good, damaged = 0, 0
    places = ENGINES[engine][1]
    for _ in range(places):
        path = rng.choice(parts_of(log, engine))
        at, before = damage(path, rng)
        said = compare(log, engine)
        if said is False:
            print(f'{path}: {len(before)} bytes at {at}')
        good += said is not False
        damaged += said is None
        restore(path, at, before)
    print(f'{engine}: {damaged} of {places} places damaged something')
    return good


def is_found_out(log, engine):
    """A lib/spool that does not see the damage."""
    before = look(os.path.join(BUILD, 'tests/spool/dump'), log)
    for path in parts_of(log, engine):
        os.truncate(path, 100)
    return compare(log, engine, before) is False


def main():
    seed = int(os.environ.get('SEED') or random.randrange(1 << 30))
    rng, good, wanted = random.Random(seed), 0, 0
    print(f'seed {seed}')
    for engine, last in (('log', False), ('log', False), ('log', True), ('files', True)):
        with tempfile.TemporaryDirectory() as queue:
            log = work(queue, rng.randrange(1 << 30), engine)
            good += compare(log, engine) is True
            wanted += 1
            if last:
                good += compare_damaged(log, engine, rng) + is_found_out(log, engine)
                wanted += ENGINES[engine][1] + 1
    print(f'{good} passed, {wanted - good} failed')
    return good < wanted


if __name__ == '__main__':
    sys.exit(main())
