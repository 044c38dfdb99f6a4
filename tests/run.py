#!/usr/bin/python3
"""Runs the tests: unit tests of the build, the black-box tests of tests/*/*.py, and the fuzz
targets, each for a while.

usage: run.py BUILD [--quick | --long] [NAME ...]

BUILD holds dev/ and (not with --quick) asan/ and fuzz/. A NAME selects the tests whose names contain it.
Each test prints what failed and, last, "N passed, N failed"; so does this. Tests see
TOP_BUILDDIR, TOP_SRCDIR, POSTERN_SHARED, TEST_MODE (quick, default, long)."""
import concurrent.futures
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COUNTS = re.compile(r'^(\d+) passed, (\d+) failed', re.M)
BUDGET = {'quick': 60, 'default': 900, 'long': 7200}  # seconds for one test
# Not part of --quick: these take minutes.
SLOW = ('powercut', 'kill', 'faults', 'import', 'install', 'machines', 'smtpd/postfix',
        'cleanup/postfix', 'tools/sendmail_postfix', 'tools/postmulti', 'package', 'differential',
        'master/upgrade_load', 'qmgr/order', 'smtpd/before_queue', 'bounce/template',
        'postscreen/postfix', 'auth/spf_engine', 'auth/dkim_suffers', 'tools/postfix_queue',
        'smtp/tls_anchors', 'bounce/transcript')


def programs(build, goal, listing):
    """The programs that `make listing` names, built by `make goal`."""
    log = os.path.join(build, 'check.log')
    with open(log, 'w') as f:
        p = subprocess.run(['make', '-s', f'-j{os.cpu_count()}', *goal], cwd=build,
                           stdout=f, stderr=subprocess.STDOUT)
    if p.returncode:
        sys.exit(f'run.py: the tests do not build: see {log}\n' + open(log).read()[-3000:])
    names = subprocess.run(['make', '-s', listing], cwd=build, capture_output=True, text=True,
                           check=True).stdout.split()
    return [os.path.join(build, n) for n in names]


def black_box_tests():
    found = []
    for folder in sorted(os.listdir(os.path.join(TOP, 'tests'))):
        path = os.path.join(TOP, 'tests', folder)
        if os.path.isdir(path):
            found += [os.path.join(path, n) for n in sorted(os.listdir(path))
                      if n.endswith('_test.py')]
    return found


def may_skip(text):
    """Whether a test that checked nothing said a reason that counts; all else has failed."""
    return (re.search('^skipped: .*POSTERN_SHARED', text, re.M) or
            os.geteuid() != 0 and re.search('^skipped: .*needs root', text, re.M))


def run_one(job):
    """Runs one test; gives (name, passed, failed, seconds, output)."""
    name, argv, build, mode = job
    env = dict(os.environ, TOP_BUILDDIR=build, TOP_SRCDIR=TOP, TEST_MODE=mode,
               ASAN_OPTIONS='abort_on_error=1:detect_stack_use_after_return=0',
               UBSAN_OPTIONS='print_stacktrace=1')
    began = time.monotonic()
    try:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=BUDGET[mode], env=env, cwd=build)
        text, code = p.stdout.decode(errors='replace'), p.returncode
    except subprocess.TimeoutExpired as e:
        text = (e.stdout or b'').decode(errors='replace') + '\nran out of its time'
        code = 1
    counts = COUNTS.findall(text)
    passed, failed = map(int, counts[-1]) if counts else (0, 1)
    if code != 0 and failed == 0 or passed + failed == 0 and not may_skip(text):
        failed = 1
    return name, passed, failed, time.monotonic() - began, text


# What everybody's bytes reach first: command line, addresses, header, replies, ESMTP parameters with
# xtext and BDAT, content, dialogue, the log's segments, internal frames, main.cf and master.cf.
FUZZED_LONGEST = ['sendmail_options', 'mime/address', 'mime/fields', 'smtp/reply', 'mime/esmtp',
                  'smtpd/data', 'smtpd/session', 'spool/format', 'ipc/link', 'ipc/messages',
                  'conf/files']


def fuzz_seconds(target, mode, wanted):
    if mode == 'long':
        return '600'
    return '30' if wanted or any(target.endswith(f'{t}_fuzz') for t in FUZZED_LONGEST) else '8'


def complaints(text):
    """What a failed test says of its failures, for the end of a long log: the lines of checks
    that failed (FILE:LINE: ...) and of automake's or the sanitizers', else its last ones."""
    lines = text.splitlines()
    told = [line for line in lines if re.match(r'[\w/.]+:\d+: |FAIL|.*(ERROR: |runtime error)', line)]
    return [line[:300] for line in told[:12] or lines[-6:]]


def main():
    build, args = os.path.abspath(sys.argv[1]), sys.argv[2:]
    mode = 'quick' if '--quick' in args else 'long' if '--long' in args else 'default'
    wanted = [a for a in args if not a.startswith('--')]
    jobs = []
    for flavour in ['dev'] if mode == 'quick' else ['dev', 'asan']:
        where = os.path.join(build, flavour)
        jobs += [(f'{flavour}:{os.path.relpath(t, where)}', [t], where, mode)
                 for t in programs(where, ['check', 'TESTS='], 'list-tests')]
    for t in black_box_tests():
        name = os.path.relpath(t, os.path.join(TOP, 'tests'))
        if mode == 'quick' and any(s in name for s in SLOW):
            continue
        jobs.append((name, ['/usr/bin/python3', t], os.path.join(build, 'dev'), mode))
    if mode != 'quick':
        where = os.path.join(build, 'fuzz')
        jobs += [(f'fuzz:{os.path.relpath(t, where)}',
                  ['/usr/bin/python3', os.path.join(TOP, 'tests', 'fuzz.py'), t,
                   fuzz_seconds(t, mode, wanted)], where, mode)
                 for t in programs(where, ['fuzz'], 'list-fuzz')]
    if wanted:
        jobs = [j for j in jobs if any(w in j[0] for w in wanted)]
        if not jobs:
            sys.exit('run.py: no test has a name like ' + ' '.join(wanted))
    if not os.path.isdir(os.environ.get('POSTERN_SHARED', '')):
        print('run.py: POSTERN_SHARED is absent: tests that read it will say what they leave out')
    total, failures = [0, 0], []
    # Most of them wait most of the time; those of --quick are the light ones.
    each = 5 if mode == 'quick' else 3
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() * each // 2) as pool:
        for name, passed, failed, seconds, text in pool.map(run_one, jobs):
            print(f'{"FAIL" if failed else "ok":5}{name}: {passed} passed, {failed} failed, '
                  f'{seconds:.1f} s', flush=True)
            if failed or wanted:
                print('\n'.join('     ' + line for line in text.splitlines()[-60:]), flush=True)
            if failed:
                failures.append((name, complaints(text)))
            total[0] += passed
            total[1] += failed
    for name, lines in failures:
        print(f'FAIL {name}', *lines, sep='\n     ')
    print(f'{total[0]} passed, {total[1]} failed')
    return 1 if total[1] else 0


if __name__ == '__main__':
    sys.exit(main())
