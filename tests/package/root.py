"""root.py -- a Debian of our own, in which packages are installed: ./dev bootstraps it once into
build/debian/root, each test writes into a layer of its own over it. It has a network namespace
with nothing but the loopback device, so port 25 is free; systemd is not in it, and a few lines
of shell stand for systemctl: they run what the units say, with the capabilities that they allow."""
import ctypes
import fcntl
import glob
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import harness
from harness import Smtp, check, check_equal, wait_until

SOURCE = os.path.realpath(os.environ.get("TOP_SRCDIR") or
                          os.path.join(os.path.dirname(__file__), "..", ".."))
DEBIAN = os.path.realpath(os.path.join(harness.TOP, "..", "debian"))
BASE = os.path.join(DEBIAN, "root")
BUILT = os.path.realpath(os.path.join(harness.TOP, "..", "package"))

POSTFIX_ANSWERS = """postfix postfix/main_mailer_type select Internet Site
postfix postfix/mailname string mail.test.example
"""
POSTFIX_SETTINGS = ("myhostname = mail.test.example", "relayhost = [127.0.0.1]:1",
                    "mydestination = $myhostname, localhost", "inet_protocols = ipv4")

LONG = os.environ.get("TEST_MODE") == "long"
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root",
         "DEBIAN_FRONTEND": "noninteractive"}
# systemctl VERB [--now] UNIT, as far as these tests need it. Debian's postfix.service is empty
# and has its instances started by a generator.
SYSTEMCTL = r"""#!/bin/sh
verb=$1 now= unit=
shift
for word; do case $word in --now) now=yes ;; *) unit=${word%.service} ;; esac; done
line() {
	sed -n "s/^Exec$1=//p" "/lib/systemd/system/$unit.service"
}
case $verb-$now in
start-* | enable-yes)
	command=$(line Start)
	status="${command% start-fg} status"
	[ "$command" != /bin/true ] || exec /usr/sbin/postfix start
	bound=$(sed -n 's/^CapabilityBoundingSet=//p' "/lib/systemd/system/$unit.service" |
		tr 'A-Z\n' 'a-z ' | sed 's/cap_/,+/g; s/ //g')
	[ -z "$bound" ] || command="setpriv --bounding-set=-all$bound $command"
	setsid $command </dev/null >/dev/null 2>&1 &
	until $status >/dev/null 2>&1; do # or until the test's patience ends
		kill -0 $! || exit 1
		sleep 0.05
	done
	;;
stop-* | disable-yes)
	command=$(line Stop)
	${command:-/usr/sbin/postfix stop}
	;;
reload-*)
	command=$(line Reload)
	[ "$command" != /bin/true ] || command='/usr/sbin/postfix reload'
	$command
	;;
esac
"""


# ---- the packages ----

def sources():
    """The files that git keeps, as they are in the tree."""
    listed = subprocess.run(["git", "-C", SOURCE, "ls-files", "-z"], check=True,
                            capture_output=True).stdout.decode().split("\0")
    return [name for name in listed if name and os.path.exists(os.path.join(SOURCE, name))]


def fingerprint(names):
    total = hashlib.sha256()
    for name in names:
        if name.startswith("tests/") and not name.endswith("local.mk"):
            continue  # no part of a package
        with open(os.path.join(SOURCE, name), "rb") as file:
            total.update(name.encode() + b"\0" + hashlib.sha256(file.read()).digest())
    return total.hexdigest()


def built():
    """The folder with the packages of this tree, built from a clean export unless that was done
    before. The unit tests are run by ./dev test, not once more here."""
    os.makedirs(BUILT, exist_ok=True)
    with open(f"{BUILT}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests run side by side
        return build_in(BUILT, sources())


def build_in(folder, names):
    here = os.path.join(folder, fingerprint(names)[:16] + ("" if LONG else "-noopt"))
    if os.path.exists(os.path.join(here, "done")):
        return here
    shutil.rmtree(folder, ignore_errors=True)
    tree = os.path.join(here, "postern")
    for name in names:
        target = os.path.join(tree, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(os.path.join(SOURCE, name), target)
    # What is looked at here are the packages: --long has the programs as they are shipped.
    options = f"nocheck parallel={os.cpu_count()}{'' if LONG else ' noopt'}"
    command = ["dpkg-buildpackage", "-us", "-uc", "-b"]
    # Offline: in a network namespace where nobody is.
    done = subprocess.run(["unshare", "--net", *command], cwd=tree, text=True,
                          env={**os.environ, "DEB_BUILD_OPTIONS": options},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with open(os.path.join(here, "build.log"), "w") as log:
        log.write(done.stdout)
    if check_equal(done.returncode, 0, f"dpkg-buildpackage: {done.stdout[-3000:]}"):
        open(os.path.join(here, "done"), "w").close()
        shutil.rmtree(tree)
    return here


def debs(folder, *names):
    """The package files of these names."""
    found = [path for name in names for path in glob.glob(f"{folder}/{name}_[0-9]*.deb")]
    check_equal(len(found), len(names), f"packages {names} in {folder}")
    return found


def debian_postfix():
    """Debian's package, which ./dev fetched."""
    return debs(DEBIAN, "postfix")[0]


# ---- the root ----

def own_namespaces():
    """This process and its children: mounts and a network that end with them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class Syslog(threading.Thread):
    """Takes what is logged at a socket; text has it all."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.text = ""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.start()

    def run(self):
        while True:
            self.text += self.socket.recv(65536).decode(errors="replace") + "\n"


class Root:
    def __init__(self):
        own_namespaces()
        self.home = tempfile.mkdtemp(prefix="postern-package-")
        # overlayfs needs its upper layer on a file system that is none itself.
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", self.home], check=True)
        for name in "upper", "work", "root":
            os.mkdir(f"{self.home}/{name}")
        self.path = f"{self.home}/root"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={BASE},"
                        f"upperdir={self.home}/upper,workdir={self.home}/work", self.path],
                       check=True)
        subprocess.run(["mount", "-t", "proc", "proc", f"{self.path}/proc"], check=True)
        self.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
        self.write("/usr/bin/systemctl", SYSTEMCTL, 0o755)
        self.write("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 mail.test.example mail\n")
        self.write("/etc/resolv.conf", "nameserver 127.0.0.1\n")
        self.write("/etc/apt/sources.list", "")
        self.write("/etc/apt/apt.conf.d/here", 'APT::Install-Recommends "false";\n'
                   'Dpkg::Use-Pty "0";\n')
        self.run("useradd", "-m", "ann")
        self.log = Syslog(f"{self.path}/dev/log")

    def write(self, path, text, mode=0o644):
        with open(self.path + path, "w") as file:
            file.write(text)
        os.chmod(self.path + path, mode)

    def read(self, path):
        with open(self.path + path, errors="replace") as file:
            return file.read()

    def exists(self, path):
        return os.path.lexists(self.path + path)

    def run(self, *command, status=0, stdin="", user=None):
        """A command in there; its status is checked unless None."""
        inside = ["chroot", *(["--userspec", user] if user else []), self.path, *command]
        done = subprocess.run(inside, input=stdin, text=True, env=CLEAN, timeout=300,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if status is not None:
            check_equal(done.returncode, status, f"{' '.join(command)}: {done.stdout[-3000:]}")
        return done.stdout

    def packages(self, *paths):
        """Puts package files into /packages; their names there."""
        os.makedirs(f"{self.path}/packages", exist_ok=True)
        return [f"/packages/{os.path.basename(shutil.copy(path, self.path + '/packages'))}"
                for path in paths]

    def install(self, *paths):
        """As an administrator does with files: dependencies and conflicts are apt's."""
        return self.run("apt-get", "install", "-y", "--allow-downgrades", *self.packages(*paths))

    def install_postfix(self):
        """Debian's, set up for a host with users; mail to others waits, for nobody is at
        the relay."""
        self.run("debconf-set-selections", stdin=POSTFIX_ANSWERS)
        self.install(debian_postfix())
        for setting in POSTFIX_SETTINGS:
            self.run("postconf", "-e", setting)

    # -- the mail system in there --

    def master(self, queue="/var/spool/postfix"):
        """pid of the running master, or None."""
        try:
            pid = int(self.read(f"{queue}/pid/master.pid"))
        except (OSError, ValueError):
            return None
        status = harness.process_status(pid)
        alive = status.get("Name") == "master" and not status["State"].startswith("Z")
        return pid if alive else None

    def listens(self, port=25):
        """Waits for a greeting."""
        def greeted():
            try:
                smtp = Smtp(port, greeting=None)
            except OSError:
                return False
            text = smtp.reply()
            smtp.close()
            return text if text.startswith("220 ") else False
        return wait_until(greeted, f"somebody at port {port}") or ""

    def send(self, rcpt, subject, port=25):
        smtp = Smtp(port)
        smtp.say("EHLO client.example", "250")
        qid = smtp.message("you@client.example", rcpt, f"Subject: {subject}\n\nHello.")
        smtp.close()
        return qid

    def queue(self):
        """{queue id: recipients} as mailq tells it."""
        text = self.run("mailq", status=None)
        found = {}
        for part in text.split("\n\n"):
            qid = re.search(r"^([0-9A-Za-z]{6,})[*!]? ", part, re.M)
            if qid:
                found[qid[1]] = re.findall(r"^ +(\S+@\S+)$", part, re.M)
        return found

    def mailbox(self, user="ann"):
        """Texts of all messages, be they in one file or a Maildir."""
        text = ""
        for path in [f"/var/mail/{user}", *self.files(f"/home/{user}/Maildir/new")]:
            text += self.read(path) if self.exists(path) else ""
        return text

    def files(self, folder):
        there = os.path.isdir(self.path + folder)
        return [f"{folder}/{name}" for name in os.listdir(self.path + folder)] if there else []

    def has_subject(self, subject):
        return wait_until(lambda: f"Subject: {subject}\n" in self.mailbox(),
                          f"{subject!r} in the mailbox")

    def stop(self, queue="/var/spool/postfix"):
        pid = self.master(queue)
        if pid:
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not self.master(queue), "the end of master")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for queue in "/var/spool/postfix", "/var/spool/postern":
            self.stop(queue)
        subprocess.run(["umount", "-l", f"{self.path}/proc", self.path, self.home], check=False)
        os.rmdir(self.home)
