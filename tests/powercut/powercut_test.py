#!/usr/bin/python3
"""The power-cut rig: mail that was acknowledged survives, wherever the power fails.

A workload (work.c) runs on a file system on a loop device over a disk that writes down each
write and each flush (disk.c). From that record disks are made as they may be after a power
cut: everything up to a flush, and of the writes behind it any subset, pages of a write apart.
Each is mounted, so that the file system replays its journal, and judged (judge.c) by what the
workload had been told up to then. With the flush, or the order, taken out of the writer, the
same must find faults.

usage: powercut_test.py [--images N] [--seed S] [--messages N] [--fs ext4|xfs] [--engine log|files]
                        [--broken ...]
Needs root, FUSE and loop devices; says so and passes when they are not there."""
import argparse
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get('TOP_BUILDDIR', '.')
LONG = os.environ.get('TEST_MODE') == 'long'
SIZES = {'ext4': 64, 'xfs': 300}  # MB; the least that mkfs makes
MKFS = {'ext4': ['mkfs.ext4', '-q', '-F', '-E', 'nodiscard'],
        'xfs': ['mkfs.xfs', '-q', '-f', '-K']}
MOUNT = {'ext4': 'noatime', 'xfs': 'noatime,nouuid'}


def tool(name):
    return os.path.join(BUILD, 'tests', 'powercut', name)


def run(*argv, **kw):
    return subprocess.run(argv, check=True, capture_output=True, text=True, **kw)


class BadFileSystem(Exception):
    pass


class Mounted:
    """A file system in an image, on a loop device."""

    def __init__(self, image, at, fs):
        self.image, self.at, self.fs = image, at, fs

    def __enter__(self):
        self.loop = run('losetup', '-f', '--show', self.image).stdout.strip()
        try:
            run('mount', '-t', self.fs, '-o', MOUNT[self.fs], self.loop, self.at)
        except subprocess.CalledProcessError as e:
            run('losetup', '-d', self.loop)
            raise BadFileSystem(e.stderr)
        return self

    def __exit__(self, *_):
        run('umount', self.at)
        run('losetup', '-d', self.loop)


class Disk:
    """The recording disk, mounted by FUSE; slow: milliseconds that a flush takes."""

    def __init__(self, image, record, at, slow=0):
        self.args, self.at = [tool('disk'), image, record, at, str(slow)], at

    def __enter__(self):
        self.process = subprocess.Popen(self.args)
        while not os.path.exists(os.path.join(self.at, 'disk')):
            if self.process.poll() is not None:
                raise OSError('FUSE does not work here')
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        # The loop device lets go of the file when its last write was answered, in its own time.
        until = time.monotonic() + 30
        while subprocess.run(['umount', self.at], capture_output=True).returncode:
            if time.monotonic() > until:
                raise OSError(f'{self.at} stays busy')
            time.sleep(0.05)
        self.process.wait()


def make_base(path, mount, fs):
    with open(path, 'wb') as f:
        f.truncate(SIZES[fs] << 20)
    run(*MKFS[fs], path)
    with Mounted(path, mount, fs):
        os.mkdir(os.path.join(mount, 'log'))
        os.sync()


def record_work(here, fs, engine, messages, seed, broken):
    """Runs the workload; gives the path of the untouched image and the record."""
    base, disk, record = (os.path.join(here, n) for n in ('base.img', 'disk.img', 'record'))
    fuse, mount = os.path.join(here, 'fuse'), os.path.join(here, 'mnt')
    make_base(base, mount, fs)
    shutil.copyfile(base, disk)
    with Disk(disk, record, fuse), Mounted(os.path.join(fuse, 'disk'), mount, fs):
        log = os.path.join(mount, 'log')
        said = run(tool('work'), engine, log, os.path.join(fuse, 'notes'), str(messages), str(seed),
                   *([broken] if broken else []), timeout=300)
    print(f'{fs}, {engine}: {said.stdout.strip()}', flush=True)
    return base, read_record(record)


def read_record(path):
    """A list of (kind, offset, bytes)."""
    with open(path, 'rb') as f:
        data = f.read()
    out, at = [], 0
    while at < len(data):
        kind, _, offset, length = struct.unpack_from('>cQQI', data, at)
        out.append((kind.decode(), offset, memoryview(data)[at + 21:at + 21 + length]))
        at += 21 + length
    return out


def pick_cuts(record, images, rng):
    """Sorted pairs (flush, cut): the writes before the first are there, some up to the second."""
    flushes = [-1] + [i for i, r in enumerate(record) if r[0] == 'F']
    first = next(i for i, r in enumerate(record) if r[0] == 'N')
    flushes = [f for f in flushes if f >= first] or [-1]
    wanted = list(flushes) * (21 if LONG and not images else 0)
    if images:
        wanted = [rng.choice(flushes) for _ in range(images)]
    cuts = []
    for n, flush in enumerate(wanted):
        last = next((f for f in flushes if f > flush), len(record))
        # With --long each flush boundary itself comes first.
        at_boundary = not images and n < len(flushes)
        cuts.append((flush, flush + 1 if at_boundary else rng.randint(flush + 1, last)))
    return sorted(cuts)


def write_page_subset(f, offset, data, rng, chance):
    """Any pages of a write, or a write of one page."""
    for at in range(0, len(data), 4096):
        if rng.random() < chance:
            os.pwrite(f, data[at:at + 4096], offset + at)


class Replay:
    """Disks as the power cut leaves them, made one after the other in the order of the cuts."""

    def __init__(self, here, base, record):
        self.record, self.at = record, 0
        self.prefix, self.image = (os.path.join(here, n) for n in ('prefix.img', 'cut.img'))
        run('cp', '--sparse=always', base, self.prefix)

    def make(self, flush, cut, rng):
        f = os.open(self.prefix, os.O_RDWR)
        for kind, offset, data in self.record[self.at:flush + 1]:
            if kind == 'W':
                os.pwrite(f, data, offset)
        os.close(f)
        self.at = max(self.at, flush + 1)
        run('cp', '--sparse=always', self.prefix, self.image)
        chance = rng.choice([0.0, 0.1, 0.5, 0.5, 0.9, 1.0])
        f = os.open(self.image, os.O_RDWR)
        for kind, offset, data in self.record[flush + 1:cut]:
            if kind == 'W':
                write_page_subset(f, offset, data, rng, chance)
        os.close(f)
        return self.image


def judge(image, mount, fs, notes):
    """The faults of a disk, as text."""
    try:
        with Mounted(image, mount, fs):
            p = subprocess.run([tool('judge'), os.path.join(mount, 'log')], input=notes,
                               capture_output=True)
    except BadFileSystem as e:
        return f'{fs} cannot be mounted: {e}'
    text = p.stdout.decode(errors='replace') + p.stderr.decode(errors='replace')
    return text if p.returncode else ''


def always_ends(runs, seed):
    """The workload's little segments, of which the cleaner makes no more, hold up nobody."""
    with tempfile.TemporaryDirectory(prefix='powercut.', dir=scratch()) as here:
        log, notes = os.path.join(here, 'log'), os.path.join(here, 'notes')
        for n in range(runs):
            os.mkdir(log)
            open(notes, 'w').close()
            run(tool('work'), 'log', log, notes, '800', str(seed + n), timeout=60)
            shutil.rmtree(log)
    return runs


def run_rig(fs, engine, images, messages, seed, broken, enough):
    """Gives the number of images judged and their faults; ends early at `enough` faults."""
    rng = random.Random(seed)
    judged, faults = 0, []
    with tempfile.TemporaryDirectory(prefix='powercut.', dir=scratch()) as here:
        for name in ('fuse', 'mnt'):
            os.mkdir(os.path.join(here, name))
        base, record = record_work(here, fs, engine, messages, seed, broken)
        replay = Replay(here, base, record)
        for flush, cut in pick_cuts(record, images, rng):
            image = replay.make(flush, cut, rng)
            notes = b''.join(bytes(d) for k, _, d in record[:cut] if k == 'N')
            said = judge(image, os.path.join(here, 'mnt'), fs, notes)
            judged += 1
            if said:
                faults.append(f'{fs}, {engine}: cut at {cut} (flush {flush}): {said[:1500]}')
            if said and not broken:
                keep(image, fs, cut)
            if enough and len(faults) >= enough:
                break
    return judged, faults


def keep(image, fs, cut):
    """For whoever looks into it."""
    where = os.environ.get('POWERCUT_KEEP')
    if where:
        shutil.copyfile(image, os.path.join(where, f'{fs}-{cut}.img'))


def scratch():
    """In memory where there is room: the record and the disks are only data."""
    shm = '/dev/shm'
    if os.path.isdir(shm) and shutil.disk_usage(shm).free > 4 << 30:
        return shm
    return None


def why_not():
    if os.geteuid() != 0:
        return 'needs root'
    if not os.path.exists(tool('disk')):
        return 'built without fuse3 (apt-get install libfuse3-dev)'
    if not os.path.exists('/dev/fuse') or not os.path.exists('/dev/loop-control'):
        return 'no FUSE or no loop devices'
    return ''


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--images', type=int, default=0 if LONG else 150)
    p.add_argument('--messages', type=int, default=100 if LONG else 800)
    p.add_argument('--seed', type=int, default=random.randrange(1 << 30))
    p.add_argument('--fs', choices=list(SIZES))
    p.add_argument('--engine', choices=['log', 'files'])
    p.add_argument('--broken', choices=['no-flush', 'order'])
    a = p.parse_args()
    reason = why_not()
    if reason:
        print(f'skipped: {reason}\n0 passed, 0 failed')
        return 0
    print(f'seed {a.seed}', flush=True)
    systems = [a.fs] if a.fs else list(SIZES)
    good, bad = always_ends(30, a.seed), []
    for engine in [a.engine] if a.engine else ['log', 'files']:
        # A start with files looks at each of them, and the log is judged beside them.
        images = a.images if engine == 'log' or a.engine else a.images // 3
        messages = a.messages if engine == 'log' or a.engine else a.messages // 4
        for fs in systems if not a.broken else []:
            judged, faults = run_rig(fs, engine, images // len(systems), messages, a.seed,
                                     None, 20)
            good, bad = good + judged - len(faults), bad + faults
        for broken in [a.broken] if a.broken else ['no-flush', 'order']:
            judged, faults = run_rig('ext4', engine, 60, messages, a.seed, broken, 1)
            if faults:
                good += 1
            else:
                bad.append(f'{engine}, {broken}: no faults in {judged} images, which there must be')
    for fault in bad:
        print(fault)
    print(f'{good} passed, {len(bad)} failed')
    return bool(bad)


if __name__ == '__main__':
    sys.exit(main())
