#!/usr/bin/env python3
"""/etc/resolv.conf, /etc/hosts and /etc/nsswitch.conf replaced by rename while dns runs in its
jail. Needs root: the test makes itself a private copy of /etc."""
import os
import shutil
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from ask import A, ASK, ask
from dns_server import DnsServer
from harness import Instance, finish, is_root, skip, wait_until

HOSTS, SEARCH = 2, 8


def replace(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.chmod(path + ".new", 0o644)
    os.rename(path + ".new", path)


def expect(mta, question, address, what):
    wait_until(lambda: ask(mta, question)[0][2:] == [f"0:{address}"], what)


if not is_root() or not os.access(ASK, os.X_OK):
    skip("needs root and tests/dns/ask")
if "PRIVATE_ETC" not in os.environ:
    with tempfile.TemporaryDirectory() as folder:
        etc = os.path.join(folder, "etc")
        shutil.copytree("/etc", etc, symlinks=True)
        os.chmod(folder, 0o755)
        sys.exit(subprocess.run(
            ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', etc,
             sys.executable, __file__], env=dict(os.environ, PRIVATE_ETC="1")).returncode)
with DnsServer({("x.example", "A"): ["192.0.2.1"]}, "127.53.0.1", 53) as old, \
        DnsServer({("x.example", "A"): ["192.0.2.2"]}, "127.53.0.2", 53) as new, \
        Instance() as mta:
    replace("/etc/resolv.conf", "nameserver 127.53.0.1\n")
    replace("/etc/hosts", "192.0.2.3 x.example\n")
    replace("/etc/nsswitch.conf", "hosts: files dns\n")
    mta.start()
    expect(mta, (A, "x.example"), "192.0.2.1", "an answer of the first server")
    expect(mta, (A, "x.example", HOSTS), "192.0.2.3", "a name of hosts, before dns")
    replace("/etc/nsswitch.conf", "hosts: dns files\n")
    expect(mta, (A, "x.example", HOSTS), "192.0.2.1", "dns before hosts")
    replace("/etc/hosts", "192.0.2.4 x.example only.hosts\n")
    expect(mta, (A, "only.hosts", HOSTS), "192.0.2.4", "a new line in hosts")
    replace("/etc/resolv.conf", "nameserver 127.53.0.2\nsearch example\n")
    expect(mta, (A, "x.example"), "192.0.2.2", "an answer of the second server")
    expect(mta, (A, "x", SEARCH), "192.0.2.2", "a name completed by `search`")
finish()
