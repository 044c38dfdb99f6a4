#!/usr/bin/python3
"""The independent reader and lib/spool find the same mail in a log that was cleaned, recycled
and left without a goodbye."""
import os
import random
import subprocess
import sys
import tempfile

BUILD = os.environ.get('TOP_BUILDDIR', '.')
HERE = os.path.dirname(os.path.abspath(__file__))


def compare(seed):
    with tempfile.TemporaryDirectory() as queue:
        log, notes = os.path.join(queue, 'log'), os.path.join(queue, 'notes')
        os.mkdir(log)
        open(notes, 'w').close()
        subprocess.run([os.path.join(BUILD, 'tests/powercut/work'), log, notes, '150', str(seed)],
                       check=True, stdout=subprocess.DEVNULL)
        ours = subprocess.run([os.path.join(BUILD, 'tests/spool/dump'), log],
                              capture_output=True, text=True)
        theirs = subprocess.run([sys.executable, os.path.join(HERE, 'reader.py'), log],
                                capture_output=True, text=True)
        if ours.returncode or theirs.returncode or ours.stdout != theirs.stdout:
            print(f'seed {seed}: they differ', ours.stderr, theirs.stderr)
            for a, b in zip(ours.stdout.splitlines(), theirs.stdout.splitlines()):
                if a != b:
                    print(f'lib/spool: {a[:200]}\nreader.py: {b[:200]}')
                    break
            return False
        return 'message' in ours.stdout


def main():
    seeds = [random.randrange(1 << 30) for _ in range(3)]
    good = sum(compare(s) for s in seeds)
    print(f'{good} passed, {len(seeds) - good} failed')
    return good < len(seeds)


if __name__ == '__main__':
    sys.exit(main())
