#!/usr/bin/env python3
"""The unit as installed, under a systemd of its own: in namespaces of their own, this machine's files
with a layer of ours over them, and systemd as the first process. It says ready once the port
listens; mail goes to a mailbox and to a command; a master that hangs is replaced, and one that
was killed; reload and stop; and the same under closed.conf."""
import json
import os
import re
import subprocess
import sys
import tempfile
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import TOP, check, check_equal, finish, is_root, skip

SOURCE = os.environ.get("TOP_SRCDIR", os.path.join(os.path.dirname(__file__), "..", ".."))
SYSTEMD = "/lib/systemd/systemd"
CGROUPS = next((p for p in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
                if os.path.exists(f"{p}/cgroup.procs")), None)

# Runs outside, as root, in a mount namespace: makes the other machine in $1.
PREPARE = r"""set -eu
r=$1/root
mount --make-rprivate /
mkdir "$1/layer" "$r"
mount -t tmpfs tmpfs "$1/layer"
mkdir "$1/layer/upper" "$1/layer/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/layer/upper,workdir=$1/layer/work" "$r"
rm -rf "$r"/etc/systemd/system/*.wants
make -s -C "$2" install DESTDIR="$r" prefix=/usr/local unitdir=/etc/systemd/system >"$1/install" 2>&1
cp "$1/try.target" "$1/try.service" "$r/etc/systemd/system"
cp "$1/try.py" "$r/try.py"
mount -t sysfs -o ro sysfs "$r/sys"
for dir in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$r/$dir"; done
chmod 1777 "$r/tmp"
for name in null zero full random urandom tty; do
	mknod -m 666 "$r/dev/$name" c $(stat -c '0x%t 0x%T' "/dev/$name")
done
touch "$r/dev/console"
mkdir "$r/dev/pts" "$r/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$r/dev/pts"
mount -t tmpfs tmpfs "$r/dev/shm"
ln -s pts/ptmx "$r/dev/ptmx"
ln -s /proc/self/fd "$r/dev/fd"
echo $$ >"$3/cgroup.procs"
unshare -m -p -f -n -u -i -C --kill-child sh -c '
	mount -t proc proc "$0/proc"
	mount -t cgroup2 none "$0/sys/fs/cgroup"
	ip link set lo up
	exec env -i container=postern-test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$0" \
		'"$4"' --system --unit=try.target --show-status=no' "$r" || :
cat "$r/out"
"""
TARGET = "[Unit]\nRequires=basic.target try.service\nAfter=basic.target\n"
SERVICE = """[Unit]
After=basic.target dbus.socket
[Service]
Type=oneshot
StandardOutput=file:/out
StandardError=inherit
ExecStart=/usr/bin/python3 /try.py
ExecStopPost=/bin/systemctl --no-block exit 0
"""
# Runs inside.
TRY = r"""
import glob, json, os, re, signal, smtplib, subprocess, time

DROP = "/etc/systemd/system/postern.service.d"
PLACES = "ReadWritePaths=/usr/local/var /var/mail\n"
seen = {}

def run(*command):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

def state():
    text = run("systemctl", "show", "postern", "-p",
               "ActiveState,SubState,MainPID,NRestarts,Result").stdout
    return dict(line.split("=", 1) for line in text.splitlines())

def is_so(what):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False

def send(rcpt):
    with smtplib.SMTP("127.0.0.1", 25, timeout=20) as smtp:
        smtp.sendmail("a@client.example", [f"{rcpt}@mail.test.example"], "Subject: x\n\nx\n")

def replaced(number):
    old = int(state()["MainPID"])
    os.kill(old, number)
    return is_so(lambda: state()["SubState"] == "running" and
                 int(state()["MainPID"]) not in (0, old))

def configure(text):
    os.makedirs(DROP, exist_ok=True)
    with open(f"{DROP}/test.conf", "w") as file:
        file.write(text)
    run("systemctl", "daemon-reload")

def all_steps():
    run("useradd", "-m", "ann")
    with open("/etc/aliases", "w") as file:
        file.write('command: "|cat >/tmp/command"\n')
    with open("/usr/local/etc/postern/main.cf", "w") as file:
        file.write("compatibility_level = 3.6\nmyhostname = mail.test.example\n"
                   "mydestination = $myhostname\nalias_maps = hash:/etc/aliases\n"
                   "home_mailbox = Maildir/\nmynetworks = 127.0.0.0/8\n")
    run("/usr/local/sbin/postalias", "/etc/aliases")
    configure("[Service]\nWatchdogSec=2s\nRestartSec=0\n")
    seen["start"] = run("systemctl", "start", "postern").stdout
    send("ann"), send("command")
    seen["mailbox"] = is_so(lambda: glob.glob("/home/ann/Maildir/new/*"))
    seen["command"] = is_so(lambda: os.path.exists("/tmp/command"))
    seen["running"] = state()
    seen["hung"] = replaced(signal.SIGSTOP)
    seen["killed"] = replaced(signal.SIGKILL)
    before = state()["MainPID"]
    seen["reload"] = run("systemctl", "reload", "postern").stdout
    seen["same master"] = state()["MainPID"] == before
    send("ann")
    seen["stop"] = run("systemctl", "stop", "postern").stdout
    seen["stopped"] = state()
    seen["nobody left"] = run("pgrep", "-x", "master").stdout
    with open("/closed.conf") as file:
        configure(file.read().replace("ReadWritePaths=/var/spool/postfix /var/lib/postfix\n", PLACES))
    with open("/usr/local/etc/postern/main.cf", "a") as file:
        file.write("home_mailbox = \nalias_maps =\nmail_spool_directory = /var/mail\n")
    seen["closed start"] = run("systemctl", "start", "postern").stdout
    send("ann")
    seen["closed mailbox"] = is_so(lambda: os.path.exists("/var/mail/ann") and
                                   os.path.getsize("/var/mail/ann"))
    status = open(f"/proc/{state()['MainPID']}/status").read()
    seen["no new privileges"] = re.search(r"NoNewPrivs:\s*(\d)", status)[1]
    seen["closed stop"] = run("systemctl", "stop", "postern").stdout
    seen["closed stopped"] = state()

try:
    all_steps()
except OSError as error:
    seen["trouble"] = str(error)
seen["log"] = run("journalctl", "-u", "postern", "--no-pager").stdout[-6000:]
print(json.dumps(seen))
"""


def boot(folder):
    """What the other machine saw."""
    for name, text in (("try.target", TARGET), ("try.service", SERVICE), ("try.py", TRY)):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    cgroup = os.path.join(CGROUPS, os.path.basename(folder))
    os.mkdir(cgroup)
    script = PREPARE.replace('cp "$1/try.py"', f'cp "{SOURCE}/conf/closed.conf" "$r"\ncp "$1/try.py"')
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", folder, os.path.abspath(TOP),
                           cgroup, SYSTEMD], text=True, timeout=240, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for inner, _, _ in sorted(os.walk(cgroup), reverse=True):
        os.rmdir(inner)
    return done.stdout


def as_told(seen):
    if not check("trouble" not in seen, str(seen)):
        return
    for step in "start", "reload", "stop", "closed start", "closed stop":
        check_equal(seen[step], "", f"systemctl: {step}\n{seen['log']}")
    check_equal((seen["running"]["ActiveState"], seen["running"]["SubState"]),
                ("active", "running"), "ready")
    for step in "mailbox", "command", "hung", "killed", "same master", "closed mailbox":
        check(seen[step], f"{step}\n{seen['log']}")
    check_equal(seen["nobody left"], "", "processes after a stop")
    for step in "stopped", "closed stopped":
        check_equal((seen[step]["ActiveState"], seen[step]["Result"]), ("inactive", "success"), step)
    check_equal(seen["no new privileges"], "1", "closed.conf")


if not is_root() or not os.path.exists(SYSTEMD) or not CGROUPS:
    skip("needs root, systemd and its cgroups")
with tempfile.TemporaryDirectory(prefix="postern-systemd-") as home:
    os.chmod(home, 0o755)
    output = boot(home)
    found = re.search(r"^\{.*\}$", output, re.M)
    if check(found, f"nothing came of it: {output[-2000:]}"):
        as_told(json.loads(found[0]))
finish()
