"""load.py -- clients that send while something goes wrong, and what became of their mail.

Each message goes to some of BOX (a Maildir), RELAYED (a Sink of ours) and UNKNOWN, whose
refusal there becomes a notice to the sender. What got its 250 must be in all its places."""
import json
import os
import pwd
import random
import re
import socket
import threading
import time
from harness import (Instance, PATIENCE, TOP, check, check_equal, is_root, process_status,
                     wait_until)

LONG = os.environ.get("TEST_MODE") == "long"
BOX, RELAYED, UNKNOWN = "u@box.test", "r@relay.test", "gone@relay.test"
NOTICE = "notice"  # what the sender gets for UNKNOWN
ID = re.compile(r"^Subject: (id-\d+-\d+)\b", re.M)


class Line:
    """A raw SMTP connection: bytes out, whole replies in."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.settimeout(PATIENCE)
        self.rest = self.last = b""

    def line(self):
        while b"\n" not in self.rest:
            more = self.socket.recv(4096)
            if not more:
                raise ConnectionError("hung up")
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line

    def reply(self):
        while True:
            self.last = self.line()
            if self.last[3:4] != b"-":
                return self.last[:3]

    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")
        return self.reply()


class Client(threading.Thread):
    """Sends new messages until told to stop, and remembers which of them were taken."""
    pause = 0  # seconds between two of them

    def __init__(self, number, port, rng, stop):
        super().__init__(daemon=True)
        self.number, self.port, self.rng, self.stop = number, port, rng, stop
        self.taken = {}    # id: its recipients
        self.begun = set()  # every id whose end of data was sent

    def run(self):
        count = 0
        while not self.stop.is_set():
            try:
                line = Line(self.port)
                with line.socket:
                    ok = line.reply() == b"220" and line.say("EHLO client.test") == b"250"
                    while ok and not self.stop.is_set():
                        count += 1
                        ok = self.message(line, f"id-{self.number}-{count}")
                        self.stop.wait(self.pause)
            except OSError:
                pass
            self.stop.wait(0.02)

    def message(self, line, name):
        recipients = [r for r in (BOX, RELAYED, UNKNOWN) if self.rng.random() < 0.5] or [BOX]
        if line.say("MAIL FROM:<sender@box.test>") != b"250":
            return False
        for r in recipients:
            if line.say(f"RCPT TO:<{r}>") != b"250":
                return False
        if line.say("DATA") != b"354":
            return False
        body = "0123456789abcdef\r\n" * self.rng.choice((1, 10, 5000))
        self.begun.add(name)
        if line.say(f"Subject: {name}\r\n\r\n{body}.") != b"250":
            return False
        self.taken[name] = recipients
        return True


class Polite(Client):
    """Some messages in each session, and an end with QUIT: whatever else happens is wrong."""

    def __init__(self, *args):
        super().__init__(*args)
        self.wrong = []

    def run(self):
        count = 0
        while not self.stop.is_set():
            try:
                line = Line(self.port)
                with line.socket:
                    check_equal(line.reply(), b"220", "greeting")
                    check_equal(line.say("EHLO client.test"), b"250", "EHLO")
                    for _ in range(self.rng.randrange(1, 12)):
                        count += 1
                        check(self.message(line, f"id-{self.number}-{count}"),
                              f"a message is taken: {line.last}")
                    check_equal(line.say("QUIT"), b"221", "QUIT")
            except OSError as error:
                self.wrong.append(error)


class Load:
    """Some clients at work."""

    def __init__(self, mta, seed, count=4, client=Client):
        rng, self.stop = random.Random(seed), threading.Event()
        self.clients = [client(i, mta.port(0), random.Random(rng.random()), self.stop)
                        for i in range(count)]
        for client in self.clients:
            client.start()

    def taken(self):
        return sum(len(c.taken) for c in self.clients)

    def goes_on(self, more=5):
        """Waits for more mail to be taken."""
        before = self.taken()
        return wait_until(lambda: self.taken() > before + more, "more mail taken", 60)

    def ends(self):
        self.stop.set()
        for client in self.clients:
            client.join(3 * PATIENCE)
            check(not client.is_alive(), "a client gets its answers")


class Sink:
    """An SMTP server that refuses UNKNOWN and writes down each id it takes, and when: from
    the last byte in to the reply out. It puts off some of the mail for RELAYED: `busy` of it."""

    def __init__(self, busy=0, seed=0):
        self.got, self.busy, self.rng = [], busy, random.Random(seed)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            conn, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        try:
            with conn, conn.makefile("rb") as lines:
                conn.sendall(b"220 sink.test\r\n")
                while self.command(conn, lines):
                    pass
        except OSError:
            pass

    def command(self, conn, lines):
        line = lines.readline().upper()
        if line.startswith(b"DATA"):
            conn.sendall(b"354 go on\r\n")
            return self.data(conn, lines)
        if line.startswith(b"RCPT TO:<GONE@"):
            conn.sendall(b"550 5.1.1 no such user\r\n")
        elif line.startswith(b"RCPT") and self.rng.random() < self.busy:
            conn.sendall(b"451 4.3.0 later\r\n")
        else:
            conn.sendall(b"250 2.0.0 ok\r\n")
        return line and not line.startswith(b"QUIT")

    def data(self, conn, lines):
        text = b""
        while True:
            line = lines.readline()
            if not line:
                return False
            if line == b".\r\n":
                break
            if len(text) < 4096:
                text += line
        name, begin = ID.search(text.decode().replace("\r\n", "\n"))[1], time.time()
        conn.sendall(b"250 2.0.0 taken\r\n")
        self.got.append((name, RELAYED, begin, time.time()))
        return True


def family(mta):
    """{name: [pid]} of master and all its descendants."""
    master, names, parents = mta.master(), {}, {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        status = process_status(int(entry))
        if status and not status["State"].startswith("Z"):
            parents[int(entry)], names[int(entry)] = int(status["PPid"]), status["Name"]
    found, wave = {}, [master]
    while wave:
        for pid in wave:
            if pid in names:
                found.setdefault(names[pid], []).append(pid)
        wave = [pid for pid, parent in parents.items() if parent in wave]
    return found


# ---- the instance ----

def by_engine(rounds, share=4):
    """[(queue_engine, rounds)]: the log's, and of files a share of them, or as many with --long.
    ENGINE selects one of the two, with all rounds."""
    engine = os.environ.get("ENGINE")
    if engine:
        return [(engine, rounds)]
    return [("log", rounds), ("files", rounds if LONG else max(1, rounds // share))]


def instance(sink, environment=None, **settings):
    """Not started yet; what fails is tried again after a second."""
    environment = environment or {}
    who = pwd.getpwnam("nobody") if is_root() else pwd.getpwuid(os.geteuid())
    mta = Instance({"import_environment": " ".join(environment)}, environment=environment)
    mta.write_configuration(
        mydestination="", virtual_mailbox_domains="box.test", virtual_mailbox_base=mta.mail,
        virtual_mailbox_maps="inline:{u@box.test=u/, sender@box.test=sender/}",
        virtual_uid_maps=f"static:{who.pw_uid}", virtual_gid_maps=f"static:{who.pw_gid}",
        virtual_minimum_uid="1",
        transport_maps=f"inline:{{relay.test=smtp:[127.0.0.1]:{sink.port}}}",
        minimal_backoff_time="1s", maximal_backoff_time="1s", queue_run_delay="1s",
        transport_retry_time="1s", service_throttle_time="1s",
        smtpd_client_connection_count_limit="0", disable_dns_lookups="yes",
        **settings)
    os.chown(mta.mail, who.pw_uid, who.pw_gid)
    mta.expect_trouble(r"killed by signal 9")
    return mta


def is_captured_build():
    with open(os.path.join(TOP, "config.h")) as file:
        return "#define CAPTURED 1" in file.read()


# ---- what became of the mail ----

def messages_in(mta, folder):
    """(path, text, id) of each message in it."""
    new = os.path.join(mta.mail, folder, "new")
    for name in os.listdir(new) if os.path.isdir(new) else []:
        path = os.path.join(new, name)
        with open(path, errors="replace") as file:
            text = file.read()
        ids = ID.findall(text)
        if check(len(ids) == 1, f"{path} has the id of a message: {ids}"):
            yield path, text, ids[0]


def in_maildir(mta, folder):
    """(id, what, begin, end) of each message in it: from its last byte to its name."""
    return [(name, BOX, os.stat(path).st_mtime, os.stat(path).st_ctime)
            for path, _, name in messages_in(mta, folder)]


def queue_ends(mta):
    """Every retry at once, until nothing is left but what is damaged: qmgr puts that on hold,
    and it counts as lost."""
    def empty():
        mta.run("postqueue", "-f")
        done = mta.run("postqueue", "-j")
        return done.returncode == 0 and all(
            json.loads(line)["queue_name"] == "hold" for line in done.stdout.splitlines())
    if not wait_until(empty, "an empty queue", 60):
        print(mta.run("postqueue", "-p").stdout)


def copies_of(mta, sink):
    """[(id, what)] of everything that arrived; for those who look at no times."""
    return ([(name, RELAYED) for name, *_ in sink.got] +
            [(name, BOX) for _, _, name in messages_in(mta, "u")] +
            [(name, NOTICE) for _, _, name in messages_in(mta, "sender")])


def losses(clients, copies):
    """[(id, recipient)] of what was taken and is nowhere."""
    lost = []
    for client in clients:
        for name, recipients in client.taken.items():
            for r in recipients:
                if (name, NOTICE if r == UNKNOWN else r) not in copies:
                    lost.append((name, r))
    return lost
