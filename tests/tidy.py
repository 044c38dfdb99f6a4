#!/usr/bin/python3
"""clang-tidy over all sources, each once as long as nothing it depends on changes.

usage: tidy BUILD

BUILD is a configured build by clang; compile_commands.json is written there. What came out of
clang-tidy for the same text of a source and its headers, the same flags, checks and tool is
kept in BUILD/tidy and counts again, so that only what changed takes time. Prints the findings;
fails when there are any."""
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def dependencies(command):
    """The paths of a source and of the headers it includes, those of the system as well."""
    arguments = [a for a in command['arguments'] if a != '-c']
    p = subprocess.run(arguments + ['-M', '-MT', 'x'], cwd=command['directory'], text=True,
                       capture_output=True)
    if p.returncode:
        return None, p.stderr
    paths = p.stdout.replace('\\\n', ' ').split()[1:]
    return [os.path.join(command['directory'], path) for path in paths], ''


def digest(command, common):
    paths, trouble = dependencies(command)
    if paths is None:
        return None, trouble
    known = hashlib.sha256(common + '\0'.join(command['arguments']).encode())
    for path in paths:
        with open(path, 'rb') as f:
            known.update(hashlib.sha256(f.read()).digest())
    return known.hexdigest(), ''


def examine(command, common, build):
    """What clang-tidy finds in one source, from the cache when it is there."""
    key, trouble = digest(command, common)
    if key is None:
        return trouble
    kept = os.path.join(build, 'tidy', key)
    if os.path.exists(kept):
        with open(kept) as f:
            return f.read()
    p = subprocess.run(['clang-tidy', '--quiet', '-p', build, command['file']], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=TOP)
    found = p.stdout + (p.stderr if p.returncode else '')
    if p.returncode == 0 or p.stdout:
        with open(kept + '.new', 'w') as f:
            f.write(found if p.returncode else '')
        os.rename(kept + '.new', kept)
    return found if p.returncode else ''


def main():
    build = os.path.abspath(sys.argv[1])
    os.makedirs(os.path.join(build, 'tidy'), exist_ok=True)
    subprocess.run([sys.executable, os.path.join(TOP, 'tests', 'compile_commands.py'), TOP],
                   cwd=build, check=True)
    with open(os.path.join(build, 'compile_commands.json')) as f:
        commands = [c for c in json.load(f)
                    if not c['file'].endswith(('_test.c', '_fuzz.c', '_bench.c'))]
    version = subprocess.run(['clang-tidy', '--version'], capture_output=True).stdout
    with open(os.path.join(TOP, '.clang-tidy'), 'rb') as f:
        common = version + f.read()
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda c: examine(c, common, build), commands):
            if found:
                bad += 1
                print(found)
    print(f'{len(commands)} sources, {bad} with findings')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
