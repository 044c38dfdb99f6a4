#!/usr/bin/env python3
"""Mail under kill -9: while several clients send, any process of Postern dies at any moment,
master too. Afterwards every message that got its 250 was delivered to each of its recipients
(a Maildir, a relay, or, for an unknown user there, a notice to the sender) exactly once. A
second copy is allowed only where the first was being made while something died, or had been
finished for less than 100 ms: then its result may not have been written yet.

With --enable-captured the spool can be told to answer before it writes (the order, broken):
the same test must find lost mail then.

Most of a run is waiting for what died to come again, so that several systems have their kills
side by side: parts, each a process.

SEED repeats the choices of a run; KILLS sets how many; the times of the machine differ."""
import concurrent.futures
import email.utils
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import PATIENCE, check, check_equal, count_others, finish, wait_until
from load import (LONG, NOTICE, Client, Load, Sink, family, in_maildir, instance,
                  is_captured_build, losses, messages_in, queue_ends)

KILLS = int(os.environ.get("KILLS") or (10000 if LONG else 200))
SIDE_BY_SIDE = 6 if LONG else 3
SEED = int(os.environ.get("SEED") or random.randrange(1 << 30))
RESULT_LAG = 0.1   # seconds that a result may take from the recipient into the log
NEVER_HEARD = 5    # seconds that a process may wait for an answer from one that died
DYING = 0.3 * PATIENCE / 15  # seconds after mail flows again in which what was under way when
                             # something was killed may still arrive
TRACE = re.compile(r"^Received: by .*\n\tid (\w+); (.*)", re.M)


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

def start_again(mta, dead):
    """What the dead master left may take a moment to leave; on a busy machine a master may be up
    later than the command waits for it."""
    def is_up():
        done = mta.postern("start", status=None)
        return mta.master() not in (None, dead) and (
            done.returncode == 0 or "already running" in done.stderr)
    wait_until(is_up, "a start after master's death", 60)


def kill_one(mta, rng, only):
    """Gives (program, pid, when) or None when it was gone already."""
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
        start_again(mta, pid)
    return name, pid, at


def mail_flows(load, sink):
    """Waits until mail goes in and out again: what the dead process leaves undone is over."""
    taken, relayed = load.taken(), len(sink.got)
    wait_until(lambda: load.taken() > taken + 5 and len(sink.got) > relayed + 5,
               "mail taken and relayed", 60)


def kill_some(mta, rng, goes_on, count, only):
    """`count` kills with some mail between them, each at an odd moment."""
    kills = []
    until = time.monotonic() + 60 + 10 * count
    goes_on()
    while len(kills) < count and time.monotonic() < until:
        time.sleep(rng.random() * 0.5)
        done = kill_one(mta, rng, only)
        if done:
            goes_on()
            kills.append((*done, time.time()))
    check_equal(len(kills), count, "kills")
    return kills


# ---- judging ----

def in_notices(mta, folder, logged):
    """Two lists of the same for notices: each delivery, as (its queue id, ...), and each
    notice, as (id, ...), with when it was made: from the moment in the queue id (which begins
    with the microseconds of the second in its trace field) to bounce's log line. Without one,
    bounce died before it heard that cleanup had taken the notice: it was being made until
    then."""
    delivered, made = [], {}
    for path, text, name in messages_in(mta, folder):
        queue_id, date = TRACE.search(text).groups()
        begin = email.utils.parsedate_to_datetime(date).timestamp() + \
            int(queue_id[:5], 16) / 1e6
        delivered.append((queue_id, "delivery", os.stat(path).st_mtime, os.stat(path).st_ctime))
        made[queue_id] = name, NOTICE, begin, logged.get(queue_id, begin + NEVER_HEARD)
    return delivered, list(made.values())


def excused(begin, end, kills):
    """Did something die while this was made, or before its result was written?"""
    return any(begin <= until + DYING and end + RESULT_LAG >= at for _, _, at, until in kills)


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

class Calm(Client):
    """Mail is always under way, and the processor has time for the other parts."""
    pause = 0.01


def run(count, only=None, environment=None, before=None, busy=0, **settings):
    """One instance under load and kills, each after `before` was called; gives what was lost."""
    rng = random.Random(SEED)
    sink = Sink(busy, SEED)
    with instance(sink, environment, **settings) as mta:
        mta.start()
        load = Load(mta, rng.random(), client=Calm)
        notices = Notices(mta.logfile)
        notices.start()

        def goes_on():
            # A broken one may leave mail lying about for which nobody comes.
            if environment:
                load.goes_on()
            else:
                mail_flows(load, sink)
            if before:
                before(mta)
        kills = kill_some(mta, rng, goes_on, count, only)
        load.ends()
        queue_ends(mta)
        notices.over.set()
        lost = judge(mta, load.clients, sink, notices, kills)
        return lost


def changes_engine(mta):
    """New mail goes to the other engine, while the old one still has some."""
    old = mta.settings["queue_engine"]
    mta.write_configuration(queue_engine="files" if old == "log" else "log")
    mta.reload()


# Kind of part: its share of the kills, in a run and in a long one; what is killed (with the other
# engine, those whose part in it differs); the rest of run()'s arguments. While the engine changes,
# the kill comes during the reload or soon after it.
KINDS = {
    "log": ((0.7, 0.5), None, {"queue_engine": "log"}),
    "files": ((0.2, 0.4), None if LONG else ["spool", "qmgr", "cleanup", "master"],
              {"queue_engine": "files"}),
    "changing": ((0.1, 0.1), ["spool", "master"],
                 {"queue_engine": "log", "before": changes_engine, "busy": 0.5}),
}


def parts():
    """[(kind, kills)]: all KILLS, so many to a part that each judges what it can hold."""
    found = []
    for kind, (shares, *_) in KINDS.items():
        wanted = max(1, round(KILLS * shares[LONG]))
        pieces = -(-wanted // (500 if LONG else 70))
        found += [(kind, wanted // pieces + (i < wanted % pieces)) for i in range(pieces)]
    return sorted(found, key=lambda part: -part[1])


def one_part(kind, kills):
    _, some, arguments = KINDS[kind]
    check_equal(run(kills, some, **arguments), [], f"lost mail, {kind}")


def broken(kind):
    """The oracle must find what a spool that answers before it writes has lost."""
    _, _, arguments = KINDS[kind]
    check(run(6, ["spool"], {"POSTERN_SPOOL_BROKEN": "order"}, **arguments),
          f"a spool that answers before it writes is found out, {kind}")


def in_process(number, kind, kills):
    argv = [sys.executable, os.path.abspath(__file__), kind, str(kills)]
    return subprocess.run(argv, env={**os.environ, "SEED": str(SEED + number)}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout


if len(sys.argv) > 1:
    print(f"{sys.argv[1]}, seed {SEED}", flush=True)
    if sys.argv[2] == "broken":
        broken(sys.argv[1])
    else:
        one_part(sys.argv[1], int(sys.argv[2]))
    finish()
todo = parts() + [(kind, "broken") for kind in KINDS if is_captured_build()]
with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
    for text in pool.map(in_process, range(len(todo)), *zip(*todo)):
        count_others(text)
finish()
