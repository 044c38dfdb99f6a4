#!/usr/bin/env python3
"""Mail under kill -9: while several clients send, any process of Postern dies at any moment,
master too. Afterwards every message that got its 250 was delivered to each of its recipients
(a Maildir, a relay, or, for an unknown user there, a notice to the sender) exactly once. A
second copy is allowed only where the first was being made while something died, or had been
finished for less than 100 ms: then its result may not have been written yet.

With --enable-captured the spool can be told to answer before it writes (the order, broken):
the same test must find lost mail then.

SEED repeats the choices of a run; KILLS sets how many; the times of the machine differ."""
import datetime
import os
import pwd
import random
import re
import signal
import socket
import sys
import threading
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import (Instance, PATIENCE, TOP, check, check_equal, finish, is_root, process_status,
                     wait_until)

KILLS = int(os.environ.get("KILLS") or (1000 if os.environ.get("TEST_MODE") == "long" else 120))
SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))
CLIENTS = 4
RESULT_LAG = 0.1   # seconds that a result may take from the recipient into the log
NEVER_HEARD = 5    # seconds that a process may wait for an answer from one that died
DYING = 0.3 * PATIENCE / 15  # seconds after a kill in which what was under way may still arrive
BOX, RELAYED, UNKNOWN = "u@box.test", "r@relay.test", "gone@relay.test"
NOTICE = "notice"  # what the sender gets for UNKNOWN
ID = re.compile(r"^Subject: (id-\d+-\d+)\b", re.M)
TRACE = re.compile(r"^Received: by .*\n\tid (\w+); (.*)", re.M)


class Line:
    """A raw SMTP connection: bytes out, whole replies in."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.settimeout(PATIENCE)
        self.rest = b""

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
            line = self.line()
            if line[3:4] != b"-":
                return line[:3]

    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")
        return self.reply()


class Client(threading.Thread):
    """Sends new messages until told to stop, and remembers which of them were taken."""

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


class Sink:
    """An SMTP server that refuses UNKNOWN and writes down each id it takes, and when: from
    the last byte in to the reply out."""

    def __init__(self):
        self.got = []
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


class Notices(threading.Thread):
    """Writes down when bounce logged each of its notices: cleanup had it by then."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.logged, self.over = path, {}, threading.Event()

    def run(self):
        rest = ""
        with open(self.path, errors="replace") as log:
            while not self.over.wait(0.01):
                *lines, rest = (rest + log.read()).split("\n")
                for line in lines:
                    found = re.search(r"sender non-delivery notification: (\w+)$", line)
                    if found:
                        self.logged[found[1]] = time.time()


# ---- the killer ----

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


def start_again(mta):
    """What the dead master left may take a moment to leave."""
    wait_until(lambda: mta.postern("start", status=None).returncode == 0 and mta.master(),
               "a start after master's death", 30)


def kill_one(mta, rng, only):
    """Gives (program, pid, when, until when) or None when it was gone already."""
    there = family(mta)
    name = rng.choice(sorted(set(there) & set(only) if only else there) or [None])
    if not name:
        return None
    pid = rng.choice(sorted(there[name]))
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return None
    at = time.time()
    if pid in there.get("master", ()):
        start_again(mta)
    return name, pid, at, time.time()


def kill_some(mta, rng, clients, count, only):
    """`count` kills with some mail between them, each at an odd moment."""
    kills = []
    until = time.monotonic() + 60 + 10 * count
    while len(kills) < count and time.monotonic() < until:
        before = sum(len(c.taken) for c in clients)
        wait_until(lambda: sum(len(c.taken) for c in clients) > before + 5, "more mail taken", 60)
        time.sleep(rng.random() * 0.5)
        done = kill_one(mta, rng, only)
        if done:
            kills.append(done)
    check_equal(len(kills), count, "kills")
    return kills


# ---- judging ----

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


def in_notices(mta, folder, logged):
    """Two lists of the same for notices: each delivery, as (its queue id, ...), and each
    notice, as (id, ...), with when it was made: from the moment in the queue id (which begins
    with the microseconds of the second in its trace field) to bounce's log line. Without one,
    bounce died before it heard that cleanup had taken the notice: it was being made until
    then."""
    delivered, made = [], {}
    for path, text, name in messages_in(mta, folder):
        queue_id, date = TRACE.search(text).groups()
        begin = datetime.datetime.strptime(date, "%a, %d %b %Y %H:%M:%S %z").timestamp() + \
            int(queue_id[:5], 16) / 1e6
        delivered.append((queue_id, "delivery", os.stat(path).st_mtime, os.stat(path).st_ctime))
        made[queue_id] = name, NOTICE, begin, logged.get(queue_id, begin + NEVER_HEARD)
    return delivered, list(made.values())


def queue_ends(mta):
    """Every retry at once, until nothing is left."""
    def empty():
        mta.run("postqueue", "-f")
        done = mta.run("postqueue", "-j")
        return done.returncode == 0 and done.stdout == ""
    if not wait_until(empty, "an empty queue", 60):
        print(mta.run("postqueue", "-p").stdout)


def excused(begin, end, kills):
    """Did something die while this was made, or before its result was written?"""
    return any(begin <= until + DYING and end + RESULT_LAG >= at for _, _, at, until in kills)


def losses(clients, copies):
    lost = []
    for client in clients:
        for name, recipients in client.taken.items():
            for r in recipients:
                if (name, NOTICE if r == UNKNOWN else r) not in copies:
                    lost.append((name, r))
    return lost


def judge_copies(made, kills):
    """Gives {(id, what)} of all; checks that what was made twice has an excuse."""
    copies = {}
    for name, what, begin, end in made:
        copies.setdefault((name, what), []).append((begin, end))
    twice = {c: sorted(times) for c, times in copies.items() if len(times) > 1}
    for copy, times in twice.items():
        near = min(kills, key=lambda k: min(abs(k[2] - times[0][1]), abs(k[3] - times[0][0])))
        check(all(excused(*t, kills) for t in times[:-1]),
              f"{copy} was made {times}, the nearest kill is {near}")
    print(f"{len(copies)} deliveries, {len(twice)} of them twice")
    return set(copies)


def judge(mta, clients, sink, notices, kills):
    """Gives what was lost; checks everything else."""
    delivered, made = in_notices(mta, "sender", notices.logged)
    judge_copies(delivered, kills)
    copies = judge_copies(sink.got + in_maildir(mta, "u") + made, kills)
    begun = set().union(*(c.begun for c in clients))
    check_equal([c for c in copies if c[0] not in begun], [], "messages nobody sent")
    for _, pid in re.findall(r"(process \S+ pid (\d+) killed by signal)", mta.log_text()):
        check(int(pid) in [k[1] for k in kills], f"process {pid} was not killed by us")
    lost = losses(clients, copies)
    print(f"{sum(len(c.taken) for c in clients)} messages taken, {len(lost)} deliveries lost; "
          f"{len(kills)} kills: "
          + " ".join(k[0] for k in kills), flush=True)
    return lost


# ---- a run ----

def instance(sink, environment):
    who = pwd.getpwnam("nobody") if is_root() else pwd.getpwuid(os.geteuid())
    mta = Instance({"import_environment": " ".join(environment)}, environment=environment)
    mta.write_configuration(
        mydestination="", virtual_mailbox_domains="box.test", virtual_mailbox_base=mta.mail,
        virtual_mailbox_maps="inline:{u@box.test=u/, sender@box.test=sender/}",
        virtual_uid_maps=f"static:{who.pw_uid}", virtual_gid_maps=f"static:{who.pw_gid}",
        virtual_minimum_uid="1", transport_maps=f"inline:{{relay.test=smtp:[127.0.0.1]:{sink.port}}}",
        minimal_backoff_time="1s", maximal_backoff_time="1s", queue_run_delay="1s",
        transport_retry_time="1s", service_throttle_time="1s",
        smtpd_client_connection_count_limit="0", disable_dns_lookups="yes")
    os.chown(mta.mail, who.pw_uid, who.pw_gid)
    mta.expect_trouble(r"killed by signal 9")
    return mta


def run(count, only=None, environment=None):
    """One instance under load and kills; gives what was lost."""
    rng = random.Random(SEED)
    sink = Sink()
    with instance(sink, environment or {}) as mta:
        mta.start()
        stop = threading.Event()
        clients = [Client(i, mta.port(0), random.Random(rng.random()), stop)
                   for i in range(CLIENTS)]
        for client in clients:
            client.start()
        notices = Notices(mta.logfile)
        notices.start()
        kills = kill_some(mta, rng, clients, count, only)
        stop.set()
        for client in clients:
            client.join(3 * PATIENCE)
            check(not client.is_alive(), "a client gets its answers")
        queue_ends(mta)
        notices.over.set()
        lost = judge(mta, clients, sink, notices, kills)
        return lost


def is_captured_build():
    with open(os.path.join(TOP, "config.h")) as file:
        return "#define CAPTURED 1" in file.read()


print(f"seed {SEED}", flush=True)
check_equal(run(KILLS), [], "lost mail")
if is_captured_build():
    check(run(6, only=["spool"], environment={"POSTERN_SPOOL_BROKEN": "order"}),
          "a spool that answers before it writes is found out")
finish()
