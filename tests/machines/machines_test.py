#!/usr/bin/env python3
"""Coroutines where this machine does not show them: on aarch64, cross-compiled and run by
qemu with our own switch and with ucontext, and under Valgrind. So is the jail's filter of
system calls."""
import os
import re
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import TOP, check, check_equal, finish

SOURCE = os.environ.get("TOP_SRCDIR", os.path.join(os.path.dirname(__file__), "..", ".."))
SWITCHES = ("lib/event/event_test", "lib/event/event_ucontext_test")
EMULATED = SWITCHES + ("lib/base/base_test", "lib/service/seccomp_test")
# qemu's emulation of a process aborts in the child of one that has threads.
NOT_UNDER_QEMU = {"a_forked_child_has_a_loop_of_its_own"}
# Libraries of aarch64 are not there. What is built here needs none of them.
CROSS = ["--host=aarch64-linux-gnu", "CC=aarch64-linux-gnu-gcc", "OPENSSL_CFLAGS=-I/usr/include",
         "OPENSSL_LIBS=-lssl", *(f"--without-{name}" for name in
                                 ("db", "lmdb", "pcre2", "unbound", "spf2", "opendkim"))]


def run(*command, folder=".", **environment):
    p = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return p.returncode, p.stdout


def failures(output):
    """Names of the tests of which a check failed."""
    return set(re.findall(r"_test\.c:\d+: (\w+)", output))


def on_aarch64(folder):
    status, said = run(f"{SOURCE}/configure", "-q", *CROSS, folder=folder)
    if not check_equal(status, 0, f"configure: {said}"):
        return
    status, said = run("make", "-s", f"-j{os.cpu_count()}", *EMULATED, folder=folder)
    if not check_equal(status, 0, f"make: {said[-3000:]}"):
        return
    for test in EMULATED:
        _, said = run("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", test, folder=folder)
        check_equal(failures(said) - NOT_UNDER_QEMU, set(), f"{test} on aarch64: {said[-2000:]}")
        check(re.search(r"^[1-9]\d+ passed", said, re.M), f"{test} on aarch64 ends: {said[-500:]}")


def under_valgrind():
    for test in SWITCHES:
        status, said = run("valgrind", "-q", "--error-exitcode=9", "--leak-check=full",
                           "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite",
                           f"{TOP}/{test}")
        check_equal(status, 0, f"{test} under Valgrind: {said[-3000:]}")


with tempfile.TemporaryDirectory() as build:
    on_aarch64(build)
under_valgrind()
finish()
