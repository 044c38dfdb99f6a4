#!/usr/bin/python3
"""Writes compile_commands.json into the current build directory, for clang-tidy.

usage: compile_commands.py TOP"""
import json
import os
import shlex
import subprocess
import sys

top, build = os.path.abspath(sys.argv[1]), os.getcwd()


def variable(name):
    """A make variable, expanded."""
    rule = f'print-it: ; $(info $({name}))@:\n'
    p = subprocess.run(['make', '-s', '-f', 'Makefile', '-f', '-', 'print-it'], input=rule,
                       capture_output=True, text=True, check=True)
    return shlex.split(p.stdout.splitlines()[-1])  # behind what a stale Makefile does first


flags = (['clang', '-I.'] + variable('AM_CPPFLAGS') + variable('CPPFLAGS') + variable('AM_CFLAGS') +
         variable('UNBOUND_CFLAGS') + variable('PCRE2_CFLAGS') + variable('FUSE3_CFLAGS') +
         variable('SQLITE_CFLAGS') + variable('PGSQL_CFLAGS') + variable('MYSQL_CFLAGS') +
         variable('LDAP_CFLAGS') +
         ['-DHAVE_CONFIG_H'])
files = subprocess.run(['git', 'ls-files', '*.c'], cwd=top, capture_output=True, text=True,
                       check=True).stdout.split()
with open('compile_commands.json', 'w') as f:
    json.dump([{'directory': build, 'file': os.path.join(top, name),
                'arguments': flags + ['-c', os.path.join(top, name)]} for name in files], f)
