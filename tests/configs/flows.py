"""flows.py -- one of the sets of shared/configs, running unchanged in a network of its own.

    with Site("12-internal-relay-checks", zone={...}) as site:
        hub = site.host("192.0.2.10")                  # a server that takes mail, port 25
        site.start()
        site.send("10.5.0.1", "a@corp.example", "b@far.example", "Subject: x\\n\\nx\\n")
        hub.mail                                       # [Mail(sender, rcpts, text)]

The test starts itself again in namespaces of its own: a network where every port is free, an /etc
with `users` (private_users.py), a resolv.conf that names the zone, and private folders in place
of those in PLACES. Clients and hosts are in a second network, where any address can be bound.
Only places and owners are added to a set's main.cf, so the tests see what its administrator would.

`set12_test.py postfix` takes the same steps with Debian's Postfix 3.7, the judge in doubt."""
import collections
import contextlib
import ctypes
import glob
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "smtp"),
                os.path.join(HERE, "..", "local")]
import postfix37
import private_users
from private_users import put
from dns_server import DnsServer
from harness import (Instance, Smtp, check, check_equal, check_match, finish,  # noqa: F401 for the tests
                     is_root, skip, wait_until)
from postfix37 import Postfix37
from sink import Sink, certificate  # noqa: F401 for the tests

JUDGE = "postfix" in sys.argv[1:]
SHARED = os.environ.get("POSTERN_SHARED", "")
# What an instance adds to a set's main.cf: where things are, and whose.
PLACES_AND_OWNERS = re.compile(r"(?:\w+_directory|maillog_file\w*|\w+_owner|setgid_group|"
                               r"(?:im|ex)port_environment)$")
TABLE = re.compile(r"\b(hash|btree|lmdb|cdb):\$config_directory/([\w/.]+)")
# Folders that the sets name, each a private one while a test runs; /usr/bin and /usr/sbin keep what
# they have.
PLACES = ("/srv", "/var/mail", "/usr/local/bin")

INSIDE, GATEWAY = "198.18.0.1", "198.18.0.2"  # the two ends of the line

Mail = collections.namedtuple("Mail", "sender rcpts text")


def enter(users):
    """Comes back in the namespaces, with the place of the homes; the first process ends here
    with the result of that one."""
    if not is_root():
        skip("needs root, for a network and users of its own")
    if not os.path.isdir(SHARED):
        skip("POSTERN_SHARED names no folder with the sets")
    homes = private_users.with_users(*users)
    if "FLOWS_INSIDE" not in os.environ:
        places = os.path.join(homes, "..", "places")
        for place in (*PLACES, "bin", "sbin"):
            os.makedirs(os.path.join(places, place.strip("/")))
        shutil.chown(places + "/var/mail", group="mail")
        os.chmod(places + "/var/mail", 0o2775)
        mounts = [*(f"mount --bind $0{place} {place}" for place in PLACES),
                  *(f"mount -t overlay overlay -o lowerdir=$0/{name}:/usr/{name} /usr/{name}"
                    for name in ("bin", "sbin"))]
        sys.exit(subprocess.run(
            ["unshare", "-m", "--net", "sh", "-e", "-c", "; ".join(mounts) + '; exec "$@"', places,
             sys.executable, *sys.argv], env=dict(os.environ, FLOWS_INSIDE="1")).returncode)
    return homes


class Outside:
    """The other network, with a line to ours. It ends with us."""

    def __init__(self, addresses):
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, bufsize=0)
        self.holder.stdin.write(b"ready\n")
        self.holder.stdout.readline()  # from here on it is there
        pid = self.holder.pid
        self.there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        subprocess.run(["sh", "-ec", f"""
            ip link set lo up
            ip link add inside type veth peer name outside netns {pid}
            ip addr add {INSIDE}/30 dev inside
            ip link set inside up
            for a in {" ".join(addresses)}; do ip addr add $a dev lo; done
            nsenter -t {pid} -n sh -ec 'ip link set lo up
                ip addr add {GATEWAY}/30 dev outside; ip link set outside up
                ip route add {INSIDE} dev outside; ip route add local default dev lo
                for a in {" ".join(addresses)}; do ip route add $a via {INSIDE}; done'
            ip route add default via {GATEWAY}"""], check=True)

    @contextlib.contextmanager
    def __call__(self):
        """Sockets that are made meanwhile are there."""
        enter_network = ctypes.CDLL(None, use_errno=True).setns
        if enter_network(self.there, 0) < 0:
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            enter_network(self.home, 0)

    def close(self):
        self.holder.terminate()
        self.holder.wait()


class Host(Sink):
    """A mail server; its mail as a list of whole messages with their envelopes."""

    def close(self):
        """No more connections: the thread that waits for one has to see it, too."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    @property
    def mail(self):
        texts, taken = {}, []
        for number, lines in list(self.messages):
            texts.setdefault(number, []).append(b"".join(lines).decode("utf-8", "replace")
                                                .replace("\r\n", "\n"))
        sender, rcpts = {}, {}
        for number, line in list(self.commands):
            path = re.match(r"(MAIL FROM|RCPT TO):<(.*?)>", line)
            if path and path[1] == "MAIL FROM":
                sender[number], rcpts[number] = path[2], []
            elif path:
                rcpts[number].append(path[2])
            elif line == "DATA" and texts.get(number):
                taken.append(Mail(sender[number], rcpts[number], texts[number].pop(0)))
        return taken


def header(text, name):
    """The first field of that name, unfolded; None when there is none."""
    found = re.search(rf"^{name}:[ \t]*((?:.*\n[ \t]+)*.*)", text.partition("\n\n")[0],
                      re.M | re.I)
    return re.sub(r"\s+", " ", found[1]) if found else None


class Site:
    def __init__(self, folder, zone=None, users=(), addresses=(), extra_lines="", corrections=None):
        """users: of the machine; addresses: its own, beside INSIDE and 127.0.0.1;
        extra_lines: of master.cf; corrections: settings where a README wants what its set does
        not give."""
        self.homes = enter(users)
        places = os.path.join(self.homes, "..", "places")
        self.programs = os.path.join(places, "bin")  # all of it is in /usr/bin
        self.system_programs = os.path.join(places, "sbin")
        self.outside = Outside(addresses)
        self.folder = os.path.join(SHARED, "configs", folder)
        self.dns = DnsServer(zone or {}, "127.0.0.1", 53)
        put("/etc/resolv.conf", "nameserver 127.0.0.1\n", "root", 0o644)
        self.hosts = []
        self.mta = Postfix37() if JUDGE else Instance(services=[])
        if JUDGE:
            self.mta.write("dynamicmaps.cf", "cdb postfix-cdb.so dict_cdb_open mkmap_cdb_open\n"
                           "lmdb postfix-lmdb.so dict_lmdb_open mkmap_lmdb_open\n"
                           "pcre postfix-pcre.so dict_pcre_open\n")
        install_set(self.mta, self.folder, extra_lines, corrections)

    def __enter__(self):
        return self

    def __exit__(self, *trace):
        seen = self.mta.__exit__(*trace)
        self.dns.__exit__()
        for host in self.hosts:
            host.__exit__()
        self.outside.close()
        return seen

    def start(self):
        """Tables are built as their administrator does it, before the start."""
        with open(os.path.join(self.mta.etc, "main.cf")) as main:
            for kind, name in sorted(set(TABLE.findall(main.read()))):
                command = "postalias" if name == "aliases" else "postmap"
                done = self.mta.run(command, "-c", self.mta.etc, f"{kind}:{self.path(name)}")
                check(done.returncode == 0 and not done.stderr, f"{command} {name}: {done.stderr}")
        self.mta.start()

    def set_group_commands(self):
        """Before the start: users may call postdrop and postqueue, whose default configuration
        is this one."""
        default = self.mta.run("postconf", "-dh", "config_directory").stdout.strip()
        if not default.startswith("/etc/"):  # which is ours
            parent = os.path.dirname(default)
            while not os.path.isdir(parent):
                parent = os.path.dirname(parent)
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", parent], check=True)
        os.makedirs(default, exist_ok=True)
        subprocess.run(["mount", "--bind", self.mta.etc, default], check=True)
        commands = os.path.join(self.mta.home, "commands")
        shutil.copytree(os.path.realpath(self.mta.bin) if JUDGE else self.mta.bin, commands)
        for name in ("postdrop", "postqueue"):
            path = os.path.join(commands, name)
            shutil.chown(path, group=self.mta.settings["setgid_group"])
            os.chmod(path, 0o2755)
        if not os.path.lexists(os.path.join(commands, "mailq")):  # elsewhere in Debian's package
            os.symlink("sendmail", os.path.join(commands, "mailq"))
        subprocess.run(["mount", "--bind", commands, os.path.realpath(self.mta.bin)], check=True)
        if JUDGE:  # set-gid programs find their libraries in /usr/lib/postfix only
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", "lowerdir=" + os.path.join(
                postfix37.HOME, "usr/lib") + ":/usr/lib", "/usr/lib"], check=True)

    def run_as(self, user, command, *arguments, input=""):
        """A command of the mail system as an ordinary user calls it."""
        who = pwd.getpwnam(user)
        return subprocess.run([os.path.join(self.mta.bin, command), *arguments], input=input,
                              text=True, capture_output=True, timeout=60, cwd="/", user=who.pw_uid,
                              group=who.pw_gid, extra_groups=[], env={"LC_ALL": "C.UTF-8", **(
                                  {"LD_LIBRARY_PATH": postfix37.LIBRARIES} if JUDGE else {})})

    def path(self, name):
        return os.path.join(self.mta.etc, name)

    def host(self, address, port=25, **options):
        with self.outside() if not address.startswith("127.") else contextlib.nullcontext():
            host = Host(host=address, port=port, **options)
        self.hosts.append(host)
        return host

    def client(self, source, port=25, address=None):
        """A client at that address, greeted and introduced."""
        if source.startswith("127."):
            smtp = Smtp(port, address or "127.0.0.1", source=(source, 0))
        else:
            with self.outside():
                smtp = Smtp(port, address or INSIDE, source=(source, 0))
        smtp.say("EHLO client.example", "250")
        return smtp

    def send(self, source, sender, rcpts, text, port=25, mail_options="", before=()):
        """A message through a client of its own, gone on its way when this comes back; gives
        the log lines of its queue id."""
        since = self.mta.log_position()
        smtp = self.client(source, port)
        smtp.say(f"MAIL FROM:<{sender}>{mail_options}", "250")
        for rcpt in rcpts if isinstance(rcpts, (list, tuple)) else [rcpts]:
            smtp.say(f"RCPT TO:<{rcpt}>", "250")
        smtp.say("DATA", "354")
        smtp.send(text.replace("\n", "\r\n") + ".\r\n" if isinstance(text, str) else text)
        queued = re.search(r"queued as (\w+)", smtp.expect("250 2.0.0 Ok: queued as "))
        smtp.close()
        return self.done(queued[1], since) if queued else ""

    def done(self, queue_id, since):
        """Waits for the end of a message; gives its log lines."""
        self.mta.wait_for_log(rf"{queue_id}: (removed|hold: )", since=since)
        return "".join(re.findall(rf"^.*{queue_id}: .*\n", self.mta.log_text(since), re.M))

    def refused(self, source, sender, rcpt, reply, port=25):
        """The recipient is refused with a reply that has this in it."""
        smtp = self.client(source, port)
        smtp.say(f"MAIL FROM:<{sender}>", "250")
        got = smtp.say(f"RCPT TO:<{rcpt}>", reply[:3])
        check(reply in got, f"RCPT {rcpt}: {got!r}, want {reply!r}")
        smtp.say("QUIT", "221")
        smtp.close()

    def await_mail(self, host, count):
        wait_until(lambda: len(host.mail) >= count, f"{count} messages at {host.port}")
        return host.mail


def install_set(mta, folder, extra_lines="", corrections=None):
    """Copies the set into the instance's etc; main.cf gets our places and owners."""
    for path in glob.glob(os.path.join(folder, "*")):
        (shutil.copytree if os.path.isdir(path) else shutil.copy)(
            path, os.path.join(mta.etc, os.path.basename(path)))
    with open(os.path.join(folder, "main.cf")) as main:
        text = main.read() + "\n"
    for name, value in (corrections or {}).items():
        text = re.sub(rf"^{name}\s*=.*\n(?:[ \t]+.*\n)*", f"{name} = {value}\n", text, flags=re.M)
    mta.write("main.cf", text + "".join(f"{name} = {value}\n" for name, value in
                                        mta.settings.items() if PLACES_AND_OWNERS.match(name)))
    if extra_lines:
        with open(os.path.join(mta.etc, "master.cf"), "a") as master:
            master.write(extra_lines)
