"""harness.py -- private instances of Postern for black-box tests.

A test is an executable Python file in tests/PROGRAM/. It imports this file, makes an
Instance, talks to it, and ends with finish():

    #!/usr/bin/env python3
    import os, sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    from harness import Instance, Smtp, check, check_equal, finish, skip

    with Instance({"mydestination": "$myhostname"}, services=["smtpd", "cleanup"]) as mta:
        mta.start()
        smtp = mta.smtp()                              # greeted, a line at a time
        smtp.say("EHLO client.example", "250")         # checks how the reply begins
        mta.wait_for_log(r"smtpd\\[\\d+\\]: connect from")   # bounded by a deadline, no sleeping
    finish()                                           # "N passed, N failed", exit status

Programs come from the build tree TOP_BUILDDIR (default: where make runs). An instance has
everything below one temporary directory:

    mta.etc      main.cf, master.cf and tables      mta.sbin     daemon_directory (links)
    mta.queue    queue_directory                    mta.bin      command_directory (links)
    mta.data     data_directory                     mta.mail     an empty place for mailboxes
    mta.logfile  maillog_file                       mta.home     the directory itself

The directory is removed at the end, unless a check failed and POSTERN_KEEP is set. As root
an instance runs with Debian's stock users (OWNERS) as mail_owner, net_owner ...; with
user="nobody", or when the test itself is run by an ordinary user, all of it runs as that user.
Ports are free ones: mta.port(0) is the one of the smtpd line, mta.port(n) others of yours, to
be used in your own master.cf lines. Instances do not see each other; tests may run side by
side. Leak checks: in a build with --enable-sanitize a report of a daemon is a failed check.
"""

import glob
import os
import pwd
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.environ.get("TOP_BUILDDIR") or os.getcwd()
PATIENCE = float(os.environ.get("POSTERN_PATIENCE", "15"))  # seconds, for each wait

# Users every Debian has, far enough from each other to see who may what.
OWNERS = {
    "mail_owner": "mail",
    "setgid_group": "mail",
    "net_owner": "www-data",
    "cleanup_owner": "backup",
    "auth_owner": "list",
    "dns_owner": "irc",
    "sign_owner": "games",
    "key_owner": "proxy",
}

# Folders of the build tree with the programs that each is known by.
DAEMONS = """master broker smtpd cleanup spool qmgr smtp dns local virtual error discard bounce
    pickup showq pipe lmtp proxymap anvil tlsmgr verify flush sasl postscreen dkimsign mailauth greylistd
    stsd postlogd spawn""".split()
ALSO_KNOWN_AS = {"lmtp": "smtp"}
COMMANDS = """postern postfix postlog postconf postmap postalias postqueue postsuper postcat
    postauth postdrop postkick postlock postmulti posttls-finger qshape sendmail
    mailq newaliases""".split()
SET_GID = ("postdrop", "postqueue")  # the start of an instance changes their modes
COMMAND_LINKS = {"postfix": "postern", "mailq": "sendmail", "newaliases": "sendmail"}

# What a service line looks like, by name; "smtp-in" is the listener of mta.port(0).
LINES = {
    "smtpd": "127.0.0.1:{port} inet n - n - - smtpd",
    "pickup": "pickup unix n - n 60 1 pickup",
    "cleanup": "cleanup unix n - n - 0 cleanup",
    "qmgr": "qmgr unix n - n 300 1 qmgr",
    "bounce": "bounce unix - - n - 0 bounce",
    "smtp": "smtp unix - - n - - smtp",
    "relay": "relay unix - - n - - smtp",
    "showq": "showq unix n - n - - showq",
    "verify": "verify unix - - n - 1 verify",
    "flush": "flush unix n - n 1000? 0 flush",
    "error": "error unix - - n - - error",
    "retry": "retry unix - - n - - error",
    "discard": "discard unix - - n - - discard",
    "local": "local unix - n n - - local",
    "virtual": "virtual unix - n n - - virtual",
    "postlog": "postlog unix-dgram n - n - 1 postlogd",
    "pipe": "pipe unix - n n - - pipe user=nobody argv=/bin/cat",
    "lmtp": "lmtp unix - - n - - lmtp",
    "anvil": "anvil unix - - n - 1 anvil",
    "tlsmgr": "tlsmgr unix - - n 1000? 1 tlsmgr",
    "proxymap": "proxymap unix - - n - - proxymap",
}
ALL_SERVICES = list(LINES)

# ---- counting ----

passed = failed = 0
counting = threading.Lock()


def check(ok, what):
    """Counts one check; a failed one is printed and the test goes on."""
    global passed, failed
    with counting:
        if ok:
            passed += 1
        else:
            failed += 1
    if not ok:
        frame = sys._getframe(1)
        while frame.f_code.co_filename == __file__ and frame.f_back:
            frame = frame.f_back
        print(f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}: {what}",
              flush=True)
    return ok


def check_equal(got, want, what):
    return check(got == want, f"{what}: got {got!r}, want {want!r}")


def check_match(pattern, text, what):
    return check(re.search(pattern, text), f"{what}: {pattern!r} is not in {text!r}")


def count_others(text):
    """What another process of this test printed: it is shown, and its checks count here."""
    global passed, failed
    counts = re.findall(r"^(\d+) passed, (\d+) failed$", text, re.M)
    print(re.sub(r"^\d+ passed, \d+ failed\n", "", text, flags=re.M), end="", flush=True)
    check(counts, "the other process came to its end")
    for good, bad in counts:
        passed, failed = passed + int(good), failed + int(bad)


def finish():
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


def skip(why):
    """Nothing here can be tested on this machine."""
    print(f"skipped: {why}\n0 passed, 0 failed", flush=True)
    sys.exit(0)


def is_root():
    return os.geteuid() == 0


# ---- waiting ----

def mail_user():
    """Who mailboxes may belong to, as in /etc/passwd: as an ordinary user, nobody else."""
    return pwd.getpwnam("nobody") if is_root() else pwd.getpwuid(os.geteuid())


def wait_until(condition, what, patience=None):
    """Asks until condition() is true; gives its value, or None after a failed check."""
    until = time.monotonic() + (patience or PATIENCE)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            check(False, f"waited in vain for {what}")
            return None
        select.select([], [], [], 0.01)


claims = []  # of ports, for the life of the test


def free_port():
    """That no test beside this one gets, and no client as its own: those are above 32768."""
    while True:
        port = random.randrange(10000, 30000)
        claim, probe = socket.socket(socket.AF_UNIX), socket.socket()
        with probe:
            try:
                claim.bind(f"\0postern-test-port-{port}")
                probe.bind(("127.0.0.1", port))
            except OSError:
                claim.close()
                continue
        claims.append(claim)
        return port


def program(name):
    """Path of a built program, or None."""
    base = ALSO_KNOWN_AS.get(name, name)
    for path in (f"{TOP}/{base}/{base}", f"{TOP}/tools/{COMMAND_LINKS.get(base, base)}"):
        if os.access(path, os.X_OK):
            return os.path.abspath(path)
    return None


# ---- a client ----

class Smtp:
    """Speaks SMTP a line at a time and checks how each reply begins."""

    def __init__(self, port, host="127.0.0.1", greeting="220 ", source=None):
        self.socket = socket.create_connection((host, port), PATIENCE,
                                               source_address=source)
        self.file = self.socket.makefile("rb")
        self.last = ""
        if greeting is not None:
            self.expect(greeting)

    def reply(self):
        """One reply with all its lines; "" when the server hung up."""
        lines = []
        while True:
            try:
                line = self.file.readline().decode("utf-8", "replace")
            except OSError as error:
                line = ""
                lines.append(f"({error})")
            lines.append(line)
            if len(line) < 4 or line[3] != "-":
                break
        self.last = "".join(lines)
        return self.last

    def expect(self, begin):
        got = self.reply()
        check(got.startswith(begin), f"SMTP reply {got!r}, want {begin!r}")
        return got

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def say(self, line, begin):
        self.send(line + "\r\n")
        return self.expect(begin)

    def message(self, sender, recipients, content, queued="250 2.0.0 Ok: queued as "):
        """A whole transaction; gives the queue id of the reply."""
        self.say(f"MAIL FROM:<{sender}>", "250 ")
        for rcpt in recipients if isinstance(recipients, (list, tuple)) else [recipients]:
            self.say(f"RCPT TO:<{rcpt}>", "250 ")
        self.say("DATA", "354 ")
        self.send(content.replace("\n", "\r\n") + "\r\n.\r\n")
        return self.expect(queued).strip().rsplit(" ", 1)[-1]

    def close(self):
        self.file.close()
        self.socket.close()


class Connecting(threading.Thread):
    """Connects, greets and leaves again and again, and counts what went wrong."""

    def __init__(self, port, patience):
        super().__init__(daemon=True)
        self.port, self.patience, self.ending = port, patience, False
        self.good, self.bad = 0, []

    def run(self):
        while not self.ending:
            try:
                with socket.create_connection(("127.0.0.1", self.port), self.patience) as s:
                    file = s.makefile("rb")
                    greeting = file.readline()
                    s.sendall(b"QUIT\r\n")
                    goodbye = file.readline()
                if greeting.startswith(b"220 ") and goodbye.startswith(b"221 "):
                    self.good += 1
                else:
                    self.bad.append((greeting, goodbye))
            except OSError as error:
                self.bad.append(error)


# ---- what is left when a test is killed ----

_guardian = None


def _guard(home):
    """A child of ours ends the instance when we end without having done so."""
    global _guardian
    if _guardian is None:
        ours, _guardian = os.pipe()
        if os.fork() == 0:
            _wait_and_clean(ours)
        os.close(ours)
    os.write(_guardian, (home + "\n").encode())


def _wait_and_clean(source):
    os.close(_guardian)
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    with os.fdopen(source) as homes:
        homes = homes.read().split()
    for home in homes:
        try:
            with open(os.path.join(home, "queue", "pid", "master.pid")) as file:
                pid = int(file.read())
            if process_status(pid).get("Name") == "master":
                os.kill(pid, signal.SIGTERM)
        except (OSError, ValueError):
            pass
        if not os.environ.get("POSTERN_KEEP"):
            shutil.rmtree(home, ignore_errors=True)
    os._exit(0)


# ---- an instance ----

class Instance:
    def __init__(self, settings=None, services=None, extra_services=(), user=None,
                 environment=None, directory=None):
        """settings: main.cf beyond the private places; services: names out of LINES (default
        all whose program is built); extra_services: whole master.cf lines, {port1} ... in
        them are free ports; user: run as this one (only root can choose)."""
        self.user = user if is_root() and user not in (None, "root") else None
        self.as_root = is_root() and not self.user
        self.home = directory or tempfile.mkdtemp(prefix="postern-test-")
        os.chmod(self.home, 0o755)
        _guard(self.home)
        self.environment = dict(environment or {})
        self.ports = {}
        self.read_to = 0
        self.foreground = None
        for name in ("etc", "sbin", "bin", "mail", "log"):
            path = os.path.join(self.home, name)
            os.makedirs(path, exist_ok=True)
            setattr(self, name, path)
        self.queue = os.path.join(self.home, "queue")
        self.data = os.path.join(self.home, "data")
        self.logfile = os.path.join(self.log, "maillog")
        self._link_programs()
        self.settings = self._default_settings()
        self.settings.update(settings or {})
        if services is None:
            services = [name for name in ALL_SERVICES if self._is_built(LINES[name])]
        self.lines = [LINES[name] for name in services] + list(extra_services)
        self.write_configuration()
        self._give_away()

    # -- files --

    def _is_built(self, line):
        return os.path.exists(os.path.join(self.sbin, line.split()[7]))

    def _link_programs(self):
        for folder, names in ((self.sbin, DAEMONS), (self.bin, COMMANDS)):
            for name in names:
                path = program(name)
                link = os.path.join(folder, name)
                if path and os.path.lexists(link):
                    continue
                if path and name in SET_GID:
                    shutil.copy(path, link)
                elif path:
                    os.symlink(path, link)
        for path in glob.glob(f"{os.path.abspath(TOP)}/lib/dict/table-*.so"):
            link = os.path.join(self.sbin, os.path.basename(path))
            if not os.path.lexists(link):
                os.symlink(path, link)

    def _default_settings(self):
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.queue,
            "data_directory": self.data,
            "daemon_directory": self.sbin,
            "command_directory": self.bin,
            "maillog_file": self.logfile,
            "maillog_file_prefixes": f"{self.home}, /dev/stdout",
            "myhostname": "mail.test.example",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8",
            "alias_maps": "",
            "alias_database": "",
        }
        if self.as_root:
            settings.update(OWNERS)
        else:
            owner = self.user or pwd.getpwuid(os.geteuid()).pw_name
            settings["mail_owner"] = owner
        return settings

    def _give_away(self):
        if self.user:
            who = pwd.getpwnam(self.user)
            for root, folders, files in os.walk(self.home):
                for path in [root] + [os.path.join(root, name) for name in files]:
                    os.lchown(path, who.pw_uid, who.pw_gid)

    def port(self, number=0):
        """A free port, the same each time for one number."""
        if number not in self.ports:
            self.ports[number] = free_port()
        return self.ports[number]

    def _fill_in(self, line):
        line = line.replace("{port}", str(self.port(0)))
        return re.sub(r"\{port(\d+)\}", lambda m: str(self.port(int(m[1]))), line)

    def write(self, name, text):
        """A file below etc, replaced at once; gives its path."""
        path = os.path.join(self.etc, name)
        with open(path + ".new", "w") as file:
            file.write(text)
        if self.user:
            os.chown(path + ".new", pwd.getpwnam(self.user).pw_uid, -1)
        os.rename(path + ".new", path)
        return path

    def certificate(self):
        """A key and a certificate in one file that only root may read; gives its path."""
        path = os.path.join(self.etc, "chain.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=mail.test.example", "-addext", "subjectAltName=DNS:mail.test.example,"
                        "DNS:localhost,IP:127.0.0.1", "-keyout", path + ".key", "-out",
                        path + ".crt"], check=True, capture_output=True)
        with open(path, "w") as out:
            for part in (".key", ".crt"):
                with open(path + part) as file:
                    out.write(file.read())
        os.chmod(path, 0o600)
        os.chmod(path + ".key", 0o600)
        return path

    def write_configuration(self, **changes):
        """main.cf and master.cf again, with changed settings."""
        self.settings.update(changes)
        self.write("main.cf", "".join(f"{name} = {value}\n"
                                      for name, value in self.settings.items()))
        self.write("master.cf", "".join(self._fill_in(line) + "\n" for line in self.lines))

    # -- commands --

    def _as_user(self):
        if not self.user:
            return {}
        who = pwd.getpwnam(self.user)
        return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}

    def _environment(self):
        env = {"PATH": f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin", "MAIL_CONFIG": self.etc,
               "LC_ALL": "C.UTF-8"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TZ"):
            if name in os.environ:
                env[name] = os.environ[name]
        env.update(self.environment)
        return env

    def run(self, *command, input=None, timeout=60, as_user=True):
        """A command of ours (by name) or any other; gives CompletedProcess with text."""
        return subprocess.run(self._argv(command), input=input, timeout=timeout, text=True,
                              env=self._environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, cwd=self.home,
                              **(self._as_user() if as_user else {}))

    def _argv(self, command):
        path = os.path.join(self.bin, command[0])
        return [path if os.path.exists(path) else command[0], *command[1:]]

    def postern(self, *arguments, status=0):
        """postern -c ...; checks the exit status (None: whatever it is)."""
        done = self.run("postern", "-c", self.etc, *arguments)
        if status is not None:
            check(done.returncode == status, f"postern {' '.join(arguments)}: "
                  f"exit {done.returncode}, want {status}: {done.stderr}{done.stdout}")
        return done

    def start(self):
        return self.postern("start")

    def start_foreground(self, stdout=subprocess.DEVNULL):
        self.foreground = subprocess.Popen(
            self._argv(["postern", "-c", self.etc, "start-fg"]), stdout=stdout,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, cwd=self.home,
            env=self._environment(), **self._as_user())
        wait_until(lambda: self.master() or self.foreground.poll() is not None, "master")

    def stop(self):
        if self.foreground:
            if self.foreground.poll() is None:
                self.foreground.terminate()
            self.foreground.wait(20)
            self.foreground = None
        elif self.master():
            self.postern("stop")

    def reload(self):
        """Comes back when master has taken the new configuration, or said why not."""
        at = self.log_position()
        self.postern("reload", status=None)
        return self.wait_for_log(r"master\[\d+\]: (reload -- |error: reload: )", since=at)

    # -- processes --

    def master(self):
        """pid of the running master, or None."""
        try:
            with open(os.path.join(self.queue, "pid", "master.pid")) as file:
                pid = int(file.read())
        except (OSError, ValueError):
            return None
        status = process_status(pid)  # the number may be of another pid namespace
        alive = status.get("Name") == "master" and not status["State"].startswith("Z")
        return pid if alive else None

    def processes(self, name=None):
        """{pid: name} of master's living children; of one program only with a name."""
        master = self.master()
        found = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                status = process_status(int(entry))
                if (status.get("PPid") == str(master) and not status["State"].startswith("Z")
                        and name in (None, status["Name"])):
                    found[int(entry)] = status["Name"]
        return found

    def process(self, name):
        """pid of the one process of this name, waiting until it is there."""
        found = wait_until(lambda: self.processes(name), f"a process {name}")
        return next(iter(found)) if found else None

    # -- the log --

    def log_text(self, since=0):
        try:
            with open(self.logfile, errors="replace") as file:
                file.seek(since)
                return file.read()
        except OSError:
            return ""

    def log_position(self):
        try:
            return os.path.getsize(self.logfile)
        except OSError:
            return 0

    def wait_for_log(self, pattern, count=1, since=0, patience=None):
        """Waits for `count` matching lines; gives the last match object."""
        expression = re.compile(pattern, re.M)

        def enough():
            matches = list(expression.finditer(self.log_text(since)))
            return matches[count - 1] if len(matches) >= count else None
        found = wait_until(enough, f"{count} x {pattern!r} in the log", patience)
        if not found:
            print(self.log_text(since)[-4000:], file=sys.stderr)
        return found

    def logged(self, pattern, since=0):
        return len(re.findall(pattern, self.log_text(since), re.M))

    # -- mail --

    def smtp(self, number=0, **options):
        return Smtp(self.port(number), **options)

    def maildir(self, path, count=1, patience=None):
        """Waits for `count` messages in path/new below mta.mail; gives their texts."""
        folder = os.path.join(self.mail, path, "new")

        def enough():
            try:
                names = sorted(os.listdir(folder))
            except OSError:
                return None
            return names if len(names) >= count else None
        texts = []
        for name in wait_until(enough, f"{count} messages in {folder}", patience) or []:
            with open(os.path.join(folder, name), errors="replace") as file:
                texts.append(file.read())
        return texts

    # -- the end --

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            check(False, f"{kind.__name__}: {value}")
            import traceback
            traceback.print_exception(kind, value, trace)
        self.close()
        return kind is not None and issubclass(kind, Exception)

    def close(self):
        leftover = self.processes() if self.master() else {}
        self.stop()
        for pid in leftover:
            if process_state(pid) not in (None, "Z"):
                wait_until(lambda: process_state(pid) in (None, "Z"), f"the end of {pid}")
        text = self.log_text()
        for trouble in re.findall(r"^.*(?:panic:|killed by signal (?:4|6|7|11)\b|"
                                  r"refused by the jail|AddressSanitizer).*$", text, re.M):
            if not any(re.search(p, trouble) for p in getattr(self, "expected", ())):
                check(False, f"in the log: {trouble}")
        if failed and os.environ.get("POSTERN_KEEP"):
            print(f"kept: {self.home}")
        else:
            shutil.rmtree(self.home, ignore_errors=True)

    def expect_trouble(self, *patterns):
        """Log lines that this test provokes: crashes, refusals."""
        self.expected = getattr(self, "expected", ()) + patterns


# ---- /proc ----

def process_status(pid):
    """/proc/PID/status as a dictionary; empty when there is no such process."""
    try:
        with open(f"/proc/{pid}/status") as file:
            return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    except (OSError, ProcessLookupError):
        return {}


def own_memory(pid):
    """Bytes of the process that are its own."""
    return int(process_status(pid).get("RssAnon", "0 kB").split()[0]) * 1024


def open_files(pid):
    """How many descriptors it has; daemons are not dumpable, so only root sees that."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except FileNotFoundError:
        return 0


def process_state(pid):
    return process_status(pid).get("State", "")[:1] or None


def kill(pid, signo=signal.SIGKILL):
    os.kill(pid, signo)
