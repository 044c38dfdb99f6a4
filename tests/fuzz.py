#!/usr/bin/python3
"""Runs one fuzz target for a time.

usage: fuzz.py PROGRAM SECONDS   (a *_fuzz of a build with --enable-fuzz --enable-sanitize)

It starts from the strings in the unit tests of the same folder, from POSTERN_SHARED's vectors,
and from what earlier runs found interesting. That is kept in corpus/, an input that breaks
something in found/, both below the build. Prints "N passed, N failed"."""
import codecs
import glob
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SHARED = os.environ.get('POSTERN_SHARED', os.path.join(TOP, '..', 'shared'))
# What else the inputs of a folder's targets look like: below POSTERN_SHARED/vectors.
VECTORS = {
    'lib/mime': ('mime-*/*.eml', 'realmail-*/*', 'rspamd-mime/*.eml', 'eai/*.eml'),
    'smtpd': ('smuggling/*.tsv', 'eai/*'),
    'smtp': ('bounce-flufl/*.txt',),
}
LITERAL = re.compile(rb'"((?:[^"\\\n]|\\.)*)"')
NEXT_LITERAL = re.compile(rb'\s*"((?:[^"\\\n]|\\.)*)"')
ONE_DIGIT = re.compile(rb'\\x([0-9A-Fa-f])(?![0-9A-Fa-f])')
SEED_MOST = 4096  # octets


def literals(source):
    """The strings of a C file, as the compiler sees them: neighbours are one."""
    with open(source, 'rb') as f:
        text = b''.join(line for line in f if not line.startswith(b'#'))
    at = 0
    while found := LITERAL.search(text, at):
        whole = b''
        while found:
            # Python wants both digits of a hexadecimal escape, C takes one.
            whole += codecs.escape_decode(ONE_DIGIT.sub(rb'\\x0\1', found[1]))[0]
            at = found.end()
            found = NEXT_LITERAL.match(text, at)
        yield whole


def write_seeds(folder, into):
    seeds = set()
    for source in glob.glob(os.path.join(TOP, folder, '*_test.c')):
        seeds.update(literals(source))
    for pattern in VECTORS.get(folder, ()):
        for path in glob.glob(os.path.join(SHARED, 'vectors', pattern)):
            if os.path.isfile(path) and os.path.getsize(path) <= SEED_MOST:
                with open(path, 'rb') as f:
                    seeds.add(f.read())
    for number, seed in enumerate(sorted(seeds)):
        with open(os.path.join(into, str(number)), 'wb') as f:
            f.write(seed)
    return len(seeds)


def main():
    program = os.path.abspath(sys.argv[1])
    name = os.path.relpath(program, os.getcwd())
    corpus, found = (os.path.join(os.getcwd(), kind, name) for kind in ('corpus', 'found'))
    for folder in corpus, found:
        os.makedirs(folder, exist_ok=True)
    dictionary = os.path.join(SHARED, 'vectors', 'fuzz', 'smtp.dict')
    command = [program, '-print_final_stats=1', '-rss_limit_mb=1024', '-timeout=20',
               f'-max_total_time={int(sys.argv[2])}',
               f'-artifact_prefix={found}/']
    if os.path.exists(dictionary):
        command.append(f'-dict={dictionary}')
    with tempfile.TemporaryDirectory() as here:
        seeds = os.path.join(here, 'seeds')
        os.mkdir(seeds)
        print(write_seeds(os.path.dirname(name), seeds), 'seeds')
        p = subprocess.run(command + [corpus, seeds], cwd=here, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = p.stdout.decode(errors='replace')
    runs = re.search(r'stat::number_of_executed_units: (\d+)', text)
    print('\n'.join(line for line in text.splitlines()
                    if re.search(r'Seed: |stat::|ERROR|SUMMARY|artifact|Test unit', line)))
    broken = p.returncode != 0
    if broken:
        print('\n'.join(text.splitlines()[-60:]))
    # A target that refuses everything at once tests nothing.
    idle = not broken and (not runs or int(runs[1]) < 100)
    if idle:
        print('hardly anything was tried')
    failed = int(broken) + int(idle)
    print(f'{2 - failed} passed, {failed} failed')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
