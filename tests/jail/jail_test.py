#!/usr/bin/env python3
"""Each daemon, taken over: what design section 3 forbids it is refused.

Needs a build with --enable-captured, where daemons obey lines like "open-read PATH" on a
socket in queue_directory/captured/ (lib/service/captured.c). Each act is tried in each daemon
four times: as root and as an ordinary user, with Landlock and without it, where the table
says what stands in: file modes and users (as root), seccomp (always)."""
import glob
import os
import pwd
import re
import socket
import sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (ALL_SERVICES, LINES, PATIENCE, TOP, Instance, check, finish,
                     is_root, process_status, skip, wait_until)

REFUSED = {"EPERM", "EACCES"}
MAIL_OWNERS = {"broker", "spool", "qmgr", "pickup", "bounce", "showq", "flush", "local",
               "virtual", "pipe", "spawn", "anvil", "proxymap", "verify", "postscreen",
               "sasl", "greylistd", "stsd"}   # run as mail_owner
LAUNCHERS = {"local": ("0", "0"), "pipe": ("0", "0"), "spawn": ("0", "0"),
             "virtual": ("1", "2")}  # their one child that stays root:
#                                         its no_new_privs and seccomp, for those who run commands
READERS = {"broker", "spool", "qmgr", "pickup", "showq", "flush", "smtpd", "cleanup", "smtp",
           "dns", "local", "virtual", "pipe", "proxymap",
           "anvil", "verify", "postscreen", "sasl", "greylistd", "stsd"}   # may open files
WRITERS = {"spool", "pickup", "anvil", "verify", "postscreen", "greylistd"}
INTERNET = {"smtp", "dns", "proxymap", "sasl", "broker", "stsd"}
CONNECTORS = {"broker", "proxymap", "sasl"}  # to databases on this machine, as mail_owner
PARENTS = {"sasl"}  # of processes with the same walls
COMPILERS = {"smtpd", "postscreen", "cleanup", "qmgr", "local", "virtual"}  # PCRE2's JIT
NOBODY = set()

# act: who may in four situations: root, user, root without Landlock, user without Landlock.
ACTS = {
    "open-read {segment}": ({"spool", "qmgr", "showq", "flush"},
                            {"spool", "qmgr", "showq", "flush"},
                            MAIL_OWNERS & READERS, READERS),
    "open-write {queue}/log/planted": ({"spool"}, {"spool"},
                                       MAIL_OWNERS & WRITERS, WRITERS),
    "open-read {key}": (NOBODY, NOBODY, NOBODY, READERS),
    "open-read {mailbox}": (NOBODY, NOBODY, NOBODY, READERS),
    "list {queue}/maildrop": ({"pickup", "showq"}, {"pickup", "showq"}, MAIL_OWNERS & READERS,
                              READERS),
    "open-write {home}/planted": (NOBODY, NOBODY, NOBODY, WRITERS),
    "connect-unix {queue}/private/spool": (CONNECTORS, CONNECTORS, CONNECTORS, CONNECTORS),
    "connect-inet 127.0.0.1 {port}": (INTERNET, INTERNET, INTERNET, INTERNET),
    "bind-inet 0": (NOBODY, NOBODY, NOBODY, NOBODY),
    "socket-raw": (NOBODY, NOBODY, NOBODY, NOBODY),
    "exec /bin/true": (NOBODY, NOBODY, NOBODY, NOBODY),
    "ptrace {other}": (NOBODY, NOBODY, NOBODY, NOBODY),
    "signal {other}": (NOBODY, NOBODY, NOBODY, NOBODY),
    "fork": (PARENTS, PARENTS, PARENTS, PARENTS),
    "setuid 0": (NOBODY, NOBODY, NOBODY, NOBODY),
    "io_uring": (NOBODY, NOBODY, NOBODY, NOBODY),
    "bpf": (NOBODY, NOBODY, NOBODY, NOBODY),
    "mount": (NOBODY, NOBODY, NOBODY, NOBODY),
    "executable-memory": (COMPILERS, COMPILERS, COMPILERS, COMPILERS),
}
SITUATIONS = ("root", "user", "root without Landlock", "user without Landlock")


def is_captured_build():
    try:
        with open(os.path.join(TOP, "config.h")) as file:
            return re.search(r"^#define CAPTURED 1", file.read(), re.M) is not None
    except OSError:
        return False


def sanitized_build():
    with open(os.path.join(TOP, "config.h")) as file:
        return re.search(r"^#define SANITIZED 1", file.read(), re.M) is not None


class Captured:
    """The conversation with one daemon that obeys."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)
        self.file = self.socket.makefile("rw")

    def tries(self, act):
        self.file.write(act + "\n")
        self.file.flush()
        return self.file.readline().strip()


def socket_of(mta, service):
    """Wakes a service up by a connection, and waits for its captured socket."""
    knocking = None
    for folder in ("private", "public"):
        path = os.path.join(mta.queue, folder, service)
        if os.path.exists(path):
            knocking = socket.socket(socket.AF_UNIX)
            knocking.connect(path)
    found = wait_until(lambda: glob.glob(f"{glob.escape(mta.queue)}/captured/{service}.*"),
                       f"{service}'s captured socket")
    if knocking:
        knocking.close()
    return found[0] if found else None


def prepare(mta, owner):
    """What may not be reached: a key, somebody's mailbox, a stranger's port."""
    os.makedirs(os.path.join(mta.queue, "captured"))
    os.chmod(os.path.join(mta.queue, "captured"), 0o777)
    keys = os.path.join(mta.home, "keys")
    os.mkdir(keys)
    with open(os.path.join(keys, "key.pem"), "w") as file:
        file.write("secret\n")
    os.chmod(file.name, 0o600)
    box = os.path.join(mta.mail, "somebody")
    os.mkdir(box, 0o700)
    with open(os.path.join(box, "message"), "w") as letter:
        letter.write("private\n")
    if is_root():
        someone = pwd.getpwnam(owner or "news").pw_uid
        for path in (box, letter.name):
            os.chown(path, someone, -1)
        if owner:
            for path in (mta.queue, os.path.join(mta.queue, "captured"), keys, file.name):
                os.chown(path, someone, -1)
    return file.name, letter.name


def run(situation, user, without):
    services = [name for name in ALL_SERVICES if name not in ("relay", "retry", "lmtp")]
    environment = {"POSTERN_WITHOUT": without} if without else {}
    with Instance({"import_environment": "POSTERN_WITHOUT", "max_idle": "1h",
                   "virtual_mailbox_domains": "v.test"},
                  environment=environment, user=user,
                  extra_services=["127.0.0.1:{port9} inet n - n - 1 postscreen",
                                  "spawn unix - n n - 0 spawn user=nobody argv=/bin/cat"]) as mta:
        mta.write_configuration(virtual_mailbox_base=mta.mail)
        mta.expect_trouble("refused by the jail")
        key, mailbox = prepare(mta, user)
        stranger = socket.socket()
        stranger.bind(("127.0.0.1", 0))
        stranger.listen(50)
        mta.start()
        names = [name for name in services if mta._is_built(LINES[name])]
        mta.smtp().close()
        mta.smtp(9, greeting="421 4.3.2 ").close()  # without an smtpd behind it
        sockets = {}
        for name in ["broker", "spool", "dns", "sasl", "dkimsign", "mailauth", "greylistd", "stsd",
                     "postscreen", "spawn"] + names:
            service = {"smtpd": f"127.0.0.1:{mta.port()}",
                       "postscreen": f"127.0.0.1:{mta.port(9)}"}.get(name, name)
            if os.path.exists(os.path.join(mta.sbin, name)):
                sockets[name] = socket_of(mta, service)
        fill_in = {"segment": wait_until(lambda: sorted(glob.glob(f"{mta.queue}/log/*")),
                                         "a segment")[0],
                   "queue": mta.queue, "home": mta.home, "key": key, "mailbox": mailbox,
                   "port": stranger.getsockname()[1], "other": mta.master()}
        for name, path in sockets.items():
            if not path:
                continue
            captured = Captured(path)
            for act, allowed in ACTS.items():
                got = captured.tries(act.format(**fill_in))
                may = name in allowed[SITUATIONS.index(situation)]
                check(got == "ok" if may else got in REFUSED,
                      f"{situation}: {name}: {act}: {got or 'it died'}")
            check_walls(situation, name, int(path.rsplit(".", 1)[1]))
        mta.wait_for_log("system call 59 was refused by the jail")


def check_walls(situation, name, pid):
    status = process_status(pid)
    check(status["NoNewPrivs"] == "1", f"{situation}: {name}: no_new_privs")
    check(status["Seccomp"] == "2", f"{situation}: {name}: seccomp")
    check(int(status["CapEff"], 16) == 0, f"{situation}: {name}: capabilities")
    if name not in LAUNCHERS:
        return
    launchers = [process_status(int(entry)) for entry in os.listdir("/proc") if entry.isdigit()
                 and process_status(int(entry)).get("PPid") == str(pid)]
    check(len(launchers) == 1, f"{situation}: {name}: {len(launchers)} launchers")
    caps = 0xe0 if situation.startswith("root") else 0
    for launcher in launchers:
        check(int(launcher["CapEff"], 16) == caps, f"{situation}: {name}: launcher's capabilities")
        check((launcher["NoNewPrivs"], launcher["Seccomp"]) == LAUNCHERS[name],
              f"{situation}: {name}: launcher's walls")


def main():
    if not is_captured_build():
        skip("this build is without --enable-captured")
    if sanitized_build():
        skip("the sanitizers need holes in the jail")
    user = "nobody" if is_root() else None
    if is_root():
        run("root", None, None)
        run("root without Landlock", None, "landlock")
    run("user", user, None)
    run("user without Landlock", user, "landlock")
    finish()


if __name__ == "__main__":
    main()
