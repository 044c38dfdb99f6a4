#!/usr/bin/env python3
"""Tables made by Postfix's tools are read by ours, and the other way round.

Needs Debian's packages postfix, postfix-lmdb and postfix-cdb, unpacked (not installed) where
./dev test puts them."""
import os
import random
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import TOP, check, check_equal, finish, is_root, program

UNPACKED = os.path.join(os.path.dirname(TOP), "debian")
LIBRARIES = f"{UNPACKED}/usr/lib/postfix"
if not check(os.path.exists(f"{LIBRARIES}/postfix-cdb.so"), f"Postfix is unpacked in {UNPACKED}"):
    finish()
FOLDER = tempfile.TemporaryDirectory()
HERE = FOLDER.name
os.mkdir(f"{HERE}/etc")
with open(f"{HERE}/etc/main.cf", "w", encoding="utf-8") as f:
    f.write("compatibility_level = 3.6\nmail_owner = mail\nsetgid_group = games\n"
            f"myhostname = host.example\nqueue_directory = {HERE}\ndata_directory = {HERE}\n"
            f"shlib_directory = {LIBRARIES}\ndaemon_directory = {LIBRARIES}/sbin\n"
            f"meta_directory = {HERE}/etc\n")
open(f"{HERE}/etc/master.cf", "w", encoding="utf-8").close()
with open(f"{HERE}/etc/dynamicmaps.cf", "w", encoding="utf-8") as f:
    for name in "lmdb", "cdb":
        f.write(f"{name}\tpostfix-{name}.so\tdict_{name}_open\tmkmap_{name}_open\n")


def run(tool, *arguments, stdin=""):
    p = subprocess.run([tool, "-c", f"{HERE}/etc", *arguments], cwd=HERE, input=stdin,
                       capture_output=True, text=True,
                       env=dict(os.environ, LD_LIBRARY_PATH=LIBRARIES))
    return p.stdout, p.stderr, p.returncode


def entries(tool, kind, keys):
    return sorted(run(tool, "-q", "-", f"{kind}:table", stdin=keys)[0].splitlines())


def check_same(got, want, what):
    """Shows no more than where they differ."""
    check_equal(sorted(set(got) ^ set(want))[:10], [], what)


seed = random.randrange(1 << 32)
print(f"seed {seed}")
dice = random.Random(seed)
alphabet = 'abcXYZ019.@+-_="\\ü '


def word():
    """Never nothing but quotes and backslashes: what an empty name means is no matter."""
    some = "".join(dice.choice(alphabet) for _ in range(dice.randrange(1, 40)))
    return some + dice.choice("abc")


words = [(word().replace(" ", ""), word().strip()) for _ in range(3000)]
for name in "postmap", "postalias":
    ours, theirs = program(name), f"{UNPACKED}/usr/sbin/{name}"
    between = ": " if name == "postalias" else " "
    with open(f"{HERE}/table", "w", encoding="utf-8") as f:
        f.write("".join(f"{k}{between}{v}\n" for k, v in words))
    # Postfix's postalias with NIS support adds an entry @ that is nobody's alias.
    keys = "".join(k + "\n" for k, _ in words if k != "@")
    # Postfix loads no module that an ordinary user's dynamicmaps.cf names.
    for kind in ("hash", "btree", "lmdb", "cdb") if is_root() else ("hash", "btree"):
        out, err, status = run(theirs, "-w", f"{kind}:table")
        check_equal(status, 0, f"{name} {kind}: theirs builds: {err}")
        want = entries(theirs, kind, keys)
        check_same(entries(ours, kind, keys), want, f"{name} {kind}: ours reads theirs")
        if kind != "cdb":
            run(ours, "-i", f"{kind}:table", stdin=f"added{between}x y\nalso{between}z\n")
            check_equal(run(theirs, "-d", "-", f"{kind}:table",
                            stdin="added\nalso\n")[2], 0,
                        f"{name} {kind}: theirs deletes what ours added")
        check_equal(run(ours, "-w", f"{kind}:table")[2], 0, f"{name} {kind}: ours builds")
        check_same(entries(theirs, kind, keys), want, f"{name} {kind}: theirs reads ours")
finish()
