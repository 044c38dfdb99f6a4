"""postfix37.py -- a private instance of Debian's Postfix 3.7, to compare ourselves with.

./dev unpacks the package into build/debian; it is never installed. Only root can run it:

    with Postfix37({"mydestination": "here.example"}) as peer:
        peer.start()
        smtp = peer.smtp()

It has the places, ports and log functions of harness.Instance, and ends with it."""

import os
import pwd
import grp
import signal
import socket
import subprocess

import harness
from harness import Instance

HOME = os.path.realpath(os.path.join(harness.TOP, "..", "debian"))
LIBRARIES = os.path.join(HOME, "usr/lib/postfix")

# mail_owner's group must not be setgid_group, which must be nobody's own.
OWNERS = {"mail_owner": "mail", "setgid_group": "utmp"}
LINES = """{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd""".split("\n")
PRIVATE = "active bounce corrupt defer deferred flush hold incoming private saved trace".split()


def is_there():
    return os.access(os.path.join(LIBRARIES, "sbin/master"), os.X_OK)


def free_nameserver():
    """A loopback address whose port 53 is nobody's."""
    for number in range(1, 255):
        host = f"127.77.{os.getpid() % 250 + 1}.{number}"
        try:
            with socket.socket() as s, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
                s.bind((host, 53))
                u.bind((host, 53))
                return host
        except OSError:
            continue
    return None


class Postfix37(Instance):
    """nameserver: the address in a resolv.conf of its own."""

    def __init__(self, settings=None, extra_services=(), nameserver=None):
        self.daemon = None
        self.nameserver = nameserver
        super().__init__(settings, services=[], extra_services=LINES + list(extra_services))
        self._make_queue()

    def _link_programs(self):
        """Its own programs instead of ours."""
        os.rmdir(self.bin)
        os.symlink(os.path.join(HOME, "usr/sbin"), self.bin)

    def _default_settings(self):
        settings = super()._default_settings()
        settings = {name: value for name, value in settings.items()
                    if not name.endswith("_owner")}
        settings.update(OWNERS)
        settings.update({
            "daemon_directory": os.path.join(LIBRARIES, "sbin"),
            "command_directory": os.path.join(HOME, "usr/sbin"),
            "shlib_directory": LIBRARIES,
            "meta_directory": self.etc,
            "maillog_file_prefixes": self.home,
            "import_environment": f"MAIL_CONFIG LD_LIBRARY_PATH={LIBRARIES} TZ LANG=C",
            "export_environment": f"MAIL_CONFIG LD_LIBRARY_PATH={LIBRARIES} TZ LANG=C",
        })
        return settings

    def _make_queue(self):
        owner = pwd.getpwnam(OWNERS["mail_owner"]).pw_uid
        group = grp.getgrnam(OWNERS["setgid_group"]).gr_gid
        os.makedirs(os.path.join(self.queue, "pid"))
        os.makedirs(self.data)
        os.chown(self.data, owner, -1)
        for name in PRIVATE:
            os.mkdir(os.path.join(self.queue, name), 0o700)
            os.chown(os.path.join(self.queue, name), owner, -1)
        for name, mode in (("public", 0o710), ("maildrop", 0o730)):
            path = os.path.join(self.queue, name)
            os.mkdir(path)
            os.chown(path, owner, group)
            os.chmod(path, mode)

    def _environment(self):
        return {**super()._environment(), "LD_LIBRARY_PATH": LIBRARIES}

    def _wrapper(self):
        """A command that starts it."""
        if not self.nameserver:
            return []
        resolv = self.write("resolv.conf", f"nameserver {self.nameserver}\noptions timeout:2\n")
        os.chmod(resolv, 0o644)
        return ["unshare", "-m", "sh", "-c",
                'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolv]

    def start(self):
        self.daemon = subprocess.Popen(
            [*self._wrapper(), os.path.join(LIBRARIES, "sbin/master"), "-c", self.etc, "-d"],
            env=self._environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        self.wait_for_log(r"master\[\d+\]: daemon started")

    def stop(self):
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(20)
            self.daemon = None
