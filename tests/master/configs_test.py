#!/usr/bin/env python3
"""The master.cf of Debian's postfix package, and the twelve shared sets with their main.cf,
boot as they are: on their own ports, in a network of their own."""
import glob
import os
import re
import shutil
import socket
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import TOP, Instance, check, check_equal, finish, is_root, skip, wait_until

SHARED = os.environ.get("POSTERN_SHARED", "")
# What is not there yet is warned about; nothing else may go wrong before the first client.
TROUBLE = r"^.*(?:fatal|panic|error): .*$|^.*throttling.*$"


def own_network():
    """Runs this test again where ports below 1024 are free, with the sets' addresses."""
    os.execvp("unshare", ["unshare", "--net", "sh", "-c",
                          'ip link set lo up && for a in 10.9.0.1 10.20.0.1; do '
                          'ip addr add $a/24 dev lo; done; exec python3 "$0" inside', __file__])


def addresses_of(master_cf):
    return set(re.findall(r"^([\w.:]+)\s+inet\s", master_cf, re.M))


def listens(endpoint):
    host, _, port = endpoint.rpartition(":")
    number = {"smtp": 25, "submission": 587, "submissions": 465, "smtps": 465}
    with socket.socket() as s:
        s.settimeout(10)
        return s.connect_ex((host or "127.0.0.1", number.get(port) or int(port))) == 0


def boots(name, master_cf, main_cf=None, folder=None):
    with Instance(services=[]) as mta:
        for path in glob.glob(f"{folder}/*") if folder else ():
            target = os.path.join(mta.etc, os.path.basename(path))
            if os.path.isdir(path):
                shutil.copytree(path, target)
            else:
                shutil.copy(path, target)
        settings = dict(mta.settings)
        if main_cf is not None:  # places and owners are ours, all the rest is the set's
            for setting in ("myhostname", "inet_interfaces", "inet_protocols", "mynetworks",
                            "alias_maps", "alias_database", "compatibility_level"):
                settings.pop(setting)
            if "smtpd_tls_chain_files" in main_cf:
                settings["smtpd_tls_chain_files"] = mta.certificate()
        mta.write("main.cf", (main_cf or "") + "\n" + "".join(
            f"{setting} = {value}\n" for setting, value in settings.items()))
        mta.write("master.cf", master_cf)
        done = mta.postern("start", status=None)
        if not check_equal(done.returncode, 0, f"{name}: start: {done.stderr}"):
            return
        for program in ("broker", "spool", "qmgr"):
            mta.process(program)
        for endpoint in addresses_of(master_cf):
            check(listens(endpoint), f"{name}: {endpoint} listens")
        wait_until(lambda: mta.logged("daemon started"), f"{name}: start in the log")
        check_equal(re.findall(TROUBLE, mta.log_text(), re.M), [], f"{name}: trouble")
        for line in set(re.findall(r"^.*no program .*$", mta.log_text(), re.M)):
            check_equal(mta.logged(re.escape(line)), 1, f"{name}: warned more than once")


def sets():
    found = sorted(glob.glob(os.path.join(SHARED, "configs", "*", "")))
    for folder in found:
        with open(folder + "main.cf") as main, open(folder + "master.cf") as master:
            boots(os.path.basename(folder[:-1]), master.read(), main.read(), folder)
    if os.path.isdir(SHARED):
        check_equal(len(found), 12, "sets")


def debian():
    """./dev unpacks it; the package is never installed, since it would replace what the
    machine sends its mail with."""
    path = os.path.join(TOP, "..", "debian", "usr/share/postfix/master.cf.dist")
    with open(path) as file:
        # Without a level smtpd_relay_restrictions is empty, and smtpd refuses to run.
        boots("Debian's master.cf", file.read(), "compatibility_level = 3.6\n"
              "inet_interfaces = loopback-only\ninet_protocols = ipv4\n")


if not is_root():
    skip("needs root, for a network of its own")
if sys.argv[1:] != ["inside"]:
    own_network()
sets()
debian()
finish()
